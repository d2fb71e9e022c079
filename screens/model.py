"""The generator that the pages use: trained or placeholder, finished or raw, and the seeds that it gets."""

from __future__ import annotations

import os
import secrets
import shlex
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator import weights
from digit_generator.choose import NEATEST, Choice
from digit_generator.generate import DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.turns import drawing
from screens.address import Address
from screens.widgets import escape_markdown

Generator = DigitGenerator | PlaceholderGenerator


def generator_or_placeholder() -> tuple[Generator, str]:
    """The trained generator and "", or the placeholder and a sentence that says why."""
    path = Path(weights.__file__)
    try:
        path = weights.find_weights()
        return DigitGenerator.current(path), ""
    except (weights.WeightsError, OSError) as error:
        return PlaceholderGenerator(), without_folders(str(error), path.parent)


def trained_generator_or_stop() -> DigitGenerator:
    """The trained generator. Without one, stop the page with a sentence on how to get one."""
    generator, problem = generator_or_placeholder()
    if isinstance(generator, PlaceholderGenerator):
        st.warning(
            "**This page needs the trained model, and there is none.**\n\n"
            f"{escape_markdown(problem)}\n\n{WAY_OUT}",
            icon=":material/warning:",
        )
        st.stop()
    if not generator.is_ours:
        st.badge("your own weights", color="gray")
    return generator


def without_folders(message: str, weights_folder: Path) -> str:
    """The message without the server's own folders, which are no visitor's business."""
    package = Path(weights.__file__).resolve().parent
    for folder, name in (
        (package, "the package"),
        (package.parent, "the folder of app.py"),
        (weights_folder, "its folder"),
    ):
        message = message.replace(f"{folder}{os.sep}", "").replace(str(folder), name)
    return message


WAY_OUT = (
    "`generator.pth` belongs in the folder of `app.py`. To restore the repository's own, run "
    "`git checkout generator.pth` and reload this page."
)


@st.cache_resource
def turn() -> threading.Lock:
    """Held by what takes long or much memory: one visitor's at a time, for the others' clicks."""
    return threading.Lock()


def digits_together(generator: Generator, digit: int, seeds: Sequence[int]) -> npt.NDArray[np.uint8]:
    """`generator.digits`, drawn with those that other visitors wait for, which takes less time."""
    if isinstance(generator, PlaceholderGenerator):
        return generator.digits(digit, seeds)
    return drawing.ask(generator, digit, seeds).pixels()


def key_of(generator: DigitGenerator) -> tuple[str, int, str, int]:
    """What the generator's pictures depend on, weights, finish, choice and neat: part of a cache key."""
    return generator.digest, generator.finish_version, generator.choice_digest, generator.neat


@dataclass(frozen=True)
class Variant:
    """The switches that are on, and how captions, commands and the address name them."""

    raw: bool = False
    every_z: bool = False
    neat: int = 0

    @property
    def names(self) -> list[str]:
        return [name for name in SENTENCES if getattr(self, name)]

    @property
    def words(self) -> list[str]:
        """For captions: "raw", "every z", "neat 2 of 4"."""
        told = [name.replace("_", " ") for name in self.names]
        return [*told, f"neat {self.neat} of {NEATEST}"] if self.neat else told

    @property
    def sentences(self) -> str:
        told = "".join(f" {SENTENCES[name]}" for name in self.names)
        return f"{told} Neat, {self.neat} of {NEATEST}: more of z is rejected." if self.neat else told

    @property
    def options(self) -> list[str]:
        """For commands: "--raw", "--every-z", "--neat 2"."""
        told = [f"--{name.replace('_', '-')}" for name in self.names]
        return [*told, f"--neat {self.neat}"] if self.neat else told

    @property
    def address(self) -> dict[str, int]:
        return dict.fromkeys(self.names, 1) | ({"neat": self.neat} if self.neat else {})


SENTENCES = {
    "raw": "Raw: these are the network's own pixels, without MNIST's scan rule.",
    "every_z": "Every z is used, including those that the choice rejects.",
}
SWITCHES = {
    "raw": "Raw: show the network's own pixels",
    "every_z": "Use every z, including those that the choice rejects",
}


def variant_from_address(address: Address) -> dict[str, int]:
    return {name: address.switch(name) for name in SWITCHES} | {"neat": address.whole("neat", 0, NEATEST, 0)}


def variant_of(page: str, generator: Generator, initial: Mapping[str, Any]) -> tuple[Generator, Variant]:
    """The generator with the page's switches applied, and the switches.

    `initial` is the page's initial_state, which applies until a visitor has seen the switches.
    """
    wanted = {name: st.session_state.get(f"{page}.{name}", initial[name]) for name in switches_of(generator)}
    if wanted.get("every_z"):
        wanted.pop("neat", None)  # which has nothing to reject
    variant = Variant(**wanted)
    if isinstance(generator, PlaceholderGenerator):
        return generator, variant
    return generator.variant(raw=variant.raw, every_z=variant.every_z, neat=variant.neat), variant


def show_switches(page: str, generator: Generator, initial: Mapping[str, Any]) -> None:
    """The switches of variant_of, for the generator as it was loaded."""
    names = switches_of(generator)
    if "neat" in names and isinstance(generator, DigitGenerator) and generator.choice:
        st.select_slider(
            "Neat",
            range(NEATEST + 1),
            initial["neat"],
            format_func=lambda neat: {0: "as it comes", NEATEST: "neat"}.get(neat, str(neat)),
            key=f"{page}.neat",
            persist_state="session",
            help=cost_of_neat(generator.choice),
            disabled=bool(st.session_state.get(f"{page}.every_z", initial["every_z"])),
        )
    for name in names:
        if name in SWITCHES:
            st.toggle(SWITCHES[name], initial[name], key=f"{page}.{name}", persist_state="session")


def cost_of_neat(choice: Choice) -> str:
    """What the choice file says of its positions, as Markdown."""
    told = "Neater digits come from rejecting more of z. The price is variety, and distance from real digits."
    if "fid" not in choice.positions[0]:
        return told
    rows = "\n".join(
        f"| {neat} | {each['rejected']:.0%} | {each['broken']:.1%} | {each['recall']:.1%} "
        f"| {each['fid']:.2f} |"
        for neat, each in enumerate(choice.positions)
    ).replace("%", " %")
    heads = "| neat | rejected | broken shapes | variety (recall) | distance (FID) |\n" + "| --- " * 5 + "|"
    return f"{told}\n\n{heads}\n{rows}"


def switches_of(generator: Generator) -> list[str]:
    """The switches of a generator: none for the placeholder, every_z and neat only with a choice file."""
    if isinstance(generator, PlaceholderGenerator):
        return []
    if not generator.choice:
        return ["raw"]
    return ["raw", "every_z", *["neat"] * (len(generator.choice.positions) > 1)]


def command(arguments: Sequence[str], style: Mapping[str, float], variant: Variant) -> str:
    """A command for several files, which recipe.Recipe cannot express. `arguments` are quoted for a shell."""
    options = [*(f"--{name}={value!r}" for name, value in style.items()), *variant.options]
    return " ".join(["python -m digit_generator", shlex.join(arguments), *options])


def new_seed(count: int = 1) -> int:
    """The first of `count` consecutive seeds, 0...999,999: six digits at most fit under a picture."""
    return secrets.randbelow(1_000_000 - count + 1)
