"""The command line: one command of the group `cli` for each thing to make.

The files written are listed on stdout, one path a line; what there is to say about them goes to stderr. A
mistake is told in one sentence on stderr, with exit code 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from digit_generator import __version__
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.render import MAX_SCALE, png_from_pixels, sheet_from_pixels, stem_of_digit, write_whole
from digit_generator.weights import WeightsError

MAX_COUNT = 10_000


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 2 a mistake, 130 stopped by Ctrl-C."""
    try:
        code = cli.main(list(arguments), prog_name="python -m digit_generator", standalone_mode=False)
    except click.UsageError as error:
        message = error.format_message()
        stop = "" if message.endswith((".", "?")) else "."
        command = error.ctx.command_path if error.ctx else "python -m digit_generator"
        click.echo(f"Error: {message}{stop} See `{command} --help`.", err=True)
        return 2
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        return 2
    except OSError as error:  # files have their own sentence: this is about stdout
        click.echo(f"Error: standard output cannot be written ({error.strerror}).", err=True)
        return 2
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 130
    return code if isinstance(code, int) else 0


class WholeNumber(click.IntRange):
    """A whole number from `min` to `max`, both included."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is not a whole number from {self.min} to {self.max}.", param, ctx)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="digit-generator", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Handwritten-style digits, drawn by a small neural network.

    The same digit, seed and weights always give the same picture.

    \b
    Examples:
      python -m digit_generator generate 7
      python -m digit_generator generate 7 --count 100 --sheet --scale 4
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@click.argument("digit", type=WholeNumber(0, 9))
@click.option(
    "--count", type=WholeNumber(1, MAX_COUNT), default=5, show_default=True, help="How many to draw."
)
@click.option(
    "--seed",
    type=WholeNumber(0, MAX_SEED),
    default=0,
    show_default=True,
    help="The first picture's seed; each further one takes the next.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("digits"),
    show_default=True,
    help="The folder to write into, made if need be.",
)
@click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Your own generator.pth or .safetensors.  [default: the generator.pth that comes with this program]",
)
@click.option(
    "--scale",
    type=WholeNumber(1, MAX_SCALE),
    default=1,
    show_default=True,
    help="Enlarge each pixel to a square of this size; 1 keeps 28x28.",
)
@click.option("--sheet", is_flag=True, help="Write one picture of all instead of a file for each.")
@click.option("--placeholder", is_flag=True, help="Draw stand-in digits, marked as such, without weights.")
def generate(
    digit: int,
    count: int,
    seed: int,
    out: Path,
    weights: Path | None,
    scale: int,
    sheet: bool,
    placeholder: bool,
) -> None:
    """Draw DIGIT (0 to 9) and write PNG files named by digit and seed.

    \b
    Examples:
      python -m digit_generator generate 7
          digits/digit_7_seed_0.png to digits/digit_7_seed_4.png, 28x28
      python -m digit_generator generate 3 --count 1 --seed 42 --scale 10 --out .
          digit_3_seed_42.png, 280x280
      python -m digit_generator generate 8 --count 100 --sheet
          digits/digit_8_seeds_0-99.png, ten rows of ten
      python -m digit_generator generate 7 --weights my/generator.pth
          drawn by weights that you have trained
    """
    last = seed + count - 1
    if last > MAX_SEED:
        raise Mistake(f"--seed {seed} with --count {count} ends at seed {last}: seeds go up to {MAX_SEED}.")
    generator = generator_from_options(weights, placeholder=placeholder)
    pixels = generator.digits(digit, range(seed, last + 1))
    stem = stem_of_digit(digit, placeholder=placeholder)
    if sheet:
        try:
            picture = sheet_from_pixels(pixels, columns=max(10, math.isqrt(count)), scale=scale)
        except ValueError as error:
            raise Mistake(f"{error}.") from None
        write_file(out / f"{stem}_seeds_{seed}-{last}.png", picture)
    else:
        for index, image in enumerate(pixels):
            write_file(out / f"{stem}_seed_{seed + index}.png", png_from_pixels(image, scale=scale))


class Mistake(click.ClickException):
    """What the person who typed the command can mend; the message is one sentence."""


def generator_from_options(
    weights: Path | None, *, placeholder: bool
) -> DigitGenerator | PlaceholderGenerator:
    """What --weights and --placeholder ask for; stderr says so where it is not the model that comes along."""
    if placeholder and weights:
        raise Mistake("--placeholder draws without weights: leave out either it or --weights.")
    if placeholder:
        click.echo("These are placeholder digits, drawn by rule: no model made them.", err=True)
        return PlaceholderGenerator()
    try:
        generator = DigitGenerator.load(weights)
    except WeightsError as error:
        raise Mistake(
            f"{error}, name a file with --weights FILE, or draw stand-ins with --placeholder."
        ) from None
    if not generator.is_ours:
        click.echo(f"Drawn by your own weights, {generator.path}.", err=True)
    return generator


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole, into a folder that is made if need be, and print its path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except FileExistsError:
        raise Mistake(f"{path.parent} is a file: --out takes the name of a folder.") from None
    except OSError as error:
        raise Mistake(
            f"{path} cannot be written ({error.strerror}): choose another folder with --out."
        ) from None
    click.echo(path)
