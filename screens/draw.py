"""The first page: pick a digit, press one button, see five of it. Everything else is one step away, below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import STYLE_NAMES, Recipe, style_suffix
from digit_generator.render import png_from_pixels, stem_of_digit, zip_from_files
from screens.shared import (
    NAME,
    WAY_OUT,
    Address,
    Generator,
    Variant,
    generator_or_placeholder,
    image_from_pixels,
    key_of,
    literal,
    new_seed,
    opened,
    pick_digit,
    show_address,
    show_switches,
    source_from_png,
    variant_from_address,
    variant_of,
)

if TYPE_CHECKING:  # who sets no style does not wait for this to be imported
    from digit_generator.style import StyleControls

FIVE = 5
MAX_COUNT = 50
MAX_FIRST_SEED = MAX_SEED - MAX_COUNT + 1
START = {"digit": 7, "seed": 0}  # what a visitor sees before the first click


def main() -> None:
    st.title(NAME, anchor=False)
    loaded, problem = generator_or_placeholder()
    if problem:
        show_problem(problem)
    else:
        st.caption("A small neural network draws digits that nobody wrote.")
    asked = opened("draw", recipe_from_address)
    generator, variant = variant_of("draw", loaded, asked)

    with st.container(key="controls", horizontal=True, vertical_alignment="center"):
        picked = pick_digit("Digit", "digit", asked["digit"])
        count = st.session_state.get("count", asked["count"])
        digit, seeds = digit_and_seeds(picked, count, asked)

    style, controls, notes = style_controls_and_notes(generator, digit, asked)
    drawings = draw(generator, variant, digit, seeds, style, controls)
    show_heading(generator, variant, digit, seeds, drawings)
    show_drawings(variant, drawings)
    show_recipe(generator, variant, digit, seeds, style, notes)
    show_how_it_works()
    show_choices(loaded, generator, digit, seeds, asked)
    show_address_of(variant, digit, seeds, style)


def recipe_from_address(address: Address) -> dict[str, Any]:
    return {
        "digit": address.whole("digit", 0, 9, 7),
        "seed": address.whole("seed", 0, MAX_FIRST_SEED, 0),
        "count": address.whole("count", 1, MAX_COUNT, FIVE),
        **{name: address.decimal(name) for name in STYLE_NAMES},
        **variant_from_address(address),
    }


def show_problem(problem: str) -> None:
    st.warning(
        "**These digits are placeholders: there is no trained model to draw with.**\n\n"
        f"{literal(problem)}\n\n{WAY_OUT}",
        icon=":material/warning:",
    )


def digit_and_seeds(picked: int, count: int, asked: dict[str, Any]) -> tuple[int, Sequence[int]]:
    """What to draw: the picked digit with new seeds if the button was pressed, else what was drawn before."""
    digit, first = st.session_state.setdefault("drawn", (asked["digit"], asked["seed"]))
    if st.button(f"Generate {count} Image{'s' * (count > 1)}", type="primary", key="generate"):
        digit, first = picked, first if st.session_state.get("hold") else new_seed(MAX_COUNT)
        st.session_state.drawn = digit, first
    return digit, range(first, first + count)


def style_controls_and_notes(
    generator: Generator, digit: int, asked: dict[str, Any]
) -> tuple[dict[str, float], StyleControls | None, list[str]]:
    """What is set of the style, by name, as near as this digit goes; what draws it; what there is to say."""
    if not (st.session_state.get("draw.style") or any(asked[name] is not None for name in STYLE_NAMES)):
        return {}, None, []
    from screens import styles

    controls, problem = styles.controls_or_problem(generator)
    if controls is None:
        return {}, None, [problem]
    wanted = styles.wanted_style("draw", asked, controls)
    style, notes = styles.nearest_style(digit, wanted, controls)
    return style.asked, controls, notes


@dataclass(frozen=True)
class Drawing:
    """One picture: a PNG of 28 by 28 pixels, and what its caption, description and file name say."""

    png: bytes
    caption: str
    description: str
    file_name: str


def draw(
    generator: Generator,
    variant: Variant,
    digit: int,
    seeds: Sequence[int],
    style: Mapping[str, float],
    controls: StyleControls | None,
) -> list[Drawing]:
    """One drawing for each seed. To find a style takes a second: what was found is kept for a while."""
    placeholder = isinstance(generator, PlaceholderGenerator)
    if style and controls and isinstance(generator, DigitGenerator):
        from screens import styles

        keys, asked = (key_of(generator), controls.digest), tuple(style.items())
        drawn = styles.styled_pixels(keys, digit, tuple(seeds), asked, generator, controls)
    else:
        drawn = generator.digits(digit, seeds)
    recipe = Recipe.of(generator, digit=digit, style=style, controls=controls)
    marks = ["placeholder"] if placeholder else variant.words
    described = f"placeholder for a {digit}" if placeholder else f"handwritten-style {digit}"
    return [
        Drawing(
            png=png_from_pixels(pixels, recipe=replace(recipe, seed=seed).to_text()),
            caption="<br>".join([*marks, f"seed {seed}"]),
            description=", ".join([described, *variant.words]),
            file_name=f"{file_stem(generator, digit)}_seed_{seed}{style_suffix(style, raw=variant.raw)}.png",
        )
        for seed, pixels in zip(seeds, drawn, strict=True)
    ]


def file_stem(generator: Generator, digit: int) -> str:
    return stem_of_digit(digit, placeholder=isinstance(generator, PlaceholderGenerator))


def show_heading(
    generator: Generator, variant: Variant, digit: int, seeds: Sequence[int], drawings: Sequence[Drawing]
) -> None:
    name = (
        f"{file_stem(generator, digit)}_seeds_{seeds[0]}-{seeds[-1]}{style_suffix({}, raw=variant.raw)}.zip"
    )
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.header(heading(digit, len(seeds)), anchor=False, width="content")
        if isinstance(generator, PlaceholderGenerator):
            st.badge("placeholders", color="gray")
        elif not generator.is_ours:
            st.badge("your own weights", color="gray")
        st.space("stretch")
        st.download_button(
            "Download all five" if len(seeds) == FIVE else f"Download all {len(seeds)}",
            zip_from_files({drawing.file_name: drawing.png for drawing in drawings}),
            name,
            "application/zip",
            key="download_all",
            on_click="ignore",
            icon=":material/folder_zip:",
        )


def heading(digit: int, count: int) -> str:
    if count == 1:
        return f"One drawing of {digit}"
    return f"{'Five' if count == FIVE else count} drawings of {digit}"


def show_drawings(variant: Variant, drawings: Sequence[Drawing]) -> None:
    """Five columns: a picture enlarged, its caption, it at the original size, a button that downloads it.

    More than five stand closer, without a button each: the zip has them all.
    """
    many = len(drawings) > FIVE
    with st.container(key="drawings", gap="xsmall"):
        # In one piece: ten pictures by st.image would take a visitor a third longer to see.
        pieces = "".join(map(html_from_drawing, drawings))
        st.html(f"<div class='pictures{' many' * many}'>{pieces}</div>")
        if not many:
            with st.container(key="downloads", horizontal=True):
                for number, drawing in enumerate(drawings):
                    show_download(drawing, number)
    st.caption(
        f"Each picture enlarged, and under it at its original size of 28×28 pixels.{variant.sentences}"
    )


def html_from_drawing(drawing: Drawing) -> str:
    source = source_from_png(drawing.png)
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


def show_recipe(
    generator: Generator,
    variant: Variant,
    digit: int,
    seeds: Sequence[int],
    style: Mapping[str, float],
    notes: Sequence[str],
) -> None:
    words = ["generate", str(digit), "--count", str(len(seeds)), "--seed", str(seeds[0])]
    words += [*(f"--{name}={value!r}" for name, value in style.items()), *variant.options]
    command = f"python -m digit_generator {' '.join(words)}"
    same = "The same five" if len(seeds) == FIVE else "The same"
    if isinstance(generator, PlaceholderGenerator):
        st.caption(f"{same} placeholders again: `{command} --placeholder`")
    else:
        st.caption(f"{same} again, from the weights `{generator.digest[:8]}`: `{command}`")
    for note in notes:
        st.caption(literal(note))


def show_how_it_works() -> None:
    with st.expander("How it works"):
        st.markdown(HOW_IT_WORKS)


HOW_IT_WORKS = """\
**Drawing.** A seed stands for 100 random numbers. They and the digit you picked go through four layers of a
small network, and out come 784 shades of grey: 28 rows of 28 pixels. The same digit and seed always give the
same picture; another seed gives another one. Where a seed's numbers cannot write the digit, its next hundred
are taken.

**Finishing.** The digits of MNIST were scanned in black and white, and one rule gave them their greys. The
same rule finishes what the network drew: the network's shape, MNIST's own scan rule. A switch below shows the
digits **raw**, as the network drew them.

**Learning.** The network that draws has never seen a real digit. A second network was shown handwritten
digits from the MNIST collection and drawn ones, and learned to tell them apart; the first learned to fool it.
Then the second was thrown away. What the first has learned is 1.5 million numbers: `generator.pth`.

**In the code.** `mnist_gan_training.py` learns, `digit_generator/generate.py` draws,
`digit_generator/finish.py` finishes, `screens/draw.py` is this page. **How it learns**, above, shows the two
networks at work.
"""


def show_choices(
    loaded: Generator, generator: Generator, digit: int, seeds: Sequence[int], asked: dict[str, Any]
) -> None:
    """How many, which seed, what style: behind a line that opens, and made only then: nobody waits for it.

    `loaded` is the generator before its switches made it `generator`.
    """
    choices = st.expander("How many, which seed, in what style", key="choices", on_change="rerun")
    if not choices.open:
        return
    from screens import styles

    controls, problem = styles.controls_or_problem(generator)
    with choices:
        with st.container(key="choices_first", horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.slider("How many", 1, MAX_COUNT, asked["count"], key="count", persist_state="session")
            st.session_state.seed = seeds[0]
            st.number_input("First seed", 0, MAX_FIRST_SEED, key="seed", on_change=draw_seed, args=(digit,))
        styles.show_style_controls("draw", asked, controls, problem)
        st.toggle(
            "Keep these seeds: another digit is drawn with the same ones",
            key="hold",
            persist_state="session",
        )
        show_switches("draw", loaded, asked)
        if isinstance(generator, DigitGenerator):
            hand = generator.hand(range(10), seeds[0])
        else:
            hand = generator.digits(range(10), [seeds[0]] * 10)
        pictures = (image_from_pixels(pixels, "original", f"a {each}") for each, pixels in enumerate(hand))
        st.html(
            f"<div class=hand><p>The hand of seed {seeds[0]}, digit by digit</p>{''.join(pictures)}</div>"
        )


def draw_seed(digit: int) -> None:
    """A seed was typed: draw it, and the ones after it. An empty field leaves what was drawn."""
    if st.session_state.seed is not None:
        st.session_state.drawn = digit, st.session_state.seed


def show_address_of(variant: Variant, digit: int, seeds: Sequence[int], style: Mapping[str, float]) -> None:
    """The first five that everybody sees need no address of their own."""
    recipe = {"digit": digit, "seed": seeds[0], **style, **variant.address}
    if len(seeds) != FIVE:
        recipe["count"] = len(seeds)
    show_address({} if recipe == START else recipe)


if __name__ == "__main__":
    main()
