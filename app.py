"""The web application: a small network generates handwritten-style digits, on seven pages.

    make run            or            streamlit run app.py

Read it from the top. Each page is a file in `screens/` and starts at its `main`. The pages share
`screens/address.py`, `model.py`, `picture.py` and `widgets.py`.
Each page is imported when it is first shown: a visitor of the first page does not wait for the others.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable

# Before NumPy is imported: a second BLAS thread makes five images a hundred times slower on a small host.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import streamlit as st

from digit_generator.turns import bear_many_connections
from screens.picture import icon
from screens.widgets import NAME

SCREENS = Path(__file__).parent / "screens"


def main() -> None:
    bear_many_connections()
    pages = [
        st.Page(screen("draw"), title="Generate", default=True),
        st.Page(screen("hand"), title="Your hand", url_path="hand"),
        st.Page(screen("number"), title="Write a number", url_path="number"),
        st.Page(screen("morph"), title="Morph", url_path="morph"),
        st.Page(screen("game"), title="Which did the network draw?", url_path="game"),
        st.Page(screen("dataset"), title="Make a data set", url_path="dataset"),
        st.Page(screen("learn"), title="How it learns", url_path="learn"),
    ]
    page = st.navigation(pages, position="top")
    st.set_page_config(page_title=NAME if page == pages[0] else f"{page.title} · {NAME}", page_icon=icon())
    st.html(SCREENS / "app.css")
    st.html(f"<script>{(SCREENS / 'app.js').read_text()}</script>", unsafe_allow_javascript=True)
    page.run()


def screen(name: str) -> Callable[[], None]:
    """The page in `screens/NAME.py`, as a module: files are compiled anew whenever nobody else is there."""
    return lambda: importlib.import_module(f"screens.{name}").main()


if __name__ == "__main__":
    main()
