"""Stand-in digits are legible, varied, always the same for a seed, and asked for like the model's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from digit_generator.placeholder import PlaceholderGenerator

DIGITS = np.repeat(np.arange(10), 60)
SEEDS = np.tile(np.arange(60), 10)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """60 of each digit, uint8 [600, 28, 28]."""
    return PlaceholderGenerator().digits(DIGITS, SEEDS)


def test_they_are_bright_strokes_on_black_inside_the_frame(pixels: np.ndarray) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.shape == (600, 28, 28)
    assert (pixels.max(axis=(1, 2)) == 255).all()
    ink = pixels.mean(axis=(1, 2)) / 255
    assert 0.03 < ink.min() < ink.max() < 0.35
    edge = np.ones((28, 28), bool)
    edge[1:-1, 1:-1] = False
    assert (pixels[:, edge] == 0).all()


def test_they_are_legible(pixels: np.ndarray) -> None:
    """Told apart by nothing more than the nearest mean of 30 others of each digit."""
    images = pixels.reshape(10, 60, 784).astype(float)
    means = images[:, :30].mean(axis=1)
    distances = ((images[:, 30:, None] - means) ** 2).sum(axis=-1)  # [10, 30, 10]
    assert (distances.argmin(axis=-1) == np.arange(10)[:, None]).mean() > 0.95


def test_they_are_varied(pixels: np.ndarray) -> None:
    assert len(np.unique(pixels.reshape(600, -1), axis=0)) == 600
    for images in pixels.reshape(10, 60, 784).astype(float):
        apart = np.abs(images[:30, None] - images[None, 30:]).mean(axis=-1)
        assert np.median(apart) > 10


def test_an_image_depends_on_digit_and_seed_alone(pixels: np.ndarray) -> None:
    generator = PlaceholderGenerator()
    order = np.random.RandomState(0).permutation(600)[:50]
    np.testing.assert_array_equal(generator.digits(DIGITS[order], SEEDS[order]), pixels[order])
    for index in order[:5]:
        np.testing.assert_array_equal(generator.digits(int(DIGITS[index]), [SEEDS[index]])[0], pixels[index])


def test_every_seed_is_drawn() -> None:
    assert PlaceholderGenerator().digits(8, [0, 2**32 - 1]).any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("digit", "seeds"),
    [
        (10, [0]),
        (-1, [0]),
        (True, [0]),
        ([1, 2], [0]),
        (7, [-1]),
        (7, [2**32]),
        (7, [0.5]),
        (7, 0),
        ("7", [0]),
    ],
)
def test_what_the_model_refuses_they_refuse(digit: Any, seeds: Any) -> None:
    with pytest.raises(ValueError, match=r"digit|seed"):
        PlaceholderGenerator().digits(digit, seeds)
