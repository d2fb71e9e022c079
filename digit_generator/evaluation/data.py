"""Sets of labelled digits: MNIST's files and other people's NPZ files, checked on reading."""

from __future__ import annotations

import gzip
import hashlib
import urllib.error
import urllib.request
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from digit_generator.errors import DigitGeneratorError
from digit_generator.evaluation.protocol import LEARNED_IMAGES, SPLIT_SEED, Against
from digit_generator.files import write_whole

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Floats = NDArray[np.float64]

# SHA-256 of the decompressed files.
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class EvaluationError(DigitGeneratorError):
    """What came cannot be measured; the message is a sentence for a person."""


class Lines(NamedTuple):
    """Pictures of lines, uint8 [H, W] each, and what they read."""

    pictures: list[Pixels]
    texts: list[str]


@dataclass(frozen=True)
class Digits:
    """`pixels` uint8 [N, 28, 28], 0 background to 255 ink, and `labels` int64 [N], 0 to 9."""

    pixels: Pixels
    labels: Labels

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.shape[1:] != (28, 28):
            raise EvaluationError(
                f"pixels are {self.pixels.dtype} {list(self.pixels.shape)}; expected uint8 [N, 28, 28]."
            )
        if self.labels.shape != (len(self.pixels),) or ((self.labels < 0) | (self.labels > 9)).any():
            raise EvaluationError(
                f"labels {list(self.labels.shape)}: expected 0 to 9 for each of {len(self.pixels)} images."
            )

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, part: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Digits:
        return Digits(self.pixels[part], self.labels[part])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over pixels and labels: what cached figures are filed under."""
        parts = hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes())
        parts.update(self.labels.astype(np.int64).tobytes())
        return parts.hexdigest()


def random_order(count: int) -> NDArray[np.intp]:
    """The protocol's one random order of `count` things."""
    return np.random.RandomState(SPLIT_SEED).permutation(count)


def random_part(digits: Digits, count: int) -> Digits:
    """`count` of the digits drawn at random; all of them, in random order, if there are no more."""
    return digits[random_order(len(digits))[:count]]


def mnist_from_folder(folder: Path, part: Literal["train", "t10k"]) -> Digits:
    """MNIST's 60,000 training or 10,000 test digits from its two IDX files, gzipped or not.

    Raises EvaluationError when a file is missing or differs from the published one by a byte.
    """
    images = _published_bytes(folder, f"{part}-images-idx3-ubyte")[16:]
    labels = _published_bytes(folder, f"{part}-labels-idx1-ubyte")[8:]
    return Digits(
        np.frombuffer(images, np.uint8).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8).astype(np.int64)
    )


def digits_from_npz(path: Path) -> Digits:
    """Somebody's digits: an NPZ of `pixels` uint8 [N, 28, 28] and integer `labels` [N]."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            pixels, labels = arrays["pixels"], arrays["labels"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise EvaluationError(
            f"{path} is no NPZ of digits ({error}); save it with numpy.savez(path, pixels=..., labels=...)."
        ) from error
    if labels.dtype.kind not in "iu":
        raise EvaluationError(f"labels in {path} are {labels.dtype}; expected integers 0 to 9.")
    return Digits(pixels, labels.astype(np.int64))


def first_of_each_digit(digits: Digits, count: int) -> Digits:
    """The first `count` images of every digit, digit by digit."""
    return digits[np.concatenate([np.flatnonzero(digits.labels == digit)[:count] for digit in range(10)])]


@dataclass(frozen=True)
class RealSide:
    """The real images of one protocol, each in its role (the tables are in protocol.py)."""

    against: Against
    learned: Digits  # what judge and scout have learned from
    reference: Digits  # what generated digits are compared against
    stand_in: Digits  # half of the reference, in the place of the generated: real against real
    opposite: Digits  # the other half: what that, and as many generated ones, are compared against
    known: Digits  # what a generator may have copied from, in random order
    not_copied: Digits  # real digits that were certainly not copied
    not_copied_known: Digits  # from these, in random order

    @classmethod
    def from_folder(cls, folder: Path, against: Against) -> RealSide:
        """MNIST as the protocol cuts it; the test files are opened for "test" only."""
        train = mnist_from_folder(folder, "train")
        learned, validation = train[:LEARNED_IMAGES], train[LEARNED_IMAGES:]
        shuffled = random_part(learned, len(learned))
        count = len(validation)
        if against == "test":
            reference = mnist_from_folder(folder, "t10k")
            known, not_copied, not_copied_known = random_part(train, len(train)), validation, shuffled
        else:
            reference = validation
            known, not_copied, not_copied_known = shuffled, shuffled[:count], shuffled[count:]
        halves = random_part(reference, len(reference))
        half = len(reference) // 2
        return cls(
            against, learned, reference, halves[:half], halves[half:], known, not_copied, not_copied_known
        )


def download(url: str, path: Path, otherwise: str) -> None:
    """Fetch a file into its folder, whole or not at all. EvaluationError, with what to do `otherwise`, if it
    fails."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            data = response.read()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except (OSError, urllib.error.URLError) as error:
        raise EvaluationError(f"{url} could not be downloaded ({error}): {otherwise}.") from error


def _published_bytes(folder: Path, name: str) -> bytes:
    """One file's bytes, under any name and place that common programs unpack it to."""
    spellings = [name + suffix for suffix in ("", ".gz")]
    spellings += [spelling.replace("-idx", ".idx") for spelling in spellings]
    places = (folder, folder / "MNIST" / "raw", folder / "raw")
    paths = [place / spelling for place in places for spelling in spellings]
    paths += [path / spelling for path in paths for spelling in spellings]  # in a folder of the file's name
    for path in paths:
        if path.is_file():
            content = path.read_bytes()
            with suppress(OSError, EOFError, zlib.error):  # a broken archive differs too
                content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
            if hashlib.sha256(content).hexdigest() != MNIST_SHA256[name]:
                raise EvaluationError(f"{path} differs from MNIST's published file; fetch it again.")
            return content
    raise EvaluationError(
        f"{folder} holds no {name} or {name}.gz; give MNIST's folder with --data-dir "
        "(python mnist_gan_training.py --download fetches it)."
    )
