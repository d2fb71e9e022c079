"""The measures of hands: pairs, bound, area, the network that tells writers apart, tables of writers."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from digit_generator import DigitGenerator
from digit_generator.evaluation import writers as tables
from digit_generator.evaluation.data import Digits, EvaluationError
from digit_generator.evaluation.hands import (
    Ruler,
    again_report,
    area_under_curve,
    hands_report,
    likeness_of_shapes,
    markdown_from_report,
    pairs_of_rows,
    real_pairs,
    sheet_of_hands,
)
from digit_generator.evaluation.networks.writers import learned_network, likeness, places_of
from digit_generator.hand import hand_from_digits
from digit_generator.shapes import estimated_shapes

DOCS = Path(__file__).parents[2] / "docs"


def strokes(count: int, seed: int) -> tuple[Digits, np.ndarray]:
    """Upright bars of ten lengths, one for each digit; a writer's are all thin or all thick."""
    rng = np.random.RandomState(seed)
    labels, writers = rng.randint(0, 10, count), rng.randint(0, 12, count)
    pixels = np.zeros((count, 28, 28), np.uint8)
    for image, label, writer in zip(pixels, labels, writers, strict=True):
        left = rng.randint(4, 14)
        image[4 : 14 + label, left : left + 2 + writer] = rng.randint(200, 256)
    return Digits(pixels, labels.astype(np.int64)), writers.astype(np.int64)


def test_area_is_how_often_one_is_above_the_other() -> None:
    assert area_under_curve(np.array([2.0, 4.0]), np.array([1.0, 3.0])) == 0.75
    assert area_under_curve(np.array([1.0]), np.array([1.0])) == 0.5
    scores = np.random.RandomState(0).standard_normal(500)
    assert area_under_curve(scores + 9, scores) == 1.0
    assert area_under_curve(scores, scores + 9) == 0.0


def test_real_pairs_are_of_different_digits_and_of_the_writers_that_they_say() -> None:
    digits, writers = strokes(400, 0)
    pixels = digits.pixels.copy()
    pixels[:, 0, 0], pixels[:, 0, 1] = writers, np.arange(400) % 256
    a, b, one = real_pairs(Digits(pixels, digits.labels), writers, 100)
    assert (a.labels != b.labels).all()
    np.testing.assert_array_equal(a.pixels[:, 0, 0] == b.pixels[:, 0, 0], one)
    assert one.mean() == 0.5


def test_the_bound_is_where_both_kinds_are_right_equally_often() -> None:
    digits, writers = strokes(600, 1)
    pairs = real_pairs(digits, writers, 400)
    ruler = Ruler(likeness_of_shapes(digits), pairs)
    scores, one = ruler.alike(*pairs[:2]), pairs[2]
    assert abs((scores[one] > ruler.bound).mean() - (scores[~one] <= ruler.bound).mean()) < 0.02
    report = hands_report(
        {"shapes": ruler},
        {
            "real, one writer": (pairs[0][one], pairs[1][one]),
            "real, two writers": (pairs[0][~one], pairs[1][~one]),
        },
    )
    assert report["shapes"]["real, two writers"]["area"] == pytest.approx(0.5)
    assert report["shapes"]["real, one writer"]["area"] > 0.75


def test_a_network_learns_to_tell_writers_apart() -> None:
    digits, writers = strokes(3000, 2)
    network = learned_network(digits, writers, steps=30)
    a, b, one = real_pairs(*strokes(600, 3), 400)
    alike = likeness(places_of(network, a), places_of(network, b))
    assert area_under_curve(alike[one], alike[~one]) > 0.75
    np.testing.assert_allclose(np.linalg.norm(places_of(network, a), axis=1), 1, rtol=1e-5)


def test_the_report_of_a_few_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digit_generator.evaluation.hands.HANDS", 8)
    monkeypatch.setattr("digit_generator.evaluation.hands.READ", 2)
    generator = DigitGenerator.load()
    labels = np.tile(np.arange(10), 6).astype(np.int64)
    real = Digits(generator.digits(labels, range(60)), labels)
    writers = np.repeat(np.arange(3), 20)
    found = [hand_from_digits(generator, real.pixels[i : i + 1], real.labels[i : i + 1]) for i in range(3)]
    again = again_report(generator, real[:3], found)
    # What the network drew itself it draws again.
    assert again["squared_error"] < 0.02
    assert again["too_far"] == 0
    rows = pairs_of_rows(generator, real, writers, found)
    for a, b in rows.values():
        assert (a.labels != b.labels).all()
    ruler = Ruler(likeness_of_shapes(real), real_pairs(real, writers, 60))
    report = {
        "weights_sha256": generator.digest,
        "digits": 3,
        "again": again,
        "hands": hands_report({"network": ruler, "shapes": ruler}, rows),
    }
    assert report["hands"]["network"]["one z"]["pairs"] == 8
    page = markdown_from_report(report)
    assert "| a real digit, our hand of it | 3 |" in page
    assert sheet_of_hands(generator, real[:3], found).startswith(b"\x89PNG")
    # One z has one thickness: its digits are nearer to each other than those of two.
    one, _ = (estimated_shapes(digits.pixels / 255)[0] for digits in rows["one z"])
    assert np.isfinite(one).all()


def test_tables_of_writers_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "qmnist-test-labels-idx2-int.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(EvaluationError, match="cannot be read"):
        tables.writers_from_folder(tmp_path, "test")
    path.write_bytes(gzip.compress(b"another table"))
    with pytest.raises(EvaluationError, match="is not QMNIST's table"):
        tables.writers_from_folder(tmp_path, "test")
    path.unlink()
    monkeypatch.setattr(tables, "SOURCE", (tmp_path / "mirror").as_uri() + "/")
    with pytest.raises(EvaluationError, match="could not be downloaded"):
        tables.writers_from_folder(tmp_path, "test")
    # From a mirror, checked: rows of 8 whole numbers after a head of 12 bytes.
    rows = np.zeros((10_050, 8), ">i4")
    rows[:, 2] = np.arange(10_050)
    data = bytes(12) + rows.tobytes()
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / path.name).write_bytes(gzip.compress(data))
    name = path.name.removesuffix(".gz")
    monkeypatch.setitem(tables.TABLE_SHA256, name, hashlib.sha256(data).hexdigest())
    np.testing.assert_array_equal(tables.writers_from_folder(tmp_path, "test"), np.arange(10_000))
    assert path.exists()


def test_the_published_page_is_what_the_command_writes() -> None:
    published = json.loads((DOCS / "hands.json").read_text())
    assert (DOCS / "hands.md").read_text() == markdown_from_report(published)
