"""Patterns draw what they say, and a pattern that says nothing is told with its place."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pytest

from digit_generator.lines.grammar import Pattern, PatternError
from digit_generator.number import NumberError


def texts(pattern: str, count: int = 300, **options: object) -> list[str]:
    rng = np.random.RandomState(0)
    read = Pattern(pattern, **options)
    return [read.text(rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        ("#####-####", r"\d{5}-\d{4}"),
        ("[1-9]#{0,5}", r"[1-9]\d{0,5}"),
        ("[02468]{2}", r"[02468]{2}"),
        ("#[.,]##", r"\d[.,]\d\d"),
        ("<€|$|£>#{2,3}", r"[€$£]\d{2,3}"),
        ("<1<2|3>|4#>", r"1[23]|4\d"),
        ("(<amount 9,999.99>)", r"\((\d{1,3}|\d,\d{3})\.\d\d\)"),
        ("<amount 99.999,5> €", r"(\d{1,3}|\d\d?\.\d{3}),\d €"),
        ("<amount 500>%", r"([1-4]?\d?\d|500)%"),
        ("<date DD.MM.YYYY>", r"\d\d\.\d\d\.(19[5-9]\d|20[0-4]\d)"),
        ("<date M/D/YY>", r"\d\d?/\d\d?/\d\d"),
        ("<12|3>{2}", r"(12|3){2}"),
    ],
)
def test_every_text_is_of_the_form_and_they_differ(pattern: str, form: str) -> None:
    drawn = texts(pattern)
    assert all(re.fullmatch(form, text) for text in drawn)
    assert len(set(drawn)) > 3
    assert texts(pattern) == drawn


def test_all_of_a_class_and_all_alternatives_come() -> None:
    assert set(texts("[3-5]")) == {"3", "4", "5"}
    assert set(texts("<12|3|4{2}>")) == {"12", "3", "44"}
    assert {len(text) for text in texts("#{1,4}")} == {1, 2, 3, 4}


def test_days_are_days() -> None:
    days = [datetime.datetime.strptime(text, "%d.%m.%Y") for text in texts("<date DD.MM.YYYY>", 1000)]
    assert {day.month for day in days} == {*range(1, 13)}
    assert max(day.day for day in days) == 31


def test_amounts_stay_below_and_small_ones_come_too() -> None:
    amounts = [float(text.replace(",", "")) for text in texts("<amount 1,234.50>", 1000)]
    assert max(amounts) <= 1234.5
    assert 0.15 < np.mean([amount < 10 for amount in amounts]) < 0.5
    assert max(amounts) > 1000


def test_digits_are_drawn_as_numpy_chooses() -> None:
    """So that a seed has the text that it had when NumPy's choice drew it."""
    shares = {1: 1, 7: 3.5, 9: 0.1}
    weights = np.array([shares.get(digit, 0) for digit in range(10)])
    rng = np.random.RandomState(8)
    drawn = [rng.choice(10, p=weights / weights.sum()) for _ in range(150)]
    assert Pattern("#" * 150, shares).text(np.random.RandomState(8)) == "".join(map(str, drawn))


def test_digits_come_in_their_shares() -> None:
    digits = "".join(texts("#{10}", shares={1: 1, 7: 3}))
    assert set(digits) == {"1", "7"}
    assert digits.count("7") / len(digits) == pytest.approx(0.75, abs=0.03)
    even = "".join(texts("#{10}"))
    assert all(abs(even.count(str(digit)) / len(even) - 0.1) < 0.02 for digit in range(10))


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "the pattern is '': expected one such as"),
        ("12a", "character 3: 'a' cannot be written"),
        ("#{", "character 2: expected {n} or {m,n}, up to 100 times"),
        ("#{3,2}", "character 2: expected {n} or {m,n}"),
        ("#{101}", "character 2: expected {n}"),
        ("{2}", "character 1: '{' closes or follows nothing: write \\{ for the character"),
        ("[", "character 1: expected characters in brackets"),
        ("[5-3]", "character 1: expected characters in brackets"),
        ("[ab]", "character 1: expected characters in brackets"),
        ("<1|2", "character 1: '<' is not closed by '>'"),
        ("1>", "character 2: '>' closes"),
        ("1|2", "character 2: '|' closes"),
        ("<date>", "cannot be written"),
        ("<date ..>", "character 1: expected a date such as <date DD.MM.YYYY>"),
        ("<date DD of MM>", "expected a date"),
        ("<amount 1,2,3>", "character 1: expected an amount such as"),
        ("<amount 1.234.50>", "expected an amount"),
        ("<amount x>", "expected an amount"),
        ("\\", "character 1: '' cannot be written"),
        ("\\a", "character 1: 'a' cannot be written"),
        ("<" * 30 + "1" + ">" * 30, "nested more than 20 deep"),
    ],
)
def test_a_pattern_that_is_none_is_told(pattern: str, words: str) -> None:
    with pytest.raises(PatternError, match=re.escape(words)):
        Pattern(pattern)


def test_shares_that_are_none_and_texts_too_long_are_told() -> None:
    with pytest.raises(PatternError, match=r"the shares are \{7: 0\}: expected"):
        Pattern("#", {7: 0})
    with pytest.raises(NumberError, match="characters: expected 200 at most"):
        texts("<#{100}>{3}")
