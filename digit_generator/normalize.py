"""Normalise: from a picture of handwritten digits, of any size and colour, to pixels as MNIST has them.

A photograph, a scan or a drawing goes through these steps, which need NumPy and Pillow alone:

1. grey: transparent pictures are composed on white, the picture is turned upright and averaged to 3
   megapixels or fewer, and a small one is enlarged;
2. ink: the ground is the picture without its narrow shapes (morphological closing, which keeps shadows), and
   ink is how much a pixel differs from its ground. Lines of ruled and squared paper are removed;
3. bilevel: the ink is cut at two fifths of the strongest;
4. pieces: specks are dropped, and pieces of one digit are put together;
5. digits: each is cropped, cut at half of its own ink and averaged by MNIST's rule (`finish.boxed_pixels`).
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, UnidentifiedImageError

from digit_generator.errors import DigitGeneratorError
from digit_generator.finish import SMALLEST_PIECE, boxed_pixels, hashed, labelled_runs

MAX_MEGAPIXELS = 64  # of a picture; read in its header, before anything is decoded
MAX_DIGITS = 200  # of a picture, where nobody names less
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
"""The formats that are read, by Pillow's names; those that this Pillow was built without are left out."""

_WORKING = 3_000_000  # pixels at which digits are looked for, at most
_SHORTER_SIDE = 256  # pixels: a smaller picture is enlarged

# Which side is ink
_TWO_GREYS = 0.8  # of the variance lies between two greys: the picture has two greys
_ONE_SIDED = 0.65  # of the border is of one grey: that is the ground ...
_SHEET = 0.35  # ... unless the other grey has a shape wider than this share of the longer side
_VOTES = ((1 / 48, 2), (1 / 24, 2), (1 / 12, 1), (1 / 6, 1), (1 / 3, 1))
"""Widths of shapes, as shares of the shorter side, and how much each counts."""

# The ground and the ink
_GROUND = 0.4  # of the shorter side: a wider shape is ground and no stroke
_DARKEST_GROUND = 0.4  # of the bright ground: where it is darker, ink is measured as if it were this
_LEAST_LIGHT = 32  # of 255: a black ground is taken to be as light as this
_FAINTEST = 24  # of 255: weaker is no ink
_OVER_NOISE = 8  # times the noise: the strongest ink has at least this
_STRONGEST = 40  # pixels reach the level of the strongest ink
_CUT = 0.4  # of the strongest ink: from here on a pixel is ink ...
_CORE = 0.6  # ... if a pixel of its piece has this

# Ruled and squared paper
_RULED_THICKNESS = (4, 8, 16, 32)  # pixels, at most
_RULED_LENGTH = 24  # thicknesses: of the window in which a line is looked for
_RULED_SHARE = 0.8  # of the window that the line fills
_RULED_SPAN = 0.75  # of the picture that a line crosses
_RULED_COUNT = 2  # parallel lines, at least

# Pieces and digits
_SPECK = 0.12  # of the usual height: a piece that is shorter both ways is a speck
_MOST_PIECES = 5 * MAX_DIGITS
_LOWEST = 0.35  # of the usual height: what is lower is no digit, such as a point or a dash
_SCAN = 64  # pixels: the longer side of a digit's scan ...
_CANVAS = 96  # ... and the square that it lies on
_OWN_LEVEL = 75  # percent of a digit's pixels are weaker than its level
_OWN_CUT = 0.5  # of this level: where the scan is cut

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = [_TURNS[orientation] for orientation in (5, 6, 7, 8)]
_ORIENTATION = 0x0112  # the EXIF tag
_BOX_COLOUR = (220, 50, 30)

Pixels = npt.NDArray[np.uint8]
_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Scalar = TypeVar("_Scalar", bound=np.generic)
Picture = str | Path | bytes | Image.Image | npt.NDArray[np.generic]


class PictureError(DigitGeneratorError):
    """A picture that cannot be read, or without digits that can be found; the message is one sentence."""


@dataclass(frozen=True)
class Normalized:
    """The digits of a picture, N of them, in reading order: line by line, each from left to right.

    pixels: uint8 [N, 28, 28], 0 background ... 255 ink. boxes: int64 [N, 4], left, top, right and bottom of
    each digit's ink in pixels of the picture (upright, as EXIF has it turned); right and bottom are the first
    column and row after it. steps: pictures of what was done, by name, in order: "grey", "ink" (0 none ...
    255) and "bilevel" (0 or 255) are uint8 [H, W], "pieces" is uint8 [H, W, 3], the bilevel picture with the
    boxes; H and W are those at which digits were looked for.
    """

    pixels: Pixels
    boxes: _Ints
    steps: dict[str, Pixels]


def normalized_digits(
    picture: Picture, *, most: int = MAX_DIGITS, megapixels: int = MAX_MEGAPIXELS
) -> Normalized:
    """A picture of one digit or several -> the digits as MNIST has them.

    picture is a path, the bytes of a file, a Pillow image or an array: grey [H, W], RGB [H, W, 3] or RGBA
    [H, W, 4], of uint8, uint16, bool (False is black) or floats from 0 to 1. Of an animated picture the first
    frame counts. Ink may be dark on light or light on dark.

    Raises PictureError if it is no picture, damaged, larger than so many megapixels (64 at most), without
    strokes on a ground (one even grey is neither ink nor ground), or if it has more digits than `most`.
    """
    grey, size = _grey_of(picture, megapixels)
    ink = ink_from_grey(grey)
    labels, digits = _digits_of(ink, most)
    bilevel = labels > 0
    pixels = np.stack([_pixels_of(ink, labels, digit) for digit in digits])
    found = np.array([digit.box for digit in digits])
    steps = {
        "grey": grey,
        "ink": ink,
        "bilevel": np.where(bilevel, np.uint8(255), np.uint8(0)),
        "pieces": _with_boxes(bilevel, found),
    }
    return Normalized(pixels, _boxes_in_picture(found, grey.shape, size), steps)


# From a picture to grey


def _grey_of(picture: Picture, megapixels: int) -> tuple[Pixels, tuple[int, int]]:
    """The picture upright, uint8 [H, W], 0 black ... 255 white, and its own width and height."""
    name = str(picture) if isinstance(picture, str | Path) else "The picture"
    if isinstance(picture, np.ndarray):
        image = _image_of_array(picture, megapixels)
        grey, size = _grey(image, name), image.size
    elif isinstance(picture, Image.Image):
        with _readable(name):
            grey, size = _decoded(picture, name, megapixels)
    else:
        with (
            _readable(name),
            io.BytesIO(picture) if isinstance(picture, bytes) else Path(picture).open("rb") as file,
            _picture_in(file, name) as image,
        ):
            grey, size = _decoded(image, name, megapixels, smaller=True)
    return np.asarray(_at_working_size(grey)), size


def _image_of_array(array: npt.NDArray[np.generic], megapixels: int) -> Image.Image:
    """An array as a Pillow image of 8 bits a channel. Raises PictureError if it is no picture."""
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise PictureError(f"The array has the shape {array.shape}: expected (H, W), (H, W, 3) or (H, W, 4)")
    _check_size(array.shape[1], array.shape[0], "The array", megapixels)
    if channels == 1:
        array = array.reshape(array.shape[:2])
    return Image.fromarray(_eight_bits(array, "The array"))


def _eight_bits(array: npt.NDArray[np.generic], name: str) -> Pixels:
    kind, bits = array.dtype.kind, 8 * array.dtype.itemsize
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, np.uint8)
    if kind == "b":
        return np.where(array, np.uint8(255), np.uint8(0))
    if kind == "u" and bits == 16:  # of which scanners may use 10, 12 or 14
        unused = 16 - max(int(array.max()).bit_length(), 8)
        return ((array.astype(np.uint32) << unused) >> 8).astype(np.uint8)
    if kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also where one is not a number
            raise PictureError(f"{name} has floats from {low:g} to {high:g}: expected 0 (black) to 1 (white)")
        return np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    raise PictureError(f"{name} is of {array.dtype}: expected uint8, uint16, bool or floats from 0 to 1")


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Raises PictureError for what Pillow raises of pictures that are none, or damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd in a picture that can be read all the same
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(
            f"{name} has more than {MAX_MEGAPIXELS} megapixels: make it smaller, or cut out the digits"
        ) from None
    except UnidentifiedImageError:
        raise PictureError(
            f"{name} is no picture of a known format: expected one such as PNG or JPEG"
        ) from None
    except OSError as error:
        if error.strerror:  # of the file
            raise PictureError(f"{name} cannot be read ({error.strerror}): name a picture") from None
        raise PictureError(f"{name} is cut short or damaged ({error}): copy it again") from None
    except (SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, MemoryError, struct.error):
        raise PictureError(f"{name} is damaged: save it again with another program") from None


@contextmanager
def _picture_in(file: IO[bytes], name: str) -> Iterator[Image.Image]:
    start = file.read(12)
    file.seek(0)
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        raise PictureError(f"{name} is an HEIC picture, which is not read: save it as JPEG or PNG")
    Image.init()
    with Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
        yield image


def _check_size(width: int, height: int, name: str, megapixels: int) -> None:
    if not width * height:
        raise PictureError(f"{name} has {width} by {height} pixels: expected a picture of a digit")
    if width * height > megapixels * 10**6:
        raise PictureError(
            f"{name} has {width} by {height} pixels, more than {megapixels} megapixels:"
            " make it smaller, or cut out the digits"
        )


def _decoded(
    image: Image.Image, name: str, megapixels: int, *, smaller: bool = False
) -> tuple[Image.Image, tuple[int, int]]:
    """The picture grey and upright, and its own width and height, upright too.

    `smaller` lets a JPEG be decoded at half its size or less, which changes the image object.
    """
    width, height = image.size
    _check_size(width, height, name, megapixels)
    shrink = max((width * height / _WORKING) ** 0.5, 1.0)
    if not (smaller and image.draft("", (max(int(width / shrink), 1), max(int(height / shrink), 1)))):
        image.load()
        width, height = image.size  # a TIFF is turned upright by Pillow
    image.load()
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, KeyError, struct.error, OSError):
        turn = None  # what is damaged there is not the picture
    grey = _grey(image, name)
    if turn is None:
        return grey, (width, height)
    return grey.transpose(turn), (height, width) if turn in _SIDEWAYS else (width, height)


def _grey(image: Image.Image, name: str) -> Image.Image:
    """Any mode -> "L", composed on white, of 3 megapixels or less where that is a matter of averaging."""
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if values.dtype.kind == "i":  # 32 bits, in which Pillow also keeps 16
            values = values.clip(0, 65535).astype(np.uint16)
        elif values.dtype.kind == "u":
            values = values.astype(np.uint16)  # the machine's byte order
        return _reduced(Image.fromarray(_eight_bits(values, name)))
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("RGBA")
        white = Image.new("L", image.size, 255)
        return _reduced(Image.composite(image.convert("L"), white, image.getchannel("A")))
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return _reduced(image.convert("L"))


def _reduced(grey: Image.Image) -> Image.Image:
    factor = int(np.ceil((grey.width * grey.height / _WORKING) ** 0.5))
    return grey.reduce(factor) if factor > 1 else grey


def _at_working_size(grey: Image.Image) -> Image.Image:
    """A small picture enlarged by a whole number."""
    area = grey.width * grey.height
    factor = min(-(-_SHORTER_SIDE // min(grey.size)), int((_WORKING / area) ** 0.5))
    if factor <= 1:
        return grey
    return grey.resize((factor * grey.width, factor * grey.height), Image.Resampling.BICUBIC)


def _boxes_in_picture(boxes: _Ints, shape: tuple[int, ...], size: tuple[int, int]) -> _Ints:
    """Boxes at the working size -> in pixels of the picture: the pixels that the ink touches."""
    wide, high = size[0] / shape[1], size[1] / shape[0]
    scaled = boxes * [wide, high, wide, high]
    outward = np.concatenate([np.floor(scaled[:, :2] + 0.01), np.ceil(scaled[:, 2:] - 0.01)], axis=1)
    inside: _Ints = outward.clip(0, [*size, *size]).astype(np.int64)
    return inside


# From grey to ink


def ink_from_grey(grey: Pixels) -> Pixels:
    """How much darker or lighter than its ground each pixel is: uint8 [H, W], 0 none ... 255 all.

    Raises PictureError if nothing stands out from the ground.
    """
    calm = np.asarray(Image.fromarray(grey).filter(ImageFilter.BoxBlur(1)))
    is_dark = _ink_is_dark(calm)
    dark = calm if is_dark else 255 - calm
    ground = _ground_of(dark, _ground_radius(dark))
    bright = max(float(np.percentile(ground[::8, ::8], 95)), 1.0)
    if is_dark:  # ink takes away a share of the light
        over = np.maximum(ground, _DARKEST_GROUND * bright).astype(np.float32)
    else:  # light ink adds as much as there is light to be seen on the dark ground
        light = 255 - ground.astype(np.float32) + _LEAST_LIGHT
        over = 255 * light / float(np.percentile(light[::8, ::8], 95))
    ink = (ground - dark) * (255 / over)
    # The ground's noise is normal around its middle; its lower half is without ink.
    low, quarter = np.percentile(ink, [5, 25])
    noise = float(quarter - low) / 0.971
    ink = (ink - (quarter + 0.674 * noise)).clip(0, 255)
    strongest = _strongest(ink)
    if strongest < max(_FAINTEST, _OVER_NOISE * noise):
        raise PictureError(
            "The picture shows no ink: expected strokes that are darker or lighter than their ground"
        )
    levels: Pixels = ink.astype(np.uint8)
    unruled = _without_ruled_lines(levels, int(_CUT * strongest))
    return unruled if _strongest(unruled) >= _CORE * strongest else levels


def _ground_of(dark: Pixels, radius: int) -> Pixels:
    """The grey of the ground everywhere, uint8 [H, W]: the picture without what is dark and narrow."""
    # Light that falls off goes on falling beyond the border: a dark corner is no ink.
    smooth = np.asarray(Image.fromarray(dark).filter(ImageFilter.BoxBlur(8))).astype(np.int16)
    beyond = np.pad(smooth, radius, "reflect", reflect_type="odd").clip(0, 255).astype(np.uint8)
    inside = slice(radius, -radius), slice(radius, -radius)
    beyond[inside] = dark
    return _closed(beyond, radius)[inside]


def _ground_radius(dark: Pixels) -> int:
    """Half the width from which on a dark shape is ground and no stroke: as small as the strokes allow.

    The strongest ink has to stay as strong as it is with the widest. A shadow, which is wider than a stroke
    and fainter, then belongs to the ground.
    """
    widest = max(2, int(_GROUND * min(dark.shape) / 2))
    small = _thumbnail(dark)
    radius = max(2, int(_GROUND * min(small.shape) / 2))
    ink = _ground_of(small, radius).astype(np.int16) - small
    core = ink >= max(_CORE * float(np.partition(ink.reshape(-1), -8)[-8]), 1)
    while radius >= 4 and core.any():
        narrower = _ground_of(small, 7 * radius // 10).astype(np.int16) - small
        if (narrower[core] < 0.4 * ink[core]).mean() > 0.05:
            break
        radius = 7 * radius // 10
    wider: int = 3 * radius * min(dark.shape) // (2 * min(small.shape)) + 1  # as a margin
    return min(widest, wider)


def _strongest(ink: npt.NDArray[np.generic]) -> float:
    """The level that the strongest pixels reach: enough of them for the smallest digit."""
    flat = ink.reshape(-1)
    place = max(len(flat) - _STRONGEST, 0)
    return float(np.partition(flat, place)[place])


def _ink_is_dark(grey: Pixels) -> bool:
    """Whether ink is darker than its ground.

    Where the picture is plainly of two greys, the ground is the one along the border. In uneven light,
    narrow dark shapes are weighed against narrow light ones, from fine to coarse.
    """
    counts = np.bincount(grey.reshape(-1), minlength=256) / grey.size
    level = np.arange(256)
    share = np.cumsum(counts)[:-1]  # of what is up to each level
    mean, below = counts @ level, np.cumsum(counts * level)[:-1]
    between = (mean * share - below) ** 2 / np.maximum(share * (1 - share), 1e-9)  # Otsu 1979
    if between.max() >= _TWO_GREYS * max(float(counts @ (level - mean) ** 2), 1e-9):
        light = grey > between.argmax()
        border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
        is_dark = bool(border.mean() > 0.5)
        ink = _thumbnail(np.where(light != is_dark, np.uint8(255), np.uint8(0)))
        longer = max(ink.shape)
        filled = _closed(ink, max(1, longer // 32))  # what is written on a sheet
        wide = _opened(filled, int(_SHEET * longer / 2)).max() >= 128  # the sheet lies on a table
        if max(border.mean(), 1 - border.mean()) >= _ONE_SIDED and not wide:
            return is_dark
    small = _thumbnail(grey)
    balance = 0.0
    for width, votes in _VOTES:
        radius = max(1, int(width * min(small.shape) / 2))
        dark = _energy(small, radius)
        light_shapes = _energy(255 - small, radius)
        balance += votes * (dark - light_shapes) / max(dark + light_shapes, 1.0)
    return balance >= 0


def _energy(dark: Pixels, radius: int) -> float:
    """How strongly shapes stand out that are dark and narrower than 2 radius + 1: a sum of squares."""
    depth = _ground_of(dark, radius).astype(np.float64) - dark
    return float((depth**2).sum())


def _thumbnail(values: Pixels) -> Pixels:
    """The picture averaged to 384 pixels a side at most."""
    small = Image.fromarray(values)
    small.thumbnail((384, 384), Image.Resampling.BOX)
    return np.asarray(small)


def _without_ruled_lines(ink: Pixels, cut: int) -> Pixels:
    """The ink without lines that run straight across the picture, at least two side by side."""
    for axis in (0, 1):
        for thickness in _RULED_THICKNESS:
            if 3 * thickness > min(ink.shape) // 8:
                break
            flat = ink if axis == 0 else ink.T
            lines = _ruled_lines(flat, thickness, cut)
            if lines is not None:
                ink = np.where(lines if axis == 0 else lines.T, np.uint8(0), ink)
    return ink


def _ruled_lines(ink: Pixels, thickness: int, cut: int) -> _Bools | None:
    """Where ruled lines run from left to right, bool [H, W]; None without any.

    A line is vertically thin, fills most of a long window, and goes on for most of the picture.
    """
    width = ink.shape[1]
    radius = thickness // 2 + 1
    thick = _along(_along(ink, radius, 0, np.minimum, 255), radius, 0, np.maximum, 0)
    thin: _Bools = ink - thick >= cut
    if thin.sum() < _RULED_COUNT * _RULED_SHARE * width:
        return None
    near = _along(thin, max(1, thickness // 2), 0, np.logical_or, False)  # a line may slope a little
    reach = min(_RULED_LENGTH * thickness, width) // 2
    lined, hidden = (_counts(shapes, reach) for shapes in (near, (ink >= cut) & ~near))
    length = _counts(np.ones((1, width), np.bool_), reach)
    filled = (lined >= _RULED_SHARE * (length - hidden)) & (lined >= length / 4)
    zone = _along(filled, reach // 2, 1, np.logical_or, False)
    runs = labelled_runs(zone[None])
    first, piece = np.unique(runs.piece, return_inverse=True)
    if not len(first):
        return None
    start, end = np.full(len(first), width), np.zeros(len(first), np.int64)
    np.minimum.at(start, piece, runs.start)
    np.maximum.at(end, piece, runs.end)
    long = end - start >= _RULED_SPAN * width
    if long.sum() < _RULED_COUNT:
        return None
    # What a digit has cut off from a line is shorter.
    at_border = (start == 0) | (end == width)
    taken = long | (end - start >= 2.4 * reach) | (at_border & (end - start >= reach))
    lines = np.zeros(ink.shape, np.bool_)
    for run in np.flatnonzero(taken[piece]):
        lines[runs.row[run], runs.start[run] : runs.end[run]] = True
    # The blur of a line reaches further than the cut.
    blurred = _along(lines & thin, 1, 0, np.logical_or, False)
    taken_out: _Bools = blurred & ((ink < 2 * cut) | thin)
    return taken_out


def _counts(shapes: _Bools, reach: int) -> npt.NDArray[np.int32]:
    """How many of the 2 reach + 1 places around each in its row are true."""
    width = shapes.shape[1]
    sums = np.cumsum(np.pad(shapes, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    place = np.arange(width)
    counts: npt.NDArray[np.int32] = (
        sums[:, np.minimum(place + reach + 1, width)] - sums[:, (place - reach).clip(0)]
    )
    return counts


def _closed(values: Pixels, radius: int) -> Pixels:
    """Morphological closing by a square of 2 radius + 1: narrower dark shapes take their ground's level."""
    high = _along(_along(values, radius, 0, np.maximum, 0), radius, 1, np.maximum, 0)
    return _along(_along(high, radius, 0, np.minimum, 255), radius, 1, np.minimum, 255)


def _opened(values: Pixels, radius: int) -> Pixels:
    """Morphological opening: narrower light shapes take their ground's level."""
    low = _along(_along(values, radius, 0, np.minimum, 255), radius, 1, np.minimum, 255)
    return _along(_along(low, radius, 0, np.maximum, 0), radius, 1, np.maximum, 0)


def _along(
    values: npt.NDArray[_Scalar], radius: int, axis: int, better: Callable[..., Any], neutral: int
) -> npt.NDArray[_Scalar]:
    """The best of the 2 radius + 1 values around each along an axis, fewer at the border.

    `better` is np.maximum, np.minimum or np.logical_or, and `neutral` the value that loses against all.
    """
    width = 2 * radius + 1
    margin = [(radius, radius) if a == axis else (0, 0) for a in range(values.ndim)]
    best = np.pad(values, margin, constant_values=neutral)
    reach = 1  # how many values each place has seen
    while reach < width:
        step = min(reach, width - reach)
        here, there = (slice(None, -step), slice(step, None))
        best = better(best[here], best[there]) if axis == 0 else better(best[:, here], best[:, there])
        reach += step
    return best


# From ink to digits


@dataclass(frozen=True)
class _Digit:
    """A digit on the bilevel picture, or a part of one.

    box is left, top, right, bottom; area is in pixels; pieces are (number, area) of each of its pieces.
    """

    box: tuple[int, int, int, int]
    area: int
    pieces: tuple[tuple[int, int], ...]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    def __add__(self, other: _Digit) -> _Digit:
        low = map(min, self.box[:2], other.box[:2])
        high = map(max, self.box[2:], other.box[2:])
        left, top, right, bottom = *low, *high
        return _Digit((left, top, right, bottom), self.area + other.area, self.pieces + other.pieces)


def _digits_of(ink: Pixels, most: int) -> tuple[_Ints, list[_Digit]]:
    """Which piece each pixel belongs to, int [H, W], 0 for none, and the digits in reading order."""
    strongest = _strongest(ink)
    bilevel = ink >= max(_CUT * strongest, 1)
    runs = labelled_runs(bilevel[None])
    names, piece = np.unique(runs.piece, return_inverse=True)
    lengths = runs.end - runs.start
    area = np.bincount(piece, weights=lengths).astype(np.int64)
    box = np.zeros((len(names), 4), np.int64)
    box[:, :2] = max(ink.shape)
    for column, first in ((0, runs.start), (1, runs.row)):
        np.minimum.at(box[:, column], piece, first)
    for column, after in ((2, runs.end), (3, runs.row + 1)):
        np.maximum.at(box[:, column], piece, after)
    labels = np.zeros(ink.shape, np.int64)
    labels[bilevel] = np.repeat(piece + 1, lengths)  # runs and pixels are in the same order
    core = np.zeros(len(names) + 1, np.bool_)
    core[labels[bilevel & (ink >= _CORE * strongest)]] = True
    kept = core[1:]
    inner = kept & ~_around_the_paper(labels, box, area)
    kept = inner if inner.any() else kept
    usual = _usual(box[kept, 3] - box[kept, 1], area[kept])
    longer = (box[:, 2:] - box[:, :2]).max(axis=1)
    kept &= longer >= _SPECK * usual
    if kept.sum() > _MOST_PIECES:
        raise PictureError(f"The picture has {kept.sum()} pieces of ink: expected {most} digits at most")
    parts = []
    for number in np.flatnonzero(kept):
        left, top, right, bottom = box[number].tolist()
        size = int(area[number])
        parts.append(_Digit((left, top, right, bottom), size, ((int(number) + 1, size),)))
    digits = _whole_digits(parts)
    if not digits:
        raise PictureError("The picture shows no ink that is as large as a digit")
    if len(digits) > most:
        raise PictureError(f"The picture has {len(digits)} digits: expected {most} at most")
    return labels, _in_reading_order(digits)


def _around_the_paper(labels: _Ints, box: _Ints, area: _Ints) -> _Bools:
    """Which pieces are no ink but what lies around the paper: a strip, a corner or a frame; bool [pieces]."""
    height, width = labels.shape
    left, top, right, bottom = box.T
    wide, high = right - left, bottom - top
    filled = area / (wide * high)
    strip = ((top == 0) | (bottom == height)) & (wide >= width / 4) & (high < wide)
    strip |= ((left == 0) | (right == width)) & (high >= height / 4) & (wide < high)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    touches = np.bincount(border, minlength=len(box) + 1)[1:]
    frame = (wide >= 0.9 * width) & (high >= 0.9 * height) & (filled < 0.1)
    around: _Bools = (strip & (filled > 0.6)) | (touches >= (width + height) / 2) | frame
    return around


def _usual(sizes: _Ints, weights: _Ints) -> float:
    """The median, each size as often as its weight."""
    order = np.argsort(sizes)
    total = np.cumsum(weights[order])
    return float(sizes[order][np.searchsorted(total, total[-1] / 2)]) if len(sizes) else 0.0


def _whole_digits(parts: list[_Digit]) -> list[_Digit]:
    """The parts grouped, largest first, without specks, points and dashes."""
    digits, before = parts, len(parts) + 1
    while len(digits) < before:  # parts that are together may reach a third one
        parts, digits, before = digits, [], len(digits)
        for part in sorted(parts, key=lambda part: -part.area):
            for index, digit in enumerate(digits):
                if _belongs(part, digit):
                    digits[index] = digit + part
                    break
            else:
                digits.append(part)
    if not digits:
        return []
    usual = _usual(np.array([d.height for d in digits]), np.array([d.area for d in digits]))
    return [digit for digit in digits if digit.height >= _LOWEST * usual]


def _belongs(part: _Digit, digit: _Digit) -> bool:
    """Whether two parts are one digit's: one in the other's box, one above the other, or close at the top."""
    low, high = sorted((part.height, digit.height))
    narrow = min(part.width, digit.width)
    across = min(part.box[2], digit.box[2]) - max(part.box[0], digit.box[0])  # negative: the gap
    down = min(part.box[3], digit.box[3]) - max(part.box[1], digit.box[1])
    if across >= 0.6 * narrow and down >= 0.25 * low:
        return True
    flat = all(one.width >= 1.2 * one.height for one in (part, digit))
    if low >= 0.6 * high and not flat:  # each could be a digit
        return across >= 0.4 * narrow and 0 >= down > -0.08 * high
    if across >= 0.25 * narrow and down > -0.25 * high:
        return True
    middle = (part.box[1] + part.box[3]) / 2
    beside = part.height < 0.4 * high and middle < digit.box[1] + 0.6 * digit.height  # no point at the foot
    return beside and across > -0.15 * high and down > -0.15 * high


def _in_reading_order(digits: list[_Digit]) -> list[_Digit]:
    """Line by line, each from left to right. A line may slope: each digit stands beside the one before it."""
    lines: list[list[_Digit]] = []
    for digit in sorted(digits, key=lambda digit: digit.box[0]):
        beside = [_beside(line[-1], digit) for line in lines]
        if beside and max(beside) >= 0.4:
            lines[beside.index(max(beside))].append(digit)
        else:
            lines.append([digit])
    lines.sort(key=lambda line: sum(digit.box[1] + digit.box[3] for digit in line) / len(line))
    return [digit for line in lines for digit in line]


def _beside(one: _Digit, other: _Digit) -> float:
    """The rows that both have, as a share of the lower one's."""
    common = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return common / min(one.height, other.height)


# From a digit to pixels


def _pixels_of(ink: Pixels, labels: _Ints, digit: _Digit) -> Pixels:
    """One digit's ink, cut at half of its own level and averaged by MNIST's rule: uint8 [28, 28]."""
    longer = max(digit.width, digit.height)
    margin = longer // 10 + 2
    left, top = max(digit.box[0] - margin, 0), max(digit.box[1] - margin, 0)
    part = slice(top, digit.box[3] + margin), slice(left, digit.box[2] + margin)
    largest = max(area for _, area in digit.pieces)
    numbers = [number for number, area in digit.pieces if 100 * area >= SMALLEST_PIECE * largest]
    own = np.isin(labels[part], numbers)
    near = _widened(own, max(1, longer // 16)) & ~_widened((labels[part] > 0) & ~own, 1)
    grey = np.where(own | near, ink[part], np.uint8(0)).astype(np.float32)
    cut = _OWN_CUT * float(np.percentile(grey[own], _OWN_LEVEL))
    height, width = (max(1, round(side * _SCAN / longer)) for side in grey.shape)
    scaled = np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BICUBIC))
    scan = scaled > min(cut, _OWN_CUT * float(scaled.max()))  # a hair's breadth may be fainter than the cut
    rows, columns = np.flatnonzero(scan.any(axis=1)), np.flatnonzero(scan.any(axis=0))
    cropped = scan[rows[0] : rows[0] + _CANVAS, columns[0] : columns[0] + _CANVAS]
    canvas = np.zeros((1, _CANVAS, _CANVAS), np.bool_)
    canvas[0, : cropped.shape[0], : cropped.shape[1]] = cropped
    pixels: Pixels = boxed_pixels(canvas, hashed(np.array([scan.sum()], np.uint32)))[0]
    return pixels


def _widened(shapes: _Bools, radius: int) -> _Bools:
    wide: _Bools = _along(_along(shapes, radius, 0, np.logical_or, False), radius, 1, np.logical_or, False)
    return wide


def _with_boxes(bilevel: _Bools, boxes: _Ints) -> Pixels:
    """The bilevel picture, black ink on white, with a box around each digit: uint8 [H, W, 3]."""
    picture = np.where(bilevel, np.uint8(0), np.uint8(255))[:, :, None].repeat(3, axis=2)
    line = max(1, min(bilevel.shape) // 200)
    for left, top, right, bottom in boxes.tolist():
        outer = picture[
            max(top - 2 * line, 0) : bottom + 2 * line, max(left - 2 * line, 0) : right + 2 * line
        ]
        for side in (outer[:line], outer[-line:], outer[:, :line], outer[:, -line:]):
            side[:] = _BOX_COLOUR
    return picture
