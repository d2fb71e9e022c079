"""The strip Before: the last sets that a page has shown, each one click away."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from screens.picture import image_from_pixels

MAX = 4  # sets


def keep(page: str, shown: Hashable) -> None:
    """Keep what the page has shown, the last one first."""
    key = f"{page}.before"
    kept = [shown, *(each for each in st.session_state.get(key, []) if each != shown)]
    st.session_state[key] = kept[:MAX]


def swap(page: str, wanted: Hashable, shown: Hashable) -> None:
    """Put what is shown in the place of what is wanted back."""
    key = f"{page}.before"
    st.session_state[key] = [shown if each == wanted else each for each in st.session_state[key]]


def show_strip(
    page: str,
    drawn: Callable[[Any], tuple[str, Sequence[npt.NDArray[np.uint8]]]],
    bring_back: Callable[[Any], None],
) -> None:
    """What was kept: `drawn` gives a set's name and five small pictures, all in one button, which presses
    another (app.js)."""
    kept = st.session_state.get(f"{page}.before", [])
    if not kept:
        return
    names, pieces = [], []
    for number, each in enumerate(kept):
        name, pixels = drawn(each)
        names.append(f"Back to {name}")
        small = "".join(image_from_pixels(one, "original", "") for one in pixels)
        pieces.append(
            f'<button type=button class=set data-back={number} aria-label="{names[-1]}">{small}</button>'
        )
    st.html(f"<div class=before><h3>Before</h3>{''.join(pieces)}</div>")

    def bring_pressed_back() -> None:
        pressed: int | None = st.session_state.bring_back
        if pressed is not None and pressed < len(kept):
            bring_back(kept[pressed])
            st.session_state.bring_back = None

    st.pills(
        "Before",
        range(len(kept)),
        format_func=names.__getitem__,
        key="bring_back",
        on_change=bring_pressed_back,
    )
