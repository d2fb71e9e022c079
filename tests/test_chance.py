"""Streams that are seeded anew are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from digit_generator.chance import seeded


@pytest.mark.parametrize("seed", [0, 2**32 - 1, [7], [5, 1, 2], [2**32 - 1, 2**32 - 1, 3]])
def test_a_stream_is_that_of_numpy(seed: int | list[int]) -> None:
    seeded(3).standard_normal()  # a stream keeps the second of two normal numbers, which must not stay
    np.testing.assert_array_equal(
        seeded(seed).standard_normal(5), np.random.RandomState(seed).standard_normal(5)
    )


def test_another_seed_is_told() -> None:
    with pytest.raises(ValueError, match="Seed"):
        seeded(2**32)
