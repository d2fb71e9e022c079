"""Pictures hold exactly the pixels that were drawn."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from digit_generator.render import png_from_pixels, sheet_from_pixels, write_whole, zip_from_files


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
