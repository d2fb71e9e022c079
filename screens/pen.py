"""A square to write in, with a finger, a pen or a mouse: its lines, and the picture that is made of them.

The browser sends lines and not a picture: browsers that guard against fingerprinting change the pixels that
are read back from a canvas.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from digit_generator.render import png_from_line

KEY = "pen"
SIDE = 1000
"""The square from corner to corner, in which the points of a line are whole numbers."""
WIDTH = 70
"""Of a line."""
MAX_POINTS = 4000
"""Of all lines together."""

Line = list[tuple[int, int]]

_pen = st.components.v2.component(
    "digit_generator.pen", js=Path(__file__).with_suffix(".js").read_text(), isolate_styles=False
)
_SHOWN = 400  # pixels of the picture, without its margin ...
_MARGIN = 40  # ... which is ground that no line reaches
_FINE = 2  # the picture is drawn so many times as large


def pen_component(lines: list[Line], on_change: Callable[[list[Line]], None]) -> None:
    """The square, with these lines in it when it is new on the page.

    `on_change` is called with all lines when the pen has rested for a moment, and by Undo and Clear.
    """

    def changed() -> None:
        on_change(checked_lines(st.session_state[KEY]["lines"]))

    _pen(
        key=KEY,
        data={"side": SIDE, "width": WIDTH, "most": MAX_POINTS, "lines": lines},
        on_lines_change=changed,
    )


def checked_lines(given: Any) -> list[Line]:
    """What came from a browser: lines of points inside the square; none where it is anything else."""
    try:
        lines = [[(x, y) for x, y in line] for line in given]
        numbers = [number for line in lines for point in line for number in point]
    except (TypeError, ValueError):
        return []
    whole = all(type(number) is int and 0 <= number <= SIDE for number in numbers)
    return lines if whole and all(lines) and len(numbers) <= 2 * MAX_POINTS else []


def png_from_lines(lines: list[Line]) -> bytes:
    """Lines -> a greyscale PNG, white on black, as the square shows them."""
    scale = _FINE * _SHOWN / SIDE
    margin, radius = _FINE * _MARGIN, scale * WIDTH / 2
    side = _FINE * (_SHOWN + 2 * _MARGIN)
    canvas = Image.new("L", (side, side))
    pen = ImageDraw.Draw(canvas)
    for line in lines:
        points = [(margin + scale * x, margin + scale * y) for x, y in line]
        for one, other in pairwise(points):
            pen.line([one, other], 255, round(2 * radius))
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return png_from_line(np.asarray(canvas.reduce(_FINE)))
