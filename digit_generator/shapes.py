"""Thickness, slant and width of a drawn digit: as Morpho-MNIST measures them, and a smooth likeness of that.

Morpho-MNIST (Castro et al. 2019, arXiv:1809.10780, section 2.1; the code is dccastro/Morpho-MNIST, morpho.py
and measure.py) enlarges a digit four times and takes

- thickness, in pixels: of the ink above half of the brightest, twice the mean distance of the medial axis
  from the background;
- slant, in radians, positive leaning to the right: arctan of minus u11 / u02, second moments of the ink;
- width, in pixels: across the slant, from where 1 % of the ink lies to the left to where 1 % lies to the
  right.

`measured_shapes` is that, and needs scikit-image. `estimated_shapes` needs NumPy alone, is faster and has a
gradient, so that style.py can steer by it. The two differ by a little that style.py learns for every digit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SHAPES = ("thickness", "slant", "width")
"""The order of the columns, everywhere."""

TRIMMED = 0.01
"""The share of the ink left out on either side when the width is taken (Morpho-MNIST: 2 % in all)."""

_ENLARGED = 4
_TOGETHER = 50  # digits whose medial axes are taken in one call
_BISECTIONS = 40  # of an interval of 80 pixels: far below what float64 resolves in a picture
_SMALL = 1e-9

Floats = npt.NDArray[np.float64]


class MissingExtraError(ImportError):
    """A package that only measuring needs is not there; the message is one sentence for a person."""


def measured_shapes(pixels: npt.NDArray[np.uint8]) -> Floats:
    """thickness, slant and width, float64 [B, 3], of pixels, uint8 [B, 28, 28]; nan for a digit without ink.

    Needs the extra `style`; MissingExtraError without.
    """
    try:
        from skimage.morphology import medial_axis
        from skimage.transform import pyramid_expand
    except ImportError:
        raise MissingExtraError(
            'measuring strokes needs scikit-image: pip install "digit-generator[style]"'
        ) from None
    shapes = np.full((len(pixels), 3), np.nan)
    inked = np.flatnonzero(pixels.any(axis=(1, 2)))
    for start in range(0, len(inked), _TOGETHER):
        part = inked[start : start + _TOGETHER]
        large = np.stack([pyramid_expand(digit, upscale=_ENLARGED, order=3) for digit in pixels[part]])
        large = np.floor(255 * large)  # float64 [b, 112, 112]
        ink = large >= (large.min(axis=(1, 2), keepdims=True) + large.max(axis=(1, 2), keepdims=True)) / 2
        # Laid one below the other, each with a margin: 16 of 17 ms for each call are spent on preparations.
        column = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
        axis, depth = medial_axis(column.reshape(-1, column.shape[2]), return_distance=True, rng=0)
        axis, depth = axis.reshape(column.shape), depth.reshape(column.shape)
        shapes[part, 0] = 2 * (axis * depth).sum(axis=(1, 2)) / axis.sum(axis=(1, 2)) / _ENLARGED
        for row, one in zip(part, large, strict=True):
            slant, width = _slant_and_width(one)
            shapes[row, 1:] = slant, width / _ENLARGED
    return shapes


def estimated_shapes(images: npt.NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """Likenesses of thickness, slant and width, float64 [B, 3], and their gradients, [B, 3, 28, 28].

    images: float [B, 28, 28], 0 background ... 1 ink, with some ink in each. The gradient is that of each
    likeness with respect to each pixel.

    thickness: twice the ink over its edge. A stroke of length l and thickness t has the area l t and an edge
    of 2 l; in a grey picture the edge is the total variation (coarea formula, Fleming and Rishel 1960).
    slant: as measured. width: as measured, each pixel's ink spread evenly over one pixel of the width.
    """
    ink = images.sum(axis=(1, 2))
    edge, edge_gradient = _total_variation(images)
    thickness = 2 * ink / edge
    thickness_gradient = (2 - _each(thickness) * edge_gradient) / _each(edge)

    place = np.arange(28.0)
    mass = images / _each(ink)
    middle = mass.sum(axis=2) @ place, mass.sum(axis=1) @ place
    below = (place - middle[0][:, None])[:, :, None]  # [B, 28, 1]
    beside = (place - middle[1][:, None])[:, None, :]  # [B, 1, 28]
    u11 = (mass * below * beside).sum(axis=(1, 2))
    u02 = (mass * below**2).sum(axis=(1, 2)) + _SMALL
    shear = u11 / u02
    shear_gradient = (below * beside - _each(u11)) - _each(shear) * (below**2 - _each(u02))
    shear_gradient /= _each(u02 * ink)
    upright = beside - _each(shear) * below

    right, right_gradient, right_by_shear = _quantile(mass, upright, below, 1 - TRIMMED)
    left, left_gradient, left_by_shear = _quantile(mass, upright, below, TRIMMED)
    width_gradient = (right_gradient - left_gradient) / _each(ink)
    width_gradient += _each(right_by_shear - left_by_shear) * shear_gradient
    slant_gradient = -shear_gradient / _each(1 + shear**2)
    return (
        np.stack([thickness, np.arctan(-shear), right - left], axis=1),
        np.stack([thickness_gradient, slant_gradient, width_gradient], axis=1),
    )


def _each(values: Floats) -> Floats:
    """[B] -> [B, 1, 1], one number for each picture."""
    return values[:, None, None]


def _total_variation(images: npt.NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """The sum of the slope's length over all meeting points of four pixels, [B], and its gradient."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    falling = (padded[:, 1:, 1:] - padded[:, :-1, :-1]) / 2
    rising = (padded[:, :-1, 1:] - padded[:, 1:, :-1]) / 2
    length = np.sqrt(2 * (falling**2 + rising**2) + _SMALL**2)  # both are diagonals, sqrt(2) pixels long
    falling, rising = falling / length, rising / length
    gradient = np.zeros_like(padded)
    gradient[:, 1:, 1:] += falling
    gradient[:, :-1, :-1] -= falling
    gradient[:, :-1, 1:] += rising
    gradient[:, 1:, :-1] -= rising
    return length.sum(axis=(1, 2)), gradient[:, 1:-1, 1:-1]


def _quantile(mass: Floats, upright: Floats, below: Floats, share: float) -> tuple[Floats, Floats, Floats]:
    """Where `share` of the mass [B, 28, 28], placed at `upright`, lies to the left: [B].

    With it, the gradients with respect to the mass, before it is divided by its sum, and to the shear.
    """
    low, high = np.full(len(mass), -40.0), np.full(len(mass), 40.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        lies_left = (mass * np.clip(_each(middle) - upright + 0.5, 0, 1)).sum(axis=(1, 2)) < share
        low, high = np.where(lies_left, middle, low), np.where(lies_left, high, middle)
    quantile = (low + high) / 2
    behind = _each(quantile) - upright + 0.5
    here = mass * ((behind > 0) & (behind < 1))
    density = here.sum(axis=(1, 2)) + _SMALL
    return (
        quantile,
        (share - np.clip(behind, 0, 1)) / _each(density),
        -(here * below).sum(axis=(1, 2)) / density,
    )


def _slant_and_width(large: Floats) -> tuple[float, float]:
    """Of one enlarged picture [H, W]: radians, and its own pixels."""
    height, width = large.shape
    mass = large / large.sum()
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    below = rows - (mass * rows).sum()
    beside = columns - (mass * columns).sum()
    shear = (mass * below * beside).sum() / (mass * below**2).sum()
    upright = np.floor(columns + 0.5 - shear * below).astype(int).clip(-1, width) + 1
    left_of = np.bincount(upright.ravel(), weights=mass.ravel(), minlength=width + 2).cumsum()[:width]
    left, right = np.interp([TRIMMED, 1 - TRIMMED], left_of, np.arange(width))
    return float(np.arctan(-shear)), float(right - left)
