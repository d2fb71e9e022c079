"""Sets in shards are the set of one process, item for item, whatever was stopped on the way.

Here the shards are written one after the other in this process; tests/test_cluster.py has Ray write them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from digit_generator import DigitGenerator, files
from digit_generator.cli import run
from digit_generator.dataset import DatasetError, cluster, write_dataset
from digit_generator.dataset import shards as at_scale
from digit_generator.dataset.cluster import Done, Job
from digit_generator.dataset.plan import Part, plan
from digit_generator.dataset.shards import DigitJob, shards_of_parts, write_shards
from digit_generator.files import FolderError, locked

COUNT, TEST_COUNT, SHARD_SIZE = 60, 20, 25
NAMES = [*(f"train-0000{number}-of-00003.parquet" for number in range(3)), "test-00000-of-00001.parquet"]


pytestmark = pytest.mark.usefixtures("shards_in_this_process")


@pytest.fixture
def write(generator: DigitGenerator, tmp_path: Path) -> Callable[..., list[Done]]:
    """write(**options) -> write the set into tmp_path/set, or what is missing; the shards seen to."""

    def call(**options: Any) -> list[Done]:
        done: list[Done] = []
        options = {"generator": generator, "count": COUNT, "test_count": TEST_COUNT} | options
        options = {"shard_size": SHARD_SIZE, "progress": done.append} | options
        write_shards(tmp_path / "set", **options)
        return done

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# What is in them


def test_the_shards_together_are_the_set_of_one_process(
    choosy: DigitGenerator, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    """Pixels, recipes, labels, seeds and the schema."""
    write(generator=choosy)
    one = write_dataset(tmp_path / "one", choosy, COUNT, test_count=TEST_COUNT, format="parquet")
    manifest = json.loads((tmp_path / "set" / "_manifest.json").read_text())
    for name in ("weights_sha256", "finish", "choice_sha256"):
        assert manifest[name] == one[name]
    assert {*contents(tmp_path / "set")} == {*NAMES, "_manifest.json"}
    for part in ("train", "test"):
        shards = [pyarrow.parquet.read_table(tmp_path / "set" / name) for name in NAMES if part in name]
        (whole,) = (pyarrow.parquet.read_table(path) for path in (tmp_path / "one").glob(f"{part}-*"))
        assert pyarrow.concat_tables(shards).equals(whole, check_metadata=True)


def test_a_set_of_one_shard_has_the_bytes_of_one_process(
    generator: DigitGenerator, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    write(shard_size=COUNT)
    one = write_dataset(tmp_path / "one", generator, COUNT, test_count=TEST_COUNT, format="parquet")
    assert json.loads((tmp_path / "set" / "_manifest.json").read_text())["files"] == one["files"]


def test_hugging_face_reads_the_shards_in_order(
    tmp_path: Path, write: Callable[..., list[Done]], load_dataset: Callable[..., Any]
) -> None:
    write()
    loaded = load_dataset(str(tmp_path / "set"))
    for part in plan(COUNT, TEST_COUNT):
        assert loaded[part.name]["seed"][:] == part.seeds.tolist()


def test_the_manifest_says_how_it_was_made(
    generator: DigitGenerator, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    done = write()
    manifest = json.loads((tmp_path / "set" / "_manifest.json").read_text())
    assert (manifest["weights_sha256"], manifest["seed"]) == (generator.digest, 0)
    assert (manifest["format"], manifest["shard_size"]) == ("parquet", SHARD_SIZE)
    for part in plan(COUNT, TEST_COUNT):
        told = manifest["parts"][part.name]
        assert told["count_of_digit"] == np.bincount(part.labels).tolist()
        assert (told["count"], told["first_image_seed"]) == (len(part.labels), part.seeds[0])
    assert [*manifest["files"]] == NAMES
    for name, file in manifest["files"].items():
        data = (tmp_path / "set" / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    assert [one.count for one in done] == [25, 25, 10, 20]


def test_a_style_is_drawn_as_by_one_process(
    generator: DigitGenerator, tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    """With stand-ins for style.Style and style.StyleControls."""

    class Style:
        @property
        def asked(self) -> dict[str, float]:
            return {"slant": 0.25}

    class Controls:
        digest = "1" * 64

        def latents(self, z: np.ndarray, labels: np.ndarray, style: Any) -> np.ndarray:
            return z + style.asked["slant"] * labels[:, None]

    styled = {"style": Style(), "controls": Controls()}
    write(shard_size=COUNT, **styled)
    one = write_dataset(tmp_path / "one", generator, COUNT, test_count=TEST_COUNT, format="parquet", **styled)
    manifest = json.loads((tmp_path / "set" / "_manifest.json").read_text())
    assert (manifest["files"], manifest["style"]) == (one["files"], {"slant": 0.25})
    with pytest.raises(DatasetError, match=r"holds another set \(style differs\)"):
        write(shard_size=COUNT)


# Stopped and begun again


@pytest.fixture
def stopped(write: Callable[..., list[Done]]) -> Done:
    """tmp_path/set after Ctrl-C behind the first shard, which this is."""
    seen: list[Done] = []

    def stop(done: Done) -> None:
        seen.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(progress=stop)
    return seen[0]


def test_what_is_there_is_not_made_again(
    tmp_path: Path, stopped: Done, write: Callable[..., list[Done]]
) -> None:
    assert {*contents(tmp_path / "set")} == {NAMES[0], "_unfinished.json"}
    assert [(done.shard.name, done.fresh) for done in write()] == [
        (NAMES[0], False),
        *((name, True) for name in NAMES[1:]),
    ]
    resumed = contents(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "resumed")
    write()
    assert contents(tmp_path / "set") == resumed


def test_what_a_killed_worker_leaves_is_cleared(
    tmp_path: Path, stopped: Done, write: Callable[..., list[Done]]
) -> None:
    (tmp_path / "set" / f".{NAMES[1]}.somewhere-123").write_bytes(b"PAR1")
    write()
    assert {*contents(tmp_path / "set")} == {*NAMES, "_manifest.json"}


FAULTS = ["cut off", "empty", "two bytes of a picture", "a label"]


def damage(path: Path, fault: str) -> None:
    """Do to a shard what a disk or a person does; it can still be read as a table where a part of it can."""
    table, data = pyarrow.parquet.read_table(path), path.read_bytes()
    if fault == "two bytes of a picture":
        images = table["image"].to_pylist()
        png = bytearray(images[3]["bytes"])
        png[-30:-28] = bytes(255 - byte for byte in png[-30:-28])
        images[3]["bytes"] = bytes(png)
        table = table.set_column(0, table.schema.field(0), pyarrow.array(images, table.schema.field(0).type))
        pyarrow.parquet.write_table(table, path)
    elif fault == "a label":
        labels = [9 - table["label"][0].as_py(), *table["label"].to_pylist()[1:]]
        pyarrow.parquet.write_table(table.set_column(1, "label", pyarrow.array(labels)), path)
    elif fault == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-200] if fault == "cut off" else b"")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_shard_is_made_again(
    tmp_path: Path, stopped: Done, write: Callable[..., list[Done]], fault: str
) -> None:
    path = tmp_path / "set" / NAMES[0]
    good = path.read_bytes()
    damage(path, fault)
    assert path.read_bytes() != good
    done = write()
    assert (done[0].fresh, done[0].mended) == (True, True)
    assert not any(each.mended for each in done[1:])
    assert path.read_bytes() == good
    assert json.loads((tmp_path / "set" / "_manifest.json").read_text())["files"][NAMES[0]]["bytes"] == len(
        good
    )


@pytest.mark.parametrize("fault", [*FAULTS, "gone"])
def test_a_set_that_is_no_longer_whole_is_mended(
    tmp_path: Path, write: Callable[..., list[Done]], fault: str
) -> None:
    write()
    before = contents(tmp_path / "set")
    damage(tmp_path / "set" / NAMES[1], fault)
    assert [done.fresh for done in write()] == [False, True, False, False]
    assert contents(tmp_path / "set") == before


def test_a_set_that_is_being_mended_is_not_called_whole(
    tmp_path: Path, write: Callable[..., list[Done]]
) -> None:
    write()
    (tmp_path / "set" / NAMES[3]).unlink()

    def stop(done: Done) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(progress=stop)
    assert {*contents(tmp_path / "set")} == {*NAMES[:3], "_unfinished.json"}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("content", ["of other seeds", "a table", "a text"])
def test_a_file_of_another_with_the_name_of_a_shard_is_left_alone(
    tmp_path: Path, stopped: Done, write: Callable[..., list[Done]], content: str, whole: bool
) -> None:
    if whole:
        write()
    path = tmp_path / "set" / NAMES[0]
    if content == "of other seeds":
        table = pyarrow.parquet.read_table(path)
        pyarrow.parquet.write_table(table.take([*range(1, SHARD_SIZE), 0]), path)
    elif content == "a table":
        pyarrow.parquet.write_table(pyarrow.table({"image": ["mine"], "label": [1], "seed": [2]}), path)
    else:
        path.write_text("mine")
    before = path.read_bytes()
    with pytest.raises(DatasetError, match=r"has the name of a file of this set and is another: move it"):
        write()
    assert path.read_bytes() == before


def test_two_at_once_do_not_write_into_one_folder(
    tmp_path: Path, stopped: Done, write: Callable[..., list[Done]]
) -> None:
    with (
        locked(tmp_path / "set"),
        pytest.raises(FolderError, match=r"another process is writing into .*set:"),
    ):
        write()
    assert len(write()) == 4


def test_the_files_are_on_the_disk_before_they_have_their_names(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(files, "sync", lambda path: synced.append(path.name))
    monkeypatch.setattr(cluster, "sync", files.sync)
    write_shards(tmp_path / "set", generator, 5)
    end = f".{socket.gethostname()}-{os.getpid()}"
    name = "train-00000-of-00001.parquet"
    assert synced == [f".{each}{end}" for each in ("_unfinished.json", name, "_manifest.json")]
    synced.clear()
    write_dataset(tmp_path / "one", generator, 5)
    assert {*synced} == {"manifest.json", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"}


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        ({"seed": 1}, "seed"),
        ({"shard_size": 26}, "shard_size"),
        ({"count": 61}, "parts"),
        ({"shares": {7: 1}}, "parts"),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_the_folder_of_another_set_is_left_alone(
    tmp_path: Path,
    stopped: Done,
    write: Callable[..., list[Done]],
    options: dict[str, Any],
    differing: str,
    whole: bool,
) -> None:
    if whole:
        write()
    before = contents(tmp_path / "set")
    with pytest.raises(DatasetError, match=rf"holds another set \({differing} differs\): name another"):
        write(**options)
    assert contents(tmp_path / "set") == before


def test_the_folder_of_other_weights_is_left_alone(
    tmp_path: Path, stopped: Done, write: Callable[..., list[Done]], save_weights: Callable[..., Path]
) -> None:
    with pytest.raises(DatasetError, match=r"holds another set \(weights_sha256 differs\)"):
        write(generator=DigitGenerator.load(save_weights(seed=1)))


@pytest.mark.parametrize(
    ("variant", "differing"),
    [({"raw": True}, "finish"), ({"every_z": True}, "choice_sha256"), ({"neat": 1}, "neat")],
)
def test_the_folder_of_another_finish_or_choice_is_left_alone(
    tmp_path: Path,
    write: Callable[..., list[Done]],
    choosy: DigitGenerator,
    variant: dict[str, Any],
    differing: str,
) -> None:
    write(generator=choosy)
    before = contents(tmp_path / "set")
    with pytest.raises(DatasetError, match=rf"holds another set \({differing} differs\): name another"):
        write(generator=choosy.variant(**variant))
    assert contents(tmp_path / "set") == before


def test_a_set_from_before_there_was_a_finish_is_raw(
    tmp_path: Path, write: Callable[..., list[Done]], choosy: DigitGenerator
) -> None:
    raw = choosy.variant(raw=True, every_z=True)
    write(generator=raw)
    path = tmp_path / "set" / "_manifest.json"
    told = json.loads(path.read_text())
    del told["finish"], told["choice_sha256"]
    path.write_text(json.dumps(told))
    assert write(generator=raw) == []
    for other, differing in ((choosy, "finish"), (choosy.variant(raw=True), "choice_sha256")):
        with pytest.raises(DatasetError, match=rf"holds another set \({differing} differs\)"):
            write(generator=other)


def test_a_set_that_is_whole_is_left_as_it_is(
    tmp_path: Path, write: Callable[..., list[Done]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    monkeypatch.setattr(cluster, "_run", None)  # nothing runs
    before = contents(tmp_path / "set")
    assert write() == []
    assert contents(tmp_path / "set") == before


def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path, write: Callable[..., list[Done]]) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / NAMES[0]).write_text("mine")
    with pytest.raises(DatasetError, match=r"is not empty \(.*\): name another folder"):
        write()
    (tmp_path / "set" / "_unfinished.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"_unfinished.json is damaged: name another folder"):
        write()
    assert (tmp_path / "set" / NAMES[0]).read_text() == "mine"


# What goes wrong


def test_a_disk_that_fills_up_keeps_what_is_whole(
    tmp_path: Path, stopped: Done, write: Callable[..., list[Done]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Callable[[object], None]:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(at_scale, "open_parquet", full)
        with pytest.raises(DatasetError, match=r"disk of .* is full: make room"):
            write()
    assert {*contents(tmp_path / "set")} == {NAMES[0], "_unfinished.json"}
    write()


def test_a_worker_tells_its_mistake_in_a_sentence(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = plan(COUNT)
    shards = shards_of_parts(parts, SHARD_SIZE)

    def told(version: str, out: Path) -> str:
        job = DigitJob(out, shards, 0, generator, parts, None, None, version=version)
        monkeypatch.setattr(cluster, "_received", lambda _: job)
        return cluster._work(None, {"id": 0})["problem"]

    assert "and not 0.0.1: install the same there" in told("0.0.1", tmp_path)
    assert "cannot be written (No such file or directory)" in told(cluster.__version__, tmp_path / "none")
    assert told(cluster.__version__, tmp_path) == ""


def test_a_folder_that_the_machines_do_not_share_is_told(
    write: Callable[..., list[Done]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(job: Job, address: str | None, workers: int | None) -> Iterator[Done]:
        yield Done(job.shards[0], 1, "", True, "other-host", 1)

    monkeypatch.setattr(cluster, "_run", elsewhere)
    monkeypatch.setattr(cluster, "_PATIENCE", 0.0)
    with pytest.raises(DatasetError, match="written on other-host and is not here: --out takes a folder"):
        write()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 2**32, "test_count": 1}, "at most 4294967296 together"),
        ({"shard_size": 0}, "shard_size is 0: expected a whole number from 1"),
        ({"workers": 0}, "workers is 0: expected a whole number from 1"),
        ({"style": object()}, "without the controls"),
    ],
)
def test_what_cannot_be_made_is_told(
    tmp_path: Path, write: Callable[..., list[Done]], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        write(**options)
    assert not [*tmp_path.iterdir()]


def test_no_part_has_more_files_than_names() -> None:
    part = Part("train", np.broadcast_to(np.uint8(7), (2**32,)), 0)  # of one byte
    with pytest.raises(DatasetError, match="42950 images in a file: expected at least 42951 for a set of"):
        shards_of_parts([part], 42_950)
    assert shards_of_parts([part], 42_951)[-1].name == "train-99996-of-99997.parquet"


def test_a_missing_library_is_named(
    tmp_path: Path, write: Callable[..., list[Done]], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    with pytest.raises(DatasetError, match=r'needs the library ray: pip install "ray\[data\]"'):
        write()
    assert not [*tmp_path.iterdir()]


# By the command


def test_the_command_writes_shards_and_lists_them(
    tmp_path: Path, weights_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    command = ["dataset", "60", "--test", "20", "--engine", "ray", "--shard-size", "25"]
    command += ["--out", str(out), "--weights", str(weights_file)]
    assert run(command) == 0
    assert capsys.readouterr().out.split() == [str(out / name) for name in [*NAMES, "_manifest.json"]]
    damage(out / NAMES[1], "cut off")
    assert run(command) == 0
    assert f"{NAMES[1]} was damaged or missing: it is made again." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--engine", "ray", "--format", "idx"], "--engine ray writes Parquet, not idx"),
        (["--workers", "2"], "go with --engine ray"),
        (["--address", "localhost:6379"], "go with --engine ray"),
        (["--shard-size", "5"], "go with --engine ray"),
        (["--test", "10000000"], "up to 10000000 digits: add --engine ray"),
    ],
)
def test_the_command_tells_what_does_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert run(["dataset", "60", *words, "--out", str(tmp_path / "set")]) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert not printed.out
    assert not [*tmp_path.iterdir()]


def test_what_is_synced_was_opened_to_be_written(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to sync a file that was opened to be read."""
    synced = []

    def fsync(number: int) -> None:
        os.write(number, b"")  # OSError if it is only to be read
        synced.append(number)

    monkeypatch.setattr("os.fsync", fsync)
    write_shards(tmp_path / "set", generator, 5)
    assert synced
