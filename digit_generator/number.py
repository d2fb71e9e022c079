"""A whole number in one hand: "2026" -> one line of digits and signs, with a box for every character.

The digits are generated, all from the z of one writer (style.hand_latents). The signs . , - : / + € $ £ % ( )
are drawn by rule, as strokes of the same thickness and slant. Characters stand as far apart as their ink
says, not their cells, and no box reaches into another; the baseline moves a little.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from digit_generator.chance import seeded
from digit_generator.errors import DigitGeneratorError
from digit_generator.finish import enlarged_pixels
from digit_generator.generate import (
    LATENT_SIZE,
    MAX_SEED,
    DigitGenerator,
    checked_seeds,
    checked_whole,
    pixels_from_images,
)
from digit_generator.recipe import MAX_CHARACTERS
from digit_generator.shapes import estimated_strokes
from digit_generator.style import Style, StyleControls, chunks, evened_latents, latents_of_hands

if TYPE_CHECKING:
    from digit_generator.bulk import BulkGenerator

SIGNS = ".,-:/+€$£%()"
CHARACTERS = f"0123456789{SIGNS} "
MAX_TEXTS = 100_000
BLANK = "#"
"""In a pattern, the place of any digit."""

INK = 64
"""From this on, of 255, a pixel counts as ink: for the boxes, and for the distance of two characters."""

_HEIGHT = 20  # of a digit, as MNIST has them
_MARGIN = 5  # around the line
_GAP = 1.8  # and two fifths of the thickness: between the ink of two characters, where they come closest
_BOX_GAP = 1  # between their boxes, at least
_SPACE = 9  # a space
_ALONE = 3  # rows up and down that count as close
_CELL = 40  # a sign is drawn on a square of this size, its baseline at row 30
_BASELINE = 30
_USUAL_STROKE = (2.5, 0.1)  # thickness and slant, where no digit has ink
_LINES_TOGETHER = 64  # drawn at a time
_MAX_CORES = 8
_RING = 2.8  # the radius of the circles of %
_SIGN_STREAM, _GAP_STREAM = 1, 5  # the chance of signs and of gaps, apart from that of the digits

_Pixels = npt.NDArray[np.uint8]
_Part = TypeVar("_Part")
_Drawn = TypeVar("_Drawn")


class NumberError(DigitGeneratorError):
    """A text that cannot be written, or a pattern that cannot be filled; the message is one sentence."""


@dataclass(frozen=True)
class Layout:
    """How a line is set; as it stands here, in the size of MNIST's digits.

    scale: pixels for one of MNIST's, above 0. spacing: the distance of two characters over the usual one.
    slope: of the baseline, in radians, positive climbs to the right. pitch: from one character to the next,
    in MNIST's pixels, as in a form with a box for each; None sets them as close as their ink says. gap: the
    range in which each gap, from the ink of one character to that of the next, draws its own, in MNIST's
    pixels; below 0 they overlap. None is the usual distance.
    """

    scale: float = 1.0
    spacing: float = 1.0
    slope: float = 0.0
    pitch: float | None = None
    gap: tuple[float, float] | None = None

    def pixels(self, length: float) -> int:
        """A length in MNIST's pixels, in those of the line."""
        return round(length * self.scale)


@dataclass(frozen=True)
class Line:
    """A line of text: the picture uint8 [H, W], 0 background ... 255 ink, and where each character stands.

    boxes: (character, left, top, right, bottom) in pixels for each character of the text, in order; right and
    bottom are the first column and row after it. The box of a space is the gap. baseline: the first row under
    the digits, where the line begins.
    """

    picture: _Pixels
    text: str
    boxes: list[tuple[str, int, int, int, int]]
    baseline: int = 0

    def label(self, file: str, seed: int, scale: int = 1) -> str:
        """What it reads and where, as a line of metadata.jsonl about its picture `file`, enlarged by `scale`.

        characters and boxes are parallel: a box is [left, top, right, bottom] in pixels of the file.
        """
        return json.dumps(
            {
                "file_name": file,
                "text": self.text,
                "seed": int(seed),
                "characters": [character for character, *_ in self.boxes],
                "boxes": [[scale * edge for edge in box] for _, *box in self.boxes],
            }
        )


def write_number(
    generator: DigitGenerator,
    text: str,
    seed: int = 0,
    style: Style | None = None,
    controls: StyleControls | None = None,
) -> Line:
    """Write the text in the hand of `seed`: digits, the signs . , - : / + € $ £ % ( ) and spaces.

    The same weights, text, seed and style give the same line. A style holds for each character as nearly as
    that digit goes: a narrow width makes every digit as narrow as it gets. `controls` are read from beside
    the weights if a style asks for them. NumberError for another text, StyleError for a style that no digit
    reaches or no controls, ValueError for another seed.
    """
    (line,) = write_numbers(generator, [text], [seed], style, controls)
    return line


def write_numbers(
    generator: DigitGenerator,
    texts: Sequence[str],
    seeds: Sequence[int],
    style: Style | None = None,
    controls: StyleControls | None = None,
    layout: Layout | None = None,
) -> list[Line]:
    """`write_number` of each text and seed, in a fraction of the time that they take one by one.

    All are held in memory; `lines_in_order` is for any number. layout: how they are set, as usual if not
    given. Errors as write_number.
    """
    drawn = drawn_texts(generator, texts, seeds, style or Style(), controls)
    return [line_at(one, layout or Layout()) for one in drawn]


class DrawnText(NamedTuple):
    """A text's digits before they are set on a line.

    raw, cells: uint8 [B, 28, 28], the network's own pixels, and as DigitGenerator shows them, in place.
    labels, seeds: int [B], of each digit; the seeds are the finish's chance. stroke: (thickness, slant).
    """

    text: str
    seed: int
    raw: _Pixels
    cells: _Pixels
    labels: npt.NDArray[np.int64]
    seeds: npt.NDArray[np.int64]
    stroke: tuple[float, float]


def drawn_texts(
    generator: DigitGenerator,
    texts: Sequence[str],
    seeds: Sequence[int],
    style: Style | Sequence[Style],
    controls: StyleControls | None = None,
    one_hand: Sequence[bool] | None = None,
    raw_bulk: BulkGenerator | None = None,
    uneven: bool = False,
) -> list[DrawnText]:
    """The digits of each text, drawn in the hand of its seed. Errors as write_number.

    style: one for all, or one for each. one_hand: which texts are in one hand, all if not given; of the
    others each digit has a hand of its own: the seed's for the first, the next seed's for the second.
    raw_bulk: a BulkGenerator of the generator's raw variant draws many texts in less time, the same.
    uneven: digits that fall out of line with the others of their hand are left so, which takes a fraction of
    the time.
    """
    texts = [checked_text(text) for text in texts]
    seeds = checked_seeds(seeds)
    if len(texts) != len(seeds):
        raise ValueError(f"{len(seeds)} seeds came for {len(texts)} texts: expected one for each")
    if not texts:
        return []
    written = [[int(character) for character in text if character.isdigit()] for text in texts]
    # Signs alone have the hand of the ten digits.
    hands = [np.array(digits or range(10)) for digits in written]
    labels = np.concatenate(hands)
    counts = [*map(len, hands)]
    owner = np.repeat(np.arange(len(hands)), counts)
    own = np.concatenate([seed + np.arange(len(hand)) for seed, hand in zip(seeds, hands, strict=True)])
    own %= MAX_SEED + 1
    together = np.ones(len(texts), np.bool_) if one_hand is None else np.array(one_hand, np.bool_)
    styles = [style] * len(texts) if isinstance(style, Style) else list(style)
    in_style = any(one.asked for one in styles)
    z = np.zeros((len(labels), LATENT_SIZE))
    raw = np.zeros((len(labels), 28, 28), np.uint8)
    if together.any():
        part, which = together[owner], np.flatnonzero(together).tolist()
        of_hands, whose = latents_of_hands(generator, [seeds[i] for i in which], [counts[i] for i in which])
        z[part] = of_hands if uneven else evened_latents(generator, of_hands, labels[part], whose)
    alone = ~together[owner]
    direct = alone if raw_bulk and not in_style else np.zeros_like(alone)  # from seed to pixels, without a z
    if raw_bulk and direct.any():
        raw[direct] = raw_bulk.digits(labels[direct], own[direct])
    if (by_z := alone & ~direct).any():
        z[by_z] = (raw_bulk or generator).latents(own[by_z].tolist(), labels[by_z])
    if in_style:
        controls = controls or StyleControls.load(generator)
        nearest = [
            controls.nearest(label, styles[i]) for i, label in zip(owner, labels.tolist(), strict=True)
        ]
        z = controls.latents(z, labels, nearest)
    for chunk in chunks(len(z)):
        left = chunk.start + np.flatnonzero(~direct[chunk])
        if raw_bulk and len(left):
            raw[left] = raw_bulk.pixels(z[left], labels[left], own[left])
        elif len(left):
            raw[left] = pixels_from_images(generator.images(z[left], labels[left]))
    # In place: the box would make the digits of a line jump by whole pixels. Each has a chance of its own.
    pixels = generator.finished(raw, labels, own.tolist(), in_box=False)
    strokes = strokes_of_hands(pixels, owner, len(texts))
    starts = np.cumsum([0, *counts]).tolist()
    drawn = []
    for text, digits, start, seed, stroke in zip(texts, written, starts, seeds, strokes, strict=False):
        of = slice(start, start + len(digits))
        drawn.append(DrawnText(text, seed, raw[of], pixels[of], labels[of], own[of], stroke))
    return drawn


def lines_in_order(
    generator: DigitGenerator,
    texts: Sequence[str],
    seeds: Sequence[int],
    style: Style | None = None,
    controls: StyleControls | None = None,
    layout: Layout | None = None,
) -> Iterator[Line]:
    """`write_number` of each text and seed, one after the other: drawn by all cores, a few ahead of the
    reader. layout: as write_numbers. Errors as write_number, when the first line is asked for."""
    texts = [checked_text(text) for text in texts]
    seeds = checked_seeds(seeds)
    if style is not None and style.asked:
        controls = controls or StyleControls.load(generator)
    parts = [slice(start, start + _LINES_TOGETHER) for start in range(0, len(texts), _LINES_TOGETHER)]
    for lines in in_order(
        lambda part: write_numbers(generator, texts[part], seeds[part], style, controls, layout), parts
    ):
        yield from lines


def in_order(draw: Callable[[_Part], _Drawn], parts: Sequence[_Part]) -> Iterator[_Drawn]:
    """`draw` of each part, one after the other, by as many threads as there are cores: one part for each is
    drawn ahead of the reader."""
    cores = min(os.cpu_count() or 1, _MAX_CORES)
    waiting: deque[Future[_Drawn]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(draw, part))
                if len(waiting) > cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # the reader has stopped: what has not begun is not wanted
            for future in waiting:
                future.cancel()


def strokes_of_hands(pixels: _Pixels, owner: npt.NDArray[np.int64], count: int) -> list[tuple[float, float]]:
    """(thickness, slant), the middle of each hand's digits: what its signs and gaps follow.

    pixels: uint8 [B, 28, 28]; owner: int [B], the hand of each, 0...count-1, in order.
    """
    inked = np.flatnonzero(pixels.any(axis=(1, 2)))
    strokes = [estimated_strokes(pixels[inked[part]] / 255) for part in chunks(len(inked))]
    stroke = np.concatenate([np.zeros((0, 2)), *strokes])
    ends = np.searchsorted(owner[inked], np.arange(count + 1))
    counts = np.diff(ends)
    middles = np.full((count, 2), _USUAL_STROKE)
    # Hands with as many digits have their medians together.
    for size in np.unique(counts[counts > 0]).tolist():
        hands = np.flatnonzero(counts == size)
        middles[hands] = np.median(stroke[ends[hands, None] + np.arange(size)], axis=1)
    return [(thickness, slant) for thickness, slant in middles.tolist()]


def line_from_cells(
    text: str, cells: _Pixels, *, seed: int, hand: _Pixels | None = None, layout: Layout | None = None
) -> Line:
    """Set digits, uint8 [B, 28, 28], one for every digit of the text, on one line.

    Any digits will do, real ones too. The signs get the middle thickness and slant of the digits `hand`,
    which are the cells if not given. layout: of scale 1, as usual if not given.
    NumberError for another text, or another number of cells.
    """
    text = checked_text(text)
    if len(cells) != sum(character.isdigit() for character in text):
        raise NumberError(f"{len(cells)} digits came for {text!r}: expected one picture for each digit in it")
    hand = cells if hand is None else hand
    (stroke,) = strokes_of_hands(hand, np.zeros(len(hand), np.int64), 1)
    return _line(text, cells, seed, stroke, layout or Layout())


def line_at(drawn: DrawnText, layout: Layout) -> Line:
    """The text set in this layout; digits and signs are drawn from their shapes at its scale, those of a
    scale of 1 by MNIST's scan rule."""
    cells = drawn.cells
    if layout.scale != 1:
        cells = enlarged_pixels(drawn.raw, drawn.labels, drawn.seeds, layout.pixels(28))
    return _line(drawn.text, cells, drawn.seed, drawn.stroke, layout)


def _line(text: str, cells: _Pixels, seed: int, stroke: tuple[float, float], layout: Layout) -> Line:
    """Cells, uint8 [B, side, side], 28 pixels a side at a scale of 1, and signs of this stroke, on a line."""
    thickness, slant = stroke
    # As many for every character: a longer text begins as a shorter one.
    chances = seeded([seed, _SIGN_STREAM]).uniform(-1, 1, (len(text), 8))
    alone = 1 if layout.gap else layout.pixels(_ALONE)  # what touches, touches in a row or the next one
    rest = iter(_glyphs(cells, None, alone))
    drift = along = 0.0
    gaps = [layout.spacing * (_GAP + 0.4 * thickness)] * len(text)
    if layout.gap:
        gaps = seeded([seed, _GAP_STREAM]).uniform(*layout.gap, len(text)).tolist()
    glyphs: list[_Glyph | None] = []
    for character, chance, gap in zip(text, chances, gaps, strict=True):
        drift = 0.6 * drift + 0.8 * chance[0]
        down = layout.pixels(drift) - round(math.tan(layout.slope) * along)
        if character == " ":
            glyphs.append(None)
            along += layout.pixels(layout.pitch or layout.spacing * _SPACE)
            continue
        if character.isdigit():
            glyph = next(rest)
        else:
            cell = _sign(character, thickness, slant, chance[1:], layout.scale)
            (glyph,) = _glyphs(cell[None], layout.pixels(_BASELINE), alone)
        glyph.over += down
        glyphs.append(glyph)
        along += layout.pixels(layout.pitch) if layout.pitch else glyph.width + layout.pixels(gap)
    return _set(text, glyphs, gaps, layout, alone)


def texts_from_pattern(pattern: str, count: int, seed: int = 0) -> list[str]:
    """`count` texts in which a random digit stands for every # of the pattern, such as "#####-####".

    NumberError for a pattern without # or with what cannot be written, or a count outside 1...100,000.
    """
    if not isinstance(pattern, str) or BLANK not in pattern:
        raise NumberError(f"the pattern {pattern!r} has no {BLANK}, which stands for any digit")
    checked_text(pattern.replace(BLANK, "0"))
    count = checked_whole("count", count, 1, MAX_TEXTS, NumberError)
    (seed,) = checked_seeds([seed])
    digits = np.random.RandomState(seed).randint(0, 10, (count, pattern.count(BLANK)))
    parts = pattern.split(BLANK)
    return [
        parts[0] + "".join(f"{digit}{part}" for digit, part in zip(row, parts[1:], strict=True))
        for row in digits
    ]


def checked_text(text: str) -> str:
    """The text. NumberError unless it can be written."""
    if not isinstance(text, str):
        kind = type(text).__name__
        raise NumberError(f"the text is {text!r}, of type {kind}: expected a str, such as '2026'")
    if not text.strip(" "):
        raise NumberError(
            f"the text {text!r} is empty: expected digits, the signs {' '.join(SIGNS)} and spaces"
        )
    if len(text) > MAX_CHARACTERS:
        raise NumberError(f"the text has {len(text)} characters: expected {MAX_CHARACTERS} at most")
    for place, character in enumerate(text, start=1):
        if character not in CHARACTERS:
            raise NumberError(
                f"{character!r} (character {place}) cannot be written: expected digits, the signs "
                f"{' '.join(SIGNS)} and spaces"
            )
    return text


@dataclass
class _Glyph:
    """A character's cell and the box of its ink in it, in the cell's pixels.

    over: of the box's top, below the baseline; negative is above. first, last: float64, where the ink begins
    in each row of the box and where it ends in each row from `alone` above the box to `alone` below it, the
    rows that are as near counted in; inf and -inf where there is none.
    """

    cell: _Pixels
    top: int
    bottom: int
    left: int
    right: int
    over: int
    first: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


def _glyphs(cells: _Pixels, baseline: int | None, alone: int) -> list[_Glyph]:
    """Of cells, uint8 [B, side, side], that stand on this row of theirs, or on their ink if it is None."""
    if not len(cells):
        return []
    side = cells.shape[1]
    ink = cells >= INK
    ink[~ink.any(axis=(1, 2))] = True  # a generator that draws nothing: the blank cell keeps its place
    rows: npt.NDArray[np.bool_] = np.asarray(ink.any(axis=2))  # [B, side]
    columns: npt.NDArray[np.bool_] = np.asarray(ink.any(axis=1))
    tops, lefts = rows.argmax(axis=1), columns.argmax(axis=1)
    bottoms, rights = side - rows[:, ::-1].argmax(axis=1), side - columns[:, ::-1].argmax(axis=1)
    first = np.where(rows, ink.argmax(axis=2) - lefts[:, None], np.inf)
    last = np.full((len(cells), side + 4 * alone), -np.inf)
    last[:, 2 * alone : side + 2 * alone] = np.where(
        rows, side - ink[:, :, ::-1].argmax(axis=2) - lefts[:, None], -np.inf
    )
    near = sliding_window_view(last, 2 * alone + 1, axis=1).max(axis=2)  # [B, side + 2 * alone]
    return [
        _Glyph(
            cell,
            top,
            bottom,
            left,
            right,
            top - (bottom if baseline is None else baseline),
            begins[top:bottom],
            ends[top : bottom + 2 * alone],
        )
        for cell, top, bottom, left, right, begins, ends in zip(
            cells, tops.tolist(), bottoms.tolist(), lefts.tolist(), rights.tolist(), first, near, strict=True
        )
    ]


def _set(
    text: str, glyphs: Sequence[_Glyph | None], gaps: Sequence[float], layout: Layout, alone: int
) -> Line:
    """Put the glyphs side by side, as close as the gap before the next one, between their ink, allows; and
    _BOX_GAP, unless gaps are asked for."""
    margin = layout.pixels(_MARGIN)
    drawn = [glyph for glyph in glyphs if glyph]
    above = max(layout.pixels(_HEIGHT), *(-glyph.over for glyph in drawn)) + margin  # rows over the baseline
    height = above + max(0, *(glyph.over + glyph.height for glyph in drawn)) + margin
    # How far the ink in a row, or in a few above and below it, has come to the right.
    edge = np.full(height + 2 * alone, -np.inf)
    lefts: list[int] = []
    end, pending = 0, 0  # where the last box ends; the spaces since
    middle, gap = 0, 0.0  # of the last box; behind it
    for place, glyph in enumerate(glyphs):
        if layout.pitch:
            if glyph:
                lefts.append(layout.pixels(layout.pitch * (place + 0.5)) - glyph.width // 2)
            end = layout.pixels(layout.pitch * (place + 1))
            continue
        if glyph is None:
            pending += layout.pixels(layout.spacing * _SPACE)
            continue
        top = above + glyph.over
        left = 0
        if lefts:
            near = edge[top + alone : top + alone + glyph.height]
            closest = float((near - glyph.first).max())
            if layout.gap:
                gap = max(gap, 0.0) if pending else gap
                beside = closest if math.isfinite(closest) else end
                left = max(middle, round(beside + gap * layout.scale))
            else:
                beside = round(closest + gap * layout.scale) if math.isfinite(closest) else 0
                left = max(end + layout.pixels(_BOX_GAP), beside)
        left += pending
        lefts.append(left)
        around = edge[top : top + glyph.height + 2 * alone]
        np.maximum(around, left + glyph.last, out=around)
        end, pending = max(end, left + glyph.width), 0
        middle, gap = left + -(-glyph.width // 2), gaps[place]
    end += pending
    picture = np.zeros((height, end + 2 * margin), np.uint8)
    boxes: list[tuple[str, int, int, int, int]] = []
    places = iter(lefts)
    for character, glyph in zip(text, glyphs, strict=True):
        if glyph is None:
            boxes.append((character, 0, 0, 0, 0))
            continue
        left, top = max(0, next(places) + margin), above + glyph.over
        boxes.append((character, left, top, left + glyph.width, top + glyph.height))
        _lay(picture, glyph.cell, top - glyph.top, left - glyph.left)
    return Line(picture, text, _with_spaces(boxes, picture.shape, margin), above)


def _lay(picture: _Pixels, cell: _Pixels, top: int, left: int) -> None:
    """Lay the cell on the picture, faint edges included; what lies outside the picture is left out."""
    height, width = cell.shape
    up, start = max(-top, 0), max(-left, 0)
    cell = cell[up : max(picture.shape[0] - top, 0), start : max(picture.shape[1] - left, 0)]
    place = picture[top + up : top + height, left + start : left + width]
    np.maximum(place, cell, out=place)


def _with_spaces(
    boxes: list[tuple[str, int, int, int, int]], shape: tuple[int, ...], margin: int
) -> list[tuple[str, int, int, int, int]]:
    """Spaces in a row share the gap between their neighbours, and are as high as the line without margin."""
    index = 0
    while index < len(boxes):
        after = index
        while after < len(boxes) and boxes[after][0] == " ":
            after += 1
        if after > index:
            left = boxes[index - 1][3] if index else 0
            right = boxes[after][1] if after < len(boxes) else shape[1]
            ends = np.linspace(left, right, after - index + 1).round().astype(int).tolist()
            for place in range(index, after):
                start, stop = ends[place - index], ends[place - index + 1]
                boxes[place] = (" ", start, margin, stop, shape[0] - margin)
        index = after + 1
    return boxes


def _sign(
    character: str, thickness: float, slant: float, chance: npt.NDArray[np.float64], scale: float
) -> _Pixels:
    """A sign on its cell, uint8, 40 pixels a side at a scale of 1, from strokes with round ends.

    chance: seven numbers in -1...1.
    """
    lean = math.tan(slant)
    dot = max(thickness, 1.8) * 1.25
    fine = min(thickness, 2.8)  # of signs with small counters, which a thick stroke would fill
    low, middle, high = 0.0, 8.5, float(_HEIGHT)  # over the baseline
    a, b, c, d, e, f, g = 0.5 * chance
    # Each stroke: points (to the right, over the baseline), straight up before the slant, and a thickness.
    strokes: list[tuple[list[tuple[float, float]], float]]
    match character:
        case ".":
            strokes = [([(0, dot / 2), (0.4 * a, dot / 2 + 0.4 * b)], dot)]
        case ",":
            bow = [(0.6, 2.2), (0.8 + 0.3 * a, 0.6), (-0.6 + 0.4 * b, -2.6 + c)]
            strokes = [(bow, thickness), ([(0.5, 2.2), (0.6, 2.0)], dot)]
        case "-":
            strokes = [([(-4 + a, middle + b), (0, middle + 0.4 + c), (4 + d, middle + e)], thickness)]
        case ":":
            strokes = [
                ([(0, dot / 2 + 1), (0.4 * a, dot / 2 + 1 + 0.4 * b)], dot),
                ([(c, 12 + d), (c + 0.4 * e, 12 + d + 0.4 * f)], dot),
            ]
        case "/":
            strokes = [([(-5.5 + a, low - 3 + b), (c, 9.5 + d), (5.5 + e, high + 2 + f)], thickness)]
        case "€":
            bow = [(5.4 + a, 16.2 + b), (2.2, high - 0.8), (-2.4, 17), (-4.2, 10 + c), (-2.5, 3.2)]
            strokes = [
                ([*bow, (2.2, 0.9), (5.5 + d, 3.6 + e)], fine),
                ([(-7 + f, 11.8), (1.8 + g, 12.1)], fine),
                ([(-7.2 + g, 7.2), (1.4 + f, 7.5)], fine),
            ]
        case "$":
            bow = [(4.4 + a, 15 + b), (1, 17.2), (-3.6, 15.2), (-2.6, 11.6), (2.4, 8.6), (4, 5 + c)]
            strokes = [
                ([*bow, (-0.4, 2.2), (-4.8 + d, 4.6 + e)], fine),
                ([(0.2 + f, high + 2), (0.2 + g, low - 2.2)], fine),
            ]
        case "£":
            bow = [(5 + a, 15.4 + b), (2, high - 0.8), (-1.8, 15.6), (-1.4, 8.6 + c), (-2.2, 3.2)]
            strokes = [
                ([*bow, (-5.2, 0.9)], fine),
                ([(-5.2, 0.9), (0.4, 1.5 + d), (5.4, 0.9 + e)], fine),
                ([(-5.4 + f, 9.2), (3 + g, 9.6)], fine),
            ]
        case "%":
            strokes = [
                ([(-4.8 + a, 0.4 + b), (c, 9.8), (5.2 + d, high - 0.4 + e)], fine),
                (_ring(-4.8, 15.6 + f), fine),
                (_ring(5.2, 4.2 + g), fine),
            ]
        case "(":
            strokes = [([(2.2 + a, high + 1.5 + b), (-2.2 + c, 9 + d), (2.2 + e, low - 3 + f)], thickness)]
        case ")":
            strokes = [([(-2.2 + a, high + 1.5 + b), (2.2 + c, 9 + d), (-2.2 + e, low - 3 + f)], thickness)]
        case _:  # +
            strokes = [
                ([(-5 + a, middle + b), (0, middle + c), (5 + d, middle + b)], thickness),
                ([(e, middle - 5 + f), (e + 0.3 * g, middle), (e, middle + 5 + g)], thickness),
            ]
    side = round(_CELL * scale)
    rows, columns = (np.mgrid[:side, :side] + 0.5) / scale
    over = round(_BASELINE * scale) / scale - rows
    beside = columns - _CELL / 2
    ink = np.zeros((side, side))
    for points, width in strokes:
        leaning = [(x + lean * y, y) for x, y in _curve(points)]
        distance = np.min([_distance(beside, over, start, end) for start, end in pairwise(leaning)], axis=0)
        ink = np.maximum(ink, np.clip(scale * (width / 2 + 0.5 / scale - distance), 0, 1))
    return np.rint(255 * ink).astype(np.uint8)


def _curve(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Two points as they are; through three, a bow (a quadratic Bézier curve) of eight straight pieces.

    Through more, a smooth line (Catmull and Rom 1974) of four straight pieces between each two.
    """
    if len(points) == 2:
        return points
    if len(points) > 3:
        return _smooth_line(points)
    start, through, end = (np.array(point) for point in points)
    control = 2 * through - (start + end) / 2
    times = np.linspace(0, 1, 9)[:, None]
    bow = (1 - times) ** 2 * start + 2 * times * (1 - times) * control + times**2 * end
    return [(float(x), float(y)) for x, y in bow]


def _smooth_line(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    closed = points[0] == points[-1]
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    p = np.array([before, *points, after])
    t = np.arange(0, 1, 0.25)[:, None, None]
    slopes = (p[2:] - p[:-2]) / 2
    start, end, away, into = p[1:-2], p[2:-1], slopes[:-1], slopes[1:]
    places = start + t * away + t**2 * (3 * (end - start) - 2 * away - into)
    places += t**3 * (away + into - 2 * (end - start))
    return [(float(x), float(y)) for x, y in [*places.swapaxes(0, 1).reshape(-1, 2), points[-1]]]


def _ring(x: float, y: float) -> list[tuple[float, float]]:
    """A small circle around (x, y), closed."""
    turns = [(math.cos(turn * math.pi / 4), math.sin(turn * math.pi / 4)) for turn in range(8)]
    ring = [(x + _RING * right, y + _RING * up) for right, up in turns]
    return [*ring, ring[0]]


def _distance(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    start: tuple[float, float],
    end: tuple[float, float],
) -> npt.NDArray[np.float64]:
    """How far each place is from the straight piece between two points."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / max(dx * dx + dy * dy, 1e-12)
    along = np.clip(along, 0, 1)
    distance: npt.NDArray[np.float64] = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
    return distance
