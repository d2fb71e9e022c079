"""Train on synthetic, test on real (Ravuri and Vinyals 2019, arXiv:1905.10887): are generated digits good for
what digits are for?"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

from digit_generator.evaluation.data import Digits, random_part
from digit_generator.evaluation.networks.classifier import accuracy, new_classifier, training
from digit_generator.evaluation.protocol import Training


def train_on_generated(
    digits: Digits, real: Digits, setting: Training, *, held_out: float, views: int
) -> dict[str, Any]:
    """The accuracy on `real` of a fresh classifier that learned from `digits` alone.

    A part `held_out` of `digits` chooses the epoch; `real` is looked at once, by the classifier chosen. It
    sees about `views` images in all, in at least three epochs.
    """
    kept = int(len(digits) * held_out)
    shuffled = random_part(digits, len(digits))
    chooses, teaches = shuffled[:kept], shuffled[kept:]
    setting = replace(setting, epochs=max(3, math.ceil(views / len(teaches))))
    network = new_classifier(setting)
    best, best_epoch, best_accuracy = network.state_dict(), 0, -1.0
    for epoch in training(network, teaches, setting):
        chosen_by = accuracy(network, chooses)
        if chosen_by > best_accuracy:
            best, best_epoch, best_accuracy = deepcopy(network.state_dict()), epoch, chosen_by
    network.load_state_dict(best)
    return {
        "accuracy": accuracy(network, real),
        "epoch": best_epoch,
        "epochs": setting.epochs,
        "accuracy_held_out": best_accuracy,
        "images": [len(digits), len(real)],
    }
