"""Files: read within bounds and once for all, written whole or not at all, and packed into a zip archive."""

from __future__ import annotations

import errno
import io
import os
import platform
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

from digit_generator.errors import DigitGeneratorError

LOCK = ".digit_generator.lock"
_FEW = 100  # files to wait for one by one: beyond, one wait for the whole disk is shorter

Made = TypeVar("Made")


def read_at_most(path: Path, most: int) -> bytes:
    """The whole file, of at most `most` bytes. OSError if it cannot be read, is larger, or is no file."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most / 2**20:g} MB", str(path))
    return data


class UntilChanged(Generic[Made]):
    """What was last made of files, or why nothing could be, until one of the files changes.

    A server asks at every request: a file that is refused is not read again each time. Serves any number of
    threads; while one makes it, the others wait for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: object = None
        self._made: Made | None = None
        self._refusal: tuple[type[DigitGeneratorError], str] | None = None

    def get(self, paths: Sequence[Path], make: Callable[[], Made], *also: object) -> Made:
        """`make()`, called when the files, or what it depends on `also`, are others than at the last call.

        OSError if a file cannot be looked at; raises what `make` raises, again and again if it is a
        DigitGeneratorError.
        """
        key = [*also, *((path, _stamp(path)) for path in paths)]
        with self._lock:
            if self._key != key:
                self._key = self._made = self._refusal = None
                try:
                    self._made = make()
                except DigitGeneratorError as error:
                    self._refusal = type(error), str(error)
                self._key = key
            if self._refusal:
                kind, sentence = self._refusal
                raise kind(sentence)  # a new one: an error that is raised again grows
            assert self._made is not None
            return self._made


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """By what a file is known to have changed; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def write_whole(path: Path, data: bytes, *, synced: bool = False) -> None:
    """Write a file whole or not at all: under another name in the same folder, then renamed. OSError.

    synced: on the disk before it gets its name, so that not even a power cut leaves the name without the
    bytes; a few milliseconds for each file.
    """
    unfinished = unfinished_path(path)
    try:
        unfinished.write_bytes(data)
        if synced:
            sync(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the file's bytes are on the disk. OSError."""
    with path.open("r+b") as file:  # Windows syncs no file that was opened to be read
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until all files in the folder are on the disk. OSError."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    if len(paths) > _FEW and hasattr(os, "sync"):
        os.sync()
    else:
        for path in paths:
            sync(path)


def unfinished_path(path: Path) -> Path:
    """Where a file or folder is written until it is whole; the name says which process of which machine."""
    return path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}")


def remove_unfinished(folder: Path, name: str = "") -> None:
    """Remove what killed processes of this machine have left unfinished in `folder`: of `name`, or of all.

    What cannot be removed stays; nothing is raised. Windows does not tell whether a process is gone.
    """
    import shutil  # here, as tempfile below: who draws in memory needs neither

    end = f".{platform.node()}-"
    try:
        found = [path for path in folder.iterdir() if path.name.startswith(f".{name}") and end in path.name]
    except OSError:
        return
    for path in found:
        of, _, process = path.name.rpartition(end)
        if (not name or of == f".{name}") and process.isdecimal() and not _is_running(int(process)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


class FolderError(DigitGeneratorError):
    """A folder that another process writes into; the message is one sentence for a person."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder if need be, and write into it alone. FolderError if another process does; OSError.

    The lock goes with the process, however it ends. Nothing of it stays in the folder.
    """
    from filelock import FileLock, Timeout  # here, since the page locks no folder

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FolderError(
            f"another process is writing into {folder}: wait until it is done, or choose another folder"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes it with the lock
            (folder / LOCK).unlink()
        lock.release()


def _is_running(process: int) -> bool:
    """Whether another process has this number. Before this one begins, its own number was another's."""
    if os.name == "nt":
        return True
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def check_writable(folder: Path) -> None:
    """Make the folder if need be, and write a file in it that is gone at once. Raises OSError."""
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def zip_from_files(files: Mapping[str, bytes]) -> bytes:
    """Files by name -> a zip archive. The same files in the same order give the same bytes at any time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored, since a PNG is compressed already
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
