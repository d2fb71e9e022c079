"""The first page: pick a digit, press the button, get five images. The options are one click away, below."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar
from zlib import crc32

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import Recipe, stem_of_digit, style_suffix
from digit_generator.render import png_from_pixels, svg_from_pixels
from screens import before
from screens.address import Address, initial_state, show_address, style_from_address, style_names
from screens.large import html_from_details, html_from_large
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
from screens.picture import Drawing, source_from_pixels
from screens.widgets import NAME, Html, escape_markdown, html_of_again, pick_digit

if TYPE_CHECKING:  # imported only when a visitor sets a style
    from digit_generator.style import StyleControls

T = TypeVar("T")

FIVE = 5
MAX_COUNT = 50  # on a server that many visitors share
MAX_FIRST_SEED = MAX_SEED - MAX_COUNT + 1
START = {"digit": 7, "seed": 0}  # what a visitor sees before the first click


@dataclass(frozen=True)
class Shown:
    """What the page shows: a set of pictures, and all that their look depends on.

    controls: for the style; None without one. notes: sentences for the visitor, on what cannot be had.
    """

    generator: Generator
    variant: Variant
    digit: int
    seeds: range
    style: Mapping[str, float]
    controls: StyleControls | None
    notes: Sequence[str]
    ink: bool

    @property
    def stem(self) -> str:
        """What all file names begin with."""
        return stem_of_digit(self.digit, placeholder=isinstance(self.generator, PlaceholderGenerator))

    @property
    def suffix(self) -> str:
        """What all file names end with."""
        return style_suffix(self.style, raw=self.variant.raw, neat=self.variant.neat) + "_ink" * self.ink

    @property
    def key(self) -> str:
        """Another one for other pictures: a number, since the page's script compares it."""
        drawn_by = () if isinstance(self.generator, PlaceholderGenerator) else key_of(self.generator)
        looks = drawn_by, self.digit, self.seeds, sorted(self.style.items()), self.ink
        return f"{crc32(repr(looks).encode()):08x}"


def main() -> None:
    st.title(NAME, anchor=False)
    _, problem = generator_or_placeholder()
    if problem:
        show_problem(problem)
    else:
        st.caption("A small neural network generates digits that nobody wrote.")
    initial = initial_state("draw", state_from_address)
    count = st.session_state.get("count", initial["count"])
    with st.container(key="pick_and_draw", horizontal=True, vertical_alignment="center"):
        st.session_state["draw.all"] = True  # the pictures follow
        show_digits_to_pick(initial, count)
        show_digits(initial, problem, count)
    with st.expander("How it works"):
        st.markdown(HOW_IT_WORKS)
    show_asked(initial, count)


@st.fragment(key="pick")
def show_digits_to_pick(initial: dict[str, Any], count: int) -> None:
    """Ten buttons. A part of its own: the pictures change by the other button, which need not run it."""
    pick_digit("Digit", "digit", initial["digit"])
    if not st.session_state.pop("draw.all", False):
        run_all_if_missed(initial, count)


@st.fragment(key="digits")
def show_digits(initial: dict[str, Any], problem: str, count: int) -> None:
    """All that a click changes, in few elements: for each, Streamlit takes as long as a PNG does."""
    loaded, problem_now = generator_or_placeholder()
    count_now = st.session_state.get("count", initial["count"])
    if (problem_now, count_now) != (problem, count):
        st.rerun()
    label = f"Generate {count} Image{'s' * (count > 1)}"
    st.button(label, type="primary", key="generate", on_click=draw_next, args=(initial,))
    shown = what_is_shown(loaded, count, initial)
    drawings = draw(shown)
    is_first = (shown.digit, shown.seeds[0]) == (initial["digit"], initial["seed"])
    at = min(initial["at"], count - 1) if is_first else 0
    st.html(Html(html_of_all(shown, drawings, at)))
    show_options(loaded, shown, initial)
    show_address_of(shown, at)
    st.session_state["draw.seen"] = what_was_set(shown)


@st.fragment(key="asked")
def show_asked(initial: dict[str, Any], count: int) -> None:
    """What app.js asks for by picking a pill that nobody sees: a set of Before, or details of a picture.

    A part of its own, so that a click does not run it.
    """
    # Other pills after each press, of which each counts once: what the browser sends next may still have it.
    press = st.session_state.get("draw.presses", 0)
    with st.container(key="asked"):
        pills = f"bring_back_{press}"
        st.pills("Before", range(before.MAX), key=pills, on_change=bring_back, args=(pills, press))
        st.pills("Large picture", range(count), key="large", on_change=ask_for_details)
        shown = run_all_if_missed(initial, count)
        asked, at = st.session_state.get("draw.details", (None, 0))
        if asked == drawn(initial) and at < count:
            pixels = pixels_of(shown, shown.digit, shown.seeds)[at]
            hand = hand_of(shown, shown.seeds[at]) if count <= FIVE else None
            st.html(Html(html_from_details(shown.key, at, pixels, hand, ink=shown.ink)))


def run_all_if_missed(initial: dict[str, Any], count: int) -> Shown:
    """What is shown. The whole page runs if show_digits would now show something else: what a visitor does at
    one moment comes in one message, for which Streamlit runs one part only."""
    loaded, _ = generator_or_placeholder()
    shown = what_is_shown(loaded, count, initial)
    if st.session_state.get("draw.seen") != what_was_set(shown):
        st.rerun()
    return shown


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


def draw_next(initial: dict[str, Any]) -> None:
    """The button was pressed: the picked digit with new seeds."""
    shown = drawn(initial)
    picked = st.session_state.get("digit", initial["digit"])
    following = picked, shown[1] if st.session_state.get("hold") else new_seed(MAX_COUNT)
    if shown != following:
        before.keep("draw", shown)
    st.session_state.drawn = following


def drawn(initial: dict[str, Any]) -> tuple[int, int]:
    """The digit and the first seed of the set that is shown."""
    kept: tuple[int, int] = st.session_state.setdefault("drawn", (initial["digit"], initial["seed"]))
    return kept


def what_is_shown(loaded: Generator, count: int, initial: dict[str, Any]) -> Shown:
    generator, variant = variant_of("draw", loaded, initial)
    digit, first = drawn(initial)
    style, controls, notes = style_controls_and_notes(generator, digit, first, initial)
    ink = st.session_state.get("draw.ink", initial["ink"])
    return Shown(generator, variant, digit, range(first, first + count), style, controls, notes, ink)


def what_was_set(shown: Shown) -> tuple[object, ...]:
    """All that show_digits follows: another one where it would show something else."""
    return shown.key, *(st.session_state.get(key) for key in ("count", "options", "draw.style"))


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


def bring_back(pills: str, press: int) -> None:
    """Show a set of the strip again; the one shown takes its place."""
    pressed, kept = st.session_state[pills], before.kept("draw")
    is_new = press == st.session_state.get("draw.presses", 0)
    if is_new and pressed is not None and pressed < len(kept):
        before.swap("draw", kept[pressed], st.session_state.drawn)
        st.session_state.drawn = kept[pressed]
        st.session_state["draw.presses"] = press + 1
        st.rerun(("digits", "asked"))


def ask_for_details() -> None:
    if st.session_state.large is not None:
        st.session_state["draw.details"] = st.session_state.drawn, st.session_state.large
        st.session_state.large = None


def draw(shown: Shown) -> list[Drawing]:
    """One drawing per seed."""
    digit, variant = shown.digit, shown.variant
    placeholder = isinstance(shown.generator, PlaceholderGenerator)
    recipe = Recipe.of(shown.generator, digit=digit, style=shown.style, controls=shown.controls)
    marks = ["placeholder"] if placeholder else variant.words
    described = f"placeholder for a {digit}" if placeholder else f"handwritten-style {digit}"
    drawings = [
        Drawing(
            png=png_from_pixels(pixels, recipe=replace(recipe, seed=seed).to_text()),
            title=f"{digit}, {', '.join([*marks, f'seed {seed}'])}",
            caption="<br>".join([*marks, f"seed {seed}"]),
            description=", ".join([described, *variant.words]),
            stem=f"{shown.stem}_seed_{seed}{shown.suffix}",
            svg=svg_from_pixels(pixels, "ink") if shown.ink else "",
        )
        for seed, pixels in zip(shown.seeds, pixels_of(shown, digit, shown.seeds), strict=True)
    ]
    if len(drawings) <= FIVE:
        once("draw.small", shown.key, lambda: before.html_of_small(drawing.original for drawing in drawings))
    return drawings


def pixels_of(shown: Shown, digit: int, seeds: range) -> npt.NDArray[np.uint8]:
    """Pixels, uint8 [B, 28, 28], of these seeds in the style that is shown, if that is for this digit.

    Those in a style are cached, because finding a style takes a second.
    """
    generator, controls = shown.generator, shown.controls
    style = shown.style if digit == shown.digit else {}  # another digit may not come as far
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


def plain_pixels(generator: Generator, digit: int, seeds: range) -> npt.NDArray[np.uint8]:
    """`generator.digits`, drawn once."""
    key = ("placeholder" if isinstance(generator, PlaceholderGenerator) else key_of(generator)), digit, seeds
    return once("draw.pixels", key, lambda: digits_together(generator, digit, seeds))


def once(name: str, key: Hashable, make: Callable[[], T]) -> T:
    """What this visitor's last sets need, made once: a click makes one set and shows five."""
    kept: dict[Hashable, T] = st.session_state.setdefault(name, {})
    kept[key] = kept.pop(key) if key in kept else make()
    for oldest in [*kept][: -2 * before.MAX]:
        del kept[oldest]
    return kept[key]


def keep_styled() -> None:
    """Stop was pressed: show as many pictures as are drawn, five at least."""
    st.session_state["count"] = max(st.session_state["draw.styled"], FIVE)


def hand_of(shown: Shown, seed: int) -> npt.NDArray[np.uint8]:
    """The ten digits in the hand of a seed, uint8 [10, 28, 28], as near to the style as each can come."""
    generator, controls = shown.generator, shown.controls
    if isinstance(generator, PlaceholderGenerator):
        return generator.digits(range(10), [seed] * 10)
    if not (shown.style and controls):
        return plain_hand(key_of(generator), seed, generator)
    from screens import styles

    keys = key_of(generator), controls.digest
    return styles.styled_hand(keys, seed, tuple(shown.style.items()), generator, controls)


@st.cache_data(max_entries=500, show_spinner=False)
def plain_hand(key: tuple[object, ...], seed: int, _generator: DigitGenerator) -> npt.NDArray[np.uint8]:
    """DigitGenerator.hand, drawn once while it is shown; `key` is key_of the generator."""
    return _generator.hand(range(10), seed)


def html_of_all(shown: Shown, drawings: Sequence[Drawing], at: int) -> str:
    """All of it in one element, which takes Streamlit less time than many."""
    parts = (
        html_of_heading(shown),
        html_of_drawings(shown, drawings, at),
        html_from_large(drawings[at], at, shown.key, has_hand=len(drawings) <= FIVE),
        html_of_before(shown),
        html_of_command(shown),
    )
    return f"<div class=drawn data-digit={shown.digit} data-seed={shown.seeds[0]}>{''.join(parts)}</div>"


def html_of_heading(shown: Shown) -> str:
    count, generator = len(shown.seeds), shown.generator
    badge = ""
    if isinstance(generator, PlaceholderGenerator):
        badge = "<span class=badge>placeholders</span>"
    elif not generator.is_ours:
        badge = "<span class=badge>your own weights</span>"
    name = f"{shown.stem}_seeds_{shown.seeds[0]}-{shown.seeds[-1]}{shown.suffix}.zip"
    every = "five" if count == FIVE else count
    following = escape(f"Next: {heading('#', count).lower()}. Press Generate.")
    return (
        f"<div class=heading><h2>{heading(shown.digit, count)}</h2>{badge}"
        f"<button type=button data-zip={name}><span aria-hidden=true>folder_zip</span>Download all {every}"
        f'</button></div><p class=quiet data-next="{following}" hidden></p>'
    )


def heading(digit: int | str, count: int) -> str:
    if count == 1:
        return f"One image of {digit}"
    return f"{'Five' if count == FIVE else count} images of {digit}"


def html_of_drawings(shown: Shown, drawings: Sequence[Drawing], at: int) -> str:
    """Five columns: the enlarged picture, its caption, the picture at its original size, a download button.

    More than five pictures stand closer together and have no button of their own: the zip has them all.
    """
    many = len(drawings) > FIVE
    pieces = "".join(
        html_from_drawing(drawing, is_large=number == at) for number, drawing in enumerate(drawings)
    )
    buttons = "" if many else "".join(html_of_download(drawing) for drawing in drawings)
    told = "".join(f", {name} {value:g}" for name, value in shown.style.items())
    looks = "as a smooth outline in ink" if shown.ink else "enlarged"
    return (
        f"<div><div class='pictures{' many' * many}'>{pieces}</div>"
        + f"<div class=downloads>{buttons}</div>" * (not many)
        + f"</div><p class=quiet>Each image is shown {looks}, with the original of 28×28 pixels below it"
        f"{told}. Press one to see it large. Keys 0 to 9 pick a digit, Space or Enter generates."
        f"{escape(shown.variant.sentences)}</p>"
    )


def html_from_drawing(drawing: Drawing, *, is_large: bool) -> str:
    name = drawing.caption.replace("<br>", ", ")
    return (
        f'<figure data-name="{drawing.stem}" data-title="{drawing.title}">'
        f'<button type=button aria-pressed={str(is_large).lower()} aria-label="{name}: show large">'
        f'<img class=enlarged src="{drawing.source}" alt="{drawing.description}"></button>'
        f"<figcaption>{drawing.caption}</figcaption>"
        f'<img class=original src="{drawing.original}" '
        f'alt="{drawing.description}, original size"></figure>'
    )


def html_of_download(drawing: Drawing) -> str:
    """A button that saves the file of one picture, which the page has already (app.js)."""
    return (
        f'<button type=button data-save="{drawing.file_name}" aria-label="Download {drawing.file_name}">'
        "<span aria-hidden=true>download</span></button>"
    )


def html_of_before(shown: Shown) -> str:
    """The last sets, each one click away."""
    count, sets = len(shown.seeds), []
    for digit, first in before.kept("draw"):
        name = f"{heading(digit, count).lower()}, seeds {first} to {first + count - 1}"
        sets.append((name, small_pictures(shown, digit, range(first, first + min(count, FIVE)))))
    return before.html_of_strip(sets)


def small_pictures(shown: Shown, digit: int, seeds: range) -> str:
    """A set in the strip, drawn as what is shown is."""
    style = shown.style if digit == shown.digit else {}  # another digit may not come as far
    key = replace(shown, digit=digit, seeds=seeds, style=style).key
    return once(
        "draw.small",
        key,
        lambda: before.html_of_small(map(source_from_pixels, pixels_of(shown, digit, seeds))),
    )


def html_of_command(shown: Shown) -> str:
    count, first = len(shown.seeds), shown.seeds[0]
    arguments = ["generate", str(shown.digit), "--count", str(count), "--seed", str(first)]
    if isinstance(shown.generator, PlaceholderGenerator):
        arguments.append("--placeholder")
        words = "To draw the same placeholders again:"
    else:
        words = (
            f"To generate the same {'image' if count == 1 else 'images'} again with the weights "
            f"<code>{shown.generator.digest[:8]}</code>:"
        )
    notes = "".join(f"<p class=quiet>{escape(note)}</p>" for note in shown.notes)
    return html_of_again(words, command(arguments, shown.style, shown.variant)) + notes


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


def show_options(loaded: Generator, shown: Shown, initial: dict[str, Any]) -> None:
    """How many, seed and style, in an expander. Built only while it is open, so that nobody waits for it.

    `loaded` is the generator before its switches made it that of `shown`. A link with a style opens the
    expander.
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

    generator, digit, first = shown.generator, shown.digit, shown.seeds[0]
    controls, problem = styles.controls_or_problem(generator)
    shape: styles.Shape = {}
    if controls and isinstance(generator, DigitGenerator):
        keys = key_of(generator), controls.digest
        shape = styles.shape_of(keys, (digit,), first, generator, controls)
    with options:
        with st.container(key="options_first", horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.slider("How many", 1, MAX_COUNT, initial["count"], key="count", persist_state="session")
            st.session_state.seed = first
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


def show_address_of(shown: Shown, at: int) -> None:
    """The five images that every visitor sees first have no parameters in their address."""
    state = {"digit": shown.digit, "seed": shown.seeds[0], **shown.style, **shown.variant.address}
    if len(shown.seeds) != FIVE:
        state["count"] = len(shown.seeds)
    state |= {name: int(value) for name, value in (("at", at), ("ink", shown.ink)) if value}
    show_address({} if state == START else state)


if __name__ == "__main__":
    main()
