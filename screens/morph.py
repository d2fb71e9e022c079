"""Morph: one digit turns into another, as an animation and as a strip of its frames."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.morph import Stop, frame_times, morph
from digit_generator.recipe import Recipe, style_suffix
from digit_generator.render import AnimationFormat, animation_from_pixels, sheet_from_pixels
from screens.shared import (
    Address,
    Variant,
    image_from_pixels,
    key_of,
    new_seed,
    opened,
    pick_digit,
    show_address,
    show_switches,
    show_title,
    source_from_bytes,
    trained_generator_or_stop,
    variant_from_address,
    variant_of,
)

FRAMES = 15  # between the two
MAX_FRAMES = 60
SCALE = 8  # of what is downloaded, as on the command line
START = {"digit": 3, "seed": 0, "to": 8, "to_seed": 1}


def main() -> None:
    show_title(
        "Morph", "One digit turns into another. Everything between them has never been written, either."
    )
    loaded = trained_generator_or_stop()
    asked = opened("morph", recipe_from_address)
    generator, variant = variant_of("morph", loaded, asked)
    with st.container(key="from_controls", horizontal=True, vertical_alignment="center"):
        st.html("<p class=beside>From</p>", width="content")
        first = pick_digit("From", "digit_from", asked["digit"])
    with st.container(key="to_controls", horizontal=True, vertical_alignment="center"):
        st.html("<p class=beside>to</p>", width="content")
        last = pick_digit("To", "digit_to", asked["to"])
    seeds = st.session_state.setdefault("morph.seeds", (asked["seed"], asked["to_seed"]))
    frames = st.session_state.get("morph.frames", asked["frames"])
    stops = ((first, seeds[0]), (last, seeds[1]))
    st.button("Other hands", type="primary", key="morph_hands", on_click=take_other_hands)
    show_morph(generator, variant, stops, frames)
    with st.expander("How many frames, which seeds", key="morph_choices", on_change="rerun") as choices:
        if choices.open:
            show_choices(seeds, asked)
            show_switches("morph", loaded, asked)
    recipe = {"digit": first, "seed": seeds[0], "to": last, "to_seed": seeds[1], **variant.address}
    if frames != FRAMES:
        recipe["frames"] = frames
    show_address({} if recipe == START else recipe)


def recipe_from_address(address: Address) -> dict[str, Any]:
    return {
        "digit": address.whole("digit", 0, 9, START["digit"]),
        "seed": address.whole("seed", 0, MAX_SEED, START["seed"]),
        "to": address.whole("to", 0, 9, START["to"]),
        "to_seed": address.whole("to_seed", 0, MAX_SEED, START["to_seed"]),
        "frames": address.whole("frames", 1, MAX_FRAMES, FRAMES),
        **variant_from_address(address),
    }


def take_other_hands() -> None:
    st.session_state["morph.seeds"] = new_seed(), new_seed()


def show_morph(generator: DigitGenerator, variant: Variant, stops: tuple[Stop, Stop], frames: int) -> None:
    """The animation, there and back, beside what it is made of, and what to take away."""
    (first, first_seed), (last, last_seed) = stops
    there_and_back = (*stops, stops[0])
    pixels = frames_of(key_of(generator), there_and_back, frames, generator)
    there = pixels[: frames + 2]
    times = frame_times(there_and_back, frames_between=frames)
    source = source_from_bytes(animation_from_pixels(pixels, "webp", milliseconds=times), "webp")
    strip = "".join(image_from_pixels(frame, "frame", "") for frame in there)
    st.html(
        f'<div class=morph><img class=moving src="{source}" alt="a {first} turns into a {last} and back">'
        f'<div class=strip role=img aria-label="its {len(there)} frames">{strip}</div></div>'
    )
    st.caption(
        f"From a {first} of seed {first_seed} to a {last} of seed {last_seed} in {len(there)} frames, "
        f"all steps equally large; and back.{variant.sentences}"
    )
    recipe = Recipe.of(generator, stops=there_and_back, frames_between=frames, animated=True, scale=SCALE)
    stem = f"morph_{first}-{last}_seeds_{first_seed}-{last_seed}"
    suffix = style_suffix({}, raw=variant.raw)

    def animation(kind: AnimationFormat) -> bytes:
        return animation_from_pixels(pixels, kind, milliseconds=times, scale=SCALE, recipe=recipe.to_text())

    def sheet() -> bytes:
        text = Recipe.of(generator, stops=stops, frames_between=frames, scale=SCALE).to_text()
        return sheet_from_pixels(there, columns=len(there), scale=SCALE, recipe=text)

    files = {
        "GIF": (partial(animation, "gif"), f"{stem}{suffix}.gif", "image/gif"),
        "WebP": (partial(animation, "webp"), f"{stem}{suffix}.webp", "image/webp"),
        "APNG": (partial(animation, "apng"), f"{stem}{suffix}.png", "image/png"),
        "strip": (sheet, f"{stem}_strip{suffix}.png", "image/png"),
    }
    with st.container(key="morph_downloads", horizontal=True):
        for kind, (make, name, mime) in files.items():
            st.download_button(
                f"Download {kind}",
                make,  # when it is asked for: to make them all takes longer than the page
                name,
                mime,
                key=f"morph_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
    st.caption(f"The same again, from the weights `{generator.digest[:8]}`: `{recipe.command()}`")


@st.cache_data(max_entries=100, show_spinner=False)
def frames_of(
    key: tuple[str, int, str], stops: tuple[Stop, ...], frames: int, _generator: DigitGenerator
) -> npt.NDArray[np.uint8]:
    """Pixels, uint8 [F, 28, 28], found once for all who ask for the same; `key` is key_of the generator."""
    return morph(_generator, stops, frames_between=frames)


def show_choices(seeds: tuple[int, int], asked: dict[str, Any]) -> None:
    st.slider(
        "Frames between the two", 1, MAX_FRAMES, asked["frames"], key="morph.frames", persist_state="session"
    )
    with st.container(key="morph_seeds", horizontal=True):
        for number, label in enumerate(("Seed of the first", "Seed of the last")):
            key = f"morph.typed_seed_{number}"
            st.session_state[key] = seeds[number]
            st.number_input(label, 0, MAX_SEED, key=key, on_change=take_typed_seed, args=(number,))


def take_typed_seed(number: int) -> None:
    """A seed was typed. An empty field leaves what was drawn."""
    typed = st.session_state[f"morph.typed_seed_{number}"]
    if typed is not None:
        seeds = list(st.session_state["morph.seeds"])
        seeds[number] = typed
        st.session_state["morph.seeds"] = tuple(seeds)


if __name__ == "__main__":
    main()
