"""The application: a small network that draws digits, one page for each thing to do with it.

    make run            or            streamlit run app.py

Reads from the top. Each page is a file in `screens/`, run from its `main`; what they share is in
`screens/shared.py`.
A page imports what it needs itself, so that a visitor of the first does not wait for what the others need.
"""

from __future__ import annotations

import os

# Before NumPy is imported: a second BLAS thread makes five images a hundred times slower on a small host.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import streamlit as st

from screens.shared import NAME, icon

HERE = Path(__file__).parent


def main() -> None:
    pages = [
        st.Page(HERE / "screens" / "draw.py", title="Draw", default=True),
        st.Page(HERE / "screens" / "number.py", title="Write a number", url_path="number"),
        st.Page(HERE / "screens" / "morph.py", title="Morph", url_path="morph"),
        st.Page(HERE / "screens" / "game.py", title="Which one is real?", url_path="game"),
        st.Page(HERE / "screens" / "dataset.py", title="Make a data set", url_path="dataset"),
        st.Page(HERE / "screens" / "learn.py", title="How it learns", url_path="learn"),
    ]
    page = st.navigation(pages, position="top")
    st.set_page_config(page_title=NAME if page == pages[0] else f"{page.title} · {NAME}", page_icon=icon())
    st.html(HERE / "app.css")
    page.run()


if __name__ == "__main__":
    main()
