"""The strip Before: the last sets that a page has shown, each one click away."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import streamlit as st

MAX = 4  # sets


def keep(page: str, shown: Hashable) -> None:
    """Keep what the page has shown, the last one first."""
    key = f"{page}.before"
    sets = [shown, *(each for each in st.session_state.get(key, []) if each != shown)]
    st.session_state[key] = sets[:MAX]


def swap(page: str, wanted: Hashable, shown: Hashable) -> None:
    """Put what is shown in the place of what is wanted back."""
    key = f"{page}.before"
    st.session_state[key] = [shown if each == wanted else each for each in st.session_state[key]]


def kept(page: str) -> list[Any]:
    """What is kept, the last one first."""
    sets: list[Any] = st.session_state.get(f"{page}.before", [])
    return sets


def html_of_small(sources: Iterable[str]) -> str:
    """A set's small pictures."""
    return "".join(f'<img class=original src="{source}" alt="">' for source in sources)


def html_of_strip(sets: Sequence[tuple[str, str]]) -> str:
    """For each set its name and its small pictures (HTML), all in one button, which picks a pill (app.js)."""
    if not sets:
        return ""
    pieces = [
        f'<button type=button class=set data-back={number} aria-label="Back to {name}">{small}</button>'
        for number, (name, small) in enumerate(sets)
    ]
    return f"<div class=before><h3>Before</h3>{''.join(pieces)}</div>"


def show_strip(
    page: str,
    drawn: Callable[[Any], tuple[str, str]],
    bring_back: Callable[[Any], None],
) -> None:
    """The strip, with its pills: `drawn` gives a set's name and its small pictures."""
    sets = kept(page)
    if not sets:
        return
    pictured = [drawn(each) for each in sets]
    st.html(html_of_strip(pictured))

    def bring_pressed_back() -> None:
        pressed: int | None = st.session_state.bring_back
        if pressed is not None and pressed < len(sets):
            bring_back(sets[pressed])
            st.session_state.bring_back = None

    st.pills(
        "Before",
        range(len(sets)),
        format_func=lambda number: f"Back to {pictured[number][0]}",
        key="bring_back",
        on_change=bring_pressed_back,
    )
