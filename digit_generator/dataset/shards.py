"""Sets of digits of any size, on the cores of one machine or of many (cluster.py).

The set of `dataset`, item for item, in Parquet files of at most `shard_size` images with one manifest. A file
that is there is known by its labels, seeds and recipe, and the checksums in its pictures.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from digit_generator.bulk import BulkGenerator
from digit_generator.dataset.cluster import Done, Job, Shard, shards_of_part, write_set
from digit_generator.dataset.formats import BYTES, open_parquet
from digit_generator.dataset.plan import DatasetError, Part, part_record, plan
from digit_generator.dataset.write import asked_style, blocks, hand_record
from digit_generator.generate import MAX_SEED, DigitGenerator, checked_whole
from digit_generator.recipe import Recipe
from digit_generator.render import is_whole_png, recipe_text_from_png

if TYPE_CHECKING:
    import pyarrow

    from digit_generator.style import Style, StyleControls

MAX_COUNT = MAX_SEED + 1  # each image has a seed of its own
SHARD_SIZE = 100_000  # 27 MB and half a minute of a core; a billion images are 10,000 files


@dataclass(frozen=True)
class DigitJob(Job):
    """Shards of digits, and all on which their pixels depend."""

    generator: DigitGenerator
    parts: list[Part]
    style: Style | None
    controls: StyleControls | None

    # A set from before there was a finish or a choice is raw and of every z; one without a hand says nothing
    # of it.
    before: ClassVar[Mapping[str, Any]] = {
        "finish": 0,
        "choice_sha256": "",
        "neat": 0,
        "hand": None,
        "variation": None,
    }

    @functools.cached_property
    def bulk(self) -> BulkGenerator:
        """Made once in each worker."""
        return BulkGenerator(self.generator)

    @functools.cached_property
    def recipe(self) -> Recipe:
        """Of all images, but for digit and seed."""
        asked = asked_style(self.style, self.controls)
        return Recipe.of(self.generator, digit=0, style=asked, controls=self.controls)

    def write(self, shard: Shard, path: Path) -> None:
        with ExitStack() as stack:
            write = open_parquet(path, self.recipe, stack)
            for block in blocks(self.bulk, self._planned(shard), self.style, self.controls):
                write(block)

    def is_ours(self, shard: Shard, table: pyarrow.Table) -> bool:
        part = self._planned(shard)
        labels, seeds = part.labels.tolist(), part.seeds.tolist()
        return any(
            recipe_text_from_png(table["image"][i].as_py()["bytes"])
            == replace(self.recipe, digit=labels[i], seed=seeds[i]).to_text()
            for i in {0, shard.count // 2, shard.count - 1}
        )

    def agrees(self, shard: Shard, table: pyarrow.Table) -> bool:
        part = self._planned(shard)
        return (
            table["label"].to_pylist() == part.labels.tolist()
            and table["seed"].to_pylist() == part.seeds.tolist()
            and all(is_whole_png(image["bytes"]) for image in table["image"].to_pylist())
        )

    def _planned(self, shard: Shard) -> Part:
        return self.parts[shard.part].piece(shard.start, shard.stop)


def write_shards(
    out: str | Path,
    generator: DigitGenerator,
    count: int,
    *,
    test_count: int = 0,
    shares: Mapping[int, float] | None = None,
    seed: int = 0,
    style: Style | None = None,
    controls: StyleControls | None = None,
    shard_size: int = SHARD_SIZE,
    address: str | None = None,
    workers: int | None = None,
    progress: Callable[[Done], object] | None = None,
) -> dict[str, Any]:
    """Write into `out`, in shards, the set that write_dataset would write as Parquet, or what is missing.

    shard_size: images in a file, 1 or more; what a worker loses at most when it is killed.
    address: of a Ray cluster, such as "10.0.0.1:6379", whose machines all have this version of the package
        and the folder `out` by this very name; None: RAY_ADDRESS, else this machine alone.
    workers: how many at a time, at most; None: one for each core.
    progress: called with each shard when it is there; of a set that is whole, with none.
    The others are those of dataset.write_dataset; controls must be picklable.

    Returns the manifest, as its file has it. DatasetError for other arguments, a folder with anything
    but this set in it, a library that is not installed, a cluster that does not answer, a disk that is full
    or cannot be written; files.FolderError where another process writes into the folder. What was written
    by then stays and is not made again.
    """
    out = Path(out).absolute()
    asked = asked_style(style, controls)
    parts = plan(count, test_count, shares=shares, seed=seed, at_most=MAX_COUNT)
    seed, shard_size = int(seed), checked_whole("shard_size", shard_size, 1, MAX_COUNT, DatasetError)
    shards = shards_of_parts(parts, shard_size)
    identity = {
        "weights_sha256": generator.digest,
        "finish": generator.finish_version,
        "choice_sha256": generator.choice_digest,
        "neat": generator.neat,
        **hand_record(generator),
        "format": "parquet",
        "seed": seed,
        "style": asked,
        "controls_sha256": controls.digest if asked and controls else "",
        "shard_size": shard_size,
        "parts": {part.name: part_record(part) for part in parts},
    }
    job = DigitJob(out, shards, BYTES["parquet"], generator, parts, style, controls)
    return write_set(job, identity, address=address, workers=workers, progress=progress)


def shards_of_parts(parts: list[Part], shard_size: int) -> list[Shard]:
    """The files of a set, in order. DatasetError for a size so small that there are too many."""
    return [
        shard
        for number, part in enumerate(parts)
        for shard in shards_of_part(part.name, len(part.labels), shard_size, part=number)
    ]
