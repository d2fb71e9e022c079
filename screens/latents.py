"""Sliders for z with a picture that follows while one is dragged: the server makes every frame beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.render import png_from_picture
from screens.picture import source_from_png

KEY = "latents"
_sliders = st.components.v2.component(
    "digit_generator.latents", js=Path(__file__).with_suffix(".js").read_text(), isolate_styles=False
)


def sprite_from_pixels(pixels: npt.NDArray[np.uint8]) -> str:
    """Frames, uint8 [F, 28, 28] -> the `src` of one image with all frames stacked vertically."""
    return source_from_png(png_from_picture(pixels.reshape(-1, 28)))


def latents_component(
    *,
    picture: str,
    digit: int,
    values: npt.NDArray[np.float64],
    sliders: Sequence[tuple[int, float, str]],
    on_change: Callable[[int, float], None],
) -> None:
    """The picture and a slider for each (index in z, its value, a sprite with a frame per entry of `values`).

    `on_change` is called with the index and the new value when a slider is released.
    """

    def released() -> None:
        number, value = st.session_state[KEY]["moved"]
        if any(number == each for each, _, _ in sliders) and values[0] <= value <= values[-1]:
            on_change(int(number), float(value))

    _sliders(
        key=KEY,
        data={
            "picture": picture,
            "digit": digit,
            "low": float(values[0]),
            "high": float(values[-1]),
            "step": round(float(values[1] - values[0]), 6),
            "frames": len(values),
            "sliders": [
                {"number": number, "value": float(value), "frames": sprite}
                for number, value, sprite in sliders
            ],
        },
        on_moved_change=released,
    )
