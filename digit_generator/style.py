"""Thickness, slant and width as controls in z, and one hand across digits.

A control does not bend the finished picture: it looks for the z, near the one that the seed gives, from which
the generator itself draws a stroke of that thickness, slant or width. It walks there along the gradient of
shapes.estimated_shapes. How that estimate relates to what Morpho-MNIST would measure, and how far each digit
can go, is learned once from many samples of the generator (`python -m digit_generator style learn`) and kept
in a small file beside the weights, bound to them by their SHA-256.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from digit_generator.chance import seeded
from digit_generator.errors import DigitGeneratorError
from digit_generator.files import UntilChanged, read_at_most
from digit_generator.generate import (
    LATENT_SIZE,
    DigitGenerator,
    checked_seeds,
    labels_from_digits,
    pixels_from_images,
)
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.shapes import Estimates, estimated_strokes, measured_shapes

if TYPE_CHECKING:
    from digit_generator.hand import Hand

SUFFIX = ".style.json"
MAX_FILE_BYTES = 2**20  # 2 KB
UNITS = {"thickness": "pixels", "slant": "radians", "width": "pixels"}

SAMPLES = 2000
"""Drawn of each digit to learn from: with 500, the upper end of a 1's width is off by a pixel."""
_FIRST_SAMPLE = 3_000_000_000  # seeds that nobody else uses for measuring
_RANGE = (5, 95)
"""In percent of what the generator draws by itself: beyond it the controls are not believed."""

HAND_VARIATION = 0.35
"""How much of z is each number's own in one hand: 0 none, 1 all."""

_HAND_THICKNESS = 0.2  # of the middle one
_HAND_SLANT = 0.12  # radians
_USUAL_SPREAD = (0.65, 0.23, 2.5)  # of MNIST's digits, within one digit
_HAND_STEPS = 8

_WALK = 3  # counted up when anything changes about which z is found
_STEPS = 30
_LONGEST_STEP = 1.5  # in z, whose own length is about 10
_GRID = 2.0**-16  # in z: what each step is rounded to
_NEARNESS = 0.005  # how much a squared unit of z counts beside a squared spread of a shape
_HELD_WEIGHT = (1.2, 2.0, 2.5)  # of each shape: how much more it counts when it is to stay than to change
_TAIL_WEIGHT = 0.2  # per pixel, of the tails: else a 1 gets its width from a speck beside it
_SPECK_WEIGHT = 0.5  # per pixel, of tails beyond the longest held: what a speck has
_LONGEST_TAIL = 2.5  # pixels held, of tails: nine of ten digits have less, a specked 1 has more
_CHUNK = 256  # digits steered at a time: 60 MB of working memory

_Floats = npt.NDArray[np.float64]


class StyleError(DigitGeneratorError):
    """A style that cannot be drawn, or no controls for these weights; the message is one sentence."""


@dataclass(frozen=True)
class Style:
    """How a digit is to be drawn; None leaves what the seed draws. StyleError for what is no finite number.

    thickness: of the stroke, in pixels. slant: in radians, positive leans to the right. width: across the
    slant, in pixels. Each as Morpho-MNIST measures it (shapes.py).
    """

    thickness: float | None = None
    slant: float | None = None
    width: float | None = None

    def __post_init__(self) -> None:
        for name in STROKE_MEASURES:
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not _is_finite(value)):
                raise StyleError(f"{name} is {value!r}: expected a number of {UNITS[name]}, or None")

    @property
    def asked(self) -> dict[str, float]:
        """What is not None, by name."""
        return {
            name: float(getattr(self, name)) for name in STROKE_MEASURES if getattr(self, name) is not None
        }


class StyleControls:
    """What was learned of one generator. Made by `load` or `learned_controls`."""

    def __init__(self, generator: DigitGenerator, learned: dict[str, Any]) -> None:
        """`learned` is what the style file holds. StyleError if it is not that, or not of this generator."""
        table = _checked_table(learned)
        if learned["weights_sha256"] != generator.digest:
            raise StyleError("the style controls were learned from other weights")
        self.learned = learned
        self.digest = hashlib.sha256(
            f"walk {_WALK}, {json.dumps(learned, sort_keys=True)}".encode()
        ).hexdigest()
        """SHA-256 of what decides which z is found for a style: what was learned, and the walk's version."""
        self._generator = generator
        self._slope, self._intercept, self._low, self._high, self._spread = table  # [10, 3] each

    @classmethod
    def load(cls, generator: DigitGenerator, path: str | Path | None = None) -> StyleControls:
        """Read the style file at `path`, else beside the weights. StyleError if there is none for these."""
        if path is None:
            if generator.path is None:
                raise StyleError("these weights are no file, so no style file lies beside them: name one")
            path = style_path(generator.path)
        path = Path(path)
        learn = f"python -m digit_generator style learn --weights {generator.path or 'FILE'} makes it"
        try:
            learned = json.loads(read_at_most(path, MAX_FILE_BYTES))
        except FileNotFoundError:
            raise StyleError(f"{path} does not exist: expected the style controls, and {learn}") from None
        except OSError as error:
            raise StyleError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise StyleError(f"{path} is no style file: {learn}") from None
        try:
            return cls(generator, learned)
        except StyleError as error:
            raise StyleError(f"{path}: {error}; {learn}") from None

    @classmethod
    def current(cls, generator: DigitGenerator) -> StyleControls:
        """As `load`, for servers: read once for all who ask, until the style file or the weights change."""
        paths = [style_path(generator.path)] if generator.path else []
        try:
            return _current.get(paths, functools.partial(cls.load, generator), generator.digest)
        except OSError as error:
            raise StyleError(f"{paths[0]} cannot be read: {error.strerror}") from None

    def ranges(self, digit: int) -> dict[str, tuple[float, float]]:
        """How far each control goes for this digit, (low, high). ValueError for another digit than 0...9."""
        label = labels_from_digits(digit, 1)[0]
        return {
            name: (float(self._low[label, k]), float(self._high[label, k]))
            for k, name in enumerate(STROKE_MEASURES)
        }

    def shapes(
        self,
        images: npt.NDArray[np.floating[Any]],
        labels: Sequence[int] | npt.NDArray[np.integer[Any]],
    ) -> _Floats:
        """Thickness, slant and width of the network's images, float [B, 1, 28, 28] in [-1, 1], as the walk
        counts them: float64 [B, 3]. ValueError for another label than 0...9."""
        label = labels_from_digits(labels, len(images))
        estimate = Estimates((images[:, 0] + 1) / 2).shapes
        return estimate * self._slope[label] + self._intercept[label]

    def nearest(self, digit: int, style: Style) -> Style:
        """The style as near as this digit goes. StyleError where no digit goes that far."""
        for name, value in style.asked.items():
            every = [self.ranges(other)[name] for other in range(10)]
            low, high = min(low for low, _ in every), max(high for _, high in every)
            if not _within(low, value, high):
                raise StyleError(
                    f"{name} {value:g} is out of reach: digits go from {low:.2f} to {high:.2f} {UNITS[name]}"
                )
        ranges = self.ranges(digit)
        return Style(
            **{name: min(max(v, ranges[name][0]), ranges[name][1]) for name, v in style.asked.items()}
        )

    def latents(
        self,
        z: npt.NDArray[np.floating[Any]],
        labels: Sequence[int] | npt.NDArray[np.integer[Any]],
        style: Style | Sequence[Style],
    ) -> _Floats:
        """z, float [B, 100], and labels, int [B] -> the z, float64 [B, 100], that draws them in this style.

        One style for all or one for each. What it leaves open stays as it was drawn. StyleError for a value
        that is out of a digit's range, ValueError as DigitGenerator.images.
        """
        steered_z: _Floats = np.array(z, np.float64)
        labels = labels_from_digits(labels, len(z))
        styles = [style] * len(z) if isinstance(style, Style) else list(style)
        if len(styles) != len(z):
            raise ValueError(f"{len(styles)} styles came for {len(z)} digits: expected one, or one for each")
        wanted = np.full((len(z), 3), np.nan)
        for index, (label, one) in enumerate(zip(labels, styles, strict=True)):
            for name, (low, high) in self.ranges(int(label)).items():
                if name in one.asked:
                    value = one.asked[name]
                    if not _within(low, value, high):
                        raise StyleError(
                            f"{name} {value:g} is out of reach for the digit {label}: "
                            f"it goes from {low:.2f} to {high:.2f} {UNITS[name]}"
                        )
                    wanted[index, STROKE_MEASURES.index(name)] = value
        steered = np.flatnonzero(np.isfinite(wanted).any(axis=1))
        for start in range(0, len(steered), _CHUNK):
            part = steered[start : start + _CHUNK]
            label = labels[part]
            steered_z[part] = _walk(
                self._generator,
                steered_z[part],
                label,
                wanted[part],
                slope=self._slope[label],
                intercept=self._intercept[label],
                spread=self._spread[label],
                steps=_STEPS,
            )
        return steered_z


_current: UntilChanged[StyleControls] = UntilChanged()


def _walk(
    generator: DigitGenerator,
    z: _Floats,
    labels: npt.NDArray[np.int64],
    wanted: _Floats,
    *,
    slope: _Floats,
    intercept: _Floats,
    spread: _Floats,
    steps: int,
) -> _Floats:
    """The nearest z found, [B, 100], that draws the shapes `wanted` [B, 3]; nan stands for "as drawn now".

    A shape is slope * estimate + intercept and counts in spreads, [B, 3] each; the tails are held as well,
    but not those of specks where a width is asked for. What is made small is the sum of the squares of what
    is missing, and of the way from the start times _NEARNESS. Each step is the Gauss-Newton step for that,
    cut to the longest that is trusted (Levenberg 1944); one that does not make it smaller is not taken, and
    only half as long a one is trusted from there, so that the walk contracts. And each place is rounded to
    _GRID: steps that differ in the last bits, as they do with another processor or batch, end in the same.
    """
    held = np.isnan(wanted)
    scale = np.where(held, _HELD_WEIGHT, 1) / spread
    start, here, tried = z, z, z
    least, trusted = np.full(len(z), np.inf), np.full((len(z), 1), _LONGEST_STEP)
    jacobian, missing = np.zeros((len(z), 4, z.shape[1])), np.zeros((len(z), 4))
    for step in range(steps + 1):
        images, pullback = generator.images_and_pullback(tried, labels)
        estimates = Estimates((images[:, 0] + 1) / 2)
        tails, shapes = estimates.tails, estimates.shapes * slope + intercept
        if step == 0:
            wanted = np.where(held, shapes, wanted)
            tails_wanted = np.where(
                held[:, STROKE_MEASURES.index("width")], tails, np.minimum(tails, _LONGEST_TAIL)
            )
            tail_weight = np.where(tails > tails_wanted, _SPECK_WEIGHT, _TAIL_WEIGHT)
            steepness = np.column_stack([slope * scale, tail_weight])
        missing_there = np.column_stack([(wanted - shapes) * scale, (tails_wanted - tails) * tail_weight])
        cost = (missing_there**2).sum(axis=1) + _NEARNESS * ((tried - start) ** 2).sum(axis=1)
        better = cost < least
        least = np.where(better, cost, least)
        tried_step = np.sqrt(((tried - here) ** 2).sum(axis=1, keepdims=True))
        trusted = np.where(better[:, None], np.minimum(2 * trusted, _LONGEST_STEP), tried_step / 2)
        here = np.where(better[:, None], tried, here)
        if step == steps:
            break
        # An image in [0, 1] is half as steep as one in [-1, 1].
        improved = np.flatnonzero(better)
        gradients = estimates.gradients(improved) / 2
        jacobian[improved] = pullback(gradients, improved) * steepness[improved, :, None]  # [b, 4, 100]
        missing = np.where(better[:, None], missing_there, missing)
        back = start - here
        square = jacobian @ jacobian.transpose(0, 2, 1) + _NEARNESS * np.eye(4)
        left = missing - (jacobian @ back[:, :, None])[:, :, 0]
        move = back + (np.linalg.solve(square, left[:, :, None]).transpose(0, 2, 1) @ jacobian)[:, 0]
        length = np.sqrt((move**2).sum(axis=1, keepdims=True))
        move *= np.minimum(1, trusted / np.maximum(length, 1e-12))
        tried = np.round((here + move) / _GRID) * _GRID
    return here


def styled_digits(
    generator: DigitGenerator,
    digit: int | Sequence[int],
    seeds: Sequence[int],
    style: Style,
    controls: StyleControls | None = None,
) -> npt.NDArray[np.uint8]:
    """Draw one image per seed in this style: pixels, uint8 [B, 28, 28]; `digit` and `seeds` as in `digits`.

    An empty style draws what DigitGenerator.digits draws. `controls` are read from beside the weights if not
    given. StyleError for no controls or a value out of range, ValueError as DigitGenerator.digits.
    """
    if not style.asked:
        return generator.digits(digit, seeds)
    controls = controls or StyleControls.load(generator)
    seeds = checked_seeds(seeds)
    labels = labels_from_digits(digit, len(seeds))
    z = controls.latents(generator.latents(seeds, labels), labels, style)
    return generator.pixels(z, labels, seeds)


def hand_latents(
    seed: int,
    labels: Sequence[int] | npt.NDArray[np.integer[Any]],
    *,
    variation: float | None = None,
    generator: DigitGenerator | None = None,
) -> _Floats:
    """z, float64 [B, 100], of one writer: the seed's own z, and a little of each number's own.

    Number i gets the 100 numbers of the seed's stream after those of the numbers before it, so that a longer
    text begins as a shorter one. `variation` is the share of them, 0 (one z for all) to 1 (all different),
    HAND_VARIATION if not given; z stays N(0, I) whatever it is. With a generator, the seed's own z is the one
    that it accepts for all ten digits (DigitGenerator.hand_latent), or that of the hand that it draws in,
    with its variation. ValueError for another seed, label or variation.
    """
    (seed,) = checked_seeds([seed])
    labels = labels_from_digits(labels, len(labels))
    in_hand = generator.in_hand if generator else None
    if variation is None:
        variation = in_hand.variation if in_hand else HAND_VARIATION
    if not _is_finite(variation) or not 0 <= variation <= 1:
        raise ValueError(f"variation is {variation!r}: expected a number from 0 to 1")
    number = generator.hand_number(seed) if generator else 0
    return _hand_of_stream(seed, number, len(labels), variation, in_hand)


def latents_of_hands(
    generator: DigitGenerator, seeds: Sequence[int], counts: Sequence[int]
) -> tuple[_Floats, npt.NDArray[np.int64]]:
    """`hand_latents` of many hands, one below the other: z, float64 [B, 100], and whose each is, int64 [B].

    counts: how many numbers each hand writes, B in all.
    """
    numbers, in_hand = generator.hand_numbers(seeds), generator.in_hand
    variation = in_hand.variation if in_hand else HAND_VARIATION
    z = [
        _hand_of_stream(seed, number, count, variation, in_hand)
        for seed, number, count in zip(seeds, numbers, counts, strict=True)
    ]
    return np.concatenate(z), np.repeat(np.arange(len(z)), counts)


def _hand_of_stream(seed: int, number: int, count: int, variation: float, in_hand: Hand | None) -> _Floats:
    """`count` z around z `number` of the seed's stream, or around the hand's, float64 [count, 100]."""
    stream = seeded(seed).standard_normal((number + 1 + count, LATENT_SIZE))
    own = in_hand.z if in_hand else stream[number]
    z: _Floats = math.sqrt(1 - variation**2) * own + variation * stream[number + 1 :]
    return z


def evened_latents(
    generator: DigitGenerator,
    z: npt.NDArray[np.floating[Any]],
    labels: Sequence[int] | npt.NDArray[np.int64],
    hands: npt.NDArray[np.int64] | None = None,
) -> _Floats:
    """z, float [B, 100], of one hand -> float64, where no number falls out of line with the others.

    One z gives different digits a similar thickness and slant, but not always: a 1 may lean like a slash
    beside an upright 0. Numbers further from the middle one (the median of all) than a hand's own variation
    are brought to its edge. Works without a style file: it compares digits with each other only.
    `hands`, int [B], 0 and on in order, says whose each number is where z are of many hands.
    """
    even: _Floats = np.array(z, np.float64)
    label = labels_from_digits(labels, len(even))
    hands = np.zeros(len(even), np.int64) if hands is None else hands
    stroke = np.concatenate(
        [
            estimated_strokes((generator.images(even[part], label[part])[:, 0] + 1) / 2)
            for part in chunks(len(even))
        ]
    )
    each = np.split(stroke, np.flatnonzero(np.diff(hands)) + 1)
    middle = np.stack([np.median(one, axis=0) for one in each])[hands]
    low = np.column_stack([middle[:, 0] * (1 - _HAND_THICKNESS), middle[:, 1] - _HAND_SLANT])
    high = np.column_stack([middle[:, 0] * (1 + _HAND_THICKNESS), middle[:, 1] + _HAND_SLANT])
    wanted = np.full((len(even), 3), np.nan)  # the width is left as it is
    wanted[:, :2] = np.where((stroke < low) | (stroke > high), np.clip(stroke, low, high), np.nan)
    astray = np.flatnonzero(np.isfinite(wanted).any(axis=1))
    for chunk in chunks(len(astray)):
        part = astray[chunk]
        one = np.ones((len(part), 3))
        even[part] = _walk(
            generator,
            even[part],
            label[part],
            wanted[part],
            slope=one,
            intercept=0 * one,
            spread=one * _USUAL_SPREAD,
            steps=_HAND_STEPS,
        )
    return even


def chunks(count: int) -> list[slice]:
    """Slices of at most _CHUNK that make up 0...count-1."""
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]


def style_path(weights: Path) -> Path:
    """Where the style file of these weights lies: generator.pth -> generator.style.json."""
    return weights.with_name(weights.stem + SUFFIX)


def learned_controls(
    generator: DigitGenerator, *, samples: int = SAMPLES, progress: bool = False
) -> StyleControls:
    """Draw `samples` of each digit, measure them, and fit what the controls need to know.

    For every digit and shape: the straight line from the estimate to what is measured (least squares), the
    range and the spread. `progress` shows a bar on stderr. shapes.MissingExtraError without the extra
    `style`; StyleError for fewer than 50 samples, or a generator whose digits have no ink to measure.
    """
    if samples < 50:
        raise StyleError(f"{samples} samples of each digit came: expected 50 or more to learn from")
    columns: dict[str, list[list[float]]] = {name: [] for name in _COLUMNS}
    with tqdm(total=10 * samples, unit="digits", disable=not progress) as bar:
        for digit in range(10):
            seeds = range(_FIRST_SAMPLE, _FIRST_SAMPLE + samples)
            labels = [digit] * samples
            images = generator.images(generator.latents(seeds, labels), labels)
            pixels = generator.finished(pixels_from_images(images), labels, seeds)
            parts = []
            for start in range(0, samples, 50):
                parts.append(measured_shapes(pixels[start : start + 50]))
                bar.update(len(parts[-1]))
            measured = np.concatenate(parts)
            known = np.isfinite(measured).all(axis=1)
            if known.sum() < samples / 2:
                raise StyleError(f"these weights draw no ink for most {digit}s: train them longer")
            measured = measured[known]
            estimate = Estimates((images[known, 0] + 1) / 2).shapes
            fits = [np.polyfit(estimate[:, k], measured[:, k], 1) for k in range(3)]
            low, high = np.percentile(measured, _RANGE, axis=0)
            values = (*np.transpose(fits), low, high, measured.std(axis=0))
            for name, row in zip(_COLUMNS, values, strict=True):
                columns[name].append([float(f"{value:.6g}") for value in row])
    learned = {
        "format": 1,
        "weights_sha256": generator.digest,
        "samples": samples,
        "first_seed": _FIRST_SAMPLE,
        "range_percent": list(_RANGE),
        "shapes": {
            name: {column: [row[k] for row in columns[column]] for column in _COLUMNS}
            for k, name in enumerate(STROKE_MEASURES)
        },
    }
    return StyleControls(generator, learned)


def bytes_from_controls(controls: StyleControls) -> bytes:
    """The style file: JSON, three shapes of five rows of ten digits."""
    text = json.dumps(controls.learned, indent=1)
    rows = re.sub(
        r"\[[^\]]*\]", lambda row: " ".join(row[0].split()).replace("[ ", "[").replace(" ]", "]"), text
    )
    return f"{rows}\n".encode()


_COLUMNS = ("slope", "intercept", "low", "high", "spread")
_LEAST, _LARGEST = 1e-6, 1e3  # of the numbers in a style file, which are about 0.01 to 20
_LOWEST, _HIGHEST = (0, -math.pi, 0), (28, math.pi, 28)  # of what a picture of 28 pixels can have


def _checked_table(learned: Any) -> list[_Floats]:
    """The five columns, float64 [10, 3] each, of a style file. StyleError if it is anything else."""
    try:
        if learned["format"] != 1 or not isinstance(learned["weights_sha256"], str):
            raise StyleError("this is a style file of another version")
        table = [
            np.array([learned["shapes"][name][column] for name in STROKE_MEASURES], np.float64).T
            for column in _COLUMNS
        ]
    except (KeyError, TypeError, IndexError, OverflowError) as error:
        raise StyleError("this is no style file") from error
    except ValueError as error:
        raise StyleError("this is no style file") from error
    slope, _, low, high, spread = table
    if (
        any(t.shape != (10, 3) or not (np.abs(t) <= _LARGEST).all() for t in table)  # finds NaN as well
        or (slope < _LEAST).any()
        or (spread < _LEAST).any()
        or (high - low < _LEAST).any()
        or (low < _LOWEST).any()
        or (high > _HIGHEST).any()
    ):
        raise StyleError("this style file holds numbers that no generator gives")
    return table


def _within(low: float, value: float, high: float) -> bool:
    """With room for the two decimals that a person is told."""
    return low - 0.005 <= value <= high + 0.005


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float | np.integer | np.floating) and math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
