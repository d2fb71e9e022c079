"""The pictures of a card, as PNG bytes: what was drawn, what the judges like least, and the blind sheet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from digit_generator.evaluation.data import Digits, random_order, random_part
from digit_generator.evaluation.protocol import BLIND_IMAGES
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.render import sheet_from_pixels

if TYPE_CHECKING:
    from digit_generator.evaluation.ruler import Disliked

_TEXT = 14
_LINE = 18
_UNITS = {"thickness": "pixels", "slant": "degrees", "width": "pixels"}


def digits_sheet(fake: Digits, real: Digits, columns: int, counted_in: str) -> bytes:
    """Generated digits at the left, real ones at the right, one row of `columns` for each digit."""
    halves = [
        _titled(sheet_from_pixels(digits.pixels, columns=columns, scale=2), title)
        for digits, title in (
            (fake, f"generated, {counted_in}s 0 to {columns - 1} of each digit"),
            (real, "real"),
        )
    ]
    return _png(_beside(halves, gap=24))


def least_liked_sheet(fake: Digits, disliked: Sequence[Disliked]) -> bytes:
    """Images with the judge, their number (the seed, for generation 0), the digit asked for, the digit
    read."""
    tiles = [
        _titled(
            sheet_from_pixels(fake.pixels[entry.number][None], columns=1, scale=4),
            f"{entry.judge} {entry.number}",
            f"{fake.labels[entry.number]} read {entry.read}",
        )
        for entry in disliked
    ]
    return _png(_stacked([_beside(tiles[i : i + 10], gap=8) for i in range(0, len(tiles), 10)]))


def closest_sheet(fake: Digits, known: Digits, closest: Sequence[tuple[int, int, float]]) -> bytes:
    """Each generated image over the training image nearest to it, with their distance in grey levels."""
    tiles = [
        _titled(
            sheet_from_pixels(np.stack([fake.pixels[i], known.pixels[j]]), columns=1, scale=4),
            f"{distance:.1f}",
        )
        for i, j, distance in closest
    ]
    return _png(_beside(tiles, gap=8))


def shape_histograms(fake: Mapping[str, NDArray[Any]], real: Mapping[str, NDArray[Any]]) -> bytes:
    """Thickness, slant and width: generated (outline) over real (filled)."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(STROKE_MEASURES)), STROKE_MEASURES, strict=True):
        both = np.concatenate([fake[name], real[name]])
        low, high = np.nanpercentile(both, [0.2, 99.8])
        bins = np.linspace(low, high, 41)
        axes.hist(real[name], bins, density=True, color="#b8c4d6", label="real")
        axes.hist(fake[name], bins, density=True, histtype="step", color="#b3261e", label="generated")
        axes.set_xlabel(f"{name} ({_UNITS[name]})")
        axes.set_yticks([])
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return _png(Image.open(buffer).convert("P", palette=Image.Palette.ADAPTIVE, colors=32))


def blind_sheet(fake: Digits, real: Digits) -> tuple[bytes, list[dict[str, Any]]]:
    """Fifty generated and fifty real digits in random order, ten to a row, without a word; and the key, by
    place."""
    parts = [
        (name, random_part(digits, BLIND_IMAGES)) for name, digits in (("generated", fake), ("real", real))
    ]
    pixels = np.concatenate([part.pixels for _, part in parts])
    labels = np.concatenate([part.labels for _, part in parts])
    order = random_order(len(pixels))
    key = [
        {
            "row": place // 10 + 1,
            "column": place % 10 + 1,
            "source": parts[which // BLIND_IMAGES][0],
            "digit": int(labels[which]),
        }
        for place, which in enumerate(order)
    ]
    return sheet_from_pixels(pixels[order], columns=10, scale=3, gap=4), key


def numbered_sheet(pixels: NDArray[np.uint8], columns: int, first_row: int) -> bytes:
    """Digits uint8 [N, 28, 28] without a word; rows are numbered from `first_row`, columns from 1."""
    scale, gap, margin = 4, 4, 40
    step = (28 + gap) * scale
    digits = Image.open(io.BytesIO(sheet_from_pixels(pixels, columns=columns, scale=scale, gap=gap)))
    canvas = Image.new("L", (margin + digits.width, margin + digits.height), 255)
    canvas.paste(digits.convert("L"), (margin, margin))
    draw = ImageDraw.Draw(canvas)
    rows, half, middle = -(-len(pixels) // columns), margin // 2, 28 * scale // 2
    for number in range(columns):
        draw.text((margin + number * step + middle, half), f"{number + 1}", fill=0, anchor="mm", font_size=24)
    for number in range(rows):
        at = (half, margin + number * step + middle)
        draw.text(at, f"{first_row + number}", fill=0, anchor="mm", font_size=24)
    return _png(canvas)


def _titled(sheet: bytes, *lines: str) -> Image.Image:
    picture = Image.open(io.BytesIO(sheet)).convert("L")
    canvas = Image.new("L", (picture.width, picture.height + _LINE * len(lines)), 255)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((2, number * _LINE + 1), line, fill=0, font=ImageFont.load_default(_TEXT))
    canvas.paste(picture, (0, _LINE * len(lines)))
    return canvas


def _beside(pictures: Sequence[Image.Image], gap: int) -> Image.Image:
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    canvas = Image.new("L", (width, max(picture.height for picture in pictures)), 255)
    left = 0
    for picture in pictures:
        canvas.paste(picture, (left, 0))
        left += picture.width + gap
    return canvas


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    canvas = Image.new("L", (max(p.width for p in pictures), sum(p.height for p in pictures)), 255)
    top = 0
    for picture in pictures:
        canvas.paste(picture, (0, top))
        top += picture.height
    return canvas


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
