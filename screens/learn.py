"""How it learns: the two networks, the digits epoch by epoch, the finish, z to change, and how good it is.

The sheets and losses come from docs/training/best, the figures from docs/quality.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from digit_generator.finish import scans
from digit_generator.generate import MAX_SEED, DigitGenerator, latents_from_seeds
from digit_generator.render import digits_from_training_sheet, png_from_line
from screens import ROOT
from screens.address import Address, initial_state, show_address
from screens.chart import chart
from screens.latents import latents_component, sprite_from_pixels
from screens.model import generator_or_placeholder, key_of, new_seed, turn
from screens.picture import image_from_pixels, source_from_png
from screens.widgets import pick_digit, show_title

TRAINING = ROOT / "docs" / "training" / "best"
CARD = ROOT / "docs" / "quality.json"
FAULTS = ROOT / "docs" / "quality" / "least-liked.png"
START = {"digit": 3, "seed": 0}  # what a visitor sees before the first click
STRIP_SEEDS = 5  # of the ten on every sheet
COUNTED_SEEDS = 100  # the page says for how many of these the first z is rejected
SLIDERS = 6
FRAMES = np.linspace(-3, 3, 31)  # the positions of a slider; three in a thousand of N(0, 1) lie beyond


def main() -> None:
    show_title(
        "How it learns",
        "Two networks compete: one generates digits, the other tries to tell them from real ones. This page "
        "follows them from the first epoch to the last.",
    )
    initial = initial_state("learn", state_from_address)
    generator, _ = generator_or_placeholder()
    trained = generator if isinstance(generator, DigitGenerator) else None
    show_networks(trained)
    digit = show_film_strip(initial["digit"])
    st.session_state.setdefault("learn.seed", initial["seed"])
    show_stages(trained, digit)
    show_latents(trained, digit)
    show_losses()
    show_card(trained)
    seed = st.session_state["learn.seed"]
    state = {"digit": digit, "seed": seed}
    show_address({} if state == START else state)


def state_from_address(address: Address) -> dict[str, Any]:
    return {
        "digit": address.whole("digit", 0, 9, START["digit"]),
        "seed": address.whole("seed", 0, MAX_SEED, START["seed"]),
    }


def show_networks(generator: DigitGenerator | None) -> None:
    st.header("Two networks", anchor=False)
    sample = ""
    if generator:
        sample = image_from_pixels(generator.variant(raw=True).digits(3, [1])[0], "sample", "a generated 3")
    st.html(
        "<div class=networks>"
        + network("Generator", ["100 random numbers and a digit", 256, 512, 1024, f"{sample}784 pixels"])
        + network("Discriminator", [f"{sample}784 pixels and a digit", 1024, 512, 256, "how real it looks"])
        + "</div>"
    )
    st.markdown(
        "**The generator** receives a hundred random numbers, called z, and the digit to generate. Layer by "
        "layer it turns them into 784 shades of grey. At first the result is noise, because its 1.5 million "
        "weights are random too.\n\n"
        "**The discriminator** receives a picture and a digit. Half of the pictures are real, from MNIST; "
        "half are generated. It says how real each picture looks. Then it is told which ones were real and "
        "adjusts its weights a little, to be right more often. After that, the generator adjusts its own "
        "weights, to be found out less often. It never sees a real digit: it learns only from what the "
        "discriminator would have rated as more real. One epoch is one pass over MNIST's 60,000 training "
        "images."
    )


def network(title: str, layers: Sequence[int | str]) -> str:
    """One row of boxes: a bar for each layer, as high as the layer is wide, and words at both ends."""
    boxes = "".join(
        f"<li style='--units: {layer}'><i></i><span>{layer:,} units</span></li>"
        if isinstance(layer, int)
        else f"<li class=end>{layer}</li>"
        for layer in layers
    )
    return f"<figure><figcaption>{title}</figcaption><ol>{boxes}</ol></figure>"


def show_film_strip(first: int) -> int:
    """Digits of the same z at every epoch that has a sheet. Returns the digit that is picked."""
    st.header("The same random numbers, epoch by epoch", anchor=False)
    digit = pick_digit("Digit to follow", "digit_learn", first)
    strip = film_strip(sheet_versions(TRAINING))
    if not strip:
        st.info("The sheets of the training are missing. In the repository they are in docs/training/best.")
        return digit
    heads = "".join(f"<th scope=col>{epoch}</th>" for epoch in strip)
    rows = ""
    for seed in range(STRIP_SEEDS):
        pictures = (
            image_from_pixels(digits[digit, seed], "enlarged", f"a {digit} after epoch {epoch}, seed {seed}")
            for epoch, digits in strip.items()
        )
        cells = "".join(f"<td>{picture}</td>" for picture in pictures)
        rows += f"<tr><th scope=row>seed {seed}</th>{cells}</tr>"
    heads = f"<thead><tr><th scope=col>epoch</th>{heads}</tr></thead>"
    st.html(f"<table class=film>{heads}<tbody>{rows}</tbody></table>")
    st.caption(
        "This run and the losses below had the recipe of the weights that draw here, and another seed."
    )
    st.caption(
        "Each row uses the same hundred random numbers; only the weights change from picture to picture. "
        "The digits are raw and uncurated, from the training of the weights that come with this program."
    )
    return digit


def sheet_versions(folder: Path) -> list[tuple[str, int]]:
    """The path and modification time in ns of each sheet: a cache key that changes with the training."""
    return [(str(path), path.stat().st_mtime_ns) for path in sorted(folder.glob("epoch-*.png"))]


@st.cache_data(max_entries=1, show_spinner=False)
def film_strip(sheets: list[tuple[str, int]]) -> dict[int, npt.NDArray[np.uint8]]:
    """Epoch -> uint8 [10 digits, 10 seeds, 28, 28], cut from the sheets that the training wrote."""
    strip = {}
    for name, _ in sheets:
        if epoch := re.search(r"epoch-(\d+)\.png$", name):
            with Image.open(name) as picture:
                strip[int(epoch[1])] = digits_from_training_sheet(np.asarray(picture.convert("L")))
    return strip


def show_losses() -> None:
    history = read_history(TRAINING / "losses.jsonl")
    if len(history) < 2:
        return
    st.header("Who is winning", anchor=False)
    st.html(
        "<div class=charts>"
        + chart(
            history,
            "How real the discriminator rates them, from 0 to 1",
            {"p_real": "real digits", "p_fake": "generated digits"},
            (0, 1),
        )
        + chart(history, "Losses, in nats", {"loss_d": "discriminator", "loss_g": "generator"}, None)
        + "</div>"
    )
    st.markdown(
        "At first the discriminator is confident. Within a few epochs both curves of the first chart meet "
        "near one half: this discriminator can hardly tell the two apart. A new classifier, trained when the "
        "generator is finished, can do better; the table below says how often it is right.\n\n"
        "A loss measures how wrong a network is on average. Neither loss falls to zero, because each "
        "network's progress makes the other's task harder. The goal is good digits, not low losses."
    )


def read_history(path: Path) -> list[dict[str, float]]:
    """One row per epoch; no rows if the file is missing or is not what the training writes."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        return []


def show_card(generator: DigitGenerator | None) -> None:
    """The quality card as a table: generated, raw, real and textbook digits; then the faults."""
    try:
        card = json.loads(CARD.read_text())
        rows = card_rows(card)
    except (OSError, ValueError, KeyError, TypeError):
        return
    st.header("How good is it?", anchor=False)
    st.html(
        "<table class=card><thead><tr><th scope=col>Measure</th>"
        + "".join(f"<th scope=col>{COLUMNS[column]}</th>" for column in card_columns(card))
        + "</tr></thead><tbody>"
        + "".join(
            f"<tr><th scope=row>{title}<small>{words}</small></th>"
            + "".join(f"<td>{value}</td>" for value in values)
            + "</tr>"
            for title, words, values in rows
        )
        + "</tbody></table>"
    )
    if generator and generator.digest != card["subject"]["sha256"]:
        st.caption("These figures are for the weights that come with this program. This page uses others.")
    st.markdown(verdict(card))
    if FAULTS.exists():
        st.markdown(
            "**Its faults.** Some generated digits have broken or doubled strokes, filled loops or specks. "
            "These are the twenty that the two readers of the table misread worst, of thousands. Each label "
            "gives the reader (*own*: a classifier trained on MNIST; *OCR*: a program that reads scanned "
            "text) and the seed, then the digit asked for and the digit read."
        )
        words = "The twenty generated digits that are misread worst, each with its labels"
        st.html(
            f'<div class=faults tabindex=0 role=region aria-label="{words}">'
            f'<img src="{source_from_png(FAULTS.read_bytes())}" alt="{words}"></div>'
        )


def verdict(card: Mapping[str, Any]) -> str:
    """The most important figures of the card, in words."""
    read, read_real = (
        figure(card, column, "asked_ocr", ("share",), ".1%") for column in ("generated", "real")
    )
    told = figure(card, "generated", "two_sample", ("accuracy",), ".1%")
    return (
        f"An OCR program reads {read} of the generated digits as the digit asked for, and {read_real} of the "
        "real ones. A classifier trained to tell generated digits from real ones compares every grey level "
        f"and is right in {told} of cases; guessing is right in half of them. `docs/quality.md` has all "
        "figures and how they were measured."
    )


COLUMNS = {"generated": "generated", "raw": "raw", "real": "real", "classic": "textbook recipe"}
# The measures that need no background: title, explanation, path in the card, format.
ROWS = [
    (
        "Read as the digit asked for",
        "by an OCR program; higher is better",
        "asked_ocr",
        ("share",),
        ".1%",
    ),
    (
        "Broken shapes",
        "share with a speck, or with pieces or holes that hardly any real digit has; lower is better",
        "broken_shapes",
        ("share",),
        ".1%",
    ),
    (
        "Distance from real digits (FID)",
        "0 means the same distribution; “real” compares one half of the real digits with the other half",
        "distance",
        ("equal", "fid"),
        ".2f",
    ),
    (
        "Variety (coverage)",
        "share of real digits with a generated digit close by; higher is better",
        "neighbours",
        ("equal", "coverage"),
        ".1%",
    ),
    (
        "Useful as training data",
        "accuracy on real digits of a classifier trained on generated digits only; higher is better",
        "train_on_generated",
        ("accuracy",),
        ".1%",
    ),
    (
        "Told from real by a classifier",
        "accuracy of a classifier trained to tell generated digits from real ones; 50 % is guessing",
        "two_sample",
        ("accuracy",),
        ".1%",
    ),
    (
        "Copied?",
        "share nearer to a training image than to an image never seen in training; 50 % means no copying",
        "copying",
        ("share",),
        ".1%",
    ),
]


def card_columns(card: Mapping[str, Any]) -> list[str]:
    return [column for column in COLUMNS if card.get(column)]


def card_rows(card: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """(title, explanation, a figure for each of card_columns) for each of ROWS that was measured."""
    return [
        (title, words, [figure(card, column, row, path, form) for column in card_columns(card)])
        for title, words, row, path, form in ROWS
        if row in card["generated"]
    ]


def figure(card: Mapping[str, Any], column: str, row: str, path: Sequence[str], form: str) -> str:
    """The mean over all generations as text; "–" if it was not measured."""
    values = [reduce(getitem, path, measured) for measured in card[column].get(row, [])]
    return format(fmean(values), form).replace("%", " %") if values else "–"


def show_stages(generator: DigitGenerator | None, digit: int) -> None:
    """One digit raw, as its scan, and finished; and how often the choice rejects a seed's first z."""
    if generator is None:
        return
    seed = st.session_state["learn.seed"]
    raw = generator.variant(raw=True).digits(digit, [seed])
    (scan,) = scans(raw, np.array([digit]), np.array([seed]))
    st.header("From raw to finished", anchor=False)
    st.markdown(
        f"This is the {digit} with seed {seed}. As on every page here, the shape comes from the network and "
        "the greys come from MNIST's own scan rule."
    )
    scanned = source_from_png(png_from_line(np.uint8(255) * scan, scale=8))
    pictures = {
        "1. Raw": (
            image_from_pixels(raw[0], "pixels", f"the raw {digit}"),
            "The network's own pixels: the greys are smooth and a little blurred.",
        ),
        "2. Scan": (
            f'<img class=scan src="{scanned}" alt="the black-and-white scan of this {digit}">',
            f"Enlarged to {len(scan)}×{len(scan)} pixels and made black and white at half ink, with a "
            "slightly rough outline, like the scans that MNIST was made from.",
        ),
        "3. Finished": (
            image_from_pixels(generator.digits(digit, [seed])[0], "pixels", f"the finished {digit}"),
            "MNIST's own rule makes the greys: the scan is averaged down to 20×20 pixels and placed with its "
            "centre of mass in the middle of 28×28.",
        ),
    }
    st.html(
        "<div class=stages>"
        + "".join(
            f"<figure>{picture}<figcaption><b>{title}</b> {words}</figcaption></figure>"
            for title, (picture, words) in pictures.items()
        )
        + "</div>"
    )
    if generator.choice:
        others = seeds_with_another_z(key_of(generator), digit, generator)
        st.markdown(
            "The choice rejects a z whose digit does not look real enough. Then the seed's next hundred "
            f"numbers are used. For the {digit}, this happens with {others} of the seeds 0 to "
            f"{COUNTED_SEEDS - 1}."
        )
    else:
        st.markdown("No z is rejected, because these weights have no choice file.")
    st.button("New seed", key="stages_seed", on_click=use_new_seed)


@st.cache_data(max_entries=100, show_spinner=False)
def seeds_with_another_z(key: tuple[object, ...], digit: int, _generator: DigitGenerator) -> int:
    """How many of the first seeds have their first z rejected; `key` is key_of the generator."""
    seeds = range(COUNTED_SEEDS)
    changed = _generator.latents(seeds, [digit] * COUNTED_SEEDS) != latents_from_seeds(seeds)
    return int(changed.any(axis=1).sum())


def use_new_seed() -> None:
    st.session_state["learn.seed"] = new_seed()
    st.session_state["learn.z"] = {}


@st.fragment
def show_latents(generator: DigitGenerator | None, digit: int) -> None:
    """Six of the hundred numbers as sliders. All frames of a slider are made before a visitor moves it."""
    seed = st.session_state["learn.seed"]
    st.header("Change the numbers yourself", anchor=False)
    if generator is None:
        st.info("There is no trained model. The first page says how to get one.")
        return
    changes = st.session_state.setdefault("learn.z", {})  # index in z -> the value it was dragged to
    z = generator.latents([seed], [digit])
    numbers = most_telling(key_of(generator), digit, seed, generator)
    for number, value in changes.items():
        z[0, number] = value
    swept = z.repeat(len(numbers) * len(FRAMES), axis=0)  # [6 * 31, 100]: each slider at each of its places
    for row, number in enumerate(numbers):
        swept[row * len(FRAMES) : (row + 1) * len(FRAMES), number] = FRAMES
    each = np.concatenate([z, swept])
    # In place: centring would move the strokes by whole pixels.
    with turn():
        pixels = generator.pixels(each, [digit] * len(each), [seed] * len(each), in_box=False)
    frames = pixels[1:].reshape(len(numbers), len(FRAMES), 28, 28)
    st.markdown(
        f"The {digit} with seed {seed} starts from a hundred numbers. These six change it most: drag one and "
        "watch the picture. The picture is finished, but not centred, so that nothing jumps."
    )
    latents_component(
        picture=sprite_from_pixels(pixels[:1]),
        digit=digit,
        values=FRAMES,
        sliders=[
            (number, z[0, number], sprite_from_pixels(frames[row])) for row, number in enumerate(numbers)
        ],
        on_change=lambda number, value: changes.update({number: value}),
    )
    with st.container(key="latents_actions", horizontal=True):
        if st.button("Reset", key="z_back", disabled=not changes):
            changes.clear()
            st.rerun(scope="fragment")
        if st.button("New seed", key="z_other"):
            use_new_seed()
            st.rerun()


@st.cache_data(max_entries=200, show_spinner=False)
def most_telling(key: tuple[object, ...], digit: int, seed: int, _generator: DigitGenerator) -> list[int]:
    """The six numbers of z, by index 0...99, that change the raw picture most between -2 and 2.

    The one with the largest effect comes first; `key` is key_of the generator.
    """
    z = _generator.latents([seed], [digit]).repeat(200, axis=0)
    z[np.arange(100), np.arange(100)] = -2
    z[np.arange(100, 200), np.arange(100)] = 2
    with turn():
        images = _generator.images(z, [digit] * 200)
    change = np.abs(images[:100] - images[100:]).sum(axis=(1, 2, 3))
    return [int(number) for number in np.argsort(-change)[:SLIDERS]]


if __name__ == "__main__":
    main()
