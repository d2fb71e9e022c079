"""The large picture under the row of five: its buttons, and ten digits in its hand.

All five are sent and screens/app.js shows one, so that nobody waits when a picture is pressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from digit_generator.render import svg_from_pixels
from screens.picture import image_from_pixels, source_from_bytes, source_from_png


@dataclass(frozen=True)
class Large:
    """One picture: what it is called, its PNG and pixels, and its hand, uint8 [10, 28, 28], if it has one."""

    title: str
    description: str
    stem: str
    png: bytes
    pixels: npt.NDArray[np.uint8]
    hand: npt.NDArray[np.uint8] | None


def html_from_large(pictures: Sequence[Large], at: int, *, ink: bool) -> str:
    """All of them, of which number `at` is to be seen."""
    return "".join(_html(picture, number, at, ink) for number, picture in enumerate(pictures))


def _html(picture: Large, number: int, at: int, ink: bool) -> str:
    svg = svg_from_pixels(picture.pixels, "ink" if ink else "outline")
    source = source_from_bytes(svg.encode(), "svg+xml") if ink else source_from_png(picture.png)
    hand = ""
    if picture.hand is not None:
        ten = "".join(_of_hand(pixels, digit, ink) for digit, pixels in enumerate(picture.hand))
        hand = f"<h4>Ten digits in one hand</h4><div class=hand>{ten}</div>"
    buttons = "".join(
        f"<button type=button data-do={name}{' hidden' * (name == 'share')}>{words}</button>"
        for name, words in BUTTONS.items()
    )
    return (
        f'<section class=large data-at={number} data-name="{picture.stem}" data-title="{picture.title}" '
        f'data-svg="{escape(svg)}"{" hidden" * (number != at)} aria-label="{picture.title}">'
        f'<img class=huge src="{source}" alt="{picture.description}, large">'
        f"<div class=about><h3>{picture.title}</h3><p class=actions>{buttons}"
        f"<span role=status></span></p>{hand}</div></section>"
    )


def _of_hand(pixels: npt.NDArray[np.uint8], digit: int, ink: bool) -> str:
    description = f"a {digit} in the same hand"
    if not ink:
        return image_from_pixels(pixels, "original", description)
    source = source_from_bytes(svg_from_pixels(pixels, "ink").encode(), "svg+xml")
    return f'<img class=original src="{source}" alt="{description}">'


BUTTONS = {"png": "PNG", "svg": "SVG", "copy": "Copy picture", "share": "Share", "link": "Copy link"}
