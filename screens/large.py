"""The large picture under the row of five, its buttons, and its details: SVG, and ten digits in its hand.

All five are sent and screens/app.js shows one, so that nobody waits when a picture is pressed. The details
are drawn for one of them when they are looked at, since they take longer than the five together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from digit_generator.render import svg_from_pixels
from screens.picture import image_from_pixels, source_from_bytes


@dataclass(frozen=True)
class Large:
    """One picture: what it is called, and the source of its <img>."""

    title: str
    description: str
    stem: str
    source: str


def html_from_large(pictures: Sequence[Large], at: int, key: str) -> str:
    """All of them, of which number `at` is to be seen; `key` is that of the pills that ask for details."""
    return "".join(_html(picture, number, at, key) for number, picture in enumerate(pictures))


def _html(picture: Large, number: int, at: int, key: str) -> str:
    buttons = "".join(
        f"<button type=button data-do={name}{' hidden' * (name == 'share')}>{words}</button>"
        for name, words in BUTTONS.items()
    )
    return (
        f'<section class=large data-of={key} data-at={number} data-name="{picture.stem}" '
        f'data-title="{picture.title}"'
        f'{" hidden" * (number != at)} aria-label="{picture.title}">'
        f'<img class=huge src="{picture.source}" alt="{picture.description}, large">'
        f"<div class=about><h3>{picture.title}</h3><p class=actions>{buttons}"
        "<span role=status></span></p></div></section>"
    )


def html_from_details(
    key: str, number: int, pixels: npt.NDArray[np.uint8], hand: npt.NDArray[np.uint8] | None, *, ink: bool
) -> str:
    """Those of picture `number`, uint8 [28, 28], with its hand, uint8 [10, 28, 28], if it has one."""
    svg = svg_from_pixels(pixels, "ink" if ink else "outline")
    ten = "" if hand is None else _ten("".join(_of_hand(each, digit, ink) for digit, each in enumerate(hand)))
    return f'<div class=details data-of={key} data-at={number} data-svg="{escape(svg)}">{ten}</div>'


def html_without_details(*, has_hand: bool) -> str:
    """Their place, until they are looked at, with ten squares where the hand is to come."""
    return f"<div class=details>{_ten('<i></i>' * 10) if has_hand else ''}</div>"


def _ten(pictures: str) -> str:
    return f"<h4>Ten digits in one hand</h4><div class=hand>{pictures}</div>"


def _of_hand(pixels: npt.NDArray[np.uint8], digit: int, ink: bool) -> str:
    description = f"a {digit} in the same hand"
    if not ink:
        return image_from_pixels(pixels, "original", description)
    source = source_from_bytes(svg_from_pixels(pixels, "ink").encode(), "svg+xml")
    return f'<img class=original src="{source}" alt="{description}">'


BUTTONS = {"png": "PNG", "svg": "SVG", "copy": "Copy picture", "share": "Share", "link": "Copy link"}
