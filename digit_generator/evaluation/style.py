"""How true the style controls are, and how well whole numbers read: docs/style.json and docs/style.md.

python -m digit_generator.evaluation.style --data-dir mnist --out docs

The controls: for every digit and every control, digits of the same seeds are asked for a value drawn evenly
from the control's range, and measured as Morpho-MNIST does. The numbers: strips of five random digits in one
hand, and the same texts from real test digits, set by the same rules, are read by the OCR engine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation.cache import write_json
from digit_generator.evaluation.data import Digits, EvaluationError, Floats, Pixels, mnist_from_folder
from digit_generator.evaluation.networks.classifier import features_and_probabilities
from digit_generator.evaluation.networks.judges import judge
from digit_generator.evaluation.networks.ocr import ocr_texts
from digit_generator.evaluation.options import check_folders, report_options
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator
from digit_generator.number import line_from_cells, texts_from_pattern, write_number
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.shapes import measured_shapes
from digit_generator.style import UNITS, Style, StyleControls, StyleError
from digit_generator.weights import WeightsError

IMAGES = 1000
"""Of each digit for each control."""
FIRST_SEED = 2_950_000_000  # neither learned from nor looked at while the walk was made
STRIPS = 300
STRIP_DIGITS = 5

# What is set out to be reached.
MIN_CORRELATION = 0.9
MAX_DRIFT = 0.25
MIN_READ = 0.98


@click.command()
@report_options("style.json and style.md")
@click.option("--images", type=click.IntRange(10), default=IMAGES, show_default=True)
@click.option("--strips", type=click.IntRange(10), default=STRIPS, show_default=True)
def main(data_dir: Path, out: Path, weights: Path | None, images: int, strips: int) -> None:
    """Measure the style controls and the whole numbers of these weights (ten minutes)."""
    check_folders({"--out": out})
    try:
        generator = DigitGenerator.load(weights)
        controls = StyleControls.load(generator)
        real = mnist_from_folder(data_dir, "t10k")
        report = {
            "weights_sha256": generator.digest,
            "controls_sha256": controls.digest,
            "images": images,
            "first_seed": FIRST_SEED,
            "controls": controls_report(generator, controls, images),
            "strips": strips_report(generator, real, strips),
        }
    except (EvaluationError, StyleError, WeightsError) as error:
        raise Mistake(str(error)) from error
    write_json(out / "style.json", report)
    write_whole(out / "style.md", markdown_from_report(json.loads(json.dumps(report))).encode())
    click.echo(out / "style.md")


def controls_report(
    generator: DigitGenerator, controls: StyleControls, images: int, digits: Sequence[int] = range(10)
) -> list[dict[str, Any]]:
    """One row for each of the digits and each control: what was asked for against what came."""
    network = judge()
    rng = np.random.RandomState(0)
    seeds = range(FIRST_SEED, FIRST_SEED + images)
    rows: list[dict[str, Any]] = []
    with tqdm(total=4 * len(digits), unit="sets", desc="controls") as bar:
        for digit in digits:
            labels = np.full(images, digit)

            def measured(places: Floats, digit: int = digit, labels: Any = labels) -> tuple[Floats, float]:
                pixels = generator.pixels(places, labels, seeds)
                _, probabilities = features_and_probabilities(network, pixels)
                bar.update()
                return measured_shapes(pixels), float((probabilities.argmax(axis=1) == digit).mean())

            z = generator.latents(seeds, labels)
            plain, plain_read = measured(z)
            spread = plain.std(axis=0)
            for name, (low, high) in controls.ranges(digit).items():
                asked = rng.uniform(low, high, images)
                places = controls.latents(z, labels, [Style(**{name: float(v)}) for v in asked])
                styled, read = measured(places)
                k = STROKE_MEASURES.index(name)
                rows.append(
                    {
                        "digit": digit,
                        "control": name,
                        "low": low,
                        "high": high,
                        "correlation": float(np.corrcoef(asked, styled[:, k])[0, 1]),
                        "error": _root_mean_square(styled[:, k] - asked),
                        "drift": {
                            other: _root_mean_square(styled[:, j] - plain[:, j]) / float(spread[j])
                            for j, other in enumerate(STROKE_MEASURES)
                            if j != k
                        },
                        "read": read,
                        "read_without": plain_read,
                        "length_of_z": float(np.linalg.norm(places, axis=1).mean()),
                    }
                )
    return rows


def strips_report(generator: DigitGenerator, real: Digits, strips: int) -> dict[str, Any]:
    """The share of strips that are read whole, generated and real, and their difference's standard error."""
    texts = texts_from_pattern("#" * STRIP_DIGITS, strips, seed=0)
    rng = np.random.RandomState(0)
    generated: list[Pixels] = []
    joined: list[Pixels] = []
    for seed, text in enumerate(tqdm(texts, unit="strips", desc="strips")):
        generated.append(write_number(generator, text, seed).picture)
        chosen = [rng.choice(np.flatnonzero(real.labels == int(character))) for character in text]
        joined.append(line_from_cells(text, real.pixels[chosen], seed=seed).picture)
    shares = [
        float(np.mean([read == text for read, text in zip(ocr_texts(lines), texts, strict=True)]))
        for lines in (generated, joined)
    ]
    error = math.sqrt(sum(share * (1 - share) / strips for share in shares))
    return {"strips": strips, "generated": shares[0], "real": shares[1], "standard_error": error}


def markdown_from_report(report: dict[str, Any]) -> str:
    """The report as a page."""
    rows, strips = report["controls"], report["strips"]
    reads = {row["digit"]: row["read_without"] for row in rows}
    shares = {name: np.mean([r["read"] for r in rows if r["control"] == name]) for name in STROKE_MEASURES}
    plain = float(np.mean([*reads.values()]))
    apart = (
        (strips["generated"] - strips["real"]) / strips["standard_error"] if strips["standard_error"] else 0.0
    )
    return _PAGE.format(
        digest=report["weights_sha256"],
        controls=report["controls_sha256"],
        images=report["images"],
        first_seed=report["first_seed"],
        correlation=_summary([r["correlation"] for r in rows], MIN_CORRELATION, 1),
        drift=_summary([drift for r in rows for drift in r["drift"].values()], MAX_DRIFT, -1),
        read=_summary(
            [r["read"] / r["read_without"] if r["read_without"] else 0.0 for r in rows], MIN_READ, 1
        ),
        plain=_percent(plain),
        steered=", ".join(f"{_percent(share)} with {name}" for name, share in shares.items()),
        rows="\n".join(_row(row) for row in rows),
        strips=strips["strips"],
        generated=_percent(strips["generated"]),
        real=_percent(strips["real"]),
        difference=f"{100 * (strips['generated'] - strips['real']):+.1f} points",
        apart=f"{apart:+.1f}",
    )


_PAGE = f"""# Style controls and whole numbers, measured

Made by `python -m digit_generator.evaluation.style --data-dir mnist --out docs` from the weights with SHA-256
`{{digest}}` and the style controls with
`{{controls}}`.

## Controls
For every digit and control: {{images}} digits (seeds {{first_seed}} and on, none of them learned from), each
asked for a value drawn evenly from the control's range, and measured as Morpho-MNIST does
(`digit_generator/shapes.py`). *Correlation* and *error* (root mean square, in the control's unit) are of
asked against measured. *Drift* is how far the other two moved (root mean square against the same digit
without the control, in spreads of that digit). *Read* is the share that the ruler's own judge reads as the
digit asked for.

| | wanted | reached by | worst |
| --- | --- | --- | --- |
| Correlation | at least {MIN_CORRELATION} | {{correlation}} |
| Drift of the other two | at most {MAX_DRIFT} | {{drift}} |
| Read, over read without | at least {MIN_READ} | {{read}} |

Over all digits the judge reads {{plain}} without a control, {{steered}}.

| digit | control | range | correlation | error | drift of the others | read | without | length of z |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{{rows}}

## Whole numbers
{{strips}} strips of five random digits, each in one hand (seeds 0 and on), and the same texts from MNIST's
test digits, drawn at random and set by the same rules, read by the OCR engine of the ruler as lines of any
number of digits. Read whole:

| generated | real | difference | in standard errors |
| --- | --- | --- | --- |
| {{generated}} | {{real}} | {{difference}} | {{apart}} |
"""


def _summary(values: list[float], limit: float, sign: int) -> str:
    reached = sum(sign * value >= sign * limit for value in values)
    return f"{reached} of {len(values)} | {min(values, key=lambda value: sign * value):.3f}"


def _row(row: dict[str, Any]) -> str:
    drift = ", ".join(f"{name} {value:.2f}" for name, value in row["drift"].items())
    name, unit = row["control"], UNITS[row["control"]]
    cells = (
        f"{row['digit']}",
        name,
        f"{row['low']:.2f} to {row['high']:.2f} {unit}",
        f"{row['correlation']:.3f}",
        f"{row['error']:.2f}",
        drift,
        _percent(row["read"]),
        _percent(row["read_without"]),
        f"{row['length_of_z']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _root_mean_square(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    replace_unprintable()
    main(prog_name="python -m digit_generator.evaluation.style")
