"""The command line: one command of the group `cli` for each thing to make.

The files written are listed on stdout, one path a line; what there is to say about them goes to stderr. A
mistake is told in one sentence on stderr, with exit code 2.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import click
from tqdm import tqdm

from digit_generator import __version__, at_scale
from digit_generator.choose import Choice
from digit_generator.dataset import MANIFEST, DatasetError, SetFormat, write_dataset
from digit_generator.dataset import MAX_COUNT as MAX_SET
from digit_generator.export import ExportError, hugging_face_files, is_about, onnx_from_weights
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.morph import MAX_FRAMES, Stop, frame_times
from digit_generator.morph import morph as draw_morph
from digit_generator.number import (
    MAX_TEXTS,
    NumberError,
    checked_text,
    stem_of_text,
    texts_from_pattern,
    write_number,
)
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import Recipe, RecipeError, style_suffix
from digit_generator.render import (
    MAX_SCALE,
    AnimationFormat,
    SvgForm,
    animation_from_pixels,
    png_from_line,
    png_from_pixels,
    recipe_text_from_png,
    sheet_from_pixels,
    stem_of_digit,
    svg_from_pixels,
    write_whole,
)
from digit_generator.shapes import SHAPES, MissingExtraError
from digit_generator.style import (
    SAMPLES,
    UNITS,
    Style,
    StyleControls,
    StyleError,
    bytes_from_controls,
    learned_controls,
    style_path,
    styled_digits,
)
from digit_generator.weights import WeightsError, digest_of_file, find_weights

LABELS = "labels.jsonl"
MAX_COUNT = 10_000
MAX_PNG_BYTES = 100 * 10**6


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
    except SystemExit:  # click's answer to who closes stdout, as `head` does
        click.echo(
            "Error: standard output was closed before the end: what is not listed was not made.", err=True
        )
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


def style_options(command: Any) -> Any:
    """--thickness, --slant and --width, as Style takes them."""
    helps = {
        "thickness": "Of the stroke, in pixels, such as 2.5.",
        "slant": "In radians, such as 0.2; positive leans to the right.",
        "width": "Of the digit across its slant, in pixels, such as 13, or 5 for a 1 (see `style ranges`).",
    }
    for name in reversed(SHAPES):
        command = click.option(f"--{name}", type=Measure(), help=f"{helps[name]}  [default: as drawn]")(
            command
        )
    return command


SCALE_HELP = "Enlarge each pixel to a square of this size; 1 keeps 28x28."

weights_option = click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Your own generator.pth or .safetensors.  [default: the generator.pth that comes with this program]",
)


def drawing_options(command: Any) -> Any:
    """--weights, --raw and --every-z: what draws, and how."""
    for option in (
        click.option("--every-z", is_flag=True, help="Refuse no z: draw the first that each seed gives."),
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
      python -m digit_generator generate 7 --thickness 3 --slant 0.3
      python -m digit_generator number 24/12/2026 --scale 4
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
@out_option("digits")
@drawing_options
@click.option("--scale", type=WholeNumber(1, MAX_SCALE), default=1, show_default=True, help=SCALE_HELP)
@click.option("--sheet", is_flag=True, help="Write one picture of all instead of a file for each.")
@click.option(
    "--svg",
    type=click.Choice(get_args(SvgForm)),
    help="Write SVG instead of PNG: smooth outlines for any size, or the exact pixels.",
)
@style_options
@click.option("--placeholder", is_flag=True, help="Draw stand-in digits, marked as such, without weights.")
def generate(
    digit: int,
    count: int,
    seed: int,
    out: Path,
    weights: Path | None,
    raw: bool,
    every_z: bool,
    scale: int,
    sheet: bool,
    svg: SvgForm | None,
    thickness: float | None,
    slant: float | None,
    width: float | None,
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
      python -m digit_generator generate 7 --raw
          digits/digit_7_seed_0_raw.png and so on: what the network drew before it was finished
    """
    style = Style(thickness, slant, width)
    about_the_model = [*style.asked, *["raw"] * raw, *["every-z"] * every_z]
    if placeholder and about_the_model:
        raise Mistake(f"--{about_the_model[0]} is about the model: leave out either it or --placeholder.")
    last = seed + count - 1
    if last > MAX_SEED:
        raise Mistake(f"--seed {seed} with --count {count} ends at seed {last}: seeds go up to {MAX_SEED}.")
    if svg and (sheet or scale > 1):
        raise Mistake("--svg writes a file for each digit, for any size: leave out --sheet and --scale.")
    generator = generator_from_options(weights, placeholder=placeholder, raw=raw, every_z=every_z)
    if isinstance(generator, PlaceholderGenerator):
        pixels, controls = generator.digits(digit, range(seed, last + 1)), None
    else:
        try:
            controls = StyleControls.load(generator) if style.asked else None
            pixels = styled_digits(generator, digit, range(seed, last + 1), style, controls)
        except StyleError as error:
            raise Mistake(f"{error}.") from None
    stem, suffix = stem_of_digit(digit, placeholder=placeholder), style_suffix(style.asked, raw=raw)
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
        name = f"{stem}_seed_{number}{suffix}"
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
) -> list[tuple[int, int | None]]:
    """DIGIT or DIGIT:SEED, each -> digits and their seeds, None where there is none."""
    matches = [re.fullmatch(r"([0-9])(?::([0-9]{1,10}))?", word) for word in words]
    for word, match in zip(words, matches, strict=True):
        if match is None or int(match[2] or 0) > MAX_SEED:
            raise click.BadParameter(
                f"{word!r} is not a digit, such as 7, or a digit and a seed up to {MAX_SEED}, such as 7:42."
            )
    if len(words) == 1:
        raise click.BadParameter("one stop is no way: name two or more, such as 3 8.")
    return [(int(match[1]), int(match[2]) if match[2] else None) for match in matches if match]


@cli.command()
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
def morph(
    stops: list[tuple[int, int | None]],
    seed: int,
    frames: int,
    kind: AnimationFormat | Literal["strip"],
    scale: int,
    out: Path,
    weights: Path | None,
    raw: bool,
    every_z: bool,
) -> None:
    """Turn one digit into another, through all STOPS, in even steps.

    A stop is a digit, or a digit and its seed: 7:42 is what `generate 7 --seed 42` draws.

    \b
    Examples:
      python -m digit_generator morph 3 8
          digits/morph_3-8_seed_0.gif
      python -m digit_generator morph 3 8 --format strip --frames 9 --scale 2
          digits/morph_3-8_seed_0.png, eleven pictures in a row
      python -m digit_generator morph 2:5 0 2:7 6 2:5 --format webp
          digits/morph_2-0-2-6-2_seeds_5-0-7-0-5.webp, which ends as it begins
    """
    path = [(digit, seed if own is None else own) for digit, own in stops]
    generator = generator_from_weights(weights, raw=raw, every_z=every_z)
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
    strip = "_strip" if kind == "strip" else ""
    ending = kind if kind in ("gif", "webp") else "png"
    write_file(out / f"{_stem_of_morph(path)}{strip}{style_suffix({}, raw=raw)}.{ending}", picture)


def _stem_of_morph(path: list[Stop]) -> str:
    digits, seeds = zip(*path, strict=True)
    if len(path) > 12:
        return f"morph_{len(path)}_stops_{hashlib.sha256(f'{path}'.encode()).hexdigest()[:8]}"
    named = f"seed_{seeds[0]}" if len(set(seeds)) == 1 else f"seeds_{'-'.join(map(str, seeds))}"
    return f"morph_{'-'.join(map(str, digits))}_{named}"


def shares_from_word(
    context: click.Context, parameter: click.Parameter, word: str | None
) -> dict[int, float] | None:
    """DIGIT:SHARE,DIGIT:SHARE,... -> the share of each digit."""
    if word is None:
        return None
    pieces = [re.fullmatch(r"([0-9]):([0-9]{0,9}\.?[0-9]{1,9})", piece) for piece in word.split(",")]
    shares = {int(piece[1]): float(piece[2]) for piece in pieces if piece}
    if len(shares) < len(pieces):
        raise click.BadParameter(
            f"{word!r} is no list of different digits and their shares, such as 7:3,1:1."
        )
    return shares


@cli.command()
@click.argument("count", type=WholeNumber(1, at_scale.MAX_COUNT))
@click.option(
    "--test",
    "test_count",
    type=WholeNumber(0, at_scale.MAX_COUNT),
    default=0,
    show_default=True,
    help="Further digits, none of them in the first set, to test on.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(get_args(SetFormat)),
    help="MNIST's own files, NumPy's, PNG folders with a table, or Parquet for Hugging Face datasets."
    "  [default: idx; parquet with --engine ray]",
)
@click.option(
    "--shares",
    metavar="DIGIT:SHARE,...",
    callback=shares_from_word,
    help="How often each digit comes.  [default: equally often]",
)
@click.option(
    "--seed",
    type=WholeNumber(0, MAX_SEED),
    default=0,
    show_default=True,
    help="Another seed gives other digits in another order.",
)
@out_option("digit-set")
@drawing_options
@style_options
@click.option(
    "--engine",
    type=click.Choice(["process", "ray"]),
    default="process",
    show_default=True,
    help=f"This process, up to {MAX_SET} digits; or Ray, on all cores or on many machines, in many files.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="With Ray: the cluster's; --out is a folder that its machines share.  [default: this machine]",
)
@click.option(
    "--workers",
    type=WholeNumber(1, 100_000),
    help="With Ray: how many at a time, at most.  [default: one for each core]",
)
@click.option(
    "--shard-size",
    type=WholeNumber(1, at_scale.MAX_COUNT),
    help=f"With Ray: digits in a file.  [default: {at_scale.SHARD_SIZE}]",
)
def dataset(
    count: int,
    test_count: int,
    kind: SetFormat | None,
    shares: dict[int, float] | None,
    seed: int,
    out: Path,
    weights: Path | None,
    raw: bool,
    every_z: bool,
    thickness: float | None,
    slant: float | None,
    width: float | None,
    engine: str,
    address: str | None,
    workers: int | None,
    shard_size: int | None,
) -> None:
    """Write COUNT labelled digits into a new folder, with a manifest of how they were made.

    \b
    Examples:
      python -m digit_generator dataset 60000 --test 10000
          digit-set/train-images-idx3-ubyte.gz and so on, named and built as MNIST's four files
      python -m digit_generator dataset 1000 --format png --shares 1:1,7:3
          digit-set/train/7/000.png and so on: a quarter ones, three quarters sevens
      python -m digit_generator dataset 5000 --format parquet --out sevens --shares 7:1
          sevens/train-00000-of-00001.parquet, for datasets.load_dataset("sevens")
      python -m digit_generator dataset 10000000 --engine ray
          digit-set/train-00000-of-00100.parquet and so on; stopped, it goes on when called again
    """
    if engine == "process":
        if address or workers or shard_size:
            raise Mistake(
                "--address, --workers and --shard-size go with --engine ray: add it, or leave them out."
            )
        if count + test_count > MAX_SET:
            raise Mistake(
                f"One process makes sets of up to {MAX_SET} digits: add --engine ray for larger ones."
            )
    elif kind not in (None, "parquet"):
        raise Mistake(f"--engine ray writes Parquet, not {kind}: leave out --format or --engine.")
    generator = generator_from_weights(weights, raw=raw, every_z=every_z)
    style = Style(thickness, slant, width)
    try:
        controls = StyleControls.load(generator) if style.asked else None
        with tqdm(total=count + test_count, unit="digit", unit_scale=True, desc=str(out), delay=0.5) as bar:
            style_asked = style if style.asked else None
            if engine == "ray":
                manifest = at_scale.write_shards(
                    out,
                    generator,
                    count,
                    test_count=test_count,
                    shares=shares,
                    seed=seed,
                    style=style_asked,
                    controls=controls,
                    shard_size=shard_size or at_scale.SHARD_SIZE,
                    address=address,
                    workers=workers,
                    progress=lambda done: bar.update(done.count),
                )
            else:
                manifest = write_dataset(
                    out,
                    generator,
                    count,
                    test_count=test_count,
                    format=kind or "idx",
                    shares=shares,
                    seed=seed,
                    style=style_asked,
                    controls=controls,
                    progress=bar.update,
                )
    except (DatasetError, StyleError) as error:
        raise Mistake(f"{error}.") from None
    for name in [*manifest["files"], MANIFEST]:
        click.echo(out / name)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def recipe(file: Path) -> None:
    """Tell how the PNG picture FILE was made, and the command that draws it again.

    \b
    Example:
      python -m digit_generator recipe digits/digit_7_seed_0.png
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_PNG_BYTES + 1)
    except OSError as error:
        raise Mistake(f"{file} cannot be read ({error.strerror}): name a PNG picture.") from None
    if len(data) > MAX_PNG_BYTES:
        raise Mistake(f"{file} is larger than {MAX_PNG_BYTES // 10**6} MB: no picture of this program is.")
    try:
        text = recipe_text_from_png(data)
        if text is None:
            raise Mistake(
                f"{file} carries no recipe: it was not drawn by this program,"
                " or another one has saved it again without."
            )
        told = Recipe.from_text(text)
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
        if told.choice_sha256 and told.choice_sha256 != _digest_of_our_choice(told.weights_sha256):
            click.echo(
                "Drawn with another choice of z than the one here: this command may draw another picture.",
                err=True,
            )
    click.echo(f"again: {told.command(weights)}")


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


@cli.command()
@click.option(
    "--onnx", metavar="FILE", type=click.Path(path_type=Path), help="Write an ONNX model, a name in .onnx."
)
@click.option(
    "--hugging-face",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write a folder for Hugging Face's hub: weights, choice, config.json and the model card.",
)
@weights_option
@click.option(
    "--quality",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The weights' quality card, for the model card.  [default: docs/quality.json of the repository]",
)
def export(onnx: Path | None, hugging_face: Path | None, weights: Path | None, quality: Path | None) -> None:
    """Write the trained generator for other programs.

    \b
    Examples:
      python -m digit_generator export --onnx generator.onnx
          inputs z and labels, outputs images and pixels: the network's own, raw and not finished
      python -m digit_generator export --hugging-face hub
          hub/model.safetensors, hub/config.json, hub/README.md, and the choice if there is one
    """
    if onnx is None and hugging_face is None:
        raise Mistake("There is nothing to write: name a form with --onnx FILE or --hugging-face DIR.")
    if onnx is not None and onnx.suffix != ".onnx":
        raise Mistake(f"--onnx {onnx} does not end in .onnx: choose a name that does.")
    if hugging_face is not None and not may_be_replaced(hugging_face):
        raise Mistake(f"{hugging_face} has other files in it: --hugging-face takes an empty or a new folder.")
    try:
        generator = DigitGenerator.load(weights)
        if onnx is not None:
            write_file(onnx, onnx_from_weights(generator.path), option="--onnx")
        if hugging_face is not None:
            card = card_from_file(quality, generator)
            for name, data in hugging_face_files(generator.path, quality=card).items():
                write_file(hugging_face / name, data, option="--hugging-face")
    except WeightsError as error:
        raise Mistake(f"{error}, or name a file with --weights FILE.") from None
    except ExportError as error:
        raise Mistake(f"{error}.") from None


def may_be_replaced(folder: Path) -> bool:
    """Whether a folder is new, empty, or an export of this program, so that writing there loses nothing."""
    try:
        names = {path.name for path in folder.iterdir()}
        return not names or "digit_generator" in (folder / "config.json").read_text()
    except (FileNotFoundError, NotADirectoryError):
        return not folder.is_dir()
    except (OSError, ValueError):
        return False


def card_from_file(path: Path | None, generator: DigitGenerator) -> dict[str, Any] | None:
    """The quality card that --quality names; else the repository's, if there is one of these weights."""
    own = Path(__file__).resolve().parents[1] / "docs" / "quality.json"
    try:
        card = json.loads((path or own).read_text())
        if path is not None or is_about(card, generator):
            return dict(card)
    except (OSError, ValueError, KeyError, TypeError):
        if path is not None:
            raise Mistake(f"{path} is not a quality card: make evaluate writes one.") from None
    click.echo("The model card says that the quality was not measured: name a card with --quality.", err=True)
    return None


class Mistake(click.ClickException):
    """What the person who typed the command can mend; the message is one sentence."""


def generator_from_options(
    weights: Path | None, *, placeholder: bool, raw: bool, every_z: bool
) -> DigitGenerator | PlaceholderGenerator:
    """What the options ask for; stderr says so where it is not the model that comes along."""
    if placeholder and weights:
        raise Mistake("--placeholder draws without weights: leave out either it or --weights.")
    if placeholder:
        click.echo("These are placeholder digits, drawn by rule: no model made them.", err=True)
        return PlaceholderGenerator()
    ways_out = "name a file with --weights FILE, or draw stand-ins with --placeholder"
    return generator_from_weights(weights, ways_out, raw=raw, every_z=every_z)


def generator_from_weights(
    weights: Path | None,
    ways_out: str = "name a file with --weights FILE",
    *,
    raw: bool = False,
    every_z: bool = False,
) -> DigitGenerator:
    """The generator of --weights, or the one that comes along; stderr says so where it is not that one."""
    try:
        generator = DigitGenerator.load(weights)
    except WeightsError as error:
        raise Mistake(f"{error}, {ways_out}.") from None
    if not generator.is_ours:
        click.echo(f"Drawn by your own weights, {generator.path}.", err=True)
    return generator.variant(raw=raw, every_z=every_z)


def write_file(path: Path, data: bytes, *, option: str = "--out") -> None:
    """Write a file whole, into a folder that is made if need be, and print its path.

    `option` is the one that named the place.
    """
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
    click.echo(path)


@cli.command(
    short_help="Write a number in one hand, as a picture or as labelled lines.",
    context_settings={"ignore_unknown_options": True},
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
    scale: int,
    thickness: float | None,
    slant: float | None,
    width: float | None,
) -> None:
    """Write TEXT in one hand: digits, the signs . , - : / + and spaces.

    labels.jsonl beside the pictures says, a line for each, what it reads and where each character stands: its
    box is left, top, right and bottom, in pixels. Lines written to the same folder later are added.

    \b
    Examples:
      python -m digit_generator number 2026
          numbers/2026_seed_0.png
      python -m digit_generator number -7 --scale 4 --thickness 3
          numbers/-7_seed_0_thickness_3.png
      python -m digit_generator number --pattern "#####-####" --count 20
          numbers/line_seed_0.png to numbers/line_seed_19.png: twenty account numbers in twenty hands
    """
    labels: dict[str, str] = {}
    given = [value for value in (text, pattern, list_file) if value is not None]
    if len(given) != 1:
        raise Mistake("Give one of TEXT, --pattern and --list, such as: number 2026.")
    if count and list_file:
        raise Mistake("--list writes every line of its file: leave out --count.")
    try:
        if list_file:
            texts = texts_from_file(list_file)
        elif pattern is not None:
            texts = texts_from_pattern(pattern, count or 1, seed)
        else:
            texts = [checked_text(text or "")] * (count or 1)
        last = seed + len(texts) - 1
        if last > MAX_SEED:
            raise Mistake(
                f"--seed {seed} and {len(texts)} texts end at seed {last}: seeds go up to {MAX_SEED}."
            )
        style = Style(thickness, slant, width)
        generator = generator_from_weights(weights, raw=raw, every_z=every_z)
        controls = StyleControls.load(generator) if style.asked else None
        stem = "line" if text is None else stem_of_text(texts[0])
        known = labels_from_file(out / LABELS)
        for index, written in enumerate(tqdm(texts, unit="lines", disable=len(texts) < 50)):
            line = write_number(generator, written, seed + index, style, controls)
            name = f"{stem}_seed_{seed + index}{style_suffix(style.asked, raw=raw)}.png"
            try:
                recipe = Recipe.of(
                    generator,
                    text=written,
                    seed=seed + index,
                    style=style.asked,
                    controls=controls,
                    scale=scale,
                )
                picture = png_from_line(line.picture, scale=scale, recipe=recipe.to_text())
            except ValueError as error:
                raise Mistake(f"{error}.") from None
            write_file(out / name, picture)
            labels[name] = line.label(name, seed + index, scale)
    except (NumberError, StyleError) as error:
        raise Mistake(f"{error}.") from None
    finally:  # what was written before a stop is labelled too
        if labels:
            lines = (known | labels).values()
            write_file(out / LABELS, "".join(f"{line}\n" for line in lines).encode())


def labels_from_file(path: Path) -> dict[str, str]:
    """The lines of a labels.jsonl that is there already, by the picture that each is about."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {json.loads(line)["file"]: line for line in lines}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Mistake(
            f"{path} cannot be read ({error.strerror}): choose another folder with --out."
        ) from None
    except (ValueError, TypeError, KeyError):
        raise Mistake(f"{path} holds no labels of this program: choose another folder with --out.") from None


@cli.group(invoke_without_command=True)
@click.pass_context
def style(context: click.Context) -> None:
    """How far --thickness, --slant and --width go, and how to learn them for weights of your own."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@style.command("ranges")
@weights_option
def style_ranges(weights: Path | None) -> None:
    """Print the range of every control, digit by digit."""
    generator = generator_from_weights(weights)
    try:
        controls = StyleControls.load(generator)
    except StyleError as error:
        raise Mistake(f"{error}.") from None
    click.echo("digit  " + "  ".join(f"{name + ' (' + UNITS[name] + ')':<18}" for name in SHAPES).rstrip())
    for digit in range(10):
        ranges = controls.ranges(digit)
        cells = (f"{low:6.2f} to {high:5.2f}".ljust(18) for low, high in ranges.values())
        click.echo(f"{digit:<5}  " + "  ".join(cells).rstrip())


@style.command("learn")
@weights_option
@click.option(
    "--samples",
    type=WholeNumber(50, 100_000),
    default=SAMPLES,
    show_default=True,
    help="How many of each digit to draw and measure.",
)
def style_learn(weights: Path | None, samples: int) -> None:
    """Learn the style controls of these weights, and write them beside them.

    Draws and measures, for two minutes; needs scikit-image: pip install scikit-image.
    """
    generator = generator_from_weights(weights)
    assert generator.path is not None
    try:
        controls = learned_controls(generator, samples=samples, progress=True)
    except (StyleError, MissingExtraError) as error:
        raise Mistake(f"{error}.") from None
    path = style_path(generator.path)
    try:
        write_whole(path, bytes_from_controls(controls))
    except OSError as error:
        raise Mistake(
            f"{path} cannot be written ({error.strerror}): copy the weights to a folder of yours."
        ) from None
    click.echo(path)


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
