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

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

TRIMMED = 0.01
"""The share of the ink left out on either side when the width is taken (Morpho-MNIST: 2 % in all)."""

_ENLARGED = 4
_TOGETHER = 50  # digits whose medial axes are taken in one call
_TAIL = (0.006, 0.03)  # shares of the ink left out on either side: less and more than TRIMMED
_BISECTIONS = 12  # of an interval of 80 pixels, to a fiftieth of one
_NEWTON_STEPS = 4  # from there to what float64 resolves
_SMALL = 1e-9
_ALL = slice(None)
_ENDS = tuple(end for share in (TRIMMED, *_TAIL) for end in (share, 1 - share))
"""Shares of the ink to the left of both ends of the width, and of the two widths of the tails."""

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
        raise MissingExtraError("measuring strokes needs scikit-image: pip install scikit-image") from None
    shapes = np.full((len(pixels), 3), np.nan)
    inked = np.flatnonzero(pixels.any(axis=(1, 2)))
    for start in range(0, len(inked), _TOGETHER):
        part = inked[start : start + _TOGETHER]
        large = np.stack([pyramid_expand(digit, upscale=_ENLARGED, order=3) for digit in pixels[part]])
        large = np.floor(255 * large)  # float64 [b, 112, 112]
        seen = large.any(axis=(1, 2))  # the faintest ink is lost by that
        part, large = part[seen], large[seen]
        if not len(part):
            continue
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


class Estimates:
    """Likenesses of thickness, slant and width, and the tails, of images float [B, 28, 28], 0 background
    ... 1 ink, with some ink in each; and, where asked for, their gradients.

    thickness: twice the ink over its edge. A stroke of length l and thickness t has the area l t and an edge
    of 2 l; in a grey picture the edge is the total variation (coarea formula, Fleming and Rishel 1960).
    slant: as measured. width: as measured, each pixel's ink spread evenly over one pixel of the width.

    shapes: float64 [B, 3], thickness, slant and width.
    tails: float64 [B], how much further the outermost ink reaches than most of it, in pixels: the width with
    0.6 % of the ink left out on either side, less that with 3 %. A speck beside a stroke makes it large, a
    wider stroke does not.
    """

    def __init__(self, images: npt.NDArray[np.floating[Any]]) -> None:
        self._upright = _set_upright(images)
        self._slopes = _slopes(images)
        self._edge = self._slopes[2].sum(axis=(1, 2))
        self._ends = _quantiles(self._upright, np.array(_ENDS))  # [B, 6]
        width, far, near = (self._ends[:, 2 * k + 1] - self._ends[:, 2 * k] for k in range(3))
        self._thickness = 2 * self._upright.ink / self._edge
        self.shapes: Floats = np.stack([self._thickness, np.arctan(-self._upright.shear), width], axis=1)
        self.tails: Floats = far - near

    def gradients(self, which: slice | npt.NDArray[np.integer[Any]] = _ALL) -> Floats:
        """Of the three shapes and the tails of the images `which`, with respect to each pixel: float64
        [b, 4, 28, 28]."""
        upright = _Upright(*(field[which] for field in self._upright))
        falling, rising, length = (each[which] for each in self._slopes)
        edge_gradient = _total_variation_gradient(falling, rising, length)
        thickness = (2 - _each(self._thickness[which]) * edge_gradient) / _each(self._edge[which])
        slant = -upright.shear_gradient / _each(1 + upright.shear**2)
        ends = [_quantile_gradient(upright, self._ends[which, k], share) for k, share in enumerate(_ENDS)]
        width, far, near = (
            (right - left) / _each(upright.ink)
            + _each(right_by_shear - left_by_shear) * upright.shear_gradient
            for (left, left_by_shear), (right, right_by_shear) in (ends[:2], ends[2:4], ends[4:])
        )
        return np.stack([thickness, slant, width, far - near], axis=1)


def estimated_shapes(images: npt.NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """Likenesses of thickness, slant and width, float64 [B, 3], and their gradients, [B, 3, 28, 28].

    The gradient is that of each likeness with respect to each pixel; see Estimates.
    """
    estimates = Estimates(images)
    return estimates.shapes, estimates.gradients()[:, :3]


def estimated_tails(images: npt.NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """How much further the outermost ink reaches than most of it: pixels [B], and the gradient, [B, 28, 28].

    See Estimates.
    """
    estimates = Estimates(images)
    return estimates.tails, estimates.gradients()[:, 3]


def estimated_strokes(images: npt.NDArray[np.floating[Any]]) -> Floats:
    """Likenesses of thickness and slant alone, float64 [B, 2]: those of estimated_shapes, in less time."""
    middle = _middles(images)
    return np.stack([2 * middle.ink / _total_variation(images), np.arctan(-middle.u11 / middle.u02)], axis=1)


class _Upright(NamedTuple):
    """Pictures whose rows are moved so that they stand upright, as the width wants them."""

    ink: Floats  # [B]
    mass: Floats  # [B, 28, 28], each pixel's share of the ink
    below: Floats  # [B, 28, 1], pixels below the middle
    place: Floats  # [B, 28, 28], pixels to the right of the middle, when upright
    shear: Floats  # [B], pixels to the right for each below
    shear_gradient: Floats  # [B, 28, 28]


class _Middles(NamedTuple):
    """Where the ink of pictures is, and how it is spread around there."""

    ink: Floats  # [B]
    mass: Floats  # [B, 28, 28], each pixel's share of the ink
    below: Floats  # [B, 28, 1], pixels below the middle
    beside: Floats  # [B, 1, 28], pixels to the right of it
    u11: Floats  # [B], the second moments
    u02: Floats  # [B]


def _middles(images: npt.NDArray[np.floating[Any]]) -> _Middles:
    ink = images.sum(axis=(1, 2)) + _SMALL
    place = np.arange(28.0)
    mass = images / _each(ink)
    middle = mass.sum(axis=2) @ place, mass.sum(axis=1) @ place
    below = (place - middle[0][:, None])[:, :, None]
    beside = (place - middle[1][:, None])[:, None, :]
    u11 = (mass * below * beside).sum(axis=(1, 2))
    u02 = (mass * below**2).sum(axis=(1, 2)) + _SMALL
    return _Middles(ink, mass, below, beside, u11, u02)


def _set_upright(images: npt.NDArray[np.floating[Any]]) -> _Upright:
    ink, mass, below, beside, u11, u02 = _middles(images)
    shear = u11 / u02
    shear_gradient = (below * beside - _each(u11)) - _each(shear) * (below**2 - _each(u02))
    shear_gradient /= _each(u02 * ink)
    return _Upright(ink, mass, below, beside - _each(shear) * below, shear, shear_gradient)


def _each(values: Floats) -> Floats:
    """[B] -> [B, 1, 1], one number for each picture."""
    return values[:, None, None]


def _total_variation(images: npt.NDArray[np.floating[Any]]) -> Floats:
    """The sum of the slope's length over all meeting points of four pixels, [B]."""
    _, _, length = _slopes(images)
    total: Floats = length.sum(axis=(1, 2))
    return total


def _total_variation_gradient(falling: Floats, rising: Floats, length: Floats) -> Floats:
    """Of the slopes, with respect to each pixel: [B, 28, 28]."""
    falling, rising = falling / length, rising / length
    gradient = np.zeros((len(length), 30, 30))
    gradient[:, 1:, 1:] += falling
    gradient[:, :-1, :-1] -= falling
    gradient[:, :-1, 1:] += rising
    gradient[:, 1:, :-1] -= rising
    return gradient[:, 1:-1, 1:-1]


def _slopes(images: npt.NDArray[np.floating[Any]]) -> tuple[Floats, Floats, Floats]:
    """Along both diagonals where four pixels meet, and the length of both: [B, 29, 29] each."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    falling = padded[:, 1:, 1:] - padded[:, :-1, :-1]
    rising = padded[:, :-1, 1:] - padded[:, 1:, :-1]
    falling /= 2
    rising /= 2
    length = falling**2  # both are diagonals, sqrt(2) pixels long
    length += rising**2
    length *= 2
    length += _SMALL**2
    return falling, rising, np.sqrt(length, out=length)


def _quantiles(upright: _Upright, shares: Floats) -> Floats:
    """Where each of the shares [Q] of the mass lies to the left: [B, Q].

    A row's mass to the left of a place is that of its whole pixels there, summed beforehand, and a part of
    one more.
    """
    mass, place = upright.mass, upright.place
    padded = np.zeros((len(mass), 28, 30))  # a column without mass on either side
    padded[:, :, 1:29] = mass
    before = np.zeros_like(padded)
    np.cumsum(mass[:, :, :-1], axis=2, out=before[:, :, 2:29])
    before[:, :, 29] = before[:, :, 28] + mass[:, :, 27]
    first = np.arange(len(mass) * 28).reshape(-1, 1, 28) * 30 + 1  # of each row's pixels, when flat
    start = (place[:, :, 0] - 0.5)[:, None]  # [B, 1, 28], the left edge of each row
    low, high = np.full((len(mass), len(shares)), -40.0), np.full((len(mass), len(shares)), 40.0)
    quantile: Floats = (low + high) / 2
    for step in range(_BISECTIONS + _NEWTON_STEPS):
        into = quantile[:, :, None] - start  # [B, Q, 28]
        pixel = np.clip(np.floor(into), -1, 28)
        index = first + pixel.astype(np.intp)
        here = padded.ravel()[index]
        more = (before.ravel()[index] + here * (into - pixel)).sum(axis=2) - shares
        low, high = np.where(more < 0, quantile, low), np.where(more < 0, high, quantile)
        quantile = (low + high) / 2
        if step >= _BISECTIONS:  # the sum is a polygon: on the right piece of it, Newton's step is exact
            ends = np.where(more < 0, low, high)
            exact = ends - more / np.maximum(here.sum(axis=2), _SMALL)
            quantile = np.where((low <= exact) & (exact <= high), exact, quantile)
    return quantile


def _quantile_gradient(upright: _Upright, quantile: Floats, share: float) -> tuple[Floats, Floats]:
    """Gradients of one of the _quantiles, [B], with respect to the mass, before it is divided by its sum,
    [B, 28, 28], and to the shear, [B]."""
    behind = _each(quantile) - upright.place + 0.5
    here = upright.mass * ((behind > 0) & (behind < 1))
    density = here.sum(axis=(1, 2)) + _SMALL
    return (
        (share - np.clip(behind, 0, 1)) / _each(density),
        -(here * upright.below).sum(axis=(1, 2)) / density,
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
