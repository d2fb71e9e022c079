"""Make a data set: labelled digits in MNIST's own format or another, as a zip with a manifest."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import streamlit as st

from digit_generator.dataset import DatasetError, write_dataset
from digit_generator.files import zip_from_files
from digit_generator.generate import MAX_SEED, DigitGenerator, latents_from_seeds
from digit_generator.recipe import style_suffix
from digit_generator.style import Style, StyleControls, StyleError
from screens import styles
from screens.address import Address, initial_state, show_address, style_from_address, style_names
from screens.model import (
    command,
    key_of,
    show_switches,
    trained_generator_or_stop,
    variant_from_address,
    variant_of,
)
from screens.widgets import escape_markdown, sentence, show_again, show_title

MAX_COUNT = 10_000  # images, on a server that many visitors share
LONG = 10  # seconds, from which on a visitor is told before
MAX_STYLED = 500  # images with a style, which take a hundred times as long
DIGITS = "0123456789"
FORMATS = {
    "idx": "IDX, like MNIST itself",
    "npz": "NPZ, for NumPy",
    "png": "PNG files and a CSV",
    "parquet": "Parquet, for Hugging Face datasets",
}
START = {"count": 1000, "format": "idx", "seed": 0}  # what a visitor sees before the first click


def main() -> None:
    show_title("Make a data set", "Labelled digits that nobody wrote, for training or testing, as one zip.")
    loaded = trained_generator_or_stop()
    initial = initial_state("dataset", state_from_address)
    generator, variant = variant_of("dataset", loaded, initial)
    controls, problem = styles.controls_or_problem(generator)
    shape: styles.Shape = {}
    if controls:
        keys = key_of(generator), controls.digest
        shape = styles.shape_of(keys, tuple(range(10)), 0, generator, controls)
    order = ask(loaded, initial, controls, problem, shape) | {"variant": variant}
    show_estimate(generator, controls, order)
    if st.button("Make the data set", type="primary", key="dataset_make"):
        make(generator, controls, order)
    show_made()
    show_command(order)
    state = {name: order[name] for name in START} | order["style"] | variant.address
    if len(order["digits"]) < 10:
        state["digits"] = "".join(map(str, order["digits"]))
    show_address({} if state == START else state)


def state_from_address(address: Address) -> dict[str, Any]:
    state: dict[str, Any] = {
        "count": address.whole("count", 1, MAX_COUNT, START["count"]),
        "seed": address.whole("seed", 0, MAX_SEED, START["seed"]),
        "digits": [int(digit) for digit in sorted({*address.text("digits", 10, DIGITS)} & {*DIGITS})],
        "format": address.text("format", max(map(len, FORMATS)), START["format"]),
        **style_from_address(address),
        **variant_from_address(address),
    }
    if not state["digits"]:
        address.refuse("digits", "one or more of 0 to 9, such as 147")
        state["digits"] = [*range(10)]
    if state["format"] not in FORMATS:
        address.refuse("format", ", ".join(FORMATS))
        state["format"] = START["format"]
    return state


def ask(
    generator: DigitGenerator,
    initial: dict[str, Any],
    controls: StyleControls | None,
    problem: str,
    shape: styles.Shape,
) -> dict[str, Any]:
    """The form: how many images, which digits, which format; seed and style in an expander."""
    count = st.number_input(
        f"How many images, 1 to {MAX_COUNT:,}",
        1,
        MAX_COUNT,
        initial["count"],
        key="dataset.count",
        persist_state="session",
    )
    digits = st.pills(
        "Digits, in equal shares",
        range(10),
        selection_mode="multi",
        default=initial["digits"] or [*range(10)],
        key="dataset.digits",
        persist_state="session",
    )
    format = st.radio(
        "Format",
        list(FORMATS),
        index=list(FORMATS).index(initial["format"]),
        format_func=FORMATS.__getitem__,
        key="dataset.format",
        persist_state="session",
        horizontal=True,
    )
    seed = st.session_state.get("dataset.seed", initial["seed"])
    styled = bool(style_names(initial))
    with st.expander("Options: seed, style", styled, key="dataset_options", on_change="rerun") as options:
        if options.open:
            seed = st.number_input(
                "Seed", 0, MAX_SEED, initial["seed"], key="dataset.seed", persist_state="session"
            )
            styles.show_style_controls("dataset", initial, controls, problem, shape)
            show_switches("dataset", generator, initial)
    style = styles.wanted_style("dataset", initial, controls, shape) if controls else {}
    count = count or initial["count"]  # an empty field
    return {"count": count, "digits": sorted(digits), "format": format, "seed": seed or 0, "style": style}


def show_estimate(
    generator: DigitGenerator, controls: StyleControls | None, order: Mapping[str, Any]
) -> None:
    """How long a set in a style takes on this server, where that is over ten seconds."""
    if not (order["style"] and controls and order["digits"] and order["count"] <= MAX_STYLED):
        return
    keys = key_of(generator), controls.digest
    seconds = order["count"] * seconds_of_a_style(keys, generator, controls)
    if seconds > LONG:
        st.caption(f"With a style, {order['count']} images take about {seconds:.0f} seconds here.")


@st.cache_data(max_entries=1, show_spinner=False)
def seconds_of_a_style(
    keys: tuple[object, ...], _generator: DigitGenerator, _controls: StyleControls
) -> float:
    """How long this server takes for the style of one image, measured once on one of each digit."""
    digits = range(10)
    styles_of_all = [Style(thickness=sum(_controls.ranges(digit)["thickness"]) / 2) for digit in digits]
    z = latents_from_seeds(digits)
    begun = perf_counter()
    _controls.latents(z, digits, styles_of_all)
    return (perf_counter() - begun) / len(digits)


@st.cache_resource
def dataset_lock() -> threading.Lock:
    """Held while a set is made: one at a time, so that visitors of the other pages do not have to wait."""
    return threading.Lock()


def make(generator: DigitGenerator, controls: StyleControls | None, order: Mapping[str, Any]) -> None:
    """Make the set and keep its zip for this visitor, or say why not in one sentence."""
    if not order["digits"]:
        st.warning("No digit is selected: select at least one.", icon=":material/edit:")
        return
    if order["style"] and order["count"] > MAX_STYLED:
        st.warning(
            f"A set with a style can have at most {MAX_STYLED:,} images on this page, not "
            f"{order['count']:,}, because finding a style takes a hundred times as long. Choose fewer images "
            "or no style, or run the command below.",
            icon=":material/edit:",
        )
        return
    waiting = "Waiting for another visitor's set ..."
    bar, stop = st.progress(0.0, waiting if dataset_lock().locked() else "Generating ..."), st.empty()
    stop.button("Stop", key="dataset_stop")  # a press ends this run at the next step of the bar
    try:
        with dataset_lock():
            made = zip_of_set(generator, controls, order, bar)
            st.session_state["dataset.made"] = made | {
                "zip": Kept(made["zip"]),
                "megabytes": len(made["zip"]) / 1e6,
            }
    except (DatasetError, StyleError, OSError) as error:
        st.warning(escape_markdown(sentence(error)), icon=":material/warning:")
    bar.empty()
    stop.empty()


class Kept:
    """A zip on the disk instead of in memory, until its visitor makes another or is gone for minutes."""

    def __init__(self, data: bytes) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._file.write(data)

    def __del__(self) -> None:
        self._file.close()  # the file is gone with it

    def read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()


def zip_of_set(
    generator: DigitGenerator, controls: StyleControls | None, order: Mapping[str, Any], bar: Any
) -> dict[str, Any]:
    """The zip with its name and its manifest."""
    count, done = order["count"], 0

    def progress(images: int) -> None:
        nonlocal done
        done += images
        bar.progress(min(done / count, 1.0), f"Generating {done:,} of {count:,}")

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
    suffix = style_suffix(order["style"], raw=order["variant"].raw, neat=order["variant"].neat)
    name = f"digits_{count}_{order['format']}_seed_{order['seed']}{suffix}.zip"
    return {"zip": archive, "name": name, "manifest": manifest, "order": dict(order)}


def show_made() -> None:
    """The last set that was made: its download, and how often each digit is in it."""
    made = st.session_state.get("dataset.made")
    if not made:
        return
    part = made["manifest"]["parts"]["train"]
    with st.container(key="dataset_made", border=True):
        st.markdown(
            f"**Ready: {part['count']:,} images, {FORMATS[made['order']['format']]}.** Contents: "
            + ", ".join(f"{count:,} × {digit}" for digit, count in enumerate(part["count_of_digit"]) if count)
            + f". Seed: {made['order']['seed']}{styles.in_words(made['order']['style'])}. "
            "`manifest.json` has the details." + made["order"]["variant"].sentences
        )
        st.download_button(
            f"Download {made['name']} ({made['megabytes']:.1f} MB)",
            made["zip"].read,  # only on request: Streamlit keeps in memory what it is given
            made["name"],
            "application/zip",
            key="dataset_zip",
            on_click="ignore",
            icon=":material/folder_zip:",
        )


def show_command(order: Mapping[str, Any]) -> None:
    arguments = ["dataset", str(order["count"]), "--format", order["format"], "--seed", str(order["seed"])]
    if 0 < len(order["digits"]) < 10:
        arguments += ["--shares", ",".join(f"{digit}:1" for digit in order["digits"])]
    show_again(
        f"This page makes at most {MAX_COUNT:,} images. To make the same set, or one of millions, on your "
        "own machine:",
        command(arguments, order["style"], order["variant"]),
    )


if __name__ == "__main__":
    main()
