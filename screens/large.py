"""The large picture under the row of five, its buttons, and its details: SVG, and ten digits in its hand.

screens/app.js shows in it whichever picture of the row is pressed. The details are drawn when they are looked
at, since they take longer than the five together.
"""

from __future__ import annotations

from html import escape

import numpy as np
import numpy.typing as npt

from digit_generator.render import svg_from_pixels
from screens.picture import Drawing, image_from_pixels, source_from_bytes

BUTTONS = {"png": "PNG", "svg": "SVG", "copy": "Copy picture", "share": "Share", "link": "Copy link"}


def html_from_large(drawing: Drawing, at: int, key: str, *, has_hand: bool) -> str:
    """Number `at` of the row, large, with ten squares where the hand is to come. `key` is that of the set."""
    buttons = "".join(
        f"<button type=button data-do={name}{' hidden' * (name == 'share')}>{words}</button>"
        for name, words in BUTTONS.items()
    )
    hand = f"<h4>Ten digits in one hand</h4><div class=hand>{'<i></i>' * 10}</div>" if has_hand else ""
    return (
        f'<section class=large data-of={key} data-at={at} aria-label="{drawing.title}">'
        f'<img class=huge src="{drawing.source}" alt="{drawing.description}, large">'
        f"<div class=about><h3>{drawing.title}</h3>"
        f"<p class=actions>{buttons}<span role=status></span></p></div>"
        f"<div class=details>{hand}</div></section>"
    )


def html_from_details(
    key: str, number: int, pixels: npt.NDArray[np.uint8], hand: npt.NDArray[np.uint8] | None, *, ink: bool
) -> str:
    """Those of picture `number`, uint8 [28, 28], with its hand, uint8 [10, 28, 28], if it has one."""
    svg = svg_from_pixels(pixels, "ink" if ink else "outline")
    ten = "" if hand is None else "".join(_of_hand(each, digit, ink) for digit, each in enumerate(hand))
    return f'<div class=answer data-of={key} data-at={number} data-svg="{escape(svg)}">{ten}</div>'


def _of_hand(pixels: npt.NDArray[np.uint8], digit: int, ink: bool) -> str:
    description = f"a {digit} in the same hand"
    if not ink:
        return image_from_pixels(pixels, "original", description)
    source = source_from_bytes(svg_from_pixels(pixels, "ink").encode(), "svg+xml")
    return f'<img class=original src="{source}" alt="{description}">'
