"""What the command lines of the ruler share."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

WEIGHTS = Path(__file__).parents[2] / "generator.pth"


@pytest.mark.parametrize(
    ("module", "arguments", "out"),
    [
        ("__main__", [str(WEIGHTS)], "card"),
        ("style", [], "report"),
        ("lines", [], "report"),
        ("hands", [], "report"),
        ("greys", [str(WEIGHTS)], "report"),
        ("refine", [str(WEIGHTS)], "new/generator.pth"),
    ],
)
def test_a_folder_that_cannot_be_made_is_told_before_the_work(
    module: str, arguments: list[str], out: str, tmp_path: Path
) -> None:
    """MNIST is not there: its absence would be told otherwise, and only then the folder."""
    (tmp_path / "file").write_bytes(b"")
    command = importlib.import_module(f"digit_generator.evaluation.{module}").main
    options = ["--data-dir", str(tmp_path), "--out", str(tmp_path / "file" / out)]
    done = CliRunner().invoke(command, [*arguments, *options])
    assert done.exit_code == 2
    assert "cannot be written (" in done.output
    assert "choose another folder with --out" in done.output
