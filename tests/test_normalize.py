"""Pictures of any kind become MNIST's pixels; a picture without digits is refused with one sentence."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from digit_generator import cli
from digit_generator.finish import boxed_pixels, labelled_runs
from digit_generator.normalize import MAX_DIGITS, MAX_MEGAPIXELS, Normalized, PictureError, normalized_digits

Pixels = npt.NDArray[np.uint8]
Cover = npt.NDArray[np.float64]
Stroke = list[tuple[int, int]]

# Strokes on a square of 100, and where the ink of all of them ends.
SEVEN: list[Stroke] = [[(24, 14), (74, 14), (44, 86)]]
FOUR: list[Stroke] = [[(34, 14), (28, 56), (72, 56)], [(60, 34), (60, 86)]]
FIVE: list[Stroke] = [[(34, 16), (32, 46), (60, 44), (68, 64), (54, 84), (28, 82)], [(46, 12), (70, 12)]]
ONE: list[Stroke] = [[(52, 14), (46, 86)]]
SIX: list[Stroke] = [[(64, 14), (36, 50), (40, 82), (62, 82), (64, 60), (40, 58)]]
ALL = [SEVEN, FOUR, ONE, SIX]


def drawn(strokes: list[Stroke], side: int, width: float = 8) -> Cover:
    """How much of each pixel ink covers, float [side, side], 0 to 1."""
    scale = 4 * side / 100
    picture = Image.new("L", (4 * side, 4 * side))
    pen = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = [(x * scale, y * scale) for x, y in stroke]
        pen.line(points, fill=255, width=round(width * scale), joint="curve")
        for x, y in points:
            radius = width * scale / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX)) / 255


def as_mnist_has_it(strokes: list[Stroke], width: float = 8) -> Pixels:
    """The strokes scanned and put through MNIST's rule."""
    scan = drawn(strokes, 90, width)[None] > 0.5
    return boxed_pixels(scan, np.array([2**31], np.uint32))[0]


def page(
    digits: list[tuple[list[Stroke], int, int]], size: tuple[int, int] = (300, 400), side: int = 120
) -> Cover:
    """Ink on a page of this height and width: each of the digits with its left and top."""
    cover = np.zeros(size)
    for strokes, left, top in digits:
        place = cover[top : top + side, left : left + side]
        np.maximum(place, drawn(strokes, side)[: place.shape[0], : place.shape[1]], out=place)
    return cover


def photograph(cover: Cover, light: Any = 1.0, *, darkness: float = 0.8, noise: float = 2) -> Pixels:
    """Dark ink on paper: uint8 [H, W]."""
    grain = np.random.RandomState(0).standard_normal(cover.shape) * noise
    return (240 * light * (1 - darkness * cover) + grain).clip(0, 255).astype(np.uint8)


def png(picture: Pixels | Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, **{"format": "PNG", **options})
    return file.getvalue()


def distance(pixels: Pixels, strokes: list[Stroke], width: float = 8) -> float:
    """Levels that the pixels are off on average, with the better of nine places: the centre of mass may
    fall near the border of two pixels."""
    wide = np.pad(as_mnist_has_it(strokes, width).astype(int), 1)
    places = [wide[y : y + 28, x : x + 28] for y in range(3) for x in range(3)]
    return min(float(np.abs(pixels - place).mean()) for place in places)


def assert_is(found: Normalized, *expected: list[Stroke]) -> None:
    """The digits found are these, in this order: 8 levels off at most, where other digits are 20 off."""
    assert found.pixels.dtype == np.uint8
    assert found.pixels.shape == (len(expected), 28, 28)
    for pixels, strokes in zip(found.pixels, expected, strict=True):
        assert distance(pixels, strokes) <= 8


PHOTO = photograph(page([(SEVEN, 150, 100)]))


def test_other_digits_are_far_apart() -> None:
    """What assert_is can tell from each other."""
    shapes = [*ALL, FIVE, FIVE[:1]]
    for index, one in enumerate(shapes):
        assert distance(as_mnist_has_it(one), one) == 0
        for other in shapes[:index]:
            assert distance(as_mnist_has_it(one), other) > 20


# What is found


def test_a_digit_its_box_and_the_steps() -> None:
    found = normalized_digits(PHOTO)
    assert_is(found, SEVEN)
    (box,) = found.boxes.tolist()
    cover = page([(SEVEN, 150, 100)]) > 0.5
    rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    np.testing.assert_allclose(box, [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], atol=3)
    assert [*found.steps] == ["grey", "ink", "bilevel", "pieces"]
    for name in ("grey", "ink", "bilevel"):
        assert found.steps[name].dtype == np.uint8
        assert found.steps[name].shape == (300, 400)
    np.testing.assert_array_equal(found.steps["grey"], PHOTO)
    assert {*np.unique(found.steps["bilevel"]).tolist()} == {0, 255}
    assert found.steps["bilevel"][cover].mean() > 240
    assert found.steps["pieces"].shape == (300, 400, 3)
    assert (np.ptp(found.steps["pieces"], axis=2) > 0).any()  # the box is in colour


def test_the_same_picture_gives_the_same_pixels() -> None:
    np.testing.assert_array_equal(normalized_digits(PHOTO).pixels, normalized_digits(PHOTO.copy()).pixels)


def test_digits_come_in_reading_order_on_sloping_lines() -> None:
    places = [(30, 40), (150, 55), (270, 70), (25, 210), (160, 230)]
    shapes = [SEVEN, FOUR, ONE, SIX, SEVEN]
    cover = page([(s, x, y) for s, (x, y) in zip(shapes, places, strict=True)], (380, 420))
    assert_is(normalized_digits(photograph(cover)), *shapes)


def test_light_ink_on_a_dark_board() -> None:
    cover = page([(SEVEN, 40, 60), (SIX, 220, 60)])
    assert_is(normalized_digits((40 + 180 * cover).astype(np.uint8)), SEVEN, SIX)
    light = np.linspace(1, 0.25, 400)
    assert_is(normalized_digits(((40 + 180 * cover) * light).astype(np.uint8)), SEVEN, SIX)


def test_a_digit_that_fills_the_picture_is_ink_on_its_ground() -> None:
    cover = drawn(SIX, 100, width=10)
    tight = cover[np.ix_(cover.any(axis=1), cover.any(axis=0))]
    for picture in (255 * tight, 255 - 255 * tight):
        found = normalized_digits(picture.astype(np.uint8))
        assert len(found.pixels) == 1
        assert distance(found.pixels[0], SIX, 10) <= 8


@pytest.mark.parametrize("name", ["gradient", "corner", "hard edge", "hand", "stain"])
def test_uneven_light(name: str) -> None:
    y, x = np.mgrid[:300, :400]
    light = {
        "gradient": 1 - 0.6 * x / 400,
        "corner": 1 - 0.7 * (x / 400 * y / 300) ** 2,
        "hard edge": np.where(x > 180 + 0.2 * y, 0.5, 1.0),
        "hand": np.where((x > 170) & (y > 90), 0.6, 1.0),
        "stain": np.where((x > 90) & (x < 180) & (y > 50) & (y < 260), 0.6, 1.0),
    }[name]
    cover = page([(SEVEN, 30, 30), (FOUR, 240, 30), (SIX, 30, 170), (SEVEN, 240, 170)])
    assert_is(normalized_digits(photograph(cover, light)), SEVEN, FOUR, SIX, SEVEN)


def test_pencil_on_grey_paper() -> None:
    cover = page([(SEVEN, 40, 60), (SIX, 220, 60)])
    assert_is(normalized_digits(photograph(cover, 0.7, darkness=0.25)), SEVEN, SIX)


@pytest.mark.parametrize("slope", [0.0, 0.02])
@pytest.mark.parametrize("squared", [False, True], ids=["ruled", "squared"])
@pytest.mark.parametrize("level", [0.3, 0.7], ids=["pale", "as dark as the ink"])
def test_ruled_and_squared_paper(slope: float, squared: bool, level: float) -> None:
    cover = page([(SEVEN, 40, 60), (SIX, 220, 60), (FOUR, 40, 300), (ONE, 250, 300)], (500, 400), 160)
    y, x = np.mgrid[:500, :400]
    lines = (y + slope * x) % 31 < 2
    if squared:
        lines |= (x - slope * y) % 31 < 2
    found = normalized_digits(photograph(np.maximum(cover, level * lines)))
    assert len(found.pixels) == 4
    for pixels, strokes in zip(found.pixels, (SEVEN, SIX, FOUR, ONE), strict=True):
        assert distance(pixels, strokes) <= 10


def test_straight_digits_are_no_ruled_paper() -> None:
    cover = np.zeros((200, 300))
    cover[5:195, 80:84] = 1
    assert len(normalized_digits(photograph(cover)).pixels) == 1
    cover[20:180, 200:240] = drawn(SEVEN, 160)[:, 50:90]
    assert len(normalized_digits(photograph(cover)).pixels) == 2
    cover[:, 150:] = cover[:, :150]
    assert len(normalized_digits(photograph(cover)).pixels) == 2
    assert len(normalized_digits(dots(60)).pixels) == 60


def test_a_hairline_is_a_digit() -> None:
    cover = np.zeros((700, 300))
    cover[5:695, 150] = 1
    assert normalized_digits(photograph(cover, noise=0)).pixels.any()


def test_a_sheet_on_a_dark_table() -> None:
    cover = page([(SEVEN, 40, 60), (SIX, 220, 60)])
    for margin in (15, 70):
        picture = np.pad(photograph(cover), margin, constant_values=50)
        assert_is(normalized_digits(picture), SEVEN, SIX)
    for margins in (((0, 0), (2, 0)), ((0, 0), (40, 0)), ((0, 10), (10, 0))):
        assert_is(normalized_digits(np.pad(photograph(cover), margins, constant_values=50)), SEVEN, SIX)


def test_specks_points_and_dashes_are_dropped() -> None:
    cover = page([(SEVEN, 30, 60), (SIX, 250, 60)])
    cover[20:26, 20:26] = cover[250:254, 300:304] = 1  # specks
    cover[160:176, 160:176] = 1  # a point at the foot of the 7
    cover[110:118, 190:230] = 1  # a dash
    assert_is(normalized_digits(photograph(cover)), SEVEN, SIX)
    pepper = photograph(page([(SEVEN, 150, 100)]))
    pepper[np.random.RandomState(1).random_sample(pepper.shape) < 0.003] = 0
    assert_is(normalized_digits(pepper), SEVEN)


def test_a_speck_beside_a_digit_is_not_in_its_box() -> None:
    cover = page([(SEVEN, 150, 100)])
    clean = normalized_digits(photograph(cover)).boxes
    cover[112:117, 165:170] = 1
    np.testing.assert_array_equal(normalized_digits(photograph(cover)).boxes, clean)


def test_a_digit_in_two_pieces_is_kept_together() -> None:
    cover = page([(FIVE, 30, 60), (SEVEN, 220, 60)])
    assert len(np.unique(labelled_runs(cover[None] > 0.5).piece)) == 3
    assert_is(normalized_digits(photograph(cover)), FIVE, SEVEN)


def test_two_flat_halves_are_one_digit() -> None:
    """A 5 that is torn in the middle; neither half has the shape of a digit."""
    torn: list[Stroke] = [[(74, 14), (34, 16), (32, 42)], [(30, 54), (62, 54), (66, 68), (54, 84), (28, 82)]]
    flat = [[(x, y * 7 // 10 + 15) for x, y in stroke] for stroke in torn]
    assert_is(normalized_digits(photograph(page([(flat, 150, 100)]))), flat)


def test_two_lines_are_not_put_together() -> None:
    cover = page([(SEVEN, 140, 20), (SIX, 140, 130)])
    assert_is(normalized_digits(photograph(cover)), SEVEN, SIX)


def test_the_ink_of_a_close_neighbour_stays_out() -> None:
    cover = page([(ONE, 100, 60), (SIX, 132, 60)])
    assert_is(normalized_digits(photograph(cover)), ONE, SIX)


def test_neighbours_that_touch_are_one_piece() -> None:
    """A limit, and told as one in docs/normalize.md."""
    cover = page([(SEVEN, 60, 60), (SIX, 180, 60)])
    cover[120:130, 100:260] = 1
    assert len(normalized_digits(photograph(cover)).pixels) == 1


@pytest.mark.parametrize("strokes", [*ALL, FIVE])
def test_digits_of_28_by_28_stay_close(strokes: list[Stroke]) -> None:
    pixels = as_mnist_has_it(strokes)
    for picture in (pixels, 255 - pixels):
        found = normalized_digits(picture)
        assert_is(found, strokes)
        assert found.boxes.tolist()[0][3] - found.boxes.tolist()[0][1] in (20, 21, 22)


@pytest.mark.parametrize("side", [14, 20, 28, 60, 200, 900])
def test_any_size(side: int) -> None:
    found = normalized_digits((255 - 255 * drawn(SEVEN, side)).astype(np.uint8))
    assert len(found.pixels) == 1
    assert distance(found.pixels[0], SEVEN) <= (8 if side >= 20 else 12)
    assert (found.boxes[0] <= side).all()


def test_a_photograph_of_twelve_megapixels_is_measured_in_its_own_pixels() -> None:
    large = Image.fromarray(PHOTO).resize((4000, 3000), Image.Resampling.BICUBIC)
    small = normalized_digits(PHOTO).boxes * 10
    for kind in ("JPEG", "PNG"):
        found = normalized_digits(png(large, format=kind))
        assert_is(found, SEVEN)
        np.testing.assert_allclose(found.boxes, small, atol=25)
        assert found.steps["grey"].size <= 3e6


# Kinds of pictures


def test_a_path_bytes_an_image_and_an_array_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png(PHOTO))
    expected = normalized_digits(PHOTO).pixels
    for picture in (path, str(path), png(PHOTO), Image.fromarray(PHOTO)):
        np.testing.assert_array_equal(normalized_digits(picture).pixels, expected)


@pytest.mark.parametrize(
    "array",
    [
        PHOTO.astype(np.uint16) * 257,
        PHOTO.astype(np.uint16) * 2,  # 9 bits of 16
        PHOTO / 255,
        (PHOTO / 255).astype(np.float32),
        PHOTO > 128,
        PHOTO[:, :, None],
        PHOTO[:, :, None].repeat(3, axis=2),
        np.dstack([PHOTO, PHOTO, PHOTO, np.full_like(PHOTO, 255)]),
        np.asfortranarray(PHOTO),
        np.repeat(PHOTO, 2, axis=0)[::2],
    ],
    ids=[
        "16 bits",
        "9 bits",
        "float64",
        "float32",
        "bool",
        "one channel",
        "RGB",
        "RGBA",
        "by columns",
        "view",
    ],
)
def test_arrays(array: npt.NDArray[Any]) -> None:
    assert_is(normalized_digits(array), SEVEN)


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 16])
def test_a_scanner_may_use_fewer_than_16_bits(bits: int) -> None:
    array = PHOTO.astype(np.uint16) << (bits - 8)
    np.testing.assert_array_equal(normalized_digits(array).steps["grey"], PHOTO)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB", "I", "F", "I;16", "LA", "RGBA"]
)
def test_modes_of_pillow(mode: str) -> None:
    grey = Image.fromarray(PHOTO)
    if mode == "LAB":
        image = Image.merge("LAB", [grey, *(Image.new("L", grey.size, 128),) * 2])
    elif mode == "F":
        image = Image.fromarray((PHOTO / 255).astype(np.float32))
    elif mode.startswith("I"):
        image = Image.fromarray(PHOTO.astype(np.int32 if mode == "I" else np.uint16) * 257)
    else:
        image = grey.convert("RGB").convert(mode, dither=Image.Dither.NONE)
    assert image.mode == mode
    assert_is(normalized_digits(image), SEVEN)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "CMYK"),
        ("JPEG", "RGB"),
        ("PNG", "I;16"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("GIF", "P"),
        ("BMP", "RGB"),
        ("TIFF", "I;16"),
        ("TIFF", "CMYK"),
        ("PPM", "L"),
        ("WEBP", "RGB"),
    ],
)
def test_files(kind: str, mode: str) -> None:
    image = Image.fromarray(PHOTO)
    if mode == "I;16":
        image = Image.fromarray(PHOTO.astype(np.uint16) * 257)
    elif mode != "L":
        image = image.convert("RGB").convert(mode, dither=Image.Dither.NONE)
    assert_is(normalized_digits(png(image, format=kind)), SEVEN)


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.fromarray(photograph(page([(strokes, 150, 100)]))) for strokes in (SEVEN, SIX, FOUR)]
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        assert_is(
            normalized_digits(png(frames[0], format=kind, save_all=True, append_images=frames[1:])), SEVEN
        )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_rotation_of_exif_is_applied(kind: str, orientation: int) -> None:
    upright = Image.fromarray(PHOTO)
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = normalized_digits(png(stored, format=kind, exif=exif))
    assert_is(found, SEVEN)
    np.testing.assert_allclose(found.boxes, normalized_digits(PHOTO).boxes, atol=3)


def test_transparency_is_composed_on_white() -> None:
    cover = page([(SEVEN, 150, 100)])
    alpha = (255 * cover).astype(np.uint8)
    black = np.zeros_like(alpha)
    assert_is(normalized_digits(np.dstack([black, black, black, alpha])), SEVEN)
    palette = Image.fromarray((alpha > 128).astype(np.uint8), "L").convert("P")
    palette.putpalette([0, 0, 0, 0, 0, 0])
    assert_is(normalized_digits(png(palette, transparency=0)), SEVEN)
    assert_is(normalized_digits(png(Image.merge("LA", [Image.fromarray(p) for p in (black, alpha)]))), SEVEN)


@pytest.mark.parametrize("colour", [(200, 0, 0), (0, 60, 200), (0, 120, 0), (230, 150, 0)])
def test_ink_of_any_colour(colour: tuple[int, int, int]) -> None:
    cover = page([(SEVEN, 150, 100)])[:, :, None]
    assert_is(normalized_digits((255 - cover * (255 - np.array(colour))).astype(np.uint8)), SEVEN)


def test_what_is_odd_beside_the_picture_does_not_matter() -> None:
    """Damaged EXIF, of which Pillow warns."""
    assert_is(
        normalized_digits(png(Image.fromarray(PHOTO), format="JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")),
        SEVEN,
    )


def test_nothing_changes_the_image_that_came() -> None:
    image = Image.open(io.BytesIO(png(Image.fromarray(PHOTO).resize((5200, 3900)), format="JPEG")))
    normalized_digits(image)
    assert image.size == (5200, 3900)
    array = PHOTO.copy()
    normalized_digits(array)
    np.testing.assert_array_equal(array, PHOTO)


# Mistakes


def png_head(width: int, height: int) -> bytes:
    """The beginning of a PNG of this size, 8 bits of grey, without its pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return start + struct.pack(">I", 1000) + b"IDAT"


def dots(count: int) -> Pixels:
    cover = np.zeros((20 + 40 * -(-count // 20), 820))
    for number in range(count):
        y, x = 15 + 40 * (number // 20), 15 + 40 * (number % 20) + 7 * (number // 20 % 2)
        cover[y : y + 24, x : x + 5] = 1
    return photograph(cover)


NO_INK = "The picture shows no ink: expected strokes that are darker or lighter than their ground"
BAD: dict[str, tuple[Any, str]] = {
    "white": (np.full((200, 300), 255, np.uint8), NO_INK),
    "black": (np.zeros((200, 300), np.uint8), NO_INK),
    "one pixel": (np.zeros((1, 1), np.uint8), NO_INK),
    "a line of pixels": (np.zeros((1, 90_000), np.uint8), NO_INK),
    "blank paper": (photograph(np.zeros((300, 400)), np.linspace(1, 0.4, 400), noise=5), NO_INK),
    "noise": (np.random.RandomState(0).randint(0, 256, (300, 400)).astype(np.uint8), NO_INK),
    "transparent": (np.zeros((100, 100, 4), np.uint8), NO_INK),
    "all ink": (
        np.pad(np.zeros((180, 180), np.uint8), 10, constant_values=255),
        NO_INK,
    ),
    "no picture": (
        b"seven",
        "The picture is no picture of a known format: expected one such as PNG or JPEG",
    ),
    "empty file": (b"", "The picture is no picture of a known format: expected one such as PNG or JPEG"),
    "HEIC": (
        b"\0\0\0\x18ftypheic" + bytes(99),
        "The picture is an HEIC picture, which is not read: save it as JPEG or PNG",
    ),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        "The picture is no picture of a known format: expected one such as PNG or JPEG",
    ),
    "cut PNG": (png(PHOTO)[:2000], "The picture is cut short or damaged (image file is truncated"),
    "cut JPEG": (
        png(PHOTO, format="JPEG")[:2000],
        "The picture is cut short or damaged (image file is trunc",
    ),
    "cut GIF": (png(PHOTO, format="GIF")[:2000], "The picture is cut short or damaged (image file is trunc"),
    "65 megapixels": (
        png_head(10_000, 6_500),
        "The picture has 10000 by 6500 pixels, more than 64 megapixels: make it smaller, or cut",
    ),
    "200 megapixels": (
        png_head(20_000, 10_000),
        "The picture has more than 64 megapixels: make it smaller, or cut out the digits",
    ),
    "100 megapixels": (
        png_head(10_000, 10_000),
        "The picture has more than 64 megapixels: make it smaller, or cut out the digits",
    ),
    "a large array": (
        np.broadcast_to(np.uint8(0), (10_000, 10_000)),
        "The array has 10000 by 10000 pixels, more than 64 megapixels: make it smaller, or cut",
    ),
    "too many digits": (
        dots(MAX_DIGITS + 1),
        f"The picture has {MAX_DIGITS + 1} digits: expected 200 at most",
    ),
    "far too many": (dots(1_100), "The picture has 1100 pieces of ink: expected 200 digits at most"),
    "shape": (
        np.zeros(784, np.uint8),
        "The array has the shape (784,): expected (H, W), (H, W, 3) or (H, W, 4)",
    ),
    "channels": (
        np.zeros((9, 9, 2), np.uint8),
        "The array has the shape (9, 9, 2): expected (H, W), (H, W, 3) or (H, W, 4)",
    ),
    "no pixels": (np.zeros((0, 9), np.uint8), "The array has 9 by 0 pixels: expected a picture of a digit"),
    "dtype": (
        np.zeros((9, 9), np.int64),
        "The array is of int64: expected uint8, uint16, bool or floats from 0",
    ),
    "floats": (np.full((9, 9), -1.0), "The array has floats from -1 to -1: expected 0 (black) to 1 (white)"),
    "not a number": (
        np.full((9, 9), np.nan),
        "The array has floats from nan to nan: expected 0 (black) to 1",
    ),
}


@pytest.mark.parametrize(("picture", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_told_in_one_sentence(picture: Any, message: str) -> None:
    with pytest.raises(PictureError) as error:
        normalized_digits(picture)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert not str(error.value).endswith(".")


def test_as_many_digits_as_are_allowed() -> None:
    assert len(normalized_digits(dots(MAX_DIGITS)).pixels) == MAX_DIGITS


def test_the_bound_is_checked_before_anything_is_decoded() -> None:
    """A picture of 200 megapixels takes no memory; it would take 200 MB."""
    file = png_head(20_000, 10_000) + bytes(1_000_000)
    assert MAX_MEGAPIXELS < 200
    tracemalloc.start()
    with pytest.raises(PictureError, match="more than 64 megapixels"):
        normalized_digits(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5e6


def test_any_prefix_and_any_flipped_byte_is_a_picture_or_a_sentence() -> None:
    small = Image.fromarray(PHOTO).resize((80, 60))
    random = np.random.RandomState(0)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        data = bytearray(png(small, format=kind))
        for _ in range(12):
            damaged = data[: random.randint(len(data))] if random.randint(2) else data.copy()
            for place in random.randint(0, max(len(damaged), 1), 3) if len(damaged) else ():
                damaged[place] ^= 1 << random.randint(8)
            with suppress(PictureError):
                assert normalized_digits(bytes(damaged)).pixels.shape[1:] == (28, 28)


def test_a_maze_takes_no_longer_than_its_pixels() -> None:
    """One stroke up and down all over the picture, whose ends a simple labelling joins slowly."""
    scan = np.zeros((1, 1200, 1200), np.bool_)
    scan[0, 4:-4, 4:-4:6] = True
    for number, left in enumerate(range(4, 1190, 6)):
        scan[0, 4 if number % 2 else -5, left : left + 7] = True
    scan[0, :, 1195:] = False
    started = time.perf_counter()
    runs = labelled_runs(scan)
    assert len(np.unique(runs.piece)) == 1
    assert time.perf_counter() - started < 10


# The command


@pytest.fixture
def normalize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """normalize(arguments) -> exit code, stdout, stderr; photo.png and two.png lie in the folder."""
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(png(PHOTO))
    Path("two.png").write_bytes(png(photograph(page([(SEVEN, 40, 60), (SIX, 220, 60)]))))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["normalize", *arguments])
        return code, *capsys.readouterr()

    return run


def pixels_of(path: str) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture)


def files() -> list[str]:
    return sorted(path.as_posix() for path in Path().rglob("*") if path.is_file())


def test_one_digit_goes_to_the_file_that_is_named(normalize: Any) -> None:
    assert normalize("photo.png", "--out", "a/digit.png") == (0, "a/digit.png\n", "")
    np.testing.assert_array_equal(pixels_of("a/digit.png"), normalized_digits("photo.png").pixels[0])


def test_several_digits_go_to_a_folder(normalize: Any) -> None:
    assert normalize("two.png", "--out", "a") == (0, "a/digit_0.png\na/digit_1.png\n", "")
    for number, pixels in enumerate(normalized_digits("two.png").pixels):
        np.testing.assert_array_equal(pixels_of(f"a/digit_{number}.png"), pixels)
    assert normalize("photo.png")[1] == "normalized/digit_0.png\n"


def test_the_steps_are_pictures(normalize: Any) -> None:
    steps = ["step_1_grey.png", "step_2_ink.png", "step_3_bilevel.png", "step_4_pieces.png"]
    _, out, _ = normalize("two.png", "--out", "a", "--steps")
    assert out.splitlines() == ["a/digit_0.png", "a/digit_1.png", *(f"a/{step}" for step in steps)]
    _, out, _ = normalize("photo.png", "--out", "seven.png", "--steps")
    assert out.splitlines() == ["seven.png", *(f"seven_{step}" for step in steps)]
    for path, step in zip(out.splitlines()[1:], normalized_digits("photo.png").steps.values(), strict=True):
        np.testing.assert_array_equal(pixels_of(path), step)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.png --out a", "Error: none.png cannot be read (No such file or directory): name a picture."),
        (". --out a", "Error: . cannot be read (Is a directory): name a picture."),
        ("text --out a", "Error: text is no picture of a known format: expected one such as PNG or JPEG."),
        ("blank.png --out a", f"Error: {NO_INK}."),
        ("two.png --out a.png", "Error: two.png shows 2 digits: name a folder with --out, not a.png."),
        ("photo.png --out ./photo.png", "Error: photo.png is the picture itself: choose another place with"),
        (
            "photo.png --out text",
            "Error: text is a file: a folder is needed there, so choose another with --out.",
        ),
        ("", "Error: Missing argument 'PICTURE'."),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(normalize: Any, arguments: str, message: str) -> None:
    Path("text").write_text("seven")
    Path("blank.png").write_bytes(png(np.full((90, 90), 255, np.uint8)))
    before = files()
    code, out, err = normalize(*arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert files() == before


def test_numpy_and_pillow_are_enough() -> None:
    """It works where the libraries that only measuring and learning need cannot be imported."""
    lines = [
        "import json, sys",
        "for name in ('scipy', 'skimage', 'torch', 'cv2', 'contourpy'): sys.modules[name] = None",
        "import numpy as np",
        "from digit_generator.normalize import normalized_digits",
        "picture = np.full((90, 90), 255, np.uint8); picture[20:70, 40:48] = 0",
        "print(json.dumps(normalized_digits(picture).boxes.tolist()))",
    ]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    np.testing.assert_allclose(json.loads(result.stdout), [[40, 20, 48, 70]], atol=2)
