"""A person's hand: from one handwritten digit, or several, to the z that writes all ten like it.

`hand_from_digits` inverts the network (Zhu et al. 2016, arXiv:1609.03552, section 3; Creswell and Bharath
2018, arXiv:1611.05644): of all z it looks for the one that draws the digits most nearly and is likely under
N(0, I), the maximum a posteriori of z for a given picture. What one digit says of z holds for the other nine:
slant, weight and width are found in them again (docs/hands.md says how far).

A hand is this z on a grid coarse enough for an address, and the digest of the weights that it is for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from digit_generator.errors import DigitGeneratorError
from digit_generator.generate import (
    LATENT_SIZE,
    images_from_pixels,
    labels_from_digits,
    latents_from_seeds,
)
from digit_generator.recipe import HAND_PATTERN
from digit_generator.style import HAND_VARIATION

if TYPE_CHECKING:
    from digit_generator.generate import DigitGenerator

SUFFIX = ".hand"
MAX_DIGITS = 40
"""From which a hand is found together."""
MAX_BYTES = 10_000
"""Of a hand file."""
STEPS = 32
"""To 1 in z: the grid on which a hand's z lies. A hand is a hundred bytes by that."""

NEAR = 0.25
"""Root mean square of drawing less digit, both blurred, in [-1, 1]: beyond it, it is no such digit."""
LIKE = 1.5
"""Times what a picture costs as the cheapest other digit: beyond it, it is that other digit."""

BANK = 512  # seeds, from whose z the nearest are the starts
FIRST_SEED = 4_200_000_000  # of the bank: seeds that nobody else uses for measuring
_STARTS, _FIRST_STEPS, _STEPS = 4, 2, 12  # the best start after the first steps goes on
_LIKELIHOOD = 2.0  # of a squared unit of z beside one of a pixel: less draws the digit nearer, more the rest
_READ_BANK, _READ_WALKS, _READ_STEPS = 256, 4, 3  # of each digit; digits that are walked to; steps of each
_ENOUGH = 1e-3  # of the cost: a step that saves less is the last
_TRIES = 4  # of a step, each four times as careful

_NO_FILE = 64 * "0"  # in the place of the SHA-256 of weights that are no file

_Floats = npt.NDArray[np.float64]
_Pixels = npt.NDArray[np.uint8]


class HandError(DigitGeneratorError):
    """A hand that cannot be read or found, or of other weights; the message is one sentence for a person."""


@dataclass(frozen=True)
class Hand:
    """One person's hand. HandError for anything else.

    z: float64 [100], multiples of 1/32 from -4 to 127/32, not to be written to.
    weights_sha256: of the weights that it is for, or how it begins, 8 digits or more.
    variation: how much of each digit that is drawn is its seed's own, 0 none, 1 all.
    """

    z: _Floats
    weights_sha256: str
    variation: float = HAND_VARIATION

    def __post_init__(self) -> None:
        steps = np.asarray(self.z, np.float64) * STEPS
        fits = steps.shape == (LATENT_SIZE,) and np.isfinite(steps).all()
        if not fits or (steps != np.rint(steps)).any() or steps.min() < -128 or steps.max() > 127:
            raise HandError(f"z is no hand: expected {LATENT_SIZE} multiples of 1/{STEPS} from -4 to 127/32")
        if not re.fullmatch("[0-9a-f]{8,64}", self.weights_sha256):
            raise HandError("a hand names its weights by 8 to 64 hexadecimal digits of their SHA-256")
        if not isinstance(self.variation, int | float) or not 0 <= self.variation <= 1:
            raise HandError(f"variation is {self.variation!r}: expected a number from 0 to 1")
        z = np.array(steps / STEPS + 0.0)  # no -0
        z.flags.writeable = False
        object.__setattr__(self, "z", z)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Hand) and self.text == other.text
        return same and isinstance(other, Hand) and self.variation == other.variation

    def __hash__(self) -> int:
        return hash((self.text, self.variation))

    @property
    def text(self) -> str:
        """The hand, without its variation, as an address and a recipe hold it: 143 characters."""
        steps = np.rint(self.z * STEPS).astype(np.int8).tobytes()
        return f"{self.weights_sha256[:8]}.{base64.urlsafe_b64encode(steps).decode().rstrip('=')}"

    @property
    def name(self) -> str:
        """What it is called: the first 8 hexadecimal digits of the SHA-256 of `text`."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    @classmethod
    def from_text(cls, text: str, variation: float = HAND_VARIATION) -> Hand:
        """The hand that has this text. HandError if none has."""
        if not re.fullmatch(HAND_PATTERN, text):
            raise HandError(f"{text[:24]!r} is no hand: expected the 143 characters of one")
        digest, _, letters = text.partition(".")
        steps = np.frombuffer(base64.urlsafe_b64decode(f"{letters}=="), np.int8)
        return cls(steps / STEPS, digest, variation)

    @classmethod
    def from_bytes(cls, data: bytes, variation: float = HAND_VARIATION) -> Hand:
        """The hand of a hand file. HandError if it is none."""
        try:
            if len(data) > MAX_BYTES:
                raise ValueError
            told: dict[str, Any] = json.loads(data)
            z, digest = told["z"], told["weights_sha256"]
            if told["format"] != 1 or not all(type(value) in (int, float) for value in z):
                raise ValueError
            return cls(np.array(z, np.float64), digest, variation)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError, DigitGeneratorError):
            raise HandError("it is no hand file of this program") from None

    @classmethod
    def load(cls, path: str | Path, variation: float = HAND_VARIATION) -> Hand:
        """The hand of the file at `path`. HandError if it cannot be read or is none."""
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise HandError(f"{path} cannot be read ({error.strerror}): name a hand file") from None
        try:
            return cls.from_bytes(data, variation)
        except HandError as error:
            raise HandError(f"{path} cannot be used: {error}") from None

    def to_bytes(self) -> bytes:
        """The hand file: JSON, the weights' digest and z."""
        z = ", ".join(f"{value:g}" for value in self.z)
        told = f'{{"format": 1, "name": "{self.name}", "weights_sha256": "{self.weights_sha256}",'
        return f'{told}\n "z": [{z}]}}\n'.encode()

    def check_weights(self, digest: str) -> None:
        """HandError unless the hand is for the weights with this SHA-256."""
        if not (digest or _NO_FILE).startswith(self.weights_sha256):
            raise HandError(
                f"the hand {self.name} is for the weights {self.weights_sha256[:8]}, and these are "
                f"{digest[:8] or 'no file'}: find it again from what was written"
            )

    def varied(self, z: _Floats) -> _Floats:
        """z, float64 [B, 100], N(0, I) -> float64 [B, 100], this hand with so much of each as it varies."""
        own: _Floats = math.sqrt(1 - self.variation**2) * self.z + self.variation * z
        return own


@dataclass(frozen=True)
class Found:
    """A hand that was found, and how near it came.

    hand: the hand. labels: which digits they are, int64 [B].
    images: what the network makes of each digit, float64 [B, 1, 28, 28] in [-1, 1].
    distances: float64 [B], from each digit to that: root mean square, both blurred, in [-1, 1].
    """

    hand: Hand
    labels: npt.NDArray[np.int64]
    images: _Floats
    distances: _Floats


def hand_from_digits(
    generator: DigitGenerator,
    pixels: _Pixels,
    labels: int | Sequence[int] | npt.NDArray[np.integer[Any]],
    progress: Callable[[float], object] | None = None,
) -> Found:
    """Find the hand in which one person wrote these digits; more digits of one person make it truer.

    pixels: uint8 [B, 28, 28] in MNIST's form (normalize.py makes it), 0 background ... 255 ink, 1 to 40 of
    them. labels: which digits they are, 0...9. progress: called with the share that is done, 0 to 1.

    The same weights and digits give the same hand. HandError for no digits, too many, or one without ink;
    ValueError for another dtype, shape or label.
    """
    if not 1 <= len(pixels) <= MAX_DIGITS:
        raise HandError(f"{len(pixels)} digits came: expected 1 to {MAX_DIGITS}, written by one person")
    targets = blurred(images_from_pixels(pixels)[:, 0]).reshape(len(pixels), -1)  # [B, 784]
    labels = labels_from_digits(labels, len(pixels))
    for number, digit in enumerate(pixels, 1):
        if not digit.any():
            raise HandError(f"digit {number} of {len(pixels)} is empty: expected ink")
    said = progress or (lambda share: None)
    done, all_steps = 0, _STARTS * _FIRST_STEPS + _STEPS
    walks = []
    for z in _starts(generator, targets, labels):
        walk = _Walk(generator, targets, labels, z)
        for _ in range(_FIRST_STEPS):
            walk.step()
            done += 1
            said(done / all_steps)
        walks.append(walk)
    walk = min(walks, key=lambda each: each.cost)
    for step in range(_STEPS):
        before = walk.cost
        walk.step()
        said((done + step + 1) / all_steps)
        if before - walk.cost <= _ENOUGH * before:
            break
    said(1.0)
    z = np.clip(np.rint(walk.z * STEPS), -128, 127) / STEPS
    hand = Hand(z, generator.digest or _NO_FILE)
    images = generator.images(z[None].repeat(len(labels), axis=0), labels)
    missing = blurred(images[:, 0]).reshape(targets.shape) - targets
    return Found(hand, labels, images, np.sqrt((missing**2).mean(axis=1)))


def costs_of_digits(generator: DigitGenerator, pixels: _Pixels) -> _Floats:
    """What it costs to draw each picture as each of the ten digits, float64 [B, 10].

    pixels: uint8 [B, 28, 28] in MNIST's form. Of the ten digits those that a bank of seeds draws most alike
    are walked to, as `hand_from_digits` does, but a few steps alone; the others cost inf. ValueError for
    another dtype or shape.
    """
    targets = blurred(images_from_pixels(pixels)[:, 0]).reshape(len(pixels), -1)
    z = latents_from_seeds(range(FIRST_SEED, FIRST_SEED + _READ_BANK))
    labels = np.arange(10).repeat(_READ_BANK)
    images = blurred(generator.images(np.tile(z, (10, 1)), labels)[:, 0]).reshape(len(labels), -1)
    costs = np.full((len(pixels), 10), np.inf)
    for target, own in zip(targets, costs, strict=True):
        far = ((images - target) ** 2).sum(axis=1).reshape(10, _READ_BANK)
        for label in np.argsort(far.min(axis=1), kind="stable")[:_READ_WALKS].tolist():
            walk = _Walk(generator, target[None], np.array([label]), z[far[label].argmin()])
            for _ in range(_READ_STEPS):
                walk.step()
            own[label] = walk.cost
    return costs


def read_digits(generator: DigitGenerator, pixels: _Pixels) -> list[int]:
    """Which digit each picture is: the one as which it costs least. No other network reads."""
    read: list[int] = costs_of_digits(generator, pixels).argmin(axis=1).tolist()
    return read


def unlike(costs: _Floats, labels: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which pictures are more like another digit than like their label, bool [B].

    costs: `costs_of_digits`, float64 [B, 10]. A picture that costs more than LIKE times the cheapest other
    digit is, and so is one that was not even walked to as its label.
    """
    rows = np.arange(len(costs))
    others = costs.copy()
    others[rows, labels] = np.inf
    own: npt.NDArray[np.bool_] = costs[rows, labels] > LIKE * others.min(axis=1)
    return own


def too_far(found: Found, costs: _Floats) -> npt.NDArray[np.bool_]:
    """Which digits of a hand are not what they are said to be, bool [B]: another digit, or none at all.

    costs: `costs_of_digits` of the same pictures, float64 [B, 10].
    """
    return unlike(costs, found.labels) | (found.distances > NEAR)


def _starts(generator: DigitGenerator, targets: _Floats, labels: npt.NDArray[np.int64]) -> _Floats:
    """The z of the bank that draw the digits most nearly, [_STARTS, 100], the nearest first."""
    z = latents_from_seeds(range(FIRST_SEED, FIRST_SEED + BANK))
    far = np.zeros(BANK)
    for target, label in zip(targets, labels.tolist(), strict=True):
        images = blurred(generator.images(z, [label] * BANK)[:, 0]).reshape(BANK, -1)
        far += ((images - target) ** 2).sum(axis=1)
    nearest: _Floats = z[np.argsort(far, kind="stable")[:_STARTS]]
    return nearest


class _Walk:
    """From a z, step by step, to one that costs less: Gauss-Newton steps, each as careful as need be
    (Levenberg 1944, Marquardt 1963)."""

    def __init__(
        self, generator: DigitGenerator, targets: _Floats, labels: npt.NDArray[np.int64], z: _Floats
    ) -> None:
        self._generator, self._targets, self._labels = generator, targets, labels
        self._care = 1.0
        self.z = z
        self.cost, self._missing, self._push = self._looked_at(z)

    def step(self) -> None:
        """One step; none where no try costs less."""
        changes = blurred(self._push(np.eye(LATENT_SIZE)))  # [B, 100, 28, 28]
        jacobian = changes.transpose(0, 2, 3, 1).reshape(-1, LATENT_SIZE)  # [B * 784, 100]
        square = jacobian.T @ jacobian
        slope = jacobian.T @ self._missing + _LIKELIHOOD * self.z
        for _ in range(_TRIES):
            move = np.linalg.solve(square + (_LIKELIHOOD + self._care) * np.eye(LATENT_SIZE), slope)
            cost, missing, push = self._looked_at(self.z - move)
            if cost < self.cost:
                self.z, self.cost, self._missing, self._push = self.z - move, cost, missing, push
                self._care /= 3
                return
            self._care *= 4

    def _looked_at(self, z: _Floats) -> tuple[float, _Floats, Callable[[_Floats], _Floats]]:
        """What z costs, what is missing, [B * 784], and how the images change."""
        together = z[None].repeat(len(self._labels), axis=0)
        images, push = self._generator.images_and_pushforward(together, self._labels)
        missing = (blurred(images[:, 0]).reshape(self._targets.shape) - self._targets).ravel()
        return float(missing @ missing + _LIKELIHOOD * (z @ z)), missing, push


def blurred(images: _Floats) -> _Floats:
    """float64 [..., 28, 28], blurred by 1 2 1 both ways; beyond the border lies 0, as for what it is compared
    with."""
    soft: _Floats = _BLUR @ images @ _BLUR
    return soft


_BLUR = np.diag(np.full(28, 0.5)) + np.diag(np.full(27, 0.25), 1) + np.diag(np.full(27, 0.25), -1)
