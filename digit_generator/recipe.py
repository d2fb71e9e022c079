"""A picture's recipe: how it was made, the name of its file, the command that draws it again, and its limits.

The recipe is a line of text inside the PNG.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from digit_generator.choose import NEATEST
from digit_generator.errors import DigitGeneratorError
from digit_generator.finish import VERSION as FINISH_VERSION
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator

if TYPE_CHECKING:
    from digit_generator.style import StyleControls

STROKE_MEASURES = ("thickness", "slant", "width")  # what a style sets, in this order everywhere
MAX_COUNT = 10_000  # digits drawn by one command, or on one sheet
MAX_CHARACTERS = 200  # of a number
MAX_FRAMES = 2000  # of a morph
MAX_SCALE = 64  # 28 pixels become 1,792
HAND_PATTERN = "[0-9a-f]{8}[.][0-9A-Za-z_-]{133}[AQgw]"
"""A person's hand as text: how the weights' SHA-256 begins, and z, a signed byte each, in base64url."""

_IN_A_NAME = str.maketrans("/: ", "_=~")  # what no name of a file should have
_STOPS_IN_A_NAME, _BYTES_IN_A_NAME = 12, 120


class RecipeError(DigitGeneratorError):
    """A recipe that cannot be followed; the message is one sentence for a person."""


@dataclass(frozen=True)
class Recipe:
    """One picture: a digit, a sheet of them, a number, or a morph. RecipeError for anything else.

    Exactly one of `digit` (0...9), `text` (a number) and `stops` (a morph: (digit, seed), ...) is given.

    weights_sha256: of the weights file; "" where it is not known, and of a placeholder, drawn by rule.
    seed: of the first digit, 0...2^32-1; of a number; not used by a morph, whose stops have their own.
    count: how many digits, with seeds one after the other; more than one make a sheet.
    frames_between, animated: of a morph; as a strip if not animated, else as an APNG.
    style: what was asked for, by the names of STROKE_MEASURES, in the units of style.Style. None leaves all.
    controls_sha256: with a style, style.StyleControls.digest; "" where it is not known.
    scale: pixels of the picture for one of the digit's.
    finish: finish.VERSION of what finished it; 0 for the network's own pixels, as recipes without it mean.
    choice_sha256: Choice.digest of what chose z; "" where every z was taken, as recipes without it mean.
    neat: how strictly it chose, 0...choose.NEATEST.
    hand, variation: hand.Hand.text and .variation of the person's hand that it is drawn in; "" where each
        seed has its own. A morph's stop with the seed None is that hand as it is.
    """

    weights_sha256: str
    digit: int | None = None
    seed: int = 0
    count: int = 1
    text: str | None = None
    stops: tuple[tuple[int, int | None], ...] = ()
    frames_between: int = 0
    animated: bool = False
    style: Mapping[str, float] | None = None
    controls_sha256: str = ""
    scale: int = 1
    placeholder: bool = False
    finish: int = 0
    choice_sha256: str = ""
    neat: int = 0
    hand: str = ""
    variation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("digit", "seed", "count", "frames_between", "scale", "finish", "neat"):
            value = getattr(self, name)
            if isinstance(value, np.integer):  # no JSON
                object.__setattr__(self, name, int(value))
        stops = tuple((int(digit), None if seed is None else int(seed)) for digit, seed in self.stops)
        object.__setattr__(self, "stops", stops)
        checks = (
            re.fullmatch("([0-9a-f]{64})?", self.weights_sha256),
            re.fullmatch("([0-9a-f]{64})?", self.controls_sha256),
            re.fullmatch("([0-9a-f]{64})?", self.choice_sha256) and 0 <= self.finish <= FINISH_VERSION,
            0 <= self.neat <= NEATEST and (self.choice_sha256 or not self.neat),
            (self.digit is not None) + (self.text is not None) + bool(stops) == 1,
            self.digit is None or self.digit in range(10),
            0 <= self.seed <= MAX_SEED and 1 <= self.count <= MAX_COUNT,
            self.seed + self.count - 1 <= MAX_SEED,
            self.text is None or (0 < len(self.text) <= MAX_CHARACTERS and self.text.isprintable()),
            len(stops) != 1 and len(stops) <= MAX_FRAMES,
            all(
                digit in range(10) and (self.hand if s is None else 0 <= s <= MAX_SEED) for digit, s in stops
            ),
            re.fullmatch(f"({HAND_PATTERN})?", self.hand),
            _is_number(self.variation) and 0 <= self.variation <= bool(self.hand),
            0 <= self.frames_between <= MAX_FRAMES and 1 <= self.scale <= MAX_SCALE,
            self.style is None
            or (set(self.style) <= {*STROKE_MEASURES} and {*map(_is_number, self.style.values())} <= {True}),
        )
        if not all(checks):
            raise RecipeError(f"{self!r} is no picture that this program draws")

    def to_text(self) -> str:
        """The recipe as one line of JSON, in ASCII, without what is as the class has it by default."""
        told = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name == "weights_sha256" or getattr(self, field.name) != field.default
        }
        return json.dumps(told | ({"style": dict(self.style)} if self.style else {}))

    @classmethod
    def of(
        cls,
        generator: DigitGenerator | PlaceholderGenerator,
        *,
        style: Mapping[str, float] | None = None,
        controls: StyleControls | None = None,
        **picture: Any,
    ) -> Recipe:
        """The recipe of a picture drawn by `generator`, in a style by `controls`; the rest are fields."""
        if isinstance(generator, PlaceholderGenerator):
            return cls("", placeholder=True, **picture)
        picture |= {"finish": generator.finish_version, "choice_sha256": generator.choice_digest}
        picture |= {"neat": generator.neat}
        if generator.in_hand:
            picture |= {"hand": generator.in_hand.text, "variation": generator.in_hand.variation}
        if style:
            picture |= {"style": style, "controls_sha256": controls.digest if controls else ""}
        return cls(generator.digest, **picture)

    @classmethod
    def from_text(cls, text: str) -> Recipe:
        """The recipe that to_text wrote. RecipeError if it did not write this."""
        try:
            told: dict[str, Any] = json.loads(text)
            types = {
                "weights_sha256": str,
                "controls_sha256": str,
                "choice_sha256": str,
                "hand": str,
                "text": str,
                "animated": bool,
                "placeholder": bool,
                "variation": float,
                "style": dict,
                "stops": list,
            }
            told["variation"] = variation = told.get("variation", 0.0)
            if type(variation) is int:
                told["variation"] = float(variation)
            if not all(type(value) is types.get(name, int) for name, value in told.items()):
                raise TypeError("a value of another type")
            stops = tuple((digit, seed) for digit, seed in told.pop("stops", ()))
            if not all(type(digit) is int and (seed is None or type(seed) is int) for digit, seed in stops):
                raise TypeError("a stop that is no digit and seed")
            return cls(**told, stops=stops)
        # JSON that is none, that is no object, with other names, or of other values.
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise RecipeError(
                "the recipe in it is damaged, or from a later version of this program"
            ) from None

    def arguments(self, weights: str | None = None) -> list[str]:
        """What follows `python -m digit_generator` to draw this picture again, by a weights file if named."""
        if self.stops:
            words = ["morph", *(f"{digit}:{_seed_word(seed)}" for digit, seed in self.stops)]
            words += ["--frames", str(self.frames_between), "--format", "apng" if self.animated else "strip"]
            words += ["--scale", str(self.scale)]
        elif self.digit is not None:
            words = ["generate", str(self.digit), "--count", str(self.count), "--seed", str(self.seed)]
            words += ["--sheet"] * (self.count > 1)
        else:
            words = ["number", "--seed", str(self.seed)]
        for name, value in (self.style or {}).items():
            words += [f"--{name}={value!r}"]  # with "=", since a slant may begin with a minus
        words += ["--scale", str(self.scale)] * (self.scale > 1 and not self.stops)
        words += ["--hand", self.hand] if self.hand else []
        words += [f"--variation={self.variation!r}"] if self.hand and not self.stops else []
        words += ["--placeholder"] * self.placeholder
        words += ["--raw"] * (self.finish == 0 and not self.placeholder)
        words += ["--every-z"] * (not self.choice_sha256 and not self.placeholder)
        words += ["--neat", str(self.neat)] if self.neat else []
        words += ["--weights", weights] if weights else []
        if self.text is not None:
            words += ["--", self.text]  # a number may begin with a minus
        return words

    def command(self, weights: str | None = None) -> str:
        """The command that draws this picture again, quoted for a shell."""
        return shlex.join(["python", "-m", "digit_generator", *self.arguments(weights)])

    def described(self) -> dict[str, str]:
        """What the recipe says, for a person, by name."""
        if self.stops:
            kind = "animation" if self.animated else "strip"
            what = {
                "morph": " to ".join(
                    f"{digit} ({'the hand' if seed is None else f'seed {seed}'})"
                    for digit, seed in self.stops
                ),
                "shown as": f"{kind}, {self.frames_between} pictures between",
            }
        elif self.digit is not None:
            last = f" to {self.seed + self.count - 1}" if self.count > 1 else ""
            what = {"digit": str(self.digit), "seed" if self.count == 1 else "seeds": f"{self.seed}{last}"}
        else:
            what = {"number": str(self.text), "seed": str(self.seed)}
        what |= {name: f"{value:g}" for name, value in (self.style or {}).items()}
        what |= {"hand": self.hand} if self.hand else {}
        what |= {"variation": f"{self.variation:g}"} if self.hand and not self.stops else {}
        if self.placeholder:
            return what | {"weights": "none, a placeholder drawn by rule", "scale": str(self.scale)}
        finish = (
            f"MNIST's scan rule, version {self.finish}" if self.finish else "none, the network's own pixels"
        )
        return what | {
            "weights": self.weights_sha256 or "unknown",
            "choice": self.choice_sha256 or "none, every z is taken",
            **({"neat": f"{self.neat} of {NEATEST}"} if self.neat else {}),
            "finish": finish,
            "scale": str(self.scale),
        }


def stem_of_digit(digit: int, *, placeholder: bool = False) -> str:
    """How the name of a file with pictures of this digit begins; a placeholder's name says so."""
    return f"{'placeholder_' if placeholder else ''}digit_{digit}"


def stem_of_text(text: str) -> str:
    """How the name of a number's picture begins. Two texts never share a name.

    Names that would be hidden, as of ".5", or too long for a file system begin with "number_".
    """
    if len(text.encode()) > _BYTES_IN_A_NAME:
        return f"number_{len(text)}_characters_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    stem = text.translate(_IN_A_NAME)
    return f"number_{stem}" if stem.startswith(".") else stem


def stem_of_morph(stops: Sequence[tuple[int, int | None]]) -> str:
    """The name of a morph's file without its ending: its digits and seeds, or a digest of many stops."""
    if len(stops) > _STOPS_IN_A_NAME:
        digest = hashlib.sha256(f"{list(stops)}".encode()).hexdigest()[:8]
        return f"morph_{len(stops)}_stops_{digest}"
    digits, seeds = zip(*stops, strict=True)
    if {*seeds} == {None}:
        return f"morph_{'-'.join(map(str, digits))}"
    named = f"seed_{seeds[0]}" if len(set(seeds)) == 1 else f"seeds_{'-'.join(map(_seed_word, seeds))}"
    return f"morph_{'-'.join(map(str, digits))}_{named}"


def style_suffix(style: Mapping[str, float], *, raw: bool = False, neat: int = 0, hand: str = "") -> str:
    """How the name of a picture's file ends, before the dot: "_thickness_3_slant_0.3", "_neat_2_raw", or
    nothing.

    hand: the name of the person's hand that it is drawn in, if any: "_hand_4f9a0c1e".
    """
    asked = {**style, **({"neat": neat} if neat else {})}
    named = "".join(f"_{name}_{value:g}" for name, value in asked.items())
    return named + (f"_hand_{hand}" if hand else "") + "_raw" * raw


def _seed_word(seed: int | None) -> str:
    """A stop's seed, or that it is the hand as it is."""
    return "hand" if seed is None else str(seed)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
