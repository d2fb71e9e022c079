"""Pictures hold exactly the pixels that were drawn."""

from __future__ import annotations

import io
import re
import sys
import xml.etree.ElementTree
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from digit_generator.files import write_whole, zip_from_files
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.render import (
    INK,
    PAPER,
    animation_from_pixels,
    png_from_line,
    png_from_pixels,
    sheet_from_pixels,
    svg_from_pixels,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def decoded(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "L"
        return np.asarray(picture)


def random_pixels(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, shape, np.uint8)


@pytest.mark.parametrize("scale", [1, 2, 10, 64])
def test_a_png_repeats_each_pixel(scale: int) -> None:
    pixels = random_pixels(28, 28)
    picture = decoded(png_from_pixels(pixels, scale=scale))
    assert picture.shape == (28 * scale, 28 * scale)
    for row in range(scale):
        for column in range(scale):
            np.testing.assert_array_equal(picture[row::scale, column::scale], pixels)


@settings(max_examples=30)
@given(count=st.integers(1, 12), columns=st.integers(1, 14), gap=st.integers(0, 3), scale=st.integers(1, 2))
def test_a_sheet_holds_every_digit_in_its_place(count: int, columns: int, gap: int, scale: int) -> None:
    pixels = random_pixels(count, 28, 28) | 1  # nowhere black, as the gap is
    picture = decoded(sheet_from_pixels(pixels, columns=columns, scale=scale, gap=gap))[::scale, ::scale]
    columns = min(columns, count)
    rows = (count + columns - 1) // columns
    assert picture.shape == (28 * rows + gap * (rows - 1), 28 * columns + gap * (columns - 1))
    for index in range(count):
        top, left = (index // columns) * (28 + gap), (index % columns) * (28 + gap)
        np.testing.assert_array_equal(picture[top : top + 28, left : left + 28], pixels[index])
    assert np.count_nonzero(picture) == pixels.size


@pytest.mark.parametrize("scale", [1, 4])
def test_a_sheet_takes_fewer_bytes_than_other_programs_need(scale: int) -> None:
    digits = PlaceholderGenerator().digits([*range(10)] * 10, [*range(100)])
    sheet, usual = sheet_from_pixels(digits, columns=10, scale=scale), io.BytesIO()
    Image.fromarray(decoded(sheet)).save(usual, "PNG")
    assert len(sheet) < 0.95 * usual.tell()


@pytest.mark.parametrize("scale", [0, -1, 65])
def test_other_scales_are_refused(scale: int) -> None:
    with pytest.raises(ValueError, match="expected a whole number from 1 to 64"):
        png_from_pixels(random_pixels(28, 28), scale=scale)


@pytest.mark.parametrize("pixels", [random_pixels(1, 28, 28), random_pixels(28, 27), np.zeros((28, 28))])
def test_what_is_no_digit_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(28, 28\)"):
        png_from_pixels(pixels)


@pytest.mark.parametrize(
    "pixels",
    [random_pixels(28, 28), random_pixels(0, 28, 28), random_pixels(2, 1, 28, 28), np.zeros((1, 28, 28))],
)
def test_what_is_no_row_of_digits_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(B, 28, 28\)"):
        sheet_from_pixels(pixels, columns=5)


def test_other_sheets_are_refused() -> None:
    pixels = random_pixels(100, 28, 28)
    for options in ({"columns": 0}, {"columns": 5, "gap": -1}):
        with pytest.raises(ValueError, match="expected at least 1 and at least 0"):
            sheet_from_pixels(pixels, **options)
    with pytest.raises(ValueError, match="the picture would be 19072 by 19072 pixels, more than 64 million"):
        sheet_from_pixels(pixels, columns=10, scale=64)


def test_a_zip_holds_the_files_and_is_the_same_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"digit_7_seed_0.png": b"first", "digit_7_seed_1.png": b"second" * 100}
    data = zip_from_files(files)
    monkeypatch.setattr("time.localtime", lambda *_: (2040, 1, 1, 0, 0, 0, 0, 1, 0))
    monkeypatch.setattr("time.time", lambda: 2.2e9)
    assert zip_from_files(files) == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "digit.png"
    write_whole(path, b"old")
    write_whole(path, b"new")

    def half(self: Path, data: bytes) -> None:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"newest")
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "other.png", b"newest")
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == b"new"


# Animations


@pytest.mark.parametrize("format", ["gif", "webp", "apng"])
def test_an_animation_shows_each_frame_exactly_for_its_time(format: str) -> None:
    pixels = random_pixels(4, 28, 28)
    data = animation_from_pixels(pixels, format, milliseconds=[400, 40, 50, 400], scale=3)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == {"gif": "GIF", "webp": "WEBP", "apng": "PNG"}[format]
        assert picture.n_frames == 4
        assert picture.info["loop"] == 0  # for ever
        times = []
        for index, frame in enumerate(pixels):
            picture.seek(index)
            shown = np.asarray(picture.convert("L"))
            np.testing.assert_array_equal(shown, frame.repeat(3, axis=0).repeat(3, axis=1))
            times.append(picture.info["duration"])
    assert times == [400, 40, 50, 400]


def test_the_same_frames_give_the_same_bytes() -> None:
    pixels = random_pixels(3, 28, 28)
    for format in ("gif", "webp", "apng"):
        assert animation_from_pixels(pixels, format) == animation_from_pixels(pixels, format)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "mp4"}, "format is 'mp4': expected one of gif, webp, apng"),
        ({"milliseconds": 10}, "expected one each, from 20 ms on"),
        ({"milliseconds": [40]}, "1 times came for 2 frames"),
        ({"scale": 0}, "expected a whole number from 1 to 64"),
    ],
)
def test_other_animations_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        animation_from_pixels(random_pixels(2, 28, 28), **{"format": "gif", **options})


def test_an_animation_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"280 by 280 pixels times 1000, more than 64 million"):
        animation_from_pixels(random_pixels(1000, 28, 28), "gif", scale=10)


# SVG


def inked(path: str) -> list[np.ndarray]:
    """The closed curves of a path of relative quadratic pieces, as points along them, float [P, 2] each."""
    curves = []
    for curve in re.findall(r"M[^z]*z", path):
        numbers = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", curve)]
        point, points = np.array(numbers[:2]), []
        for piece in np.array(numbers[2:]).reshape(-1, 2, 2):
            control, end = point + piece
            for t in np.arange(0, 1, 0.1):
                points.append((1 - t) ** 2 * point + 2 * t * (1 - t) * control + t**2 * end)
            point = end
        np.testing.assert_allclose(point, numbers[:2], atol=1e-9)  # it ends where it began
        curves.append(np.array(points))
    return curves


def area(points: np.ndarray) -> float:
    x, y = points.T
    return abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2


def test_an_outline_is_the_line_at_half_ink() -> None:
    """A disc of radius 8 about the middle of pixel (14, 13), with a hole of radius 3, edges a pixel soft."""
    rows, columns = np.mgrid[:28, :28]
    radius = np.hypot(rows - 14, columns - 13)
    pixels = np.rint(255 * np.clip(0.5 + np.minimum(8 - radius, radius - 3), 0, 1)).astype(np.uint8)
    svg = svg_from_pixels(pixels)
    assert len(svg) < 2000
    tree = xml.etree.ElementTree.fromstring(svg)
    assert tree.attrib["viewBox"] == "0 0 28 28"
    (path,) = (element for element in tree if element.get("fill-rule") == "evenodd")
    curves = sorted(inked(path.attrib["d"]), key=area)
    assert len(curves) == 2
    for curve, expected in zip(curves, (3, 8), strict=True):
        distance = np.hypot(*(curve - (13.5, 14.5)).T)
        assert np.abs(distance - expected).max() < 0.3
        assert area(curve) == pytest.approx(np.pi * expected**2, rel=0.1)


def test_an_outline_has_no_corners() -> None:
    """Each piece of the curve begins in the direction in which the one before ended."""
    (path,) = re.findall(r'd="(M[^h"]*)"/></svg>', svg_from_pixels(PlaceholderGenerator().digits(8, [1])[0]))
    for curve in re.findall(r"M[^z]*z", path):
        numbers = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", curve)][2:]
        pieces = np.array(numbers).reshape(-1, 2, 2)
        leaving, arriving = pieces[:, 0], pieces[:, 1] - pieces[:, 0]
        turn = np.angle((np.roll(leaving, -1, axis=0) @ [1, 1j]) / (arriving @ [1, 1j]))
        assert np.abs(turn).max() < 0.1  # radians; hundredths of a pixel are what is written


def test_an_outline_keeps_inside_the_picture_and_ink_at_its_edge() -> None:
    pixels = np.full((28, 28), 255, np.uint8)
    (path,) = re.findall(r'd="(M[^h"]*)"/></svg>', svg_from_pixels(pixels))
    (curve,) = inked(path)
    assert area(curve) == pytest.approx(28 * 28, rel=0.01)


def test_exact_svg_has_a_rectangle_for_each_run() -> None:
    pixels = np.zeros((28, 28), np.uint8)
    pixels[2, 3:7], pixels[2, 7], pixels[5, 27] = 255, 16, 255
    svg = svg_from_pixels(pixels, "pixels")
    assert '<path fill="#101010" d="M7 2h1v1h-1z"/>' in svg
    assert '<path fill="#ffffff" d="M3 2h4v1h-4zM27 5h1v1h-1z"/>' in svg
    assert svg.count("<path") == 3  # and the ground
    xml.etree.ElementTree.fromstring(svg)


def test_ink_on_paper_is_the_same_outline_in_other_colours() -> None:
    pixels = PlaceholderGenerator().digits(8, [1])[0]
    recoloured = svg_from_pixels(pixels, "ink").replace(INK, "#fff").replace(f' fill="{PAPER}"', "")
    assert recoloured == svg_from_pixels(pixels, "outline")
    assert svg_from_pixels(pixels, "ink") != recoloured


def test_no_ink_is_an_empty_outline() -> None:
    assert 'd=""' in svg_from_pixels(np.zeros((28, 28), np.uint8))


def test_other_svgs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="form is 'smooth': expected outline, pixels or ink"):
        svg_from_pixels(random_pixels(28, 28), "smooth")
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(28, 28\)"):
        svg_from_pixels(random_pixels(1, 28, 28))
    monkeypatch.setitem(sys.modules, "contourpy", None)
    with pytest.raises(ImportError):
        svg_from_pixels(random_pixels(28, 28))


@pytest.mark.browser
def test_svg_in_chromium(browser: Browser) -> None:
    """Exact at 28 and at 2,800 pixels; the outline, at 28, has the ink of the picture."""

    def shown(svg: str, size: int) -> np.ndarray:
        page = browser.new_page(viewport={"width": size, "height": size})
        look = f"body {{ margin: 0 }} svg {{ display: block; width: {size}px; height: {size}px }}"
        page.set_content(f"<style>{look}</style>{svg}")
        with Image.open(io.BytesIO(page.screenshot())) as picture:
            page.close()
            return np.asarray(picture.convert("L"))

    for pixels in PlaceholderGenerator().digits([0, 4, 8], [0, 1, 2]):
        exact = svg_from_pixels(pixels, "pixels")
        np.testing.assert_array_equal(shown(exact, 28), pixels)
        np.testing.assert_array_equal(shown(exact, 2800), pixels.repeat(100, axis=0).repeat(100, axis=1))
        outline = shown(svg_from_pixels(pixels), 28).astype(float)
        assert outline.sum() == pytest.approx(pixels.sum(), rel=0.15)
        assert np.abs(outline - pixels).mean() < 8


def test_a_line_is_a_picture_of_any_size() -> None:
    picture = np.arange(35, dtype=np.uint8).reshape(5, 7)
    with Image.open(io.BytesIO(png_from_line(picture, scale=3))) as opened:
        np.testing.assert_array_equal(np.asarray(opened)[1::3, 1::3], picture)
    for other in (picture[0], picture.astype(float), picture[:0]):
        with pytest.raises(ValueError, match=r"expected uint8 of shape \(H, W\)"):
            png_from_line(other)
