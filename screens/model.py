"""The generator that the pages use: trained or placeholder, finished or raw, and the seeds that it gets."""

from __future__ import annotations

import secrets
import shlex
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from digit_generator import weights
from digit_generator.generate import DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from screens.address import Address
from screens.widgets import escape_markdown

Generator = DigitGenerator | PlaceholderGenerator


def generator_or_placeholder() -> tuple[Generator, str]:
    """The trained generator and "", or the placeholder and a sentence that says why."""
    try:
        return DigitGenerator.current(weights.find_weights()), ""
    except (weights.WeightsError, OSError) as error:
        return PlaceholderGenerator(), str(error)


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


WAY_OUT = (
    "Expected: a trained `generator.pth`, 2 to 7 MB, in the same folder as `app.py`. "
    "To restore the repository's own, run `git checkout generator.pth` and reload this page."
)


@st.cache_resource
def turn() -> threading.Lock:
    """Held by what takes long or much memory: one visitor's at a time, for the others' clicks."""
    return threading.Lock()


def key_of(generator: DigitGenerator) -> tuple[str, int, str]:
    """What the generator's pictures depend on, weights, finish and choice: part of a cache key."""
    return generator.digest, generator.finish_version, generator.choice_digest


@dataclass(frozen=True)
class Variant:
    """The switches that are on, and how captions, commands and the address name them."""

    raw: bool = False
    every_z: bool = False

    @property
    def names(self) -> list[str]:
        return [name for name in SENTENCES if getattr(self, name)]

    @property
    def words(self) -> list[str]:
        """For captions: "raw", "every z"."""
        return [name.replace("_", " ") for name in self.names]

    @property
    def sentences(self) -> str:
        return "".join(f" {SENTENCES[name]}" for name in self.names)

    @property
    def options(self) -> list[str]:
        """For commands: "--raw", "--every-z"."""
        return [f"--{name.replace('_', '-')}" for name in self.names]

    @property
    def address(self) -> dict[str, int]:
        return dict.fromkeys(self.names, 1)


SENTENCES = {
    "raw": "Raw: these are the network's own pixels, without MNIST's scan rule.",
    "every_z": "Every z is used, including those that the choice rejects.",
}
SWITCHES = {
    "raw": "Raw: show the network's own pixels",
    "every_z": "Use every z, including those that the choice rejects",
}


def variant_from_address(address: Address) -> dict[str, bool]:
    return {name: address.switch(name) for name in SWITCHES}


def variant_of(page: str, generator: Generator, initial: Mapping[str, Any]) -> tuple[Generator, Variant]:
    """The generator with the page's switches applied, and the switches.

    `initial` is the page's initial_state, which applies until a visitor has seen the switches.
    """
    wanted = {name: st.session_state.get(f"{page}.{name}", initial[name]) for name in switches_of(generator)}
    variant = Variant(**wanted)
    if isinstance(generator, PlaceholderGenerator):
        return generator, variant
    return generator.variant(raw=variant.raw, every_z=variant.every_z), variant


def show_switches(page: str, generator: Generator, initial: Mapping[str, Any]) -> None:
    """The switches of variant_of, for the generator as it was loaded."""
    for name in switches_of(generator):
        st.toggle(SWITCHES[name], initial[name], key=f"{page}.{name}", persist_state="session")


def switches_of(generator: Generator) -> list[str]:
    """The switches of a generator: none for the placeholder, and every_z only with a choice file."""
    if isinstance(generator, PlaceholderGenerator):
        return []
    return ["raw", "every_z"] if generator.choice else ["raw"]


def command(arguments: Sequence[str], style: Mapping[str, float], variant: Variant) -> str:
    """A command for several files, which recipe.Recipe cannot express. `arguments` are quoted for a shell."""
    options = [*(f"--{name}={value!r}" for name, value in style.items()), *variant.options]
    return " ".join(["python -m digit_generator", shlex.join(arguments), *options])


def new_seed(count: int = 1) -> int:
    """The first of `count` consecutive seeds, 0...999,999: six digits at most fit under a picture."""
    return secrets.randbelow(1_000_000 - count + 1)
