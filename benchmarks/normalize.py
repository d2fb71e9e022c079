"""How near normalised photographs come to MNIST's pixels: python -m benchmarks.normalize --data-dir mnist

Each of 300 MNIST training digits becomes a synthetic photograph: enlarged 8 to 20 times by cubic
convolution, in dark ink at a random place on paper in uneven light, with noise, as JPEG. `normalized_digits`
finds the digit again. For comparison, the photograph is inverted and resized to 28x28, once whole and once
cut to the digit's own 28x28 cell by somebody who knows where it is; and the 28x28 digits themselves are
normalised. The judge of the quality card reads all of them. No test image is opened.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from digit_generator.evaluation.data import Digits, mnist_from_folder, random_part
from digit_generator.evaluation.networks.classifier import accuracy, features_and_probabilities
from digit_generator.evaluation.networks.judges import judge
from digit_generator.normalize import PictureError, normalized_digits

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
TITLES = ("median", "mean", "within 1", "read same", "read right", "missed")
SHIFTS = range(-4, 5)


def photograph(pixels: Pixels, rng: np.random.Generator) -> tuple[bytes, Box]:
    """A digit, uint8 [28, 28], 0 background ... 255 ink -> a JPEG of it in ink on paper, and where its cell
    is: left, top, right, bottom."""
    scale = int(rng.integers(8, 21))
    side = 28 * scale
    ink = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    height, width = (int(side * rng.uniform(1.2, 2.5)) for _ in range(2))
    top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    cover = np.zeros((height, width))
    cover[top : top + side, left : left + side] = np.asarray(ink) / 255
    y, x = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    along = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)  # -0.7 ... 0.7
    light = 0.8 + rng.uniform(0.1, 0.5) * along - rng.uniform(0, 0.2) * along**2
    darkness = rng.uniform(0.5, 0.9)
    grey = 250 * light * (1 - darkness * cover) + rng.normal(0, rng.uniform(1, 8), cover.shape)
    file = io.BytesIO()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=int(rng.integers(60, 96)))
    return file.getvalue(), (left, top, left + side, top + side)


def resized(photo: tuple[bytes, Box | None]) -> tuple[Pixels, bool]:
    """A photograph, or the part of it in a box, inverted and resized to uint8 [28, 28]."""
    data, box = photo
    with Image.open(io.BytesIO(data)) as picture:
        return 255 - np.asarray(picture.resize((28, 28), Image.Resampling.LANCZOS, box=box)), True


def shift(pixels: Pixels, original: Pixels) -> int:
    """By how many pixels the digit lies beside the original, along the axis where it is more."""
    wide = np.pad(pixels.astype(np.float64), 4)
    misses = {
        (y, x): np.abs(wide[4 + y : 32 + y, 4 + x : 32 + x] - original).sum() for y in SHIFTS for x in SHIFTS
    }
    return max(map(abs, min(misses, key=lambda place: misses[place])))


def normalised(picture: bytes | Pixels) -> tuple[Pixels, bool]:
    """The largest digit of a picture, empty if there is none, and whether it is the only one."""
    try:
        digits = normalized_digits(picture)
    except PictureError:
        return np.zeros((28, 28), np.uint8), False
    areas = (digits.boxes[:, 2:] - digits.boxes[:, :2]).prod(axis=1)
    return digits.pixels[areas.argmax()], len(areas) == 1


def report(
    name: str,
    pictures: list[Any],
    originals: Digits,
    method: Callable[[Any], tuple[Pixels, bool]] = normalised,
) -> Pixels:
    """Print a row of the table: levels of 255 (median where there is ink, mean of all pixels) and shares.

    "missed" counts the pictures in which not exactly one digit was found.
    """
    done = [method(picture) for picture in pictures]
    found = np.stack([pixels for pixels, _ in done])
    difference = np.abs(found.astype(np.int64) - originals.pixels)
    inked = (found > 0) | (originals.pixels > 0)
    near = np.mean([shift(a, b) <= 1 for a, b in zip(found, originals.pixels, strict=True)])
    network = judge()
    before, after = (
        features_and_probabilities(network, pixels)[1].argmax(axis=1) for pixels in (originals.pixels, found)
    )
    right = accuracy(network, Digits(found, originals.labels))
    print(
        f"{name:18}{np.median(difference[inked]):11.0f}{difference.mean():11.1f}{near:11.1%}"
        f"{np.mean(before == after):11.1%}{right:11.1%}{sum(not only for _, only in done):11}",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="How near normalised photographs come to MNIST's pixels.")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with MNIST's training files")
    parser.add_argument("--count", type=int, default=300, help="number of digits (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="of the photographs (default: 0)")
    parser.add_argument(
        "--sheet", type=Path, help="also write 40 originals, photographs and results here (PNG)"
    )
    options = parser.parse_args()
    originals = random_part(mnist_from_folder(options.data_dir, "train"), options.count)
    rng = np.random.default_rng(options.seed)
    photos, cells = zip(*(photograph(pixels, rng) for pixels in originals.pixels), strict=True)
    print(f"{'':18}" + "".join(f"{title:>11}" for title in TITLES))
    found = report("photograph", [*photos], originals)
    report("28x28 itself", [*originals.pixels], originals)
    report("whole, resized", [(photo, None) for photo in photos], originals, resized)
    report("cell, resized", [*zip(photos, cells, strict=True)], originals, resized)
    if options.sheet:
        write_sheet(options.sheet, originals.pixels[:40], [*photos[:40]], found[:40])


def write_sheet(path: Path, originals: Pixels, photos: list[bytes], found: Pixels) -> None:
    """Five rows of eight: the original, the photograph and the result of each, side by side."""
    sheet = np.full((5 * 90, 8 * 270), 60, np.uint8)
    for index, (original, photo, result) in enumerate(zip(originals, photos, found, strict=True)):
        top, left = index // 8 * 90, index % 8 * 270
        with Image.open(io.BytesIO(photo)) as opened:
            opened.thumbnail((84, 84))
            picture = np.asarray(opened)
        sheet[top : top + 84, left : left + 84] = original.repeat(3, axis=0).repeat(3, axis=1)
        sheet[top : top + picture.shape[0], left + 87 : left + 87 + picture.shape[1]] = picture
        sheet[top : top + 84, left + 174 : left + 258] = result.repeat(3, axis=0).repeat(3, axis=1)
    Image.fromarray(sheet).save(path)


if __name__ == "__main__":
    main()
