"""The asked-for digit: does a judge read an image as the digit that was asked for?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digit_generator.evaluation.data import Labels
from digit_generator.evaluation.protocol import CONFIDENCE_Z


def asked_for_digit(read: NDArray[np.integer[Any]], labels: Labels) -> dict[str, Any]:
    """`read` [N], the digit each image was read as, against `labels` [N], the digit asked for."""
    return share_of(read == labels, labels)


def share_of(found: NDArray[np.bool_], labels: Labels) -> dict[str, Any]:
    """The share of images `found` [N]: over all with Wilson's 95 % interval, per digit (None where `labels`
    [N] has none), and the count of images."""
    low, high = wilson_interval(int(found.sum()), len(found))
    per_digit = [float(found[labels == d].mean()) if (labels == d).any() else None for d in range(10)]
    return {
        "share": float(found.mean()),
        "low": low,
        "high": high,
        "per_digit": per_digit,
        "images": len(found),
    }


def wilson_interval(right: int, images: int, z: float = CONFIDENCE_Z) -> tuple[float, float]:
    """Wilson's score interval for a share of `right` in `images` (Wilson 1927; holds near 0 and 1 too)."""
    share = right / images
    middle = share + z * z / (2 * images)
    half = z * math.sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 1 + z * z / images
    return (middle - half) / scale, (middle + half) / scale
