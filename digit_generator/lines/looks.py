"""How a line looks: height, spacing, slope, colours, ruled or boxed forms, and what a camera does to it.

A value is a number, or a range (low, high) from which each line draws its own. Every choice follows from the
line's seed.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from digit_generator.chance import seeded
from digit_generator.errors import DigitGeneratorError
from digit_generator.number import DrawnText, Layout, Line, line_at

Value = float | tuple[float, float]
Form = Literal["plain", "ruled", "boxed"]
Box = tuple[str, int, int, int, int]

MARGIN = 5  # around the line, in MNIST's pixels
_PITCH = 24.0  # of a form with a box for each character, in MNIST's pixels
_USUAL_HEIGHT = 36  # rows of most lines, in MNIST's pixels
_LOOK_STREAM = 2  # the looks' own chance
_FORM_STRENGTH = 0.55  # of a form's lines: their share of the ink's colour
_TRIES = 4


class LookError(DigitGeneratorError):
    """A look that cannot be drawn; the message is one sentence."""


# name: (least, most, in words)
LIMITS: dict[str, tuple[float, float, str]] = {
    "height": (16, 512, "pixels"),
    "spacing": (0.3, 5, "times the usual distance"),
    "slope": (-15, 15, "degrees, positive climbs to the right"),
    "blur": (0, 10, "pixels, the spread of a Gaussian"),
    "noise": (0, 100, "grey levels, the spread of a Gaussian"),
    "jpeg": (1, 100, "quality, 100 leaves it out"),
    "shadow": (0, 0.9, "the share of the light that is missing in the shadow"),
    "perspective": (0, 0.3, "the share of the height by which corners move"),
    "rotation": (-45, 45, "degrees, positive turns to the left"),
}
GAP_LIMITS = (-10, 40, "twentieths of a digit's height, below 0 they overlap")
_DEGRADED = ("blur", "noise", "shadow", "perspective", "rotation")


@dataclass(frozen=True)
class Look:
    """What a line looks like. LookError for a value out of LIMITS, or a colour that is none.

    height: of the picture, in pixels; None leaves the line as write_number draws it, with digits 20 pixels
    high. ink, paper: colours such as "#1b1b1f"; the usual ones are white on black, as in MNIST. form: "ruled"
    has a line to write on, "boxed" a box for each character. gap: from the ink of a character to that of the
    next, in twentieths of a digit's height; of a range, each gap of a line draws its own. At 0 they touch,
    below it they overlap, at most to the middle of a box; where both have ink, the stronger one stays. None
    keeps them apart, at `spacing` times the usual distance. The others are told in LIMITS.
    """

    height: Value | None = None
    spacing: Value = 1.0
    slope: Value = 0.0
    ink: str = "#ffffff"
    paper: str = "#000000"
    form: Form = "plain"
    blur: Value = 0.0
    noise: Value = 0.0
    jpeg: Value = 100.0
    shadow: Value = 0.0
    perspective: Value = 0.0
    rotation: Value = 0.0
    gap: Value | None = None

    def __post_init__(self) -> None:
        for name, (least, most, unit) in {**LIMITS, "gap": GAP_LIMITS}.items():
            value = getattr(self, name)
            if value is None and name in ("height", "gap"):
                continue
            ends = value if isinstance(value, tuple) else (value,)
            if not all(_is_number(end) and least <= end <= most for end in ends) or ends[0] > ends[-1]:
                raise LookError(
                    f"{name} is {value!r}: expected {least:g} to {most:g} ({unit}), or a range of it"
                )
        for name in ("ink", "paper"):
            if not re.fullmatch("#[0-9a-fA-F]{6}", str(getattr(self, name))):
                raise LookError(f"{name} is {getattr(self, name)!r}: expected a colour such as '#1b1b1f'")
        if self.form not in get_args(Form):
            raise LookError(f"form is {self.form!r}: expected one of {', '.join(get_args(Form))}")
        if self.gap is not None and (self.form == "boxed" or self.spacing != 1):
            other = "form is 'boxed'" if self.form == "boxed" else f"spacing is {self.spacing!r}"
            raise LookError(f"gap is {self.gap!r} and {other}, which both set how far characters are apart")

    @property
    def is_plain(self) -> bool:
        """Whether lines are as write_number draws them."""
        return self == Look()

    @property
    def gap_range(self) -> tuple[float, float] | None:
        """Of the gaps of a line, as number.Layout has it."""
        return self.gap if self.gap is None or isinstance(self.gap, tuple) else (self.gap, self.gap)

    @property
    def in_colour(self) -> bool:
        """Whether pictures are uint8 [H, W, 3]; else [H, W]."""
        return any(len({c[1:3], c[3:5], c[5:7]}) > 1 for c in (self.ink.lower(), self.paper.lower()))

    @property
    def asked(self) -> dict[str, Any]:
        """What differs from the usual look, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }


class Label(NamedTuple):
    """One line of a picture: what it reads, the seed of its hand, and where each character stands, as
    (character, left, top, right, bottom) in pixels of the picture."""

    text: str
    seed: int
    boxes: list[Box]


@dataclass(frozen=True)
class Picture:
    """uint8 [H, W], or [H, W, 3] in colour, and the lines on it, one or, on a page, several."""

    pixels: npt.NDArray[np.uint8]
    lines: list[Label]


def picture_of(drawn: DrawnText, look: Look) -> Picture:
    """The text in this look."""
    if look.is_plain:  # white on black is the line itself
        line = line_at(drawn, Layout())
        return Picture(line.picture, [Label(drawn.text, drawn.seed, line.boxes)])
    cover, boxes = _cover(drawn, look)
    rng, chosen = _choices(drawn.seed, look)
    return _seen(cover, [Label(drawn.text, drawn.seed, boxes)], look, chosen, rng)


def page_of(drawn: Sequence[DrawnText], look: Look, overlap: float = 0.0) -> Picture:
    """The texts one below the other, each at a place of its own; at least one.

    overlap: the share of a line's height, 0 to 0.9, by which the next one may cover it.
    """
    covers = [_cover(one, look) for one in drawn]
    rng, seen = _choices(drawn[0].seed, look)
    width = round(1.2 * max(cover.shape[1] for cover, _ in covers))
    down = 0
    tops: list[int] = []
    for cover, _ in covers:
        tops.append(down)
        down += max(1, round(cover.shape[0] * (1 - overlap * rng.uniform())))
    page = np.zeros((max(top + len(cover) for top, (cover, _) in zip(tops, covers, strict=True)), width))
    labels = []
    for one, top, (cover, boxes) in zip(drawn, tops, covers, strict=True):
        left = rng.randint(0, width - cover.shape[1] + 1)
        place = page[top : top + len(cover), left : left + cover.shape[1]]
        np.maximum(place, cover, out=place)
        moved = [(c, x0 + left, y0 + top, x1 + left, y1 + top) for c, x0, y0, x1, y1 in boxes]
        labels.append(Label(one.text, one.seed, moved))
    return _seen(page, labels, look, seen, rng)


def _choices(seed: int, look: Look) -> tuple[np.random.RandomState, dict[str, float]]:
    """The look's own chance, as `seeded` has it, and the value of each setting for the line of this seed.

    As many numbers are drawn for every look: one that leaves something out has the rest as another.
    """
    rng = seeded([seed, _LOOK_STREAM])
    shares = rng.uniform(size=len(LIMITS)).tolist()
    return rng, {
        name: _between(getattr(look, name), share) for name, share in zip(LIMITS, shares, strict=True)
    }


def _cover(drawn: DrawnText, look: Look) -> tuple[npt.NDArray[np.float64], list[Box]]:
    """How much of each pixel ink covers, the form's included: float64 [H, W], 0...1."""
    _, chosen = _choices(drawn.seed, look)
    line = _line(drawn, look, chosen)
    cover: npt.NDArray[np.float64] = line.picture / 255
    if look.form != "plain":
        scale = (chosen["height"] or _USUAL_HEIGHT) / _USUAL_HEIGHT
        cover = np.maximum(cover, _FORM_STRENGTH * _form(line, look, scale))
    return cover, line.boxes


def _seen(
    cover: npt.NDArray[np.float64],
    lines: list[Label],
    look: Look,
    chosen: dict[str, float],
    rng: np.random.RandomState,
) -> Picture:
    """Ink on paper, as a camera sees it."""
    corners, shade = rng.uniform(-1, 1, (4, 2)), rng.uniform(0, 1, 3)
    ink, paper = (_colour(colour) for colour in (look.ink, look.paper))
    if not look.in_colour:
        ink, paper = ink[:1], paper[:1]
    pixels = paper + (ink - paper) * cover[:, :, None]  # [H, W, C], 0...255
    if chosen["rotation"] or chosen["perspective"]:
        pixels, lines = _warped(pixels, lines, chosen["rotation"], chosen["perspective"] * corners)
    if chosen["shadow"]:
        pixels = pixels * _light(pixels.shape[:2], chosen["shadow"], shade)[:, :, None]
    if chosen["blur"]:
        pixels = _blurred(pixels, chosen["blur"])
    if chosen["noise"]:
        pixels = _noisy(pixels, chosen["noise"], rng)
    done = np.rint(pixels.clip(0, 255)).astype(np.uint8)
    if not look.in_colour:
        done = done[:, :, 0]
    if chosen["jpeg"] < 100:
        done = _compressed(done, round(chosen["jpeg"]))
    return Picture(done, lines)


def check_libraries(look: Look) -> None:
    """LookError if the look needs scikit-image and that is not installed."""
    if any(getattr(look, name) for name in _DEGRADED if name != "shadow"):
        try:
            import skimage.transform  # noqa: F401
        except ImportError:
            raise LookError(
                "blur, noise, perspective and rotation need scikit-image: pip install scikit-image"
            ) from None


def _line(drawn: DrawnText, look: Look, chosen: dict[str, float]) -> Line:
    """The line, `height` rows high: at the largest scale at which it is not higher, filled up with paper."""
    pitch = _PITCH * chosen["spacing"] if look.form == "boxed" else None
    slope = math.radians(chosen["slope"])
    if look.height is None:
        return line_at(drawn, Layout(1.0, chosen["spacing"], slope, pitch, look.gap_range))
    height = round(chosen["height"])
    scale = height / _USUAL_HEIGHT
    for _ in range(_TRIES):
        line = line_at(drawn, Layout(scale, chosen["spacing"], slope, pitch, look.gap_range))
        if line.picture.shape[0] <= height:
            break
        scale *= (height - 0.5) / line.picture.shape[0]
    over = line.picture.shape[0] - height
    above = -over // 2 if over < 0 else 0
    picture = np.zeros((height, line.picture.shape[1]), np.uint8)
    picture[above : above + height - max(0, -over)] = line.picture[:height]
    boxes = [
        (c, left, min(top + above, height - 1), right, min(bottom + above, height))
        for c, left, top, right, bottom in line.boxes
    ]
    return Line(picture, line.text, boxes, line.baseline + above)


def _form(line: Line, look: Look, scale: float) -> npt.NDArray[np.float64]:
    """Where the form is printed, float64 [H, W], 0 or 1."""
    height, width = line.picture.shape
    printed = np.zeros((height, width))
    thick = max(1, round(scale * 0.8))
    if look.form == "ruled":
        foot = min(line.baseline + max(1, round(scale)), height - thick)
        printed[foot : foot + thick] = 1
        return printed
    margin = round(scale * MARGIN)
    top, bottom = round(scale), height - round(scale) - thick
    ends = np.linspace(margin, width - margin - thick, len(line.text) + 1).round().astype(int)
    for end in ends:
        printed[top : bottom + thick, end : end + thick] = 1
    for row in (top, bottom):
        printed[row : row + thick, ends[0] : ends[-1] + thick] = 1
    return printed


def _warped(
    pixels: npt.NDArray[np.float64], lines: list[Label], degrees: float, corners: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], list[Label]]:
    """Turned, and its corners moved by `corners` [4, 2] heights; as large as it must be to hold all."""
    from skimage.transform import ProjectiveTransform, warp

    height, width = pixels.shape[:2]
    ends = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    turn = math.radians(-degrees)
    rotate = np.array([(math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))])
    moved = (ends - ends.mean(axis=0)) @ rotate.T + height * corners
    moved -= moved.min(axis=0)
    transform = ProjectiveTransform(_homography(ends, moved))
    wide, high = np.ceil(moved.max(axis=0)).astype(int).tolist()
    seen = warp(
        pixels, transform.inverse, output_shape=(high, wide), order=1, mode="edge", preserve_range=True
    )

    def moved_box(box: Box) -> Box:
        character, left, top, right, bottom = box
        places = transform(np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float))
        x0, y0 = np.floor(places.min(axis=0)).astype(int).tolist()
        x1, y1 = np.ceil(places.max(axis=0)).astype(int).tolist()
        return character, max(0, x0), max(0, y0), min(wide, x1), min(high, y1)

    return seen, [line._replace(boxes=[*map(moved_box, line.boxes)]) for line in lines]


def _homography(ends: npt.NDArray[np.float64], moved: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The projective map, [3, 3], that takes four corners (x, y) to where they were moved."""
    rows = []
    for (x, y), (u, v) in zip(ends.tolist(), moved.tolist(), strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
    return np.append(np.linalg.solve(np.array(rows), moved.ravel()), 1).reshape(3, 3)


def _light(
    shape: tuple[int, ...], strength: float, chance: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A shadow with a soft straight edge, float64 [H, W] up to 1. No library that is kept has one."""
    height, width = shape
    angle = 2 * math.pi * chance[0]
    rows, columns = np.mgrid[:height, :width]
    along = (columns / width - chance[1]) * math.cos(angle) + (rows / height - 0.5) * math.sin(angle)
    softness = 0.05 + 0.3 * chance[2]
    light: npt.NDArray[np.float64] = 1 - strength / (1 + np.exp(-along / softness))
    return light


def _blurred(pixels: npt.NDArray[np.float64], spread: float) -> npt.NDArray[np.float64]:
    from skimage.filters import gaussian

    blurred: npt.NDArray[np.float64] = gaussian(
        pixels, spread, mode="nearest", channel_axis=2, preserve_range=True
    )
    return blurred


def _noisy(
    pixels: npt.NDArray[np.float64], spread: float, rng: np.random.RandomState
) -> npt.NDArray[np.float64]:
    from skimage.util import random_noise

    seed = np.random.default_rng(rng.randint(2**31))
    noisy: npt.NDArray[np.float64] = random_noise(pixels / 255, "gaussian", rng=seed, var=(spread / 255) ** 2)
    return 255 * noisy


def _compressed(pixels: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """What JPEG makes of it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as picture:
        return np.asarray(picture).copy()


def _between(value: Value | None, share: float) -> float:
    """The value of this line: its own, by this share of the way, if it is a range."""
    if value is None:
        return 0.0
    low, high = value if isinstance(value, tuple) else (value, value)
    return float(low + (high - low) * share)


def _colour(colour: str) -> npt.NDArray[np.float64]:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], float)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
