"""What each position from "as it comes" to "neat" costs: how far its digits are from real ones, how varied
they are, and how many have a broken shape. choice.py writes it into the choice file, where pages read it.

The distance is to as many random training images as are drawn, of the first 55,000; recall is of the last
5,000, which the judge has not seen. Features are the judge's. No test image is looked at, so the figures
differ from those of the card.
"""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from digit_generator.bulk import BulkGenerator
from digit_generator.evaluation import protocol
from digit_generator.evaluation.data import Digits, Floats, random_order, random_part
from digit_generator.evaluation.measures.broken_shapes import broken_shapes, counted_shapes
from digit_generator.evaluation.measures.frechet import frechet_distance
from digit_generator.evaluation.measures.neighbours import neighbour_measures
from digit_generator.evaluation.networks.classifier import Classifier, features_and_probabilities
from digit_generator.generate import DigitGenerator

IMAGES = 20_000
FIRST_SEED = 4_200_000_000  # seeds that nobody else uses
_DIGITS = 4


def costs(
    generator: DigitGenerator, train: Digits, reader: Classifier, images: int
) -> list[dict[str, float]]:
    """`fid`, `recall` and `broken` (a share) of each position of the generator's choice.

    train: MNIST's training images, the held-out ones last. images: how many digits are drawn; their labels
    are those of other training images than the distance is measured to.
    """
    assert generator.choice is not None
    learned = train[: protocol.LEARNED_IMAGES]
    held_out = random_part(train[protocol.LEARNED_IMAGES :], images)
    shuffled = random_order(len(learned))
    near, others = learned[shuffled[:images]], learned[shuffled[images : 2 * images]]
    unit = float(np.sqrt(_features(reader, held_out).var(axis=0).mean()))
    near_features, held_out_features = _features(reader, near) / unit, _features(reader, held_out) / unit
    counted_learned = counted_shapes(learned.pixels)
    seeds = np.arange(FIRST_SEED, FIRST_SEED + len(others)).tolist()
    told = []
    for neat in tqdm(range(len(generator.choice.positions)), unit="positions", desc="what neat costs"):
        pixels = BulkGenerator(generator.variant(neat=neat)).digits(others.labels, seeds)
        features = _features(reader, Digits(pixels, others.labels)) / unit
        part = random_order(len(features))[: len(held_out)]  # recall grows with the number of images
        broken = broken_shapes(counted_shapes(pixels), others.labels, counted_learned, learned.labels)
        told.append(
            {
                "fid": round(frechet_distance(features, near_features), _DIGITS),
                "recall": round(
                    neighbour_measures(features[part], held_out_features, protocol.NEIGHBOURS)["recall"],
                    _DIGITS,
                ),
                "broken": round(broken["share"], _DIGITS),
            }
        )
    return told


def _features(reader: Classifier, digits: Digits) -> Floats:
    return features_and_probabilities(reader, digits.pixels)[0].astype(np.float64)
