"""Write a number: what is typed, in one hand, with a box for every character; many at once from a pattern."""

from __future__ import annotations

from typing import Any

import streamlit as st

from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.number import (
    MAX_CHARACTERS,
    Line,
    NumberError,
    checked_text,
    stem_of_text,
    texts_from_pattern,
    write_number,
)
from digit_generator.recipe import STYLE_NAMES, Recipe, style_suffix
from digit_generator.render import png_from_line, zip_from_files
from digit_generator.style import Style, StyleControls, StyleError
from screens import styles
from screens.shared import (
    Address,
    Variant,
    key_of,
    literal,
    new_seed,
    opened,
    sentence,
    show_address,
    show_switches,
    show_title,
    source_from_png,
    trained_generator_or_stop,
    variant_from_address,
    variant_of,
)

FIRST = "2026"
MAX_LINES = 100  # of a pattern, on a page that many share


def main() -> None:
    show_title(
        "Write a number",
        "Dates, prices, telephone numbers: digits, spaces and the signs . , - : / + in one hand.",
    )
    loaded = trained_generator_or_stop()
    asked = opened("number", recipe_from_address)
    generator, variant = variant_of("number", loaded, asked)
    st.session_state.setdefault("number.seed", asked["seed"])
    with st.container(key="number_controls", horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Number",
            asked["text"],
            max_chars=MAX_CHARACTERS,
            key="number.text",
            persist_state="session",
            autocomplete="off",
        )
        st.button("Another hand", type="primary", key="number_hand", on_click=take_another_hand)
    seed = st.session_state["number.seed"]

    controls, problem = styles.controls_or_problem(generator)
    style = Style(**styles.wanted_style("number", asked, controls)) if controls else Style()
    line = show_line(generator, variant, text or "", seed, style, controls)
    with st.expander("Which seed, in what style", key="number_choices", on_change="rerun") as choices:
        if choices.open:
            st.session_state["number.typed_seed"] = seed
            st.number_input("Seed", 0, MAX_SEED, key="number.typed_seed", on_change=take_typed_seed)
            styles.show_style_controls("number", asked, controls, problem)
            show_switches("number", loaded, asked)
    with st.expander("Many at once, to train a reader with", key="number_many", on_change="rerun") as many:
        if many.open:
            show_many(generator, variant, seed, style, controls)
    if line:
        show_address({"text": line.text, "seed": seed, **style.asked, **variant.address})


def recipe_from_address(address: Address) -> dict[str, Any]:
    return {
        "text": address.text("text", MAX_CHARACTERS, FIRST),
        "seed": address.whole("seed", 0, MAX_SEED, 0),
        **{name: address.decimal(name) for name in STYLE_NAMES},
        **variant_from_address(address),
    }


def take_another_hand() -> None:
    st.session_state["number.seed"] = new_seed()


def take_typed_seed() -> None:
    """A seed was typed. An empty field leaves what was drawn."""
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
    """The line, enlarged and at its own size, with what to take away; or a sentence of what is wrong."""
    if not text.strip():
        st.info("Type a number above, such as 2026 or 3.14.", icon=":material/edit:")
        return None
    try:
        keys = key_of(generator), controls.digest if controls else ""
        line = written(keys, text, seed, tuple(style.asked.items()), generator, controls)
    except (NumberError, StyleError) as error:
        st.warning(literal(sentence(error)), icon=":material/edit:")
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
        f"In the hand of seed {seed}: enlarged, and at its original size of {width}×{height} pixels."
        + variant.sentences
    )
    with st.container(key="number_downloads", horizontal=True):
        # As the command line names it.
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
            help="What it reads, and where each character stands: left, top, right and bottom, in pixels.",
        )
    st.caption(f"The same again, from the weights `{generator.digest[:8]}`: `{recipe.command()}`")
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
    """The line, found once for all who ask for the same.

    `keys` are key_of the generator and the digest of the controls.
    """
    checked_text(text)
    return write_number(_generator, text, seed, Style(**dict(style)), _controls)


def show_many(
    generator: DigitGenerator, variant: Variant, seed: int, style: Style, controls: StyleControls | None
) -> None:
    """Random numbers of one form, in as many hands, with their labels: one zip."""
    with st.container(key="many_controls", horizontal=True, vertical_alignment="bottom"):
        pattern = st.text_input(
            "Form, each # a random digit",
            "#####-####",
            max_chars=40,
            key="number.pattern",
            persist_state="session",
            autocomplete="off",
        )
        count = st.slider("How many", 1, MAX_LINES, 20, key="number.count", persist_state="session")
        pressed = st.button("Write them", key="number_write")
    try:
        texts = texts_from_pattern(pattern or "", count, seed)
    except NumberError as error:
        st.warning(literal(sentence(error)), icon=":material/edit:")
        return
    if pressed:
        try:
            archive, name = zip_of_lines(generator, variant, texts, seed, style, controls)
        except StyleError as error:
            st.warning(literal(sentence(error)), icon=":material/edit:")
            return
        told = " ".join(
            [f"{count} numbers {pattern}, seed {seed}", *(f"{n} {v:g}" for n, v in style.asked.items())]
        )
        told = ", ".join([told, *variant.words])
        st.session_state["number.made"] = archive, name, told
    if made := st.session_state.get("number.made"):  # what was made last, whatever is set by now
        archive, name, told = made
        st.download_button(
            literal(f"Download {told}, with labels"),
            archive,
            name,
            "application/zip",
            key="number_zip",
            on_click="ignore",
            icon=":material/folder_zip:",
        )
    words = ["--count", "10000", "--seed", str(seed)]
    words += [*(f"--{name}={value!r}" for name, value in style.asked.items()), *variant.options]
    st.caption(
        f"At most {MAX_LINES} here. As many as you like on your machine: "
        f'`python -m digit_generator number --pattern "{pattern}" {" ".join(words)}`'
    )


def zip_of_lines(
    generator: DigitGenerator,
    variant: Variant,
    texts: list[str],
    seed: int,
    style: Style,
    controls: StyleControls | None,
) -> tuple[bytes, str]:
    """A zip of the lines and their labels, and its name."""
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
    files["labels.jsonl"] = "".join(labels).encode()
    return zip_from_files(files), f"numbers_seed_{seed}{suffix}.zip"


if __name__ == "__main__":
    main()
