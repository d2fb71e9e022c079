"""How varied the digits are: spread within a digit, and the shapes of the hand.

Thickness, slant and width follow Morpho-MNIST (Castro et al. 2019, arXiv:1809.08311, section 2): measured on
the image enlarged four times and cut at half of its brightest ink.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, zoom
from scipy.stats import wasserstein_distance
from skimage.morphology import skeletonize

from digit_generator.evaluation.data import Floats, Labels, Pixels

_ENLARGED = 4
_TRIMMED = 0.02
"""The share of the ink left out on either side when the width is taken (Morpho-MNIST: 2 %)."""

SHAPES = ("thickness", "slant", "width")


def spread_per_digit(values: NDArray[np.floating[Any]], labels: Labels) -> list[float]:
    """The root mean square distance of `values` [N, F] from the mean of their digit, for 0 to 9 (nan if
    none)."""
    return [
        float(np.sqrt(values[labels == d].var(axis=0).sum())) if (labels == d).any() else float("nan")
        for d in range(10)
    ]


def spread_over_real(
    fake: NDArray[np.floating[Any]], fake_labels: Labels, real: NDArray[np.floating[Any]], real_labels: Labels
) -> dict[str, Any]:
    """The spread within each digit over that of the real digits (1 = as varied, 0 = always the same
    image)."""
    fake_spread, real_spread = spread_per_digit(fake, fake_labels), spread_per_digit(real, real_labels)
    ratios = [a / b if b > 0 else math.nan for a, b in zip(fake_spread, real_spread, strict=True)]
    known = [ratio for ratio in ratios if math.isfinite(ratio)]
    return {
        "mean": sum(known) / len(known) if known else None,
        "per_digit": [ratio if math.isfinite(ratio) else None for ratio in ratios],
    }


def shapes_of_digits(pixels: Pixels) -> dict[str, Floats]:
    """thickness (pixels), slant (degrees, positive leans to the right), width (pixels), each float64 [N].

    thickness: twice the mean distance of the skeleton to the background. slant: the shear that would make the
    ink's two coordinates uncorrelated. width: the extent across the slant of all but 2 % of the ink on either
    side. An image without ink has nan.
    """
    return {
        "thickness": np.concatenate([_thickness(part) for part in _parts(pixels)]),
        **_slant_and_width(pixels),
    }


def shape_distances(
    fake_shapes: dict[str, Floats], fake_labels: Labels, real_shapes: dict[str, Floats], real_labels: Labels
) -> dict[str, dict[str, Any]]:
    """For thickness, slant and width: means, standard deviations, and the Wasserstein distance between the
    two sets in units of the real standard deviation, averaged over digits (0 = same histogram)."""
    return {
        name: {
            **_moments("fake", fake_shapes[name]),
            **_moments("real", real_shapes[name]),
            "distance": _mean_distance(fake_shapes[name], fake_labels, real_shapes[name], real_labels),
        }
        for name in SHAPES
    }


def _moments(source: str, values: Floats) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    mean, deviation = (float(known.mean()), float(known.std())) if len(known) else (None, None)
    return {f"{source}_mean": mean, f"{source}_deviation": deviation}


def _mean_distance(fake: Floats, fake_labels: Labels, real: Floats, real_labels: Labels) -> float | None:
    distances = []
    for digit in range(10):
        a, b = fake[fake_labels == digit], real[real_labels == digit]
        a, b = a[np.isfinite(a)], b[np.isfinite(b)]
        if len(a) and len(b) and b.std() > 0:
            distances.append(wasserstein_distance(a, b) / b.std())
    return float(np.mean(distances)) if distances else None


def _thickness(pixels: Pixels) -> Floats:
    count = len(pixels)
    steps = (1, _ENLARGED, _ENLARGED)
    large = zoom(pixels.astype(np.float32), steps, order=1, grid_mode=True, mode="grid-constant")
    ink = large > large.max(axis=(1, 2), keepdims=True) / 2
    # Laid one below the other, each with a margin, so that skeleton and distances are found in one pass.
    column = np.pad(ink, ((0, 0), (1, 1), (1, 1))).reshape(-1, 28 * _ENLARGED + 2)
    bones = skeletonize(column).reshape(count, -1)
    depth = distance_transform_edt(column).reshape(count, -1)
    with np.errstate(invalid="ignore"):
        thickness: Floats = 2 * (bones * depth).sum(axis=1) / bones.sum(axis=1) / _ENLARGED
    return thickness


def _slant_and_width(pixels: Pixels) -> dict[str, Floats]:
    ink = pixels.astype(np.float64)
    rows, columns = np.mgrid[:28, :28].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mass = ink / ink.sum(axis=(1, 2), keepdims=True)
        below = rows - (mass * rows).sum(axis=(1, 2), keepdims=True)
        beside = columns - (mass * columns).sum(axis=(1, 2), keepdims=True)
        shear = -(mass * below * beside).sum(axis=(1, 2)) / (mass * below * below).sum(axis=(1, 2))
    upright = (beside + shear[:, None, None] * below).reshape(len(ink), -1)
    order = upright.argsort(axis=1)
    places = np.take_along_axis(upright, order, axis=1)
    below_place = np.take_along_axis(mass.reshape(len(ink), -1), order, axis=1).cumsum(axis=1)
    left = np.take_along_axis(places, (below_place < _TRIMMED).sum(axis=1)[:, None], axis=1)[:, 0]
    last = (below_place < 1 - _TRIMMED).sum(axis=1).clip(max=28 * 28 - 1)
    right = np.take_along_axis(places, last[:, None], axis=1)[:, 0]
    return {"slant": np.degrees(np.arctan(shear)), "width": right - left}


def _parts(pixels: Pixels) -> list[Pixels]:
    return [pixels[i : i + 200] for i in range(0, len(pixels), 200)]
