"""Chance that follows from numbers: NumPy's frozen streams, without the time that a new one takes."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

_local = threading.local()


def seeded(seed: int | Sequence[int]) -> np.random.RandomState:
    """What numpy.random.RandomState(seed) draws, until this thread asks for another one.

    seed: a whole number, or several, 0...2^32-1 each; ValueError for others. There is one stream for each
    thread: to seed it anew takes a twentieth of the time of a new one.
    """
    if not hasattr(_local, "rng"):
        _local.rng = np.random.RandomState()
    rng: np.random.RandomState = _local.rng
    rng.seed(seed)
    return rng
