"""What a data set will hold: its parts, and the label and seed of every image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from digit_generator.errors import DigitGeneratorError
from digit_generator.generate import MAX_SEED, checked_whole

PartName = Literal["train", "test"]
MAX_COUNT = 10_000_000


class DatasetError(DigitGeneratorError):
    """A set that cannot be made; the message is one sentence for a person."""


@dataclass(frozen=True)
class Part:
    """One split, or consecutive images of it: labels, uint8 [N], 0...9, and the first image's seed.

    A byte an image is what a plan holds in memory: of a billion, one gigabyte.
    """

    name: PartName
    labels: npt.NDArray[np.uint8]
    first_seed: int

    @property
    def seeds(self) -> npt.NDArray[np.int64]:
        """One after the other, int64 [N]; after 2^32-1 comes 0."""
        return (self.first_seed + np.arange(len(self.labels))) % (MAX_SEED + 1)

    def piece(self, start: int, stop: int) -> Part:
        """Its images start...stop-1."""
        return Part(self.name, self.labels[start:stop], (self.first_seed + start) % (MAX_SEED + 1))


def plan(
    count: int,
    test_count: int = 0,
    *,
    shares: Mapping[int, float] | None = None,
    seed: int = 0,
    at_most: int = MAX_COUNT,
) -> list[Part]:
    """The labels and seeds of a set's parts. DatasetError for what cannot be planned.

    Each part has the digits in their shares, as nearly as whole numbers go, shuffled. `at_most` is the
    largest set that is wanted, 2^32 or less: there are no more seeds.
    """
    count = checked_whole("count", count, 1, at_most, DatasetError)
    test_count = checked_whole("test_count", test_count, 0, at_most, DatasetError)
    seed = checked_whole("seed", seed, 0, MAX_SEED, DatasetError)
    if count + test_count > at_most:
        raise DatasetError(
            f"{count} images to learn from and {test_count} to test on: expected at most {at_most} together"
        )
    weights = np.ones(10)
    if shares is not None:
        if not shares or not all(digit in range(10) and 0 <= share < 1e9 for digit, share in shares.items()):
            raise DatasetError(f"shares are {dict(shares)}: expected a number of 0 or more for digits 0 to 9")
        weights = np.array([float(shares.get(digit, 0)) for digit in range(10)])
        if not weights.any():
            raise DatasetError("all shares are 0: expected one at least above 0")
    rng = np.random.RandomState(seed)
    first = int(rng.randint(0, MAX_SEED + 1, dtype=np.int64))
    parts = []
    sizes: dict[PartName, int] = {"train": count, "test": test_count}
    for name, size in sizes.items():
        if size:
            labels = np.repeat(np.arange(10, dtype=np.uint8), _whole_numbers(weights, size))
            rng.shuffle(labels)
            parts.append(Part(name, labels, first % (MAX_SEED + 1)))
            first += size
    return parts


def _whole_numbers(weights: npt.NDArray[np.float64], total: int) -> npt.NDArray[np.int64]:
    """Ten whole numbers in the ratio of the weights, `total` in sum: what is left over goes to the largest
    remainders, the lower digit first."""
    exact = weights / weights.sum() * total
    numbers: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    order = np.argsort(numbers - exact, kind="stable")
    numbers[order[: total - numbers.sum()]] += 1
    return numbers


def part_record(part: Part) -> dict[str, Any]:
    """What a manifest says of a part as it is planned."""
    return {
        "count": len(part.labels),
        "count_of_digit": np.bincount(part.labels, minlength=10).tolist(),
        "first_image_seed": part.first_seed,
    }
