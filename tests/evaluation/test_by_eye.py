"""Sheets for a person who must not know, and the counting of what that person marked."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from digit_generator.evaluation import by_eye
from digit_generator.evaluation.data import EvaluationError
from digit_generator.evaluation.measures.asked_for import wilson_interval
from digit_generator.generate import DigitGenerator


@pytest.fixture
def run():
    def invoke(*arguments):
        return CliRunner().invoke(by_eye.main, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def sheets(run, weights_file, tmp_path, draw, monkeypatch):
    """Sheets of 30 generated and 30 real digits, seeds 7 to 9."""
    real = {"train": draw(300, 5), "t10k": draw(300, 6)}
    monkeypatch.setattr(by_eye, "mnist_from_folder", lambda folder, part: real[part])
    monkeypatch.setattr(by_eye, "LEARNED_IMAGES", 100)
    monkeypatch.setattr(by_eye, "ROWS", 2)
    arguments = ["--data-dir", tmp_path, "--seed", 7, "--count", 3]
    result = run("sheet", weights_file, *arguments, "--out", tmp_path / "sheets")
    assert result.exit_code == 0, result.output
    assert run("sheet", weights_file, *arguments, "--out", tmp_path / "again").exit_code == 0
    result = run("sheet", weights_file, *arguments, "--against", "test", "--out", tmp_path / "test")
    assert result.exit_code == 0, result.output
    return tmp_path / "sheets"


def digits_of(folder):
    """uint8 [60, 28, 28], as they stand on the sheets."""
    found = []
    for path in sorted(folder.glob("sheet-*.png")):
        picture = np.asarray(Image.open(path).convert("L"))[40:, 40:]
        for top in range(0, picture.shape[0], 128):
            for left in range(0, picture.shape[1], 128):
                found.append(picture[top : top + 112 : 4, left : left + 112 : 4])
    return np.stack(found)


def test_the_key_says_what_stands_where(sheets, draw, weights_file):
    key = json.loads((sheets / "key.json").read_text())
    shown = digits_of(sheets)
    assert len(shown) == len(key["sources"]) == 60
    generator = DigitGenerator.load(weights_file)
    real = draw(300, 5)[100:]
    held = {
        (source, digit): sorted(image.tobytes() for image in images)
        for digit in range(10)
        for source, images in (
            ("generated", generator.digits(digit, [7, 8, 9])),
            ("real", real.pixels[real.labels == digit][-3:]),
        )
    }
    found = {pair: [] for pair in held}
    for image, source, digit in zip(shown, key["sources"], key["digits"], strict=True):
        found[source, digit].append(np.ascontiguousarray(image).tobytes())
    assert {pair: sorted(images) for pair, images in found.items()} == held
    assert 15 < sum(a != b for a, b in zip(key["sources"], key["sources"][1:], strict=False)) < 45
    assert key["weights_sha256"] == generator.digest


def test_the_same_digits_give_the_same_sheets(sheets):
    for path in sheets.iterdir():
        assert path.read_bytes() == (sheets.parent / "again" / path.name).read_bytes()


def test_against_test_takes_the_test_images(sheets, draw):
    key = json.loads((sheets.parent / "test" / "key.json").read_text())
    test = {image.tobytes() for image in draw(300, 6).pixels}
    for image, source in zip(digits_of(sheets.parent / "test"), key["sources"], strict=True):
        assert (np.ascontiguousarray(image).tobytes() in test) == (source == "real")


def test_marks_are_counted_by_source_and_digit(sheets, run, tmp_path):
    key = json.loads((sheets / "key.json").read_text())
    fakes = [i for i, source in enumerate(key["sources"]) if source == "generated"][:4]
    reals = [i for i, source in enumerate(key["sources"]) if source == "real"][:1]
    lines = [f"{i // 20 + 1} {i % 20 + 1}" for i in (*fakes, *reals)]
    marks = tmp_path / "marks.txt"
    marks.write_text("# faulty\n\n" + "\n".join(lines).replace(" ", ", ", 1) + "  # a speck\n")
    result = run("marks", marks, "--key", sheets / "key.json", "--out", tmp_path / "seen.json")
    assert result.exit_code == 0, result.output
    low, high = wilson_interval(4, 30)
    assert f"| generated | 4 of 30 | 13.3 % ({100 * low:.1f} to {100 * high:.1f}) |" in result.output
    assert "| real | 1 of 30 | 3.3 % (" in result.output
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["generated"]["faulty_per_digit"] == [
        sum(key["digits"][i] == digit for i in fakes) for digit in range(10)
    ]
    assert (seen["seeds"], seen["real"]["images"]) == ([7, 9], 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2\nthree 4", "Line 2 of the marks is 'three 4'; expected a row and a column, such as 12 7."),
        ("5", "Line 1 of the marks is '5'"),
        ("4 1", "names row 4, column 1; the sheets have rows 1 to 3 and columns 1 to 20."),
        ("0 1", "names row 0"),
        ("1 21", "names row 1, column 21"),
        ("3 20", "names row 3, column 20"),  # the last row is not full
        ("1 2\n1 2", "Line 2 of the marks names row 1, column 2 again; mark a digit once."),
    ],
)
def test_a_mark_that_is_none_is_a_sentence(text, said):
    with pytest.raises(EvaluationError) as caught:
        by_eye.places_from_text(text, columns=20, images=50)
    assert said in str(caught.value)


def test_mistakes_end_with_a_sentence_and_code_2(sheets, run, tmp_path, weights_file):
    marks = tmp_path / "marks.txt"
    marks.write_text("99 1")
    other = tmp_path / "other.json"
    other.write_text('{"sources": ["real"], "digits": [1]}')
    listed = tmp_path / "list.json"
    listed.write_text("[]")
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG")
    broken = tmp_path / "generator.pth"
    broken.write_bytes(b"nothing")
    for arguments, said in (
        (("marks", marks, "--key", sheets / "key.json"), "names row 99"),
        (("marks", marks, "--key", other), "is no key; expected the key.json"),
        (("marks", marks, "--key", listed), "is no key"),
        (("marks", picture, "--key", sheets / "key.json"), "cannot be read; expected a text file."),
        (("sheet", broken, "--data-dir", tmp_path, "--out", tmp_path / "new"), "generator.pth"),
        (
            ("sheet", weights_file, "--data-dir", tmp_path, "--out", marks / "x", "--count", 1),
            "name a folder with --out",
        ),
        (
            ("sheet", weights_file, "--data-dir", tmp_path, "--out", "x", "--seed", 2**32 - 1),
            "40 seeds from 4294967295 on go beyond 4294967295",
        ),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert said in result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "new").exists()
