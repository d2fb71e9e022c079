import numpy as np
import pytest

from digit_generator.evaluation.measures.asked_for import asked_for_digit, wilson_interval


def test_wilson_against_published_intervals():
    # Newcombe 1998, table I, method 3
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_shares_over_all_and_digit_by_digit():
    labels = np.array([0, 0, 1, 1, 1, 9])
    read = np.array([0, 3, 1, 1, 2, 9])
    figures = asked_for_digit(read, labels)
    assert figures["share"] == pytest.approx(4 / 6)
    assert figures["per_digit"][:3] == [0.5, pytest.approx(2 / 3), None]
    assert figures["per_digit"][9] == 1.0
    assert figures["low"] < 4 / 6 < figures["high"]
    assert figures["images"] == 6
