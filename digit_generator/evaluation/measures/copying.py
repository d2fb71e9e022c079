"""Copying: are generated digits nearer to what the generator learned from than to digits it never saw?

The question of Meehan et al. 2020, arXiv:2004.05675, as one share: among as many training as held-out images,
a generator that copies nothing has its nearest neighbour in the training set half of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from digit_generator.evaluation.data import Pixels

_ROWS = 1_000


def copying(fake: Pixels, training: Pixels, held_out: Pixels, pairs: int = 10) -> dict[str, Any]:
    """The share of `fake` nearer (Euclidean, in pixels) to a training than to a held-out image; ties count
    half.

    `training`, in random order, is cut into blocks of the size of `held_out`; the share is the mean over
    whole blocks. `closest`: the `pairs` closest of (fake index, training index, root mean square distance in
    grey levels), over all training images, no image twice.
    """
    size = len(held_out)
    held_out_distance, _ = nearest(fake, held_out)
    closest_distance = np.full(len(fake), np.inf)
    closest_index = np.zeros(len(fake), np.intp)
    shares = []
    for start in range(0, len(training), size):
        block = training[start : start + size]
        distance, index = nearest(fake, block)
        if len(block) == size:
            shares.append(np.mean((distance < held_out_distance) + 0.5 * (distance == held_out_distance)))
        closer = distance < closest_distance
        closest_distance[closer] = distance[closer]
        closest_index[closer] = start + index[closer]
    closest: dict[int, tuple[int, int, float]] = {}
    for i in closest_distance.argsort(kind="stable"):
        if len(closest) < pairs:
            gap = float(np.sqrt(closest_distance[i] / fake[0].size))
            closest.setdefault(int(closest_index[i]), (int(i), int(closest_index[i]), gap))
    return {
        "share": float(np.mean(shares)),
        "blocks": len(shares),
        "images": [len(fake), size],
        "closest": list(closest.values()),
    }


def nearest(fake: Pixels, real: Pixels) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Squared distance float64 [N] to the nearest of `real`, and which one it is, int [N]."""
    # Grey levels and their products are whole numbers, which float64 holds exactly: copies have distance 0.
    b = real.reshape(len(real), -1).astype(np.float64)
    b_squared = (b * b).sum(axis=1)
    distances, indices = [], []
    for start in range(0, len(fake), _ROWS):
        a = fake[start : start + _ROWS].reshape(-1, b.shape[1]).astype(np.float64)
        distance = (a * a).sum(axis=1)[:, None] + b_squared - 2 * a @ b.T
        indices.append(distance.argmin(axis=1))
        distances.append(distance.min(axis=1))
    return np.concatenate(distances), np.concatenate(indices)
