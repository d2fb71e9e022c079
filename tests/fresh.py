"""The repository as somebody else gets it, and environments with nothing in them, for the `install` tests."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
OTHERS = 1000  # the number of a user with no rights of its own


def repository_files() -> list[Path]:
    """What a clone has, and new files that no ignore rule hides, as paths from the root of the repository."""
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def copy_files(files: Sequence[Path], folder: Path) -> Path:
    """The files in `folder`, at the paths that they have in the repository."""
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every user of the machine may read, gone when the block is left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def fresh_environment(folder: Path, *arguments: str) -> Path:
    """A virtual environment in `folder` with what `pip install ARGUMENTS` brings; its python."""
    run([interpreter_for_everyone(), "-m", "venv", str(folder)])
    python = folder / "bin" / "python"
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments])
    return python


def interpreter_for_everyone() -> str:
    """This Python, or, where other users may not enter its folder, the system's."""
    this = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in this.parents):
        return str(this)
    return "/usr/bin/python3"


def clean_environment(**more: str) -> dict[str, str]:
    """The environment variables without those that lead Python to this repository or this environment."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if name not in hidden} | more


def run(command: Sequence[str], *, folder: Path | None = None, **more: str) -> str:
    """What the command prints; AssertionError with all that it said if it fails. `more` are variables."""
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(**more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def as_another_user() -> Mapping[str, int | list[int]]:
    """Arguments of Popen that give up root's rights, where there are any to give up."""
    return {"user": OTHERS, "group": OTHERS, "extra_groups": []} if os.geteuid() == 0 else {}
