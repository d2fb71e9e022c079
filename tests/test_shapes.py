"""Strokes of known thickness, slant and width are measured and estimated as what they are."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from digit_generator.shapes import MissingExtraError, estimated_shapes, estimated_tails, measured_shapes


def bar(thickness: float, lean: float = 0.0, height: float = 20) -> np.ndarray:
    """A bar, its top leaning to the right by `lean` radians."""
    y, x = (np.mgrid[: 28 * 8, : 28 * 8] + 0.5) / 8 - 14
    ink = (np.abs(x + math.tan(lean) * y) < thickness / 2) & (np.abs(y) < height / 2)
    return (255 * ink.reshape(28, 8, 28, 8).mean(axis=(1, 3))).round().astype(np.uint8)


def measured(*pixels: np.ndarray) -> np.ndarray:
    return measured_shapes(np.stack(pixels))


def estimated(*pixels: np.ndarray) -> np.ndarray:
    return estimated_shapes(np.stack(pixels) / 255)[0]


def test_measured_thickness_of_bars() -> None:
    # Where the medial axis forks into the corners, it is nearer to the edge.
    assert measured(bar(2), bar(4), bar(6))[:, 0] == pytest.approx([2, 4, 6], rel=0.2)


def test_estimated_thickness_is_twice_the_area_over_the_edge() -> None:
    # 20 by 4: area 80, edge 48. A grey step is a little rounder at the corners than the bar.
    assert estimated(bar(2), bar(4), bar(6))[:, 0] == pytest.approx([40 / 22, 80 / 24, 120 / 26], rel=0.03)


@pytest.mark.parametrize("shapes", [measured, estimated])
@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.25, 0.5])
def test_slant_of_bars_is_positive_to_the_right(shapes, lean: float) -> None:
    assert shapes(bar(3, lean))[0, 1] == pytest.approx(lean, abs=0.02)


@pytest.mark.parametrize("shapes", [measured, estimated])
def test_width_is_taken_across_the_slant_without_the_outer_ink(shapes) -> None:
    upright, leaning = shapes(bar(8), bar(8, 0.4))[:, 2]
    assert upright == pytest.approx(8 * 0.98, abs=0.8)  # 1 % of the ink is left out on either side
    assert leaning == pytest.approx(upright, abs=0.8)  # not the 16 columns that it covers


def test_many_are_measured_as_each_alone() -> None:
    pixels = np.stack([bar(1.5 + index / 20, index / 100 - 0.3) for index in range(60)])
    together = measured_shapes(pixels)
    for index in (0, 49, 50, 59):
        alone = measured_shapes(pixels[index : index + 1])[0]
        # A tie in the medial axis may fall differently, and a bar has many.
        assert together[index] == pytest.approx(alone, abs=0.15)


def test_an_empty_picture_has_no_shapes_and_spoils_no_other() -> None:
    shapes = measured(bar(3), np.zeros((28, 28), np.uint8), bar(3))
    assert np.isnan(shapes[1]).all()
    assert shapes[[0, 2]] == pytest.approx(measured(bar(3), bar(3)), abs=0.05)


def test_ink_too_faint_to_enlarge_has_no_shapes() -> None:
    faint = np.zeros((28, 28), np.uint8)
    faint[14, 14] = 1
    assert np.isnan(measured(faint)).all()


def test_no_ink_has_finite_estimates() -> None:
    for part in (*estimated_shapes(np.zeros((1, 28, 28))), *estimated_tails(np.zeros((1, 28, 28)))):
        assert np.isfinite(part).all()


def test_a_speck_beside_a_stroke_is_a_tail_and_a_wider_stroke_is_none() -> None:
    specked = bar(3)
    specked[14, 21] = 255
    tails = estimated_tails(np.stack([bar(3), bar(7), specked]) / 255)[0]
    assert tails[:2] == pytest.approx([0, 0], abs=0.8)
    assert tails[2] > 4


def tails_as_a_column(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tails, gradients = estimated_tails(images)
    return tails[:, None], gradients[:, None]


@pytest.mark.parametrize("estimates", [estimated_shapes, tails_as_a_column])
def test_the_gradients_are_those_of_the_estimates(estimates) -> None:
    rng = np.random.RandomState(0)
    y, x = np.mgrid[:28, :28] - 13.5
    ring = np.exp(-((np.hypot(x + 0.2 * y, y) - 7) ** 2) / 4)
    images = np.stack([0.05 + 0.9 * ring + 0.05 * rng.rand(28, 28), 0.1 + 0.8 * rng.rand(28, 28)])
    direction = rng.standard_normal(images.shape)
    step = 1e-6
    ahead, behind = (estimates(images + sign * step * direction)[0] for sign in (1, -1))
    gradients = estimates(images)[1]
    along = (gradients * direction[:, None]).sum(axis=(2, 3))
    assert along == pytest.approx((ahead - behind) / (2 * step), rel=1e-3, abs=1e-4)


def test_measuring_without_scikit_image_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.morphology", None)
    with pytest.raises(MissingExtraError, match="pip install scikit-image"):
        measured(bar(3))
