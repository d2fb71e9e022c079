"""Taking greys away hides from the two-sample test what is in the greys, and nothing else."""

import numpy as np
import pytest

from digit_generator.evaluation.greys import VIEWS

LEVELS = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("as they are", set(range(256))),
        ("no level from 1 to 15 or from 240 to 254", {0, *range(16, 240), 255}),
        ("six greys", {0, 51, 102, 153, 204, 255}),
        ("black and white", {0, 255}),
    ],
)
def test_the_levels_that_are_left(name, levels):
    seen = VIEWS[name](LEVELS)
    assert set(seen.tolist()) == levels
    assert (np.diff(seen.astype(int)) >= 0).all(), "darker must not become lighter"
    assert seen.dtype == np.uint8


def test_half_the_resolution_keeps_each_squares_mean():
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[0, 4:6, 10:12] = [[0, 100], [200, 255]]
    seen = VIEWS["half the resolution"](pixels)
    assert (seen[0, 4:6, 10:12] == 139).all()  # 138.75
    assert seen.sum() == 4 * 139


def test_six_greys_are_the_nearest():
    off = np.abs(VIEWS["six greys"](LEVELS).astype(int) - LEVELS)
    assert off.max() == 25
