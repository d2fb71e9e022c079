"""tools/publish.py: what derives from the weights is made in order, once, and again when that changes."""

from __future__ import annotations

import importlib
import re
import runpy
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return importlib.import_module("tools.publish")


@pytest.fixture
def steps(tool: ModuleType) -> list[Any]:
    """first: seed -> a; second: a, extra -> b. Each adds its name to a log."""

    def script(name: str, text: str, target: str) -> tuple[str, ...]:
        return ("-c", f"open('log', 'a').write('{name} '); open('{target}', 'w').write({text})")

    return [
        tool.Step("first", script("first", "open('seed').read() + '!'", "a"), ("seed",), ("a",)),
        tool.Step("second", script("second", "open('a').read() + '?'", "b"), ("a", "extra*"), ("b",)),
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "seed").write_text("1")
    return tmp_path


def ran(root: Path) -> str:
    path = root / "log"
    text = path.read_text().strip() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text


def test_steps_run_in_order_and_say_how_long(
    tool: ModuleType, steps: list[Any], root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tool.publish(steps, root, root)
    assert ran(root) == "first second"
    assert (root / "b").read_text() == "1!?"
    said = capfd.readouterr().out.splitlines()
    assert said[0] == "[1/2] first ..."
    assert re.fullmatch(r"\[1/2\] first: \d+ s", said[1])
    assert said[-1].startswith("Done in ")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ""),
        ({"seed": "2"}, "first second"),
        ({"extra.txt": "new"}, "second"),
        ({"b": "by hand"}, "second"),
        ({"a": None}, "first"),  # made again as it was
        ({"runs/publish/second.json": "{"}, "second"),
    ],
)
def test_only_what_is_not_up_to_date_is_made_again(
    tool: ModuleType, steps: list[Any], root: Path, changed: dict[str, str | None], expected: str
) -> None:
    tool.publish(steps, root, root)
    ran(root)
    for name, text in changed.items():
        if text is None:
            (root / name).unlink()
        else:
            (root / name).write_text(text)
    tool.publish(steps, root, root)
    assert ran(root) == expected
    tool.publish(steps, root, root)
    assert ran(root) == ""


def test_a_step_with_another_command_is_made_again(tool: ModuleType, steps: list[Any], root: Path) -> None:
    tool.publish(steps, root, root)
    ran(root)
    first = tool.Step("first", (*steps[0].command, "more"), steps[0].reads, steps[0].writes)
    tool.publish([first, steps[1]], root, root)
    assert ran(root) == "first"


def test_a_step_that_fails_stops_the_work_and_the_next_run_goes_on_there(
    tool: ModuleType, steps: list[Any], root: Path
) -> None:
    fails = tool.Step("second", ("-c", "import sys; sys.exit(3)"), ("a",), ("b",))
    with pytest.raises(tool.PublishError, match="'second' ended with code 3"):
        tool.publish([steps[0], fails], root, root)
    assert ran(root) == "first"
    tool.publish(steps, root, root)
    assert ran(root) == "second"


def test_a_step_that_writes_nothing_is_told(tool: ModuleType, root: Path) -> None:
    with pytest.raises(tool.PublishError, match="'idle' wrote no nothing"):
        tool.publish([tool.Step("idle", ("-c", ""), ("seed",), ("nothing*",))], root, root)


def test_the_data_folder_goes_into_the_command(tool: ModuleType, root: Path) -> None:
    write = ("-c", "import sys; open('a', 'w').write(sys.argv[1])", tool.DATA_DIR)
    tool.publish([tool.Step("data", write, (), ("a",))], root, Path("/some/where"))
    assert (root / "a").read_text() == "/some/where"


def test_only_and_list(
    tool: ModuleType, steps: list[Any], root: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(tool, "STEPS", steps)
    monkeypatch.setattr(tool, "ROOT", root)
    (root / "generator.pth").write_text("weights")
    assert tool.main(["--only", "first"]) == 0
    assert ran(root) == "first"
    capfd.readouterr()
    assert tool.main(["--list"]) == 0
    assert [line.split(maxsplit=1) for line in capfd.readouterr().out.splitlines()] == [
        ["first", "up to date"],
        ["second", "to be made"],
    ]
    assert ran(root) == ""
    assert tool.main(["--only", "third"]) == 2
    assert "there is no step 'third': name one of first, second." in capfd.readouterr().err
    (root / "generator.pth").unlink()
    assert tool.main([]) == 2
    assert "generator.pth is missing: train it with make train." in capfd.readouterr().err


def test_every_step_names_files_and_a_command_that_there_are(tool: ModuleType) -> None:
    for step in tool.STEPS:
        if step.command[0] == "-m":
            module = ROOT / step.command[1].replace(".", "/")
            assert (module / "__main__.py").is_file() or module.with_suffix(".py").is_file(), step.name
        else:
            assert (ROOT / step.command[0]).is_file(), step.name
        for pattern in step.reads:
            if pattern.endswith((".py", ".js", ".css", ".html")):
                assert [*ROOT.glob(pattern)], f"{step.name}: {pattern}"
    written = [pattern for step in tool.STEPS for pattern in step.writes]
    assert len(set(written)) == len(written)
    for number, step in enumerate(tool.STEPS):
        later = {pattern for other in tool.STEPS[number:] for pattern in other.writes}
        assert not later & set(step.reads), f"{step.name} reads what comes after it"


def test_every_command_knows_its_options(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked for help after all their words, the commands refuse an unknown option before they print it."""
    monkeypatch.chdir(ROOT)
    for step in tool.STEPS:
        if step.name in ("reference", "card-in-words"):  # take no options
            continue
        dash_m, module, *words = (str(ROOT) if word == tool.DATA_DIR else word for word in step.command)
        assert dash_m == "-m"
        monkeypatch.setattr(sys, "argv", [module, *words, "--help"])
        with pytest.raises(SystemExit) as ended, warnings.catch_warnings(action="ignore"):  # it is imported
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        told = capsys.readouterr()
        assert ended.value.code == 0, told.err
        for option in (word for word in words if word.startswith("--")):
            assert option in told.out, f"{step.name}: {option}"
