r"""What is written: a small grammar of patterns, from which texts are drawn by chance.

| in a pattern | stands for |
|---|---|
| `#` | a digit, by the shares asked for |
| `[1-9]`, `[02468]`, `[.,]` | one of these characters |
| `<EUR|€|$>` with alternatives that are patterns themselves | one of them |
| `<date DD.MM.YYYY>` | a day from 1950 to 2049; D, DD, M, MM, YY and YYYY in any order |
| `<amount 9,999.99>` | an amount up to this one, written like it: its thousands sign, its decimals |
| `{3}`, `{2,5}` after any of these | repeats it so many times, each drawn anew |
| `\#`, `\[` and so on | the character itself |

All other characters stand for themselves. Leading zeros come with `#`; `[1-9]#{0,5}` has none.
"""

from __future__ import annotations

import datetime
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping

import numpy as np

from digit_generator.number import CHARACTERS, NumberError, checked_text

FIRST_DAY, LAST_DAY = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
MOST_TIMES = 100
_DEEPEST = 20

_Draw = Callable[[np.random.RandomState], str]


class PatternError(NumberError):
    """A pattern that cannot be read; the message is one sentence that says where."""


class Pattern:
    """A pattern, read once; `text` draws from it. PatternError for what is none."""

    def __init__(self, pattern: str, shares: Mapping[int, float] | None = None) -> None:
        """shares: how often each digit comes where `#` stands, in any unit; None: equally often."""
        if not isinstance(pattern, str) or not pattern:
            raise PatternError(f"the pattern is {pattern!r}: expected one such as '#####-####'")
        weights = np.array(
            [float((shares or dict.fromkeys(range(10), 1.0)).get(digit, 0)) for digit in range(10)]
        )
        if not weights.sum() > 0 or (weights < 0).any():
            raise PatternError(
                f"the shares are {shares}: expected a number of 0 or more for digits, not all 0"
            )
        self.pattern = pattern
        self.shares: dict[int, float] = dict(zip(range(10), weights.tolist(), strict=True))
        weights /= weights.sum()
        up_to = weights.cumsum()
        self._up_to: list[float] = (up_to / up_to[-1]).tolist()
        self._place = 0
        self._deep = 0
        self._draw = self._alternatives(end="")

    def text(self, rng: np.random.RandomState) -> str:
        """One text. NumberError if it is too long, or empty, to be written."""
        return checked_text(self._draw(rng))

    # The pattern is read from left to right by recursive descent.

    def _alternatives(self, end: str) -> _Draw:
        """Sequences between `|` up to `end`, or one to the end of the pattern."""
        if self._deep > _DEEPEST:
            raise self._problem(f"choices are nested more than {_DEEPEST} deep")
        self._deep += 1
        choices = [self._sequence(end)]
        while end and self._here() == "|":
            self._place += 1
            choices.append(self._sequence(end))
        self._deep -= 1
        if len(choices) == 1:
            return choices[0]
        return lambda rng: choices[rng.randint(len(choices))](rng)

    def _sequence(self, end: str) -> _Draw:
        items: list[_Draw] = []
        while (here := self._here()) and not (end and here in (end, "|")):
            items.append(self._repeated(self._item(here)))
        return lambda rng: "".join(item(rng) for item in items)

    def _item(self, here: str) -> _Draw:
        start = self._place
        self._place += 1
        match here:
            case "#":
                # As rng.choice(10, p=...) draws, without the checks that take most of its time.
                return lambda rng: str(bisect_right(self._up_to, rng.random_sample()))
            case "[":
                return self._class(start)
            case "<":
                return self._named(start) or self._choice(start)
            case "\\":
                here = self._here()
                self._place += 1
            case "]" | ">" | "{" | "}" | "|":
                self._place = start
                raise self._problem(f"{here!r} closes or follows nothing: write \\{here} for the character")
        if not here or here not in CHARACTERS:
            self._place = start
            raise self._problem(f"{here!r} cannot be written")
        return lambda rng: here

    def _class(self, start: int) -> _Draw:
        end = self.pattern.find("]", start)
        inside = self.pattern[start + 1 : end] if end > 0 else ""
        spread = re.sub(r"(\d)-(\d)", lambda ends: _digits_between(ends[1], ends[2]), inside)
        if not spread or any(character not in CHARACTERS for character in spread):
            self._place = start
            raise self._problem("expected characters in brackets that can be written, such as [1-9] or [.,]")
        self._place = end + 1
        return lambda rng: spread[rng.randint(len(spread))]

    def _choice(self, start: int) -> _Draw:
        draw = self._alternatives(end=">")
        if self._here() != ">":
            self._place = start
            raise self._problem("'<' is not closed by '>'")
        self._place += 1
        return draw

    def _named(self, start: int) -> _Draw | None:
        """A date or an amount, if that stands here."""
        named = re.compile(r"<(date|amount) ([^<>]*)>").match(self.pattern, start)
        if not named:
            return None
        kind, form = named.groups()
        try:
            draw = _date(form) if kind == "date" else _amount(form)
        except ValueError as error:
            self._place = start
            raise self._problem(str(error)) from None
        self._place = named.end()
        return draw

    def _repeated(self, item: _Draw) -> _Draw:
        if self._here() != "{":
            return item
        times = re.compile(r"\{(\d{1,3})(?:,(\d{1,3}))?\}").match(self.pattern, self._place)
        least, most = (int(times[1]), int(times[2] or times[1])) if times else (1, 0)
        if not times or not least <= most <= MOST_TIMES:
            raise self._problem(
                f"expected {{n}} or {{m,n}}, up to {MOST_TIMES} times, such as {{3}} or {{2,5}}"
            )
        self._place = times.end()
        return lambda rng: "".join(item(rng) for _ in range(rng.randint(least, most + 1)))

    def _here(self) -> str:
        return self.pattern[self._place : self._place + 1]

    def _problem(self, what: str) -> PatternError:
        return PatternError(f"the pattern {self.pattern!r}, character {self._place + 1}: {what}")


def _digits_between(first: str, last: str) -> str:
    return "".join(map(str, range(int(first), int(last) + 1)))


def _date(form: str) -> _Draw:
    """A day, written in this form. ValueError for another."""
    pieces = re.findall(r"YYYY|YY|DD?|MM?|.", form)
    marks = [piece for piece in pieces if piece[0] not in "YMD"]
    if len(pieces) == len(marks) or any(mark not in CHARACTERS for mark in marks):
        raise ValueError("expected a date such as <date DD.MM.YYYY>, of D, DD, M, MM, YY, YYYY and signs")
    days = (LAST_DAY - FIRST_DAY).days + 1

    def draw(rng: np.random.RandomState) -> str:
        day = FIRST_DAY + datetime.timedelta(int(rng.randint(days)))
        words = {
            "D": str(day.day),
            "DD": f"{day.day:02}",
            "M": str(day.month),
            "MM": f"{day.month:02}",
            "YY": f"{day.year % 100:02}",
            "YYYY": str(day.year),
        }
        return "".join(words.get(piece, piece) for piece in pieces)

    return draw


def _amount(form: str) -> _Draw:
    """An amount up to this one, written like it; numbers of one, two and more figures come equally often.
    ValueError for another form."""
    match = re.fullmatch(r"(\d{1,3}(?:([., ])\d{3})(?:\2\d{3})*|\d+)(?:([.,])(\d+))?", form)
    if not match or (match[2] and match[2] == match[3]):
        raise ValueError("expected an amount such as <amount 9,999.99>, <amount 1.234,50> or <amount 500>")
    whole, thousands, point, decimals = match[1], match[2] or "", match[3] or "", len(match[4] or "")
    most = int(re.sub(r"\D", "", form))
    if most >= 10**15:
        raise ValueError("the amount has more than 15 figures")
    figures = len(re.sub(r"\D", "", whole))

    def draw(rng: np.random.RandomState) -> str:
        units = most + 1
        while units > most:
            below = 10 ** int(rng.randint(1, figures + 1))
            units = int(rng.randint(0 if below == 10 else below // 10, below))
            units = units * 10**decimals + int(rng.randint(0, 10**decimals))
        text = f"{units // 10**decimals:,}".replace(",", thousands)
        return f"{text}{point}{units % 10**decimals:0{decimals}}" if decimals else text

    return draw
