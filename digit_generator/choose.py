"""Choose: which z of a seed's stream is drawn. The first that can write is taken, the others are rejected.

A generator is continuous, so between two styles of a digit there are z that are neither (Tanielian et al.
2020, arXiv:2006.04596). Rejection is the known cure (Azadi et al. 2019, arXiv:1810.06758; Verine et al. 2024,
arXiv:2311.00460): a small head on what the generator has before its last layer says how likely a digit has no
fault. What the head learned lies in a file beside the weights, bound to them by their SHA-256;
`python -m digit_generator.evaluation.choice` makes it.

The file has a bound for each of five positions, from "as it comes" (0) to "neat" (NEATEST), which rejects
most. What a stricter one accepts, all before it accept too, so most digits stay what they are.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from digit_generator.errors import DigitGeneratorError
from digit_generator.files import read_at_most

SUFFIX = ".choice.safetensors"
MAX_FILE_BYTES = 2**20  # 130 KB
MAX_TRIES = 64
"""z of one stream that are looked at; if all are rejected, the first is drawn."""

NEATEST = 4
"""The last of the positions, which are whole numbers from 0, "as it comes"."""

HIDDEN, UNITS = 1024, 64
_SHAPES = {
    "hidden.weight": (UNITS, HIDDEN),
    "label.weight": (10, UNITS),
    "score.weight": (UNITS,),
    "score.bias": (1,),
}
_DECLARED = {name: ("F16", shape) for name, shape in _SHAPES.items()}
_SLOPE = 0.2

_Floats = npt.NDArray[np.float64]


class ChoiceError(DigitGeneratorError):
    """A choice file that is none, or not of these weights; the message is one sentence for a person."""


class Choice:
    """The head that was learned for one generator. Drawing changes nothing in it.

    digest: the file's SHA-256 in hexadecimal.
    neat: the position, 0...NEATEST; 0 until `at` sets another.
    digit_bound, hand_bound: the score above which a digit, and the worst of a hand's ten, is accepted.
    record: how it was learned, as the file says.
    positions: what the record says of each position: the bounds, the shares that are rejected, and what was
        measured there, if it was (evaluation/neat.py). A file from before there were positions has one.
    """

    def __init__(self, data: bytes, weights_sha256: str) -> None:
        """`data` is a choice file. ChoiceError if it is none, or is about other weights."""
        try:
            tensors = dict(deserialize(data))
            length = int.from_bytes(data[:8], "little")
            record: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["choice"])
            positions: list[dict[str, Any]] = record.get("neat", [record])
            bounds = [float(told[name]) for told in positions for name in ("digit_bound", "hand_bound")]
            owner = record["weights_sha256"]
        # An OverflowError is of a whole number that no float holds.
        except (
            SafetensorError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ):
            raise ChoiceError("it is no choice file") from None
        if {name: (t["dtype"], tuple(t["shape"])) for name, t in tensors.items()} != _DECLARED:
            raise ChoiceError("it is no choice file of this program")
        if len(positions) not in (1, NEATEST + 1):
            raise ChoiceError("it is no choice file of this program")
        arrays = {
            name: np.frombuffer(tensors[name]["data"], "<f2").reshape(shape)
            for name, shape in _SHAPES.items()
        }
        if not (np.isfinite(bounds).all() and all(np.isfinite(array).all() for array in arrays.values())):
            raise ChoiceError("it holds numbers that are not finite")
        if owner != weights_sha256:
            raise ChoiceError("it was learned from other weights")
        self.record: Final = record
        self.positions: Final = positions
        self.neat = 0
        self.digit_bound, self.hand_bound = bounds[:2]
        self.digest: Final = hashlib.sha256(data).hexdigest()
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        self.hidden_weight: Final = wide["hidden.weight"]  # [64, 1024]
        self.label_weight: Final = wide["label.weight"]  # [10, 64]
        self.score_weight: Final = wide["score.weight"]  # [64]
        self.score_bias: Final = float(wide["score.bias"][0])

    @classmethod
    def beside(cls, weights: Path, weights_sha256: str) -> Choice | None:
        """The choice file beside the weights; None where there is none, or none of these weights."""
        try:
            return cls(read_at_most(choice_path(weights), MAX_FILE_BYTES), weights_sha256)
        except (OSError, ChoiceError):
            return None

    def at(self, neat: int) -> Choice:
        """The same head at another position. ChoiceError where the file has none of this number."""
        if neat not in range(len(self.positions)):
            if len(self.positions) == 1 and neat in range(NEATEST + 1):
                raise ChoiceError(
                    f"neat is {neat}, and the choice file has no positions: expected 0, or a file that "
                    "python -m digit_generator.evaluation.choice has made again"
                )
            raise ChoiceError(f"neat is {neat!r}: expected a whole number from 0 to {NEATEST}")
        if neat == self.neat:
            return self
        other = copy.copy(self)
        other.neat = int(neat)
        other.digit_bound, other.hand_bound = (
            float(self.positions[neat][name]) for name in ("digit_bound", "hand_bound")
        )
        return other

    def scores(self, hidden: npt.NDArray[np.floating[Any]], labels: npt.NDArray[np.int64]) -> _Floats:
        """How likely each drawing is a whole digit, float64 [B], higher = more likely.

        hidden: float [B, 1024], what goes into the generator's last layer; labels: int64 [B], 0...9. From
        float32 the scores are as exact as that, and take half of the time.
        """
        weight = self.hidden_weight.astype(hidden.dtype, copy=False)
        units = hidden @ weight.T + self.label_weight[labels]  # [B, 64]
        units = np.maximum(units, _SLOPE * units)  # LeakyReLU
        scores: _Floats = units @ self.score_weight + self.score_bias
        return scores


def choice_path(weights: Path) -> Path:
    """Where the choice file of a weights file lies."""
    return weights.with_name(weights.stem + SUFFIX)


def bytes_from_choice(arrays: dict[str, npt.NDArray[np.floating[Any]]], record: dict[str, Any]) -> bytes:
    """The choice file: the head in half precision, and how it was learned."""
    halves = {name: np.ascontiguousarray(arrays[name], np.float16) for name in _SHAPES}
    return save(halves, {"choice": json.dumps(record)})
