"""The first page: pick a digit, press the button, get five images. The options are one click away, below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.files import zip_from_files
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import Recipe, stem_of_digit, style_suffix
from digit_generator.render import png_from_pixels, svg_from_pixels
from screens import before
from screens.address import Address, initial_state, show_address, style_from_address, style_names
from screens.large import Large, html_from_details, html_from_large, html_without_details
from screens.model import (
    WAY_OUT,
    Generator,
    Variant,
    command,
    digits_together,
    generator_or_placeholder,
    key_of,
    new_seed,
    show_switches,
    variant_from_address,
    variant_of,
)
from screens.picture import Drawing, source_from_png
from screens.widgets import NAME, escape_markdown, pick_digit, show_again

if TYPE_CHECKING:  # imported only when a visitor sets a style
    from digit_generator.style import StyleControls

FIVE = 5
MAX_COUNT = 50  # on a server that many visitors share
MAX_FIRST_SEED = MAX_SEED - MAX_COUNT + 1
START = {"digit": 7, "seed": 0}  # what a visitor sees before the first click


def main() -> None:
    st.title(NAME, anchor=False)
    _, problem = generator_or_placeholder()
    if problem:
        show_problem(problem)
    else:
        st.caption("A small neural network generates digits that nobody wrote.")
    show_digits(initial_state("draw", state_from_address), problem)


@st.fragment
def show_digits(initial: dict[str, Any], problem: str) -> None:
    """All that a click may change: a click runs this alone, not the title, the styles and the pages' list."""
    loaded, problem_now = generator_or_placeholder()
    if problem_now != problem:
        st.rerun()
    generator, variant = variant_of("draw", loaded, initial)

    with st.container(key="controls", horizontal=True, vertical_alignment="center"):
        picked = pick_digit("Digit", "digit", initial["digit"])
        count = st.session_state.get("count", initial["count"])
        digit, seeds = digit_and_seeds(picked, count, initial)

    style, controls, notes = style_controls_and_notes(generator, digit, seeds[0], initial)
    ink = st.session_state.get("draw.ink", initial["ink"])
    drawings = draw(generator, variant, digit, seeds, style, controls, ink=ink)
    show_heading(generator, digit, seeds, drawings)
    if picked != digit:
        st.caption(f"Next: {heading(picked, count).lower()}. Press Generate.")
    is_first = (digit, seeds[0]) == (initial["digit"], initial["seed"])
    at = min(initial["at"], count - 1) if is_first else 0
    show_drawings(variant, style, drawings, at, ink=ink)
    show_large(generator, digit, seeds, style, controls, drawings, at, ink=ink)
    show_before(generator, digit, seeds, style, controls)
    show_command(generator, variant, digit, seeds, style, notes)
    show_how_it_works()
    show_options(loaded, generator, digit, seeds, initial)
    show_address_of(variant, digit, seeds, style, at=at, ink=ink)


def state_from_address(address: Address) -> dict[str, Any]:
    return {
        "digit": address.whole("digit", 0, 9, START["digit"]),
        "seed": address.whole("seed", 0, MAX_FIRST_SEED, START["seed"]),
        "count": address.whole("count", 1, MAX_COUNT, FIVE),
        "at": address.whole("at", 0, MAX_COUNT - 1, 0),
        "ink": address.switch("ink"),
        **style_from_address(address),
        **variant_from_address(address),
    }


def show_problem(problem: str) -> None:
    st.warning(
        "**These digits are placeholders, because there is no trained model.**\n\n"
        f"{escape_markdown(problem)}\n\n{WAY_OUT}",
        icon=":material/warning:",
    )


def digit_and_seeds(picked: int, count: int, initial: dict[str, Any]) -> tuple[int, Sequence[int]]:
    """The picked digit with new seeds if the button was pressed, else the digit and the seeds as before."""
    digit, first = st.session_state.setdefault("drawn", (initial["digit"], initial["seed"]))
    if st.button(f"Generate {count} Image{'s' * (count > 1)}", type="primary", key="generate"):
        shown = digit, first
        digit, first = picked, first if st.session_state.get("hold") else new_seed(MAX_COUNT)
        if shown != (digit, first):
            before.keep("draw", shown)
        st.session_state.drawn = digit, first
    return digit, range(first, first + count)


def style_controls_and_notes(
    generator: Generator, digit: int, seed: int, initial: dict[str, Any]
) -> tuple[dict[str, float], StyleControls | None, list[str]]:
    """The style by name, as near as this digit can come; the controls for it; notes for the visitor."""
    if not (st.session_state.get("draw.style") or style_names(initial)):
        return {}, None, []
    from screens import styles

    controls, problem = styles.controls_or_problem(generator)
    if controls is None or isinstance(generator, PlaceholderGenerator):
        return {}, None, [problem]
    keys = key_of(generator), controls.digest
    shape = styles.shape_of(keys, (digit,), seed, generator, controls)
    wanted = styles.wanted_style("draw", initial, controls, shape)
    style, notes = styles.nearest_style(digit, wanted, controls)
    return style.asked, controls, notes


def bring_back(wanted: tuple[int, int]) -> None:
    """Show a set of the strip again; the one shown takes its place."""
    before.swap("draw", wanted, st.session_state.drawn)
    st.session_state.drawn = wanted


def draw(
    generator: Generator,
    variant: Variant,
    digit: int,
    seeds: Sequence[int],
    style: Mapping[str, float],
    controls: StyleControls | None,
    *,
    ink: bool = False,
) -> list[Drawing]:
    """One drawing per seed."""
    placeholder = isinstance(generator, PlaceholderGenerator)
    digits = pixels_of(generator, digit, seeds, style, controls)
    recipe = Recipe.of(generator, digit=digit, style=style, controls=controls)
    marks = ["placeholder"] if placeholder else variant.words
    described = f"placeholder for a {digit}" if placeholder else f"handwritten-style {digit}"
    suffix = style_suffix(style, raw=variant.raw, neat=variant.neat) + "_ink" * ink
    return [
        Drawing(
            pixels=pixels,
            png=png_from_pixels(pixels, recipe=replace(recipe, seed=seed).to_text()),
            caption="<br>".join([*marks, f"seed {seed}"]),
            description=", ".join([described, *variant.words]),
            stem=f"{file_stem(generator, digit)}_seed_{seed}{suffix}",
            svg=svg_from_pixels(pixels, "ink") if ink else "",
        )
        for seed, pixels in zip(seeds, digits, strict=True)
    ]


def pixels_of(
    generator: Generator,
    digit: int,
    seeds: Sequence[int],
    style: Mapping[str, float],
    controls: StyleControls | None,
) -> npt.NDArray[np.uint8]:
    """Pixels, uint8 [B, 28, 28]. Those in a style are cached, because finding a style takes a second."""
    if not (style and controls and isinstance(generator, DigitGenerator)):
        return plain_pixels(generator, digit, seeds)
    from screens import styles

    keys = key_of(generator), controls.digest
    wanted = tuple(style.items())
    if len(seeds) <= FIVE:
        return styles.styled_pixels(keys, digit, tuple(seeds), wanted, generator, controls)
    bar, stop, pixels = st.progress(0.0, "Finding the style ..."), st.empty(), []
    st.session_state["draw.styled"] = 0
    # A press, or any other click, ends this run at the next step of the bar.
    stop.button("Stop", key="style_stop", on_click=keep_styled)
    for start in range(0, len(seeds), FIVE):
        few = tuple(seeds[start : start + FIVE])
        pixels.append(styles.styled_pixels(keys, digit, few, wanted, generator, controls))
        done = st.session_state["draw.styled"] = start + len(few)
        bar.progress(done / len(seeds), f"{done} of {len(seeds)} in this style")
    bar.empty()
    stop.empty()
    return np.concatenate(pixels)


def plain_pixels(generator: Generator, digit: int, seeds: Sequence[int]) -> npt.NDArray[np.uint8]:
    """`generator.digits`, kept for this visitor's last sets: a click draws one set and shows five."""
    kept: dict[object, npt.NDArray[np.uint8]] = st.session_state.setdefault("draw.kept", {})
    key = ("placeholder" if isinstance(generator, PlaceholderGenerator) else key_of(generator)), digit, seeds
    kept[key] = kept.pop(key) if key in kept else digits_together(generator, digit, seeds)
    for oldest in [*kept][: -2 * before.MAX]:
        del kept[oldest]
    return kept[key]


def keep_styled() -> None:
    """Stop was pressed: show as many pictures as are drawn, five at least."""
    st.session_state["count"] = max(st.session_state["draw.styled"], FIVE)


def hand_of(
    generator: Generator, seed: int, style: Mapping[str, float], controls: StyleControls | None
) -> npt.NDArray[np.uint8]:
    """The ten digits in the hand of a seed, uint8 [10, 28, 28], as near to the style as each can come."""
    if isinstance(generator, PlaceholderGenerator):
        return generator.digits(range(10), [seed] * 10)
    if not (style and controls):
        return plain_hand(key_of(generator), seed, generator)
    from screens import styles

    keys = key_of(generator), controls.digest
    return styles.styled_hand(keys, seed, tuple(style.items()), generator, controls)


@st.cache_data(max_entries=500, show_spinner=False)
def plain_hand(key: tuple[object, ...], seed: int, _generator: DigitGenerator) -> npt.NDArray[np.uint8]:
    """DigitGenerator.hand, drawn once while it is shown; `key` is key_of the generator."""
    return _generator.hand(range(10), seed)


def file_stem(generator: Generator, digit: int) -> str:
    return stem_of_digit(digit, placeholder=isinstance(generator, PlaceholderGenerator))


def show_heading(generator: Generator, digit: int, seeds: Sequence[int], drawings: Sequence[Drawing]) -> None:
    stem = f"{file_stem(generator, digit)}_seed"
    suffix = drawings[0].stem.removeprefix(f"{stem}_{seeds[0]}")
    name = f"{stem}s_{seeds[0]}-{seeds[-1]}{suffix}.zip"
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.header(heading(digit, len(seeds)), anchor=False, width="content")
        if isinstance(generator, PlaceholderGenerator):
            st.badge("placeholders", color="gray")
        elif not generator.is_ours:
            st.badge("your own weights", color="gray")
        st.download_button(
            "Download all five" if len(seeds) == FIVE else f"Download all {len(seeds)}",
            zip_from_files({drawing.file_name: drawing.file for drawing in drawings}),
            name,
            "application/zip",
            key="download_all",
            on_click="ignore",
            icon=":material/folder_zip:",
        )


def heading(digit: int, count: int) -> str:
    if count == 1:
        return f"One image of {digit}"
    return f"{'Five' if count == FIVE else count} images of {digit}"


def show_drawings(
    variant: Variant, style: Mapping[str, float], drawings: Sequence[Drawing], at: int, *, ink: bool
) -> None:
    """Five columns: the enlarged picture, its caption, the picture at its original size, a download button.

    More than five pictures stand closer together and have no button of their own: the zip has them all.
    """
    many = len(drawings) > FIVE
    # One piece of HTML: ten pictures by st.image and five buttons would take a third longer to appear.
    pieces = "".join(
        html_from_drawing(drawing, is_large=number == at) for number, drawing in enumerate(drawings)
    )
    buttons = "" if many else "".join(html_of_download(drawing) for drawing in drawings)
    st.html(
        f"<div class='pictures{' many' * many}'>{pieces}</div>"
        + (f"<div class=downloads>{buttons}</div>" if buttons else "")
    )
    told = "".join(f", {name} {value:g}" for name, value in style.items())
    shown = "as a smooth outline in ink" if ink else "enlarged"
    st.caption(
        f"Each image is shown {shown}, with the original of 28×28 pixels below it{told}. "
        "Press one to see it large. Keys 0 to 9 pick a digit, Space or Enter generates." + variant.sentences
    )


def html_from_drawing(drawing: Drawing, *, is_large: bool) -> str:
    name = drawing.caption.replace("<br>", ", ")
    return (
        f'<figure><button type=button aria-pressed={str(is_large).lower()} aria-label="{name}: show large">'
        f'<img class=enlarged src="{drawing.source}" alt="{drawing.description}"></button>'
        f"<figcaption>{drawing.caption}</figcaption>"
        f'<img class=original src="{source_from_png(drawing.png)}" '
        f'alt="{drawing.description}, original size"></figure>'
    )


def html_of_download(drawing: Drawing) -> str:
    """A button that saves the file of one picture, which the page has already (app.js)."""
    return (
        f'<button type=button data-save="{drawing.file_name}" aria-label="Download {drawing.file_name}">'
        "<span aria-hidden=true>download</span></button>"
    )


def show_large(
    generator: Generator,
    digit: int,
    seeds: Sequence[int],
    style: Mapping[str, float],
    controls: StyleControls | None,
    drawings: Sequence[Drawing],
    at: int,
    *,
    ink: bool,
) -> None:
    """One picture large, with its buttons, its SVG and, of five at most, ten digits in its hand.

    All are sent, so that nobody waits when a picture is pressed. SVG and hand are drawn when they come into
    view, or when another picture is pressed: app.js then picks its number among pills that nobody sees.
    """
    large = [
        Large(
            title=f"{digit}, {drawing.caption.replace('<br>', ', ')}",
            description=drawing.description,
            stem=drawing.stem,
            source=drawing.source,
        )
        for drawing in drawings
    ]
    key = f"large_{digit}_{seeds[0]}_{len(seeds)}"  # other pictures begin without details
    with st.container(key="large"):
        st.html(html_from_large(large, at, key))
        pressed = st.pills("Large picture", range(len(seeds)), key=key)
        has_hand = len(seeds) <= FIVE
        if pressed is None:
            st.html(html_without_details(has_hand=has_hand))
        else:
            hand = hand_of(generator, seeds[pressed], style, controls) if has_hand else None
            st.html(html_from_details(key, pressed, drawings[pressed].pixels, hand, ink=ink))


def show_before(
    generator: Generator,
    digit: int,
    seeds: Sequence[int],
    style: Mapping[str, float],
    controls: StyleControls | None,
) -> None:
    """The last sets, each one click away."""
    count = len(seeds)

    def drawn(kept: tuple[int, int]) -> tuple[str, npt.NDArray[np.uint8]]:
        each, first = kept
        near = style if each == digit else {}  # another digit may not come as far
        pixels = pixels_of(generator, each, range(first, first + min(count, FIVE)), near, controls)
        return f"{heading(each, count).lower()}, seeds {first} to {first + count - 1}", pixels

    before.show_strip("draw", drawn, bring_back)


def show_command(
    generator: Generator,
    variant: Variant,
    digit: int,
    seeds: Sequence[int],
    style: Mapping[str, float],
    notes: Sequence[str],
) -> None:
    arguments = ["generate", str(digit), "--count", str(len(seeds)), "--seed", str(seeds[0])]
    if isinstance(generator, PlaceholderGenerator):
        again = command([*arguments, "--placeholder"], style, variant)
        show_again("To draw the same placeholders again:", again)
    else:
        again = command(arguments, style, variant)
        show_again(
            f"To generate the same {'image' if len(seeds) == 1 else 'images'} again with the weights "
            f"`{generator.digest[:8]}`:",
            again,
        )
    for note in notes:
        st.caption(escape_markdown(note))


def show_how_it_works() -> None:
    with st.expander("How it works"):
        st.markdown(HOW_IT_WORKS)


HOW_IT_WORKS = """\
**Generating.** A seed stands for 100 random numbers. Those numbers and the digit that you picked pass through
the four layers of a small network. The result is 784 shades of grey: 28 rows of 28 pixels. The same digit and
seed always give the same picture; another seed gives another picture. If the digit from a seed's numbers does
not look real enough, the seed's next hundred numbers are used instead.

**Finishing.** The digits of MNIST were scanned in black and white, and a fixed rule turned the scans into
shades of grey. The same rule finishes the generated digits: the shape comes from the network, the greys come
from MNIST's own scan rule. The **Raw** switch in the options below shows the network's own pixels.

**Learning.** The generating network has never seen a real digit. A second network was shown real handwritten
digits from MNIST and generated ones, and learned to tell them apart. The first network learned to fool it.
After training, the second network was discarded. What the first one learned is 1.5 million numbers, stored in
`generator.pth`.

**In the code.** `mnist_gan_training.py` trains, `digit_generator/generate.py` generates,
`digit_generator/finish.py` finishes, and `screens/draw.py` is this page. The page **How it learns** shows
both networks at work.
"""


def show_options(
    loaded: Generator, generator: Generator, digit: int, seeds: Sequence[int], initial: dict[str, Any]
) -> None:
    """How many, seed and style, in an expander. Built only while it is open, so that nobody waits for it.

    `loaded` is the generator before its switches made it `generator`. A link with a style opens the expander.
    """
    options = st.expander(
        "Options: how many, seed, style, ink, neat",
        bool(style_names(initial)),
        key="options",
        on_change="rerun",
    )
    if not options.open:
        return
    from screens import styles

    controls, problem = styles.controls_or_problem(generator)
    shape: styles.Shape = {}
    if controls and isinstance(generator, DigitGenerator):
        keys = key_of(generator), controls.digest
        shape = styles.shape_of(keys, (digit,), seeds[0], generator, controls)
    with options:
        with st.container(key="options_first", horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.slider("How many", 1, MAX_COUNT, initial["count"], key="count", persist_state="session")
            st.session_state.seed = seeds[0]
            st.number_input("First seed", 0, MAX_FIRST_SEED, key="seed", on_change=use_seed, args=(digit,))
        styles.show_style_controls("draw", initial, controls, problem, shape)
        st.toggle("Keep these seeds when I change the digit", key="hold", persist_state="session")
        st.toggle("Ink: a smooth outline on paper", initial["ink"], key="draw.ink", persist_state="session")
        show_switches("draw", loaded, initial)


def use_seed(digit: int) -> None:
    """A seed was typed: use it and the seeds after it. An empty field changes nothing."""
    if st.session_state.seed is not None:
        before.keep("draw", st.session_state.drawn)
        st.session_state.drawn = digit, st.session_state.seed


def show_address_of(
    variant: Variant, digit: int, seeds: Sequence[int], style: Mapping[str, float], *, at: int, ink: bool
) -> None:
    """The five images that every visitor sees first have no parameters in their address."""
    state = {"digit": digit, "seed": seeds[0], **style, **variant.address}
    if len(seeds) != FIVE:
        state["count"] = len(seeds)
    state |= {name: int(value) for name, value in (("at", at), ("ink", ink)) if value}
    show_address({} if state == START else state)


if __name__ == "__main__":
    main()
