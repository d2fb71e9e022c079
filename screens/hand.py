"""Your hand: from a handwritten digit, all ten digits and any number in the same hand.

The digit is written on the page or is in a picture. What came stays in this visitor's session and is gone
with it; the address holds the hand alone.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator.generate import DigitGenerator, pixels_from_images
from digit_generator.hand import (
    MAX_DIGITS,
    SUFFIX,
    Found,
    Hand,
    HandError,
    costs_of_digits,
    hand_from_digits,
    too_far,
)
from digit_generator.normalize import PictureError, normalized_digits
from digit_generator.number import NumberError, write_number
from digit_generator.recipe import MAX_CHARACTERS, Recipe, stem_of_text
from digit_generator.render import png_from_line, png_from_pixels
from screens.address import Address, initial_state, show_address
from screens.model import trained_generator_or_stop
from screens.pen import Line, pen_component, png_from_lines
from screens.picture import image_from_pixels, source_from_png
from screens.widgets import escape_markdown, pick_digit, sentence, show_title

MAX_MEGABYTES = 20  # of a picture
KINDS = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"]
SOURCES = ["Write", "Picture", "Camera"]
VARIATIONS = 10  # of one digit, with the seeds 0 and on
START = {"hand": None, "text": "2026"}

_Pixels = npt.NDArray[np.uint8]


def main() -> None:
    show_title(
        "Your hand",
        "Write one digit, and see all ten in your hand.",
    )
    generator = trained_generator_or_stop()
    initial = initial_state("hand", state_from_address)
    source = pick_source()
    with st.container(key="hand_asked", horizontal=True):
        picture = picture_of_visitor(source)
        if picture:
            with st.container(key="hand_found"):
                show_found(generator, picture)
        else:
            st.session_state.pop("hand.found", None)
    hand = hand_of_visitor(generator, initial)
    if hand is None:
        st.caption(
            "One digit is enough. Several digits by one person make the hand truer. What you write is used "
            "to find the hand and is not kept."
        )
        show_address({})
        return
    show_ten(generator, hand)
    show_variations(generator, hand)
    text = show_number(generator, hand, initial["text"])
    show_hand_file(hand)
    show_address({"hand": hand.text, **({} if text == START["text"] else {"text": text})})


def state_from_address(address: Address) -> dict[str, Any]:
    text = address.asked.get("hand")
    if text is not None:
        try:
            Hand.from_text(text)
        except HandError:
            address.refuse("hand", "the 143 characters of a hand")
            text = None
    return {"hand": text, "text": address.text("text", MAX_CHARACTERS, START["text"])}


def pick_source() -> str:
    return st.segmented_control(
        "Where the digit comes from",
        SOURCES,
        default=SOURCES[0],
        required=True,
        key="hand.source",
        label_visibility="collapsed",
        persist_state="session",
    )


def picture_of_visitor(source: str) -> bytes | None:
    """What was written, uploaded or taken now; of a file, at most MAX_MEGABYTES."""
    if source == SOURCES[0]:
        with st.container(key="hand_pen"):
            pen_component(st.session_state.setdefault("hand.lines", []), keep_lines)
        lines = st.session_state["hand.lines"]
        return png_from_lines(lines) if lines else None
    if source == SOURCES[1]:
        given = st.file_uploader(
            f"A picture of one digit, or of up to {MAX_DIGITS} by one person",
            KINDS,
            key="hand.upload",
            max_upload_size=MAX_MEGABYTES,
            help="Written with a thick pen, they are found best.",
        )
    else:
        given = st.camera_input("A picture of one digit, or of several by one person", key="hand.camera")
    return given.getvalue() if given else None


def keep_lines(lines: list[Line]) -> None:
    st.session_state["hand.lines"] = lines


def show_found(generator: DigitGenerator, picture: bytes) -> None:
    """The digits in the picture and what the network makes of them; the hand goes into the session."""
    try:
        written = normalized_digits(picture, most=MAX_DIGITS).pixels
    except PictureError as error:
        st.session_state.pop("hand.found", None)
        st.warning(escape_markdown(sentence(error)), icon=":material/image_not_supported:")
        return
    key = generator.digest, hashlib.sha256(picture).hexdigest()
    if st.session_state.get("hand.read_of") != key:
        with st.spinner("Reading the digits"):
            costs = costs_of_digits(generator, written)
        st.session_state["hand.read_of"], st.session_state["hand.costs"] = key, costs
        st.session_state["hand.digits"] = "".join(map(str, costs.argmin(axis=1)))
    one = len(written) == 1
    typed = st.text_input(
        "Which digit it is" if one else f"Which {len(written)} digits they are, line by line",
        max_chars=len(written),
        key="hand.digits",
        help="The network's own guess. Correct it if it is wrong.",
        width=320,
        autocomplete="off",
        persist_state="session",
    )
    if not re.fullmatch(f"[0-9]{{{len(written)}}}", typed or ""):
        st.session_state.pop("hand.found", None)
        wanted = "a digit from 0 to 9" if one else f"{len(written)} digits, one for each in the picture"
        st.info(f"Type {wanted}.", icon=":material/edit:")
        return
    labels = [int(character) for character in typed]
    if st.session_state.get("hand.found_of") != (*key, typed) or "hand.found" not in st.session_state:
        bar = st.progress(0.0, "Finding the hand")
        found = hand_from_digits(generator, written, labels, lambda share: bar.progress(share))
        bar.empty()
        st.session_state["hand.found_of"] = *key, typed
        st.session_state["hand.found"] = found
    found = st.session_state["hand.found"]
    show_near(generator, written, found)
    far = sorted({*found.labels[too_far(found, st.session_state["hand.costs"])].tolist()})
    if far:
        told = " and ".join(map(str, far))
        st.warning(
            f"The network cannot draw your {told} well, or it looks like another digit. Check which digit "
            "it is, or write it again.",
            icon=":material/warning:",
        )


def show_near(generator: DigitGenerator, written: _Pixels, found: Found) -> None:
    """Each digit as MNIST has it, beside what the network makes of it, and how near that is."""
    drawn = generator.finished(pixels_from_images(found.images), found.labels, range(len(written)))
    pairs = [
        (
            image_from_pixels(own, "enlarged", f"your {label}"),
            image_from_pixels(again, "enlarged", f"the {label} drawn again"),
        )
        for label, own, again in zip(found.labels.tolist(), written, drawn, strict=True)
    ]
    if len(pairs) == 1:
        own, again = pairs[0]
        st.html(
            f"<div class=pictures><figure>{own}<figcaption>yours, as MNIST has digits</figcaption></figure>"
            f"<figure>{again}<figcaption>what the network makes of it</figcaption></figure></div>"
        )
    else:
        figures = "".join(f"<figure>{own}{again}</figure>" for own, again in pairs)
        st.html(f"<div class='pictures many'>{figures}</div>")
        st.caption("Above, your digits as MNIST has digits. Below, what the network makes of each.")


def hand_of_visitor(generator: DigitGenerator, initial: dict[str, Any]) -> Hand | None:
    """The hand found in this session, else that of the address; None, and why, for one of other weights."""
    found = st.session_state.get("hand.found")
    if found is not None:
        return found.hand
    if initial["hand"] is None:
        return None
    hand = Hand.from_text(initial["hand"])
    try:
        hand.check_weights(generator.digest)
    except HandError as error:
        st.warning(escape_markdown(sentence(error)), icon=":material/link_off:")
        return None
    return hand


def show_ten(generator: DigitGenerator, hand: Hand) -> None:
    st.subheader("The ten digits in this hand", anchor=False)
    ten = generator.variant(in_hand=hand).hand(range(10), 0)
    figures = "".join(
        f"<figure>{image_from_pixels(pixels, 'enlarged', f'a {digit} in this hand')}</figure>"
        for digit, pixels in enumerate(ten)
    )
    st.html(f"<div class='pictures ten'>{figures}</div>")


def show_variations(generator: DigitGenerator, hand: Hand) -> None:
    st.subheader("Variations near it", anchor=False)
    digit = pick_digit("Digit", "digit_hand", 7)
    pixels = generator.variant(in_hand=hand).digits(digit, range(VARIATIONS))
    recipe = Recipe.of(generator.variant(in_hand=hand), digit=digit, seed=0)
    figures = "".join(
        f"<figure>{image_from_pixels(one, 'enlarged', f'a {digit}, seed {seed}')}</figure>"
        for seed, one in enumerate(pixels)
    )
    st.html(f"<div class='pictures many'>{figures}</div>")
    st.download_button(
        f"Download the first {digit}",
        png_from_pixels(pixels[0], recipe=recipe.to_text()),
        f"digit_{digit}_seed_0_hand_{hand.name}.png",
        "image/png",
        key="hand_png",
        on_click="ignore",
        icon=":material/download:",
    )


def show_number(generator: DigitGenerator, hand: Hand, first: str) -> str:
    """A number in the hand, and its text."""
    st.subheader("A number in this hand", anchor=False)
    text = st.text_input(
        "Number",
        first,
        max_chars=MAX_CHARACTERS,
        key="hand.text",
        label_visibility="collapsed",
        persist_state="session",
        autocomplete="off",
        width=320,
    )
    drawing = generator.variant(in_hand=hand)
    try:
        line = write_number(drawing, text or "")
    except NumberError as error:
        st.warning(escape_markdown(sentence(error)), icon=":material/edit:")
        return START["text"]
    png = png_from_line(line.picture, recipe=Recipe.of(drawing, text=line.text).to_text())
    height, width = line.picture.shape
    st.html(
        f'<figure class=line><img class=enlarged style="--width: {width}; --height: {height}" '
        f'src="{source_from_png(png)}" alt="{line.text}, in this hand"></figure>'
    )
    st.download_button(
        "Download PNG",
        png,
        f"{stem_of_text(line.text)}_seed_0_hand_{hand.name}.png",
        "image/png",
        key="hand_number_png",
        on_click="ignore",
        icon=":material/download:",
    )
    return line.text


def show_hand_file(hand: Hand) -> None:
    st.subheader("Keep it", anchor=False)
    name = f"{hand.name}{SUFFIX}"
    st.download_button(
        "Download the hand",
        hand.to_bytes(),
        name,
        "application/json",
        key="hand_file",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )
    st.caption(
        f"The address of this page holds the hand {hand.name}, not the picture. Whoever opens it sees the "
        f"same hand. On your own machine: `python -m digit_generator number 2026 --hand {name}`"
    )


if __name__ == "__main__":
    main()
