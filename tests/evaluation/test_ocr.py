from itertools import product

import numpy as np
import pytest

from digit_generator.evaluation.networks.ocr import (
    _lines_from_pixels,
    log_probability_of_one,
    ocr_log_probabilities,
)


def test_likelihood_of_one_symbol_is_the_sum_over_all_paths():
    rng = np.random.RandomState(0)
    probabilities = rng.dirichlet([1, 1, 1], size=(2, 5))  # blank and two symbols at five places
    expected = np.zeros((2, 2))
    for path in product(range(3), repeat=5):
        merged = [s for i, s in enumerate(path) if i == 0 or s != path[i - 1]]
        text = [s for s in merged if s != 0]
        if len(text) == 1:
            expected[:, text[0] - 1] += np.prod([probabilities[:, t, s] for t, s in enumerate(path)], axis=0)
    assert np.exp(log_probability_of_one(probabilities)) == pytest.approx(expected)


def test_certain_places_are_no_trouble():
    sure = np.zeros((1, 3, 3))
    sure[0, [0, 1, 2], [0, 2, 0]] = 1  # blank, second symbol, blank
    assert np.exp(log_probability_of_one(sure)).tolist() == [[0, 1]]


def test_a_line_is_a_digit_black_on_white_and_then_grey():
    half = np.zeros((1, 28, 28), np.uint8)
    half[0, :14] = 255  # ink above, none below
    line = _lines_from_pixels(half)
    assert line.shape == (1, 3, 48, 160)
    assert (line[0, :, :20, :48] == -1).all()
    assert (line[0, :, 28:, :48] == 1).all()
    assert (line[0, :, :, 48:] == 0).all()


def test_reads_digits_one_by_one_and_together(draw):
    digits = draw(60, 5)
    log = ocr_log_probabilities(digits.pixels)
    assert (log.argmax(axis=1) == digits.labels).mean() > 0.9
    alone = ocr_log_probabilities(digits.pixels[7:8])
    assert alone[0] == pytest.approx(log[7], abs=1e-2)
