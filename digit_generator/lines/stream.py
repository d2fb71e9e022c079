"""Digits and lines without files, as training loops take them: without end or of a length, cut among workers
and ranks without repeats, and resumable.

`DigitStream` and `LineStream` need NumPy alone. torch_stream.TorchStream makes a torch IterableDataset of
one, and `hugging_face_dataset` a datasets.IterableDataset.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from digit_generator.bulk import BulkGenerator
from digit_generator.errors import DigitGeneratorError
from digit_generator.generate import MAX_SEED, DigitGenerator, checked_whole
from digit_generator.lines.source import LineSource

if TYPE_CHECKING:
    import datasets

ENDLESS = 2**62
_DIGITS_TOGETHER, _LINES_TOGETHER = 1024, 64


class StreamError(DigitGeneratorError):
    """A stream that cannot be cut or resumed like this; the message is one sentence."""


class _Stream(ABC):
    """Items 0...count-1, drawn some at a time. `shard(rank, of)` is every `of`-th part of them."""

    together = 1

    def __init__(self, count: int | None) -> None:
        self.count = checked_whole("count", ENDLESS if count is None else count, 1, ENDLESS)
        self._rank, self._of, self._done = 0, 1, 0

    @abstractmethod
    def drawn(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Items start...stop-1."""

    def shard(self, rank: int, of: int) -> _Stream:
        """The stream of worker `rank`, from 0, of `of`: together they have each item once."""
        of = checked_whole("of", of, 1, 2**20)
        rank = checked_whole("rank", rank, 0, of - 1)
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._rank, other._of, other._done = self._rank + self._of * rank, self._of * of, 0
        return other

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """From where it stopped; from the start again when it has come to its end."""
        while True:
            block, skipped = divmod(self._done, self.together)
            start = (block * self._of + self._rank) * self.together
            if start >= self.count:
                break
            for item in self.drawn(start, min(start + self.together, self.count))[skipped:]:
                self._done += 1
                yield item
            if start + self.together >= self.count:
                break
        self._done = 0

    def state_dict(self) -> dict[str, int]:
        """How far it has come."""
        return {"rank": self._rank, "of": self._of, "done": self._done}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from there. StreamError if it is the state of another part."""
        if (state.get("rank"), state.get("of")) != (self._rank, self._of):
            raise StreamError(
                f"the state is of part {state.get('rank')} of {state.get('of')} and this is part {self._rank}"
                f" of {self._of}: resume with as many workers and ranks"
            )
        self._done = checked_whole("done", state.get("done"), 0, ENDLESS)


class DigitStream(_Stream):
    """{"pixels": uint8 [28, 28], "label": 0...9, "seed"}: every digit as often as the others.

    Item i has seed + i, and its digit is by chance; the pixels are DigitGenerator.digits'. count: None for no
    end (after seed 2^32-1 comes 0).
    """

    together = _DIGITS_TOGETHER

    def __init__(self, generator: DigitGenerator, *, seed: int = 0, count: int | None = None) -> None:
        super().__init__(count)
        self.seed = checked_whole("seed", seed, 0, MAX_SEED)
        self._bulk = BulkGenerator(generator)

    def drawn(self, start: int, stop: int) -> list[dict[str, Any]]:
        seeds = (self.seed + np.arange(start, stop)) % (MAX_SEED + 1)
        first = start - start % self.together  # each block has a chance of its own
        labels = np.random.RandomState([self.seed, first % 2**32, first >> 32]).randint(0, 10, self.together)
        labels = labels[start - first : stop - first]
        pixels = self._bulk.digits(labels, seeds)
        return [
            {"pixels": digit, "label": label, "seed": seed}
            for digit, label, seed in zip(pixels, labels.tolist(), seeds.tolist(), strict=True)
        ]


class LineStream(_Stream):
    """{"pixels": uint8 [H, W] or [H, W, 3], "text", "seed", "boxes": int64 [characters, 4]} of a LineSource.

    Item i is its line i. Widths differ: batch with a collate function that fills up.
    """

    together = _LINES_TOGETHER

    def __init__(self, source: LineSource, *, count: int | None = None) -> None:
        super().__init__(count)
        self.source = source

    def drawn(self, start: int, stop: int) -> list[dict[str, Any]]:
        items = []
        for picture in self.source.pictures(range(start, stop)):
            (line,) = picture.lines
            boxes: npt.NDArray[np.int64] = np.array([box for _, *box in line.boxes], np.int64)
            items.append({"pixels": picture.pixels, "text": line.text, "seed": line.seed, "boxes": boxes})
        return items


def hugging_face_dataset(stream: DigitStream | LineStream, shards: int = 16) -> datasets.IterableDataset:
    """The stream as a datasets.IterableDataset of `shards` parts, which `datasets` deals out to workers and
    nodes, shuffles and resumes. StreamError without the library."""
    try:
        import datasets
    except ImportError:
        raise StreamError("this needs Hugging Face's datasets: pip install datasets") from None
    ranks = [*range(checked_whole("shards", shards, 1, 2**20))]
    return datasets.IterableDataset.from_generator(
        _items_of_shards, gen_kwargs={"stream": stream, "of": shards, "ranks": ranks}
    )


def _items_of_shards(stream: DigitStream | LineStream, of: int, ranks: list[int]) -> Iterator[dict[str, Any]]:
    for rank in ranks:
        yield from stream.shard(rank, of)
