from dataclasses import replace

import numpy as np
import pytest

from digit_generator.evaluation import protocol
from digit_generator.evaluation.data import Digits
from digit_generator.evaluation.measures import train_on_generated, two_sample

SETTING = replace(protocol.LEARNER, batch=32)


def test_good_digits_teach_and_the_real_ones_are_looked_at_once(draw, monkeypatch):
    looked_at = []
    accuracy = train_on_generated.accuracy
    monkeypatch.setattr(
        train_on_generated,
        "accuracy",
        lambda network, digits: looked_at.append(digits) or accuracy(network, digits),
    )
    real = draw(200, 1)
    figures = train_on_generated.train_on_generated(draw(500, 0), real, SETTING, held_out=0.1, views=2_000)
    assert figures["accuracy"] > 0.8
    assert figures["images"] == [500, 200]
    assert figures["epochs"] == 5  # 2,000 views of the 450 that teach
    assert sum(digits is real for digits in looked_at) == 1
    assert looked_at[-1] is real
    assert {len(digits) for digits in looked_at[:-1]} == {50}


def test_the_epoch_with_the_best_held_out_accuracy_is_tested(draw, monkeypatch):
    told = iter([0.2, 0.9, 0.9, 0.5])
    weights = []

    def accuracy(network, digits):
        weights.append(network.head.weight.detach().clone())
        return next(told)

    monkeypatch.setattr(train_on_generated, "accuracy", accuracy)
    figures = train_on_generated.train_on_generated(draw(50, 0), draw(20, 1), SETTING, held_out=0.2, views=1)
    assert (figures["epoch"], figures["epochs"], figures["accuracy_held_out"]) == (2, 3, 0.9)
    assert (weights[-1] == weights[1]).all()
    assert not (weights[-1] == weights[2]).all()


def test_no_image_both_teaches_and_tests(draw, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        two_sample, "training", lambda network, digits, setting: seen.update(teaches=digits) or iter(())
    )
    monkeypatch.setattr(two_sample, "accuracy", lambda network, digits: seen.update(tests=digits) or 0.6)
    fake, real = draw(300, 0), draw(200, 1)
    figures = two_sample.two_sample_test(fake, real, protocol.TWO_SAMPLE)
    assert figures == {"accuracy": 0.6, "learned": 0.6, "images": [200, 200]}
    teaches, tests = ({image.tobytes() for image in seen[part].pixels} for part in ("teaches", "tests"))
    assert not teaches & tests
    for part in seen.values():
        assert np.bincount(part.labels).tolist() == [100, 100]
        sources = [{image.tobytes() for image in digits.pixels} for digits in (fake, real)]
        assert all(
            image.tobytes() in sources[label] for image, label in zip(part.pixels, part.labels, strict=True)
        )


def test_black_is_told_from_white():
    black = Digits(np.zeros((100, 28, 28), np.uint8), np.zeros(100, int))
    white = Digits(np.full((100, 28, 28), 255, np.uint8), np.zeros(100, int))
    figures = two_sample.two_sample_test(black, white, replace(protocol.TWO_SAMPLE, epochs=3, batch=20))
    assert figures["accuracy"] == pytest.approx(1)


def test_a_network_that_is_stuck_at_a_guess_does_not_pass_for_a_judgement(draw, monkeypatch):
    """50 % because nothing was learned would look like the best of all generators."""
    seeds = []
    learn = two_sample.training

    def stuck_at_first(network, digits, setting):
        seeds.append(setting.seed)
        return iter(()) if len(seeds) == 1 else learn(network, digits, setting)

    monkeypatch.setattr(two_sample, "training", stuck_at_first)
    black = Digits(np.zeros((100, 28, 28), np.uint8), np.zeros(100, int))
    white = Digits(np.full((100, 28, 28), 255, np.uint8), np.zeros(100, int))
    figures = two_sample.two_sample_test(black, white, replace(protocol.TWO_SAMPLE, epochs=3, batch=20))
    assert seeds == [protocol.TWO_SAMPLE.seed, protocol.TWO_SAMPLE.seed + 1]
    assert figures["accuracy"] == figures["learned"] == 1
