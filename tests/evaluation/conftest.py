"""Digits drawn with a few strokes of chance.

MNIST itself is no part of the repository, and the tests of the ruler need real-looking images in several
independent sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from digit_generator.evaluation.data import Digits

# Points of the pen in a unit square, x to the right and y down; None lifts the pen.
STROKES: dict[int, list[tuple[float, float] | None]] = {
    0: [(0.5, 0), (0.15, 0.2), (0.1, 0.6), (0.3, 0.95), (0.6, 0.97), (0.88, 0.6), (0.85, 0.2), (0.5, 0)],
    1: [(0.52, 0), (0.5, 0.5), (0.48, 1)],
    2: [(0.1, 0.2), (0.35, 0), (0.75, 0.1), (0.75, 0.4), (0.1, 1), (0.95, 0.95)],
    3: [(0.15, 0.05), (0.6, 0), (0.8, 0.2), (0.4, 0.47), (0.85, 0.7), (0.6, 1), (0.1, 0.9)],
    4: [(0.15, 0), (0.1, 0.5), (0.85, 0.5), None, (0.8, 0), (0.75, 1)],
    5: [(0.85, 0), (0.25, 0.02), (0.2, 0.42), (0.65, 0.42), (0.85, 0.7), (0.6, 0.98), (0.1, 0.95)],
    6: [(0.65, 0), (0.25, 0.35), (0.12, 0.75), (0.4, 1), (0.8, 0.8), (0.6, 0.52), (0.2, 0.65)],
    7: [(0.1, 0.05), (0.9, 0.03), (0.55, 0.5), (0.4, 1)],
    8: [(0.5, 0), (0.2, 0.2), (0.8, 0.75), (0.5, 1), (0.2, 0.75), (0.8, 0.2), (0.5, 0)],
    9: [(0.8, 0.15), (0.4, 0), (0.2, 0.3), (0.5, 0.48), (0.8, 0.2), (0.72, 0.6), (0.6, 1)],
}


def drawn(digit: int, rng: np.random.RandomState) -> np.ndarray:
    """One digit uint8 [28, 28], drawn four times as large and reduced."""
    slant, wide, high = rng.normal(0.15, 0.2), rng.uniform(10, 16), rng.uniform(17, 20)
    left, top = rng.normal(14, 1), rng.normal(14, 0.7)
    canvas = Image.new("L", (112, 112))
    pen = ImageDraw.Draw(canvas)
    width = rng.randint(6, 14)
    stroke: list[tuple[float, float]] = []
    for point in [*STROKES[digit], None]:
        if point is None:
            pen.line(stroke, fill=255, width=width, joint="curve")
            for x, y in stroke:
                pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
            stroke = []
        else:
            x, y = np.array(point) - 0.5 + rng.normal(0, 0.035, 2)
            stroke.append((4 * (left + x * wide - slant * y * high), 4 * (top + y * high)))
    return np.asarray(canvas.resize((28, 28), Image.Resampling.BOX))


def digits_from_strokes(count: int, seed: int) -> Digits:
    """`count` digits, as many of each, another set for every seed."""
    rng = np.random.RandomState(seed)
    labels = np.arange(count) % 10
    return Digits(np.stack([drawn(int(label), rng) for label in labels]), labels)


@pytest.fixture(scope="session")
def draw() -> Callable[[int, int], Digits]:
    return digits_from_strokes


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small networks are no faster on more, and other tests may be running."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
