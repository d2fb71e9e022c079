import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from digit_generator import DigitGenerator
from digit_generator.evaluation.data import Digits
from digit_generator.evaluation.networks.ocr import ocr_texts
from digit_generator.evaluation.style import controls_report, markdown_from_report, strips_report
from digit_generator.number import line_from_cells
from digit_generator.style import StyleControls
from digit_generator.weights import digest_of_file, find_weights

DOCS = Path(__file__).parents[2] / "docs"


def test_lines_of_any_length_are_read(draw):
    digits = draw(30, 8)
    lines, texts = [], []
    for start, end in pairwise((0, 1, 3, 6, 10, 15, 21, 28)):
        texts.append("".join(map(str, digits.labels[start:end])))
        lines.append(line_from_cells(texts[-1], digits.pixels[start:end], seed=0).picture)
    read = ocr_texts(lines)
    assert sum(one == other for one, other in zip(read, texts, strict=True)) >= 5
    assert ocr_texts([np.zeros((30, 60), np.uint8)]) == [""]


@pytest.fixture(scope="module")
def report(draw):
    """A small one, with drawn digits in the place of the real ones."""
    generator = DigitGenerator.load()
    controls = StyleControls.load(generator)
    digits = draw(200, 3)
    return {
        "weights_sha256": generator.digest,
        "controls_sha256": "1" * 64,
        "images": 6,
        "first_seed": 2_000_000_000,
        "controls": controls_report(generator, controls, 6, digits=(3, 7)),
        "strips": strips_report(generator, Digits(digits.pixels, digits.labels), 6),
    }


def test_the_report_has_a_row_for_every_digit_and_control(report):
    assert [(row["digit"], row["control"]) for row in report["controls"]] == [
        (digit, control) for digit in (3, 7) for control in ("thickness", "slant", "width")
    ]
    assert all(
        set(row["drift"]) | {row["control"]} == {"thickness", "slant", "width"} for row in report["controls"]
    )
    assert np.median([row["correlation"] for row in report["controls"]]) > 0.9


def test_the_page_says_how_many_reach_what_is_wanted(report):
    page = markdown_from_report(report)
    assert page.count("\n| 7 | slant |") == 1
    reached = sum(row["correlation"] >= 0.9 for row in report["controls"])
    worst = min(row["correlation"] for row in report["controls"])
    assert f"| Correlation | at least 0.9 | {reached} of 6 | {worst:.3f} |" in page
    reached = sum(drift <= 0.25 for row in report["controls"] for drift in row["drift"].values())
    worst = max(drift for row in report["controls"] for drift in row["drift"].values())
    assert f"| Drift of the other two | at most 0.25 | {reached} of 12 | {worst:.3f} |" in page


def test_the_difference_of_the_strips_is_told_in_standard_errors(report):
    strips = {"strips": 300, "generated": 0.9, "real": 0.8, "standard_error": 0.05}
    assert "| 90.0 % | 80.0 % | +10.0 points | +2.0 |" in markdown_from_report({**report, "strips": strips})


def test_the_published_report_is_of_the_weights_and_the_controls_that_ship():
    published = json.loads((DOCS / "style.json").read_text())
    controls = StyleControls.load(DigitGenerator.load())
    assert (published["weights_sha256"], published["controls_sha256"]) == (
        digest_of_file(find_weights()),
        controls.digest,
    ), (
        "python -m digit_generator style learn && "
        "python -m digit_generator.evaluation.style --data-dir mnist --out docs"
    )
    assert (DOCS / "style.md").read_text() == markdown_from_report(published)
