"""Kernel distance between two sets of features (Binkowski et al. 2018, arXiv:1801.01401; "KID").

The unbiased estimate over all pairs, not over random subsets: one number, no draw, and it may be negative.
"""

from __future__ import annotations

from digit_generator.evaluation.data import Floats

_ROWS = 1_000


def kernel_distance(fake: Floats, real: Floats) -> float:
    """The squared maximum mean discrepancy with kernel (x.y / F + 1)^3 of features [N, F] and [M, F]."""
    n, m = len(fake), len(real)
    within_fake = (_kernel_sum(fake, fake) - _kernel_diagonal(fake)) / (n * (n - 1))
    within_real = (_kernel_sum(real, real) - _kernel_diagonal(real)) / (m * (m - 1))
    return within_fake + within_real - 2 * _kernel_sum(fake, real) / (n * m)


def _kernel_sum(a: Floats, b: Floats) -> float:
    size = a.shape[1]
    return sum(float(((a[i : i + _ROWS] @ b.T / size + 1) ** 3).sum()) for i in range(0, len(a), _ROWS))


def _kernel_diagonal(a: Floats) -> float:
    return float((((a * a).sum(axis=1) / a.shape[1] + 1) ** 3).sum())
