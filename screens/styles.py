"""The style controls of a page: thickness, slant and width. The seed decides each until a visitor sets it.

The first page imports this module only when a style is used, so that its visitors do not wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.generate import DigitGenerator
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.style import Style, StyleControls, StyleError, styled_digits
from screens.address import style_names
from screens.model import Generator, turn
from screens.widgets import escape_markdown

STEPS = {"thickness": 0.1, "slant": 0.02, "width": 0.5}
TITLES = {"thickness": "Thickness", "slant": "Slant", "width": "Width"}
LABELS = {
    "thickness": "Thickness of the stroke, in pixels",
    "slant": "Slant, in radians: positive values lean right (0.1 is about 6°)",
    "width": "Width of the digit, in pixels",
}


def controls_or_problem(generator: Generator) -> tuple[StyleControls | None, str]:
    """The style controls of these weights and "", or None and a sentence that says why there are none."""
    if not isinstance(generator, DigitGenerator):
        return None, "Placeholders are drawn by rule, so their style cannot be set."
    try:
        controls = StyleControls.current(generator)
    except StyleError as error:
        return None, f"Thickness, slant and width cannot be set: {error}."
    if any(low >= high for low, high in (_limits(name, controls) for name in STROKE_MEASURES)):
        return None, "Thickness, slant and width cannot be set: these weights draw one style alone."
    return controls, ""


Shape = Mapping[str, float]
"""Thickness, slant and width of what is drawn without a style, where the sliders start."""


@st.cache_data(max_entries=200, show_spinner=False)
def shape_of(
    keys: tuple[object, ...],
    digits: tuple[int, ...],
    seed: int,
    _generator: DigitGenerator,
    _controls: StyleControls,
) -> Shape:
    """The shape of these digits with this seed; the middle one, of several. `keys` as in styled_pixels."""
    z = _generator.latents([seed] * len(digits), digits)
    middle = np.median(_controls.shapes(_generator.images(z, digits), digits), axis=0)
    return dict(zip(STROKE_MEASURES, middle.tolist(), strict=True))


def wanted_style(
    page: str, initial: Mapping[str, Any], controls: StyleControls, shape: Shape
) -> dict[str, float]:
    """The values that are set on this page, by name: by a slider or by the address that opened it."""
    names = st.session_state.get(f"{page}.style", style_names(initial))
    values = {
        name: st.session_state.get(f"{page}.{name}", _first(name, initial, controls, shape)) for name in names
    }
    return {name: _reachable(name, value, controls) for name, value in values.items()}


def show_style_controls(
    page: str, initial: Mapping[str, Any], controls: StyleControls | None, problem: str, shape: Shape
) -> None:
    """Three buttons and a slider for each that is pressed. Without controls, the sentence `problem`."""
    st.pills(
        "Style: choose what to adjust",
        STROKE_MEASURES,
        selection_mode="multi",
        default=style_names(initial),
        format_func=TITLES.__getitem__,
        key=f"{page}.style",
        persist_state="session",
        disabled=controls is None,
    )
    if controls is None:
        st.caption(escape_markdown(problem))
        return
    for name in st.session_state[f"{page}.style"]:
        low, high = _limits(name, controls)
        st.slider(
            LABELS[name],
            low,
            high,
            _first(name, initial, controls, shape),
            STEPS[name],
            key=f"{page}.{name}",
            persist_state="session",
        )


def in_words(style: Mapping[str, float]) -> str:
    """The style for a caption: ", thickness 3, slant 0.2", or nothing."""
    return "".join(f", {name} {value:g}" for name, value in style.items())


def nearest_style(
    digit: int, wanted: Mapping[str, float], controls: StyleControls
) -> tuple[Style, list[str]]:
    """The style as near as this digit can come, and a sentence for each value that it cannot reach."""
    values, notes, ranges = {}, [], controls.ranges(digit)
    for name, value in controls.nearest(digit, Style(**wanted)).asked.items():
        low, high = ranges[name]
        values[name] = _rounded_within(low, value, high)
        if values[name] != wanted[name]:
            notes.append(
                f"The {name} of a {digit} goes from {low:.2f} to {high:.2f}, so {values[name]:g} is used."
            )
    return Style(**values), notes


def _rounded_within(low: float, value: float, high: float) -> float:
    """The value with the two decimals that a command shows, rounded into the range from `low` to `high`."""
    rounded = round(value, 2)
    if rounded < low:
        return math.ceil(low * 100) / 100
    return math.floor(high * 100) / 100 if rounded > high else rounded


@st.cache_data(max_entries=200, show_spinner=False)
def styled_pixels(
    keys: tuple[object, ...],
    digit: int,
    seeds: tuple[int, ...],
    style: tuple[tuple[str, float], ...],
    _generator: DigitGenerator,
    _controls: StyleControls,
) -> npt.NDArray[np.uint8]:
    """Pixels, uint8 [B, 28, 28], in this style, found once for all visitors who ask for the same.

    `keys` are model.key_of the generator and the digest of the controls.
    """
    with turn():
        return styled_digits(_generator, digit, seeds, Style(**dict(style)), _controls)


@st.cache_data(max_entries=200, show_spinner=False)
def styled_hand(
    keys: tuple[object, ...],
    seed: int,
    style: tuple[tuple[str, float], ...],
    _generator: DigitGenerator,
    _controls: StyleControls,
) -> npt.NDArray[np.uint8]:
    """The ten digits in the hand of a seed, uint8 [10, 28, 28], each as near to the style as it can come."""
    digits = range(10)
    styles = [_controls.nearest(digit, Style(**dict(style))) for digit in digits]
    z = _controls.latents(_generator.hand_latent(seed)[None].repeat(10, axis=0), digits, styles)
    return _generator.pixels(z, digits, [seed] * 10)


def _first(name: str, initial: Mapping[str, Any], controls: StyleControls, shape: Shape) -> float:
    """Where a slider starts: at the value in the address, else at what the drawing has."""
    value = initial.get(name)
    if value is None:
        value = round(round(shape[name] / STEPS[name]) * STEPS[name], 2)
    return _reachable(name, value, controls)


def _reachable(name: str, value: float, controls: StyleControls) -> float:
    """The value within the slider's range."""
    low, high = _limits(name, controls)
    return min(max(value, low), high)


def _limits(name: str, controls: StyleControls) -> tuple[float, float]:
    """The range of a slider: what any digit can reach, in whole steps."""
    every = [controls.ranges(digit)[name] for digit in range(10)]
    step = STEPS[name]
    low = math.ceil(min(low for low, _ in every) / step) * step
    high = math.floor(max(high for _, high in every) / step) * step
    return round(low, 2), round(high, 2)
