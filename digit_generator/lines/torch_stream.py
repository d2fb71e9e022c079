"""A stream as a torch.utils.data.IterableDataset; the one file of what draws that imports PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch.distributed
import torch.utils.data

from digit_generator.lines.stream import DigitStream, LineStream


class TorchStream(torch.utils.data.IterableDataset[Any]):
    """A DigitStream or LineStream for a torch.utils.data.DataLoader.

    Each worker of each rank of torch.distributed gets a part of its own. transform: what becomes of an item.
    state_dict and load_state_dict are those that torchdata's StatefulDataLoader asks for.
    """

    def __init__(
        self, stream: DigitStream | LineStream, transform: Callable[[dict[str, Any]], Any] | None = None
    ) -> None:
        self.stream, self.transform = stream, transform
        self._part: Any = None
        self._state: dict[str, int] | None = None

    def __iter__(self) -> Iterator[Any]:
        self._part = self._part_of_worker()
        if self._state is not None:
            self._part.load_state_dict(self._state)
            self._state = None
        for item in self._part:
            yield self.transform(item) if self.transform else item

    def state_dict(self) -> dict[str, int]:
        """How far this worker has come."""
        state: dict[str, int] = (self._part or self._part_of_worker()).state_dict()
        return self._state or state

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from there when it is next iterated."""
        self._state = dict(state)

    def _part_of_worker(self) -> Any:
        rank, ranks = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
        worker = torch.utils.data.get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        return self.stream.shard(rank * workers + number, ranks * workers)
