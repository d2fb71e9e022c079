"""The command that writes data sets."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import click
from tqdm import tqdm

from digit_generator.cli.options import (
    Mistake,
    WholeNumber,
    drawing_options,
    generator_from_weights,
    hand_options,
    out_option,
    style_options,
    varied_hand,
)
from digit_generator.dataset import MAX_COUNT as MAX_SET
from digit_generator.dataset import SetFormat, manifest_name, write_dataset
from digit_generator.dataset.cluster import Done
from digit_generator.dataset.shards import MAX_COUNT as MAX_SHARDED
from digit_generator.dataset.shards import SHARD_SIZE, write_shards
from digit_generator.generate import MAX_SEED
from digit_generator.hand import Hand
from digit_generator.style import Style, StyleControls


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


def engine_options(items: str, most: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--engine, --address and --workers, of a set of such items; one process makes `most` of them."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option(
                "--workers",
                type=WholeNumber(1, 100_000),
                help="With Ray: how many at a time, at most.  [default: one for each core]",
            ),
            click.option(
                "--address",
                metavar="HOST:PORT",
                help="With Ray: the cluster's; --out is a folder that its machines share."
                "  [default: this machine]",
            ),
            click.option(
                "--engine",
                type=click.Choice(["process", "ray"]),
                default="process",
                show_default=True,
                help=f"This process, up to {most} {items}; or Ray, on all cores or on many machines,"
                " in many files.",
            ),
        ):
            command = option(command)
        return command

    return add


def check_engine(
    engine: str, kind: str | None, count: int, items: str, most: int, of_ray: Mapping[str, object]
) -> None:
    """Mistake for a set of `count` items of this format that the engine does not make, and for the options
    `of_ray`, by name, without Ray."""
    if engine == "ray":
        if kind not in (None, "parquet"):
            raise Mistake(f"--engine ray writes Parquet, not {kind}: leave out --format or --engine.")
        return
    if any(of_ray.values()):
        *names, last = of_ray
        raise Mistake(f"{', '.join(names)} and {last} go with --engine ray: add it, or leave them out.")
    if count > most:
        raise Mistake(f"One process makes sets of up to {most} {items}: add --engine ray for larger ones.")


def shard_progress(bar: tqdm[Any]) -> Callable[[Done], None]:
    """What moves the bar by each shard, and says which of them had to be made again."""

    def told(done: Done) -> None:
        bar.update(done.count)
        if done.mended:
            tqdm.write(f"{done.shard.name} was damaged or missing: it is made again.", sys.stderr)

    return told


@click.command()
@click.argument("count", type=WholeNumber(1, MAX_SHARDED))
@click.option(
    "--test",
    "test_count",
    type=WholeNumber(0, MAX_SHARDED),
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
@hand_options
@engine_options("digits", MAX_SET)
@click.option(
    "--shard-size",
    type=WholeNumber(1, MAX_SHARDED),
    help=f"With Ray: digits in a file.  [default: {SHARD_SIZE}]",
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
    neat: int,
    thickness: float | None,
    slant: float | None,
    width: float | None,
    hand: Hand | None,
    variation: float | None,
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
      python -m digit_generator dataset 1000 --hand my.hand
          digit-set: a thousand digits in one person's hand
      python -m digit_generator dataset 10000000 --engine ray
          digit-set/train-00000-of-00100.parquet and so on; stopped, it goes on when called again
    """
    of_ray = {"--address": address, "--workers": workers, "--shard-size": shard_size}
    check_engine(engine, kind, count + test_count, "digits", MAX_SET, of_ray)
    hand = varied_hand(hand, variation)
    generator = generator_from_weights(weights, raw=raw, every_z=every_z, neat=neat, hand=hand)
    style = Style(thickness, slant, width)
    controls = StyleControls.load(generator) if style.asked else None

    with tqdm(total=count + test_count, unit="digit", unit_scale=True, desc=str(out), delay=0.5) as bar:
        style_asked = style if style.asked else None
        if engine == "ray":
            manifest = write_shards(
                out,
                generator,
                count,
                test_count=test_count,
                shares=shares,
                seed=seed,
                style=style_asked,
                controls=controls,
                shard_size=shard_size or SHARD_SIZE,
                address=address,
                workers=workers,
                progress=shard_progress(bar),
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
    for name in [*manifest["files"], manifest_name(manifest["format"])]:
        click.echo(out / name)
