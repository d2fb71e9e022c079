"""The web application: a small network generates handwritten-style digits, on seven pages.

    make run            or            streamlit run app.py

Read it from the top. Each page is a file in `screens/` and starts at its `main`. The pages share
`screens/address.py`, `model.py`, `picture.py` and `widgets.py`.
Each page imports what it needs itself, so that a visitor of the first page does not wait for the others.
"""

from __future__ import annotations

import os

# Before NumPy is imported: a second BLAS thread makes five images a hundred times slower on a small host.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import streamlit as st

from screens.picture import icon
from screens.widgets import NAME

SCREENS = Path(__file__).parent / "screens"


def main() -> None:
    pages = [
        st.Page(SCREENS / "draw.py", title="Generate", default=True),
        st.Page(SCREENS / "hand.py", title="Your hand", url_path="hand"),
        st.Page(SCREENS / "number.py", title="Write a number", url_path="number"),
        st.Page(SCREENS / "morph.py", title="Morph", url_path="morph"),
        st.Page(SCREENS / "game.py", title="Which did the network draw?", url_path="game"),
        st.Page(SCREENS / "dataset.py", title="Make a data set", url_path="dataset"),
        st.Page(SCREENS / "learn.py", title="How it learns", url_path="learn"),
    ]
    page = st.navigation(pages, position="top")
    st.set_page_config(page_title=NAME if page == pages[0] else f"{page.title} · {NAME}", page_icon=icon())
    st.html(SCREENS / "app.css")
    st.html(f"<script>{(SCREENS / 'app.js').read_text()}</script>", unsafe_allow_javascript=True)
    page.run()


if __name__ == "__main__":
    main()
