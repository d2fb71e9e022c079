"""How it learns, in a student's words: two networks, the digits epoch by epoch, z to drag, how good it is.

What is not drawn here was recorded: the sheets and losses of docs/training/best, the card docs/quality.json.
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
from digit_generator.render import png_from_line
from screens.latents import latents_component, sprite_from_pixels
from screens.shared import (
    ROOT,
    Address,
    generator_or_placeholder,
    image_from_pixels,
    key_of,
    new_seed,
    opened,
    pick_digit,
    show_address,
    show_title,
    source_from_bytes,
    source_from_png,
)

TRAINING = ROOT / "docs" / "training" / "best"
CARD = ROOT / "docs" / "quality.json"
FAULTS = ROOT / "docs" / "quality" / "least-liked.png"
STRIP_SEEDS = 5  # of the ten on every sheet
COUNTED_SEEDS = 100  # of which the page says how many had a z refused
SLIDERS = 6
FRAMES = np.linspace(-3, 3, 31)  # what a slider can set; of N(0, 1) three in a thousand lie beyond


def main() -> None:
    show_title(
        "How it learns",
        "Two networks play against each other: one draws, one judges. Here is the game, from the "
        "first epoch to the last.",
    )
    asked = opened("learn", recipe_from_address)
    generator, _ = generator_or_placeholder()
    trained = generator if isinstance(generator, DigitGenerator) else None
    show_networks(trained)
    digit = show_film_strip(asked["digit"])
    st.session_state.setdefault("learn.seed", asked["seed"])
    show_stages(trained, digit)
    show_latents(trained, digit)
    show_losses()
    show_card(trained)
    seed = st.session_state["learn.seed"]
    show_address({} if (digit, seed) == (3, 0) else {"digit": digit, "seed": seed})


def recipe_from_address(address: Address) -> dict[str, Any]:
    return {"digit": address.whole("digit", 0, 9, 3), "seed": address.whole("seed", 0, MAX_SEED, 0)}


def show_networks(generator: DigitGenerator | None) -> None:
    st.header("Two networks", anchor=False)
    drawn = ""
    if generator:
        drawn = image_from_pixels(generator.variant(raw=True).digits(3, [1])[0], "sample", "a drawn 3")
    st.html(
        "<div class=networks>"
        + network(
            "The generator draws", ["100 random numbers, a digit", 256, 512, 1024, f"{drawn}784 pixels"]
        )
        + network(
            "The discriminator judges", [f"{drawn}784 pixels, a digit", 1024, 512, 256, "how real it looks"]
        )
        + "</div>"
    )
    st.markdown(
        "**The generator** gets a hundred random numbers, called z, and the digit it shall draw. "
        "Layer by layer it "
        "turns them into 784 shades of grey. In the beginning that is noise: its 1.5 million "
        "weights are random, too.\n\n"
        "**The discriminator** gets a picture and a digit, half of the time a real one from "
        "MNIST, half of the time a "
        "drawn one, and says how real the pair looks. It is told the truth afterwards and "
        "changes its weights a little, "
        "to be right more often. Then the generator changes its own, to be found out less often. "
        "It never sees a real "
        "digit; all it learns from is what the judge would have liked better. After 60,000 "
        "pictures, one epoch is over."
    )


def network(title: str, layers: Sequence[int | str]) -> str:
    """One row of boxes: as high as a layer is wide, words where there is no layer."""
    boxes = "".join(
        f"<li style='--units: {layer}'><i></i><span>{layer:,} units</span></li>"
        if isinstance(layer, int)
        else f"<li class=end>{layer}</li>"
        for layer in layers
    )
    return f"<figure><figcaption>{title}</figcaption><ol>{boxes}</ol></figure>"


def show_film_strip(first: int) -> int:
    """The same z at every epoch that has a sheet. Returns the digit that is picked."""
    st.header("The same numbers, epoch by epoch", anchor=False)
    digit = pick_digit("Digit to follow", "digit_learn", first)
    strip = film_strip(sheet_versions(TRAINING))
    if not strip:
        st.info("The sheets of the training are not here: docs/training/best holds them in the repository.")
        return digit
    heads = "".join(f"<th scope=col>{epoch}</th>" for epoch in strip)
    rows = ""
    for seed in range(STRIP_SEEDS):
        pictures = (
            image_from_pixels(digits[digit, seed], "enlarged", f"a {digit} after epoch {epoch}, seed {seed}")
            for epoch, digits in strip.items()
        )
        cells = "".join(f"<td>{picture}</td>" for picture in pictures)
        rows += f"<tr><th scope=row>z {seed}</th>{cells}</tr>"
    heads = f"<thead><tr><th scope=col>epoch</th>{heads}</tr></thead>"
    st.html(f"<table class=film>{heads}<tbody>{rows}</tbody></table>")
    st.caption(
        "Each row keeps its hundred random numbers; only the weights change from picture to picture. "
        "From the training of the weights that come with this program, raw and none chosen: seeds 0 to 4."
    )
    return digit


def sheet_versions(folder: Path) -> list[tuple[str, int]]:
    """Which sheets there are and when each was written: changes when a training is replaced."""
    return [(str(path), path.stat().st_mtime_ns) for path in sorted(folder.glob("epoch-*.png"))]


@st.cache_data(max_entries=1, show_spinner=False)
def film_strip(sheets: list[tuple[str, int]]) -> dict[int, npt.NDArray[np.uint8]]:
    """Epoch -> uint8 [10 digits, 10 seeds, 28, 28], cut out of the sheets that the training wrote."""
    strip = {}
    for name, _ in sheets:
        if epoch := re.search(r"epoch-(\d+)\.png$", name):
            with Image.open(name) as picture:
                strip[int(epoch[1])] = digits_from_sheet(np.asarray(picture.convert("L")))
    return strip


def digits_from_sheet(sheet: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The generated digits of a sheet of the training: cells of 30 under a margin of 14, all doubled."""
    cells = sheet[28 : 28 + 600 : 2, 0:600:2].reshape(10, 30, 10, 30).swapaxes(1, 2)
    return cells[:, :, :28, :28].copy()


def show_losses() -> None:
    history = read_history(TRAINING / "losses.jsonl")
    if len(history) < 2:
        return
    st.header("Who is winning", anchor=False)
    st.html(
        "<div class=charts>"
        + chart(
            history,
            "How real the judge finds them, 0 to 1",
            {"p_real": "real digits", "p_fake": "drawn digits"},
            (0, 1),
        )
        + chart(history, "Losses, in nats", {"loss_d": "discriminator", "loss_g": "generator"}, None)
        + "</div>"
    )
    st.markdown(
        "At the start the judge is sure of itself. Within a few epochs both curves of the first picture meet "
        "near one half: it can hardly tell any more and says so. A loss counts how wrong a network was, on "
        "average; neither falls to zero, because whenever one gets better the other has a harder time. "
        "Low losses are not the aim: good digits are."
    )


def read_history(path: Path) -> list[dict[str, float]]:
    """One row per epoch; none if the file is missing or is not what the training writes."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        return []


def chart(
    history: Sequence[Mapping[str, float]],
    title: str,
    series: Mapping[str, str],
    limits: tuple[float, float] | None,
) -> str:
    """Two curves over the epochs as SVG: drawn here, so that nobody waits for a library of charts."""
    width, height, left, bottom = 480, 260, 34, 28
    low, high = limits or (0, np.ceil(max(row[name] for row in history for name in series)))
    last = history[-1]["epoch"]

    def place(epoch: float, value: float) -> str:
        x = left + (width - left - 8) * (epoch - 1) / (last - 1)
        y = 8 + (height - bottom - 8) * (high - value) / (high - low)
        return f"{x:.1f},{y:.1f}"

    ticks = ""
    for share in (0, 0.5, 1):
        value = low + share * (high - low)
        x, y = place(1, value).split(",")
        ticks += f'<line x1="{x}" x2="{width - 8}" y1="{y}" y2="{y}"/>'
        ticks += f'<text x="{left - 6}" y="{y}" dy="4" text-anchor="end">{value:g}</text>'
    for epoch in (1, round(last / 2), last):
        x, _ = place(epoch, low).split(",")
        anchor = "end" if epoch == last else "start" if epoch == 1 else "middle"
        ticks += f'<text x="{x}" y="{height - 8}" text-anchor="{anchor}">epoch {epoch}</text>'
    curves = ""
    for number, name in enumerate(series):
        points = " ".join(place(row["epoch"], row[name]) for row in history)
        curves += f'<polyline class="curve{number}" points="{points}"/>'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{CHART_STYLE}</style>'
        f"{ticks}{curves}</svg>"
    )
    keys = "".join(f"<span class=key{number}>{words}</span>" for number, words in enumerate(series.values()))
    ends = ", ".join(
        f"{words} {history[0][name]:.2f} after the first epoch and {history[-1][name]:.2f} after the last"
        for name, words in series.items()
    )
    return (
        f"<figure><figcaption>{title}<small>{keys}</small></figcaption>"
        f'<img src="{source_from_bytes(svg.encode(), "svg+xml")}" alt="{title}: {ends}"></figure>'
    )


# An image sees nothing of app.css: the colours of its theme once more.
CHART_STYLE = """
line { stroke: #dcd9d2 } text { fill: #62605c; font: 13px "Source Sans", system-ui, sans-serif }
polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round }
.curve0 { stroke: #2f4ac2 } .curve1 { stroke: #b35900 }
@media (prefers-color-scheme: dark) {
  line { stroke: #383a42 } text { fill: #a8a69f } .curve0 { stroke: #8fa2ff } .curve1 { stroke: #ffb366 }
}
"""


def show_card(generator: DigitGenerator | None) -> None:
    """The quality card in words: ours, raw too, real digits and the textbook recipe; then its faults."""
    try:
        card = json.loads(CARD.read_text())
        rows = card_rows(card)
    except (OSError, ValueError, KeyError, TypeError):
        return
    st.header("How good is it?", anchor=False)
    st.html(
        "<table class=card><thead><tr><th scope=col></th>"
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
        st.caption("Measured on the weights that come with this program; other weights draw on this page.")
    if FAULTS.exists():
        st.markdown(
            "**What is wrong with it.** Some have broken or doubled strokes, filled loops or specks. "
            "These twenty its judges liked least, of thousands: above each, the judge and the seed, "
            "the digit asked for and the digit read."
        )
        with st.container(key="faults"):
            st.image(str(FAULTS), output_format="PNG")
    st.markdown(verdict(card))


def verdict(card: Mapping[str, Any]) -> str:
    """What the card says in the end, in words."""
    read, read_real = (
        figure(card, column, "asked_ocr", ("share",), ".1%") for column in ("generated", "real")
    )
    told = figure(card, "generated", "two_sample", ("accuracy",), ".1%")
    return (
        f"A program that reads scanned paper reads {read} of the drawn digits as asked, and {read_real} of "
        "the real ones. A network that is made to tell drawn from real, and looks at every pixel, is right "
        f"in {told} of cases; guessing is right in half of them. `docs/quality.md` is the whole card, with "
        "its protocol."
    )


COLUMNS = {"generated": "drawn", "raw": "raw", "real": "real", "classic": "textbook recipe"}
# What a student can picture: title, explanation, where the card has it, how it is written.
ROWS = [
    (
        "Read as the digit asked for",
        "by a program that reads scanned paper; higher is better",
        "asked_ocr",
        ("share",),
        ".1%",
    ),
    (
        "Broken shapes",
        "pieces and holes that hardly any real digit of its kind has, or a speck; lower is better",
        "broken_shapes",
        ("share",),
        ".1%",
    ),
    (
        "Distance from real digits (FID)",
        "0 would be the same distribution; “real” is one half of the real digits against the other half",
        "distance",
        ("equal", "fid"),
        ".2f",
    ),
    (
        "Variety (coverage)",
        "share of real digits that have a drawn one close by; higher is better",
        "neighbours",
        ("equal", "coverage"),
        ".1%",
    ),
    (
        "Good to learn from",
        "real digits read right by a network that learned from drawn ones only; higher is better",
        "train_on_generated",
        ("accuracy",),
        ".1%",
    ),
    (
        "Told from real by a network",
        "50 % is guessing; it has learned to tell drawn from real ones, and sees every grey level",
        "two_sample",
        ("accuracy",),
        ".0%",
    ),
    (
        "Copied?",
        "share that is nearer to a picture learned from than to one never seen; 50 % is no copying",
        "copying",
        ("share",),
        ".0%",
    ),
]


def card_columns(card: Mapping[str, Any]) -> list[str]:
    return [column for column in COLUMNS if card.get(column)]


def card_rows(card: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """(title, explanation, a figure for each of card_columns) for what was measured of ROWS."""
    return [
        (title, words, [figure(card, column, row, path, form) for column in card_columns(card)])
        for title, words, row, path, form in ROWS
        if row in card["generated"]
    ]


def figure(card: Mapping[str, Any], column: str, row: str, path: Sequence[str], form: str) -> str:
    """The mean over all generations, as it is written; "–" where it was not measured."""
    values = [reduce(getitem, path, measured) for measured in card[column].get(row, [])]
    return format(fmean(values), form).replace("%", " %") if values else "–"


def show_stages(generator: DigitGenerator | None, digit: int) -> None:
    """One digit as the network drew it, as its scan, and finished; and how often a z is refused."""
    if generator is None:
        return
    seed = st.session_state["learn.seed"]
    raw = generator.variant(raw=True).digits(digit, [seed])
    (scan,) = scans(raw, np.array([digit]), np.array([seed]))
    st.header("From the network's drawing to the finished digit", anchor=False)
    st.markdown(
        f"This is the {digit} of seed {seed}. Like every digit of these pages it is **the network's shape, "
        "MNIST's own scan rule**."
    )
    scanned = source_from_png(png_from_line(np.uint8(255) * scan, scale=8))
    pictures = {
        "1. Raw": (
            image_from_pixels(raw[0], "pixels", f"a {digit} as the network drew it"),
            "The network gives the shape. Its own greys are smooth and a little blurred.",
        ),
        "2. Scan": (
            f'<img class=scan src="{scanned}" alt="the scan of this {digit}">',
            f"Enlarged to {len(scan)}×{len(scan)} pixels and cut at half of the ink, with a rough outline: "
            "MNIST's digits were black-and-white scans, too.",
        ),
        "3. Finished": (
            image_from_pixels(generator.digits(digit, [seed])[0], "pixels", f"the finished {digit}"),
            "The rule that MNIST was made by gives the greys: the average of the scan in 20×20 pixels, put "
            "with its centre of mass in the middle of 28×28.",
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
            "Some z are refused, because they cannot write: then the seed's next hundred numbers are taken. "
            f"Of the seeds 0 to {COUNTED_SEEDS - 1}, {others} write their {digit} with another z than "
            "their first."
        )
    else:
        st.markdown("No z is refused: these weights have no choice file beside them.")
    st.button("Another seed", key="stages_seed", on_click=take_another_seed)


@st.cache_data(max_entries=100, show_spinner=False)
def seeds_with_another_z(key: tuple[str, int, str], digit: int, _generator: DigitGenerator) -> int:
    """How many of the first seeds have their first z refused; `key` is key_of the generator."""
    seeds = range(COUNTED_SEEDS)
    changed = _generator.latents(seeds, [digit] * COUNTED_SEEDS) != latents_from_seeds(seeds)
    return int(changed.any(axis=1).sum())


def take_another_seed() -> None:
    st.session_state["learn.seed"] = new_seed()
    st.session_state["learn.z"] = {}


@st.fragment
def show_latents(generator: DigitGenerator | None, digit: int) -> None:
    """Six of the hundred numbers to drag. The frames of each slider are drawn before it is touched."""
    seed = st.session_state["learn.seed"]
    st.header("Turn the numbers yourself", anchor=False)
    if generator is None:
        st.info("There is no trained model to draw with: see the first page for how to get one.")
        return
    changes = st.session_state.setdefault("learn.z", {})  # number of z -> what it was dragged to
    z = generator.latents([seed], [digit])
    numbers = most_telling(key_of(generator), digit, seed, generator)
    for number, value in changes.items():
        z[0, number] = value
    swept = z.repeat(len(numbers) * len(FRAMES), axis=0)  # [6 * 31, 100]: each slider at each of its places
    for row, number in enumerate(numbers):
        swept[row * len(FRAMES) : (row + 1) * len(FRAMES), number] = FRAMES
    each = np.concatenate([z, swept])
    # In place: the box would move the strokes by whole pixels.
    pixels = generator.pixels(each, [digit] * len(each), [seed] * len(each), in_box=False)
    frames = pixels[1:].reshape(len(numbers), len(FRAMES), 28, 28)
    st.markdown(
        f"The {digit} of seed {seed} begins with a hundred numbers. The six that change it most are here: "
        "drag one and see the picture follow. It is finished, but every stroke stays in its place."
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
        if st.button("Back to the seed", key="z_back", disabled=not changes):
            changes.clear()
            st.rerun(scope="fragment")
        if st.button("Other numbers", key="z_other"):
            take_another_seed()
            st.rerun()


@st.cache_data(max_entries=200, show_spinner=False)
def most_telling(key: tuple[str, int, str], digit: int, seed: int, _generator: DigitGenerator) -> list[int]:
    """The numbers of z, 0...99, that change the network's drawing most between -2 and 2, the most telling
    first; `key` is key_of the generator."""
    z = _generator.latents([seed], [digit]).repeat(200, axis=0)
    z[np.arange(100), np.arange(100)] = -2
    z[np.arange(100, 200), np.arange(100)] = 2
    images = _generator.images(z, [digit] * 200)
    change = np.abs(images[:100] - images[100:]).sum(axis=(1, 2, 3))
    return [int(number) for number in np.argsort(-change)[:SLIDERS]]


if __name__ == "__main__":
    main()
