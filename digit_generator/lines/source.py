"""Lines without end: line i of a source depends on the source and on i, and on nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from digit_generator.generate import MAX_SEED, DigitGenerator, checked_whole
from digit_generator.lines.grammar import Pattern, PatternError
from digit_generator.lines.looks import Look, LookError, Picture, Value, check_libraries, page_of, picture_of
from digit_generator.number import DrawnText, checked_text, drawn_texts
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.style import Style, StyleControls, StyleError

_TEXT_STREAM, _HAND_STREAM = 3, 4


class LineSource:
    """Draws lines by their number. NumberError, LookError and StyleError for what cannot be drawn.

    texts: a grammar.Pattern, its form as a str, or the texts themselves, which come again from the first one
    after the last. seed: of line 0's hand and text; line i has seed + i. one_hand: the share of lines in one
    hand; in the others each digit has a hand of its own. style: by the names of style.Style, a value or a
    range from which each line draws its own.
    """

    def __init__(
        self,
        generator: DigitGenerator,
        texts: str | Pattern | Sequence[str],
        *,
        seed: int = 0,
        look: Look | None = None,
        one_hand: float = 1.0,
        style: Mapping[str, Value] | None = None,
        controls: StyleControls | None = None,
    ) -> None:
        self.generator = generator
        texts = Pattern(texts) if isinstance(texts, str) else texts
        self.texts = texts if isinstance(texts, Pattern) else [checked_text(text) for text in texts]
        if not isinstance(self.texts, Pattern) and not self.texts:
            raise PatternError("no texts came: expected one or more, or a pattern")
        self.seed = checked_whole("seed", seed, 0, MAX_SEED)
        self.look = look or Look()
        check_libraries(self.look)
        if not 0 <= one_hand <= 1:
            raise LookError(f"one_hand is {one_hand!r}: expected a share from 0 to 1")
        self.one_hand = float(one_hand)
        self.style = dict(style or {})
        if unknown := [name for name in self.style if name not in STROKE_MEASURES]:
            raise StyleError(f"{unknown[0]!r} is no style: expected {', '.join(STROKE_MEASURES)}")
        self.controls = controls
        if self.style:
            self.controls = controls or StyleControls.load(generator)
            for name, value in self.style.items():
                for end in value if isinstance(value, tuple) else (value,):
                    self.controls.nearest(0, Style(**{name: end}))  # told before anything is drawn

    def text(self, index: int) -> str:
        """What line `index` reads."""
        if isinstance(self.texts, Pattern):
            return self.texts.text(np.random.RandomState([self.seed, index, _TEXT_STREAM]))
        return self.texts[index % len(self.texts)]

    def pictures(self, indices: Sequence[int]) -> list[Picture]:
        """The lines with these numbers, drawn together, which is faster: 64 at a time will do."""
        return [picture_of(one, self.look) for one in self._drawn(indices)]

    def pages(self, indices: Sequence[int], lines: int, overlap: float = 0.0) -> list[Picture]:
        """Pages with these numbers: page i has the lines from i * `lines` on."""
        drawn = self._drawn([index * lines + line for index in indices for line in range(lines)])
        return [page_of(drawn[i : i + lines], self.look, overlap) for i in range(0, len(drawn), lines)]

    def identity(self) -> dict[str, Any]:
        """All on which a line depends, as JSON has it."""
        texts = self.texts
        if isinstance(texts, Pattern):
            told: dict[str, Any] = {"pattern": texts.pattern, "shares": texts.shares}
        else:
            told = {"texts_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest()}
        values = told | {
            "seed": self.seed,
            "look": self.look.asked,
            "one_hand": self.one_hand,
            "style": self.style,
            "controls_sha256": self.controls.digest if self.controls else "",
            "weights_sha256": self.generator.digest,
            "finish": self.generator.finish_version,
            "choice_sha256": self.generator.choice_digest,
            "neat": self.generator.neat,
        }
        identity: dict[str, Any] = json.loads(json.dumps(values))
        return identity

    def _drawn(self, indices: Sequence[int]) -> list[DrawnText]:
        seeds = [(self.seed + index) % (MAX_SEED + 1) for index in indices]
        styles, one_hand = [], []
        for seed in seeds:
            chance = np.random.RandomState([seed, _HAND_STREAM]).uniform(0, 1, 1 + len(STROKE_MEASURES))
            one_hand.append(bool(chance[0] < self.one_hand))
            styles.append(
                Style(
                    **{
                        name: _between(self.style[name], share)
                        for name, share in zip(STROKE_MEASURES, chance[1:].tolist(), strict=True)
                        if name in self.style
                    }
                )
            )
        texts = [self.text(index) for index in indices]
        return drawn_texts(self.generator, texts, seeds, styles, self.controls, one_hand)


def _between(value: Value, share: float) -> float:
    low, high = value if isinstance(value, tuple) else (value, value)
    return low + (high - low) * share
