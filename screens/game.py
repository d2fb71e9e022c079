"""Which did the network draw? Ten pictures a round, real or generated: the visitor marks the generated ones.

The rounds are those of the live demo (`web/game.js`): seeds in order, uncurated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from digit_generator.generate import DigitGenerator
from screens import ROOT
from screens.address import Address, initial_state, show_address
from screens.model import trained_generator_or_stop
from screens.picture import image_from_pixels
from screens.widgets import show_title

REAL_DIGITS = ROOT / "web" / "real_digits.png"  # row d: the first thirty of digit d in MNIST's test set
REAL_PER_DIGIT = 30
FIRST_SEED = 1000  # of the first round's 0; every digit of every round has its own seed
MAX_ROUND = 1_000_000


def main() -> None:
    show_title(
        "Which did the network draw?",
        "Some of these ten digits were written by people. Select every digit that you think "
        "**the network drew**.",
    )
    generator = trained_generator_or_stop()
    try:
        real = real_digits(REAL_DIGITS.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        st.warning(
            f"**The real digits are missing ({type(error).__name__}).** Expected: `web/real_digits.png`, "
            "840 by 280 pixels. To restore it, run `git checkout web/real_digits.png` and reload this page.",
            icon=":material/warning:",
        )
        return
    initial = initial_state("game", state_from_address)
    state = st.session_state.setdefault("game.state", {**initial, "marked": None})
    play(generator, real, state)
    # The score is in the address, to stay when the page is loaded again. A round that is answered is over.
    told = {"round": (state["round"] + (state["marked"] is not None)) % MAX_ROUND + 1}
    if state["judged"]:
        told |= {"right": state["right"], "judged": state["judged"]}
    show_address({} if told == {"round": 1} else told)


def state_from_address(address: Address) -> dict[str, Any]:
    judged = address.whole("judged", 0, 10 * MAX_ROUND, 0)
    return {
        "round": address.whole("round", 1, MAX_ROUND, 1) - 1,
        "judged": judged,
        "right": min(address.whole("right", 0, 10 * MAX_ROUND, 0), judged),
    }


@st.cache_data(max_entries=1, show_spinner=False)
def real_digits(version: int) -> npt.NDArray[np.uint8]:
    """uint8 [10, 30, 28, 28]: thirty real digits of each kind.

    Raises OSError if the file cannot be read, ValueError if it has another size.
    """
    with Image.open(REAL_DIGITS) as picture:
        pixels = np.asarray(picture.convert("L"))
    return pixels.reshape(10, 28, REAL_PER_DIGIT, 28).swapaxes(1, 2).copy()


@dataclass(frozen=True)
class Tile:
    """One of the ten pictures: its digit, and whether it is generated."""

    digit: int
    generated: bool


def tiles_of_round(number: int) -> list[Tile]:
    """The ten tiles of a round in their order, each digit once: a coin toss decides which are generated.

    The next thirty rounds turn every coin over, so that no picture appears twice within sixty rounds.
    """
    turned = number // REAL_PER_DIGIT % 2 == 1
    draws = np.random.RandomState(number % REAL_PER_DIGIT).standard_normal(20)  # ten coins, then ten places
    order = sorted(range(10), key=lambda digit: draws[10 + digit])
    return [Tile(digit, bool(draws[digit] > 0) != turned) for digit in order]


def seed_of_zero(number: int) -> int:
    """The seed of a round's generated 0; the 1 has the next seed, and so on."""
    return FIRST_SEED + 10 * number


def pixels_of_tile(
    generator: DigitGenerator, real: npt.NDArray[np.uint8], number: int, tile: Tile
) -> npt.NDArray[np.uint8]:
    if tile.generated:
        return generator.digits(tile.digit, [seed_of_zero(number) + tile.digit])[0]
    return real[tile.digit, number % REAL_PER_DIGIT]


def play(generator: DigitGenerator, real: npt.NDArray[np.uint8], state: dict[str, Any]) -> None:
    """The tiles and the button below them, which shows the answer and then deals the next ten."""
    number, marked = state["round"], state["marked"]
    tiles = tiles_of_round(number)
    with st.container(key="tiles"):
        for place, tile in enumerate(tiles):
            picture = image_from_pixels(
                pixels_of_tile(generator, real, number, tile),
                "enlarged",
                f"picture {place + 1}, a {tile.digit}",
            )
            if marked is None:
                show_open_tile(number, place, tile, picture)
            else:
                show_answered_tile(place, tile, picture, marked[place])
    with st.container(key="game_answer", horizontal=True, vertical_alignment="center"):
        # One button for both, so that it keeps the focus.
        words = "Show the answer" if marked is None else "Ten more"
        st.button(words, type="primary", key="judge", on_click=answer_or_deal, args=(state, tiles))
        if marked is not None:
            right = sum(mark == tile.generated for mark, tile in zip(marked, tiles, strict=True))
            generated = sum(tile.generated for tile in tiles)
            st.markdown(
                f"**{right} of 10 correct.** The network drew {generated}, people wrote {10 - generated}."
            )
    show_score(state)
    st.caption(
        f"Round {number + 1}: a generated 0 has seed {seed_of_zero(number)}, a generated 1 the next seed, "
        f"and so on. Each real digit is number {number % REAL_PER_DIGIT + 1} of its kind in MNIST's test "
        "set. A coin toss decides between generated and real; the pictures are uncurated. Generated digits "
        "have the network's shape and the greys of MNIST's own scan rule."
    )


def show_open_tile(number: int, place: int, tile: Tile, picture: str) -> None:
    """A picture that works as a checkbox: the transparent label lies over it (app.css)."""
    with st.container(key=f"tile_{place}"):
        st.html(picture)
        st.checkbox(
            f"Picture {place + 1}, a {tile.digit}: drawn by the network",
            key=f"tile.{number}.{place}",
            on_change="ignore",
            persist_state="session",
        )


def show_answered_tile(place: int, tile: Tile, picture: str, marked: bool) -> None:
    right = marked == tile.generated
    with st.container(key=f"tile_{'right' if right else 'wrong'}_{place}"):
        source = "Drawn by the network" if tile.generated else "Written by a person"
        said = "the network" if marked else "a person"
        st.html(f"{picture}<p class=verdict>{'✓' if right else '✗'} {source}. You said: {said}.</p>")


def answer_or_deal(state: dict[str, Any], tiles: list[Tile]) -> None:
    """Answer the round, or deal the next one if it is answered."""
    number = state["round"]
    if state["marked"] is not None:
        state["round"], state["marked"] = (number + 1) % MAX_ROUND, None
        return
    marked = [bool(st.session_state.get(f"tile.{number}.{place}")) for place in range(10)]
    state["marked"] = marked
    state["right"] += sum(mark == tile.generated for mark, tile in zip(marked, tiles, strict=True))
    state["judged"] += 10


def start_over(state: dict[str, Any]) -> None:
    number = state["round"]
    for place in range(10):
        st.session_state.pop(f"tile.{number}.{place}", None)
    state |= {"round": 0, "marked": None, "right": 0, "judged": 0}


def show_score(state: dict[str, Any]) -> None:
    right, judged = state["right"], state["judged"]
    if not judged:
        st.markdown("Guessing gets about 5 of 10 correct.")
        return
    with st.container(key="game_score", horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"So far {right} of {judged} correct, {100 * right / judged:.0f} %. Guessing gets about 50 %.",
            width="content",
        )
        st.button("Start over", type="tertiary", key="start_over", on_click=start_over, args=(state,))


if __name__ == "__main__":
    main()
