"""README and the pages under docs/: commands run in order, links lead somewhere, and numbers are those of the
files that they quote.

The commands of a page run in one new folder, as a reader types them, on the weights of this repository. What
needs a network, a server, minutes or another program is not run: `NOT_RUN` lists how such a command begins.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from digit_generator.cli.main import cli
from digit_generator.evaluation.card import figures_of

ROOT = Path(__file__).parents[1]
WRITTEN_BY_COMMANDS = {"api.md", "quality.md", "style.md", "greys.md", "hands.md"}
README = "README.md"
PAGES = [
    README,
    "CHANGELOG.md",
    ".github/CONTRIBUTING.md",
    *sorted(
        f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md") if path.name not in WRITTEN_BY_COMMANDS
    ),
]
MAX_LINES = 150

RUN = ("python -m digit_generator ", "digit-generator ")
"""How a command begins that is run, unless NOT_RUN has it too."""

NOT_RUN = (
    ". .venv/bin/activate",
    "curl ",
    "docker build ",
    "docker run ",
    "git push heroku main",
    "heroku create",
    "hf auth login",
    "hf repo create ",
    "hf upload ",
    "make ",
    "pip install ",
    "pytest",
    "python -m build",
    "python -m digit_generator dataset 10000000 --engine ray",  # tests/test_cluster.py starts Ray
    "python -m digit_generator lines 100000 --engine ray",
    "python -m digit_generator style learn",  # two minutes
    "python -m digit_generator.evaluation",  # MNIST, and up to an hour
    "python mnist_gan_training.py",
    "python -m tools.serve_web",
    "python3 -m venv .venv",
    "streamlit run app.py",
)

SMALLER = {
    "dataset 60000 --test 10000": "dataset 60 --test 10",
    "dataset 5000": "dataset 50",
    "dataset 900": "dataset 9",
    "--count 1000": "--count 3",
    "lines 1000": "lines 3",
}
"""What is made smaller so that the test is quick: each stands in a command that is run."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


class Block(NamedTuple):
    """A fenced block: `language` is "" where none is given."""

    language: str
    lines: list[str]


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(language, body.splitlines()) for language, body in blocks]


def prose_of(page: str) -> str:
    """The page without its fenced blocks, with single spaces for all white space."""
    return " ".join(re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL).split())


def commands_of(line: str) -> list[str]:
    """What a line of sh runs: its parts between &&, without the comment."""
    bare = " ".join(re.sub(r"(^|\s)#\s.*$", "", line).split())
    return [part for part in bare.split(" && ") if part]


def is_run(command: str) -> bool:
    return command.startswith(RUN) and not command.startswith(NOT_RUN)


def sh_commands(pages: list[str]) -> list[str]:
    """The commands of all sh blocks of these pages."""
    return [
        command
        for page in pages
        for block in blocks_of(text_of(page))
        if block.language == "sh"
        for line in block.lines
        for command in commands_of(line)
    ]


def unknown_commands(commands: list[str]) -> list[str]:
    return [command for command in commands if not command.startswith((*RUN, *NOT_RUN))]


# Blocks


def test_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= MAX_LINES


def test_an_unknown_command_is_found() -> None:
    known = ["pip install a", "python -m digit_generator generate 7", "make run"]
    assert unknown_commands(known) == []
    for line in ("rm -rf digits", "make run && rm -rf digits", "python -m digit_generatr generate 7"):
        assert unknown_commands(commands_of(line)) == commands_of(line)[-1:]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_here_or_is_listed_as_one_that_is_not(page: str) -> None:
    assert {block.language for block in blocks_of(text_of(page))} <= {"sh", "python", ""}
    assert text_of(page).count("```") == 2 * len(blocks_of(text_of(page)))
    assert unknown_commands(sh_commands([page])) == []


def test_every_entry_of_the_lists_is_needed() -> None:
    commands = sh_commands(PAGES)
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in commands), start
    for large in SMALLER:
        assert any(large in command for command in commands if is_run(command)), large


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """run("sh", "-c", command) -> what it prints, in a new folder with `python` and `digit-generator`."""
    programs, folder = tmp_path / "programs", tmp_path / "folder"
    for path in (programs, folder):
        path.mkdir()
    for name, command in (("python", ""), ("digit-generator", " -m digit_generator")):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{command} "$@"\n')
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}

    def run(*words: str) -> str:
        result = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert result.returncode == 0, f"{words[-1]}\n{result.stdout}{result.stderr}"
        return result.stdout

    return run


def has_something_to_run(page: str) -> bool:
    languages = {block.language for block in blocks_of(text_of(page))}
    return "python" in languages or any(is_run(command) for command in sh_commands([page]))


@pytest.mark.parametrize("page", [page for page in PAGES if has_something_to_run(page)])
def test_the_commands_of_a_page_run_in_order_in_one_folder(
    page: str, run: Callable[..., str], tmp_path: Path
) -> None:
    for language, lines in blocks_of(text_of(page)):
        if language == "python":
            run("python", "-c", "\n".join(lines))
        for line in lines if language == "sh" else ():
            for command in filter(is_run, commands_of(line)):
                smaller = command
                for large, small in SMALLER.items():
                    smaller = smaller.replace(large, small)
                printed = run("sh", "-c", smaller)
                written = [word for word in printed.splitlines() if (tmp_path / "folder" / word).is_file()]
                assert written or not re.search(r" (generate|morph|number|dataset|export) ", command)
            if any(map(is_run, commands_of(line))):
                for promised in re.findall(r"[\w-]+/(?:[\w.-]+\.\w+)?(?=\W|$)", line.partition(" # ")[2]):
                    assert (tmp_path / "folder" / promised).exists(), f"{line}: {promised} is missing"


# What is not run


def inline_commands(page: str) -> list[str]:
    """The commands in the running text that are of this repository or Python's."""
    code = re.findall(r"`([^`]+)`", prose_of(page))
    return [words for words in code if re.match(r"(make [a-z]|python (-m )?[a-z])", words)]


def file_of_program(command: str) -> Path | None:
    """The file that a python command runs, if it is one of this repository. Fails if there is none."""
    script = re.match(r"python ([\w/]+\.py)", command)
    if script:
        assert (ROOT / script[1]).is_file(), command
        return ROOT / script[1]
    module = re.match(r"python3? -m ([\w.]+)", command)
    assert module is not None, command
    place = ROOT / module[1].replace(".", "/")
    for path in (place.with_suffix(".py"), place / "__main__.py"):
        if path.is_file():
            return path
    assert not (ROOT / module[1].partition(".")[0]).is_dir(), f"{command}: there is no such module"
    assert importlib.util.find_spec(module[1]), f"{command}: there is no such module"
    return None


def check_command_line(words: list[str]) -> None:
    """Raises click.UsageError if the command line of the package does not take these words. Runs nothing."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        name, words = words[0], words[1:]
        if name not in command.commands:
            raise click.UsageError(f"There is no command {name}.")
        command = command.commands[name]
    command.make_context(name, words)


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_not_run_name_programs_and_options_that_there_are(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    for command in [*sh_commands([page]), *inline_commands(page)]:
        if command.startswith("make "):
            assert command.split()[1] in targets, command
        elif command.startswith("python -m digit_generator ") and not is_run(command):
            check_command_line(shlex.split(command)[3:])
        elif command.startswith("python"):
            path = file_of_program(command)
            program = path.read_text(encoding="utf-8") if path else ""
            if path and "report_options" in program:
                program += path.with_name("options.py").read_text(encoding="utf-8")
            for option in re.findall(r" (--[a-z-]+)", command) if path and not is_run(command) else ():
                assert option == "--help" or f'"{option}"' in program, command


def test_a_command_line_that_the_package_does_not_take_is_found() -> None:
    check_command_line(["dataset", "5", "--engine", "ray"])
    for words in (["dataset", "5", "--engine", "rays"], ["style", "learn", "--wights", "a"], ["drow", "7"]):
        with pytest.raises(click.UsageError):
            check_command_line(words)


# Links


def links_of(page: str) -> list[str]:
    """The relative addresses of links and pictures."""
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(\s*([^)\s]+)\s*\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    return [link for link in found if not re.match(r"https?://", link)]


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    bare = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line)) for line in headings]
    return {heading.lower().replace(" ", "-") for heading in bare}


def test_anchors_are_githubs() -> None:
    text = "# The demo in `web/`, on any host\n## A 1's width: 5 %\n"
    assert anchors_of(text) == {"the-demo-in-web-on-any-host", "a-1s-width-5-"}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_to_what_is_there(page: str) -> None:
    for link in links_of(page):
        place, _, anchor = link.partition("#")
        path = ((ROOT / page).parent / place).resolve() if place else ROOT / page
        assert path.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors_of(path.read_text(encoding="utf-8")), f"{page}: {link}"


def test_every_page_is_reached_from_readme() -> None:
    reached, left = {README}, [README]
    while left:
        page = left.pop()
        for link in links_of(page):
            path = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            name = path.relative_to(ROOT).as_posix()
            if name in PAGES and name not in reached:
                reached.add(name)
                left.append(name)
    assert set(PAGES) == reached


def paths_named(page: str) -> Iterator[str]:
    """The files and folders of this repository that stand in code in the running text."""
    for code in re.findall(r"`([^`]+)`", prose_of(page)):
        match = re.fullmatch(
            r"((?:docs|screens|tests|tools|benchmarks|digit_generator|web|\.github)/[\w./-]*)(:.*)?", code
        )
        if match:
            yield match[1]


def test_the_walkthrough_names_files_functions_and_tests_that_there_are() -> None:
    text = text_of("docs/walkthrough.md")
    for path in paths_named("docs/walkthrough.md"):
        assert (ROOT / path).exists(), path
    for file, names in re.findall(r"`([\w/]+\.py):([\w.]+)`", text):
        path = ROOT / file if (ROOT / file).is_file() else ROOT / "digit_generator" / file
        for name in names.split("."):
            assert re.search(rf"(def|class) {name}\b", path.read_text(encoding="utf-8")), f"{file}:{names}"
    section = text.partition("## Learning")[2].partition("\n## ")[0]
    trains, tests = text_of("mnist_gan_training.py"), text_of("tests/test_training.py")
    for row in section.splitlines():
        if row.startswith("|") and "`" in row:
            made_by, checked_by = row.split("|")[3:5]
            for name in re.findall(r"`([\w.]+)`", made_by):
                for part in name.split("."):
                    assert re.search(rf"^ *(def|class) {part}\b|^{part} = ", trains, re.MULTILINE), name
            for name in re.findall(r"`(\w+)`", checked_by):
                assert f"def {name}(" in tests, name


# Numbers


PROVENANCE: dict[str, Any] = json.loads(text_of("generator.json"))
CARD: dict[str, Any] = json.loads(text_of("docs/quality.json"))
TOLD = "Told from real by a fresh network (50 % = cannot)"


def figure(column: str, title: str) -> float:
    """A figure of docs/quality.json without its spread: percent where it has the sign."""
    return float(figures_of(CARD, column)[title].split()[0])


def rounded(value: float, digits: int = 0) -> str:
    return f"{value:.{digits}f}"


def megabytes(*paths: Path) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


def sheets() -> str:
    """The epochs of which docs/training/best has a sheet: "1, 2 and 5"."""
    epochs = sorted(
        int(p.stem.removeprefix("epoch-")) for p in (ROOT / "docs/training/best").glob("epoch-*.png")
    )
    return f"{', '.join(map(str, epochs[:-1]))} and {epochs[-1]}"


SECONDS = str(PROVENANCE["seconds"])
LOSSES = (ROOT / "docs/training/best/losses.jsonl").read_text().splitlines()
MINUTES_OF_SHEETS = rounded(sum(json.loads(row)["seconds"] for row in LOSSES) / 60)
EPOCHS = str(PROVENANCE["epochs"])
MODEL = PROVENANCE["weights_bytes"] / 1e6
WEB = megabytes(*(path for path in (ROOT / "web").iterdir() if path.is_file() and path.suffix != ".py"))
CHOICE = rounded(100 * megabytes(ROOT / "generator.choice.safetensors")) + "0"
REJECTED = rounded(100 * CARD["drawing"]["first_z_refused"], 1)

# Page, pattern, and what its groups must be wherever it is found; it must be found.
QUOTED: list[tuple[str, str, tuple[str, ...]]] = [
    (README, r"one (\S+) MB file", (rounded(MODEL),)),
    (README, r"starts a second time after epoch (\d+)", (str(PROVENANCE["recipe"]["restart_after"]),)),
    (README, r"took (\d+) epochs, (\d+) seconds on an NVIDIA H200", (EPOCHS, SECONDS)),
    ("docs/space.md", r"one (\S+) MB file", (rounded(MODEL),)),
    ("docs/hosts.md", r"(\S+) MB in all", (rounded(WEB, 1),)),
    ("docs/performance.md", r"size of the model file \|[^|]*\| (\S+) MB \|", (rounded(MODEL, 1),)),
    ("docs/performance.md", r"\| (\d+) s on an NVIDIA H200", (SECONDS,)),
    ("docs/training.md", r"took (\d+) epochs, (\d+) seconds on an NVIDIA H200", (EPOCHS, SECONDS)),
    ("docs/training.md", r"took (\d+) minutes on one core", (MINUTES_OF_SHEETS,)),
    ("docs/training.md", r"after ([\d, and]+) epochs", (sheets(),)),
    ("docs/training.md", r"\((\d+) KB beside the weights\)", (CHOICE,)),
    ("docs/training.md", r"rejects the (\S+) % of z", (REJECTED,)),
    ("docs/decisions.md", r"rejects (\S+) % of digits", (REJECTED,)),
    ("docs/decisions.md", r"tells them apart in (\d+) %", (rounded(figure("validation", TOLD)),)),
    ("docs/decisions.md", r"digits by other hands in (\d+) %", (rounded(figure("validation", TOLD)),)),
    ("docs/decisions.md", r"real from real in (\d+) %", (rounded(figure("real", TOLD)),)),
    ("docs/experiments.md", r"tells the latter in (\d+) %", (rounded(figure("validation", TOLD)),)),
]


@pytest.mark.parametrize(("page", "pattern", "expected"), QUOTED, ids=[f"{q[0]}: {q[1]}" for q in QUOTED])
def test_a_quoted_number_is_that_of_its_file(page: str, pattern: str, expected: tuple[str, ...]) -> None:
    found = [match.groups() for match in re.finditer(pattern, prose_of(page))]
    assert found
    assert set(found) == {expected}


def test_the_size_under_the_architecture_is_that_of_the_file() -> None:
    assert f"{MODEL:.1f} MB in half precision" in text_of(README)


def test_what_readme_says_of_the_quality_holds_for_the_card() -> None:
    generated, real = figures_of(CARD, "generated"), figures_of(CARD, "real")
    value = {
        title: (figure("generated", title), figure("real", title)) for title in generated if title in real
    }
    # "almost as often as real ones", and "a little more often"
    for judge, least, most in (("OCR judge", -1, 0), ("own judge", 0, 0.5)):
        drawn, written = value[f"Read as the digit asked for, {judge}"]
        assert least < drawn - written < most
    assert value[TOLD][0] > value[TOLD][1]  # "more often than by chance"
    assert value["Recall"][0] < value["Recall"][1]
    assert value["Train on synthetic, test on real"][0] < value["Train on synthetic, test on real"][1]


def test_every_row_of_the_performance_table_names_its_command() -> None:
    rows = [line for line in text_of("docs/performance.md").splitlines() if line.startswith("| ")]
    assert rows[0] == "| what | target | measured | command |"
    for row in rows[1:]:
        assert re.search(r"`[a-z/]+ [^`]+`", row.rstrip("| ").rpartition("|")[2]), row


@pytest.mark.parametrize("page", PAGES)
def test_percent_has_a_space_before_it(page: str) -> None:
    text = re.sub(r"`[^`]*`", "", prose_of(page))
    assert re.findall(r"\S*\d%", text) == []
