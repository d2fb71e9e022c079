"""The commands about pictures of people's own: normalize, and hand, which finds the hand in them."""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from digit_generator.cli.options import Mistake, generator_from_weights, weights_option, write_file
from digit_generator.generate import DigitGenerator, pixels_from_images
from digit_generator.hand import MAX_DIGITS as MAX_OF_A_HAND
from digit_generator.hand import SUFFIX, Found, costs_of_digits, hand_from_digits, too_far
from digit_generator.normalize import MAX_DIGITS, MAX_MEGAPIXELS, normalized_digits
from digit_generator.render import png_from_picture, png_from_pixels, sheet_from_pixels


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
        files[out.with_name(f"{out.stem}_{end}") if one else out / end] = png_from_picture(step)
    for path in files:
        if path.resolve() == picture.resolve():
            raise Mistake(f"{path} is the picture itself: choose another place with --out.")
    for path, data in files.items():
        write_file(path, data)


def digits_from_word(
    context: click.Context, parameter: click.Parameter, word: str | None
) -> list[int] | None:
    """Digits in a row -> the digits."""
    if word is None:
        return None
    if not re.fullmatch("[0-9]+", word):
        raise click.BadParameter(f"{word!r} is not digits in a row, such as 7 or 2026.")
    return [int(character) for character in word]


@click.command(
    short_help="Find the hand that a digit is written in, to write in it.",
    help=f"""Find the hand in which the digits of PICTURE are written: the z that draws them.

    PICTURE is what `normalize` takes, of 1 to {MAX_OF_A_HAND} digits by one person; more of them make the
    hand truer. The hand is a small file that --hand of generate, number, dataset, lines and morph takes. A
    picture beside it shows the digits, what the network makes of them, and the ten digits in this hand.

    \b
    Examples:
      python -m digit_generator hand photo.jpg --digits 7 --out my{SUFFIX}
          my{SUFFIX} and my.png
      python -m digit_generator number 2026 --hand my{SUFFIX}
          numbers/2026_seed_0_hand_4f9a0c1e.png
    """,
)
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--digits",
    metavar="DIGITS",
    callback=digits_from_word,
    help="What is written, in reading order, such as 7 or 2026.  [default: read by what fits best]",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=Path(f"my{SUFFIX}"),
    show_default=True,
    help="The hand file; its picture is written beside it.",
)
@weights_option
def hand(picture: Path, digits: list[int] | None, out: Path, weights: Path | None) -> None:
    """Normalize, read if need be, find, and say how near it came."""
    found = normalized_digits(picture, most=MAX_OF_A_HAND)
    if digits is not None and len(digits) != len(found.pixels):
        raise Mistake(
            f"--digits names {len(digits)}, and in {picture} there are {len(found.pixels)}: name each, from"
            " left to right, line by line, or see with `normalize --steps` what was found."
        )
    shown = out.with_suffix(".png")
    if shown.resolve() == picture.resolve():
        raise Mistake(f"{shown} is the picture itself: choose another name with --out.")
    generator = generator_from_weights(weights)
    with tqdm(total=100, unit="%", desc="finding the hand", delay=0.5, bar_format="{l_bar}{bar}") as bar:

        def say(share: float) -> None:
            bar.update(round(100 * share) - bar.n)

        costs = costs_of_digits(generator, found.pixels)
        read = digits if digits is not None else costs.argmin(axis=1).tolist()
        best = hand_from_digits(generator, found.pixels, read, say)
    if digits is None:
        told = " ".join(map(str, read))
        click.echo(f"Read as {told}: if that is wrong, say what it is with --digits.", err=True)
    for label, distance, far in zip(read, best.distances, too_far(best, costs), strict=True):
        if far:
            click.echo(
                f"The {label} is {distance:.2f} away from what the network draws, or looks like another one:"
                " check what it is, since the hand may not be like it.",
                err=True,
            )
    write_file(out, best.hand.to_bytes())
    write_file(shown, sheet_of_hand(generator, found.pixels, best))


def sheet_of_hand(generator: DigitGenerator, written: npt.NDArray[np.uint8], found: Found) -> bytes:
    """A PNG of rows of ten: the digits as they came, what the network makes of them, all ten in the hand."""
    drawn = generator.finished(pixels_from_images(found.images), found.labels, range(len(written)))
    ten = generator.variant(in_hand=found.hand).hand(range(10), 0)
    blank = np.zeros((-len(written) % 10, 28, 28), np.uint8)
    return sheet_from_pixels(np.concatenate([written, blank, drawn, blank, ten]), columns=10, scale=4)
