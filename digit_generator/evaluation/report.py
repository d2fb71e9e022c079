"""From a file of weights or of digits to its quality card.

The only file of the ruler that knows that a generator exists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache as cache_in_memory
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from digit_generator.bulk import BulkGenerator
from digit_generator.evaluation import pictures, protocol
from digit_generator.evaluation.cache import Cache, write_json
from digit_generator.evaluation.data import (
    Digits,
    EvaluationError,
    Labels,
    RealSide,
    digits_from_npz,
    first_of_each_digit,
    random_order,
    random_part,
)
from digit_generator.evaluation.networks.classifier import digest_of_classifier
from digit_generator.evaluation.networks.judges import judge, scout
from digit_generator.evaluation.networks.ocr import MODEL_SHA256
from digit_generator.evaluation.ruler import Figures, Ruler
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator, latents_from_seeds
from digit_generator.weights import digest_of_file

Rows = dict[str, Callable[[], Figures]]
_DRAWN_AT_A_TIME = 10_000
COLUMNS = ("generated", "raw", "real", "validation", "classic")
_LIBRARIES = ("numpy", "torch", "scipy", "scikit-image", "onnxruntime", "rapidocr", "pillow")


class Source(Protocol):
    """Where digits come from.

    digest: the file's. drawn_by: what its digits depend on, and what figures are filed under. generations:
    how many independent sets of digits are measured. learner_images: how many it can give to learn from, up
    to the protocol's number. counted_in: what its images are numbered by. raw: the same weights without
    finish and choice, None for a file of digits.
    """

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def drawn_by(self) -> tuple[object, ...]: ...
    @property
    def generations(self) -> int: ...
    @property
    def learner_images(self) -> int: ...
    @property
    def counted_in(self) -> str: ...
    @property
    def raw(self) -> Source | None: ...

    def digits(self, labels: Labels, first_seed: int) -> Digits:
        """Digits of `labels`, image i with seed first_seed + i; a file of digits gives its own first ones."""

    def shown(self, count: int) -> Digits:
        """Seeds 0 to count - 1 of every digit, digit by digit; a file gives its first `count` of each."""

    def drawing(self, labels: Labels) -> Figures | None:
        """How the digits of these labels in all generations were drawn; None for a file of digits."""


@dataclass(frozen=True)
class WeightsSource:
    """A generator's weights: as many generations as one likes."""

    name: str
    digest: str
    generator: DigitGenerator
    generations: int = protocol.GENERATIONS
    counted_in: str = "seed"

    @property
    def learner_images(self) -> int:
        return protocol.LEARNER_IMAGES

    @cached_property
    def drawn_by(self) -> tuple[object, ...]:
        """File, finish and choice, and what comes of them for the digits shown."""
        generator, shown = self.generator, self.shown(protocol.SEEDS_SHOWN)
        return self.digest, generator.finish_version, generator.choice_digest, shown.digest

    @property
    def raw(self) -> WeightsSource:
        return replace(
            self,
            generator=self.generator.variant(raw=True, every_z=True),
            generations=protocol.GENERATIONS_BESIDE,
        )

    def digits(self, labels: Labels, first_seed: int) -> Digits:
        bulk, parts = BulkGenerator(self.generator), []
        for start in range(0, len(labels), _DRAWN_AT_A_TIME):
            part = labels[start : start + _DRAWN_AT_A_TIME]
            parts.append(bulk.digits(part, range(first_seed + start, first_seed + start + len(part))))
        return Digits(np.concatenate(parts), labels)

    def shown(self, count: int) -> Digits:
        pixels = np.concatenate([self.generator.digits(digit, range(count)) for digit in range(10)])
        return Digits(pixels, np.repeat(np.arange(10), count))

    def drawing(self, labels: Labels) -> Figures:
        generator, count = self.generator, self.generations * len(labels)
        refused = 0
        if generator.choice:
            bulk = BulkGenerator(generator)
            for start in range(0, count, len(labels)):
                seeds = range(start, start + len(labels))
                chosen, first = bulk.latents(seeds, labels), latents_from_seeds(seeds)
                refused += int((chosen != first).any(axis=1).sum())
        return {
            "finish": generator.finish_version,
            "choice_sha256": generator.choice_digest,
            "seeds": count,
            "first_z_refused": refused / count,
            "refined": "refined" in (generator.provenance or {}),
        }


@dataclass(frozen=True)
class FileSource:
    """A file of digits: one generation, of as many as it holds."""

    name: str
    digest: str
    held: Digits
    generations: int = 1
    counted_in: str = "image"
    raw: None = None

    @property
    def drawn_by(self) -> tuple[object, ...]:
        return (self.digest,)

    @property
    def learner_images(self) -> int:
        return min(len(self.held), protocol.LEARNER_IMAGES)

    def digits(self, labels: Labels, first_seed: int) -> Digits:
        return self.held[: len(labels)]

    def shown(self, count: int) -> Digits:
        return first_of_each_digit(self.held, count)

    def drawing(self, labels: Labels) -> None:
        return None


def source_from_file(path: Path, name: str | None = None) -> Source:
    """The source that a file of weights (.pth, .safetensors) or of digits (.npz) is.

    Raises EvaluationError or digit_generator's WeightsError, each a sentence for a person.
    """
    if path.suffix == ".npz":
        held = digits_from_npz(path)
        if len(held) < protocol.MIN_IMAGES:
            raise EvaluationError(
                f"{path} holds {len(held)} digits; at least {protocol.MIN_IMAGES} are needed."
            )
        return FileSource(name or path.name, digest_of_file(path), held)
    return WeightsSource(name or path.name, digest_of_file(path), DigitGenerator.load(path))


def make_card(
    source: Source,
    classic: Source | None,
    *,
    data_dir: Path,
    pictures_dir: Path,
    against: protocol.Against,
    quick: bool,
    cache: Cache,
    features: Path | None = None,
) -> Figures:
    """Measure `source` beside its raw digits, real ones and those of `classic`, and draw its pictures.

    The card that comes back is plain JSON. Its columns (None where there is none) hold rows by name, and each
    row is a list with one entry for each generation or run.
    """
    side = RealSide.from_folder(data_dir, against)
    classic = classic if classic and classic.digest != source.digest else None
    with tqdm(desc="judge", bar_format="{desc} ({n} of {total} rows, {elapsed})", total=0) as bar:
        reader = judge() if against == "test" else scout(side.learned, cache, bar.set_description)
        ruler = Ruler(side, reader, cache, features)
        runs = _runs(ruler, source, classic, quick=quick)
        columns: dict[str, dict[str, list[Figures]]] = {run.column: {} for run in runs}
        bar.total = sum(len(run.rows) for run in runs)
        for run in runs:
            for row, compute in run.rows.items():
                bar.set_description(f"{run.column} {run.number + 1}: {row}")
                figures = cache.figures(compute, row, *ruler.identity, *run.made_from(row, side))
                columns[run.column].setdefault(row, []).append(figures)
                bar.update()
        bar.set_description("how they were drawn")
        drawing = source.drawing(side.reference.labels)
        bar.set_description("pictures")
        write_pictures(ruler, source, pictures_dir, quick=quick)
        bar.set_description("done")
    return {
        "ruler": protocol.VERSION,
        "against": against,
        "quick": quick,
        "subject": {"name": source.name, "sha256": source.digest},
        "drawing": drawing,
        "classic_sha256": classic and classic.digest,
        "features": features.name if features else "classifier",
        "reader_sha256": digest_of_classifier(reader),
        "ocr_sha256": MODEL_SHA256,
        "versions": {library: version(library) for library in _LIBRARIES},
        **{column: columns.get(column) for column in COLUMNS},
    }


@dataclass(frozen=True)
class Run:
    """Generation `number` of a column of the card: what computes each of its rows."""

    column: str
    drawn_by: tuple[object, ...]
    number: int
    learner_images: int
    rows: Rows

    def made_from(self, row: str, side: RealSide) -> tuple[object, ...]:
        """What the row's figures depend on, apart from the ruler."""
        learners = (self.learner_images,) if row.startswith("train_on") else ()
        halves = (side.stand_in.digest, side.opposite.digest) if row in protocol.ROWS_OF_HALVES else ()
        network = (protocol.TWO_SAMPLE,) if row == "two_sample" else ()
        learned = (side.learned.digest,) if row == "broken_shapes" else ()
        return (*self.drawn_by, self.number, *learners, *halves, *network, *learned)


def _runs(ruler: Ruler, source: Source, classic: Source | None, *, quick: bool) -> list[Run]:
    """All that a card measures; every column's learners see as many images as the source can give."""
    full = {"test": protocol.ROWS_TEST, "validation": protocol.ROWS_VALIDATION}[ruler.side.against]
    wanted = protocol.ROWS_QUICK if quick else full
    count = source.learner_images
    runs = [
        Run("real", ("real",), number, count, real_rows(ruler, number, count))
        for number in range(protocol.GENERATIONS)
    ]
    if ruler.side.against == "test":
        runs.append(Run("validation", ("validation",), 0, count, validation_rows(ruler)))
    textbook = classic and (classic.raw or classic)
    for column, it in (("generated", source), ("raw", source.raw), ("classic", textbook)):
        if it:
            runs += [
                Run(column, it.drawn_by, number, count, generated_rows(ruler, it, number, count))
                for number in range(it.generations)
            ]
    runs = [run for run in runs if run.number == 0 or not quick]
    return [replace(run, rows={row: run.rows[row] for row in wanted if row in run.rows}) for run in runs]


def generated_rows(ruler: Ruler, source: Source, number: int, learner_images: int) -> Rows:
    """What computes each row for generation `number` of a source."""
    side = ruler.side

    @cache_in_memory
    def drawn() -> Digits:
        return source.digits(side.reference.labels, number * len(side.reference))

    def equal() -> Digits:
        return random_part(drawn(), len(side.stand_in))

    def to_learn_from(times: int) -> Digits:
        labels = np.tile(random_part(side.learned, learner_images).labels, times)
        return source.digits(labels, protocol.LEARNER_SEEDS + number * len(labels))

    rows: Rows = {
        "asked_own": lambda: ruler.asked_own(drawn()),
        "asked_ocr": lambda: ruler.asked_ocr(drawn()),
        "broken_shapes": lambda: ruler.broken_shapes(drawn()),
        "distance": lambda: ruler.distance(equal(), drawn()),
        "neighbours": lambda: ruler.neighbours(equal(), drawn()),
        "train_on_generated": lambda: ruler.train_on_generated(to_learn_from(1), number),
        "two_sample": lambda: ruler.two_sample(equal()),
        "copying": lambda: ruler.copying(drawn(), side.known),
        "diversity": lambda: ruler.diversity(drawn(), side.reference),
    }
    if number == 0 and source.generations > 1:
        rows["train_on_ten_times"] = lambda: ruler.train_on_generated(
            to_learn_from(protocol.LEARNER_TIMES), number
        )
    return rows


def real_rows(ruler: Ruler, number: int, learner_images: int) -> Rows:
    """What computes each row for real against real; only the learner has more than one run."""
    side = ruler.side

    def to_learn_from() -> Digits:
        order = np.roll(random_order(len(side.learned)), -number * learner_images)
        return side.learned[order[:learner_images]]

    learner: Rows = {"train_on_generated": lambda: ruler.train_on_generated(to_learn_from(), number)}
    if number > 0:
        return learner
    return learner | {
        "asked_own": lambda: ruler.asked_own(side.reference),
        "asked_ocr": lambda: ruler.asked_ocr(side.reference),
        "broken_shapes": lambda: ruler.broken_shapes(side.reference),
        "distance": lambda: ruler.distance(side.stand_in),
        "neighbours": lambda: ruler.neighbours(side.stand_in),
        "two_sample": lambda: ruler.two_sample(side.stand_in),
        "copying": lambda: ruler.copying(side.not_copied, side.not_copied_known),
        "diversity": lambda: ruler.diversity(side.stand_in, side.opposite),
    }


def validation_rows(ruler: Ruler) -> Rows:
    """What computes each row for the validation images against the test images: real, but by other hands."""
    side = ruler.side
    return {
        "broken_shapes": lambda: ruler.broken_shapes(side.not_copied),
        "distance": lambda: ruler.distance(side.not_copied),
        "neighbours": lambda: ruler.neighbours(side.not_copied),
        "two_sample": lambda: ruler.two_sample(side.not_copied),
        "diversity": lambda: ruler.diversity(side.not_copied, side.opposite),
    }


def write_pictures(ruler: Ruler, source: Source, folder: Path, *, quick: bool) -> None:
    """Draw the pictures of generation 0 into `folder`; closest pairs and the OCR judge only if not quick."""
    side, count = ruler.side, protocol.SEEDS_SHOWN
    fake = source.digits(side.reference.labels, 0)
    folder.mkdir(parents=True, exist_ok=True)
    sheet = pictures.digits_sheet(
        source.shown(count), first_of_each_digit(side.reference, count), count, source.counted_in
    )
    write_whole(folder / "digits.png", sheet)
    with_ocr = side.against == "test" and not quick
    judges = [ruler.least_liked_by_own(fake)] + ([ruler.least_liked_by_ocr(fake)] if with_ocr else [])
    worst = [entry for liked in judges for entry in liked[: protocol.LEAST_LIKED // len(judges)]]
    write_whole(folder / "least-liked.png", pictures.least_liked_sheet(fake, worst))
    parts = [random_part(digits, protocol.SHAPE_IMAGES) for digits in (fake, side.reference)]
    histograms = pictures.shape_histograms(*(ruler.shapes(part) for part in parts))
    write_whole(folder / "shapes.png", histograms)
    sheet, key = pictures.blind_sheet(fake, side.reference)
    write_whole(folder / "blind.png", sheet)
    write_json(folder / "blind-key.json", key)
    if not quick:
        closest = ruler.cache.figures(
            lambda: ruler.copying(fake, side.known), "copying", *ruler.identity, *source.drawn_by, 0
        )["closest"]
        write_whole(folder / "closest.png", pictures.closest_sheet(fake, side.known, closest))
