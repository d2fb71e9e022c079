"""Pixels -> files: PNG, contact sheet, zip. Lossless, and enlarged by repeating pixels, never smoothed."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

MAX_SCALE = 64  # 28 pixels become 1,792
MAX_MEGAPIXELS = 64  # larger pictures make Pillow and other readers suspicious


def png_from_pixels(pixels: npt.NDArray[np.uint8], *, scale: int = 1) -> bytes:
    """One digit, uint8 [28, 28], 0 background ... 255 ink -> a greyscale PNG, 28 * scale pixels square.

    ValueError for another shape or dtype, or a scale outside 1...64.
    """
    if pixels.dtype != np.uint8 or pixels.shape != (28, 28):
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}: expected uint8 of shape (28, 28)")
    return _png_from_canvas(pixels, scale)


def sheet_from_pixels(pixels: npt.NDArray[np.uint8], *, columns: int, scale: int = 1, gap: int = 2) -> bytes:
    """Digits, uint8 [B, 28, 28], 0 background ... 255 ink -> one greyscale PNG, filled row by row.

    `gap` is the black space between digits, in pixels before enlarging. ValueError for another shape or
    dtype, no digits, columns below 1, gap below 0, a scale outside 1...64, or more than 64 megapixels.
    """
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (28, 28) or len(pixels) == 0:
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}: expected uint8 of shape (B, 28, 28)")
    if columns < 1 or gap < 0:
        raise ValueError(f"columns is {columns} and gap is {gap}: expected at least 1 and at least 0")
    columns = min(columns, len(pixels))
    rows = -(-len(pixels) // columns)
    step = 28 + gap
    canvas = np.zeros((rows * step - gap, columns * step - gap), np.uint8)
    for index, digit in enumerate(pixels):
        top, left = index // columns * step, index % columns * step
        canvas[top : top + 28, left : left + 28] = digit
    return _png_from_canvas(canvas, scale)


def stem_of_digit(digit: int, *, placeholder: bool) -> str:
    """How the name of a file with drawings of this digit begins; the name of a stand-in says so."""
    return f"{'placeholder_' if placeholder else ''}digit_{digit}"


def zip_from_files(files: Mapping[str, bytes]) -> bytes:
    """Files by name -> a zip archive. The same files in the same order give the same bytes at any time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored, since a PNG is compressed already
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: under another name in the same folder, then renamed. OSError."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _png_from_canvas(canvas: npt.NDArray[np.uint8], scale: int) -> bytes:
    if not 1 <= scale <= MAX_SCALE:
        raise ValueError(f"scale is {scale}: expected a whole number from 1 to {MAX_SCALE}")
    if canvas.size * scale**2 > MAX_MEGAPIXELS * 10**6:
        height, width = canvas.shape
        raise ValueError(
            f"the picture would be {width * scale} by {height * scale} pixels, more than {MAX_MEGAPIXELS}"
            " million: draw fewer digits or choose a smaller scale"
        )
    buffer = io.BytesIO()
    Image.fromarray(canvas.repeat(scale, axis=0).repeat(scale, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()
