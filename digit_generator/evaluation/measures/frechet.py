"""Fréchet distance between two sets of features (Heusel et al. 2017, arXiv:1706.08500, section 3; "FID").

Written out rather than taken from torchmetrics, whose FID wants a network object and keeps state: the formula
is three lines, and a test holds it against the closed form for Gaussians.
"""

from __future__ import annotations

import numpy as np

from digit_generator.evaluation.data import Floats


def frechet_distance(fake: Floats, real: Floats) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of features [N, F] and [M, F]; 0 = same mean and
    covariance."""
    fake_covariance, real_covariance = np.cov(fake, rowvar=False), np.cov(real, rowvar=False)
    # C C' has the eigenvalues of the symmetric C^(1/2) C' C^(1/2), which eigvalsh finds without complex dust.
    values, vectors = np.linalg.eigh(fake_covariance)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ real_covariance @ root).clip(min=0)).sum()
    shift = fake.mean(axis=0) - real.mean(axis=0)
    return float(shift @ shift + np.trace(fake_covariance) + np.trace(real_covariance) - 2 * trace_of_root)
