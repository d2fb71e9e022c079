"""Whether a reader of handwritten lines learns from generated ones: docs/lines.json and the table in
docs/lines.md.

python -m digit_generator.evaluation.lines --data-dir mnist --out docs

The same small reader (networks/reader.py) is trained on generated lines alone, on lines put together from
MNIST's training digits, and on both: several times each, from other first weights, for the same number of
steps. All lines are set by the same rules (number.line_from_cells) from digit strings drawn in the same way.
Each reader reads lines put together from MNIST's test digits, and amounts that people wrote on cheques
(amounts.py). None has seen any of these.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from tqdm import tqdm

from digit_generator.bulk import BulkGenerator
from digit_generator.cli.lines import Range
from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation.amounts import amounts_from_folder
from digit_generator.evaluation.cache import write_json
from digit_generator.evaluation.data import Digits, EvaluationError, Lines, mnist_from_folder
from digit_generator.evaluation.networks.ocr import ocr_texts
from digit_generator.evaluation.networks.reader import texts_of_reader, trained_reader
from digit_generator.evaluation.options import check_folders, report_options
from digit_generator.evaluation.protocol import LINE_READER, LineTraining
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator
from digit_generator.lines.looks import Look, LookError, Value
from digit_generator.number import Layout, line_from_cells, lines_in_order
from digit_generator.weights import WeightsError

TRAINING_LINES = 10_000
"""Generated, and as many put together from MNIST's training digits."""
TEST_LINES = 5000
READERS = 3
"""For each kind of lines, from different first weights: their spread says what a difference means."""
OCR_LINES = 200
SHORTEST, LONGEST = 3, 5  # digits of a line
ONE_HAND = 10
"""One generated line in so many is in one hand; in the others each digit has a hand of its own, as in the
lines put together from MNIST's."""
FIRST_SEED = 2_800_000_000  # of generated lines and their digits

_BLOCK = re.compile(r"(<!-- reader:begin -->\n).*?(<!-- reader:end -->)", re.DOTALL)


@click.command()
@report_options("lines.json, and the table in its lines.md, if that is there")
@click.option("--lines", type=click.IntRange(100), default=TRAINING_LINES, show_default=True)
@click.option("--test-lines", type=click.IntRange(100), default=TEST_LINES, show_default=True)
@click.option("--steps", type=click.IntRange(10), default=LINE_READER.steps, show_default=True)
@click.option("--readers", type=click.IntRange(1, 100), default=READERS, show_default=True)
@click.option("--amounts/--no-amounts", default=True, help="Read amounts on cheques too, a download of 3 MB.")
@click.option(
    "--gap",
    type=Range(),
    metavar="NUMBER",
    help="Of the lines that are learned from, as in the command `lines`.  [default: apart]",
)
def main(
    data_dir: Path,
    out: Path,
    weights: Path | None,
    lines: int,
    test_lines: int,
    steps: int,
    readers: int,
    amounts: bool,
    gap: Value | None,
) -> None:
    """Train readers on generated, real and both kinds of lines, and read real ones (15 minutes, one core)."""
    torch.set_num_threads(1)
    check_folders({"--out": out})
    try:
        layout = Layout(gap=Look(gap=gap).gap_range)
        generator = DigitGenerator.load(weights)
        train, test = mnist_from_folder(data_dir, "train"), mnist_from_folder(data_dir, "t10k")
        unseen = {"mnist": lines_from_digits(test, test_lines, seed=3)}
        if amounts:
            unseen["amounts"] = amounts_from_folder(data_dir)
    except (EvaluationError, LookError, WeightsError) as error:
        raise Mistake(str(error)) from error
    generated = generated_lines(generator, lines, seed=1, layout=layout)
    real = lines_from_digits(train, lines, seed=2, layout=layout)
    both = Lines(generated.pictures + real.pictures, generated.texts + real.texts)
    setting = LINE_READER._replace(steps=steps)
    report: dict[str, Any] = {
        "weights_sha256": generator.digest,
        "choice_sha256": generator.choice_digest,
        "lines": lines,
        "gap": layout.gap,
        "test_lines": {name: len(some.texts) for name, some in unseen.items()},
        "steps": steps,
        "batch": setting.batch,
        "readers": {
            name: [
                reader_errors(some, unseen, setting._replace(seed=setting.seed + number))
                for number in range(readers)
            ]
            for name, some in (("generated", generated), ("real", real), ("both", both))
        },
        "ocr_lines": OCR_LINES,
        "ocr": {
            name: errors(ocr_texts(some.pictures[:OCR_LINES]), some.texts[:OCR_LINES])
            for name, some in (("generated", generated), *unseen.items())
        },
    }
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


def lines_from_digits(digits: Digits, count: int, seed: int, layout: Layout | None = None) -> Lines:
    """Lines put together from these digits, each drawn at random among those of its kind."""
    rng = np.random.RandomState(seed)
    texts = random_texts(count, rng)
    of_digit = [np.flatnonzero(digits.labels == digit) for digit in range(10)]
    pictures = []
    for number, text in enumerate(tqdm(texts, unit="lines", desc="real lines")):
        cells = digits.pixels[[rng.choice(of_digit[int(character)]) for character in text]]
        pictures.append(line_from_cells(text, cells, seed=number, layout=layout).picture)
    return Lines(pictures, texts)


def generated_lines(generator: DigitGenerator, count: int, seed: int, layout: Layout | None = None) -> Lines:
    """Lines of generated digits, one in ten in one hand."""
    texts = random_texts(count, np.random.RandomState(seed))
    bulk, drawn = BulkGenerator(generator), FIRST_SEED
    one_hand = range(0, count, ONE_HAND)
    own = [FIRST_SEED + i for i in one_hand]
    hands = lines_in_order(generator, [texts[i] for i in one_hand], own, layout=layout)
    pictures = []
    for number, text in enumerate(tqdm(texts, unit="lines", desc="generated lines")):
        if number in one_hand:
            pictures.append(next(hands).picture)
            continue
        labels = np.array([int(character) for character in text])
        cells = bulk.digits(labels, range(drawn, drawn + len(text)))
        drawn += len(text)
        pictures.append(line_from_cells(text, cells, seed=number, layout=layout).picture)
    return Lines(pictures, texts)


def reader_errors(
    lines: Lines, unseen: Mapping[str, Lines], setting: LineTraining
) -> dict[str, dict[str, float]]:
    """`errors` of a reader that has learned from `lines`, on each kind of the `unseen`."""
    training = trained_reader(lines.pictures, lines.texts, setting)
    *_, (_, reader) = tqdm(training, total=setting.steps, unit="steps", desc="reader")
    return {name: errors(texts_of_reader(reader, some.pictures), some.texts) for name, some in unseen.items()}


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
    """The report as a table, with what was measured and from what."""
    names = {
        "generated": f"{report['lines']:,} generated lines, no real one",
        "real": f"{report['lines']:,} lines of MNIST's training digits",
        "both": f"both, {2 * report['lines']:,} lines",
    }
    columns = {
        ("mnist", "character"): "characters read wrong",
        ("mnist", "line"): "lines read wrong",
        ("amounts", "character"): "characters of amounts",
        ("amounts", "line"): "amounts read wrong",
    }
    columns = {kind: words for kind, words in columns.items() if kind[0] in report["test_lines"]}
    rows = [
        f"| {words} | " + " | ".join(_cell(report["readers"][name], *kind) for kind in columns) + " |"
        for name, words in names.items()
    ]
    tests, readers = report["test_lines"], len(report["readers"]["both"])
    read = f"{tests['mnist']:,} lines of MNIST's test digits"
    wrong = {name: f"{100 * share['character']:.1f} %" for name, share in report["ocr"].items()}
    by_ocr = f"{wrong['generated']} of the characters of {report['ocr_lines']} generated lines wrong"
    by_ocr += f", and {wrong['mnist']} of as many of MNIST's"
    if "amounts" in tests:
        read += f" and {tests['amounts']:,} amounts on cheques"
        by_ocr += f", and {wrong['amounts']} of as many amounts"
    apart = ""
    if gap := report.get("gap"):
        apart = f" In the lines learned from, neighbours are {gap[0]:g} to {gap[1]:g} pixels apart (`--gap`)."
    behind = "One reader is behind each figure."
    if readers > 1:
        behind = f'{readers} readers are behind each figure; "±" is their standard deviation.'
    return "\n".join(
        [
            f"| the reader has learned from | {' | '.join(columns.values())} |",
            "|---" * (1 + len(columns)) + "|",
            *rows,
            "",
            f"Read: {read}, which no reader has seen. Each took {report['steps']:,} steps of "
            f"{report['batch']} lines.{apart} {behind} PP-OCR, which never saw this project, "
            f"reads {by_ocr}. Weights: SHA-256 `{report['weights_sha256'][:16]}`.",
        ]
    )


def _cell(readers: Sequence[Mapping[str, Mapping[str, float]]], kind: str, share: str) -> str:
    """The mean of the readers and, of several, their standard deviation."""
    shares = [100 * reader[kind][share] for reader in readers]
    spread = f" ± {statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{statistics.mean(shares):.2f}{spread} %"


if __name__ == "__main__":
    replace_unprintable()
    main(prog_name="python -m digit_generator.evaluation.lines")
