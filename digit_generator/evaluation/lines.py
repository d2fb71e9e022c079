"""Whether a reader of handwritten lines learns from generated ones: docs/lines.json and the table in
docs/lines.md.

python -m digit_generator.evaluation.lines --data-dir mnist --out docs

The same small reader (networks/reader.py) is trained three times, for the same number of steps: on generated
lines alone, on lines put together from MNIST's training digits, and on both. All lines are set by the same
rules (number.line_from_cells) from digit strings drawn in the same way. Each reader reads lines put together
from MNIST's test digits, which none of them has seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from tqdm import tqdm

from digit_generator.bulk import BulkGenerator
from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation.cache import write_json
from digit_generator.evaluation.data import Digits, EvaluationError, Pixels, mnist_from_folder
from digit_generator.evaluation.networks.ocr import ocr_texts
from digit_generator.evaluation.networks.reader import texts_of_reader, trained_reader
from digit_generator.evaluation.protocol import LINE_READER, LineTraining
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator
from digit_generator.number import line_from_cells, lines_in_order
from digit_generator.weights import WeightsError

TRAINING_LINES = 2500
"""Generated, and as many put together from MNIST's training digits."""
TEST_LINES = 1200
OCR_LINES = 200
SHORTEST, LONGEST = 3, 5  # digits of a line
ONE_HAND = 10
"""One generated line in so many is in one hand; in the others each digit has a hand of its own, as in the
lines put together from MNIST's."""
FIRST_SEED = 2_800_000_000  # of generated lines and their digits

_BLOCK = re.compile(r"(<!-- reader:begin -->\n).*?(<!-- reader:end -->)", re.DOTALL)


class Lines(NamedTuple):
    """Pictures, uint8 [H, W] each, and what they read."""

    pictures: list[Pixels]
    texts: list[str]


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True, help="MNIST.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Gets lines.json, and the table in its lines.md, if that is there.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="A generator.pth.")
@click.option("--lines", type=click.IntRange(100), default=TRAINING_LINES, show_default=True)
@click.option("--test-lines", type=click.IntRange(100), default=TEST_LINES, show_default=True)
@click.option("--steps", type=click.IntRange(10), default=LINE_READER.steps, show_default=True)
def main(data_dir: Path, out: Path, weights: Path | None, lines: int, test_lines: int, steps: int) -> None:
    """Train the reader on generated, real and both kinds of lines, and read real ones (ten minutes)."""
    torch.set_num_threads(1)
    try:
        generator = DigitGenerator.load(weights)
        train, test = mnist_from_folder(data_dir, "train"), mnist_from_folder(data_dir, "t10k")
    except (EvaluationError, WeightsError) as error:
        raise Mistake(str(error)) from error
    generated = generated_lines(generator, lines, seed=1)
    real = lines_from_digits(train, lines, seed=2)
    unseen = lines_from_digits(test, test_lines, seed=3)
    setting = LINE_READER._replace(steps=steps)
    report: dict[str, Any] = {
        "weights_sha256": generator.digest,
        "choice_sha256": generator.choice_digest,
        "lines": lines,
        "test_lines": test_lines,
        "steps": steps,
        "batch": setting.batch,
        "readers": {
            "generated": reader_errors(generated, unseen, setting),
            "real": reader_errors(real, unseen, setting),
            "both": reader_errors(
                Lines(generated.pictures + real.pictures, generated.texts + real.texts), unseen, setting
            ),
        },
        "ocr_lines": OCR_LINES,
        "ocr": {
            name: errors(ocr_texts(some.pictures[:OCR_LINES]), some.texts[:OCR_LINES])
            for name, some in (("generated", generated), ("real", unseen))
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "lines.json", report)
    click.echo(out / "lines.json")
    page = out / "lines.md"
    if page.is_file():
        text = page_with_table(page.read_text(encoding="utf-8"), report)
        write_whole(page, text.encode())
        click.echo(page)


def random_texts(count: int, rng: np.random.RandomState) -> list[str]:
    """Strings of 3 to 5 digits, all equally often."""
    lengths = rng.randint(SHORTEST, LONGEST + 1, count)
    return ["".join(map(str, rng.randint(0, 10, length))) for length in lengths]


def lines_from_digits(digits: Digits, count: int, seed: int) -> Lines:
    """Lines put together from these digits, each drawn at random among those of its kind."""
    rng = np.random.RandomState(seed)
    texts = random_texts(count, rng)
    of_digit = [np.flatnonzero(digits.labels == digit) for digit in range(10)]
    pictures = []
    for number, text in enumerate(tqdm(texts, unit="lines", desc="real lines")):
        cells = digits.pixels[[rng.choice(of_digit[int(character)]) for character in text]]
        pictures.append(line_from_cells(text, cells, seed=number).picture)
    return Lines(pictures, texts)


def generated_lines(generator: DigitGenerator, count: int, seed: int) -> Lines:
    """Lines of generated digits, one in ten in one hand."""
    texts = random_texts(count, np.random.RandomState(seed))
    bulk, drawn = BulkGenerator(generator), FIRST_SEED
    one_hand = range(0, count, ONE_HAND)
    hands = lines_in_order(generator, [texts[i] for i in one_hand], [FIRST_SEED + i for i in one_hand])
    pictures = []
    for number, text in enumerate(tqdm(texts, unit="lines", desc="generated lines")):
        if number in one_hand:
            pictures.append(next(hands).picture)
            continue
        labels = np.array([int(character) for character in text])
        cells = bulk.digits(labels, range(drawn, drawn + len(text)))
        drawn += len(text)
        pictures.append(line_from_cells(text, cells, seed=number).picture)
    return Lines(pictures, texts)


def reader_errors(lines: Lines, unseen: Lines, setting: LineTraining) -> dict[str, float]:
    """`errors` of a reader that has learned from `lines`, on the `unseen`."""
    training = trained_reader(lines.pictures, lines.texts, setting)
    *_, (_, reader) = tqdm(training, total=setting.steps, unit="steps", desc="reader")
    return errors(texts_of_reader(reader, unseen.pictures), unseen.texts)


def errors(read: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Shares, 0 to 1: of characters (edits over characters) and of lines that are not read whole."""
    edits = sum(edit_distance(a, b) for a, b in zip(read, texts, strict=True))
    return {
        "character": edits / sum(map(len, texts)),
        "line": sum(a != b for a, b in zip(read, texts, strict=True)) / len(texts),
    }


def edit_distance(a: str, b: str) -> int:
    """The least number of characters to insert, delete or replace that makes b of a (Levenshtein 1966)."""
    row: list[int] = [*range(len(b) + 1)]
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def page_with_table(page: str, report: dict[str, Any]) -> str:
    """The page with the report's table in its block. EvaluationError without a block."""
    if not _BLOCK.search(page):
        raise EvaluationError("lines.md has no <!-- reader:begin --> and <!-- reader:end -->.")
    return _BLOCK.sub(lambda block: f"{block[1]}{table_from_report(report)}\n{block[2]}", page)


def table_from_report(report: dict[str, Any]) -> str:
    """The report as tables, with what was measured and from what."""
    names = {
        "generated": f"{report['lines']:,} generated lines, no real one",
        "real": f"{report['lines']:,} lines of MNIST's training digits",
        "both": f"both, {2 * report['lines']:,} lines",
    }
    rows = [
        f"| {words} | {_cell(report['readers'][name], 'character', report)} "
        f"| {_cell(report['readers'][name], 'line', report)} |"
        for name, words in names.items()
    ]
    ocr = report["ocr"]
    return "\n".join(
        [
            "| the reader has learned from | characters read wrong | lines read wrong |",
            "|---|---|---|",
            *rows,
            "",
            f"Read: {report['test_lines']:,} lines of MNIST's test digits, which no reader has seen. Each "
            f"took {report['steps']:,} steps of {report['batch']} lines. PP-OCR, which never saw this "
            f"project, reads {100 * ocr['generated']['character']:.1f} % of the characters of "
            f"{report['ocr_lines']} generated lines wrong, and "
            f"{100 * ocr['real']['character']:.1f} % of as many real ones. "
            f"Weights: SHA-256 `{report['weights_sha256'][:16]}`.",
        ]
    )


def _cell(measured: dict[str, float], name: str, report: dict[str, Any]) -> str:
    share = measured[name]
    if name == "character":
        return f"{100 * share:.2f} %"
    return f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / report['test_lines']):.1f} %"


if __name__ == "__main__":
    replace_unprintable()
    main(prog_name="python -m digit_generator.evaluation.lines")
