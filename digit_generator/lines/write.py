"""Write lines into a folder: whole pairs of picture and label when it stops, and the rest when called again.

A journal in the folder (`.lines.jsonl`) says which set it will be, and has a row for each picture that is
there; it goes when the set is whole, and manifest.json comes. In shards, what is there is whole by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from digit_generator import __version__
from digit_generator.dataset.folder import (
    bytes_of_manifest,
    check_folder,
    check_same_set,
    manifest_name,
    read_record,
    write_error_message,
)
from digit_generator.dataset.formats import check_library
from digit_generator.dataset.plan import DatasetError
from digit_generator.files import write_whole
from digit_generator.generate import checked_whole
from digit_generator.lines.formats import (
    PAGED,
    SHARDED,
    LineFormat,
    index_files,
    label_file,
    name_of,
    shard_bytes,
    shard_name,
)
from digit_generator.lines.looks import Picture
from digit_generator.lines.source import BEFORE, LineSource
from digit_generator.number import in_order
from digit_generator.render import png_from_picture

MAX_LINES = 10_000_000
MAX_ON_PAGE = 100
SHARD_SIZE = 1000
JOURNAL = ".lines.jsonl"
_FOLDERS: dict[str, tuple[str, ...]] = {"yolo": ("labels/train",), "voc": ("Annotations", "ImageSets/Main")}
_TOGETHER = 32  # pictures drawn at a time


def write_lines(
    out: str | Path,
    source: LineSource,
    count: int,
    *,
    format: LineFormat = "imagefolder",
    lines_per_page: int = 1,
    overlap: float = 0.0,
    shard_size: int = SHARD_SIZE,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write `count` pictures, of one line each or of pages, into the folder `out`; its manifest's path.

    Stopped, by whatever, it goes on when called again in the same way. overlap: as looks.page_of. shard_size:
    pictures in a file, of webdataset and parquet. progress: called with the number of pictures after every
    few. DatasetError for other arguments, a folder that holds something else, and a disk that cannot be
    written.
    """
    out = Path(out)
    count = checked_whole("count", count, 1, MAX_LINES, DatasetError)
    lines_per_page = checked_whole("lines_per_page", lines_per_page, 1, MAX_ON_PAGE, DatasetError)
    shard_size = checked_whole("shard_size", shard_size, 1, MAX_LINES, DatasetError)
    if format not in get_args(LineFormat):
        raise DatasetError(f"format is {format!r}: expected one of {', '.join(get_args(LineFormat))}")
    if lines_per_page > 1 and format not in PAGED:
        raise DatasetError(f"{format} has one line a picture: choose {', '.join(PAGED)} for pages")
    if not 0 <= overlap <= 0.9:
        raise DatasetError(f"overlap is {overlap!r}: expected a share from 0 to 0.9")
    if format == "parquet":
        check_library(format)
    identity = identity_of_set(source, count, format, lines_per_page, overlap, shard_size)
    manifest = out / manifest_name(format)
    work = _Work(
        out, source, count, format, lines_per_page, overlap, shard_size, progress or (lambda _: None)
    )
    try:
        if _manifest_is_there(manifest, identity):
            work.progress(count)
            return manifest
        rows = _journal(out, identity)
        if format in SHARDED:
            _write_shards(work)
        else:
            _write_pictures(work, rows)
        write_whole(manifest, bytes_of_manifest(identity))
        (out / JOURNAL).unlink()
    except OSError as error:
        raise DatasetError(write_error_message(out, error)) from None
    return manifest


def identity_of_set(
    source: LineSource, count: int, format: LineFormat, lines_per_page: int, overlap: float, shard_size: int
) -> dict[str, Any]:
    """All on which the files of a set depend, as its manifest has it."""
    identity = source.identity() | {
        "made_by": f"digit_generator {__version__}",
        "format": format,
        "count": count,
        "lines_per_page": lines_per_page,
        "overlap": overlap,
    }
    return identity | ({"shard_size": shard_size} if format in SHARDED else {})


@dataclass(frozen=True)
class _Work:
    """What is written where."""

    out: Path
    source: LineSource
    count: int
    format: LineFormat
    lines_per_page: int
    overlap: float
    shard_size: int
    progress: Callable[[int], object]

    def pictures(self, numbers: list[int]) -> Iterator[tuple[int, Picture]]:
        together = max(1, _TOGETHER // self.lines_per_page)
        parts = [numbers[start : start + together] for start in range(0, len(numbers), together)]
        for part, drawn in zip(parts, in_order(self._drawn, parts), strict=True):
            yield from zip(part, drawn, strict=True)
            self.progress(len(part))

    def _drawn(self, numbers: list[int]) -> list[Picture]:
        if self.lines_per_page == 1:
            return self.source.pictures(numbers)
        return self.source.pages(numbers, self.lines_per_page, self.overlap)


def _write_pictures(work: _Work, rows: dict[str, dict[str, Any]]) -> None:
    names = [name_of(work.format, number, work.count) for number in range(work.count)]
    missing = [i for i, name in enumerate(names) if name not in rows or not (work.out / name).is_file()]
    work.progress(work.count - len(missing))
    for folder in (str(Path(names[0]).parent), *_FOLDERS.get(work.format, ())):
        (work.out / folder).mkdir(parents=True, exist_ok=True)
    try:
        with (work.out / JOURNAL).open("a", encoding="utf-8") as journal:
            for number, picture in work.pictures(missing):
                record = _record(names[number], picture, work.source)
                _write_pair(work, record, png_from_picture(picture.pixels), rows)
                journal.write(json.dumps(record) + "\n")
                journal.flush()
    finally:  # also when it is stopped: what is there is a set
        there = [rows[name] for name in names if name in rows]
        for name, data in index_files(work.format, there).items():
            write_whole(work.out / name, data)


def _write_pair(work: _Work, record: dict[str, Any], png: bytes, rows: dict[str, dict[str, Any]]) -> None:
    """The picture and its label, or neither."""
    files: list[tuple[str, bytes]] = [(record["file"], png)]
    if label := label_file(work.format, record):
        files.append(label)
    try:
        for name, data in files:
            write_whole(work.out / name, data)
    except BaseException:
        for name, _ in files:
            (work.out / name).unlink(missing_ok=True)
        raise
    rows[record["file"]] = record


def _write_shards(work: _Work) -> None:
    shards = -(-work.count // work.shard_size)
    for shard in range(shards):
        numbers = [*range(shard * work.shard_size, min((shard + 1) * work.shard_size, work.count))]
        path = work.out / shard_name(work.format, shard, shards)
        if path.is_file():  # written whole or not at all
            work.progress(len(numbers))
            continue
        items = [shard_item(work.source, number, picture) for number, picture in work.pictures(numbers)]
        write_whole(path, shard_bytes(work.format, items))


def shard_item(source: LineSource, number: int, picture: Picture) -> tuple[str, bytes, dict[str, Any]]:
    """Key, PNG and record of line `number`, as formats.shard_bytes takes them."""
    key = f"{number:08}"
    return key, png_from_picture(picture.pixels), _record(f"{key}.png", picture, source)


def _record(name: str, picture: Picture, source: LineSource) -> dict[str, Any]:
    """What a label says of a picture; where there are persons' hands, also in whose each line is, or ""."""
    height, width = picture.pixels.shape[:2]
    return {
        "file": name,
        "width": width,
        "height": height,
        "depth": 1 if picture.pixels.ndim == 2 else 3,
        "lines": [
            {
                "text": line.text,
                "seed": line.seed,
                "boxes": [list(box) for box in line.boxes],
                **(
                    {"hand": hand.name if (hand := source.hand_of(line.seed)) else ""} if source.hands else {}
                ),
            }
            for line in picture.lines
        ],
    }


def _manifest_is_there(path: Path, identity: dict[str, Any]) -> bool:
    """Whether the set is whole already. DatasetError if another one is."""
    told = read_record(path)
    if told is None:
        return False
    check_same_set(path.parent, told, identity, BEFORE)
    return True


def _journal(out: Path, identity: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The journal's rows by file; begun if there is none. DatasetError if it is another set's."""
    path = out / JOURNAL
    if not path.is_file():
        check_folder(out)
        out.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(identity) + "\n").encode())
        return {}
    *lines, _ = path.read_text(encoding="utf-8").split("\n")  # the last row may be cut short
    try:
        check_same_set(out, json.loads(lines[0]), identity, BEFORE)
        rows = {row["file"]: row for row in map(json.loads, lines[1:])}
    except (ValueError, IndexError, TypeError, KeyError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path} is damaged: name another folder, which will be made") from None
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
    return rows
