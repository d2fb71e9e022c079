"""Stand-in digits for a missing model: pen strokes drawn by rule, which no network has learned.

They are varied and legible enough to try everything out with. Whoever shows them says that they are
placeholders.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from digit_generator.generate import checked_seeds, labels_from_digits

_Points = list[tuple[float, float]]


def _arc(x: float, y: float, width: float, height: float, start: float, end: float) -> _Points:
    """Points on the ellipse about (x, y) from `start` to `end` degrees; 0 is right, 90 is down."""
    angles = np.radians(np.linspace(start, end, 2 + int(abs(end - start) // 15)))
    return [(x + width * np.cos(angle), y + height * np.sin(angle)) for angle in angles]


# The points that the pen passes, stroke by stroke, in a box from (-1, -1) at the top left to (1, 1).
_STROKES: dict[int, list[_Points]] = {
    0: [_arc(0, 0, 0.58, 0.95, -90, 270)],
    1: [[(-0.3, -0.62), (0.08, -0.95), (0.08, 0.95)]],
    2: [[*_arc(0, -0.42, 0.55, 0.53, -170, 25), (0.1, 0.38), (-0.6, 0.92), (0.66, 0.92)]],
    3: [[*_arc(-0.03, -0.48, 0.5, 0.47, -160, 90), *_arc(-0.06, 0.47, 0.6, 0.48, -90, 155)]],
    4: [[(0.12, -0.95), (-0.62, 0.3), (0.66, 0.3)], [(0.3, -0.3), (0.3, 0.95)]],
    5: [[(0.52, -0.92), (-0.4, -0.92), (-0.48, -0.1), *_arc(-0.04, 0.36, 0.6, 0.57, -135, 145)]],
    6: [[(0.4, -0.92), (-0.1, -0.62), (-0.45, -0.1), *_arc(0, 0.42, 0.53, 0.51, 180, -180)]],
    7: [[(-0.58, -0.9), (0.58, -0.9), (0.2, -0.1), (-0.12, 0.95)]],
    8: [_arc(0, -0.47, 0.44, 0.46, 90, 450), _arc(0, 0.46, 0.55, 0.48, -90, 270)],
    9: [[*_arc(0, -0.42, 0.5, 0.5, 10, -350), (0.46, 0.3), (0.3, 0.95)]],
}


class PlaceholderGenerator:
    """Draws where there are no weights. Image i depends on (digit, seed i) and on nothing else."""

    def digits(self, digit: int | Sequence[int], seeds: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Draw one image per seed: pixels, uint8 [B, 28, 28], 0 background ... 255 ink.

        `digit` is 0...9, one for all or one per seed; `seeds` are B whole numbers, 0...2^32-1.
        ValueError if not.
        """
        seeds = checked_seeds(seeds)
        labels = labels_from_digits(digit, len(seeds)).tolist()
        pixels = np.empty((len(seeds), 28, 28), np.uint8)
        for image, label, seed in zip(pixels, labels, seeds, strict=True):
            rng = np.random.RandomState([label, seed])
            image[:] = _pixels_from_strokes(_STROKES[label], rng)
        return pixels


def _pixels_from_strokes(strokes: list[_Points], rng: np.random.RandomState) -> npt.NDArray[np.uint8]:
    """One digit, uint8 [28, 28], in a hand of random slant, turn, size, bend, place and thickness."""
    height, width = rng.uniform(8.2, 9.6), rng.uniform(6.8, 9.4)  # half of the box, in pixels
    slant, turn = rng.uniform(-0.05, 0.4), np.radians(rng.uniform(-6, 6))
    left, top = 13.5 + rng.uniform(-0.8, 0.8, size=2)
    bend = rng.uniform(-0.06, 0.06, size=6)
    radius = rng.uniform(0.8, 1.7)  # of the pen, in pixels

    pieces = np.array(
        [piece for stroke in strokes for piece in pairwise(stroke)]
    )  # [P, 2 ends, 2 coordinates]
    x, y = pieces[..., 0], pieces[..., 1]
    x, y = (
        x + bend[0] * np.sin(3 * y) + bend[1] * np.cos(2 * y) + bend[2] * x * y,
        y + bend[3] * np.sin(3 * x) + bend[4] * np.cos(2 * x) + bend[5] * x * y,
    )
    x, y = width * x - slant * height * y, height * y
    x, y = left + np.cos(turn) * x - np.sin(turn) * y, top + np.sin(turn) * x + np.cos(turn) * y

    # How far each pixel is from the nearest point of each straight piece, [P, 28, 28].
    x0, x1, y0, y1 = (ends[:, None, None] for ends in (*x.T, *y.T))
    rows, columns = np.mgrid[:28, :28]
    along = ((columns - x0) * (x1 - x0) + (rows - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
    along = along.clip(0, 1)
    distance = np.hypot(columns - x0 - along * (x1 - x0), rows - y0 - along * (y1 - y0)).min(axis=0)

    ink = (0.5 + (radius - distance) / 1.5).clip(0, 1)  # an edge one and a half pixels soft
    pixels: npt.NDArray[np.uint8] = np.rint(255 * ink).astype(np.uint8)
    return pixels
