"""The folder of a data set: written whole or not at all, and described by a manifest."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digit_generator.dataset.plan import DatasetError

MANIFEST = "manifest.json"


def manifest_name(format: str) -> str:
    """How the manifest of a set in this format is called.

    Readers of a folder of Parquet files skip names that begin with "_", and take all others for Parquet.
    """
    return f"_{MANIFEST}" if format == "parquet" else MANIFEST


def check_folder(out: Path) -> None:
    """DatasetError unless a set can be written to `out`: a folder that is not there yet, or an empty one."""
    try:
        if out.resolve() == Path.cwd():
            raise DatasetError(f"{out} is the folder you are in: name another, which will be made")
        if out.is_dir() and (names := sorted(path.name for path in out.iterdir())):
            held = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
            raise DatasetError(f"{out} is not empty ({held}): name another folder, which will be made")
        if out.exists() and not out.is_dir():
            raise DatasetError(f"{out} is a file: name a folder, which will be made")
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle, until Python 3.12
        why = getattr(error, "strerror", "links in a circle")
        raise DatasetError(f"{out} cannot be read ({why}): choose another folder") from None


def check_space(out: Path, needed: int) -> None:
    """DatasetError if it is plain beforehand that the disk is too small."""
    there = next(folder for folder in out.resolve().parents if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise DatasetError(
            f"the disk of {out} has {free / 1e6:.0f} MB left and the set may need {needed / 1e6:.0f} MB:"
            " make room, choose another folder, or ask for less"
        )


def read_record(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file that says which set a folder holds; None without the file.

    DatasetError if it cannot be read, or is no JSON object.
    """
    try:
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}): choose another folder") from None
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise DatasetError(f"{path} is damaged: name another folder, which will be made")
    return told


def check_same_set(
    out: Path, told: Mapping[str, Any], identity: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """DatasetError unless what the folder `out` tells of its set agrees with the set that is asked for.

    before: what sets of earlier versions do not say of themselves, and mean.
    """
    before = before or {}
    wanted = {**before, **identity}
    for key in {**identity, **before}:
        if told.get(key, before.get(key)) != wanted[key]:
            raise DatasetError(
                f"{out} holds another set ({key} differs): name another folder, which will be made,"
                " or ask for that set again"
            )


def write_error_message(out: Path, error: OSError) -> str:
    """The sentence of a DatasetError, without its full stop."""
    if error.errno == errno.ENOSPC:
        return f"the disk of {out} is full: make room, or choose another folder"
    what = os.strerror(error.errno) if error.errno else error  # pyarrow has a long strerror of its own
    return f"{out} cannot be written ({what}): choose another folder"


def bytes_of_manifest(manifest: Mapping[str, Any]) -> bytes:
    """manifest.json, as both engines write it."""
    return (json.dumps(manifest, indent=2) + "\n").encode()


def file_records(folder: Path, format: str) -> dict[str, dict[str, Any]]:
    """Size and digest of each file; of PNG folders the lists, in which the digests of the pictures stand."""
    paths = sorted(folder.glob("*/metadata.csv" if format == "png" else "*"))
    return {path.relative_to(folder).as_posix(): file_record(path) for path in paths}


def file_record(path: Path) -> dict[str, Any]:
    """A file's size in bytes and its SHA-256."""
    with path.open("rb") as file:
        return {
            "bytes": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
