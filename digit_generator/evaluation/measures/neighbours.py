"""Precision, recall, density and coverage by nearest neighbours.

Precision and recall: Kynkäänniemi et al. 2019, arXiv:1904.06991. Density and coverage: Naeem et al. 2020,
arXiv:2002.09797, whose package `prdc` gives the same figures from three N x N matrices at once (2 GB for
10,000 images); here they are made a thousand rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from digit_generator.evaluation.data import Floats

_ROWS = 1_000


def neighbour_measures(fake: Floats, real: Floats, k: int) -> dict[str, float]:
    """precision, recall, density, coverage of features [N, F] against [M, F], each against balls of radius
    the distance to the k-th neighbour within one's own set.

    precision: share of fake inside any real ball; recall: share of real inside any fake ball; density: real
    balls around a fake over k, on average (can exceed 1); coverage: share of real balls holding a fake.
    """
    fake_radius, real_radius = _radius(fake, k), _radius(real, k)
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    balls_around_fake = np.zeros(len(fake))
    for rows, distance in _squared_distances(real, fake):
        inside_real = distance < real_radius[rows, None]
        recalled[rows] = (distance < fake_radius[None]).any(axis=1)
        covered[rows] = inside_real.any(axis=1)
        balls_around_fake += inside_real.sum(axis=0)
    return {
        "precision": float((balls_around_fake > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls_around_fake.mean() / k),
        "coverage": float(covered.mean()),
    }


def _radius(features: Floats, k: int) -> Floats:
    """Squared distance [N] of each row to its k-th neighbour; itself, at 0, is not counted."""
    return np.concatenate(
        [np.partition(distance, k, axis=1)[:, k] for _, distance in _squared_distances(features, features)]
    )


def _squared_distances(a: Floats, b: Floats) -> Iterator[tuple[slice, Floats]]:
    b_squared = (b * b).sum(axis=1)
    for start in range(0, len(a), _ROWS):
        part = a[start : start + _ROWS]
        distance = (part * part).sum(axis=1)[:, None] + b_squared[None] - 2 * part @ b.T
        yield slice(start, start + len(part)), distance.clip(min=0)
