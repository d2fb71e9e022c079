"""Sets of any size, on the cores of one machine or of many, with Ray Data.

The set of `dataset`, item for item, in Parquet files of at most `shard_size` images with one manifest. Each
file is written beside its own name and renamed when it is whole, so that a run that is stopped, by whatever,
goes on with the files that are missing when it is called again in the same way. What is there is read again:
by its digest if the manifest has it, else by its labels, seeds and recipe, and the checksums in its pictures.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digit_generator import __version__
from digit_generator.bulk import BulkGenerator
from digit_generator.dataset.folder import (
    MANIFEST,
    bytes_of_manifest,
    check_folder,
    check_space,
    file_record,
    manifest_name,
    write_error_message,
)
from digit_generator.dataset.formats import BYTES, open_parquet, parquet_name, versions
from digit_generator.dataset.plan import DatasetError, Part, part_record, plan
from digit_generator.dataset.write import asked_style, blocks, hand_record
from digit_generator.files import locked, sync, unfinished_path, write_whole
from digit_generator.generate import MAX_SEED, DigitGenerator, checked_whole
from digit_generator.recipe import Recipe
from digit_generator.render import is_whole_png, recipe_text_from_png

if TYPE_CHECKING:
    from digit_generator.style import Style, StyleControls

MAX_COUNT = MAX_SEED + 1  # each image has a seed of its own
SHARD_SIZE = 100_000  # 27 MB and half a minute of a core; a billion images are 10,000 files
MAX_SHARDS = 99_999  # their names have five figures
UNFINISHED = "_unfinished.json"  # in the folder until the set is whole: which set it will be
_BEFORE = {"finish": 0, "choice_sha256": "", "neat": 0, "hand": None, "variation": None}

# Before NumPy is imported in a worker: there is a worker for each core, and its one thread is enough.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_PATIENCE = 30.0  # seconds after which a network's file system shows what another machine has written


@dataclass(frozen=True)
class Shard:
    """One file: images start...stop-1 of part number `part` of the plan."""

    name: str
    part: int
    start: int
    stop: int


@dataclass(frozen=True)
class Done:
    """A shard that is there, whole: the file's bytes and SHA-256, and who saw to it.

    fresh: whether it was made now; else it was found there and agrees with the plan.
    mended: whether it was made in the place of a damaged one.
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
        return self.shard.stop - self.shard.start


@dataclass(frozen=True)
class Job:
    """What every worker has to know; it is sent once to each machine."""

    version: str
    out: Path
    generator: DigitGenerator
    parts: list[Part]
    shards: list[Shard]
    style: Style | None
    controls: StyleControls | None
    digests: Mapping[str, str] = field(default_factory=dict)  # of the shards, where a manifest has them


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
    if workers is not None:
        workers = checked_whole("workers", workers, 1, 10**6, DatasetError)
    _check_library()
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
    told = _begun(out, identity)
    digests = _digests(told, shards) if told else {}
    if told and digests and _is_whole(out, digests):
        return told
    try:
        missing = sum(shard.stop - shard.start for shard in shards if not (out / shard.name).exists())
        check_space(out, missing * BYTES["parquet"])
        with locked(out):
            return _write_missing(
                Job(__version__, out, generator, parts, shards, style, controls, digests),
                identity,
                address,
                workers,
                progress,
            )
    except OSError as error:
        raise DatasetError(write_error_message(out, error)) from None


def _write_missing(
    job: Job,
    identity: dict[str, Any],
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


def shards_of_parts(parts: list[Part], shard_size: int) -> list[Shard]:
    """The files of a set, in order. DatasetError for a size below 1, or so small that there are too many."""
    most = max(len(part.labels) for part in parts)
    if shard_size < 1 or most > shard_size * MAX_SHARDS:
        smallest = -(-most // MAX_SHARDS)
        raise DatasetError(f"{shard_size} images in a file: expected at least {smallest} for a set of {most}")
    return [
        Shard(
            parquet_name(part.name, start // shard_size, -(-len(part.labels) // shard_size)),
            index,
            start,
            min(start + shard_size, len(part.labels)),
        )
        for index, part in enumerate(parts)
        for start in range(0, len(part.labels), shard_size)
    ]


def write_shard(job: Job, shard: Shard, bulk: BulkGenerator) -> Done:
    """See to it that the file is there, whole. OSError if it cannot be written.

    DatasetError if another's file has its name.
    """
    path = job.out / shard.name
    part = job.parts[shard.part].piece(shard.start, shard.stop)
    asked = asked_style(job.style, job.controls)
    recipe = Recipe.of(job.generator, digit=0, style=asked, controls=job.controls)
    mended = path.exists()
    fresh = not _is_there(path, part, recipe, job.digests.get(shard.name))
    if fresh:
        unfinished = unfinished_path(path)
        try:
            with ExitStack() as stack:
                write = open_parquet(unfinished, recipe, stack)
                for block in blocks(bulk, part, job.style, job.controls):
                    write(block)
            sync(unfinished)  # else a power cut may leave the name without the bytes
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    told = file_record(path)
    node = socket.gethostname()
    return Done(shard, told["bytes"], told["sha256"], fresh, node, os.getpid(), fresh and mended)


def _is_there(path: Path, part: Part, recipe: Recipe, digest: str | None) -> bool:
    """Whether the file is there, whole. DatasetError if it is another's, which is not to be lost."""
    import pyarrow
    import pyarrow.parquet

    if digest and path.exists() and file_record(path)["sha256"] == digest:
        return True
    try:
        table = pyarrow.parquet.read_table(path)
    except FileNotFoundError:
        return False
    except (OSError, pyarrow.ArrowException):  # ArrowInvalid, of a damaged file, is no OSError
        with path.open("rb") as file:
            if file.read(4) in (b"PAR1", b""):
                return False
        table = pyarrow.table({})
    labels, seeds = part.labels.tolist(), part.seeds.tolist()
    try:
        pictures = [image["bytes"] for image in table["image"].to_pylist()]
        is_ours = any(
            recipe_text_from_png(pictures[i]) == replace(recipe, digit=labels[i], seed=seeds[i]).to_text()
            for i in {0, len(labels) // 2, len(labels) - 1}
        )
    except (KeyError, IndexError, TypeError, ValueError):  # no such column, or no PNG in it
        is_ours = False
    if not is_ours:
        raise DatasetError(
            f"{path} has the name of a file of this set and is another: move it away, and call again"
        )
    return (
        not digest  # else it is not what the manifest was written for
        and table["label"].to_pylist() == labels
        and table["seed"].to_pylist() == seeds
        and all(map(is_whole_png, pictures))
    )


def _digests(manifest: dict[str, Any], shards: list[Shard]) -> dict[str, str]:
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


def _begun(out: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest, if the set is whole; None if it is begun, or not even that. DatasetError otherwise."""
    # Without "_": as version 0.1.0 called them.
    for name in (manifest_name("parquet"), MANIFEST, UNFINISHED, UNFINISHED.removeprefix("_")):
        try:
            told = json.loads((out / name).read_bytes())
            # A set from before there was a finish or a choice is raw and of every z; one without a hand says
            # nothing of it.
            wanted = _BEFORE | identity
            other = {key: told.get(key, _BEFORE.get(key)) for key in identity | _BEFORE}
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise DatasetError(
                f"{out / name} cannot be read ({error.strerror}): choose another folder"
            ) from None
        except (ValueError, AttributeError):
            raise DatasetError(f"{out / name} is damaged: name another folder, which will be made") from None
        differing = [key for key in other if other[key] != wanted[key]]
        if differing:
            raise DatasetError(
                f"{out} holds another set ({differing[0]} differs): name another folder, which will be made,"
                " or ask for that set again"
            )
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
    job, bulk = _received(sent)
    done = Done(job.shards[row["id"]], 0, "", False, socket.gethostname(), os.getpid())
    problem = ""
    try:
        if job.version != __version__:
            raise DatasetError(
                f"{done.node} has digit_generator {__version__} and not {job.version}: install the same there"
            )
        done = write_shard(job, done.shard, bulk)
    except DatasetError as error:
        problem = str(error)
    except OSError as error:
        problem = f"on {done.node}, {write_error_message(job.out, error)}"
    return {"shard": row["id"], "problem": problem} | {name: getattr(done, name) for name in _ROW}


@functools.lru_cache(maxsize=1)
def _received(sent: Any) -> tuple[Job, BulkGenerator]:
    """A worker fetches the job once and keeps it."""
    import ray

    job: Job = ray.get(sent)
    return job, BulkGenerator(job.generator)


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
