"""Write a number: a typed text in one handwriting, with a box per character; or many texts from a pattern."""

from __future__ import annotations

from typing import Any

import streamlit as st

from digit_generator.files import zip_from_files
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.number import (
    Line,
    NumberError,
    checked_text,
    texts_from_pattern,
    write_number,
)
from digit_generator.recipe import MAX_CHARACTERS, Recipe, stem_of_text, style_suffix
from digit_generator.render import png_from_line
from digit_generator.style import Style, StyleControls, StyleError
from screens import styles
from screens.address import Address, initial_state, show_address, style_from_address, style_names
from screens.model import (
    Variant,
    command,
    key_of,
    new_seed,
    show_switches,
    trained_generator_or_stop,
    variant_from_address,
    variant_of,
)
from screens.picture import source_from_png
from screens.widgets import escape_markdown, sentence, show_title

START = {"text": "2026", "seed": 0}  # what a visitor sees before the first click
MAX_LINES = 100  # from a pattern, on a server that many visitors share
MAX_PATTERN = 40  # characters


def main() -> None:
    show_title(
        "Write a number",
        "Dates, prices and phone numbers: digits, spaces and the signs . , - : / + € $ £ % ( ) "
        "in one handwriting.",
    )
    loaded = trained_generator_or_stop()
    initial = initial_state("number", state_from_address)
    generator, variant = variant_of("number", loaded, initial)
    st.session_state.setdefault("number.seed", initial["seed"])
    with st.container(key="number_controls", horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Number",
            initial["text"],
            max_chars=MAX_CHARACTERS,
            key="number.text",
            persist_state="session",
            autocomplete="off",
        )
        st.button("New seed", type="primary", key="number_new_seed", on_click=use_new_seed)
    seed = st.session_state["number.seed"]

    controls, problem = styles.controls_or_problem(generator)
    style = Style(**styles.wanted_style("number", initial, controls)) if controls else Style()
    line = show_line(generator, variant, text or "", seed, style, controls)
    styled = bool(style_names(initial))
    with st.expander("Options: seed, style", styled, key="number_options", on_change="rerun") as options:
        if options.open:
            st.session_state["number.typed_seed"] = seed
            st.number_input("Seed", 0, MAX_SEED, key="number.typed_seed", on_change=use_typed_seed)
            styles.show_style_controls("number", initial, controls, problem)
            show_switches("number", loaded, initial)
    with st.expander("Many numbers, as training data", key="number_many", on_change="rerun") as many:
        if many.open:
            show_many(generator, variant, seed, style, controls)
    if line:
        show_address({"text": line.text, "seed": seed, **style.asked, **variant.address})


def state_from_address(address: Address) -> dict[str, Any]:
    return {
        "text": address.text("text", MAX_CHARACTERS, START["text"]),
        "seed": address.whole("seed", 0, MAX_SEED, START["seed"]),
        **style_from_address(address),
        **variant_from_address(address),
    }


def use_new_seed() -> None:
    st.session_state["number.seed"] = new_seed()


def use_typed_seed() -> None:
    """A seed was typed. An empty field changes nothing."""
    if st.session_state["number.typed_seed"] is not None:
        st.session_state["number.seed"] = st.session_state["number.typed_seed"]


def show_line(
    generator: DigitGenerator,
    variant: Variant,
    text: str,
    seed: int,
    style: Style,
    controls: StyleControls | None,
) -> Line | None:
    """The line, enlarged and at its original size, with downloads; or a sentence on what is wrong."""
    if not text.strip():
        st.info("Type a number above, such as 2026 or 3.14.", icon=":material/edit:")
        return None
    try:
        keys = key_of(generator), controls.digest if controls else ""
        line = written(keys, text, seed, tuple(style.asked.items()), generator, controls)
    except (NumberError, StyleError) as error:
        st.warning(escape_markdown(sentence(error)), icon=":material/edit:")
        return None
    recipe = Recipe.of(generator, text=text, seed=seed, style=style.asked, controls=controls)
    png = png_from_line(line.picture, recipe=recipe.to_text())
    source = source_from_png(png)
    height, width = line.picture.shape
    st.html(
        f'<figure class=line><img class=enlarged style="--width: {width}; --height: {height}" src="{source}" '
        f'alt="{text}, handwritten-style">'
        f'<img class=original src="{source}" alt="{text}, original size"></figure>'
    )
    st.caption(
        f"The handwriting of seed {seed}, enlarged and at its original size of {width}×{height} pixels."
        + variant.sentences
    )
    with st.container(key="number_downloads", horizontal=True):
        stem = f"{stem_of_text(line.text)}_seed_{seed}{style_suffix(style.asked, raw=variant.raw)}"
        st.download_button(
            "Download PNG",
            png,
            f"{stem}.png",
            "image/png",
            key="number_png",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Download boxes",
            line.label(f"{stem}.png", seed) + "\n",
            f"{stem}.jsonl",
            "application/jsonl",
            key="number_boxes",
            on_click="ignore",
            icon=":material/crop_free:",
            help="The text, and the box of each character: left, top, right and bottom, in pixels.",
        )
    st.caption(
        f"To generate the same image again with the weights `{generator.digest[:8]}`: `{recipe.command()}`"
    )
    return line


@st.cache_data(max_entries=200, show_spinner=False)
def written(
    keys: tuple[object, ...],
    text: str,
    seed: int,
    style: tuple[tuple[str, float], ...],
    _generator: DigitGenerator,
    _controls: StyleControls | None,
) -> Line:
    """The line, made once for all visitors who ask for the same.

    `keys` are key_of the generator and the digest of the controls.
    """
    checked_text(text)
    return write_number(_generator, text, seed, Style(**dict(style)), _controls)


def show_many(
    generator: DigitGenerator, variant: Variant, seed: int, style: Style, controls: StyleControls | None
) -> None:
    """Random numbers from one pattern, each with its own seed, and their labels, as one zip."""
    with st.container(key="many_controls", horizontal=True, vertical_alignment="bottom"):
        pattern = st.text_input(
            "Pattern: each # is a random digit",
            "#####-####",
            max_chars=MAX_PATTERN,
            key="number.pattern",
            persist_state="session",
            autocomplete="off",
        )
        count = st.slider("How many", 1, MAX_LINES, 20, key="number.count", persist_state="session")
        pressed = st.button("Make the zip", key="number_write")
    try:
        texts = texts_from_pattern(pattern or "", count, seed)
    except NumberError as error:
        st.warning(escape_markdown(sentence(error)), icon=":material/edit:")
        return
    if pressed:
        try:
            archive, name = zip_of_lines(generator, variant, texts, seed, style, controls)
        except StyleError as error:
            st.warning(escape_markdown(sentence(error)), icon=":material/edit:")
            return
        told = " ".join(
            [f"{count} numbers {pattern}, seed {seed}", *(f"{n} {v:g}" for n, v in style.asked.items())]
        )
        told = ", ".join([told, *variant.words])
        st.session_state["number.made"] = archive, name, told
    if made := st.session_state.get("number.made"):  # the last zip, even if the settings have changed since
        archive, name, told = made
        st.download_button(
            escape_markdown(f"Download {told}, with labels"),
            archive,
            name,
            "application/zip",
            key="number_zip",
            on_click="ignore",
            icon=":material/folder_zip:",
        )
    many = command(
        ["number", "--pattern", pattern, "--count", "10000", "--seed", str(seed)], style.asked, variant
    )
    st.caption(f"This page makes at most {MAX_LINES}. For more, run this on your own machine: `{many}`")


def zip_of_lines(
    generator: DigitGenerator,
    variant: Variant,
    texts: list[str],
    seed: int,
    style: Style,
    controls: StyleControls | None,
) -> tuple[bytes, str]:
    """A zip of the lines and their labels, and its file name."""
    seed = min(seed, MAX_SEED - len(texts) + 1)
    files, labels, suffix = {}, [], style_suffix(style.asked, raw=variant.raw)
    bar = st.progress(0.0, "Writing ...")
    for index, text in enumerate(texts):
        line = write_number(generator, text, seed + index, style, controls)
        name = f"line_seed_{seed + index}{suffix}.png"
        recipe = Recipe.of(generator, text=text, seed=seed + index, style=style.asked, controls=controls)
        files[name] = png_from_line(line.picture, recipe=recipe.to_text())
        labels.append(line.label(name, seed + index) + "\n")
        bar.progress((index + 1) / len(texts), f"Writing {index + 1} of {len(texts)}")
    bar.empty()
    files["metadata.jsonl"] = "".join(labels).encode()
    return zip_from_files(files), f"numbers_seed_{seed}{suffix}.zip"


if __name__ == "__main__":
    main()
