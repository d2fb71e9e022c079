"""The reader of lines: its errors are counted as defined, and it learns to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from digit_generator import DigitGenerator
from digit_generator.evaluation import lines
from digit_generator.evaluation.data import Digits, EvaluationError
from digit_generator.evaluation.networks.reader import HEIGHT, fitted_line, texts_of_reader, trained_reader
from digit_generator.evaluation.protocol import LineTraining
from digit_generator.number import Layout


@pytest.fixture(scope="module")
def shipped() -> DigitGenerator:
    return DigitGenerator.load()


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("12", "12", 0), ("12", "", 2), ("12", "21", 2), ("1234", "134", 1), ("15", "1785", 2)],
)
def test_edit_distance(a: str, b: str, distance: int) -> None:
    assert lines.edit_distance(a, b) == lines.edit_distance(b, a) == distance


def test_errors_are_shares_of_characters_and_of_lines() -> None:
    assert lines.errors(["12", "345"], ["12", "344"]) == {"character": 1 / 5, "line": 1 / 2}


def test_a_line_is_as_high_as_the_reader_wants() -> None:
    low, high = np.full((30, 50), 9, np.uint8), np.full((72, 50), 9, np.uint8)
    assert fitted_line(low).shape == (HEIGHT, 50)
    np.testing.assert_array_equal(fitted_line(low)[3:33], low)
    assert fitted_line(high).shape == (HEIGHT, 25)


def test_texts_have_three_to_five_digits() -> None:
    texts = lines.random_texts(200, np.random.RandomState(0))
    assert {len(text) for text in texts} == {3, 4, 5}
    assert set("".join(texts)) == set("0123456789")


def test_lines_are_put_together_from_digits_of_their_kind() -> None:
    pixels = np.zeros((20, 28, 28), np.uint8)
    for index, cell in enumerate(pixels):
        cell[4:24, 10 : 12 + index % 10] = 255  # a digit d is 2 + d pixels wide
    digits = Digits(pixels, np.arange(20) % 10)
    read = lines.lines_from_digits(digits, 5, seed=0)
    close = lines.lines_from_digits(digits, 5, seed=0, layout=Layout(gap=(-1, -1)))
    assert all(b.shape[1] < a.shape[1] for a, b in zip(read.pictures, close.pictures, strict=True))
    for picture, text in zip(read.pictures, read.texts, strict=True):
        columns = np.diff(np.pad((picture > 0).any(axis=0).astype(int), 1))
        widths = np.flatnonzero(columns < 0) - np.flatnonzero(columns > 0)
        assert (widths - 2).tolist() == [int(character) for character in text]


def test_lines_that_are_learned_from_have_gaps_as_asked(shipped: DigitGenerator) -> None:
    apart = lines.generated_lines(shipped, 12, seed=0)
    close = lines.generated_lines(shipped, 12, seed=0, layout=Layout(gap=(-3, -3)))
    assert apart.texts == close.texts
    for one, other in zip(apart.pictures, close.pictures, strict=True):
        assert other.shape[1] < one.shape[1]


def test_lines_that_teach_have_the_gap_that_is_asked_for_and_those_that_test_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def remembered(_: Any, count: int, seed: int, layout: Layout | None = None) -> lines.Lines:
        made.append((seed, layout and layout.gap))
        return lines.Lines([np.zeros((28, 28), np.uint8)] * count, ["1"] * count)

    monkeypatch.setattr(lines, "mnist_from_folder", lambda *_: None)
    monkeypatch.setattr(lines, "generated_lines", remembered)
    monkeypatch.setattr(lines, "lines_from_digits", remembered)
    monkeypatch.setattr(lines, "reader_errors", lambda *_: {})
    monkeypatch.setattr(lines, "ocr_texts", lambda pictures: ["1"] * len(pictures))
    arguments = ["--data-dir", "unused", "--out", str(tmp_path), "--no-amounts", "--gap", "-3:3"]
    done = CliRunner().invoke(lines.main, arguments)
    assert done.exit_code == 0, done.output
    assert dict(made) == {3: None, 1: (-3, 3), 2: (-3, 3)}
    assert json.loads((tmp_path / "lines.json").read_text())["gap"] == [-3, 3]


def test_the_reader_learns_bars_of_two_widths() -> None:
    rng = np.random.RandomState(0)
    pictures, texts = [], []
    for _ in range(64):
        text = "".join(rng.choice(["1", "8"], 3))
        picture = np.zeros((32, 60), np.uint8)
        for place, character in enumerate(text):
            left = 5 + 18 * place + rng.randint(3)
            picture[6:26, left : left + (3 if character == "1" else 11)] = 255
        pictures.append(picture)
        texts.append(text)
    *_, (steps, reader) = trained_reader(pictures, texts, LineTraining(steps=80, batch=16, rate=5e-3, seed=1))
    assert steps == 80
    assert lines.errors(texts_of_reader(reader, pictures), texts)["character"] < 0.1


def test_the_table_goes_into_the_page_and_is_told_where_there_is_no_place() -> None:
    wrong = {"character": 0.0123, "line": 0.05}
    report: dict[str, Any] = {
        "weights_sha256": "ab" * 32,
        "lines": 2500,
        "test_lines": {"mnist": 1200},
        "steps": 1000,
        "batch": 32,
        "readers": {key: [{"mnist": wrong}] for key in ("generated", "real", "both")},
        "ocr_lines": 200,
        "ocr": {"generated": wrong, "mnist": {"character": 0.02, "line": 0.1}},
    }
    page = "a\n<!-- reader:begin -->\nold\n<!-- reader:end -->\nb\n"
    told = lines.page_with_table(page, report)
    assert "old" not in told
    assert "| both, 5,000 lines | 1.23 % | 5.00 % |" in told
    assert "standard deviation" not in told
    assert lines.page_with_table(told, report) == told
    # Several readers, and amounts: each figure has their mean and spread.
    better = {"mnist": {"character": 0.0103, "line": 0.03}, "amounts": {"character": 0.2, "line": 0.5}}
    worse = {"mnist": wrong, "amounts": {"character": 0.3, "line": 0.5}}
    report["test_lines"]["amounts"] = 1205
    report["readers"] = {key: [better, worse] for key in ("generated", "real", "both")}
    report["ocr"]["amounts"] = wrong
    told = lines.page_with_table(page, report)
    assert "| both, 5,000 lines | 1.13 ± 0.14 % | 4.00 ± 1.41 % | 25.00 ± 7.07 % | 50.00 ± 0.00 % |" in told
    assert "and 1,205 amounts on cheques, which no reader has seen" in told
    assert "2 readers are behind each figure" in told
    assert "apart" not in told
    told = lines.page_with_table(page, {**report, "gap": [-3.0, 3.0]})
    assert "neighbours are -3 to 3 pixels apart (`--gap`). 2 readers" in told
    with pytest.raises(EvaluationError, match="has no <!-- reader:begin -->"):
        lines.page_with_table("a", report)


def test_the_table_of_the_page_is_that_of_the_measured_figures() -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "lines.md").read_text(encoding="utf-8")
    assert lines.page_with_table(page, json.loads((docs / "lines.json").read_text())) == page
