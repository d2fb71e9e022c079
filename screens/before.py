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
    """What was kept: `drawn` gives a set's name and five small pictures, which work as a button (app.css)."""
    kept = st.session_state.get(f"{page}.before", [])
    if not kept:
        return
    st.subheader("Before", anchor=False)
    with st.container(key="before", horizontal=True):
        for number, each in enumerate(kept):
            name, pixels = drawn(each)
            small = "".join(image_from_pixels(one, "original", "") for one in pixels)
            with st.container(key=f"before_{number}"):
                st.html(f"<div class=set aria-hidden=true>{small}</div>")
                st.button(f"Back to {name}", key=f"bring_back_{number}", on_click=bring_back, args=(each,))
