"""Files made by many processes, on the cores of one machine or of many, with Ray Data.

A job says which files a set has and how one of them is made. Each is written beside its own name and renamed
when it is whole, so that a run that is stopped, by whatever, goes on with the files that are missing when it
is called again in the same way. What is there is read again: by its digest if the manifest has it, else by
what the job knows of its content. shards.py is this for digits, lines/shards.py for lines.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import re
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from digit_generator import __version__
from digit_generator.dataset.folder import (
    MANIFEST,
    bytes_of_manifest,
    check_folder,
    check_same_set,
    check_space,
    file_record,
    manifest_name,
    read_record,
    write_error_message,
)
from digit_generator.dataset.formats import parquet_name, versions
from digit_generator.dataset.plan import DatasetError, PartName
from digit_generator.errors import DigitGeneratorError
from digit_generator.files import locked, sync, unfinished_path, write_whole
from digit_generator.generate import checked_whole

if TYPE_CHECKING:
    import pyarrow

MAX_SHARDS = 99_999  # their names have five figures
UNFINISHED = "_unfinished.json"  # in the folder until the set is whole: which set it will be

# Before NumPy is imported in a worker: there is a worker for each core, and its one thread is enough.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_PATIENCE = 30.0  # seconds after which a network's file system shows what another machine has written


@dataclass(frozen=True)
class Shard:
    """One file: items start...stop-1 of part number `part` of the set."""

    name: str
    part: int
    start: int
    stop: int

    @property
    def count(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Done:
    """A shard that is there, whole: the file's bytes and SHA-256, and who saw to it.

    fresh: whether it was made now; else it was found there and agrees with the job.
    mended: whether it was made in the place of one that was damaged, or is missing from a finished set.
    """

    shard: Shard
    bytes: int
    sha256: str
    fresh: bool
    node: str
    pid: int
    mended: bool = False

    @property
    def count(self) -> int:
        return self.shard.count


@dataclass(frozen=True)
class Job(ABC):
    """What every worker has to know; it is sent once to each machine.

    before: what sets of earlier versions do not say of themselves, and mean.
    """

    out: Path
    shards: Sequence[Shard]
    bytes_each: int  # of disk for an item, rather more than less
    version: str = field(default=__version__, kw_only=True)
    digests: Mapping[str, str] = field(default_factory=dict, kw_only=True)  # where a manifest has them

    before: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def write(self, shard: Shard, path: Path) -> None:
        """Write the shard's Parquet file at `path`. OSError."""

    @abstractmethod
    def is_ours(self, shard: Shard, table: pyarrow.Table) -> bool:
        """Whether the table is of this set, and no other's file that is not to be lost. May raise KeyError,
        IndexError, TypeError or ValueError for a table of another form, which stands for False."""

    @abstractmethod
    def agrees(self, shard: Shard, table: pyarrow.Table) -> bool:
        """Whether a table that is ours is whole, as far as can be told without drawing it."""


def write_set(
    job: Job,
    identity: Mapping[str, Any],
    *,
    address: str | None = None,
    workers: int | None = None,
    progress: Callable[[Done], object] | None = None,
) -> dict[str, Any]:
    """Write the job's files into its folder, or what is missing of them; the manifest, as its file has it.

    identity: which set it is, as JSON has it; it stands in the manifest. address: of a Ray cluster, such as
    "10.0.0.1:6379", whose machines all have this version of the package and the job's folder by this very
    name; None: RAY_ADDRESS, else this machine alone. workers: how many at a time, at most; None: one for each
    core. progress: called with each shard when it is there; of a set that is whole, with none.

    DatasetError for a folder with anything but this set in it, a library that is not installed, a cluster
    that does not answer, a disk that is full or cannot be written; files.FolderError where another process
    writes into the folder. What was written by then stays and is not made again.
    """
    out = job.out
    if workers is not None:
        workers = checked_whole("workers", workers, 1, 10**6, DatasetError)
    _check_library()
    told = _begun(out, identity, job.before)
    digests = _digests(told, job.shards) if told else {}
    if told and digests and _is_whole(out, digests):
        return told
    try:
        missing = sum(shard.count for shard in job.shards if not (out / shard.name).exists())
        check_space(out, missing * job.bytes_each)
        with locked(out):
            return _write_missing(replace(job, digests=digests), identity, address, workers, progress)
    except OSError as error:
        raise DatasetError(write_error_message(out, error)) from None


def _write_missing(
    job: Job,
    identity: Mapping[str, Any],
    address: str | None,
    workers: int | None,
    progress: Callable[[Done], object] | None,
) -> dict[str, Any]:
    """See to all shards, then say in the manifest, which is returned, that the set is whole."""
    out, manifest_path = job.out, job.out / manifest_name("parquet")
    write_whole(out / UNFINISHED, bytes_of_manifest(identity), synced=True)
    for name in (manifest_path.name, MANIFEST):  # of a set that is no longer whole
        (out / name).unlink(missing_ok=True)
    files: dict[str, dict[str, Any]] = {}
    for done in _run(job, address, workers):
        _check_shared(out / done.shard.name, done)
        files[done.shard.name] = {"bytes": done.bytes, "sha256": done.sha256}
        if progress:
            progress(done)
    manifest = {
        "made_by": f"digit_generator {__version__}",
        **identity,
        "versions": versions("parquet"),
        "files": {shard.name: files[shard.name] for shard in job.shards},
    }
    for path in out.glob(".*.parquet.*"):  # what killed workers had begun
        path.unlink()
    write_whole(manifest_path, bytes_of_manifest(manifest), synced=True)
    for name in (UNFINISHED, UNFINISHED.removeprefix("_")):
        (out / name).unlink(missing_ok=True)
    return manifest


def shards_of_part(
    name: PartName, count: int, shard_size: int, *, part: int = 0, items: str = "images"
) -> list[Shard]:
    """The files of a part of `count` items, in order. DatasetError for a size so small that there are too
    many."""
    if count > shard_size * MAX_SHARDS:
        smallest = -(-count // MAX_SHARDS)
        raise DatasetError(
            f"{shard_size} {items} in a file: expected at least {smallest} for a set of {count}"
        )
    files = -(-count // shard_size)
    return [
        Shard(
            parquet_name(name, number, files),
            part,
            number * shard_size,
            min((number + 1) * shard_size, count),
        )
        for number in range(files)
    ]


def see_to(job: Job, shard: Shard) -> Done:
    """See to it that the file is there, whole. OSError if it cannot be written.

    DatasetError if another's file has its name.
    """
    path = job.out / shard.name
    expected = path.exists() or shard.name in job.digests
    fresh = not _is_there(job, shard)
    if fresh:
        unfinished = unfinished_path(path)
        try:
            job.write(shard, unfinished)
            sync(unfinished)  # else a power cut may leave the name without the bytes
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    told = file_record(path)
    node = socket.gethostname()
    return Done(shard, told["bytes"], told["sha256"], fresh, node, os.getpid(), fresh and expected)


def _is_there(job: Job, shard: Shard) -> bool:
    """Whether the file is there, whole. DatasetError if it is another's, which is not to be lost."""
    import pyarrow
    import pyarrow.parquet

    path, digest = job.out / shard.name, job.digests.get(shard.name)
    if digest and path.exists() and file_record(path)["sha256"] == digest:
        return True
    try:
        table = pyarrow.parquet.read_table(path, page_checksum_verification=True)
    except FileNotFoundError:
        return False
    except (OSError, pyarrow.ArrowException):  # ArrowInvalid, of a damaged file, is no OSError
        with path.open("rb") as file:
            if file.read(4) in (b"PAR1", b""):
                return False
        table = pyarrow.table({})
    try:
        is_ours = job.is_ours(shard, table)
    except (KeyError, IndexError, TypeError, ValueError):  # no such column, or no PNG in it
        is_ours = False
    if not is_ours:
        raise DatasetError(
            f"{path} has the name of a file of this set and is another: move it away, and call again"
        )
    return not digest and job.agrees(shard, table)  # with a digest, it is not what the manifest tells of


def _digests(manifest: dict[str, Any], shards: Sequence[Shard]) -> dict[str, str]:
    """SHA-256 of each shard by the manifest; none at all if it lacks one."""
    try:
        return {shard.name: str(manifest["files"][shard.name]["sha256"]) for shard in shards}
    except (KeyError, TypeError):
        return {}


def _is_whole(out: Path, digests: Mapping[str, str]) -> bool:
    """Whether the files are there as the manifest says."""

    def agrees(name: str, digest: str) -> bool:
        return (out / name).is_file() and file_record(out / name)["sha256"] == digest

    with ThreadPoolExecutor() as threads:  # digests are computed outside of Python's lock
        return all(threads.map(agrees, digests, digests.values()))


def _begun(out: Path, identity: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest, if the set is whole; None if it is begun, or not even that. DatasetError otherwise."""
    # Without "_": as version 0.1.0 called them.
    for name in (manifest_name("parquet"), MANIFEST, UNFINISHED, UNFINISHED.removeprefix("_")):
        told = read_record(out / name)
        if told is None:
            continue
        check_same_set(out, told, identity, before)
        return told if name.endswith(MANIFEST) else None
    check_folder(out)
    return None


def _check_library() -> None:
    """Without importing them: that takes seconds, which a mistake should not have to wait for."""
    for name in ("ray", "pandas", "pyarrow"):  # what ray[data] installs
        if importlib.util.find_spec(name) is None:
            raise DatasetError(f'Ray Data needs the library {name}: pip install "ray[data]"')


def _check_shared(path: Path, done: Done) -> None:
    """DatasetError if what a worker has written is not to be seen from here."""
    until = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > until:
            raise DatasetError(
                f"{path.name} was written on {done.node} and is not here: --out takes a folder that all"
                " machines share by one name"
            )
        time.sleep(0.5)


def _run(job: Job, address: str | None, workers: int | None) -> Iterator[Done]:
    """The shards, in the order in which they get done. Ray Data hands a killed worker's to another one."""
    import ray.data
    import ray.exceptions

    with _session(address, workers):
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        sent = ray.put(job)
        shards = ray.data.range(len(job.shards), override_num_blocks=len(job.shards)).map(
            functools.partial(_work, sent), num_cpus=1, compute=ray.data.TaskPoolStrategy(size=workers)
        )
        try:
            for row in shards.iter_rows():
                if row["problem"]:
                    raise DatasetError(row["problem"])
                yield Done(job.shards[row["shard"]], *(row[name] for name in _ROW))
        except ray.exceptions.RayError as error:
            what = str(error).strip().splitlines()[-1]
            raise DatasetError(
                f"Ray has given up ({what}): what is written stays, and the same command goes on with"
                " what is missing"
            ) from error


_ROW = ("bytes", "sha256", "fresh", "node", "pid", "mended")  # the fields of Done after the shard


def _work(sent: Any, row: dict[str, Any]) -> dict[str, Any]:
    """In a worker: one shard -> the fields of Done, or the sentence that says why not."""
    job = _received(sent)
    done = Done(job.shards[row["id"]], 0, "", False, socket.gethostname(), os.getpid())
    problem = ""
    try:
        if job.version != __version__:
            raise DatasetError(
                f"{done.node} has digit_generator {__version__} and not {job.version}: install the same there"
            )
        done = see_to(job, done.shard)
    except DigitGeneratorError as error:
        problem = str(error)
    except OSError as error:
        problem = f"on {done.node}, {write_error_message(job.out, error)}"
    return {"shard": row["id"], "problem": problem} | {name: getattr(done, name) for name in _ROW}


@functools.lru_cache(maxsize=1)
def _received(sent: Any) -> Job:
    """A worker fetches the job once and keeps it, and what the job prepares."""
    import ray

    job: Job = ray.get(sent)
    return job


@contextmanager
def _session(address: str | None, workers: int | None) -> Iterator[None]:
    """Ray, connected; one that this program has connected to before is used as it is, and left so."""
    import ray
    import ray.data
    import ray.exceptions

    # Behind the import, which sets the levels: Ray tells of its plans on stderr.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
        options = {"include_dashboard": False, "num_cpus": workers}
    try:
        if match := re.fullmatch(r"([^/]+):(\d{1,5})", address):  # Ray itself would try for minutes
            socket.create_connection((match[1], int(match[2])), timeout=10).close()
        ray.init(
            address,
            runtime_env={"env_vars": _ONE_THREAD},
            log_to_driver=False,
            logging_level=logging.ERROR,
            **options,
        )
    # Of the socket, of the address, and of Ray: a ConnectionError is an OSError.
    except (OSError, OverflowError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        what = str(error).strip().splitlines()[0]
        raise DatasetError(
            f"no Ray cluster answers at {address} ({what}): start one with `ray start --head`, or leave out"
            " --address to use this machine alone"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()
