"""The command about pictures of people's own: normalize."""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from PIL import Image

from digit_generator.cli.options import Mistake, write_file
from digit_generator.normalize import MAX_DIGITS, MAX_MEGAPIXELS, normalized_digits
from digit_generator.render import png_from_pixels


@click.command(
    short_help="Turn a picture of handwritten digits into pixels as MNIST has them.",
    help=f"""Turn PICTURE, of handwritten digits, into pixels as MNIST has them: a PNG of 28x28 for each.

    PICTURE is a photograph, a scan or a drawing of up to {MAX_MEGAPIXELS} megapixels and {MAX_DIGITS} digits.
    They are numbered in reading order: line by line, each from left to right.

    \b
    Examples:
      python -m digit_generator normalize photo.jpg --out digit.png
          digit.png, if the photograph shows one digit
      python -m digit_generator normalize page.jpg --out hand
          hand/digit_0.png, hand/digit_1.png and so on
      python -m digit_generator normalize page.jpg --out hand --steps
          also hand/step_1_grey.png to hand/step_4_pieces.png: how the digits were found
    """,
)
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="PATH",
    type=click.Path(path_type=Path),
    default=Path("normalized"),
    show_default=True,
    help="A name in .png for one digit, or the folder to write into, made if need be.",
)
@click.option("--steps", is_flag=True, help="Also write pictures of the steps.")
def normalize(picture: Path, out: Path, steps: bool) -> None:
    """Find the digits before anything is written, then write all of it."""
    found = normalized_digits(picture)
    one = out.suffix.lower() == ".png"
    if one and len(found.pixels) > 1:
        raise Mistake(f"{picture} shows {len(found.pixels)} digits: name a folder with --out, not {out}.")
    names = [out] if one else [out / f"digit_{number}.png" for number in range(len(found.pixels))]
    files = {path: png_from_pixels(digit) for path, digit in zip(names, found.pixels, strict=True)}
    for number, (name, step) in enumerate(found.steps.items() if steps else (), start=1):
        end = f"step_{number}_{name}.png"
        files[out.with_name(f"{out.stem}_{end}") if one else out / end] = _png(step)
    for path in files:
        if path.resolve() == picture.resolve():
            raise Mistake(f"{path} is the picture itself: choose another place with --out.")
    for path, data in files.items():
        write_file(path, data)


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    """uint8 [H, W], or [H, W, 3] in colour -> a PNG of it."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()
