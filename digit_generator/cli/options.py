"""What the commands share: kinds of arguments, options, the generator, and how files are written."""

from __future__ import annotations

import io
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from digit_generator.choose import NEATEST, ChoiceError
from digit_generator.files import locked, remove_unfinished, write_whole
from digit_generator.generate import DigitGenerator
from digit_generator.hand import Hand, HandError
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import HAND_PATTERN, STROKE_MEASURES
from digit_generator.style import HAND_VARIATION
from digit_generator.weights import WeightsError

SCALE_HELP = "Enlarge each pixel to a square of this size; 1 keeps 28x28."


def replace_unprintable() -> None:
    """Let the standard streams print "?" for what their encoding lacks: a path must not end the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Mistake(click.ClickException):
    """What the person who typed the command can mend; the message is one sentence."""

    exit_code = 2


class WholeNumber(click.IntRange):
    """A whole number from `min` to `max`, both included."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is not a whole number from {self.min} to {self.max}.", param, ctx)


class Measure(click.types.FloatParamType):
    """A finite number such as 2.5 or -0.1."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(super().convert(value, param, ctx))
        except click.BadParameter:
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number such as 2.5 or -0.1.", param, ctx)
        return number


class HandFile(click.ParamType):  # type: ignore[type-arg]
    """A hand file, or a hand as text, such as a recipe has it."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Hand:
        if isinstance(value, Hand):
            return value
        try:
            return Hand.from_text(value) if re.fullmatch(HAND_PATTERN, value) else Hand.load(value)
        except HandError as error:
            self.fail(f"{error}.", param, ctx)


class Share(Measure):
    """A number from 0 to 1."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not 0 <= number <= 1:
            self.fail(f"{value!r} is not a number from 0 to 1.", param, ctx)
        return number


hand_option = click.option(
    "--hand",
    metavar="FILE",
    type=HandFile(),
    help="A person's hand, found by the command `hand`: everything is written in it.",
)


variation_option = click.option(
    "--variation",
    type=Share(),
    help="With --hand: how much of each digit is its seed's own, 0 (the same each time) to 1."
    f"  [default: {HAND_VARIATION}]",
)


def hand_options(command: Any) -> Any:
    """--hand and --variation."""
    return hand_option(variation_option(command))


weights_option = click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Your own generator.pth or .safetensors.  [default: the generator.pth that comes with this program]",
)


def style_options(command: Any) -> Any:
    """--thickness, --slant and --width, as Style takes them."""
    helps = {
        "thickness": "Of the stroke, in pixels, such as 2.5.",
        "slant": "In radians, such as 0.2; positive leans to the right.",
        "width": "Of the digit across its slant, in pixels, such as 13, or 5 for a 1 (see `style ranges`).",
    }
    for name in reversed(STROKE_MEASURES):
        command = click.option(f"--{name}", type=Measure(), help=f"{helps[name]}  [default: as drawn]")(
            command
        )
    return command


def drawing_options(command: Any) -> Any:
    """--weights, --raw, --every-z and --neat: what draws, and how."""
    for option in (
        click.option(
            "--neat",
            type=WholeNumber(0, NEATEST),
            default=0,
            show_default=True,
            help="Reject more of z: 0 draws as it comes, each step is neater and less varied.",
        ),
        click.option("--every-z", is_flag=True, help="Reject no z: draw the first that each seed gives."),
        click.option(
            "--raw", is_flag=True, help="The network's own pixels, not finished by MNIST's scan rule."
        ),
        weights_option,
    ):
        command = option(command)
    return command


def out_option(folder: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--out, the folder to write into, `folder` if not named."""
    return click.option(
        "--out",
        metavar="DIR",
        type=click.Path(path_type=Path),
        default=Path(folder),
        show_default=True,
        help="The folder to write into, made if need be.",
    )


def varied_hand(hand: Hand | None, variation: float | None) -> Hand | None:
    """The hand of --hand, with the variation of --variation."""
    if variation is None or hand is None:
        if variation is not None:
            raise Mistake("--variation is of a hand: name its file with --hand, or leave it out.")
        return hand
    return replace(hand, variation=variation)


def generator_from_options(
    weights: Path | None,
    *,
    placeholder: bool,
    raw: bool,
    every_z: bool,
    neat: int,
    hand: Hand | None = None,
) -> DigitGenerator | PlaceholderGenerator:
    """What the options ask for; stderr says so where it is not the model that comes along."""
    if placeholder and weights:
        raise Mistake("--placeholder draws without weights: leave out either it or --weights.")
    if placeholder:
        click.echo("These are placeholder digits, drawn by rule: no model made them.", err=True)
        return PlaceholderGenerator()
    ways_out = "name a file with --weights FILE, or draw stand-ins with --placeholder"
    return generator_from_weights(weights, ways_out, raw=raw, every_z=every_z, neat=neat, hand=hand)


def generator_from_weights(
    weights: Path | None,
    ways_out: str = "name a file with --weights FILE",
    *,
    raw: bool = False,
    every_z: bool = False,
    neat: int = 0,
    hand: Hand | None = None,
) -> DigitGenerator:
    """The generator of --weights, or the one that comes along; stderr says so where it is not that one.

    Raises Mistake for none, HandError for a hand of other weights.
    """
    try:
        generator = DigitGenerator.load(weights)
    except WeightsError as error:
        raise Mistake(f"{error}, {ways_out}.") from None
    if not generator.is_ours:
        click.echo(f"Drawn by your own weights, {generator.path}.", err=True)
    if neat and every_z:
        raise Mistake("--every-z rejects no z, and --neat more of them: leave out one.")
    try:
        return generator.variant(raw=raw, every_z=every_z, neat=neat, in_hand=hand)
    except ChoiceError as error:
        raise Mistake(f"{error}.") from None


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Write into the folder, which is made if need be, as the only process; another gets a sentence."""
    try:
        with locked(folder):
            remove_unfinished(folder)
            yield
    except FileExistsError:
        raise Mistake(
            f"{folder} is a file: a folder is needed there, so choose another with --out."
        ) from None
    except OSError as error:
        raise Mistake(
            f"{folder} cannot be written ({error.strerror}): choose another folder with --out."
        ) from None


def write_file(path: Path, data: bytes, *, option: str = "--out") -> None:
    """Write a file whole, into a folder that is made if need be, and print its path.

    `option` is the one that named the place.
    """
    make_file(path, data, option=option)
    click.echo(path)


def make_file(path: Path, data: bytes, *, option: str = "--out") -> None:
    """As write_file, without a word."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except FileExistsError:
        raise Mistake(
            f"{path.parent} is a file: a folder is needed there, so choose another with {option}."
        ) from None
    except OSError as error:
        raise Mistake(
            f"{path} cannot be written ({error.strerror}): choose another folder with {option}."
        ) from None
