"""The package as others install it: built twice the same, small, typed, and drawing where nothing else is.

make test-install            or            pytest -m install
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fresh import copy_files, fresh_environment, open_folder, repository_files, run

from digit_generator import DigitGenerator, __version__
from digit_generator.weights import digest_of_file

pytestmark = pytest.mark.install

ROOT = Path(__file__).parents[1]
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def built(folder: Path) -> dict[str, Path]:
    """The source distribution, the wheel made from it, and the wheel made from the repository."""
    source = copy_files(repository_files(), folder / "source")
    build = [sys.executable, "-m", "build", "--no-isolation"]
    when = {"SOURCE_DATE_EPOCH": "315532800"}  # what a file in a zip archive has as its earliest date
    run([*build, "--outdir", str(folder / "a")], folder=source, **when)
    run([*build, "--wheel", "--outdir", str(folder / "b")], folder=source, **when)
    name = f"digit_generator-{__version__}"
    return {
        "sdist": folder / "a" / f"{name}.tar.gz",
        "wheel": folder / "a" / f"{name}-py3-none-any.whl",
        "wheel of the repository": folder / "b" / f"{name}-py3-none-any.whl",
    }


@pytest.fixture(scope="module")
def python(folder: Path, built: dict[str, Path]) -> Path:
    """The python of an environment with the wheel and what it asks for, and nothing else."""
    return fresh_environment(folder / "venv", str(built["wheel"]))


def test_the_source_distribution_builds_the_same_wheel(built: dict[str, Path]) -> None:
    assert built["wheel"].read_bytes() == built["wheel of the repository"].read_bytes()


def test_wheel_and_source_distribution_are_below_4_mb(built: dict[str, Path]) -> None:
    assert built["wheel"].stat().st_size < 4 * MEGABYTE
    assert built["sdist"].stat().st_size < 4 * MEGABYTE


def test_the_wheel_holds_the_package_the_weights_and_the_word_that_it_is_typed(
    built: dict[str, Path],
) -> None:
    """A module that is in no list of pyproject.toml would be missing here."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = {name for name in archive.namelist() if "dist-info" not in name}
        assert archive.read("digit_generator/generator.pth") == (ROOT / "generator.pth").read_bytes()
    package = {path.as_posix() for path in repository_files() if path.parts[0] == "digit_generator"}
    beside = {path.name for path in ROOT.glob("generator.*")}
    assert names == package | {f"digit_generator/{name}" for name in beside}
    assert {"digit_generator/py.typed", "digit_generator/generator.json"} <= names


def test_an_empty_environment_draws_with_the_wheel(python: Path, tmp_path: Path) -> None:
    code = (
        "from digit_generator import DigitGenerator; generator = DigitGenerator.load();"
        "print(generator.is_ours, generator.digest, generator.choice_digest or None,"
        " generator.digits(7, range(5)).tobytes().hex())"
    )
    is_ours, digest, choice_digest, pixels = run([str(python), "-c", code], folder=tmp_path).split()
    ours = DigitGenerator.load(ROOT / "generator.pth")
    assert is_ours == "True"
    assert digest == digest_of_file(ROOT / "generator.pth")
    assert choice_digest == str(ours.choice_digest or None)
    assert bytes.fromhex(pixels) == ours.digits(7, range(5)).tobytes()


def test_the_installed_command_draws_and_exports(python: Path, tmp_path: Path) -> None:
    command = str(python.with_name("digit-generator"))
    written = run([command, "generate", "7"], folder=tmp_path).splitlines()
    assert written == [f"digits/digit_7_seed_{seed}.png" for seed in range(5)]
    assert all((tmp_path / path).is_file() for path in written)
    export = [command, "export", "--hugging-face", "hub"]
    ours = DigitGenerator.load(ROOT / "generator.pth")
    assert run(export, folder=tmp_path).count("hub/") == 3 + (ours.choice is not None)
    assert run([command, "--version"], folder=tmp_path) == f"digit-generator {__version__}\n"


def test_the_wheel_brings_neither_pytorch_nor_streamlit(python: Path) -> None:
    listed = run([str(python), "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"])
    names = {line.partition("==")[0].lower().replace("_", "-") for line in listed.splitlines()}
    assert names - {"pip", "setuptools", "wheel"} == {
        "click",
        "digit-generator",
        "filelock",
        "numpy",
        "pillow",
        "safetensors",
        "tqdm",
    }


def test_a_type_checker_sees_the_types_of_the_installed_package(python: Path, tmp_path: Path) -> None:
    """And finds the one mistake: without types all would pass."""
    code = (
        "from typing import assert_type",
        "import numpy as np, numpy.typing as npt",
        "from digit_generator import DigitGenerator",
        "assert_type(DigitGenerator.load().digits(7, [0]), npt.NDArray[np.uint8])",
        "DigitGenerator.load().digits(7, 0)",
    )
    (tmp_path / "user.py").write_text("\n".join(code) + "\n")
    checker = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), "user.py"]
    checked = subprocess.run(checker, cwd=tmp_path, capture_output=True, text=True, check=False)
    mistake, summary = checked.stdout.splitlines()
    assert mistake.startswith('user.py:5: error: Argument 2 to "digits" of "DigitGenerator"')
    assert summary.startswith("Found 1 error")
