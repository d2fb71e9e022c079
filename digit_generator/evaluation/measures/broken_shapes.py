"""Broken shapes: how many digits consist of pieces and holes that the digit hardly ever has?

An image is enlarged four times to 112x112 (cubic spline: scipy.ndimage.zoom, order=3) and cut at half of the
ink, 127.5. In what is left, pieces (8-connected ink) and holes (4-connected background that does not reach
the border) are counted, but neither specks nor pinholes. A digit is broken when under 1 % of the real
training images of that digit have as many pieces and holes, or when it comes with a speck.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, zoom

from digit_generator.evaluation.data import Labels, Pixels
from digit_generator.evaluation.measures.asked_for import share_of

_ENLARGED = 4
_SPECK, _PINHOLE = 25, 12
"""Pieces and holes with fewer pixels of the enlarged image than these are specks and pinholes."""
_USUAL = 0.01
_CHUNK = 500  # images looked at a time: 100 MB of working memory


class Counted(NamedTuple):
    """What each image consists of: int64 [N] each."""

    pieces: NDArray[np.int64]
    holes: NDArray[np.int64]
    specks: NDArray[np.int64]


def counted_shapes(pixels: Pixels) -> Counted:
    """Pieces, holes and specks of pixels uint8 [N, 28, 28]."""
    parts = [_counted(pixels[start : start + _CHUNK]) for start in range(0, len(pixels), _CHUNK)]
    return Counted(*(np.concatenate(counts) for counts in zip(*parts, strict=True)))


def broken_shapes(counted: Counted, labels: Labels, real: Counted, real_labels: Labels) -> dict[str, Any]:
    """The share of digits that are broken, as asked_for.share_of gives it; `real` is of training images."""
    broken = are_broken(counted, labels, real, real_labels)
    return share_of(broken, labels)


def are_broken(counted: Counted, labels: Labels, real: Counted, real_labels: Labels) -> NDArray[np.bool_]:
    """Which digits are broken, measured by `real`, the training images: bool [N]."""
    usual = [_usual_pairs(real, real_labels == digit) for digit in range(10)]
    pairs = zip(counted.pieces.tolist(), counted.holes.tolist(), strict=True)
    whole = [pair in usual[digit] for pair, digit in zip(pairs, labels.tolist(), strict=True)]
    broken: NDArray[np.bool_] = ~np.array(whole, bool) | (counted.specks > 0)
    return broken


def excess(counted: Counted, labels: Labels, real: Counted, real_labels: Labels) -> NDArray[np.float64]:
    """Of the digits with as many pieces and holes as each has: the share that is too many, float64 [N].

    A gap or a loop may be usual and still be drawn too often. If real digits have a pair of counts r < 1
    times as often, 1 - r of those drawn with it are too many: without them it would be as frequent as there
    (rejection by the density ratio: Azadi et al. 2019, arXiv:1810.06758).
    """
    too_many = np.zeros(len(labels))
    for digit in range(10):
        drawn = labels == digit
        real_shares = _shares_of_pairs(real, real_labels == digit)
        for (pieces, holes), share in _shares_of_pairs(counted, drawn).items():
            alike = drawn & (counted.pieces == pieces) & (counted.holes == holes)
            too_many[alike] = max(0.0, 1 - real_shares.get((pieces, holes), 0.0) / share)
    return too_many


def _usual_pairs(real: Counted, chosen: NDArray[np.bool_]) -> set[tuple[int, int]]:
    return {pair for pair, share in _shares_of_pairs(real, chosen).items() if share >= _USUAL}


def _shares_of_pairs(counted: Counted, chosen: NDArray[np.bool_]) -> dict[tuple[int, int], float]:
    """How large a share of the chosen images has each pair of pieces and holes that occurs."""
    pairs = np.stack([counted.pieces[chosen], counted.holes[chosen]], axis=1)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    return {
        (int(a), int(b)): count / len(pairs) for (a, b), count in zip(kinds, counts.tolist(), strict=True)
    }


def _counted(pixels: Pixels) -> Counted:
    enlarge = _enlargement()
    ink = enlarge @ pixels.astype(np.float32) @ enlarge.T > 127.5  # bool [N, 112, 112]
    pieces, specks = _areas_counted(ink, 8, _SPECK)
    # With a margin, all background that reaches the border is one area, and no hole.
    outside = np.pad(~ink, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    holes, _ = _areas_counted(outside, 4, _PINHOLE)
    return Counted(pieces, holes - 1, specks)


@cache
def _enlargement() -> NDArray[np.float32]:
    """The spline as one product, [112, 28]: it is linear, and rows and columns are taken one by one."""
    rows: NDArray[np.float32] = zoom(
        np.eye(28, dtype=np.float32), (_ENLARGED, 1), order=3, grid_mode=True, mode="grid-constant"
    )
    return rows


def _areas_counted(
    areas: NDArray[np.bool_], neighbours: int, small: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many connected areas of bool [N, H, W] each image has: of `small` pixels or more, and of fewer."""
    touching = np.zeros((3, 3, 3), bool)  # only within an image
    touching[1] = True if neighbours == 8 else [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    numbers, count = label(areas, touching)
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    image = np.zeros(count + 1, np.int64)
    image[numbers] = np.arange(len(areas))[:, None, None]
    large, few = (
        np.bincount(image[1:][chosen], minlength=len(areas)) for chosen in (sizes >= small, sizes < small)
    )
    return large, few
