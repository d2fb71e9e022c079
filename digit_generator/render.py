"""Pixels -> pictures: PNG, contact sheet, animation, SVG.

Lossless, and enlarged by repeating pixels, never smoothed; only the outline of an SVG is smooth.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Sequence
from itertools import groupby
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from digit_generator.recipe import MAX_SCALE

MAX_MEGAPIXELS = 64  # larger pictures make Pillow and other readers suspicious
RECIPE_CHUNK = "digit-generator recipe"  # the keyword of the text chunk in a PNG
MAX_RECIPE_BYTES = 2**17  # in the file; a morph of 2,000 stops takes 40 KB
_MAX_CHUNKS = 10_000  # looked at; before the pixels there are a few
_KEYWORD = RECIPE_CHUNK.encode() + b"\0"
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")  # other programs may save it as another kind
AnimationFormat = Literal["gif", "webp", "apng"]
SvgForm = Literal["outline", "pixels", "ink"]
INK, PAPER = "#1b1b1f", "#fbfaf8"
_COMPRESSION: Final = {"compress_type": zlib.Z_RLE}
"""Digits are runs of one grey: looking for nothing else takes half the time, and files are no larger."""


def png_from_pixels(pixels: npt.NDArray[np.uint8], *, scale: int = 1, recipe: str = "") -> bytes:
    """One digit, uint8 [28, 28], 0 background ... 255 ink -> a greyscale PNG, 28 * scale pixels square.

    `recipe` goes into a text chunk, where recipe_text_from_png finds it (recipe.Recipe.text makes it).
    ValueError for another shape or dtype, or a scale outside 1...64.
    """
    _check_digit(pixels)
    return _png_from_canvas(pixels, scale, recipe)


def sheet_from_pixels(
    pixels: npt.NDArray[np.uint8], *, columns: int, scale: int = 1, gap: int = 2, recipe: str = ""
) -> bytes:
    """Digits, uint8 [B, 28, 28], 0 background ... 255 ink -> one greyscale PNG, filled row by row.

    `gap` is the black space between digits, in pixels before enlarging; `recipe` as in png_from_pixels.
    ValueError for another shape or dtype, no digits, columns below 1, gap below 0, a scale outside 1...64,
    or more than 64 megapixels.
    """
    _check_row(pixels)
    if columns < 1 or gap < 0:
        raise ValueError(f"columns is {columns} and gap is {gap}: expected at least 1 and at least 0")
    columns = min(columns, len(pixels))
    rows = -(-len(pixels) // columns)
    step = 28 + gap
    canvas = np.zeros((rows * step - gap, columns * step - gap), np.uint8)
    for index, digit in enumerate(pixels):
        top, left = index // columns * step, index % columns * step
        canvas[top : top + 28, left : left + 28] = digit
    return _png_from_canvas(canvas, scale, recipe)


def digits_from_training_sheet(sheet: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A sheet that mnist_gan_training.py wrote, uint8 [H, W] -> its digits, uint8 [10, 10, 28, 28].

    The digits come first, then the seeds 0 to 9. A sheet has cells of 30 pixels below a margin of 14, all of
    it enlarged twice.
    """
    cells = sheet[28 : 28 + 600 : 2, 0:600:2].reshape(10, 30, 10, 30).swapaxes(1, 2)
    digits: npt.NDArray[np.uint8] = cells[:, :, :28, :28].copy()
    return digits


def recipe_text_from_png(png: bytes | BinaryIO) -> str | None:
    """The recipe in the text chunk of a PNG, None if it has none. ValueError for what is no PNG.

    Of a file, no more is kept than its header and its recipe, however large it is.
    """
    try:
        header = _header_and_recipe(io.BytesIO(png) if isinstance(png, bytes) else png)
        with Image.open(io.BytesIO(header), formats=["PNG"]) as picture:
            text = picture.info.get(RECIPE_CHUNK)
    # What Pillow raises for damaged files: UnidentifiedImageError is an OSError, DecompressionBombError none.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise ValueError("not a PNG picture, or damaged") from None
    return str(text) if isinstance(text, str) else None


def is_whole_png(png: bytes) -> bool:
    """Whether the checksums of all chunks agree with what is in them, the last chunk included."""
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    place = 8
    while place + 12 <= len(png):
        end = place + 8 + int.from_bytes(png[place : place + 4])
        if zlib.crc32(png[place + 4 : end]).to_bytes(4) != png[end : end + 4]:
            return False
        if end + 4 == len(png):
            return png[place + 4 : place + 8] == b"IEND"
        place = end + 4
    return False


def _header_and_recipe(file: BinaryIO) -> bytes:
    """Of a PNG file, its first chunk, the text chunks of the recipe, and the beginning of its pixels.

    Others are skipped, so that Pillow inflates nothing but what is small. ValueError for what is no PNG.
    """
    kept = [file.read(8)]
    for number in range(_MAX_CHUNKS):
        start = file.read(8)
        if len(start) < 8:
            raise ValueError("it ends before its pixels")
        length, kind = int.from_bytes(start[:4]), start[4:]
        if kind == b"IDAT":
            return b"".join([*kept, start])
        begin = file.read(min(length, len(_KEYWORD)))
        if number == 0 or (kind in _TEXT_CHUNKS and begin == _KEYWORD):
            if length > MAX_RECIPE_BYTES:
                raise ValueError("its recipe is longer than any")
            kept += [start, begin, file.read(length - len(begin) + 4)]
        else:
            _skip(file, length - len(begin) + 4)
    raise ValueError(f"it has more than {_MAX_CHUNKS} chunks before its pixels")


def _skip(file: BinaryIO, count: int) -> None:
    """Read on without keeping it, since a pipe cannot be sought in."""
    while count:
        skipped = len(file.read(min(count, 2**16)))
        if not skipped:
            raise ValueError("it ends within a chunk")
        count -= skipped


def animation_from_pixels(
    pixels: npt.NDArray[np.uint8],
    format: AnimationFormat,
    *,
    milliseconds: int | Sequence[int] = 40,
    scale: int = 1,
    recipe: str = "",
) -> bytes:
    """Frames, uint8 [F, 28, 28], 0 background ... 255 ink -> GIF, WebP or APNG, lossless, played for ever.

    `milliseconds` is how long a frame stays, one number for all or one for each, 20 or more; a GIF counts in
    hundredths of a second. `recipe` is as in png_from_pixels, and goes into an APNG only. ValueError for
    another shape, dtype, format, time or scale, or more than 64 megapixels in all.
    """
    _check_row(pixels)
    times = [milliseconds] * len(pixels) if isinstance(milliseconds, int) else list(milliseconds)
    if len(times) != len(pixels) or min(times) < 20:
        raise ValueError(
            f"{len(times)} times came for {len(pixels)} frames: expected one each, from 20 ms on"
        )
    options = {
        "gif": {"format": "GIF", "optimize": False, "disposal": 1},
        "webp": {"format": "WEBP", "lossless": True, "method": 4},
        "apng": {"format": "PNG", "pnginfo": _text_chunk(recipe), **_COMPRESSION},
    }
    if format not in options:
        raise ValueError(f"format is {format!r}: expected one of {', '.join(options)}")
    _check_size(pixels, scale)
    frames = [Image.fromarray(frame) for frame in pixels.repeat(scale, axis=1).repeat(scale, axis=2)]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        save_all=True,
        append_images=frames[1:],
        duration=times,
        loop=0,
        **options[format],  # type: ignore[arg-type]
    )
    return buffer.getvalue()


def svg_from_pixels(pixels: npt.NDArray[np.uint8], form: SvgForm = "outline") -> str:
    """One digit, uint8 [28, 28], 0 background ... 255 ink -> SVG, white on black, 28 units square.

    "outline" is the line at half ink, smooth at any size, holes by the even-odd rule; it needs contourpy
    (ImportError without). "ink" is the same line in INK on PAPER. "pixels" is exact: a rectangle for each run
    of one grey. ValueError for another shape, dtype or form.
    """
    _check_digit(pixels)
    if form not in ("outline", "pixels", "ink"):
        raise ValueError(f"form is {form!r}: expected outline, pixels or ink")
    if form == "pixels":
        ink = f'<g shape-rendering="crispEdges">{_rectangles(pixels)}</g>'
    else:
        colour = INK if form == "ink" else "#fff"
        ink = f'<path fill="{colour}" fill-rule="evenodd" d="{_outline(pixels)}"/>'
    paper = f' fill="{PAPER}"' if form == "ink" else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28" viewBox="0 0 28 28">'
        f'<path{paper} d="M0 0h28v28H0z"/>{ink}</svg>\n'
    )


def png_from_line(picture: npt.NDArray[np.uint8], *, scale: int = 1, recipe: str = "") -> bytes:
    """A line of text, uint8 [H, W], 0 background ... 255 ink -> one greyscale PNG.

    `recipe` is as in png_from_pixels. ValueError for another shape or dtype, a scale outside 1...64, or more
    than 64 megapixels.
    """
    if picture.dtype != np.uint8 or picture.ndim != 2 or not picture.size:
        raise ValueError(f"the picture is {picture.dtype} {picture.shape}: expected uint8 of shape (H, W)")
    return _png_from_canvas(picture, scale, recipe)


def png_from_picture(picture: npt.NDArray[np.uint8], *, recipe: str = "") -> bytes:
    """Any picture, uint8 [H, W], or [H, W, 3] in colour -> a PNG; `recipe` is as in png_from_pixels."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", pnginfo=_text_chunk(recipe), **_COMPRESSION)
    return buffer.getvalue()


def _outline(pixels: npt.NDArray[np.uint8]) -> str:
    """The lines at half ink as one path of closed quadratic B-splines."""
    import contourpy  # an extra: only outlines need it

    # The middle of pixel (row, column) lies at (column + 0.5, row + 0.5); a ring of background closes lines.
    padded = np.pad(pixels, 1).astype(np.float64)
    middles = np.arange(-1, 29) + 0.5
    lines: list[Any] = [*contourpy.contour_generator(middles, middles, padded).lines(127.5)]
    return "".join(_spline(line) for line in lines)


def _spline(line: npt.NDArray[np.float64]) -> str:
    """A closed line, float [P, 2], first point last again, as a curve without corners, in hundredths.

    The control points of a quadratic B-spline lie on the line, about a pixel apart (where the line's own lie
    close together the curve would have corners); the middles between them lie on the curve.
    """
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0], lengths.cumsum()])
    places = np.linspace(0, along[-1], max(6, round(along[-1])), endpoint=False)
    controls = np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)
    ends = _hundredths((controls + np.roll(controls, -1, axis=0)) / 2)
    before = ends[-1]
    pieces = [f"M{_pair(before)}"]
    for control, end in zip(_hundredths(controls), ends, strict=True):
        pieces.append(f"q{_pair(control - before)} {_pair(end - before)}")
        before = end
    return "".join(pieces) + "z"


def _hundredths(point: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.rint(point * 100).astype(np.int64)


def _pair(hundredths: npt.NDArray[np.int64]) -> str:
    """Two numbers as SVG's paths have them, as short as they go: 50, -25 -> ".5-.25"."""
    x, y = (re.sub(r"^(-?)0\.", r"\1.", f"{number / 100:g}") for number in hundredths.tolist())
    return f"{x}{y}" if y.startswith("-") else f"{x} {y}"


def _rectangles(pixels: npt.NDArray[np.uint8]) -> str:
    """A rectangle for each run of one grey in a row, those of one grey in one path."""
    paths: dict[int, list[str]] = {}
    for y, row in enumerate(pixels.tolist()):
        x = 0
        for grey, run in groupby(row):
            width = len([*run])
            paths.setdefault(grey, []).append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    return "".join(
        f'<path fill="#{grey:02x}{grey:02x}{grey:02x}" d="{"".join(paths[grey])}"/>'
        for grey in sorted(paths)
        if grey
    )


def _text_chunk(recipe: str) -> PngImagePlugin.PngInfo | None:
    if not recipe:
        return None
    chunk = PngImagePlugin.PngInfo()
    chunk.add_text(RECIPE_CHUNK, recipe)
    return chunk


def _check_digit(pixels: npt.NDArray[np.uint8]) -> None:
    if pixels.dtype != np.uint8 or pixels.shape != (28, 28):
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}: expected uint8 of shape (28, 28)")


def _check_row(pixels: npt.NDArray[np.uint8]) -> None:
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (28, 28) or len(pixels) == 0:
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}: expected uint8 of shape (B, 28, 28)")


def _check_size(pixels: npt.NDArray[np.uint8], scale: int) -> None:
    if not 1 <= scale <= MAX_SCALE:
        raise ValueError(f"scale is {scale}: expected a whole number from 1 to {MAX_SCALE}")
    if pixels.size * scale**2 > MAX_MEGAPIXELS * 10**6:
        *frames, height, width = pixels.shape
        size = f"{width * scale} by {height * scale} pixels{f' times {frames[0]}' if frames else ''}"
        raise ValueError(
            f"the picture would be {size}, more than {MAX_MEGAPIXELS}"
            " million: draw fewer digits or choose a smaller scale"
        )


def _png_from_canvas(canvas: npt.NDArray[np.uint8], scale: int, recipe: str) -> bytes:
    _check_size(canvas, scale)
    return png_from_picture(canvas.repeat(scale, axis=0).repeat(scale, axis=1), recipe=recipe)
