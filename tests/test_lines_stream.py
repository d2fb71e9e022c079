"""Streams have each item once, among any number of parts, and go on from where they were."""

from __future__ import annotations

import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node

from digit_generator import DigitGenerator
from digit_generator.lines import LineSource
from digit_generator.lines.stream import DigitStream, LineStream, StreamError, hugging_face_dataset


@pytest.fixture(scope="module")
def shipped() -> DigitGenerator:
    return DigitGenerator.load()


class Digits(DigitStream):
    together = 16  # drawn at a time, so that few digits are several blocks


def seeds_of(stream: DigitStream) -> list[int]:
    return [item["seed"] for item in stream]


def test_digits_are_those_of_the_generator_and_of_all_kinds(shipped: DigitGenerator) -> None:
    items = [*Digits(shipped, seed=2**32 - 5, count=300)]
    assert [item["seed"] for item in items] == [*range(2**32 - 5, 2**32), *range(295)]
    counts = np.bincount([item["label"] for item in items], minlength=10)
    assert counts.min() > 15
    for item in items[::100]:
        np.testing.assert_array_equal(item["pixels"], shipped.digits(item["label"], [item["seed"]])[0])


def test_lines_are_those_of_the_source(shipped: DigitGenerator) -> None:
    source = LineSource(shipped, "##.#", seed=4)
    items = [*LineStream(source, count=3)]
    for item, picture in zip(items, source.pictures(range(3)), strict=True):
        np.testing.assert_array_equal(item["pixels"], picture.pixels)
        assert item["text"] == picture.lines[0].text
        assert item["boxes"].tolist() == [list(box[1:]) for box in picture.lines[0].boxes]


@pytest.mark.parametrize("count", [1, 16, 80])
@pytest.mark.parametrize("of", [1, 3, 4])
def test_parts_together_have_each_item_once(shipped: DigitGenerator, count: int, of: int) -> None:
    stream = Digits(shipped, count=count)
    parts = [seeds_of(stream.shard(rank, of)) for rank in range(of)]
    assert sorted(seed for part in parts for seed in part) == [*range(count)]
    if (count, of) == (80, 4):  # parts of parts, as workers of ranks are
        halves = [seeds_of(stream.shard(1, 2).shard(half, 2)) for half in range(2)]
        assert sorted(halves[0] + halves[1]) == sorted(seeds_of(stream.shard(1, 2)))


@pytest.mark.parametrize("stopped_after", [0, 1, 16, 24, 32])
def test_a_stream_goes_on_from_its_state(shipped: DigitGenerator, stopped_after: int) -> None:
    part = Digits(shipped, count=80).shard(0, 2)
    whole = seeds_of(part)
    begun = part.shard(0, 1)
    running = iter(begun)
    first = [next(running)["seed"] for _ in range(stopped_after)]
    resumed = Digits(shipped, count=80).shard(0, 2)
    resumed.load_state_dict(begun.state_dict())
    assert first + seeds_of(resumed) == whole
    assert seeds_of(resumed) == whole  # the next epoch begins at the start


def test_the_state_of_another_part_is_told(shipped: DigitGenerator) -> None:
    stream = Digits(shipped, count=10)
    with pytest.raises(StreamError, match="the state is of part 1 of 2 and this is part 0 of 1: resume with"):
        stream.load_state_dict(stream.shard(1, 2).state_dict())
    with pytest.raises(ValueError, match="rank is 2"):
        stream.shard(2, 2)


def test_hugging_face_deals_out_the_shards(shipped: DigitGenerator) -> None:
    stream = Digits(shipped, count=48)
    whole = hugging_face_dataset(stream, shards=4)
    assert whole.n_shards == 4
    nodes = [split_dataset_by_node(whole, rank, 2) for rank in range(2)]
    parts = [[item["seed"] for item in node] for node in nodes]
    assert sorted(parts[0] + parts[1]) == [*range(48)]
    running = iter(whole)
    first = [next(running)["seed"] for _ in range(10)]
    state = whole.state_dict()
    whole.load_state_dict(state)
    assert len({*first, *(item["seed"] for item in whole)}) == 48
