"""Lines in shards are the Parquet set of one process, whatever was stopped on the way.

Here the shards are written one after the other in this process; tests/test_cluster.py has Ray write them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from digit_generator import DigitGenerator, cli
from digit_generator.dataset import DatasetError, cluster
from digit_generator.dataset.cluster import Done, Job
from digit_generator.lines import LineSource, Look, write_lines
from digit_generator.lines.shards import write_line_shards

pytestmark = pytest.mark.usefixtures("shards_in_this_process")
COUNT, SHARD_SIZE = 8, 3
NAMES = [f"train-0000{number}-of-00003.parquet" for number in range(3)]
PATTERN = "#{1,3},#"


@pytest.fixture
def source(choosy: DigitGenerator) -> LineSource:
    return LineSource(choosy, PATTERN, seed=2**32 - 4, one_hand=0, look=Look(ink="#202060"))


@pytest.fixture
def write(source: LineSource, tmp_path: Path) -> Callable[..., list[Done]]:
    """write(**options) -> write the set into tmp_path/set, or what is missing; the shards seen to."""

    def call(**options: Any) -> list[Done]:
        done: list[Done] = []
        options = {"source": source, "count": COUNT, "shard_size": SHARD_SIZE} | options
        write_line_shards(tmp_path / "set", **{"progress": done.append} | options)
        return done

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stop(done: Done) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def stopped(write: Callable[..., list[Done]]) -> None:
    """tmp_path/set after Ctrl-C behind the first shard."""
    with pytest.raises(KeyboardInterrupt):
        write(progress=stop)


def test_the_shards_are_the_files_of_one_process(
    source: LineSource, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    assert [done.count for done in write()] == [3, 3, 2]
    write_lines(tmp_path / "one", source, COUNT, format="parquet", shard_size=SHARD_SIZE)
    one, shards = contents(tmp_path / "one"), contents(tmp_path / "set")
    assert {*shards} == {*one} == {*NAMES, "_manifest.json"}
    assert all(one[name] == shards[name] for name in NAMES)
    manifest = json.loads(shards["_manifest.json"])
    assert json.loads(one["_manifest.json"]).items() <= manifest.items()
    assert [*manifest["files"]] == NAMES
    for name, file in manifest["files"].items():
        assert (len(shards[name]), hashlib.sha256(shards[name]).hexdigest()) == (
            file["bytes"],
            file["sha256"],
        )


def test_hugging_face_reads_them_in_order(
    source: LineSource, tmp_path: Path, write: Callable[..., list[Done]], load_dataset: Callable[..., Any]
) -> None:
    write()
    loaded = load_dataset(str(tmp_path / "set"))["train"]
    assert loaded["seed"][:] == [*range(2**32 - 4, 2**32), *range(4)]
    assert loaded["text"][:] == [source.text(index) for index in range(COUNT)]
    for row, picture in zip(loaded, source.pictures(range(COUNT)), strict=True):
        assert row["image"].size == picture.pixels.shape[1::-1]
        assert row["boxes"] == [[*box[1:]] for box in picture.lines[0].boxes]


def test_what_is_there_is_not_made_again(
    stopped: None, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    assert {*contents(tmp_path / "set")} == {NAMES[0], "_unfinished.json"}
    (tmp_path / "set" / f".{NAMES[1]}.somewhere-123").write_bytes(b"PAR1")  # by a worker that was killed
    assert [(done.shard.name, done.fresh) for done in write()] == [
        (NAMES[0], False),
        (NAMES[1], True),
        (NAMES[2], True),
    ]
    resumed = contents(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "resumed")
    write()
    assert contents(tmp_path / "set") == resumed


def with_column(path: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Rewrite the file with another value of the column in its second row."""
    table = pyarrow.parquet.read_table(path)
    place = table.schema.get_field_index(name)
    values = table[name].to_pylist()
    values[1] = change(values[1])
    changed = table.set_column(place, table.schema.field(place), pyarrow.array(values, table[name].type))
    pyarrow.parquet.write_table(changed.replace_schema_metadata(table.schema.metadata), path)


def flip_a_box(path: Path) -> None:
    """The last byte of the boxes is another."""
    boxes = pyarrow.parquet.read_metadata(path).row_group(0).column(5)
    assert boxes.path_in_schema.startswith("boxes")
    data = bytearray(path.read_bytes())
    data[boxes.dictionary_page_offset + boxes.total_compressed_size - 1] ^= 1
    path.write_bytes(data)


FAULTS: dict[str, Callable[[Path], object]] = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "empty": lambda path: path.write_bytes(b""),
    "a text": lambda path: with_column(path, "text", lambda text: text + "1"),
    "a character": lambda path: with_column(path, "characters", lambda old: ["1", *old]),
    "a picture": lambda path: with_column(
        path, "image", lambda old: {**old, "bytes": old["bytes"][:-20] + b"\0" + old["bytes"][-19:]}
    ),
    "a box": flip_a_box,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("whole", [False, True])
def test_a_damaged_shard_is_made_again(
    stopped: None, tmp_path: Path, write: Callable[..., list[Done]], fault: str, whole: bool
) -> None:
    if whole:
        write()
    path = tmp_path / "set" / NAMES[0]
    good = path.read_bytes()
    FAULTS[fault](path)
    assert path.read_bytes() != good
    assert [done.mended for done in write()] == [True, False, False]
    assert path.read_bytes() == good
    assert write() == []


def test_a_deleted_shard_of_a_finished_set_is_made_again(
    tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    write()
    before = contents(tmp_path / "set")
    (tmp_path / "set" / NAMES[1]).unlink()
    assert [(done.fresh, done.mended) for done in write()] == [(False, False), (True, True), (False, False)]
    assert contents(tmp_path / "set") == before


def test_a_file_of_another_with_the_name_of_a_shard_is_left_alone(
    stopped: None, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    path = tmp_path / "set" / NAMES[0]
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.take([1, 2, 0]), path)
    before = path.read_bytes()
    with pytest.raises(DatasetError, match=r"has the name of a file of this set and is another: move it"):
        write()
    assert path.read_bytes() == before


def test_the_folder_of_another_set_is_left_alone(
    stopped: None, choosy: DigitGenerator, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    before = contents(tmp_path / "set")
    for options, differing in (
        ({"source": LineSource(choosy, "##")}, "pattern"),
        ({"shard_size": 4}, "shard_size"),
        ({"count": 9}, "count"),
    ):
        with pytest.raises(DatasetError, match=rf"holds another set \({differing} differs\): name another"):
            write(**options)
    assert contents(tmp_path / "set") == before


def test_a_finished_set_of_one_process_is_taken_over(
    source: LineSource, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    write_lines(tmp_path / "set", source, COUNT, format="parquet", shard_size=SHARD_SIZE)
    assert [done.fresh for done in write()] == [False, False, False]
    assert [*json.loads((tmp_path / "set" / "_manifest.json").read_text())["files"]] == NAMES


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 2**32 + 1}, "count is 4294967297"),
        ({"count": 100_000, "shard_size": 1}, "1 lines in a file: expected at least 2 for a set of 100000"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_what_cannot_be_made_is_told(
    tmp_path: Path, write: Callable[..., list[Done]], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        write(**options)
    assert not [*tmp_path.iterdir()]


def test_a_worker_tells_which_text_is_too_long(
    choosy: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lines are short enough; the one of line 9 is not."""
    source = LineSource(choosy, ["1"])
    source.text = lambda index: "1" * (1 if index < 9 else 300)  # type: ignore[method-assign]
    jobs: list[Job] = []

    def run(job: Job, address: str | None, workers: int | None) -> Iterator[Done]:
        jobs.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "_run", run)
    with pytest.raises(KeyboardInterrupt):
        write_line_shards(tmp_path / "set", source, 10, shard_size=5)
    monkeypatch.setattr(cluster, "_received", lambda _: jobs[0])
    assert cluster._work(None, {"id": 0})["problem"] == ""
    assert "the text has 300 characters" in cluster._work(None, {"id": 1})["problem"]


# By the command


def test_the_command_writes_shards_and_says_what_it_mends(
    tmp_path: Path, weights_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    command = ["lines", "8", "--pattern", PATTERN, "--engine", "ray", "--shard-size", "3"]
    command += ["--out", str(out), "--weights", str(weights_file)]
    assert cli.run(command) == 0
    assert capsys.readouterr().out == f"{out / '_manifest.json'}\n"
    (out / NAMES[2]).unlink()
    assert cli.run(command) == 0
    assert f"{NAMES[2]} was damaged or missing: it is made again." in capsys.readouterr().err
    assert {*contents(out)} == {*NAMES, "_manifest.json"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["8", "--engine", "ray", "--format", "coco"], "--engine ray writes Parquet, not coco"),
        (["8", "--engine", "ray", "--lines-per-page", "2"], "--engine ray writes one line a picture"),
        (["8", "--workers", "2"], "--address and --workers go with --engine ray"),
        (["8", "--address", "localhost:6379"], "--address and --workers go with --engine ray"),
        (["10000001"], "up to 10000000 lines: add --engine ray"),
    ],
)
def test_the_command_tells_what_does_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert cli.run(["lines", *words, "--pattern", "#", "--out", str(tmp_path / "set")]) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out
    assert not [*tmp_path.iterdir()]
