"""Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545).

Can a network learn to tell generated from real? 50 % = no.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from digit_generator.evaluation.classifier import accuracy, new_classifier, training
from digit_generator.evaluation.data import Digits, random_part
from digit_generator.evaluation.protocol import Training


def two_sample_test(fake: Digits, real: Digits, setting: Training) -> dict[str, Any]:
    """The held-out accuracy of a fresh two-class classifier.

    A random half of either set teaches, for all epochs of the setting and without a choice; the other half
    tests. `images`: how many of either set were taken, as many as the smaller one has.
    """
    count = min(len(fake), len(real))
    fake, real = random_part(fake, count), random_part(real, count)
    teaches, tests = (
        _told_apart(fake[part], real[part]) for part in (slice(count // 2), slice(count // 2, None))
    )
    network = new_classifier(setting, classes=2)
    for _ in training(network, teaches, setting):
        pass
    return {"accuracy": accuracy(network, tests), "images": [count, count]}


def _told_apart(fake: Digits, real: Digits) -> Digits:
    """Both sets in one; the label says the source: 0 generated, 1 real."""
    source = np.repeat([0, 1], [len(fake), len(real)])
    return Digits(np.concatenate([fake.pixels, real.pixels]), source)
