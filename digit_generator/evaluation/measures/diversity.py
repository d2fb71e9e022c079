"""How varied the digits are: spread within a digit, and the thickness, slant and width of its strokes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from digit_generator.evaluation.data import Floats, Labels, Pixels
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.shapes import measured_shapes


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

    As `shapes.measured_shapes` measures them. An image without ink has nan.
    """
    shapes = dict(zip(STROKE_MEASURES, measured_shapes(pixels).T, strict=True))
    return {**shapes, "slant": np.degrees(shapes["slant"])}


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
        for name in STROKE_MEASURES
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
