"""A release is made by one command, and what surrounds the code names verbs and versions that there are."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fresh import copy_files, open_folder, repository_files, run

from digit_generator import __version__

ROOT = Path(__file__).parents[1]

WORKFLOW = ROOT / ".github" / "workflows" / "check.yml"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """tools/release.py, which is no part of the package."""
    return importlib.import_module("tools.release")


def test_a_changelog_that_ends_with_this_version_and_its_date_is_right(release: ModuleType) -> None:
    release.check_changelog("# Changelog\n\n## 1.2.3 (2026-01-31)\n- a\n\n## 1.2.2 (2026-01-01)\n", "1.2.3")


@pytest.mark.parametrize(
    "heading",
    ["1.2.2 (2026-01-31)", "1.2.3 (unreleased)", "1.2.3", "1.2.3 (2026-1-31)", "1x2.3 (2026-01-31)"],
)
def test_a_changelog_of_another_version_or_without_a_date_stops_the_release(
    release: ModuleType, heading: str
) -> None:
    with pytest.raises(release.ReleaseError, match=r"expected '## 1\.2\.3 \(YYYY-MM-DD\)'"):
        release.check_changelog(f"# Changelog\n\n## {heading}\n- a\n\n## 1.2.3 (2026-01-31)\n", "1.2.3")


def test_the_changelogs_newest_entry_is_of_this_version() -> None:
    newest = re.search(r"^## (\S+) ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


@pytest.fixture
def released() -> Iterator[Path]:
    """A repository of its own with all files of this one committed, the changelog dated."""
    with open_folder() as folder:
        copy_files(repository_files(), folder)
        changelog = folder / "CHANGELOG.md"
        text = re.sub(r"^(## \S+) \(.*\)$", r"\1 (2026-01-31)", changelog.read_text(), count=1, flags=re.M)
        changelog.write_text(text)
        git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com"]
        run([*git, "init", "--quiet"], folder=folder)
        run([*git, "add", "--all"], folder=folder)
        run([*git, "commit", "--quiet", "--message", "All"], folder=folder)
        yield folder


@pytest.mark.install
def test_one_command_builds_and_tries_a_release(released: Path) -> None:
    said = run([sys.executable, "-m", "tools.release"], folder=released)
    name = f"digit_generator-{__version__}"
    assert f"Ready: dist/{name}.tar.gz, dist/{name}-py3-none-any.whl. To publish:" in said
    assert {path.name for path in (released / "dist").iterdir()} == {
        f"{name}.tar.gz",
        f"{name}-py3-none-any.whl",
    }

    (released / "docs" / "api.md").write_text("old")
    run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qam", "Old"],
        folder=released,
    )
    stopped = subprocess.run(
        [sys.executable, "-m", "tools.release"], cwd=released, capture_output=True, text=True, check=False
    )
    assert stopped.returncode == 2
    assert stopped.stderr.startswith("Error: docs/api.md is not committed, after the documentation was made")


# Around it


def test_every_verb_that_is_written_about_is_one() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == verbs
    described = re.findall(r"@echo 'make ([a-z-]+) ", makefile)
    assert set(described) == verbs - {"help"}
    contributing, workflow = ".github/CONTRIBUTING.md", ".github/workflows/check.yml"
    for path in ("README.md", contributing, "docs/hosts.md", ".ci/run", workflow):
        named = re.findall(r"(?:`|^|run: )make ([a-z-]+)", (ROOT / path).read_text(encoding="utf-8"), re.M)
        assert set(named) <= verbs, path


def test_contributing_is_five_commands() -> None:
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block is not None
    assert len(block[1].splitlines()) == 5


def test_the_workflow_is_valid_and_runs_what_ci_runs_on_every_python() -> None:
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    assert checker, "check-jsonschema is missing: pip install check-jsonschema"
    run([checker, "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)])
    text = WORKFLOW.read_text(encoding="utf-8")
    jobs = dict(re.findall(r"^  (\w+):.*?\n(.*?)(?=^  \w+:|\Z)", text.partition("\njobs:\n")[2], re.M | re.S))
    matrix = {name: re.findall(r'"(3\.\d+)"', job) for name, job in jobs.items()}
    assert matrix == {
        "everything": ["3.11", "3.12", "3.13"],
        "drawing": ["3.11", "3.12", "3.13", "3.14"],
        "drawing_elsewhere": ["3.11", "3.13"],
        "audit": ["3.11"],
    }
    assert "- run: bash .ci/run\n" in jobs["everything"]
    assert "- run: make test-draw\n" in jobs["drawing"]
    assert "system: [windows-latest, macos-latest]\n" in jobs["drawing_elsewhere"]
    for path in re.findall(r"tests/\S+", jobs["drawing_elsewhere"]):
        assert (ROOT / path).is_file(), path


def test_the_pythons_that_the_package_promises_are_those_of_the_workflow() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = [c.rpartition(" ")[2] for c in project["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert promised == ["3.11", "3.12", "3.13", "3.14"]
    assert project["requires-python"] == ">=3.11"
