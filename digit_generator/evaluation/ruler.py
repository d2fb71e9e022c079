"""The ruler: every measure, put to the images that the protocol has for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digit_generator.evaluation import protocol
from digit_generator.evaluation.cache import Cache
from digit_generator.evaluation.data import Digits, Floats, Labels, RealSide, random_order, random_part
from digit_generator.evaluation.measures.asked_for import asked_for_digit
from digit_generator.evaluation.measures.broken_shapes import Counted, broken_shapes, counted_shapes
from digit_generator.evaluation.measures.copying import copying
from digit_generator.evaluation.measures.diversity import shape_distances, shapes_of_digits, spread_over_real
from digit_generator.evaluation.measures.frechet import frechet_distance
from digit_generator.evaluation.measures.kernel import kernel_distance
from digit_generator.evaluation.measures.neighbours import neighbour_measures
from digit_generator.evaluation.measures.train_on_generated import train_on_generated
from digit_generator.evaluation.measures.two_sample import two_sample_test
from digit_generator.evaluation.networks.classifier import (
    Classifier,
    digest_of_classifier,
    features_and_probabilities,
)
from digit_generator.evaluation.networks.features import onnx_features
from digit_generator.evaluation.networks.ocr import MODEL_SHA256, ocr_log_probabilities
from digit_generator.weights import digest_of_file

Figures = dict[str, Any]


class Disliked(NamedTuple):
    """An image that a judge does not like: which judge, its number in the generation, what it was read as."""

    judge: str
    number: int
    read: int


class Ruler:
    """The measures for one real side, one classifier that reads, and one network that gives features."""

    def __init__(
        self, side: RealSide, reader: Classifier, cache: Cache, features: Path | None = None
    ) -> None:
        """`features`: an ONNX file whose output takes the place of the reader's features."""
        self.side, self.reader, self.cache, self.features_file = side, reader, cache, features
        features_digest = digest_of_file(features) if features else ""
        self.identity = (side.against, side.reference.digest, digest_of_classifier(reader), features_digest)
        self._seen: dict[str, tuple[Floats, Floats]] = {}

    def asked_own(self, fake: Digits) -> Figures:
        return asked_for_digit(self.probabilities(fake).argmax(axis=1), fake.labels)

    def asked_ocr(self, fake: Digits) -> Figures:
        part = random_part(fake, protocol.OCR_IMAGES)
        return asked_for_digit(self.ocr(part).argmax(axis=1), part.labels)

    def broken_shapes(self, fake: Digits) -> Figures:
        return broken_shapes(
            self.counted(fake), fake.labels, self.counted(self.side.learned), self.side.learned.labels
        )

    def distance(self, equal: Digits, full: Digits | None = None) -> Figures:
        """FID and KID, at equal size and, where given, at full size."""
        return self._at_sizes(
            lambda a, b: {
                "fid": frechet_distance(self.features(a), self.features(b)),
                "kid": kernel_distance(self.features(a), self.features(b)),
                "images": [len(a), len(b)],
            },
            equal,
            full,
        )

    def neighbours(self, equal: Digits, full: Digits | None = None) -> Figures:
        """Precision, recall, density and coverage, at equal size and, where given, at full size."""
        return self._at_sizes(
            lambda a, b: {
                **neighbour_measures(self.features(a), self.features(b), protocol.NEIGHBOURS),
                "images": [len(a), len(b)],
            },
            equal,
            full,
        )

    def two_sample(self, equal: Digits) -> Figures:
        """How well a fresh network tells digits from real ones, at equal size."""
        return two_sample_test(equal, self.side.opposite, protocol.TWO_SAMPLE)

    def train_on_generated(self, fake: Digits, run: int) -> Figures:
        return train_on_generated(
            fake,
            self.side.reference,
            replace(protocol.LEARNER, seed=protocol.LEARNER.seed + run),
            held_out=protocol.LEARNER_HELD_OUT,
            views=protocol.LEARNER_VIEWS,
        )

    def copying(self, fake: Digits, known: Digits) -> Figures:
        return copying(fake.pixels, known.pixels, self.side.reference.pixels, protocol.CLOSEST_PAIRS)

    def diversity(self, fake: Digits, real: Digits) -> Figures:
        fake_part, real_part = (random_part(digits, protocol.SHAPE_IMAGES) for digits in (fake, real))
        return {
            "pixel_spread": spread_over_real(_flat(fake), fake.labels, _flat(real), real.labels),
            "feature_spread": spread_over_real(
                self.features(fake), fake.labels, self.features(real), real.labels
            ),
            "shapes": shape_distances(
                self.shapes(fake_part), fake_part.labels, self.shapes(real_part), real_part.labels
            ),
            "images": [len(fake), len(real)],
            "shape_images": [len(fake_part), len(real_part)],
        }

    def features(self, digits: Digits) -> Floats:
        """float64 [N, F], in the unit in which the reference's features have a variance of 1 on average."""
        return self._features_and_probabilities(digits)[0] / self._unit

    def probabilities(self, digits: Digits) -> Floats:
        """float64 [N, 10], how the reader reads each image."""
        return self._features_and_probabilities(digits)[1]

    def ocr(self, digits: Digits) -> NDArray[Any]:
        """log probabilities [N, 10] of the OCR judge."""
        return self.cache.arrays(
            lambda: {"log": ocr_log_probabilities(digits.pixels)}, "ocr", digits.digest, MODEL_SHA256
        )["log"]

    def shapes(self, digits: Digits) -> dict[str, NDArray[Any]]:
        """thickness, slant and width, each [N]."""
        return self.cache.arrays(lambda: shapes_of_digits(digits.pixels), "shapes", digits.digest)

    def counted(self, digits: Digits) -> Counted:
        """pieces, holes and specks, each [N]."""
        return Counted(
            **self.cache.arrays(lambda: counted_shapes(digits.pixels)._asdict(), "counted", digits.digest)
        )

    def least_liked_by_own(self, fake: Digits) -> list[Disliked]:
        """All images, from the one least believed by the reader to be the digit asked for."""
        return _least_liked("own", self.probabilities(fake), fake.labels, np.arange(len(fake)))

    def least_liked_by_ocr(self, fake: Digits) -> list[Disliked]:
        """The same for the images that the OCR judge reads."""
        numbers = random_order(len(fake))[: protocol.OCR_IMAGES]
        log = self.ocr(fake[numbers])
        probabilities = np.exp(log - np.logaddexp.reduce(log, axis=1, keepdims=True))
        return _least_liked("OCR", probabilities, fake.labels[numbers], numbers)

    @cached_property
    def _unit(self) -> float:
        features, _ = self._features_and_probabilities(self.side.reference)
        return float(np.sqrt(features.var(axis=0).mean()))

    def _at_sizes(
        self, measure: Callable[[Digits, Digits], Figures], equal: Digits, full: Digits | None
    ) -> Figures:
        figures = {"equal": measure(equal, self.side.opposite)}
        return figures if full is None else figures | {"full": measure(full, self.side.reference)}

    def _features_and_probabilities(self, digits: Digits) -> tuple[Floats, Floats]:
        if digits.digest not in self._seen:
            features, probabilities = features_and_probabilities(self.reader, digits.pixels)
            if self.features_file:
                features = onnx_features(self.features_file, digits.pixels)
            self._seen[digits.digest] = features.astype(np.float64), probabilities.astype(np.float64)
        return self._seen[digits.digest]


def _least_liked(
    judge: str, probabilities: Floats, labels: Labels, numbers: NDArray[np.intp]
) -> list[Disliked]:
    believed = probabilities[np.arange(len(labels)), labels]
    order = believed.argsort(kind="stable")
    return [Disliked(judge, int(numbers[i]), int(probabilities[i].argmax())) for i in order]


def _flat(digits: Digits) -> NDArray[np.float32]:
    return digits.pixels.reshape(len(digits), -1).astype(np.float32) / np.float32(255)
