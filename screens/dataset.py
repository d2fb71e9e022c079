"""Make a data set: labelled digits in MNIST's own format or another, as a zip with a manifest."""

from __future__ import annotations

import shlex
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from digit_generator.dataset import DatasetError, write_dataset
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.recipe import STYLE_NAMES, style_suffix
from digit_generator.render import zip_from_files
from digit_generator.style import Style, StyleControls, StyleError
from screens import styles
from screens.shared import (
    Address,
    literal,
    opened,
    sentence,
    show_address,
    show_switches,
    show_title,
    trained_generator_or_stop,
    variant_from_address,
    variant_of,
)

MAX_COUNT = 10_000  # images, on a server that many share
MAX_STYLED = 500  # to find a style takes a hundred times as long
FORMATS = {
    "idx": "IDX, as MNIST itself",
    "npz": "NPZ, for NumPy",
    "png": "PNG files and a CSV",
    "parquet": "Parquet, for Hugging Face datasets",
}
START = {"count": 1000, "format": "idx", "seed": 0}


def main() -> None:
    show_title(
        "Make a data set", "Labelled digits that nobody wrote, to train with or to test with, as one zip."
    )
    loaded = trained_generator_or_stop()
    asked = opened("dataset", recipe_from_address)
    generator, variant = variant_of("dataset", loaded, asked)
    controls, problem = styles.controls_or_problem(generator)
    order = ask(loaded, asked, controls, problem) | {"variant": variant}
    if st.button("Make it", type="primary", key="dataset_make"):
        make(generator, controls, order)
    show_made()
    show_command(order)
    recipe = {name: order[name] for name in START} | order["style"] | variant.address
    if len(order["digits"]) < 10:
        recipe["digits"] = "".join(map(str, order["digits"]))
    show_address({} if recipe == START else recipe)


def recipe_from_address(address: Address) -> dict[str, Any]:
    recipe: dict[str, Any] = {
        "count": address.whole("count", 1, MAX_COUNT, START["count"]),
        "seed": address.whole("seed", 0, MAX_SEED, START["seed"]),
        "digits": [
            int(digit) for digit in sorted({*address.text("digits", 10, "0123456789")} & {*"0123456789"})
        ],
        "format": address.text("format", 7, "idx"),
        **{name: address.decimal(name) for name in STYLE_NAMES},
        **variant_from_address(address),
    }
    if not recipe["digits"]:
        address.refuse("digits", "one or more of 0 to 9, such as 147")
        recipe["digits"] = [*range(10)]
    if recipe["format"] not in FORMATS:
        address.refuse("format", ", ".join(FORMATS))
        recipe["format"] = "idx"
    return recipe


def ask(
    generator: DigitGenerator, asked: dict[str, Any], controls: StyleControls | None, problem: str
) -> dict[str, Any]:
    """The form: how many, of which digits, in which format; seed and style behind a line that opens."""
    count = st.slider(
        "How many images", 1, MAX_COUNT, asked["count"], key="dataset.count", persist_state="session"
    )
    digits = st.pills(
        "Of which digits, in equal shares",
        range(10),
        selection_mode="multi",
        default=asked["digits"] or [*range(10)],
        key="dataset.digits",
        persist_state="session",
    )
    format = st.radio(
        "Format",
        list(FORMATS),
        index=list(FORMATS).index(asked["format"]),
        format_func=FORMATS.__getitem__,
        key="dataset.format",
        persist_state="session",
        horizontal=True,
    )
    seed = st.session_state.get("dataset.seed", asked["seed"])
    with st.expander("Which seed, in what style", key="dataset_choices", on_change="rerun") as choices:
        if choices.open:
            seed = st.number_input(
                "Seed", 0, MAX_SEED, asked["seed"], key="dataset.seed", persist_state="session"
            )
            styles.show_style_controls("dataset", asked, controls, problem)
            show_switches("dataset", generator, asked)
    style = styles.wanted_style("dataset", asked, controls) if controls else {}
    return {"count": count, "digits": sorted(digits), "format": format, "seed": seed or 0, "style": style}


@st.cache_resource
def turn() -> threading.Lock:
    """Held while a set is made: one after another, so that those who only draw do not have to wait."""
    return threading.Lock()


def make(generator: DigitGenerator, controls: StyleControls | None, order: Mapping[str, Any]) -> None:
    """Make the set and keep its zip for this visitor, or say in one sentence why not."""
    if not order["digits"]:
        st.warning("No digit is chosen: press one at least.", icon=":material/edit:")
        return
    if order["style"] and order["count"] > MAX_STYLED:
        st.warning(
            f"With a style a set can have {MAX_STYLED:,} images here, not {order['count']:,}: to "
            f"find a style "
            "takes a hundred times as long. Choose fewer, no style, or the command below.",
            icon=":material/edit:",
        )
        return
    bar = st.progress(0.0, "Waiting for another visitor's set ..." if turn().locked() else "Drawing ...")
    try:
        with turn():
            st.session_state["dataset.made"] = zip_of_set(generator, controls, order, bar)
    except (DatasetError, StyleError, OSError) as error:
        st.warning(literal(sentence(error)), icon=":material/warning:")
    bar.empty()


def zip_of_set(
    generator: DigitGenerator, controls: StyleControls | None, order: Mapping[str, Any], bar: Any
) -> dict[str, Any]:
    """The zip with its name and its manifest."""
    count, done = order["count"], 0

    def progress(images: int) -> None:
        nonlocal done
        done += images
        bar.progress(min(done / count, 1.0), f"Drawing: {done:,} of {count:,}")

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        manifest = write_dataset(
            out,
            generator,
            count,
            format=order["format"],
            shares=dict.fromkeys(order["digits"], 1.0),
            seed=order["seed"],
            style=Style(**order["style"]) if order["style"] else None,
            controls=controls if order["style"] else None,
            progress=progress,
        )
        paths = sorted(path for path in out.rglob("*") if path.is_file())
        archive = zip_from_files({path.relative_to(out).as_posix(): path.read_bytes() for path in paths})
    suffix = style_suffix({}, raw=order["variant"].raw)
    name = f"digits_{count}_{order['format']}_seed_{order['seed']}{suffix}.zip"
    return {"zip": archive, "name": name, "manifest": manifest, "order": dict(order)}


def show_made() -> None:
    """What was made last, until something else is: to download, and how often each digit is in it."""
    made = st.session_state.get("dataset.made")
    if not made:
        return
    part = made["manifest"]["parts"]["train"]
    with st.container(key="dataset_made", border=True):
        st.markdown(
            f"**Ready: {part['count']:,} images, {FORMATS[made['order']['format']]}.** In it: "
            + ", ".join(f"{count:,} × {digit}" for digit, count in enumerate(part["count_of_digit"]) if count)
            + f". Made from seed {made['order']['seed']}; `manifest.json` says the rest."
            + made["order"]["variant"].sentences
        )
        st.download_button(
            f"Download {made['name']} ({len(made['zip']) / 1e6:.1f} MB)",
            made["zip"],
            made["name"],
            "application/zip",
            key="dataset_zip",
            on_click="ignore",
            icon=":material/folder_zip:",
        )


def show_command(order: Mapping[str, Any]) -> None:
    words = ["dataset", str(order["count"]), "--format", order["format"], "--seed", str(order["seed"])]
    if 0 < len(order["digits"]) < 10:
        words += ["--shares", ",".join(f"{digit}:1" for digit in order["digits"])]
    words += [f"--{name}={value!r}" for name, value in order["style"].items()]
    words += order["variant"].options
    st.caption(
        f"At most {MAX_COUNT:,} images here. The same set, or one of millions, on your machine: "
        f"`python -m digit_generator {shlex.join(words)}`"
    )


if __name__ == "__main__":
    main()
