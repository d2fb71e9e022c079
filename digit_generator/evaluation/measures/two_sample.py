"""Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545).

Can a network learn to tell generated from real? 50 % = no.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from digit_generator.evaluation.data import Digits, random_part
from digit_generator.evaluation.networks.classifier import accuracy, new_classifier, training
from digit_generator.evaluation.protocol import TWO_SAMPLE_ATTEMPTS, TWO_SAMPLE_LEARNED_MIN, Training


def two_sample_test(fake: Digits, real: Digits, setting: Training) -> dict[str, Any]:
    """The held-out accuracy of a fresh two-class classifier.

    A random half of either set teaches, for all epochs of the setting; the other half tests. `images`: how
    many of either set were taken, as many as the smaller one has. `learned`: the accuracy on the half that
    taught. A network that gets stuck there at a guess would pass any generator off as real, so then another
    one, from the next seed, is taught instead.
    """
    count = min(len(fake), len(real))
    fake, real = random_part(fake, count), random_part(real, count)
    teaches, tests = (
        _told_apart(fake[part], real[part]) for part in (slice(count // 2), slice(count // 2, None))
    )
    for attempt in range(TWO_SAMPLE_ATTEMPTS):
        fresh = replace(setting, seed=setting.seed + attempt)
        network = new_classifier(fresh, classes=2)
        for _ in training(network, teaches, fresh):
            pass
        learned = accuracy(network, teaches)
        if learned > TWO_SAMPLE_LEARNED_MIN:
            break
    return {"accuracy": accuracy(network, tests), "learned": learned, "images": [count, count]}


def _told_apart(fake: Digits, real: Digits) -> Digits:
    """Both sets in one; the label says the source: 0 generated, 1 real."""
    source = np.repeat([0, 1], [len(fake), len(real)])
    return Digits(np.concatenate([fake.pixels, real.pixels]), source)
