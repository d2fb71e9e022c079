"""The page: pick a digit, press one button, see five handwritten-style digits.

    make run            or            streamlit run app.py

Reads from the top: `main` first, then what it calls, in the order in which it calls it.
"""

from __future__ import annotations

import os

# Before NumPy is imported: a second BLAS thread makes five images a hundred times slower on a small host.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from digit_generator.generate import DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.render import png_from_pixels, stem_of_digit, zip_from_files
from digit_generator.weights import WeightsError, find_weights

Generator = DigitGenerator | PlaceholderGenerator
FIRST_DIGIT, FIRST_SEEDS = 7, range(5)  # what a visitor sees before the first click


def main() -> None:
    st.set_page_config(page_title="Handwritten digit generator", page_icon=icon())
    st.html(Path(__file__).with_name("app.css"))
    st.title("Handwritten digit generator", anchor=False)

    generator, problem = generator_or_placeholder()
    if problem:
        show_problem(problem)
    else:
        st.caption("A small neural network draws digits that nobody wrote.")

    with st.container(key="controls", horizontal=True, vertical_alignment="center"):
        picked = pick_digit()
        digit, seeds = digit_and_seeds(picked)

    drawings = draw(generator, digit, seeds)
    show_heading(generator, digit, seeds, drawings)
    show_drawings(drawings)
    show_recipe(generator, digit, seeds)
    show_how_it_works()


@st.cache_data(show_spinner=False)
def icon() -> bytes:
    """A seven for the browser's tab, drawn by rule: the same with every model, and without one."""
    return png_from_pixels(PlaceholderGenerator().digits(7, [1])[0])


def generator_or_placeholder() -> tuple[Generator, str]:
    """The trained generator and "", or the placeholder and a sentence that says why."""
    try:
        path = find_weights()
        return load_generator(path, versions(path, path.with_suffix(".json"))), ""
    except (WeightsError, OSError) as error:
        return PlaceholderGenerator(), str(error)


def versions(*paths: Path) -> list[tuple[int, int] | None]:
    """When each file was written and how long it is, None where there is none: changes with the file."""
    return [(path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None for path in paths]


@st.cache_resource(max_entries=1, show_spinner=False)
def load_generator(path: Path, versions: list[tuple[int, int] | None]) -> DigitGenerator:
    """One generator for all visitors, until its files change. A failure is raised and so not remembered."""
    return DigitGenerator.load(path)


def show_problem(problem: str) -> None:
    st.warning(
        "**These digits are placeholders: there is no trained model to draw with.**\n\n"
        f"{literal(problem)}\n\n"
        "Expected: a trained `generator.pth`, 2 to 5 MB, in the same folder as `app.py`. "
        "`git checkout generator.pth` brings back the repository's own; then reload this page.",
        icon=":material/warning:",
    )


def literal(text: str) -> str:
    """Markdown that shows the text as it is: a message may quote a path or the bytes of a broken file."""
    return re.sub(r"([^\w\s])", r"\\\1", text)


def pick_digit() -> int:
    return st.segmented_control(
        "Digit",
        range(10),
        default=FIRST_DIGIT,
        required=True,
        key="digit",
        label_visibility="collapsed",
        width="stretch",
    )


def digit_and_seeds(picked: int) -> tuple[int, Sequence[int]]:
    """What to draw: the picked digit with new seeds if the button was pressed, else what was drawn before."""
    if st.button("Generate 5 Images", type="primary", key="generate"):
        st.session_state.drawn = picked, new_seeds()
    return st.session_state.setdefault("drawn", (picked, FIRST_SEEDS))


def new_seeds() -> range:
    """Five in a row, so that one command draws them again; six figures at most, to fit under a picture."""
    first = secrets.randbelow(999_996)
    return range(first, first + 5)


@dataclass(frozen=True)
class Drawing:
    """One picture: a PNG of 28 by 28 pixels, and what its caption, description and file name say."""

    png: bytes
    caption: str
    description: str
    file_name: str


def draw(generator: Generator, digit: int, seeds: Sequence[int]) -> list[Drawing]:
    placeholder = isinstance(generator, PlaceholderGenerator)
    return [
        Drawing(
            png=png_from_pixels(pixels),
            caption=f"placeholder<br>seed {seed}" if placeholder else f"seed {seed}",
            description=f"placeholder for a {digit}" if placeholder else f"handwritten-style {digit}",
            file_name=f"{file_stem(generator, digit)}_seed_{seed}.png",
        )
        for seed, pixels in zip(seeds, generator.digits(digit, seeds), strict=True)
    ]


def file_stem(generator: Generator, digit: int) -> str:
    return stem_of_digit(digit, placeholder=isinstance(generator, PlaceholderGenerator))


def show_heading(generator: Generator, digit: int, seeds: Sequence[int], drawings: Sequence[Drawing]) -> None:
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.header(f"Five drawings of {digit}", anchor=False, width="content")
        if isinstance(generator, PlaceholderGenerator):
            st.badge("placeholders", color="gray")
        elif not generator.is_ours:
            st.badge("your own weights", color="gray")
        st.space("stretch")
        st.download_button(
            "Download all five",
            zip_from_files({drawing.file_name: drawing.png for drawing in drawings}),
            f"{file_stem(generator, digit)}_seeds_{seeds[0]}-{seeds[-1]}.zip",
            "application/zip",
            key="download_all",
            on_click="ignore",
            icon=":material/folder_zip:",
        )


def show_drawings(drawings: Sequence[Drawing]) -> None:
    """Five columns: a picture enlarged, its caption, it at the original size, a button that downloads it."""
    with st.container(key="drawings", gap="xsmall"):
        # In one piece: ten pictures by st.image would take a visitor a third longer to see.
        st.html(f"<div class=pictures>{''.join(map(html_from_drawing, drawings))}</div>")
        with st.container(key="downloads", horizontal=True):
            for number, drawing in enumerate(drawings):
                show_download(drawing, number)
    st.caption("Each picture enlarged, and under it at its original size of 28×28 pixels.")


def html_from_drawing(drawing: Drawing) -> str:
    source = f"data:image/png;base64,{base64.b64encode(drawing.png).decode()}"
    return (
        f'<figure><img class=enlarged src="{source}" alt="{drawing.description}">'
        f"<figcaption>{drawing.caption}</figcaption>"
        f'<img class=original src="{source}" alt="{drawing.description}, original size"></figure>'
    )


def show_download(drawing: Drawing, number: int) -> None:
    st.download_button(
        f"Download {drawing.file_name}",
        drawing.png,
        drawing.file_name,
        "image/png",
        key=f"download_{number}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def show_recipe(generator: Generator, digit: int, seeds: Sequence[int]) -> None:
    command = f"python -m digit_generator generate {digit} --count {len(seeds)} --seed {seeds[0]}"
    if isinstance(generator, PlaceholderGenerator):
        st.caption(f"The same five placeholders again: `{command} --placeholder`")
    else:
        st.caption(f"The same five again, from the weights `{generator.digest[:8]}`: `{command}`")


def show_how_it_works() -> None:
    with st.expander("How it works"):
        st.markdown(HOW_IT_WORKS)


HOW_IT_WORKS = """\
**Drawing.** A seed stands for 100 random numbers. They and the digit you picked go through four layers of a
small network, and out come 784 shades of grey: 28 rows of 28 pixels. The same digit and seed always give the
same picture; another seed gives another one.

**Learning.** The network that draws has never seen a real digit. A second network was shown handwritten
digits from the MNIST collection and drawn ones, and learned to tell them apart; the first learned to fool it.
Then the second was thrown away. What the first has learned is 1.5 million numbers: `generator.pth`.

**In the code.** `mnist_gan_training.py` learns, `digit_generator/generate.py` draws, `app.py` is this page.
"""

if __name__ == "__main__":
    main()
