"""The house: what stands in two places is the same in both, and the files that others rely on are there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import digit_generator

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(extra: str) -> list[str]:
    return PYPROJECT["project"]["optional-dependencies"][extra]


def test_requirements_txt_is_the_package_and_the_page() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert sorted(listed) == sorted([*PYPROJECT["project"]["dependencies"], *requirements("page")])


def test_only_learning_and_measuring_ask_for_pytorch() -> None:
    asking = {
        extra
        for extra in PYPROJECT["project"]["optional-dependencies"]
        if any(requirement.startswith("torch>") for requirement in requirements(extra))
    }
    assert asking == {"train", "eval"}
    assert len({r for extra in asking for r in requirements(extra) if r.startswith("torch>")}) == 1


def test_the_docs_have_the_tensor_table() -> None:
    lines = digit_generator.__doc__.splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    assert table.count("\n") == 9
    assert table in (ROOT / "docs" / "names.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "app.py",
        "screens/app.css",
        "screens/draw.py",
        "web/real_digits.png",
        "docs/training/best/losses.jsonl",
        "docs/quality.json",
        "mnist_gan_training.py",
        "generator.pth",
        "generator.json",
        "requirements.txt",
        "pyproject.toml",
        "Makefile",
        "Procfile",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        ".python-version",
        ".streamlit/config.toml",
        "docs/walkthrough.md",
        "docs/decisions.md",
        "docs/experiments.md",
        "web/index.html",
        ".github/workflows/pages.yml",
        ".github/SECURITY.md",
    ],
)
def test_a_file_that_is_promised_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_every_action_is_named_by_its_commit() -> None:
    """A tag may be moved to other code. Dependabot reads the comment behind it."""
    used = [
        line.strip("- \n")
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert used
    for line in used:
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line


def test_dependabot_is_told_what_it_understands() -> None:
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    assert checker, "check-jsonschema is missing: pip install check-jsonschema"
    path = ROOT / ".github" / "dependabot.yml"
    subprocess.run([checker, "--builtin-schema", "vendor.dependabot", str(path)], check=True)


def test_generator_pth_is_of_the_size_that_is_promised() -> None:
    assert 2e6 <= (ROOT / "generator.pth").stat().st_size <= 5e6


def test_no_lock_file_takes_the_place_of_requirements_txt() -> None:
    """Of these a host uses the first that it finds."""
    for name in ("uv.lock", "Pipfile", "Pipfile.lock", "poetry.lock", "environment.yml"):
        assert not (ROOT / name).exists()


def test_every_file_of_the_package_stands_under_an_import_contract() -> None:
    layers = next(
        contract["layers"]
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    package = ROOT / "digit_generator"
    modules = {f"digit_generator.{path.stem}" for path in package.glob("*.py")}
    rooms = {f"digit_generator.{path.parent.name}" for path in package.glob("*/__init__.py")}
    assert set(layers) == modules - {"digit_generator.__init__"} | rooms - {"digit_generator.evaluation"}


@pytest.mark.parametrize("room", ["dataset", "lines", "cli", "evaluation"])
def test_every_file_of_a_room_stands_under_its_import_contract(room: str) -> None:
    (layers,) = (
        contract["layers"]
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == [f"digit_generator.{room}"]
    )
    folder = ROOT / "digit_generator" / room
    modules = {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/*.py")
    }
    assert {name for layer in layers for name in layer.split(" | ")} == modules - {"__init__"}


def test_what_draws_and_shows_does_without_pytorch() -> None:
    """Where `import torch` fails. app.py is not in the package, so no import contract sees it."""
    run_python(
        "sys.modules['torch'] = None",
        "import app, digit_generator.cli.main",
        "from screens import dataset, draw, game, learn, morph, number",
        "assert not any(name.startswith('digit_generator.evaluation') for name in sys.modules)",
    )


@pytest.mark.parametrize(
    "entry",
    ["import app", "from digit_generator.__main__ import main\nsys.argv[1:] = ['--version']\nmain()"],
    ids=["page", "command line"],
)
def test_numpy_is_left_one_thread(entry: str) -> None:
    """OpenBLAS reads the number once, when NumPy is imported: it must be set by then."""
    printed = run_python(
        "os.environ.pop('OPENBLAS_NUM_THREADS', None)",
        "class Watch:",
        "    def find_spec(name, path=None, target=None):",
        "        if name == 'numpy':",
        "            print('threads:', os.environ.get('OPENBLAS_NUM_THREADS'))",
        "sys.meta_path.insert(0, Watch)",
        entry,
    )
    assert printed.startswith("threads: 1\n")


def run_python(*lines: str) -> str:
    """What another interpreter prints that runs these lines in the repository."""
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(("import os, sys", *lines))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_colours_of_the_style_sheet_are_the_themes() -> None:
    """The border is said in both places, since a style sheet cannot read Streamlit's theme."""
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    style = (ROOT / "screens" / "app.css").read_text()
    borders = re.findall(r"--border: light-dark\((#\w+), (#\w+)\)", style)
    assert {*borders} == {(theme["light"]["borderColor"], theme["dark"]["borderColor"])}
    plain = re.findall(r"^ +--border: (#\w+);", style, re.MULTILINE)
    assert plain == [*borders[0]], "for browsers without light-dark()"
