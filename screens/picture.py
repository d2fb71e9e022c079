"""Pictures as HTML: the source and the tag of an image."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.render import png_from_pixels


@dataclass(frozen=True)
class Drawing:
    """One picture: its file with its name, what the page shows, what it is called, and its alt text.

    In ink the file is an SVG, which the page shows; otherwise the page shows the PNG, which is the file.
    """

    png: bytes
    title: str
    caption: str
    description: str
    stem: str
    svg: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.stem}.{'svg' if self.svg else 'png'}"

    @functools.cached_property
    def source(self) -> str:
        """The `src` of an <img> that shows the file."""
        return source_from_bytes(self.svg.encode(), "svg+xml") if self.svg else self.original

    @functools.cached_property
    def original(self) -> str:
        """The `src` of an <img> that shows the PNG."""
        return source_from_png(self.png)


@st.cache_data(show_spinner=False)
def icon() -> bytes:
    """The browser tab's icon, a 7 drawn by rule: the same with every model, and without one."""
    return png_from_pixels(PlaceholderGenerator().digits(7, [1])[0])


def source_from_bytes(data: bytes, kind: str) -> str:
    """The `src` of an <img> that needs no further request; `kind` is png, webp or svg+xml."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def source_from_png(png: bytes) -> str:
    return source_from_bytes(png, "png")


def image_from_pixels(pixels: npt.NDArray[np.uint8], kind: str, description: str) -> str:
    """An <img> of one digit, uint8 [28, 28]. `kind` is its class in app.css, `description` its alt text."""
    return f'<img class={kind} src="{source_from_pixels(pixels)}" alt="{description}">'


def source_from_pixels(pixels: npt.NDArray[np.uint8]) -> str:
    """The `src` of an <img> of one digit, uint8 [28, 28]."""
    return _source(pixels.tobytes())


@functools.lru_cache(2048)  # of 1.5 KB
def _source(pixels: bytes) -> str:
    return source_from_png(png_from_pixels(np.frombuffer(pixels, np.uint8).reshape(28, 28)))
