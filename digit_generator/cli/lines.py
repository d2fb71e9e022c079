"""The command that writes labelled lines to train readers of handwriting with."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
from tqdm import tqdm

from digit_generator.cli.draw import texts_from_file
from digit_generator.cli.options import (
    HandFile,
    Measure,
    Mistake,
    WholeNumber,
    drawing_options,
    generator_from_weights,
    out_option,
    variation_option,
    varied_hand,
)
from digit_generator.cli.sets import check_engine, engine_options, shard_progress, shares_from_word
from digit_generator.generate import MAX_SEED
from digit_generator.hand import Hand
from digit_generator.lines.formats import LineFormat
from digit_generator.lines.grammar import Pattern
from digit_generator.lines.looks import GAP_LIMITS, LIMITS, Form, Look, Value
from digit_generator.lines.shards import MAX_SHARDED, write_line_shards
from digit_generator.lines.source import LineSource
from digit_generator.lines.write import MAX_LINES, MAX_ON_PAGE, SHARD_SIZE, write_lines
from digit_generator.recipe import STROKE_MEASURES

_NUMBER = r"-?[0-9]{1,6}\.?[0-9]{0,6}"


class Range(click.ParamType):  # type: ignore[type-arg]
    """A number such as 2.5, or LOW:HIGH, from which each line draws its own."""

    name = "number or low:high"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        match = re.fullmatch(rf"({_NUMBER})(?::({_NUMBER}))?", value)
        if not match:
            self.fail(f"{value!r} is no number such as 2.5, or range such as 2:3.", param, ctx)
        low = float(match[1])
        return (low, float(match[2])) if match[2] else low


def look_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each setting of a Look, and for each style."""
    low, high, of = GAP_LIMITS
    words = f"{low:g} to {high:g}: from one character's ink to the next one's, in {of}."
    words += " Of a range, each gap draws its own.  [default: apart, by --spacing]"
    command = click.option("--gap", type=Range(), metavar="NUMBER", help=words)(command)
    for name, (least, most, unit) in reversed(LIMITS.items()):
        told = "as drawn, 20 pixels a digit" if name == "height" else f"{getattr(Look(), name):g}"
        words = f"{least:g} to {most:g}: {unit}.  [default: {told}]"
        command = click.option(f"--{name}", type=Range(), metavar="NUMBER", help=words)(command)
    for name in reversed(STROKE_MEASURES):
        words = "As for single digits; it takes four times as long.  [default: as drawn]"
        command = click.option(f"--{name}", type=Range(), metavar="NUMBER", help=words)(command)
    return command


@click.command(short_help="Write labelled lines, or pages of them, to train readers with.")
@click.argument("count", type=WholeNumber(1, MAX_SHARDED))
@click.option("--pattern", help="What each line reads, such as '<date DD.MM.YYYY>' or '#####-####'.")
@click.option(
    "--list",
    "list_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A text file, a line for each.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(get_args(LineFormat)),
    help="The files of the tool that will read them.  [default: imagefolder; parquet with --engine ray]",
)
@click.option(
    "--lines-per-page",
    type=WholeNumber(1, MAX_ON_PAGE),
    default=1,
    show_default=True,
    help="More than one make pages, of paddle, coco, yolo and voc.",
)
@click.option(
    "--overlap",
    type=Measure(),
    metavar="NUMBER",
    default=0.0,
    help="0 to 0.9: how much of a line the next one on a page may cover.  [default: 0]",
)
@click.option(
    "--seed", type=WholeNumber(0, MAX_SEED), default=0, show_default=True, help="Of the first line's hand."
)
@click.option(
    "--shares",
    metavar="DIGIT:SHARE,...",
    callback=shares_from_word,
    help="How often each digit stands for a #.  [default: equally often]",
)
@click.option(
    "--one-hand",
    type=Measure(),
    metavar="NUMBER",
    default=1.0,
    help="0 to 1: the share of lines in one hand; in the others each digit has its own.  [default: 1]",
)
@click.option(
    "--uneven",
    is_flag=True,
    help="Leave the digits of one hand as they come, some leaning or thicker; several times as fast.",
)
@click.option(
    "--hand",
    "hands",
    metavar="FILE",
    type=HandFile(),
    multiple=True,
    help="A person's hand, found by the command `hand`. Several --hand are several persons: each line in one"
    " hand is by one of them.  [default: a new hand for each line]",
)
@variation_option
@look_options
@click.option("--ink", metavar="COLOUR", default="#ffffff", show_default=True, help="As #rrggbb.")
@click.option("--paper", metavar="COLOUR", default="#000000", show_default=True, help="As #rrggbb.")
@click.option(
    "--form",
    type=click.Choice(get_args(Form)),
    default="plain",
    show_default=True,
    help="Nothing printed, a line to write on, or a box for each character.",
)
@engine_options("lines", MAX_LINES)
@click.option(
    "--shard-size",
    type=WholeNumber(1, MAX_SHARDED),
    default=SHARD_SIZE,
    show_default=True,
    help="Lines in a file, of webdataset and parquet.",
)
@out_option("lines")
@drawing_options
def lines(
    count: int,
    pattern: str | None,
    list_file: Path | None,
    kind: LineFormat | None,
    lines_per_page: int,
    overlap: float,
    seed: int,
    shares: dict[int, float] | None,
    one_hand: float,
    uneven: bool,
    hands: tuple[Hand, ...],
    variation: float | None,
    ink: str,
    paper: str,
    form: Form,
    engine: str,
    address: str | None,
    workers: int | None,
    shard_size: int,
    out: Path,
    weights: Path | None,
    raw: bool,
    every_z: bool,
    neat: int,
    **settings: Value | None,
) -> None:
    """Write COUNT pictures of handwritten lines, with their texts and the box of every character.

    A NUMBER may be a range such as 32:64, from which each line draws its own. Stopped, it goes on when called
    again. docs/lines.md has the patterns and the formats.

    \b
    Examples:
      python -m digit_generator lines 1000 --pattern "<date DD.MM.YYYY>"
          lines/000000.png and so on, and lines/metadata.jsonl
      python -m digit_generator lines 500 --pattern "<amount 9,999.99> €" --format paddle --height 48
          lines/images/000000.png and so on, and lines/rec_gt.txt
      python -m digit_generator lines 100 --pattern "#{4,9}" --format coco --lines-per-page 8 --overlap 0.3
          pages of eight lines with annotations.json
      python -m digit_generator lines 100 --pattern "#{4,9}" --hand my.hand --hand yours.hand
          lines by two persons; lines/metadata.jsonl says by whom each is
      python -m digit_generator lines 100000 --engine ray --pattern "#{4,9}"
          lines/train-00000-of-00100.parquet and so on, on all cores
    """
    if (pattern is None) == (list_file is None):
        raise Mistake("Give one of --pattern and --list, such as: lines 1000 --pattern '#####-####'.")
    if list_file and shares:
        raise Mistake("--shares is about the # of a pattern: leave out it or --list.")
    if engine == "ray" and (lines_per_page > 1 or overlap):
        raise Mistake("--engine ray writes one line a picture: leave out --lines-per-page and --overlap.")
    check_engine(engine, kind, count, "lines", MAX_LINES, {"--address": address, "--workers": workers})
    texts = Pattern(pattern or "", shares) if list_file is None else texts_from_file(list_file)
    asked = {name: value for name, value in settings.items() if value is not None}
    style = {name: asked.pop(name) for name in STROKE_MEASURES if name in asked}
    look = Look(ink=ink, paper=paper, form=form, **asked)
    persons = [hand for one in hands or (None,) if (hand := varied_hand(one, variation))]
    generator = generator_from_weights(weights, raw=raw, every_z=every_z, neat=neat)
    source = LineSource(
        generator,
        texts,
        seed=seed,
        look=look,
        one_hand=one_hand,
        uneven=uneven,
        hands=persons,
        style=style,
    )
    with tqdm(total=count, unit="pictures", desc=str(out), delay=0.5) as bar:
        if engine == "ray":
            manifest = write_line_shards(
                out,
                source,
                count,
                shard_size=shard_size,
                address=address,
                workers=workers,
                progress=shard_progress(bar),
            )
        else:
            manifest = write_lines(
                out,
                source,
                count,
                format=kind or "imagefolder",
                lines_per_page=lines_per_page,
                overlap=overlap,
                shard_size=shard_size,
                progress=bar.update,
            )
    click.echo(manifest)
