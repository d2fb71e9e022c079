"""Which one is real? Ten pictures a round, each written by a person or drawn by the network: tell which.

The rounds are those of the live demo (`web/game.js`): by seed in order, and nobody has chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from digit_generator.generate import DigitGenerator
from screens.shared import (
    ROOT,
    Address,
    image_from_pixels,
    opened,
    show_address,
    show_title,
    trained_generator_or_stop,
)

REAL_DIGITS = ROOT / "web" / "real_digits.png"  # row d: the first thirty of digit d in MNIST's test set
REAL_PER_DIGIT = 30
FIRST_SEED = 1000  # of the 0 of the first round; each digit and each round has its own
MAX_ROUND = 1_000_000


def main() -> None:
    show_title(
        "Which one is real?",
        "Some of these ten digits were written by people, the others the network has drawn. "
        "Mark every one that you think is **drawn by the network**.",
    )
    generator = trained_generator_or_stop()
    try:
        real = real_digits(REAL_DIGITS.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        st.warning(
            f"**The real digits are missing, so there is nothing to tell apart.** Expected: "
            f"`web/real_digits.png`, 840 by 280 pixels ({type(error).__name__}). `git checkout "
            f"web/real_digits.png` brings it back.",
            icon=":material/warning:",
        )
        return
    asked = opened("game", recipe_from_address)
    state = st.session_state.setdefault("game.state", {"round": asked["round"], "marked": None, "score": {}})
    play(generator, real, state)
    show_address({"round": state["round"] + 1} if state["round"] else {})


def recipe_from_address(address: Address) -> dict[str, Any]:
    return {"round": address.whole("round", 1, MAX_ROUND, 1) - 1}


@st.cache_data(max_entries=1, show_spinner=False)
def real_digits(version: int) -> npt.NDArray[np.uint8]:
    """uint8 [10, 30, 28, 28]: thirty real digits of each kind. OSError, ValueError if it is not that."""
    with Image.open(REAL_DIGITS) as picture:
        pixels = np.asarray(picture.convert("L"))
    return pixels.reshape(10, 28, REAL_PER_DIGIT, 28).swapaxes(1, 2).copy()


@dataclass(frozen=True)
class Tile:
    """One of the ten: its digit, and whether the network has drawn it."""

    digit: int
    generated: bool


def tiles_of_round(number: int) -> list[Tile]:
    """The ten tiles of a round as they stand, each digit once: a coin decides which are generated.

    The next thirty rounds turn every coin round, so that no picture is seen twice within sixty.
    """
    turned = number // REAL_PER_DIGIT % 2 == 1
    draws = np.random.RandomState(number % REAL_PER_DIGIT).standard_normal(20)  # ten coins, then ten places
    order = sorted(range(10), key=lambda digit: draws[10 + digit])
    return [Tile(digit, bool(draws[digit] > 0) != turned) for digit in order]


def seed_of_zero(number: int) -> int:
    """The seed of a round's 0, if it is generated; that of its 1 is the next, and so on."""
    return FIRST_SEED + 10 * number


def pixels_of_tile(
    generator: DigitGenerator, real: npt.NDArray[np.uint8], number: int, tile: Tile
) -> npt.NDArray[np.uint8]:
    if tile.generated:
        return generator.digits(tile.digit, [seed_of_zero(number) + tile.digit])[0]
    return real[tile.digit, number % REAL_PER_DIGIT]


def play(generator: DigitGenerator, real: npt.NDArray[np.uint8], state: dict[str, Any]) -> None:
    """The tiles, and under them the button: it shows the answer, then deals the next ten."""
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
        if marked is None:
            st.button("Show the answer", type="primary", key="judge", on_click=judge, args=(state, tiles))
        else:
            st.button("Ten more", type="primary", key="deal", on_click=deal, args=(state,))
            right = sum(mark == tile.generated for mark, tile in zip(marked, tiles, strict=True))
            drawn = sum(tile.generated for tile in tiles)
            st.markdown(f"**{right} of ten right.** The network drew {drawn}, people wrote {10 - drawn}.")
    show_score(state["score"])
    st.caption(
        f"Round {number + 1}: a generated 0 has seed {seed_of_zero(number)}, a 1 the next, and so on; real "
        f"ones are number {number % REAL_PER_DIGIT + 1} of their digit in MNIST's test set. A coin decides "
        "between the two; nobody has chosen. A generated one is the network's shape, MNIST's own scan rule."
    )


def show_open_tile(number: int, place: int, tile: Tile, picture: str) -> None:
    """A picture that is a checkbox: its label lies over it, unseen (app.css)."""
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
        word = "network" if tile.generated else "person"
        st.html(f"{picture}<p class=verdict>{'✓' if right else '✗'} {word}</p>")


def judge(state: dict[str, Any], tiles: list[Tile]) -> None:
    number = state["round"]
    marked = [bool(st.session_state.get(f"tile.{number}.{place}")) for place in range(10)]
    state["marked"] = marked
    state["score"][number] = sum(mark == tile.generated for mark, tile in zip(marked, tiles, strict=True))


def deal(state: dict[str, Any]) -> None:
    state["round"], state["marked"] = (state["round"] + 1) % MAX_ROUND, None


def show_score(score: dict[int, int]) -> None:
    if not score:
        st.markdown("Guessing gives about five of ten.")
        return
    right, judged = sum(score.values()), 10 * len(score)
    st.markdown(f"So far {right} of {judged} right, {right / judged:.0%}. Guessing gives about 50 %.")


if __name__ == "__main__":
    main()
