"""The style controls of a page: thickness, slant and width, each as drawn until a visitor sets it.

Imported by a page when it is used: it takes the first page's visitors no time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.generate import DigitGenerator
from digit_generator.recipe import STYLE_NAMES as NAMES
from digit_generator.style import Style, StyleControls, StyleError, style_path, styled_digits
from screens.shared import Generator, literal, versions

STEPS = {"thickness": 0.1, "slant": 0.02, "width": 0.5}
TITLES = {"thickness": "Thickness", "slant": "Slant", "width": "Width"}
LABELS = {
    "thickness": "Thickness of the stroke, in pixels",
    "slant": "Slant, in radians: above 0 leans right (0.1 is about 6°)",
    "width": "Width of the digit, in pixels",
}


def controls_or_problem(generator: Generator) -> tuple[StyleControls | None, str]:
    """The style controls of these weights and "", or None and a sentence that says why there are none."""
    if not isinstance(generator, DigitGenerator):
        return None, "Placeholders are drawn by rule and have no style to set."
    try:
        return _load(generator.digest, versions(style_path(generator.path)), generator), ""
    except (StyleError, OSError) as error:
        return None, f"Thickness, slant and width cannot be set: {error}."


@st.cache_resource(max_entries=1, show_spinner=False)
def _load(digest: str, versions: list[tuple[int, int] | None], _generator: DigitGenerator) -> StyleControls:
    return StyleControls.load(_generator)


def wanted_style(page: str, asked: Mapping[str, Any], controls: StyleControls) -> dict[str, float]:
    """What is set on this page, by name: by a slider, by the address that opened it, or nothing."""
    names = st.session_state.get(f"{page}.style", _asked_names(asked))
    return {name: st.session_state.get(f"{page}.{name}", _first(name, asked, controls)) for name in names}


def show_style_controls(
    page: str, asked: Mapping[str, Any], controls: StyleControls | None, problem: str
) -> None:
    """Three buttons, and a slider for each that is pressed; a sentence where there is nothing to set."""
    st.pills(
        "Style: what to set, and not leave as the seed draws it",
        NAMES,
        selection_mode="multi",
        default=_asked_names(asked),
        format_func=TITLES.__getitem__,
        key=f"{page}.style",
        persist_state="session",
        disabled=controls is None,
    )
    if controls is None:
        st.caption(literal(problem))
        return
    for name in st.session_state[f"{page}.style"]:
        low, high = _limits(name, controls)
        st.slider(
            LABELS[name],
            low,
            high,
            _first(name, asked, controls),
            STEPS[name],
            key=f"{page}.{name}",
            persist_state="session",
        )


def nearest_style(
    digit: int, wanted: Mapping[str, float], controls: StyleControls
) -> tuple[Style, list[str]]:
    """The style as near as this digit goes, and a sentence for each value that it does not reach."""
    values, notes = {}, []
    for name, value in wanted.items():
        low, high = controls.ranges(digit)[name]
        values[name] = round(min(max(value, math.ceil(low * 100) / 100), math.floor(high * 100) / 100), 2)
        if values[name] != value:
            notes.append(f"A {digit} has a {name} from {low:.2f} to {high:.2f}: drawn with {values[name]:g}.")
    return Style(**values), notes


@st.cache_data(max_entries=200, show_spinner=False)
def styled_pixels(
    keys: tuple[object, ...],
    digit: int,
    seeds: tuple[int, ...],
    style: tuple[tuple[str, float], ...],
    _generator: DigitGenerator,
    _controls: StyleControls,
) -> npt.NDArray[np.uint8]:
    """Pixels, uint8 [B, 28, 28], in this style, found once for all who ask for the same.

    `keys` are shared.key_of the generator and the digest of the controls.
    """
    return styled_digits(_generator, digit, seeds, Style(**dict(style)), _controls)


def _asked_names(asked: Mapping[str, Any]) -> list[str]:
    return [name for name in NAMES if asked.get(name) is not None]


def _first(name: str, asked: Mapping[str, Any], controls: StyleControls) -> float:
    """Where a slider begins: at what the address asks for, else in the middle."""
    low, high = _limits(name, controls)
    value = asked.get(name)
    if value is None:
        return round(round((low + high) / 2 / STEPS[name]) * STEPS[name], 2)
    return min(max(value, low), high)


def _limits(name: str, controls: StyleControls) -> tuple[float, float]:
    """How far any digit goes, in whole steps, none of them beyond."""
    every = [controls.ranges(digit)[name] for digit in range(10)]
    step = STEPS[name]
    low = math.ceil(min(low for low, _ in every) / step) * step
    high = math.floor(max(high for _, high in every) / step) * step
    return round(low, 2), round(high, 2)
