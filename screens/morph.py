"""Morph: one digit turns into another, shown as an animation and as a strip of its frames."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.morph import Stop, frame_times, morph
from digit_generator.recipe import Recipe, stem_of_morph, style_suffix
from digit_generator.render import AnimationFormat, animation_from_pixels, sheet_from_pixels
from screens import before
from screens.address import Address, initial_state, show_address
from screens.model import (
    Variant,
    key_of,
    new_seed,
    show_switches,
    trained_generator_or_stop,
    turn,
    variant_from_address,
    variant_of,
)
from screens.picture import image_from_pixels, source_from_bytes, source_from_pixels
from screens.widgets import pick_digit, show_again, show_title

FRAMES = 15  # between the two digits
SMALL = 5  # frames of a morph in the strip Before
MAX_FRAMES = 60  # on a server that many visitors share
SCALE = 8  # of the downloads, as on the command line
START = {"digit": 3, "seed": 0, "to": 8, "to_seed": 1}  # what a visitor sees before the first click


def main() -> None:
    show_title(
        "Morph", "One digit turns into another. Nobody wrote the two digits or the frames between them."
    )
    loaded = trained_generator_or_stop()
    initial = initial_state("morph", state_from_address)
    generator, variant = variant_of("morph", loaded, initial)
    with st.container(key="from_controls", horizontal=True, vertical_alignment="center"):
        st.html("<p class=beside>From</p>", width="content")
        first = pick_digit("From", "digit_from", initial["digit"])
    with st.container(key="to_controls", horizontal=True, vertical_alignment="center"):
        st.html("<p class=beside>to</p>", width="content")
        last = pick_digit("To", "digit_to", initial["to"])
    seeds = st.session_state.setdefault("morph.seeds", (initial["seed"], initial["to_seed"]))
    frames = st.session_state.get("morph.frames", initial["frames"])
    stops = ((first, seeds[0]), (last, seeds[1]))
    st.button("New seeds", type="primary", key="morph_new_seeds", on_click=use_new_seeds)
    shown = st.session_state.get("morph.shown", stops)
    if shown != stops:
        before.keep("morph", shown)
    st.session_state["morph.shown"] = stops
    show_morph(generator, variant, stops, frames)
    show_before(generator)
    with st.expander("Options: frames, seeds", key="morph_options", on_change="rerun") as options:
        if options.open:
            show_options(seeds, initial)
            show_switches("morph", loaded, initial)
    state = {"digit": first, "seed": seeds[0], "to": last, "to_seed": seeds[1], **variant.address}
    if frames != FRAMES:
        state["frames"] = frames
    show_address({} if state == START else state)


def state_from_address(address: Address) -> dict[str, Any]:
    return {
        "digit": address.whole("digit", 0, 9, START["digit"]),
        "seed": address.whole("seed", 0, MAX_SEED, START["seed"]),
        "to": address.whole("to", 0, 9, START["to"]),
        "to_seed": address.whole("to_seed", 0, MAX_SEED, START["to_seed"]),
        "frames": address.whole("frames", 1, MAX_FRAMES, FRAMES),
        **variant_from_address(address),
    }


def use_new_seeds() -> None:
    st.session_state["morph.seeds"] = new_seed(), new_seed()


def bring_back(wanted: tuple[Stop, Stop]) -> None:
    """Show a morph of the strip again; the one shown takes its place."""
    before.swap("morph", wanted, st.session_state["morph.shown"])
    (first, first_seed), (last, last_seed) = wanted
    st.session_state["digit_from"], st.session_state["digit_to"] = first, last
    st.session_state["morph.seeds"] = first_seed, last_seed
    st.session_state["morph.shown"] = wanted


def show_before(generator: DigitGenerator) -> None:
    """The last morphs, each by five of its frames."""

    def drawn(stops: tuple[Stop, Stop]) -> tuple[str, str]:
        (first, first_seed), (last, last_seed) = stops
        pixels = frames_of(key_of(generator), stops, SMALL - 2, generator)
        name = f"the morph from a {first}, seed {first_seed}, to a {last}, seed {last_seed}"
        return name, before.html_of_small(map(source_from_pixels, pixels))

    before.show_strip("morph", drawn, bring_back)


def show_morph(generator: DigitGenerator, variant: Variant, stops: tuple[Stop, Stop], frames: int) -> None:
    """The animation, there and back, beside its frames, and the downloads."""
    (first, first_seed), (last, last_seed) = stops
    there_and_back = (*stops, stops[0])
    pixels = frames_of(key_of(generator), there_and_back, frames, generator)
    there = pixels[: frames + 2]
    times = frame_times(there_and_back, frames_between=frames)
    with turn():
        source = source_from_bytes(animation_from_pixels(pixels, "webp", milliseconds=times), "webp")
    strip = "".join(image_from_pixels(frame, "frame", "") for frame in there)
    st.html(
        f'<div class=morph><img class=moving src="{source}" alt="a {first} turns into a {last} and back">'
        f'<div class=strip role=img aria-label="its {len(there)} frames">{strip}</div></div>'
    )
    st.caption(
        f"From a {first} with seed {first_seed} to a {last} with seed {last_seed} and back, in {len(there)} "
        f"frames each way. All steps are equally large.{variant.sentences}"
    )
    recipe = Recipe.of(generator, stops=there_and_back, frames_between=frames, animated=True, scale=SCALE)
    suffix = style_suffix({}, raw=variant.raw, neat=variant.neat)
    stem = f"{stem_of_morph(there_and_back)}{suffix}"

    def animation(kind: AnimationFormat) -> bytes:
        with turn():
            return animation_from_pixels(
                pixels, kind, milliseconds=times, scale=SCALE, recipe=recipe.to_text()
            )

    def sheet() -> bytes:
        text = Recipe.of(generator, stops=stops, frames_between=frames, scale=SCALE).to_text()
        return sheet_from_pixels(there, columns=len(there), scale=SCALE, recipe=text)

    files = {
        "GIF": (partial(animation, "gif"), f"{stem}.gif", "image/gif"),
        "WebP": (partial(animation, "webp"), f"{stem}.webp", "image/webp"),
        "APNG": (partial(animation, "apng"), f"{stem}.png", "image/png"),
        "strip": (sheet, f"{stem_of_morph(stops)}_strip{suffix}.png", "image/png"),
    }
    with st.container(key="morph_downloads", horizontal=True):
        for kind, (make, name, mime) in files.items():
            st.download_button(
                f"Download {kind}",
                make,  # only on request: making all of them takes longer than the page
                name,
                mime,
                key=f"morph_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
    show_again(
        f"To generate the same animation again with the weights `{generator.digest[:8]}`:", recipe.command()
    )


@st.cache_data(max_entries=100, show_spinner=False)
def frames_of(
    key: tuple[object, ...], stops: tuple[Stop, ...], frames: int, _generator: DigitGenerator
) -> npt.NDArray[np.uint8]:
    """Frames, uint8 [F, 28, 28], made once for all visitors who ask for the same.

    `key` is key_of the generator.
    """
    with turn():
        return morph(_generator, stops, frames_between=frames)


def show_options(seeds: tuple[int, int], initial: dict[str, Any]) -> None:
    st.slider(
        "Frames between the two digits",
        1,
        MAX_FRAMES,
        initial["frames"],
        key="morph.frames",
        persist_state="session",
    )
    with st.container(key="morph_seeds", horizontal=True):
        for number, label in enumerate(("Seed of the first digit", "Seed of the last digit")):
            key = f"morph.typed_seed_{number}"
            st.session_state[key] = seeds[number]
            st.number_input(label, 0, MAX_SEED, key=key, on_change=use_typed_seed, args=(number,))


def use_typed_seed(number: int) -> None:
    """A seed was typed. An empty field changes nothing."""
    typed = st.session_state[f"morph.typed_seed_{number}"]
    if typed is not None:
        seeds = list(st.session_state["morph.seeds"])
        seeds[number] = typed
        st.session_state["morph.seeds"] = tuple(seeds)


if __name__ == "__main__":
    main()
