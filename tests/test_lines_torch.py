"""Streams in a DataLoader: workers and ranks without repeats, resumed where they stopped; and the reader."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data

from digit_generator import DigitGenerator
from digit_generator.lines.stream import DigitStream
from digit_generator.lines.torch_stream import TorchStream


class Digits(DigitStream):
    together = 16  # drawn at a time, so that few digits are several blocks


def seed_and_ink(item: dict[str, Any]) -> tuple[int, torch.Tensor]:
    return item["seed"], torch.from_numpy(item["pixels"])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_gets_each_digit_once(generator: DigitGenerator, workers: int) -> None:
    data = TorchStream(Digits(generator, count=80), seed_and_ink)
    loader = torch.utils.data.DataLoader(data, batch_size=8, num_workers=workers)
    seeds = [seed for batch, ink in loader for seed in batch.tolist() if ink.shape[1:] == (28, 28)]
    assert sorted(seeds) == [*range(80)]


def test_ranks_get_parts_of_their_own(generator: DigitGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    seeds = []
    for rank in range(2):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        seeds += [item["seed"] for item in TorchStream(Digits(generator, count=80))]
    assert sorted(seeds) == [*range(80)]


def test_it_goes_on_from_its_state(generator: DigitGenerator) -> None:
    data = TorchStream(Digits(generator, count=60))
    running = iter(data)
    first = [next(running)["seed"] for _ in range(40)]
    other = TorchStream(Digits(generator, count=60))
    other.load_state_dict(data.state_dict())
    assert other.state_dict() == data.state_dict()
    assert first + [item["seed"] for item in other] == [*range(60)]


def test_the_seeds_do_not_depend_on_the_batch(generator: DigitGenerator) -> None:
    item = next(iter(TorchStream(Digits(generator, seed=7))))
    np.testing.assert_array_equal(item["pixels"], generator.digits(item["label"], [7])[0])
