"""Taking greys away hides from the two-sample test what is in the greys, and nothing else."""

import numpy as np
import pytest
from click.testing import CliRunner

from digit_generator.evaluation import greys
from digit_generator.evaluation.greys import VIEWS

LEVELS = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("as they are", set(range(256))),
        ("no level from 1 to 15 or from 240 to 254", {0, *range(16, 240), 255}),
        ("six greys", {0, 51, 102, 153, 204, 255}),
        ("black and white", {0, 255}),
    ],
)
def test_the_levels_that_are_left(name, levels):
    seen = VIEWS[name](LEVELS)
    assert set(seen.tolist()) == levels
    assert (np.diff(seen.astype(int)) >= 0).all(), "darker must not become lighter"
    assert seen.dtype == np.uint8


def test_half_the_resolution_keeps_each_squares_mean():
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[0, 4:6, 10:12] = [[0, 100], [200, 255]]
    seen = VIEWS["half the resolution"](pixels)
    assert (seen[0, 4:6, 10:12] == 139).all()  # 138.75
    assert seen.sum() == 4 * 139


def test_six_greys_are_the_nearest():
    off = np.abs(VIEWS["six greys"](LEVELS).astype(int) - LEVELS)
    assert off.max() == 25


def test_the_page_has_a_line_for_every_view_and_a_column_for_raw(
    weights_file, generator, draw, tmp_path, monkeypatch
):
    real = draw(40, 1)
    monkeypatch.setattr(greys, "LAST_IMAGES", 40)
    monkeypatch.setattr(greys, "mnist_from_folder", lambda folder, part: real)
    seen = []
    monkeypatch.setattr(
        greys, "told_from_real", lambda digits, *_: seen.append(digits) or [0.6, 0.99, 0.5][len(seen) % 3 - 1]
    )
    arguments = [weights_file, "--data-dir", tmp_path, "--out", tmp_path / "docs"]
    result = CliRunner().invoke(greys.main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "docs" / "greys.md").read_text()
    assert "| what is left | generated | raw | real |" in page
    assert all(f"| {view} | 60.0 % | 99.0 % | 50.0 % |" in page for view in VIEWS)
    assert generator.digest in page
    fake, raw, _ = seen[:3]
    assert (fake.pixels == generator.digits(fake.labels, range(20))).all()
    assert (raw.pixels == generator.variant(raw=True).digits(raw.labels, range(20))).all()
