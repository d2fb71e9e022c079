"""Seen by eye: how many digits does a person find faulty, generated and real ones side by side, blind?

    python -m digit_generator.evaluation.by_eye sheet generator.pth --data-dir mnist --out sheets
    python -m digit_generator.evaluation.by_eye marks marks.txt --key sheets/key.json

The first command draws sheets of 400 generated and 400 real digits in random order and writes the key apart.
A person looks at the sheets without the key and writes down the places of the digits that are visibly faulty
(broken or doubled strokes, specks, filled loops, unreadable), row and column, one place a line. The second
command counts them. `--out docs/quality/by-eye.json` keeps the counts where the card finds them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation.cache import write_json
from digit_generator.evaluation.data import Digits, EvaluationError, mnist_from_folder
from digit_generator.evaluation.measures.asked_for import share_of
from digit_generator.evaluation.pictures import numbered_sheet
from digit_generator.evaluation.protocol import LEARNED_IMAGES, Against
from digit_generator.files import write_whole
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.weights import WeightsError

COLUMNS, ROWS = 20, 10
"""Of one sheet; rows are numbered from sheet to sheet."""
SOURCES = ("generated", "real")

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.argument("file", type=_FILE)
@click.option("--data-dir", type=_FOLDER, required=True, help="MNIST's four IDX files.")
@click.option("--out", type=_FOLDER, required=True, help="Gets sheet-1.png, ... and key.json.")
@click.option("--against", type=click.Choice(["test", "validation"]), default="validation", show_default=True)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=100, show_default=True, help="The first.")
@click.option("--count", type=click.IntRange(1, 400), default=40, show_default=True, help="Of each digit.")
def sheet(file: Path, data_dir: Path, out: Path, against: Against, seed: int, count: int) -> None:
    """Draw sheets of the weights' digits and real ones. Do not open key.json before you have marked them."""
    try:
        if seed + count - 1 > MAX_SEED:
            raise EvaluationError(
                f"{count} seeds from {seed} on go beyond {MAX_SEED}; name a smaller --seed."
            )
        generator = DigitGenerator.load(file)
        real = _real_digits(data_dir, against, count)
    except (EvaluationError, WeightsError) as error:
        raise Mistake(str(error)) from error
    seeds = [*range(seed, seed + count)]
    labels = np.repeat(np.arange(10), count)
    generated = Digits(generator.digits(labels.tolist(), seeds * 10), labels)
    order = _order(generated, real)
    pixels = np.concatenate([generated.pixels, real.pixels])[order]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(pixels), COLUMNS * ROWS):
            path = out / f"sheet-{start // (COLUMNS * ROWS) + 1}.png"
            part = pixels[start : start + COLUMNS * ROWS]
            write_whole(path, numbered_sheet(part, COLUMNS, start // COLUMNS + 1))
            click.echo(path)
        write_json(
            out / "key.json",
            {
                **told_of(generator),
                "against": against,
                "seeds": [seeds[0], seeds[-1]],
                "columns": COLUMNS,
                "sources": [SOURCES[which // len(labels)] for which in order.tolist()],
                "digits": labels[order % len(labels)].tolist(),
            },
        )
    except OSError as error:
        raise Mistake(f"{out} cannot be written to ({error.strerror}): name a folder with --out.") from error


@main.command()
@click.argument("marks", type=_FILE)
@click.option("--key", type=_FILE, required=True, help="The key.json that came with the sheets.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Keeps the counts, as JSON.")
def marks(marks: Path, key: Path, out: Path | None) -> None:
    """Count the digits that a person marked as faulty, among the generated and among the real ones."""
    try:
        told = _key_from_file(key)
        marked = places_from_text(_text(marks), told["columns"], len(told["digits"]))
    except EvaluationError as error:
        raise Mistake(str(error)) from error
    counted = faults(marked, told)
    click.echo("| | faulty | share (95 % confidence) | of digit " + " | ".join(map(str, range(10))) + " |")
    click.echo("| --- " * 13 + "|")
    for source, row in counted.items():
        share = f"{100 * row['share']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
        cells = " | ".join(str(count) for count in row["faulty_per_digit"])
        click.echo(f"| {source} | {row['faulty']} of {row['images']} | {share} | {cells} |")
    if out:
        names = ("weights_sha256", "finish", "choice_sha256", "against", "seeds")
        kept = {name: told[name] for name in names} | counted
        try:
            write_json(out, kept)
        except OSError as error:
            raise Mistake(f"{out} cannot be written ({error.strerror}): name another file.") from error
        click.echo(out)


def told_of(generator: DigitGenerator) -> dict[str, Any]:
    """What the digits were drawn by."""
    return {
        "weights_sha256": generator.digest,
        "finish": generator.finish_version,
        "choice_sha256": generator.choice_digest,
    }


def places_from_text(text: str, columns: int, images: int) -> list[int]:
    """Numbers of images, from lines of row and column, both from 1; empty lines and # comments are skipped.

    Raises EvaluationError if a line is no place on the sheets, or names one again.
    """
    places: list[int] = []
    rows = -(-images // columns)
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            row, column = map(int, words)
        except ValueError:
            raise EvaluationError(
                f"Line {number} of the marks is {line.strip()!r}; expected a row and a column, such as 12 7."
            ) from None
        place = (row - 1) * columns + column - 1
        if not (1 <= row <= rows and 1 <= column <= columns and place < images):
            raise EvaluationError(
                f"Line {number} of the marks names row {row}, column {column}; the sheets have rows 1 "
                f"to {rows} and columns 1 to {columns}."
            )
        if place in places:
            raise EvaluationError(
                f"Line {number} of the marks names row {row}, column {column} again; mark a digit once."
            )
        places.append(place)
    return places


def faults(marked: Sequence[int], key: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of generated and of real digits: faulty, images, share with Wilson's interval, counts per digit."""
    faulty = np.zeros(len(key["digits"]), bool)
    faulty[list(marked)] = True
    sources, digits = np.array(key["sources"]), np.array(key["digits"], np.int64)
    counted = {}
    for source in SOURCES:
        labels, wrong = digits[sources == source], faulty[sources == source]
        per_digit = np.bincount(labels[wrong], minlength=10).tolist()
        counted[source] = {
            "faulty": int(wrong.sum()),
            "faulty_per_digit": per_digit,
            **share_of(wrong, labels),
        }
    return counted


def _real_digits(data_dir: Path, against: Against, count: int) -> Digits:
    """`count` of each digit: the last of the training images, or the last of the test images."""
    if against == "test":
        real = mnist_from_folder(data_dir, "t10k")
    else:
        real = mnist_from_folder(data_dir, "train")[LEARNED_IMAGES:]
    return real[np.concatenate([np.flatnonzero(real.labels == digit)[-count:] for digit in range(10)])]


def _order(generated: Digits, real: Digits) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A random order that nobody knows beforehand and the same digits have again."""
    chance = int(generated.digest[:8], 16) ^ int(real.digest[:8], 16)
    return np.random.RandomState(chance).permutation(len(generated) + len(real)).astype(np.int64)


def _key_from_file(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(_text(path))
        if (
            len(told["sources"]) == len(told["digits"]) > 0
            and set(told["sources"]) == set(SOURCES)
            and all(type(digit) is int and 0 <= digit <= 9 for digit in told["digits"])
            and type(told["columns"]) is int
            and {"weights_sha256", "finish", "choice_sha256", "against", "seeds"} <= set(told)
        ):
            return dict(told)
    except (ValueError, KeyError, TypeError):
        pass
    raise EvaluationError(f"{path} is no key; expected the key.json that was written with the sheets.")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise EvaluationError(f"{path} cannot be read; expected a text file.") from None


if __name__ == "__main__":
    replace_unprintable()
    main(prog_name="python -m digit_generator.evaluation.by_eye")
