"""The fast path draws what the exact one draws, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digit_generator import DigitGenerator, latents_from_seeds
from digit_generator.bulk import _UNSURE, BulkGenerator
from digit_generator.weights import arrays_from_file

ROOT = Path(__file__).parents[1]
COUNT = 3000


@pytest.fixture(params=["random weights", "generator.pth"])
def drawn_by(request: pytest.FixtureRequest, generator: DigitGenerator) -> DigitGenerator:
    return generator if request.param == "random weights" else DigitGenerator.load(ROOT / request.param)


def test_bytes_are_those_of_the_exact_way(drawn_by: DigitGenerator) -> None:
    labels, seeds = np.arange(COUNT) % 10, range(50_000, 50_000 + COUNT)
    for drawn in (drawn_by, drawn_by.variant(raw=True)):
        pixels = BulkGenerator(drawn).pixels(latents_from_seeds(seeds), labels, seeds)
        every = drawn.variant(raw=drawn.raw, every_z=True)
        np.testing.assert_array_equal(pixels, every.digits(labels, seeds))
        np.testing.assert_array_equal(BulkGenerator(every).digits(labels, seeds), pixels)


def test_float32_alone_would_not_do(generator: DigitGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above could not fail: without the second look some pixels are one grey off."""
    monkeypatch.setattr(BulkGenerator, "_mend", lambda *_: None)
    labels, seeds = np.arange(COUNT) % 10, range(50_000, 50_000 + COUNT)
    raw = generator.variant(raw=True)
    pixels = BulkGenerator(raw).pixels(latents_from_seeds(seeds), labels, seeds)
    wrong = pixels != raw.digits(labels, seeds)
    assert 0 < wrong.any(axis=(1, 2)).mean() < 0.2


def test_the_margin_covers_the_error_of_float32(drawn_by: DigitGenerator) -> None:
    """On images that it was not measured on, with room to spare."""
    bulk = BulkGenerator(drawn_by)
    z, labels = latents_from_seeds(range(10_000, 10_512)), np.arange(512) % 10
    exact = (drawn_by.images(z, labels).reshape(-1, 784) + 1) * 127.5
    buffers = bulk._buffers()
    greys, lengths = bulk._greys(bulk._hidden(z, labels, buffers), buffers)
    slope = exact * (255 - exact) / 127.5
    margin = bulk._margin * lengths[:, None] * bulk._lengths
    assert (np.abs(greys - exact) <= 0.9 * margin * slope + 3e-5).all()


def test_float32_scores_are_far_nearer_than_what_is_unsure() -> None:
    exact = DigitGenerator.load(ROOT / "generator.pth")
    assert exact.choice is not None
    bulk = BulkGenerator(exact)
    z, labels = latents_from_seeds(range(10_000, 10_512)), np.arange(512) % 10
    scores = exact.choice.scores(exact.hidden(z, exact.label_emb[labels]), labels)
    near = exact.choice.scores(bulk._hidden(z, labels, bulk._buffers()), labels)
    assert 0 < np.abs(near - scores).max() < _UNSURE / 10


@pytest.mark.parametrize("count", [0, 1, 511, 513])
def test_any_number_of_images(generator: DigitGenerator, count: int) -> None:
    pixels = BulkGenerator(generator).digits(np.full(count, 7), range(count))
    np.testing.assert_array_equal(pixels, generator.digits(7, range(count)))


def test_what_is_no_z_or_label_is_refused(generator: DigitGenerator) -> None:
    bulk = BulkGenerator(generator)
    with pytest.raises(ValueError, match="expected finite numbers of shape"):
        bulk.pixels(np.full((1, 100), np.nan), np.array([1]), [0])
    with pytest.raises(ValueError, match="is not a whole number from 0 to 9"):
        bulk.pixels(np.zeros((1, 100)), np.array([10]), [0])


def test_pictures_of_nothing_but_black_and_white(generator: DigitGenerator) -> None:
    """Where tanh flattens everything there is no error to measure, and none to mend."""
    assert generator.path is not None
    arrays = arrays_from_file(generator.path)
    arrays["model.9.weight"] = arrays["model.9.weight"] * 0
    arrays["model.9.bias"] = np.where(np.arange(784) % 2, 100.0, -100.0)
    extreme = DigitGenerator(arrays).variant(raw=True)
    pixels = BulkGenerator(extreme).digits(np.array([1, 2, 3]), range(3))
    np.testing.assert_array_equal(pixels, extreme.digits([1, 2, 3], range(3)))
