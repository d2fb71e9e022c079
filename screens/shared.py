"""What the pages share: the generator or its stand-in, its variants, pictures as HTML, the address."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from digit_generator import weights
from digit_generator.choose import choice_path
from digit_generator.generate import DigitGenerator
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.render import png_from_pixels

NAME = "Handwritten digit generator"
ROOT = Path(__file__).parents[1]
Generator = DigitGenerator | PlaceholderGenerator


@st.cache_data(show_spinner=False)
def icon() -> bytes:
    """A seven for the browser's tab, drawn by rule: the same with every model, and without one."""
    return png_from_pixels(PlaceholderGenerator().digits(7, [1])[0])


def generator_or_placeholder() -> tuple[Generator, str]:
    """The trained generator and "", or the placeholder and a sentence that says why."""
    try:
        path = weights.find_weights()
        return load_generator(path, versions(path, path.with_suffix(".json"), choice_path(path))), ""
    except (weights.WeightsError, OSError) as error:
        return PlaceholderGenerator(), str(error)


def versions(*paths: Path) -> list[tuple[int, int] | None]:
    """When each file was written and how long it is, None where there is none: changes with the file."""
    return [(path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None for path in paths]


@st.cache_resource(max_entries=1, show_spinner=False)
def load_generator(path: Path, versions: list[tuple[int, int] | None]) -> DigitGenerator:
    """One generator for all visitors, until its files change. A failure is raised and so not remembered."""
    return DigitGenerator.load(path)


def key_of(generator: DigitGenerator) -> tuple[str, int, str]:
    """What its pictures depend on, weights, finish and choice: a part of the key of whatever keeps them."""
    return generator.digest, generator.finish_version, generator.choice_digest


@dataclass(frozen=True)
class Variant:
    """What is not as by default, and how the page says so."""

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
    "every_z": "Every z is taken, also those that the choice refuses.",
}
SWITCHES = {
    "raw": "Raw: as the network drew them",
    "every_z": "Take every z, also those that cannot write",
}


def variant_from_address(address: Address) -> dict[str, bool]:
    return {name: address.switch(name) for name in SWITCHES}


def variant_of(page: str, generator: Generator, asked: Mapping[str, Any]) -> tuple[Generator, Variant]:
    """The generator as the page's switches are set, at first by the address that opened it, and how."""
    wanted = {name: st.session_state.get(f"{page}.{name}", asked[name]) for name in switches_of(generator)}
    variant = Variant(**wanted)
    if isinstance(generator, PlaceholderGenerator):
        return generator, variant
    return generator.variant(raw=variant.raw, every_z=variant.every_z), variant


def show_switches(page: str, generator: Generator, asked: Mapping[str, Any]) -> None:
    """The switches of variant_of, of the generator as it was loaded."""
    for name in switches_of(generator):
        st.toggle(SWITCHES[name], asked[name], key=f"{page}.{name}", persist_state="session")


def switches_of(generator: Generator) -> list[str]:
    """What can be switched: nothing of a placeholder, and every z only where a choice refuses some."""
    if isinstance(generator, PlaceholderGenerator):
        return []
    return ["raw", "every_z"] if generator.choice else ["raw"]


def show_title(title: str, caption: str) -> None:
    st.title(title, anchor=False)
    st.caption(caption)


def trained_generator_or_stop() -> DigitGenerator:
    """The generator; without one the page ends here, with a sentence on how to get one."""
    generator, problem = generator_or_placeholder()
    if isinstance(generator, PlaceholderGenerator):
        st.warning(
            "**This page draws with the trained model, and there is none.**\n\n"
            f"{literal(problem)}\n\n{WAY_OUT}",
            icon=":material/warning:",
        )
        st.stop()
    if not generator.is_ours:
        st.badge("your own weights", color="gray")
    return generator


WAY_OUT = (
    "Expected: a trained `generator.pth`, 2 to 7 MB, in the same folder as `app.py`. "
    "`git checkout generator.pth` brings back the repository's own; then reload this page."
)


def literal(text: str) -> str:
    """Markdown that shows the text as it is: a message may quote a path, a visitor or a broken file."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)  # before other signs a backslash would be seen


def sentence(error: Exception) -> str:
    """What an error of the library says, as a sentence of its own."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def pick_digit(label: str, key: str, first: int) -> int:
    """Ten buttons of one size. What was picked stays picked while a visitor is on other pages."""
    return st.segmented_control(
        label,
        range(10),
        default=first,
        required=True,
        key=key,
        label_visibility="collapsed",
        width="stretch",
        persist_state="session",
    )


def new_seed(count: int = 1) -> int:
    """The first of `count` seeds in a row; six figures at most, to fit under a picture."""
    return secrets.randbelow(1_000_000 - count + 1)


def source_from_bytes(data: bytes, kind: str) -> str:
    """What an <img> shows, without asking the server for another file; kind is png, webp or svg+xml."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def source_from_png(png: bytes) -> str:
    return source_from_bytes(png, "png")


def image_from_pixels(pixels: npt.NDArray[np.uint8], kind: str, description: str) -> str:
    """An <img> of one digit, uint8 [28, 28]. `kind` is its class in app.css."""
    return f'<img class={kind} src="{source_from_png(png_from_pixels(pixels))}" alt="{description}">'


class Address:
    """What the address of the page asks for. What cannot be meant stays as by default; `faults` tells it."""

    def __init__(self) -> None:
        self.asked = st.query_params.to_dict()
        self.faults: list[str] = []

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        text = self.asked.get(name, str(default))
        if re.fullmatch(r"[0-9]{1,10}", text) and low <= int(text) <= high:
            return int(text)
        self.refuse(name, f"a whole number from {low} to {high}")
        return default

    def decimal(self, name: str) -> float | None:
        text = self.asked.get(name)
        if text is None or re.fullmatch(r"-?[0-9]{1,2}(\.[0-9]{1,3})?", text):
            return text and float(text)
        self.refuse(name, "a number such as 2.5")
        return None

    def text(self, name: str, longest: int, default: str) -> str:
        text = self.asked.get(name, default)
        if len(text) <= longest:
            return text
        self.refuse(name, f"{longest} characters at most")
        return default

    def switch(self, name: str) -> bool:
        text = self.asked.get(name, "0")
        if text in ("0", "1"):
            return text == "1"
        self.refuse(name, "0 or 1")
        return False

    def refuse(self, name: str, expected: str) -> None:
        self.faults.append(f"{name}={self.asked[name][:20]}, and {name} is {expected}")


def opened(page: str, read: Callable[[Address], dict[str, Any]]) -> dict[str, Any]:
    """What the address asked for when this visitor first opened the page: where its widgets begin."""
    key = f"{page}.opened"
    if key not in st.session_state:
        address = Address()
        st.session_state[key] = read(address), address.faults
    recipe, faults = st.session_state[key]
    if faults:
        st.info(
            f"This link asks for {literal('; '.join(faults))}. Shown is what it could mean.",
            icon=":material/link_off:",
        )
    return recipe


def show_address(recipe: Mapping[str, object]) -> None:
    """Let the page's address say what is on it. Whoever opens that address sees the same."""
    wanted = {name: str(value) for name, value in recipe.items() if value is not None}
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
