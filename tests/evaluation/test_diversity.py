import math

import numpy as np
import pytest

from digit_generator.evaluation.measures.diversity import (
    shape_distances,
    shapes_of_digits,
    spread_over_real,
    spread_per_digit,
)
from digit_generator.shapes import measured_shapes


def bar(width: float, lean_degrees: float = 0.0, height: float = 20) -> np.ndarray:
    """A bar `width` pixels wide, its top leaning to the right."""
    y, x = (np.mgrid[: 28 * 8, : 28 * 8] + 0.5) / 8 - 14
    middle = -math.tan(math.radians(lean_degrees)) * y
    ink = (np.abs(x - middle) < width / 2) & (np.abs(y) < height / 2)
    return (255 * ink.reshape(28, 8, 28, 8).mean(axis=(1, 3))).round().astype(np.uint8)


def test_shapes_are_morpho_mnists_with_slants_in_degrees(draw):
    pixels = draw(20, 0).pixels
    thickness, slant, width = measured_shapes(pixels).T
    shapes = shapes_of_digits(pixels)
    np.testing.assert_array_equal(shapes["thickness"], thickness)
    np.testing.assert_allclose(np.radians(shapes["slant"]), slant)
    np.testing.assert_array_equal(shapes["width"], width)


def test_many_images_are_measured_as_each_alone(draw):
    """But for ties of the medial axis, which chance breaks in the order in which the images come."""
    pixels = draw(230, 0).pixels
    together = shapes_of_digits(pixels)
    for i in (0, 199, 200, 229):
        for name, alone in shapes_of_digits(pixels[i : i + 1]).items():
            assert together[name][i] == pytest.approx(alone[0], abs=0.01), name


def test_ink_at_the_edge_does_not_touch_the_next_image():
    full = np.full((28, 28), 255, np.uint8)
    pair = shapes_of_digits(np.stack([full, full]))["thickness"]
    assert pair == pytest.approx(np.repeat(shapes_of_digits(full[None])["thickness"], 2), rel=0.01)


def test_an_empty_image_has_no_shape_and_spoils_nothing():
    pixels = np.stack([bar(2), np.zeros((28, 28), np.uint8), bar(6)])
    shapes = shapes_of_digits(pixels)
    assert all(np.isnan(values[1]) and np.isfinite(values[[0, 2]]).all() for values in shapes.values())
    labels = np.zeros(3, int)
    assert shape_distances(shapes, labels, shapes, labels)["thickness"]["distance"] == 0


def test_nothing_but_empty_images_has_no_figures():
    nothing = {name: np.full(3, np.nan) for name in ("thickness", "slant", "width")}
    figures = shape_distances(nothing, np.zeros(3, int), nothing, np.zeros(3, int))
    assert set(figures["width"].values()) == {None}


def test_distance_of_histograms_in_real_deviations():
    # The same values two deviations further on: distance 2.
    real = {name: np.array([-1.0, 1.0]) for name in ("thickness", "slant", "width")}
    fake = {name: values + 2 for name, values in real.items()}
    labels = np.array([4, 4])
    assert shape_distances(fake, labels, real, labels)["slant"]["distance"] == pytest.approx(2)


def test_spread_by_hand():
    # Digit 0: points (0, 0) and (6, 8): mean (3, 4), each 5 away. Digit 1: one point.
    values = np.array([[0.0, 0.0], [6.0, 8.0], [1.0, 1.0]])
    labels = np.array([0, 0, 1])
    assert spread_per_digit(values, labels)[:2] == [pytest.approx(5), 0]
    ratio = spread_over_real(values / 2, labels, values + 7, labels)
    assert ratio["per_digit"][0] == pytest.approx(0.5)
    assert ratio["per_digit"][2] is None
    assert ratio["mean"] == pytest.approx(0.5)
