"""Lines without end: line i of a source depends on the source and on i, and on nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from digit_generator.bulk import BulkGenerator
from digit_generator.chance import seeded
from digit_generator.generate import MAX_SEED, DigitGenerator, checked_whole
from digit_generator.hand import Hand
from digit_generator.lines.grammar import Pattern, PatternError
from digit_generator.lines.looks import Look, LookError, Picture, Value, check_libraries, page_of, picture_of
from digit_generator.number import DrawnText, checked_text, drawn_texts
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.style import Style, StyleControls, StyleError

BEFORE = {"uneven": False}
"""What the identities of earlier sources do not say, and mean."""

_TEXT_STREAM, _HAND_STREAM = 3, 4


class LineSource:
    """Draws lines by their number. NumberError, LookError and StyleError for what cannot be drawn.

    texts: a grammar.Pattern, its form as a str, or the texts themselves, which come again from the first one
    after the last. seed: of line 0's hand and text; line i has seed + i. one_hand: the share of lines in one
    hand; in the others each digit has a hand of its own. uneven: the digits of a hand are left as they come,
    which is several times as fast; one that leans or is thicker than the others is not brought back into
    line. hands: persons', one of which each line in one hand has; if not given, that of the generator, else
    the seed's own. HandError for one of other weights. style: by the names of style.Style, a value or a range
    from which each line draws its own.
    """

    def __init__(
        self,
        generator: DigitGenerator,
        texts: str | Pattern | Sequence[str],
        *,
        seed: int = 0,
        look: Look | None = None,
        one_hand: float = 1.0,
        uneven: bool = False,
        hands: Sequence[Hand] = (),
        style: Mapping[str, Value] | None = None,
        controls: StyleControls | None = None,
    ) -> None:
        strangers = generator.variant(raw=generator.raw, neat=generator.neat)
        self.generator = strangers
        self.hands = [*hands] or ([generator.in_hand] if generator.in_hand else [])
        self._drawing = {
            hand: strangers.variant(raw=strangers.raw, neat=strangers.neat, in_hand=hand)
            for hand in (None, *self.hands)
        }
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
        self.uneven = bool(uneven)
        self.style = dict(style or {})
        if unknown := [name for name in self.style if name not in STROKE_MEASURES]:
            raise StyleError(f"{unknown[0]!r} is no style: expected {', '.join(STROKE_MEASURES)}")
        self.controls = controls
        if self.style:
            self.controls = controls or StyleControls.load(generator)
            for name, value in self.style.items():
                for end in value if isinstance(value, tuple) else (value,):
                    self.controls.nearest(0, Style(**{name: end}))  # told before anything is drawn

    @functools.cached_property
    def _raw_bulk(self) -> BulkGenerator:
        """Draws the network's own pixels of any hand; made when the first line is drawn."""
        return BulkGenerator(self.generator.variant(raw=True, neat=self.generator.neat))

    def text(self, index: int) -> str:
        """What line `index` reads."""
        if isinstance(self.texts, Pattern):
            return self.texts.text(seeded([self.seed, index, _TEXT_STREAM]))
        return self.texts[index % len(self.texts)]

    def seed_of(self, index: int) -> int:
        """Of line `index`: the source's seed and the number, after 2^32-1 from 0 on."""
        return (self.seed + index) % (MAX_SEED + 1)

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
            "uneven": self.uneven,
            "hands": [{"hand": hand.text, "variation": hand.variation} for hand in self.hands],
            "style": self.style,
            "controls_sha256": self.controls.digest if self.controls else "",
            "weights_sha256": self.generator.digest,
            "finish": self.generator.finish_version,
            "choice_sha256": self.generator.choice_digest,
            "neat": self.generator.neat,
        }
        identity: dict[str, Any] = json.loads(json.dumps(values))
        return identity

    def hand_of(self, seed: int) -> Hand | None:
        """The person's hand in which the line of this seed is, if it is in one."""
        _, _, hand = self._writer_of(seed)
        return hand

    def _writer_of(self, seed: int) -> tuple[Style, bool, Hand | None]:
        """The style of the line of this seed, whether it is in one hand, and in which person's."""
        if self.one_hand in (0, 1) and len(self.hands) < 2 and not self.style:  # nothing is left to chance
            return Style(), self.one_hand == 1, self.hands[0] if self.hands and self.one_hand else None
        rng = seeded([seed, _HAND_STREAM])
        chance = rng.uniform(0, 1, 1 + len(STROKE_MEASURES))
        in_one = bool(chance[0] < self.one_hand)
        values = {
            name: _between(self.style[name], share)
            for name, share in zip(STROKE_MEASURES, chance[1:].tolist(), strict=True)
            if name in self.style
        }
        hand = self.hands[rng.randint(len(self.hands))] if in_one and self.hands else None
        return Style(**values), in_one, hand

    def _drawn(self, indices: Sequence[int]) -> list[DrawnText]:
        seeds = [self.seed_of(index) for index in indices]
        texts = [self.text(index) for index in indices]
        writers = [self._writer_of(seed) for seed in seeds]
        drawn: dict[int, DrawnText] = {}
        for hand, generator in self._drawing.items():
            mine = [i for i, (_, _, own) in enumerate(writers) if own == hand]
            lines = drawn_texts(
                generator,
                [texts[i] for i in mine],
                [seeds[i] for i in mine],
                [writers[i][0] for i in mine],
                self.controls,
                [writers[i][1] for i in mine],
                self._raw_bulk,
                self.uneven,
            )
            drawn |= zip(mine, lines, strict=True)
        return [drawn[i] for i in range(len(seeds))]


def _between(value: Value, share: float) -> float:
    low, high = value if isinstance(value, tuple) else (value, value)
    return low + (high - low) * share
