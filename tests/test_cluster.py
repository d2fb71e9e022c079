"""Ray on two local nodes of one core each: both work, and what is killed is made good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from digit_generator import DigitGenerator
from digit_generator.dataset import DatasetError, write_dataset
from digit_generator.dataset.shards import write_shards
from digit_generator.dataset.write import _STYLED_BLOCK
from digit_generator.lines import LineSource, write_lines

pytestmark = [
    pytest.mark.cluster,
    # Ray Data's settings warn of three of their own when they are made.
    pytest.mark.filterwarnings("ignore:`use_[a-z0-9_]+` is deprecated:DeprecationWarning:ray.data.context"),
]
ROOT = Path(__file__).parents[1]
COUNT, SHARD_SIZE = 1200, 200
PATIENCE = 300  # seconds, of a busy machine


class Style:
    @property
    def asked(self) -> dict[str, float]:
        return {"slant": 0.0}


DIGEST = "1" * 64  # of these controls, all of which draw the same


class Gate:
    """Controls that change nothing: they let two shards pass, and hold the others until `open` is there.

    So what is killed is killed with two shards done and the others not, on however fast a machine. In the
    folder each worker leaves a file named by its process and by its parent's, which is its node's.
    """

    digest = DIGEST

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = 0  # in this process; a shard asks for styles several times
        folder.mkdir()

    def latents(self, z: np.ndarray, labels: np.ndarray, style: Any) -> np.ndarray:
        (self.folder / f"worker-{os.getpid()}-{os.getppid()}").touch()
        self.calls += 1
        if (self.calls - 1) % (SHARD_SIZE // _STYLED_BLOCK):  # in a shard that has been let pass
            return z
        for name in ("first", "second"):
            try:
                (self.folder / name).touch(exist_ok=False)
            except FileExistsError:
                continue
            return z
        waiting = self.folder / f"waiting-{os.getpid()}"
        waiting.touch()
        wait_for((self.folder / "open").exists)
        waiting.unlink()
        return z

    def pids(self, kind: str, place: int = 1) -> set[int]:
        return {int(path.name.split("-")[place]) for path in self.folder.glob(f"{kind}-*")}


def wait_for(what: Callable[[], Any]) -> Any:
    """What it returns, as soon as that is true."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def write(out: Path, weights: str, address: str, gate: Gate | None) -> dict[str, Any]:
    """The set of these tests, by a cluster."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[Gate.__module__])  # workers do not have this file
    generator = DigitGenerator.load(weights)
    styled = {"style": Style(), "controls": gate or Unchanged()}
    return write_shards(out, generator, COUNT, shard_size=SHARD_SIZE, address=address, **styled)


class Unchanged:
    digest = DIGEST

    def latents(self, z: np.ndarray, labels: np.ndarray, style: Any) -> np.ndarray:
        return z


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster with two nodes."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **options})
    try:
        cluster.add_node(**options)
        cluster.wait_for_nodes()
        yield cluster.address
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def one_process(choosy: DigitGenerator, tmp_path_factory: pytest.TempPathFactory) -> pyarrow.Table:
    out = tmp_path_factory.mktemp("sets") / "one"
    write_dataset(out, choosy, COUNT, format="parquet", style=Style(), controls=Unchanged())
    return pyarrow.parquet.read_table(out / "train-00000-of-00001.parquet")


def all_of(out: Path, manifest: dict[str, Any]) -> pyarrow.Table:
    assert {path.name for path in out.iterdir()} == {*manifest["files"], "_manifest.json"}
    return pyarrow.concat_tables(pyarrow.parquet.read_table(out / name) for name in manifest["files"])


def test_two_nodes_make_the_set_of_one_process_though_a_worker_is_killed(
    address: str, choosy: DigitGenerator, one_process: pyarrow.Table, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    killed: list[int] = []

    def kill_a_worker() -> None:
        wait_for(lambda: len(gate.pids("worker", 2)) == 2 and gate.pids("waiting"))
        killed.append(min(gate.pids("waiting")))
        os.kill(killed[0], signal.SIGKILL)
        (gate.folder / "open").touch()

    thread = threading.Thread(target=kill_a_worker)
    thread.start()
    manifest = write(tmp_path / "set", str(choosy.path), address, gate)
    thread.join()
    assert killed
    assert len(gate.pids("worker")) > 2  # another one took its place
    assert all_of(tmp_path / "set", manifest).equals(one_process, check_metadata=True)


def test_when_the_driver_is_killed_the_same_call_goes_on_with_what_is_missing(
    address: str, choosy: DigitGenerator, one_process: pyarrow.Table, tmp_path: Path
) -> None:
    out, gate = tmp_path / "set", tmp_path / "gate"
    arguments = (str(out), str(choosy.path), address, str(gate))
    code = (
        "import sys; from pathlib import Path; from test_cluster import Gate, write;"
        "out, weights, address, gate = sys.argv[1:]; write(Path(out), weights, address, Gate(Path(gate)))"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment) as driver:
        try:
            wait_for(lambda: len([*out.glob("train-*")]) == 2 and [*gate.glob("waiting-*")])
        finally:
            driver.kill()
    made = {path.name: path.stat() for path in out.glob("train-*")}
    assert len(made) == 2
    assert (out / "_unfinished.json").is_file()
    (gate / "open").touch()
    manifest = write(out, str(choosy.path), address, None)
    assert all_of(out, manifest).equals(one_process, check_metadata=True)
    for name, before in made.items():
        after = (out / name).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_command_draws_on_the_cluster(address: str, choosy: DigitGenerator, tmp_path: Path) -> None:
    out = tmp_path / "set"
    words = ["dataset", "400", "--engine", "ray", "--address", address, "--shard-size", "200"]
    words += ["--out", str(out), "--weights", str(choosy.path)]
    result = run_command(words)
    assert result.returncode == 0, result.stderr
    names = ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "_manifest.json"]
    assert result.stdout.split() == [str(out / name) for name in names]
    assert "400/400" in result.stderr
    assert "Dataset" not in result.stderr  # Ray does not talk of itself


def test_lines_are_those_of_one_process_though_the_driver_is_killed(
    address: str, choosy: DigitGenerator, tmp_path: Path
) -> None:
    """By the command, first with one worker, then, from what is missing, with two."""
    out, one = tmp_path / "set", tmp_path / "one"
    words = ["lines", "2000", "--pattern", "#{3,5}", "--one-hand", "0", "--shard-size", "100"]
    words += ["--engine", "ray", "--address", address, "--out", str(out), "--weights", str(choosy.path)]
    with subprocess.Popen(
        [sys.executable, "-m", "digit_generator", *words, "--workers", "1"], cwd=ROOT
    ) as driver:
        try:
            wait_for(lambda: [*out.glob("train-*")])
        finally:
            driver.kill()
    made = {path.name: path.stat() for path in out.glob("train-*")}
    assert 0 < len(made) < 20
    assert (out / "_unfinished.json").is_file()
    result = run_command(words)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out / '_manifest.json'}\n"
    write_lines(one, LineSource(choosy, "#{3,5}", one_hand=0), 2000, format="parquet", shard_size=100)
    names = [f"train-{number:05}-of-00020.parquet" for number in range(20)]
    assert {path.name for path in out.iterdir()} == {*names, "_manifest.json"}
    for name in names:
        assert (out / name).read_bytes() == (one / name).read_bytes(), name
    for name, before in made.items():
        after = (out / name).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_line_that_cannot_be_written_is_told_by_the_worker(address: str, tmp_path: Path) -> None:
    pattern = "<1|2|3|4|5|6|7|8|9|#{100}#{100}#{100}>"  # one line in ten is too long, the first ones are not
    words = ["lines", "200", "--pattern", pattern, "--engine", "ray", "--address", address, "--one-hand", "0"]
    result = run_command([*words, "--seed", "2", "--out", str(tmp_path / "set")])
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith("the text has 300 characters: expected 200 at most.")


def run_command(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "digit_generator", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("nowhere", ["127.0.0.1:1", "127.0.0.1:99999", "no.such.host.invalid:6379"])
def test_a_cluster_that_does_not_answer_is_told(weights_file: Path, tmp_path: Path, nowhere: str) -> None:
    generator = DigitGenerator.load(weights_file)
    with pytest.raises(DatasetError, match=rf"no Ray cluster answers at {nowhere} .*: start one with"):
        write_shards(tmp_path / "set", generator, 40, address=nowhere)
