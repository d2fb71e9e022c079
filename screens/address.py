"""The address of a page: the state that it asks for, and the state that it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from digit_generator.recipe import STROKE_MEASURES
from screens.widgets import escape_markdown


class Address:
    """The parameters of the page's address. Each invalid one is read as the default and told in `faults`."""

    def __init__(self) -> None:
        self.asked = st.query_params.to_dict()
        self.faults: list[str] = []

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        text = self.asked.get(name, str(default))
        if re.fullmatch(r"[0-9]{1,10}", text) and low <= int(text) <= high:
            return int(text)
        self.refuse(name, f"a whole number from {low} to {high}")
        return default

    def decimal(self, name: str) -> float | None:
        text = self.asked.get(name)
        if text is None or re.fullmatch(r"-?[0-9]{1,2}(\.[0-9]{1,3})?", text):
            return text and float(text)
        self.refuse(name, "a number such as 2.5")
        return None

    def text(self, name: str, longest: int, default: str) -> str:
        text = self.asked.get(name, default)
        if len(text) <= longest:
            return text
        self.refuse(name, f"at most {longest} characters")
        return default

    def switch(self, name: str) -> bool:
        text = self.asked.get(name, "0")
        if text in ("0", "1"):
            return text == "1"
        self.refuse(name, "0 or 1")
        return False

    def refuse(self, name: str, expected: str) -> None:
        self.faults.append(f"{name}={self.asked[name][:20]} (expected: {expected})")


def style_from_address(address: Address) -> dict[str, float | None]:
    """Thickness, slant and width by name, None where the address leaves it to the seed."""
    return {name: address.decimal(name) for name in STROKE_MEASURES}


def style_names(state: Mapping[str, Any]) -> list[str]:
    """The names of the style values that the state sets."""
    return [name for name in STROKE_MEASURES if state.get(name) is not None]


def initial_state(page: str, read: Callable[[Address], dict[str, Any]]) -> dict[str, Any]:
    """The state that the address asked for when this visitor first opened the page: its widgets start there.

    `read` makes the state from an address. A message names the parameters that are invalid.
    """
    key = f"{page}.initial"
    if key not in st.session_state:
        address = Address()
        st.session_state[key] = read(address), address.faults
    state, faults = st.session_state[key]
    if faults:
        st.info(
            f"This link asks for {escape_markdown('; '.join(faults))}. "
            "Showing the defaults for the invalid values.",
            icon=":material/link_off:",
        )
    return state


def show_address(state: Mapping[str, object]) -> None:
    """Write the state into the page's address, so that the link shows the same to anyone who opens it."""
    wanted = {name: str(value) for name, value in state.items() if value is not None}
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
