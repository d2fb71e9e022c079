"""Where generated digits give themselves away: the two-sample test again, with ever fewer grey levels.

python -m digit_generator.evaluation.greys generator.pth --data-dir mnist --out docs

What is taken from the generated digits is taken from the real ones as well, so that a network can only use
what is left. Prints a page in Markdown, or writes it as greys.md; takes fifteen minutes on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation.data import (
    Digits,
    EvaluationError,
    Floats,
    Pixels,
    mnist_from_folder,
    random_part,
)
from digit_generator.evaluation.measures.two_sample import two_sample_test
from digit_generator.evaluation.options import check_folders
from digit_generator.evaluation.protocol import TWO_SAMPLE
from digit_generator.evaluation.report import Source, source_from_file
from digit_generator.files import write_whole
from digit_generator.weights import WeightsError

LAST_IMAGES = 10_000
"""Of the training file: a random half is compared with, the other stands in the place of the generated."""


def as_they_are(pixels: Pixels) -> Pixels:
    return pixels


def without_faint(pixels: Pixels) -> Pixels:
    """Levels below 16 become 0, levels above 239 become 255."""
    return np.where(pixels < 16, 0, np.where(pixels > 239, 255, pixels)).astype(np.uint8)


def in_six_greys(pixels: Pixels) -> Pixels:
    """Each level becomes the nearest of 0, 51, 102, 153, 204 and 255."""
    greys: Pixels = (np.rint(pixels / 51) * 51).astype(np.uint8)
    return greys


def halved(pixels: Pixels) -> Pixels:
    """Each square of four pixels becomes its mean, so that 14x14 different ones are left."""
    small: Floats = pixels.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return np.rint(small).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)


def black_and_white(pixels: Pixels) -> Pixels:
    """Levels above 127 become 255, the others 0: the bare shapes."""
    return np.where(pixels > 127, 255, 0).astype(np.uint8)


VIEWS: dict[str, Callable[[Pixels], Pixels]] = {
    "as they are": as_they_are,
    "no level from 1 to 15 or from 240 to 254": without_faint,
    "six greys": in_six_greys,
    "half the resolution": halved,
    "black and white": black_and_white,
}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True, help="MNIST.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Gets greys.md.")
def main(file: Path, data_dir: Path, out: Path | None) -> None:
    """How often the digits of FILE are told from real ones, with ever fewer grey levels."""
    if out:
        check_folders({"--out": out})
    try:
        source = source_from_file(file)
        halves = random_part(mnist_from_folder(data_dir, "train")[-LAST_IMAGES:], LAST_IMAGES)
    except (EvaluationError, WeightsError) as error:
        raise Mistake(str(error)) from error
    stand_in, real = halves[: LAST_IMAGES // 2], halves[LAST_IMAGES // 2 :]
    sides = {"generated": source.digits(real.labels, 0)}
    if source.raw:
        sides["raw"] = source.raw.digits(real.labels, 0)
    sides["real"] = stand_in
    told: dict[str, list[float]] = {name: [] for name in VIEWS}
    with tqdm(total=len(VIEWS) * len(sides), unit="networks") as bar:
        for name, view in VIEWS.items():
            for digits in sides.values():
                told[name].append(told_from_real(digits, real, view))
                bar.update()
    page = markdown_from_shares(source, [*sides], told)
    if out is None:
        click.echo(page)
        return
    write_whole(out / "greys.md", page.encode())
    click.echo(out / "greys.md")


def markdown_from_shares(source: Source, sides: Sequence[str], told: Mapping[str, Sequence[float]]) -> str:
    """The page: for every view, how often each side was told from real digits."""
    lines = [f"| what is left | {' | '.join(sides)} |", "| --- " * (1 + len(sides)) + "|"]
    lines += [
        f"| {view} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |"
        for view, shares in told.items()
    ]
    table = "\n".join(lines)
    return f"""# What is told with ever fewer greys

How often a fresh network tells digits of {source.name} (SHA-256 `{source.digest}`, {source.counted_in}s
from 0 on) from real ones, when both sides have lost the same grey levels; 50 % is chance. They are compared
with a random half of the last {LAST_IMAGES:,} training images; `real` is the other half in the place of the
generated ones, and `raw` the network's own pixels, not finished and from every z. One network a figure,
tested on {LAST_IMAGES // 2:,} images: chance moves a figure by about 0.7 points. Made by
`python -m digit_generator.evaluation.greys generator.pth --data-dir mnist --out docs`.

{table}
"""


def told_from_real(digits: Digits, real: Digits, view: Callable[[Pixels], Pixels]) -> float:
    """The share of images that a fresh network assigns rightly when it sees both sides through `view`."""
    seen, seen_real = (Digits(view(side.pixels), side.labels) for side in (digits, real))
    accuracy: float = two_sample_test(seen, seen_real, TWO_SAMPLE)["accuracy"]
    return accuracy


if __name__ == "__main__":
    replace_unprintable()
    main()
