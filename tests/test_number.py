"""A line says what was asked for, its boxes hold the ink, and nothing touches."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.ndimage import label

from digit_generator.generate import DigitGenerator
from digit_generator.number import (
    INK,
    MAX_TEXTS,
    Line,
    NumberError,
    line_from_cells,
    lines_in_order,
    texts_from_pattern,
    write_number,
    write_numbers,
)
from digit_generator.recipe import MAX_CHARACTERS, stem_of_text
from digit_generator.style import Style, StyleControls

TEXTS = ["2026", "3.14", "-7", "24/12/2026", "+49 30 123-456", "12:30", "1,5", "  1  2 ", "/", "0"]
TEXTS += ["€ 12.50", "$1,299", "£45 (50%)", "$€£%()"]


@pytest.fixture(scope="module")
def shipped() -> DigitGenerator:
    return DigitGenerator.load()


def box(line: Line, index: int) -> np.ndarray:
    _, left, top, right, bottom = line.boxes[index]
    return line.picture[top:bottom, left:right]


def cells(*sizes: tuple[int, int]) -> np.ndarray:
    """A full rectangle of (height, width) in the middle of each cell."""
    pixels = np.zeros((len(sizes), 28, 28), np.uint8)
    for cell, (height, width) in zip(pixels, sizes, strict=True):
        top, left = 14 - height // 2, 14 - width // 2
        cell[top : top + height, left : left + width] = 255
    return pixels


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("seed", [0, 5])
def test_a_box_for_every_character_holds_its_ink(shipped: DigitGenerator, text: str, seed: int) -> None:
    line = write_number(shipped, text, seed)
    assert line.text == text
    assert "".join(character for character, *_ in line.boxes) == text
    assert line.picture.dtype == np.uint8
    rest = line.picture.copy()
    for index, (character, left, top, right, bottom) in enumerate(line.boxes):
        assert 0 <= left < right <= line.picture.shape[1]
        assert 0 <= top < bottom <= line.picture.shape[0]
        ink = box(line, index) >= INK
        if character == " ":
            assert not ink.any()
        else:
            assert all(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))  # no larger than it
            rest[top:bottom, left:right] = 0
    assert (rest < INK).all()  # no ink outside the boxes


@pytest.mark.parametrize("seed", range(6))
def test_no_box_reaches_into_the_next_and_no_ink_touches(shipped: DigitGenerator, seed: int) -> None:
    line = write_number(shipped, "74/1:2,5.0-9+68 11", seed)
    for (_, _, _, right, _), (_, left, _, _, _) in zip(line.boxes, line.boxes[1:], strict=False):
        assert right <= left


def test_the_ink_and_not_the_cell_sets_the_distance() -> None:
    narrow = line_from_cells("11", cells((20, 4), (20, 4)), seed=0)
    wide = line_from_cells("00", cells((20, 18), (20, 18)), seed=0)
    for line in (narrow, wide):
        gap = line.boxes[1][1] - line.boxes[0][3]
        assert 2 <= gap <= 6


def test_what_can_move_closer_does() -> None:
    """A low block beside a high one may come closer than two that face each other."""
    upper, lower, full = cells((28, 10), (28, 10), (20, 10))
    upper[12:] = 0
    lower[:6] = 0
    lower[:, 14:] = 0
    lower[22:, 9:20] = 255  # a foot
    upper[:, :9] = 0
    line = line_from_cells("00", np.stack([lower, full]), seed=0)
    assert line.boxes[1][1] - line.boxes[0][3] >= 1


def test_digits_stand_on_a_line_that_moves_a_little() -> None:
    text = "0" * 40
    line = line_from_cells(text, cells(*[(20, 10)] * 40), seed=3)
    bottoms = np.array([bottom for *_, bottom in line.boxes])
    assert np.ptp(bottoms) in (1, 2, 3, 4)
    assert np.abs(np.diff(bottoms)).max() <= 2


def test_signs_stand_where_they_belong(shipped: DigitGenerator) -> None:
    line = write_number(shipped, "8.8,8-8:8+8/8", 1)
    boxes = {character: box for character, *box in line.boxes if character != "8"}
    foot = np.median([bottom for character, *_, bottom in line.boxes if character == "8"])
    head = np.median([top for character, _, top, _, _ in line.boxes if character == "8"])
    middle = (foot + head) / 2
    assert abs(boxes["."][3] - foot) <= 2
    assert boxes["."][1] > middle
    assert boxes[","][3] > boxes["."][3]
    for sign in "-+":
        assert boxes[sign][1] < middle + 3 < boxes[sign][3] + 3
        assert head < boxes[sign][1]
        assert boxes[sign][3] < foot
    assert head < boxes[":"][1] < middle < boxes[":"][3]
    assert boxes["/"][1] <= head + 2
    assert boxes["/"][3] >= foot - 2


def test_signs_of_prices_stand_as_high_as_digits_and_brackets_around_them(shipped: DigitGenerator) -> None:
    line = write_number(shipped, "8€8$8£8%8(8)8", 1)
    boxes = {character: box for character, *box in line.boxes if character != "8"}
    foot = np.median([bottom for character, *_, bottom in line.boxes if character == "8"])
    head = np.median([top for character, _, top, _, _ in line.boxes if character == "8"])
    for sign in "€£%":
        assert boxes[sign][1] == pytest.approx(head, abs=3)
        assert boxes[sign][3] == pytest.approx(foot, abs=3)
    for sign in "$()":
        assert boxes[sign][1] < head
        assert boxes[sign][3] > foot


@pytest.mark.parametrize(("sign", "holes"), [("%", 2), ("€", 0), ("(", 0)])
@pytest.mark.parametrize("thickness", [2, 6])
def test_the_holes_of_signs_stay_open(sign: str, holes: int, thickness: int) -> None:
    hand = cells((20, thickness))
    (_, left, top, right, bottom) = line_from_cells(sign, hand[:0], seed=0, hand=hand).boxes[0]
    picture = line_from_cells(sign, hand[:0], seed=0, hand=hand).picture
    paper = np.pad(picture[top:bottom, left:right] < INK, 1, constant_values=True)
    assert label(paper)[1] == 1 + holes


def test_brackets_bow_outwards() -> None:
    hand = cells((20, 3))
    for sign, ends in (("(", 1), (")", -1)):
        ink = box(line_from_cells(sign, hand[:0], seed=0, hand=hand), 0) >= INK
        columns = [np.flatnonzero(row).mean() for row in ink]
        assert ends * (columns[0] - columns[len(columns) // 2]) > 2
        assert ends * (columns[-1] - columns[len(columns) // 2]) > 2


def test_a_file_name_of_signs_is_short_enough_for_a_file_system() -> None:
    assert stem_of_text("€" * 30) == "€" * 30
    assert len(stem_of_text("€" * 60).encode()) < 120


def test_signs_follow_the_thickness_and_slant_of_the_digits() -> None:
    thin, thick = cells((20, 2)), cells((20, 6))
    heights = []
    for hand in (thin, thick):
        line = line_from_cells("-", hand[:0], seed=0, hand=hand)
        heights.append((box(line, 0) / 255).sum(axis=0).max())
    assert heights == pytest.approx([2, 5], abs=0.8)
    leaning = np.zeros((1, 28, 28), np.uint8)
    for row in range(4, 24):
        leaning[0, row, 22 - row // 2 : 25 - row // 2] = 255
    upright = line_from_cells("/", thin[:0], seed=0, hand=thin)
    slanted = line_from_cells("/", thin[:0], seed=0, hand=leaning)
    assert slanted.boxes[0][3] - slanted.boxes[0][1] > upright.boxes[0][3] - upright.boxes[0][1] + 5


def test_the_same_number_is_the_same_picture_and_another_hand_another(shipped: DigitGenerator) -> None:
    first, second, other = (write_number(shipped, "2026", seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.picture, second.picture)
    assert first.boxes == second.boxes
    assert first.picture.shape != other.picture.shape or not np.array_equal(first.picture, other.picture)


def test_many_lines_are_those_that_are_written_one_by_one(shipped: DigitGenerator) -> None:
    seeds = [7, 2**32 - 1, 7, 30]
    together = write_numbers(shipped, TEXTS[:4], seeds)
    for line, text, seed in zip(together, TEXTS, seeds, strict=False):
        alone = write_number(shipped, text, seed)
        np.testing.assert_array_equal(line.picture, alone.picture)
        assert (line.text, line.boxes) == (text, alone.boxes)
    texts = texts_from_pattern("#-#", 140, 3)
    many = list(lines_in_order(shipped, texts, range(140)))
    assert [line.text for line in many] == texts
    for index in (0, 63, 64, 139):
        np.testing.assert_array_equal(many[index].picture, write_number(shipped, texts[index], index).picture)


def test_many_lines_in_a_style_are_those_that_are_written_one_by_one(shipped: DigitGenerator) -> None:
    style = Style(thickness=3)
    (first, second) = write_numbers(shipped, ["12", "3.4"], [1, 2], style)
    np.testing.assert_array_equal(first.picture, write_number(shipped, "12", 1, style).picture)
    np.testing.assert_array_equal(second.picture, write_number(shipped, "3.4", 2, style).picture)


def test_a_seed_for_each_text(generator: DigitGenerator) -> None:
    assert write_numbers(generator, [], []) == []
    with pytest.raises(ValueError, match="1 seeds came for 2 texts: expected one for each"):
        write_numbers(generator, ["1", "2"], [1])


def test_a_style_holds_for_digits_and_signs(shipped: DigitGenerator) -> None:
    controls = StyleControls.load(shipped)
    low = max(controls.ranges(digit)["thickness"][0] for digit in range(10))
    high = min(controls.ranges(digit)["thickness"][1] for digit in range(10))
    ink = []
    for thickness in (low, high):
        line = write_number(shipped, "3-5", 2, Style(thickness=thickness), controls)
        ink.append([(box(line, index) / 255).sum() for index in range(3)])
    assert (np.array(ink[1]) > 1.3 * np.array(ink[0])).all()


def test_blank_cells_keep_their_place() -> None:
    """Weights that were hardly trained may draw nothing."""
    line = line_from_cells("1.1", np.zeros((2, 28, 28), np.uint8), seed=0)
    assert [character for character, *_ in line.boxes] == ["1", ".", "1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is empty: expected digits"),
        ("   ", "is empty"),
        (
            "12a",
            "'a' (character 3) cannot be written: expected digits, "
            "the signs . , - : / + € $ £ % ( ) and spaces",
        ),
        ("1\n2", r"'\n' (character 2) cannot be written"),
        ("🙂", "cannot be written"),
        ("٣", r"'٣' (character 1) cannot be written"),
        ("²", r"'²' (character 1) cannot be written"),
        ("−7", r"'−' (character 1) cannot be written"),
        ("1" * (MAX_CHARACTERS + 1), f"{MAX_CHARACTERS + 1} characters: expected {MAX_CHARACTERS} at most"),
        (7, "the text is 7, of type int"),
    ],
)
def test_a_text_that_cannot_be_written_is_told(shipped: DigitGenerator, text: str, words: str) -> None:
    with pytest.raises(NumberError, match=re.escape(words)):
        write_number(shipped, text)


def test_a_cell_for_every_digit() -> None:
    with pytest.raises(NumberError, match="1 digits came for '1-2'"):
        line_from_cells("1-2", cells((20, 3)), seed=0)


def test_another_seed_is_told(shipped: DigitGenerator) -> None:
    with pytest.raises(ValueError, match="seed -1 is not a whole number"):
        write_number(shipped, "7", -1)


# Patterns


def test_patterns_are_filled_with_digits() -> None:
    texts = texts_from_pattern("#####-####", 300, seed=1)
    assert len(texts) == 300
    assert all(re.fullmatch(r"\d{5}-\d{4}", text) for text in texts)
    assert set("".join(texts)) == set("0123456789-")
    assert texts_from_pattern("#####-####", 3, seed=1) == texts[:3]
    assert texts_from_pattern("#####-####", 300, seed=2) != texts
    assert [text[:4] for text in texts_from_pattern("+49 ##", 2)] == ["+49 "] * 2


@pytest.mark.parametrize(
    ("pattern", "count", "words"),
    [
        ("123", 1, "the pattern '123' has no #"),
        ("", 1, "has no #"),
        ("#a", 1, r"'a' \(character 2\) cannot be written"),
        ("#", 0, f"count is 0: expected a whole number from 1 to {MAX_TEXTS}"),
        ("#", MAX_TEXTS + 1, "count is"),
        ("#", True, "count is True"),
        ("#", 1.5, "count is 1.5"),
        ("#" * (MAX_CHARACTERS + 1), 1, "characters"),
    ],
)
def test_a_pattern_that_cannot_be_filled_is_told(pattern: str, count: int, words: str) -> None:
    with pytest.raises(NumberError, match=words):
        texts_from_pattern(pattern, count)


def test_a_text_that_is_no_text_is_named(generator: DigitGenerator) -> None:
    words = r"^the text is 2026, of type int: expected a str, such as '2026'$"
    with pytest.raises(NumberError, match=words):
        write_number(generator, 2026)


def test_numpys_whole_numbers_are_taken(generator: DigitGenerator) -> None:
    line = write_number(generator, "12", np.int64(3))
    np.testing.assert_array_equal(line.picture, write_number(generator, "12", 3).picture)
    assert texts_from_pattern("##", np.int32(2), np.int64(5)) == texts_from_pattern("##", 2, 5)
