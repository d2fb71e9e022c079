"""Write what the page in web/ reads: python -m tools.make_web --data-dir mnist       or       make web

generator.bin                  the tensors of generator.pth: the same names, the same numbers, packed
first.png                      the five pictures that a visitor sees until the network is there
preview.png                    what a shared link shows: the ten digits of seed 0
generator.starts.bin           where the digits lie from which a hand is found (web/starts.js), packed
generator.choice.safetensors   the choice file beside generator.pth, if there is one of these weights
real_digits.png                28x28 tiles, row d: the first 30 images of digit d in MNIST's test set
real_digits.txt                where they come from

With --url, the pages tell the full address of preview.png too, which most programs that show links need.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from PIL import Image

from digit_generator.choose import SUFFIX, Choice, choice_path
from digit_generator.errors import DigitGeneratorError
from digit_generator.evaluation.data import EvaluationError, first_of_each_digit, mnist_from_folder
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator, latents_from_seeds
from digit_generator.hand import BANK, FIRST_SEED, blurred
from digit_generator.weights import WeightsError, arrays_from_file, digest_of_file, find_weights

ROOT = Path(__file__).resolve().parents[1]
CHOICE = f"generator{SUFFIX}"
PAGES = ("index.html", "hand.html")
COLUMNS = 30
AXES, LEVELS = 32, 31  # on which the digits of the starts are placed, in so many steps each way
PAPER = 0xFA  # the grey of the page's paper
FIRST = (7, range(5))  # the digit and the seeds of an address without any, as in web/address.js
SOURCE = f"""\
real_digits.png: {COLUMNS} columns and 10 rows of 28x28 pixels, 0 background to 255 ink. Row d holds the
first {COLUMNS} images of digit d in MNIST's test set, t10k-images-idx3-ubyte, in its order, unchanged.

MNIST was made by Yann LeCun, Corinna Cortes and Christopher J. C. Burges from NIST's Special Databases 1 and
3, and is available under the Creative Commons Attribution-Share Alike 3.0 licence; so is this picture.
Made by: make web
"""


class AddressError(DigitGeneratorError):
    """An address that nothing can be served at; the message is one sentence."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Write what the page in web/ reads.")
    parser.add_argument("--weights", type=Path, help="default: generator.pth of this repository")
    parser.add_argument(
        "--data-dir", type=Path, help="MNIST's files; without them the real digits stay as they are"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "web", help="the folder of the page")
    parser.add_argument("--url", help="where the folder will be served, such as https://example.org/digits/")
    options = parser.parse_args()
    try:
        files = files_from_weights(find_weights(options.weights))
        if options.data_dir:
            files |= {"real_digits.png": real_digits(options.data_dir), "real_digits.txt": SOURCE.encode()}
        if options.url:
            for name in PAGES:
                page = (options.out / name).read_text(encoding="utf-8")
                files[name] = page_at(options.url, page).encode()
        for name, data in files.items():
            write_whole(options.out / name, data)
            print(options.out / name)
        if CHOICE not in files:  # one of other weights
            (options.out / CHOICE).unlink(missing_ok=True)
    except (WeightsError, EvaluationError, AddressError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"Error: {options.out} cannot be written to ({error.strerror}): name a folder with --out.",
            file=sys.stderr,
        )
        return 2
    return 0


def files_from_weights(path: Path) -> dict[str, bytes]:
    """The weights file's tensors under its own names and in its own precision, the choice file beside it, and
    the pictures that the page shows until both are there.

    The page learns from the metadata whose tensors they are, and whether there is a choice file to ask for.
    """
    metadata = {"weights_sha256": digest_of_file(path)}
    files = {}
    if choice := Choice.beside(path, metadata["weights_sha256"]):
        metadata["choice_sha256"] = choice.digest
        files[CHOICE] = choice_path(path).read_bytes()
    files["generator.bin"] = packed(safetensors.numpy.save(arrays_from_file(path), metadata=metadata))
    generator = DigitGenerator.load(path)
    files["generator.starts.bin"] = packed(starts(generator))
    files["first.png"] = png_from_picture(np.concatenate(list(generator.digits(*FIRST)), axis=1))
    files["preview.png"] = preview(generator.digits(range(10), [0] * 10))
    return files


def starts(generator: DigitGenerator) -> bytes:
    """Where each digit of the bank's seeds (hand.py) lies on the principal axes of all of them, blurred as a
    hand is found: a safetensors file.

    The page draws only what lies near a digit, a twentieth of the bank, and finds the same starts. Places and
    axes are whole steps of one size; of the later axes, whose places are small, little is left to pack.
    """
    z = latents_from_seeds(range(FIRST_SEED, FIRST_SEED + BANK))
    images = np.concatenate([blurred(generator.images(z, [digit] * BANK)[:, 0]) for digit in range(10)])
    images = images.reshape(10 * BANK, -1)
    mean = images.mean(axis=0).astype(np.float16)
    apart = images - mean
    _, axes = np.linalg.eigh(apart.T @ apart)  # [784, 784], the strongest last
    axes = np.ascontiguousarray(axes.T[: -AXES - 1 : -1])
    axis_step = np.abs(axes).max() / LEVELS
    whole_axes = np.rint(axes / axis_step).astype(np.int8)
    axes = whole_axes * axis_step
    places = apart @ axes.T  # [10 * BANK, AXES]
    place_step = np.abs(places).max() / LEVELS
    whole_places = np.rint(places / place_step).astype(np.int8)
    rest = ((apart - whole_places * place_step @ axes) ** 2).sum(axis=1)
    tensors = {
        "mean": mean,
        "axes": whole_axes,
        "places": np.ascontiguousarray(whole_places.T).reshape(AXES, 10, BANK),
        "rest": rest.astype(np.float16).reshape(10, BANK),
        "scale": np.array([axis_step, place_step], np.float32),
    }
    return safetensors.numpy.save(tensors, metadata={"weights_sha256": generator.digest})


def preview(digits: npt.NDArray[np.uint8]) -> bytes:
    """Ten digits, uint8 [10, 28, 28], in two rows on paper, 1200 by 630 pixels, as shared links are shown."""
    picture = np.full((630, 1200), PAPER, np.uint8)
    side, step = 28 * 7, 28 * 7 + 24
    top, left = (630 - side - step) // 2, (1200 - side - 4 * step) // 2
    for index, digit in enumerate(np.kron(digits, np.ones((7, 7), np.uint8))):
        y, x = top + index // 5 * step, left + index % 5 * step
        picture[y : y + side, x : x + side] = digit
    return png_from_picture(picture)


def page_at(url: str, page: str) -> str:
    """A page with the full address of the preview. AddressError if the address is none."""
    if not re.fullmatch(r"https?://[^\s\"<>]+", url):
        raise AddressError(f"--url is {url!r}: expected an address such as https://example.org/digits/")
    full = f"{url.rstrip('/')}/preview.png"
    return re.sub(r'(<meta property="og:image" content=")[^"]*', lambda found: found[1] + full, page)


def packed(data: bytes) -> bytes:
    """A safetensors file as gzip, its numbers' even bytes before their odd ones. `unpacked` undoes it.

    Of half-precision numbers, the odd bytes hold sign and exponent. Apart from the even ones, which look like
    noise, they pack better: to 85 % of the file instead of 92 %. Nothing repeats, so Huffman's code alone is
    best.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    planes = data[:start] + data[start::2] + data[start + 1 :: 2]
    packer = zlib.compressobj(9, wbits=31, strategy=zlib.Z_HUFFMAN_ONLY)  # 31: gzip, without a date
    return packer.compress(planes) + packer.flush()


def unpacked(data: bytes) -> bytes:
    """The safetensors file that `packed` was given, as web/weights.js reads it."""
    planes = zlib.decompress(data, wbits=31)
    start = 8 + int.from_bytes(planes[:8], "little")
    middle = start + (len(planes) - start + 1) // 2
    numbers = bytearray(len(planes) - start)
    numbers[::2], numbers[1::2] = planes[start:middle], planes[middle:]
    return planes[:start] + bytes(numbers)


def png_from_picture(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Greyscale PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def real_digits(data_dir: Path) -> bytes:
    """The first COLUMNS test images of each digit as one greyscale PNG, a row for each digit."""
    real = first_of_each_digit(mnist_from_folder(data_dir, "t10k"), COLUMNS)
    rows = real.pixels.reshape(10, COLUMNS, 28, 28).transpose(0, 2, 1, 3).reshape(10 * 28, COLUMNS * 28)
    return png_from_picture(rows)


if __name__ == "__main__":
    sys.exit(main())
