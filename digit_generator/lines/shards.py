"""Sets of lines of any size, on the cores of one machine or of many (dataset/cluster.py).

The set that write_lines writes as Parquet, line for line. A file that is there is known by its texts and
seeds, and whole by the checksums of its pages and in its pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from digit_generator.dataset.cluster import Done, Job, Shard, shards_of_part, write_set
from digit_generator.dataset.folder import manifest_name
from digit_generator.dataset.plan import DatasetError
from digit_generator.generate import MAX_SEED, checked_whole
from digit_generator.lines.formats import shard_bytes
from digit_generator.lines.source import BEFORE, LineSource
from digit_generator.lines.write import SHARD_SIZE, identity_of_set, shard_item
from digit_generator.render import is_whole_png, png_from_picture

if TYPE_CHECKING:
    import pyarrow

MAX_SHARDED = MAX_SEED + 1  # each line has a seed of its own
_TOGETHER = 64  # lines drawn at a time
_SAMPLE = 8  # lines drawn beforehand, to tell whether the disk is large enough


@dataclass(frozen=True)
class LineJob(Job):
    """Shards of lines, and the source of them."""

    source: LineSource

    before: ClassVar[Mapping[str, Any]] = BEFORE

    def write(self, shard: Shard, path: Path) -> None:
        items = []
        for start in range(shard.start, shard.stop, _TOGETHER):
            numbers = range(start, min(start + _TOGETHER, shard.stop))
            for number, picture in zip(numbers, self.source.pictures(numbers), strict=True):
                items.append(shard_item(self.source, number, picture))
        path.write_bytes(shard_bytes("parquet", items))

    def is_ours(self, shard: Shard, table: pyarrow.Table) -> bool:
        return any(
            table["seed"][i].as_py() == self.source.seed_of(shard.start + i)
            and table["text"][i].as_py() == self.source.text(shard.start + i)
            for i in {0, shard.count // 2, shard.count - 1}
        )

    def agrees(self, shard: Shard, table: pyarrow.Table) -> bool:
        numbers = range(shard.start, shard.stop)
        seeds, texts = [*map(self.source.seed_of, numbers)], [*map(self.source.text, numbers)]
        return (
            table["seed"].to_pylist() == seeds
            and table["text"].to_pylist() == texts
            and table["characters"].to_pylist() == [*map(list, texts)]
            and all(is_whole_png(image["bytes"]) for image in table["image"].to_pylist())
        )


def write_line_shards(
    out: str | Path,
    source: LineSource,
    count: int,
    *,
    shard_size: int = SHARD_SIZE,
    address: str | None = None,
    workers: int | None = None,
    progress: Callable[[Done], object] | None = None,
) -> Path:
    """Write into `out` the set of `count` lines that write_lines would write as Parquet, or what is missing
    of it; its manifest's path.

    count: 1...2^32. shard_size: lines in a file, 1 or more, which a worker holds in memory and loses when it
    is killed. The others, and the errors, are those of dataset.cluster.write_set; NumberError for a pattern
    whose first lines are too long to be written, DatasetError for one whose later lines are.
    """
    out = Path(out).absolute()
    count = checked_whole("count", count, 1, MAX_SHARDED, DatasetError)
    shard_size = checked_whole("shard_size", shard_size, 1, MAX_SHARDED, DatasetError)
    shards = shards_of_part("train", count, shard_size, items="lines")
    identity = identity_of_set(source, count, "parquet", 1, 0.0, shard_size)
    job = LineJob(out, shards, _bytes_of_a_line(source, count), source)
    write_set(job, identity, address=address, workers=workers, progress=progress)
    return out / manifest_name("parquet")


def _bytes_of_a_line(source: LineSource, count: int) -> int:
    """Of disk, rather more than less: from the first few, with room for longer ones."""
    first = source.pictures(range(min(count, _SAMPLE)))
    return max(2 * len(png_from_picture(picture.pixels)) for picture in first)
