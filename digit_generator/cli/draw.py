"""The commands that draw: generate, morph, number, and recipe, which says how a picture was drawn."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import click
from tqdm import tqdm

from digit_generator.choose import Choice
from digit_generator.cli.options import (
    SCALE_HELP,
    Mistake,
    WholeNumber,
    alone_in,
    drawing_options,
    generator_from_options,
    generator_from_weights,
    hand_option,
    hand_options,
    make_file,
    out_option,
    style_options,
    varied_hand,
    write_file,
)
from digit_generator.files import remove_unfinished, write_whole
from digit_generator.finish import VERSION as FINISH_VERSION
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.hand import Hand
from digit_generator.morph import frame_times
from digit_generator.morph import morph as draw_morph
from digit_generator.number import MAX_TEXTS, NumberError, checked_text, lines_in_order, texts_from_pattern
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import (
    MAX_COUNT,
    MAX_FRAMES,
    MAX_SCALE,
    Recipe,
    RecipeError,
    stem_of_digit,
    stem_of_morph,
    stem_of_text,
    style_suffix,
)
from digit_generator.render import (
    AnimationFormat,
    SvgForm,
    animation_from_pixels,
    png_from_line,
    png_from_pixels,
    recipe_text_from_png,
    sheet_from_pixels,
    svg_from_pixels,
)
from digit_generator.style import Style, StyleControls, StyleError, styled_digits
from digit_generator.weights import WeightsError, digest_of_file, find_weights

METADATA = "metadata.jsonl"  # as Hugging Face's imagefolder reads it


@click.command()
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
@out_option("digits")
@drawing_options
@click.option("--scale", type=WholeNumber(1, MAX_SCALE), default=1, show_default=True, help=SCALE_HELP)
@click.option("--sheet", is_flag=True, help="Write one picture of all instead of a file for each.")
@click.option(
    "--svg",
    type=click.Choice(get_args(SvgForm)),
    help="Write SVG instead of PNG: smooth outlines for any size, the exact pixels, or ink on paper.",
)
@style_options
@hand_options
@click.option("--placeholder", is_flag=True, help="Draw stand-in digits, marked as such, without weights.")
def generate(
    digit: int,
    count: int,
    seed: int,
    out: Path,
    weights: Path | None,
    raw: bool,
    every_z: bool,
    neat: int,
    scale: int,
    sheet: bool,
    svg: SvgForm | None,
    thickness: float | None,
    slant: float | None,
    width: float | None,
    hand: Hand | None,
    variation: float | None,
    placeholder: bool,
) -> None:
    """Draw DIGIT (0 to 9) and write PNG files named by digit and seed.

    Each PNG carries its recipe: `python -m digit_generator recipe FILE.png` tells how it was made.

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
      python -m digit_generator generate 2 --count 1 --svg outline
          digits/digit_2_seed_0.svg, for any size
      python -m digit_generator generate 7 --count 2 --thickness 3 --slant 0.3
          digits/digit_7_seed_0_thickness_3_slant_0.3.png: bold and leaning
      python -m digit_generator generate 4 --hand my.hand
          digits/digit_4_seed_0_hand_4f9a0c1e.png and so on: five 4s in one person's hand
      python -m digit_generator generate 7 --raw
          digits/digit_7_seed_0_raw.png and so on: what the network drew before it was finished
      python -m digit_generator generate 7 --neat 4
          digits/digit_7_seed_0_neat_4.png and so on: the neatest
    """
    style = Style(thickness, slant, width)
    hand = varied_hand(hand, variation)
    about_the_model = [*style.asked, *["hand"] * bool(hand), *["raw"] * raw, *["every-z"] * every_z]
    about_the_model += ["neat"] * bool(neat)
    if placeholder and about_the_model:
        raise Mistake(f"--{about_the_model[0]} is about the model: leave out either it or --placeholder.")
    last = seed + count - 1
    if last > MAX_SEED:
        raise Mistake(f"--seed {seed} with --count {count} ends at seed {last}: seeds go up to {MAX_SEED}.")
    if svg and (sheet or scale > 1):
        raise Mistake("--svg writes a file for each digit, for any size: leave out --sheet and --scale.")
    generator = generator_from_options(
        weights, placeholder=placeholder, raw=raw, every_z=every_z, neat=neat, hand=hand
    )
    if isinstance(generator, PlaceholderGenerator):
        pixels, controls = generator.digits(digit, range(seed, last + 1)), None
    else:
        controls = StyleControls.load(generator) if style.asked else None
        pixels = styled_digits(generator, digit, range(seed, last + 1), style, controls)
    remove_unfinished(out)
    stem = stem_of_digit(digit, placeholder=placeholder)
    suffix = style_suffix(style.asked, raw=raw, neat=neat, hand=hand.name if hand else "")
    recipe = Recipe.of(generator, digit=digit, seed=seed, style=style.asked, controls=controls, scale=scale)
    if sheet:
        try:
            recipe = replace(recipe, count=count)
            columns = max(10, math.isqrt(count))
            picture = sheet_from_pixels(pixels, columns=columns, scale=scale, recipe=recipe.to_text())
        except ValueError as error:
            raise Mistake(f"{error}.") from None
        write_file(out / f"{stem}_seeds_{seed}-{last}{suffix}.png", picture)
        return
    for number, image in enumerate(pixels, seed):
        name = f"{stem}_seed_{number}{suffix}" + "_ink" * (svg == "ink")
        if svg:
            try:
                write_file(out / f"{name}.svg", svg_from_pixels(image, svg).encode())
            except ImportError:
                raise Mistake("Outlines need the library contourpy: pip install contourpy.") from None
        else:
            picture = png_from_pixels(image, scale=scale, recipe=replace(recipe, seed=number).to_text())
            write_file(out / f"{name}.png", picture)


def stops_from_words(
    context: click.Context, parameter: click.Parameter, words: tuple[str, ...]
) -> list[tuple[int, int | Literal["hand"] | None]]:
    """DIGIT, DIGIT:SEED or DIGIT:hand, each -> digits and their seeds, None where there is none."""
    matches = [re.fullmatch(r"([0-9])(?::([0-9]{1,10}|hand))?", word) for word in words]
    for word, match in zip(words, matches, strict=True):
        if match is None or int(match[2] if match[2] not in (None, "hand") else 0) > MAX_SEED:
            raise click.BadParameter(
                f"{word!r} is not a digit, such as 7, or a digit and a seed up to {MAX_SEED}, such as 7:42."
            )
    if len(words) == 1:
        raise click.BadParameter("a morph needs two or more stops, such as 3 8.")
    return [(int(match[1]), _stop_seed(match[2])) for match in matches if match]


def _stop_seed(word: str | None) -> int | Literal["hand"] | None:
    if word == "hand":
        return "hand"
    return int(word) if word else None


@click.command()
@click.argument("stops", nargs=-1, required=True, callback=stops_from_words)
@click.option(
    "--seed",
    type=WholeNumber(0, MAX_SEED),
    default=0,
    show_default=True,
    help="The seed of stops that name none.",
)
@click.option(
    "--frames",
    type=WholeNumber(0, MAX_FRAMES),
    default=15,
    show_default=True,
    help="Pictures between two stops.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice([*get_args(AnimationFormat), "strip"]),
    default="gif",
    show_default=True,
    help="An animation, or all pictures side by side in a PNG.",
)
@click.option("--scale", type=WholeNumber(1, MAX_SCALE), default=8, show_default=True, help=SCALE_HELP)
@out_option("digits")
@drawing_options
@hand_option
def morph(
    stops: list[tuple[int, int | Literal["hand"] | None]],
    seed: int,
    frames: int,
    kind: AnimationFormat | Literal["strip"],
    scale: int,
    out: Path,
    weights: Path | None,
    raw: bool,
    every_z: bool,
    neat: int,
    hand: Hand | None,
) -> None:
    """Turn one digit into another, through all STOPS, in even steps.

    A stop is a digit, or a digit and its seed: 7:42 is what `generate 7 --seed 42` draws. With --hand, 7:hand
    is a 7 in that hand.

    \b
    Examples:
      python -m digit_generator morph 3 8
          digits/morph_3-8_seed_0.gif
      python -m digit_generator morph 3 8 --format strip --frames 9 --scale 2
          digits/morph_3-8_seed_0.png, eleven pictures in a row
      python -m digit_generator morph 2:5 0 2:7 6 2:5 --format webp
          digits/morph_2-0-2-6-2_seeds_5-0-7-0-5.webp, which ends as it begins
      python -m digit_generator morph 7:hand 7:42 --hand my.hand
          digits/morph_7-7_seeds_hand-42_hand_4f9a0c1e.gif: from one person's 7 to a stranger's
    """
    in_hand = [own == "hand" for _, own in stops]
    if any(in_hand) != (hand is not None):
        raise Mistake(
            "A stop such as 7:hand and --hand FILE go together: name both, as in"
            " `morph 7:hand 7:42 --hand FILE`."
        )
    path = [(digit, None if own == "hand" else seed if own is None else own) for digit, own in stops]
    generator = generator_from_weights(weights, raw=raw, every_z=every_z, neat=neat, hand=hand)
    try:
        pixels = draw_morph(generator, path, frames_between=frames)
        animated = kind != "strip"
        recipe = Recipe.of(
            generator, stops=tuple(path), frames_between=frames, animated=animated, scale=scale
        ).to_text()
        if kind == "strip":
            # One row, or a row from each stop to the next.
            columns = len(pixels) if len(path) == 2 else frames + 1
            picture = sheet_from_pixels(pixels, columns=columns, scale=scale, recipe=recipe)
        else:
            times = frame_times(path, frames_between=frames)
            picture = animation_from_pixels(pixels, kind, milliseconds=times, scale=scale, recipe=recipe)
    except ValueError as error:
        raise Mistake(f"{error}.") from None
    remove_unfinished(out)
    strip = "_strip" if kind == "strip" else ""
    ending = kind if kind in ("gif", "webp") else "png"
    suffix = style_suffix({}, raw=raw, neat=neat, hand=hand.name if hand else "")
    write_file(out / f"{stem_of_morph(path)}{strip}{suffix}.{ending}", picture)


class NumberCommand(click.Command):
    """A command whose text may begin with a minus, such as -7, and whose mistyped options are still told."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._with_text_last(args))

    def _with_text_last(self, args: list[str]) -> list[str]:
        """A text such as -7, which looks like an option, moved behind "--"."""
        if "--" in args:
            return args
        options = [option for option in self.params if isinstance(option, click.Option)]
        valued = {name for option in options if not option.is_flag for name in option.opts}
        for place, word in enumerate(args):
            is_value = place > 0 and args[place - 1] in valued
            if re.fullmatch(r"-[0-9., :/+-]*[0-9][0-9., :/+-]*", word) and not is_value:
                return [*args[:place], *args[place + 1 :], "--", word]
        return args


@click.command(
    short_help="Write a number in one hand, as a picture or as labelled lines.",
    cls=NumberCommand,
)
@click.argument("text", required=False)
@click.option("--pattern", help="Write random numbers of this form: each # is a digit, as in #####-####.")
@click.option(
    "--list",
    "list_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the lines of this text file.",
)
@click.option(
    "--count", type=WholeNumber(1, MAX_TEXTS), help="How many to write of TEXT or --pattern.  [default: 1]"
)
@click.option(
    "--seed",
    type=WholeNumber(0, MAX_SEED),
    default=0,
    show_default=True,
    help="The first one's hand; each further one takes the next.",
)
@out_option("numbers")
@drawing_options
@click.option(
    "--scale",
    type=WholeNumber(1, MAX_SCALE),
    default=1,
    show_default=True,
    help="Enlarge each pixel to a square of this size; the boxes are of the picture written.",
)
@style_options
@hand_options
def number(
    text: str | None,
    pattern: str | None,
    list_file: Path | None,
    count: int | None,
    seed: int,
    out: Path,
    weights: Path | None,
    raw: bool,
    every_z: bool,
    neat: int,
    scale: int,
    thickness: float | None,
    slant: float | None,
    width: float | None,
    hand: Hand | None,
    variation: float | None,
) -> None:
    """Write TEXT in one hand: digits, the signs . , - : / + € $ £ % ( ) and spaces.

    metadata.jsonl beside the pictures says, a line for each, what it reads and where each character stands:
    its box is left, top, right and bottom, in pixels. Lines written to the same folder later are added.

    \b
    Examples:
      python -m digit_generator number 2026
          numbers/2026_seed_0.png
      python -m digit_generator number -7 --scale 4 --thickness 3
          numbers/-7_seed_0_thickness_3.png
      python -m digit_generator number --pattern "#####-####" --count 20
          numbers/line_seed_0.png to numbers/line_seed_19.png: twenty account numbers in twenty hands
      python -m digit_generator number 2026 --hand my.hand
          numbers/2026_seed_0_hand_4f9a0c1e.png: in one person's hand
    """
    given = [value for value in (text, pattern, list_file) if value is not None]
    if len(given) != 1:
        raise Mistake("Give one of TEXT, --pattern and --list, such as: number 2026.")
    if count and list_file:
        raise Mistake("--list writes every line of its file: leave out --count.")
    if list_file:
        texts = texts_from_file(list_file)
    elif pattern is not None:
        texts = texts_from_pattern(pattern, count or 1, seed)
    else:
        texts = [checked_text(text or "")] * (count or 1)
    last = seed + len(texts) - 1
    if last > MAX_SEED:
        raise Mistake(f"--seed {seed} and {len(texts)} texts end at seed {last}: seeds go up to {MAX_SEED}.")
    style = Style(thickness, slant, width)
    hand = varied_hand(hand, variation)
    generator = generator_from_weights(weights, raw=raw, every_z=every_z, neat=neat, hand=hand)
    controls = StyleControls.load(generator) if style.asked else None
    stem = "line" if text is None else stem_of_text(texts[0])
    ending = f"{style_suffix(style.asked, raw=raw, neat=neat, hand=hand.name if hand else '')}.png"
    names = [f"{stem}_seed_{number}{ending}" for number in range(seed, last + 1)]
    click.get_current_context().with_resource(alone_in(out))
    recipes = [
        Recipe.of(
            generator, text=text, seed=number, style=style.asked, controls=controls, scale=scale
        ).to_text()
        for number, text in enumerate(texts, seed)
    ]
    metadata = Metadata(out)
    metadata.check_free(names, texts)
    missing = [index for index in range(len(texts)) if not metadata.has(names[index], recipes[index])]
    lines = lines_in_order(
        generator, [texts[i] for i in missing], [seed + i for i in missing], style, controls
    )
    with tqdm(
        total=len(texts), initial=len(texts) - len(missing), unit="lines", disable=len(texts) < 50
    ) as bar:
        for index, line in zip(missing, lines, strict=True):
            try:
                picture = png_from_line(line.picture, scale=scale, recipe=recipes[index])
            except ValueError as error:
                raise Mistake(f"{error}.") from None
            metadata.add(names[index], picture, line.label(names[index], seed + index, scale))
            bar.update()
    if len(texts) == 1:
        click.echo(out / names[0])
    metadata.finish()


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def recipe(file: Path) -> None:
    """Tell how the PNG picture FILE was made, and the command that draws it again.

    \b
    Example:
      python -m digit_generator recipe digits/digit_7_seed_0.png
    """
    try:
        with file.open("rb") as opened:
            text = recipe_text_from_png(opened)
        if text is None:
            raise Mistake(
                f"{file} carries no recipe: it was not drawn by this program,"
                " or another one has saved it again without."
            )
        told = Recipe.from_text(text)
    except OSError as error:
        raise Mistake(f"{file} cannot be read ({error.strerror}): name a PNG picture.") from None
    except RecipeError as error:
        raise Mistake(f"{file} cannot be drawn again: {error}.") from None
    except ValueError as error:
        raise Mistake(f"{file} is {error}: name a PNG picture that this program has drawn.") from None
    for name, value in told.described().items():
        click.echo(f"{name}: {value}")
    weights = None
    if not told.placeholder and told.weights_sha256 != _digest_of_our_weights():
        weights = "FILE"
        click.echo("Drawn by other weights than those here: put the name of their file for FILE.", err=True)
    else:
        if told.style and told.controls_sha256 != _digest_of_our_controls():
            click.echo(
                "Drawn by other style controls than those here: this command draws it a little differently.",
                err=True,
            )
        if told.finish not in (0, FINISH_VERSION):
            click.echo(
                f"Finished by version {told.finish} of the scan rule, and here is version {FINISH_VERSION}: "
                "this command draws the outline a little differently.",
                err=True,
            )
        if told.choice_sha256 and told.choice_sha256 != _digest_of_our_choice(told.weights_sha256):
            click.echo(
                "Drawn with another choice of z than the one here: this command may draw another picture.",
                err=True,
            )
    click.echo(f"again: {told.command(weights)}")


def texts_from_file(path: Path) -> list[str]:
    """The lines of a text file, each of which can be written; empty ones are left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}): --list takes a text file.") from None
    except UnicodeDecodeError:
        raise Mistake(f"{path} is no text in UTF-8: --list takes a number or text a line.") from None
    texts = []
    for row, line in enumerate(lines, start=1):
        try:
            if line.strip():
                texts.append(checked_text(line.strip()))
        except NumberError as error:
            raise Mistake(f"Line {row} of {path}: {error}.") from None
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise Mistake(f"{path} has {len(texts)} lines to write: expected 1 to {MAX_TEXTS}.")
    return texts


class Metadata:
    """metadata.jsonl of a folder: a line for each picture.

    A line is there before its picture is and is taken back if that does not come, so that no picture is
    without one. Where a process was killed between the two, the next one removes the line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / METADATA
        self.known = self._read()
        self.rewritten = False

    def check_free(self, names: Sequence[str], texts: Sequence[str]) -> None:
        """Raises Mistake if a picture would take the place of another text's, or of another program's."""
        for name, text in zip(names, texts, strict=True):
            path = self.folder / name
            if name not in self.known and not path.exists():
                continue
            there = json.loads(self.known[name])["text"] if name in self.known else _text_in_png(path)
            if there != text:
                what = "another picture" if there is None else f"a picture of {there!r}"
                raise Mistake(
                    f"{path} is there already, {what}: choose another folder with --out, or another --seed."
                )

    def has(self, name: str, recipe: str) -> bool:
        """Whether the picture and its line are there, as this command makes them."""
        return name in self.known and _recipe_in_png(self.folder / name) == recipe

    def add(self, name: str, picture: bytes, line: str) -> None:
        """Write the line and its picture, or neither."""
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            try:
                with self.path.open("ab") as file:
                    file.write(f"{line}\n".encode())
            except OSError as error:
                raise Mistake(
                    f"{self.path} cannot be written ({error.strerror}): choose another folder with --out."
                ) from None
            make_file(self.folder / name, picture)
        except BaseException:
            if name not in self.known:
                with suppress(OSError):
                    (self.folder / name).unlink()
            with suppress(OSError):
                if size:
                    os.truncate(self.path, size)
                else:
                    self.path.unlink()
            raise
        self.rewritten |= name in self.known
        self.known[name] = line

    def finish(self) -> None:
        """Print the path; a picture that was drawn again has its last line alone."""
        if self.rewritten:
            make_file(self.path, "".join(f"{line}\n" for line in self.known.values()).encode())
        click.echo(self.path)

    def _read(self) -> dict[str, str]:
        """The lines that are there, by picture: the last of each, and none that a stop has cut short."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise Mistake(f"{self.path} cannot be read ({why}): choose another folder with --out.") from None
        *lines, unfinished = text.split("\n")
        try:
            known = {}
            if not '{"file_name": '.startswith(unfinished[:14]):
                raise ValueError("no line that was cut short")
            for line in lines:
                told = json.loads(line)
                known[str(told["file_name"])], _ = line, told["text"]
        except (ValueError, TypeError, KeyError):
            raise Mistake(
                f"{self.path} holds no lines of this program: choose another folder with --out."
            ) from None
        known = {name: line for name, line in known.items() if (self.folder / name).exists()}
        if unfinished or len(known) < len(lines):
            write_whole(self.path, "".join(f"{line}\n" for line in known.values()).encode(), synced=True)
        return known


def _recipe_in_png(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return recipe_text_from_png(file)
    except (OSError, ValueError):
        return None


def _text_in_png(path: Path) -> str | None:
    """The number that a picture of this program reads; None of other files."""
    told = _recipe_in_png(path)
    try:
        return Recipe.from_text(told).text if told else None
    except RecipeError:
        return None


def _digest_of_our_weights() -> str:
    try:
        return digest_of_file(find_weights())
    except WeightsError:
        return ""


def _digest_of_our_controls() -> str:
    try:
        return StyleControls.load(DigitGenerator.load()).digest
    except (StyleError, WeightsError):
        return ""


def _digest_of_our_choice(weights_sha256: str) -> str:
    try:
        choice = Choice.beside(find_weights(), weights_sha256)
    except WeightsError:
        return ""
    return choice.digest if choice else ""
