"""Digits from seeds: (digit, seeds) -> labels and chosen z -> images -> finished pixels, with NumPy alone.

Everything is computed in float64. In float32 the bytes of an image would depend on the size of the batch that
it is computed in; in float64 what is left of that lies ten orders of magnitude below one grey level.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt

from digit_generator.choose import MAX_TRIES, Choice, ChoiceError, choice_path
from digit_generator.files import UntilChanged, read_at_most
from digit_generator.finish import VERSION as FINISH_VERSION
from digit_generator.finish import edged_pixels, finished_pixels
from digit_generator.weights import (
    WeightsError,
    arrays_from_bytes,
    bytes_from_file,
    check_shapes,
    check_values,
    find_weights,
)

if TYPE_CHECKING:
    from digit_generator.hand import Hand

LATENT_SIZE = 100
MAX_SEED = 2**32 - 1

LEAKY_SLOPE = 0.2
BATCHNORM_EPS = 1e-5  # PyTorch's default; a state_dict does not hold it
MAX_JSON_BYTES = 2**20  # of generator.json: 2 KB
_CHUNK = 512  # images computed at a time: 10 MB of working memory, and no slower than more

_FEW = 16  # images, whose products are computed in _BLOCKS parts: for more, that takes no less time
_BLOCKS = 16  # divides the size of every layer

_ALL = slice(None)

_local = threading.local()


class DigitGenerator:
    """The trained generator. Image i depends on (weights, choice, digit, seed i) and on nothing else.

    Drawing changes nothing in it: one object serves any number of threads.

    path: the weights file, where there is one.
    digest: the file's SHA-256 in hexadecimal, else "".
    label_emb: the digits' embeddings, float64 [10, 100].
    layers: the four Linear layers, float64 (weight [outputs, inputs], bias [outputs]), BatchNorm folded in.
    provenance: what generator.json beside the file says of the weights, if it names their digest; else None.
    choice: which z are refused (choose.py); None where every z is taken.
    raw: whether pixels are the network's own, instead of finished by MNIST's scan rule (finish.py).
    in_hand: the person's hand that everything is drawn in (hand.py); None where each seed has its own.
    """

    def __init__(
        self,
        arrays: Mapping[str, npt.NDArray[Any]],
        *,
        path: Path | None = None,
        digest: str = "",
        provenance: dict[str, Any] | None = None,
        choice: Choice | None = None,
    ) -> None:
        """`arrays` are named and shaped as in weights.TENSOR_SHAPES. WeightsError if not."""
        check_shapes(arrays)
        check_values(arrays)
        self.path: Final = path
        self.digest: Final = digest
        self.provenance: Final = provenance
        self.label_emb: Final = arrays["label_emb.weight"].astype(np.float64)
        self.layers: Final = _layers_from_arrays(arrays)
        self.choice = choice
        self.raw = False
        self.in_hand: Hand | None = None

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, raw: bool = False, every_z: bool = False, neat: int = 0
    ) -> DigitGenerator:
        """Read the weights at `path`, else where weights.find_weights looks. WeightsError if refused.

        The choice file beside them is read, too. `raw`, `every_z` and `neat` as in `variant`.
        """
        path = find_weights(path)
        data = bytes_from_file(path)
        arrays = arrays_from_bytes(data, name=path.name)
        digest = hashlib.sha256(data).hexdigest()
        generator = cls(
            arrays,
            path=path,
            digest=digest,
            provenance=_provenance_from_json(path, digest),
            choice=Choice.beside(path, digest),
        )
        return generator.variant(raw=raw, every_z=every_z, neat=neat)

    @classmethod
    def current(cls, path: str | Path | None = None) -> DigitGenerator:
        """As `load`, for servers: one generator for all who ask, until one of its files changes.

        A file that is refused is not read again either. WeightsError as `load`, or where a file cannot be
        looked at.
        """
        path = find_weights(path)
        try:
            return _current.get(
                [path, path.with_suffix(".json"), choice_path(path)], functools.partial(cls.load, path)
            )
        except OSError as error:
            raise WeightsError(f"{path} cannot be read: {error.strerror}") from None

    def variant(
        self, *, raw: bool = False, every_z: bool = False, neat: int = 0, in_hand: Hand | None = None
    ) -> DigitGenerator:
        """The same weights, drawn with another finish, choice or hand; they are shared, not copied.

        raw: pixels are the network's own, not finished. every_z: no z is refused. neat: 0, as it comes, to
        choose.NEATEST, where most are refused. in_hand: everything is drawn in this hand, and a seed decides
        how it varies. ChoiceError for a `neat` that the choice file lacks, or beside every_z; hand.HandError
        for a hand of other weights.
        """
        if neat and every_z:
            raise ChoiceError(f"neat is {neat}, and every_z refuses no z: leave out one of them")
        if neat and not self.choice:
            raise ChoiceError(f"neat is {neat}, and these weights have no choice file: expected 0")
        same = raw == self.raw and neat == self.neat and in_hand is self.in_hand
        if same and not (every_z and self.choice):
            return self
        if in_hand is not None:
            in_hand.check_weights(self.digest)
        other = copy.copy(self)
        other.raw = raw
        other.choice = None if every_z or not self.choice else self.choice.at(neat)
        other.in_hand = in_hand
        return other

    @property
    def neat(self) -> int:
        """How strictly z is chosen, 0...choose.NEATEST: what a recipe holds."""
        return self.choice.neat if self.choice else 0

    @property
    def finish_version(self) -> int:
        """finish.VERSION, or 0 where pixels are the network's own: what a recipe holds."""
        return 0 if self.raw else FINISH_VERSION

    @property
    def choice_digest(self) -> str:
        """SHA-256 of the choice file, "" where every z is taken: what a recipe holds."""
        return self.choice.digest if self.choice else ""

    @property
    def is_ours(self) -> bool:
        """Whether generator.json vouches for these weights. If not, they are "your own weights"."""
        return self.provenance is not None

    def digits(self, digit: int | Sequence[int], seeds: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Draw one image per seed: pixels, uint8 [B, 28, 28], 0 background ... 255 ink.

        `digit` is 0...9, one for all or one per seed; `seeds` are B whole numbers, 0...2^32-1.
        ValueError if not.
        """
        seeds = checked_seeds(seeds)
        labels = labels_from_digits(digit, len(seeds))  # int64 [B]
        pixels = np.empty((len(seeds), 28, 28), np.uint8)
        for start in range(0, len(seeds), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            _, hidden = self._chosen(seeds[chunk], labels[chunk])  # float64 [b, 1024]
            images = self._images_from_hidden(hidden)  # float64 [b, 1, 28, 28]
            raw_pixels = pixels_from_images(images)  # uint8 [b, 28, 28]
            pixels[chunk] = self.finished(raw_pixels, labels[chunk], seeds[chunk])
        return pixels

    def hand(self, digits: Sequence[int], seed: int) -> npt.NDArray[np.uint8]:
        """Draw these digits in one hand: all from one z, which is accepted for all ten. uint8 [B, 28, 28].

        ValueError as `digits`.
        """
        labels = labels_from_digits(digits, len(digits))
        (seed,) = checked_seeds([seed])
        z = self.hand_latent(seed)[None].repeat(len(labels), axis=0)
        return self.pixels(z, labels, [seed] * len(labels))

    def latents(
        self, seeds: Sequence[int], labels: Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> npt.NDArray[np.float64]:
        """The z that each seed means for its digit, float64 [B, 100]: the first of its stream to be accepted.

        The stream is RandomState(seed).standard_normal, a hundred numbers a z; a person's hand takes each of
        them as its variation. ValueError as `digits`.
        """
        seeds = checked_seeds(seeds)
        labels = labels_from_digits(labels, len(seeds))
        return self._chosen(seeds, labels)[0]

    def _chosen(
        self, seeds: Sequence[int], labels: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """`latents`, and what goes into the last layer for them: float64 [B, 100], [B, 1024]."""

        def hidden_of(z: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            return self.hidden(z, self.label_emb[labels])

        choice = self.choice
        if choice is None:
            z = self.stream_latents(seeds)
            return z, hidden_of(z, labels)
        return first_accepted(
            seeds,
            labels,
            self.stream_latents,
            hidden_of,
            lambda _, hidden, labels: choice.scores(hidden, labels) > choice.digit_bound,
        )

    def stream_latents(self, seeds: Sequence[int], number: int = 0) -> npt.NDArray[np.float64]:
        """z `number` of each seed's stream, float64 [B, 100]; in a person's hand, the hand's varied by it."""
        z = latents_from_seeds(seeds, number)
        return z if self.in_hand is None else self.in_hand.varied(z)

    def hand_latent(self, seed: int) -> npt.NDArray[np.float64]:
        """The z of the seed's hand, float64 [100]: the first of its stream accepted for all ten digits.

        In a person's hand, that hand's z.
        """
        if self.in_hand is not None:
            return self.in_hand.z.copy()
        z: npt.NDArray[np.float64] = latents_from_seeds([seed], self.hand_number(seed))[0]
        return z

    def hand_number(self, seed: int) -> int:
        """Which z of its stream, from 0, is the seed's hand."""
        return self.hand_numbers([seed])[0]

    def hand_numbers(self, seeds: Sequence[int]) -> list[int]:
        """`hand_number` of each seed, in far less time than one by one."""
        numbers = [0] * len(seeds)
        waiting = [*range(len(seeds))] if self.choice is not None and self.in_hand is None else []
        for number in range(MAX_TRIES):
            refused = []
            for start in range(0, len(waiting), _CHUNK // 10):
                part = waiting[start : start + _CHUNK // 10]
                accepted = self._accepts_hands(latents_from_seeds([seeds[i] for i in part], number))
                for i, good in zip(part, accepted, strict=True):
                    if good:
                        numbers[i] = number
                    else:
                        refused.append(i)
            waiting = refused
        return numbers

    def _accepts_hands(self, z: npt.NDArray[np.float64]) -> list[bool]:
        """Whether the choice accepts each z, float64 [B, 100], for all ten digits."""
        assert self.choice is not None
        labels = np.tile(np.arange(10), len(z))
        scores = self.choice.scores(self.hidden(z.repeat(10, axis=0), self.label_emb[labels]), labels)
        accepted: list[bool] = (scores.reshape(-1, 10).min(axis=1) > self.choice.hand_bound).tolist()
        return accepted

    def pixels(
        self,
        z: npt.NDArray[np.floating[Any]],
        labels: Sequence[int] | npt.NDArray[np.integer[Any]],
        seeds: Sequence[int],
        *,
        in_box: bool = True,
    ) -> npt.NDArray[np.uint8]:
        """What is drawn from z, float [B, 100]: pixels, uint8 [B, 28, 28], finished unless `raw`.

        The seeds are the finish's chance. Not `in_box`, every stroke stays where the network drew it
        (finish.edged_pixels). ValueError as `images`.
        """
        return self.finished(pixels_from_images(self.images(z, labels)), labels, seeds, in_box=in_box)

    def finished(
        self,
        raw_pixels: npt.NDArray[np.uint8],
        labels: Sequence[int] | npt.NDArray[np.integer[Any]],
        seeds: Sequence[int],
        *,
        in_box: bool = True,
    ) -> npt.NDArray[np.uint8]:
        """The network's pixels as this generator shows them: finished, or as they are if `raw`."""
        if self.raw:
            return raw_pixels
        finish = finished_pixels if in_box else edged_pixels
        return finish(raw_pixels, np.asarray(labels), np.asarray(seeds, np.int64))

    def images(
        self, z: npt.NDArray[np.floating[Any]], labels: Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> npt.NDArray[np.float64]:
        """The network: z, float [B, 100], and labels, int [B], 0...9 -> float64 [B, 1, 28, 28] in [-1, 1].

        ValueError for another shape, another label, or a z that is not finite.
        """
        wide = checked_latents(z)
        labels = labels_from_digits(labels, len(wide))
        return self.images_from_embeddings(wide, self.label_emb[labels])

    def images_from_embeddings(
        self, z: npt.NDArray[np.float64], embeddings: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """As `images`, with label embeddings, float64 [B, 100], which need be none of the ten digits'."""
        return self._images_from_hidden(self.hidden(z, embeddings))

    def _images_from_hidden(self, hidden: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        weight, bias = self.layers[-1]
        images = _product(hidden, weight)  # [B, 784]
        images += bias
        return np.tanh(images, out=images).reshape(-1, 1, 28, 28)

    def images_and_pullback(
        self, z: npt.NDArray[np.floating[Any]], labels: Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> tuple[npt.NDArray[np.float64], Callable[..., npt.NDArray[np.float64]]]:
        """`images`, and the way back: gradients with respect to them -> gradients with respect to z.

        The way back takes K gradients for each image, [B, K, 28, 28], and gives [B, K, 100] (the chain rule,
        layer by layer); with numbers of images after them, int [b], it takes and gives those of these alone.
        ValueError as `images`.
        """
        wide = checked_latents(z)
        labels = labels_from_digits(labels, len(wide))
        hidden = self._hidden(wide, self.label_emb[labels])
        weight, _ = self.layers[-1]
        images = self._images_from_hidden(hidden[-1]).reshape(-1, 784)
        # Of the first layer, only what z goes through.
        weights = [self.layers[0][0][:, :LATENT_SIZE], *(layer for layer, _ in self.layers[1:-1])]

        def pullback(
            gradients: npt.NDArray[np.floating[Any]],
            which: slice | npt.NDArray[np.integer[Any]] = _ALL,
        ) -> npt.NDArray[np.float64]:
            count, each = gradients.shape[:2]
            # [b * K, ...] throughout: one large product is 20 times faster than b small ones.
            x = gradients.reshape(count, each, 784) * (1 - images[which] ** 2)[:, None]  # Tanh
            x = x.reshape(count * each, 784) @ weight
            for earlier, outputs in zip(weights[::-1], hidden[::-1], strict=True):
                slope = np.where(outputs[which] > 0, 1, LEAKY_SLOPE)  # LeakyReLU keeps the sign
                x = (x.reshape(count, each, len(earlier)) * slope[:, None]).reshape(
                    len(x), len(earlier)
                ) @ earlier
            to_z: npt.NDArray[np.float64] = x.reshape(count, each, LATENT_SIZE)
            return to_z

        return images.reshape(-1, 1, 28, 28), pullback

    def images_and_pushforward(
        self, z: npt.NDArray[np.floating[Any]], labels: Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> tuple[npt.NDArray[np.float64], Callable[[npt.NDArray[np.floating[Any]]], npt.NDArray[np.float64]]]:
        """`images`, and how they change as z does: K directions of z, [K, 100] -> [B, K, 28, 28].

        The mirror image of the pullback, cheaper where there are more pixels than directions. ValueError as
        `images`.
        """
        wide = checked_latents(z)
        labels = labels_from_digits(labels, len(wide))
        hidden = self._hidden(wide, self.label_emb[labels])
        images = self._images_from_hidden(hidden[-1]).reshape(-1, 784)

        def pushforward(directions: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
            first = self.layers[0][0][:, :LATENT_SIZE]
            x = (directions @ first.T)[None].repeat(len(images), axis=0)  # [B, K, 256]
            for (later, _), outputs in zip(self.layers[1:], hidden, strict=True):
                slope = np.where(outputs > 0, 1, LEAKY_SLOPE)  # LeakyReLU keeps the sign
                x = (x * slope[:, None]) @ later.T
            x *= (1 - images**2)[:, None]  # Tanh
            changes: npt.NDArray[np.float64] = x.reshape(len(images), -1, 28, 28)
            return changes

        return images.reshape(-1, 1, 28, 28), pushforward

    def hidden(
        self, z: npt.NDArray[np.float64], embeddings: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """What goes into the last layer, float64 [B, 1024]; z and embeddings as in images_from_embeddings."""
        return self._hidden(z, embeddings)[-1]

    def _hidden(
        self, z: npt.NDArray[np.float64], embeddings: npt.NDArray[np.float64]
    ) -> list[npt.NDArray[np.float64]]:
        """What the hidden layers give: float64 [B, 256], [B, 512], [B, 1024]."""
        x = np.concatenate([z, embeddings], axis=1)  # [B, 200]
        hidden = []
        for weight, bias in self.layers[:-1]:
            x = _product(x, weight)
            x += bias
            np.maximum(x, LEAKY_SLOPE * x, out=x)  # LeakyReLU
            hidden.append(x)
        return hidden


_current: UntilChanged[DigitGenerator] = UntilChanged()


def _product(x: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """x @ weight.T, float64 [B, outputs], for x [B, inputs] and weight [outputs, inputs].

    Before a product, BLAS copies the weights into an order that it likes, unless the product is small. For a
    few images that would be half of the time, so theirs is computed in small products.
    """
    if len(x) > _FEW:
        return x @ weight.T
    outputs, inputs = weight.shape
    blocks = weight.reshape(_BLOCKS, outputs // _BLOCKS, inputs)
    parts: npt.NDArray[np.float64] = x @ blocks.transpose(0, 2, 1)  # [blocks, B, outputs / blocks]
    return parts.transpose(1, 0, 2).reshape(len(x), outputs)


def latents_from_seeds(
    seeds: Sequence[int] | npt.NDArray[np.integer[Any]], number: int = 0
) -> npt.NDArray[np.float64]:
    """z, float64 [B, 100], N(0, I): row i is z `number` of the stream of seeds[i], a hundred numbers each:
    numpy.random.RandomState(seeds[i]).standard_normal(100 * (number + 1))[-100:].

    NumPy has frozen that stream (NEP 19), so that a seed means the same z for ever. Seeds are whole numbers,
    0...2^32-1; ValueError if not.
    """
    seeds = checked_seeds(seeds)
    if not hasattr(_local, "rng"):  # one for each thread: to seed it again is 30 times faster than a new one
        _local.rng = np.random.RandomState()
    z = np.empty((len(seeds), LATENT_SIZE))
    for row, seed in zip(z, seeds, strict=True):
        _local.rng.seed(seed)
        row[:] = _local.rng.standard_normal(LATENT_SIZE * (number + 1))[-LATENT_SIZE:]
    return z


_Hidden = TypeVar("_Hidden", npt.NDArray[np.float32], npt.NDArray[np.float64])


def first_accepted(
    seeds: Sequence[int],
    labels: npt.NDArray[np.int64],
    latents_of: Callable[[Sequence[int], int], npt.NDArray[np.float64]],
    hidden_of: Callable[[npt.NDArray[np.float64], npt.NDArray[np.int64]], _Hidden],
    accepts: Callable[[npt.NDArray[np.float64], _Hidden, npt.NDArray[np.int64]], npt.NDArray[np.bool_]],
) -> tuple[npt.NDArray[np.float64], _Hidden]:
    """Of each seed's stream the first z that is accepted, float64 [B, 100], and its hidden layer, [B, 1024].

    latents_of: (seeds, number) -> z of that number. hidden_of: (z, labels) -> the hidden layer. accepts:
    (z, hidden, labels) -> bool [B]. The first z of all is taken where MAX_TRIES were refused.
    """
    z = latents_of(seeds, 0)
    hidden = hidden_of(z, labels).copy()
    first, first_hidden, waiting = z.copy(), hidden.copy(), np.arange(len(seeds))
    for number in range(1, MAX_TRIES + 1):
        waiting = waiting[~accepts(z[waiting], hidden[waiting], labels[waiting])]
        if not len(waiting):
            break
        if number == MAX_TRIES:
            z[waiting], hidden[waiting] = first[waiting], first_hidden[waiting]
        else:
            z[waiting] = latents_of([seeds[i] for i in waiting.tolist()], number)
            hidden[waiting] = hidden_of(z[waiting], labels[waiting])
    return z, hidden


def pixels_from_images(images: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """images, float [B, 1, 28, 28] in [-1, 1] -> pixels, uint8 [B, 28, 28]: -1 -> 0, +1 -> 255, rounded.

    ValueError for another shape or a number outside [-1, 1].
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != (1, 28, 28):
        raise ValueError(f"images have shape {images.shape}: expected (B, 1, 28, 28)")
    if not (np.abs(images) <= 1).all():
        raise ValueError("images hold numbers outside [-1, 1]: expected -1 for background ... +1 for ink")
    pixels: npt.NDArray[np.uint8] = np.rint((images[:, 0] + 1) * 127.5).astype(np.uint8)
    return pixels


def images_from_pixels(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """pixels, uint8 [B, 28, 28] -> images, float64 [B, 1, 28, 28]: 0 -> -1, 255 -> +1.

    The inverse of pixels_from_images: all 256 values come back. ValueError for another shape or dtype.
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[1:] != (28, 28):
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}: expected uint8 of shape (B, 28, 28)")
    return pixels[:, None] / 127.5 - 1


def checked_latents(z: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """z as float64 [B, 100]. ValueError for another shape, or numbers that are not finite."""
    wide = np.asarray(z, np.float64)
    if wide.ndim != 2 or wide.shape[1] != LATENT_SIZE or not np.isfinite(wide).all():
        raise ValueError(f"z has shape {wide.shape}: expected finite numbers of shape (B, {LATENT_SIZE})")
    return wide


def checked_seeds(seeds: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[int]:
    """The seeds as a list. ValueError unless they are whole numbers, 0...2^32-1."""
    if _is_whole_array(seeds, MAX_SEED):
        numbers: list[int] = seeds.tolist()
        return numbers
    try:
        values = list(seeds)
    except TypeError:
        raise ValueError(f"seeds is {seeds!r}: expected one seed per image, such as range(5)") from None
    for seed in values:
        if not _is_whole(seed) or not 0 <= seed <= MAX_SEED:
            raise ValueError(f"seed {seed!r} is not a whole number from 0 to {MAX_SEED}")
    return [int(seed) for seed in values]


def checked_whole(
    name: str, value: object, least: int, most: int, error: type[ValueError] = ValueError
) -> int:
    """`value` as Python's int, whatever kind of whole number it is.

    Raises `error` unless it is one from `least` to `most`.
    """
    if not _is_whole(value) or not least <= value <= most:
        raise error(f"{name} is {value!r}: expected a whole number from {least} to {most}")
    return int(value)


def labels_from_digits(
    digit: int | Sequence[int] | npt.NDArray[np.integer[Any]], count: int
) -> npt.NDArray[np.int64]:
    """labels, int64 [count], from one digit for all or `count` of them. ValueError unless they are 0...9."""
    if _is_whole_array(digit, 9) and len(digit) == count:
        return digit.astype(np.int64)
    try:
        digits = [digit] if isinstance(digit, int | np.integer) else list(digit)
    except TypeError:
        raise ValueError(f"digit is {digit!r}: expected 0 to 9, or one such digit per seed") from None
    for label in digits:
        if not _is_whole(label) or not 0 <= label <= 9:
            raise ValueError(f"digit {label!r} is not a whole number from 0 to 9")
    if isinstance(digit, int | np.integer):
        digits = digits * count
    if len(digits) != count:
        raise ValueError(f"{len(digits)} digits came for {count} seeds: expected one digit, or one per seed")
    return np.array(digits, np.int64)


def _is_whole_array(values: object, largest: int) -> TypeGuard[npt.NDArray[np.integer[Any]]]:
    """Whether it is an array [B] of whole numbers from 0 to `largest`: one look instead of B."""
    return (
        isinstance(values, np.ndarray)
        and values.ndim == 1
        and values.dtype.kind in "iu"
        and bool(((values >= 0) & (values <= largest)).all())
    )


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _layers_from_arrays(
    arrays: Mapping[str, npt.NDArray[Any]],
) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """The four Linear layers, (weight [outputs, inputs], bias [outputs]), each with the BatchNorm before it.

    BatchNorm comes after LeakyReLU, hence it folds forward into the next Linear. It computes
    scale * x + shift (Ioffe and Szegedy 2015, algorithm 2), and
    W (scale * x + shift) + b = (W * scale) x + (W shift + b).
    """

    def wide(name: str) -> npt.NDArray[np.float64]:
        return arrays[name].astype(np.float64)

    layers = [(wide("model.0.weight"), wide("model.0.bias"))]
    for batchnorm, linear in ((2, 3), (5, 6), (8, 9)):
        gamma, beta, mean, var = (
            wide(f"model.{batchnorm}.{name}") for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(var + BATCHNORM_EPS)
        shift = beta - mean * scale
        weight, bias = wide(f"model.{linear}.weight"), wide(f"model.{linear}.bias")
        bias += weight @ shift
        weight *= scale  # in place: the weights are in memory once
        layers.append((weight, bias))
    return layers


def _provenance_from_json(path: Path, digest: str) -> dict[str, Any] | None:
    """generator.json beside the weights, if it is about these very weights."""
    try:
        provenance = json.loads(read_at_most(path.parent / "generator.json", MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(provenance, dict) and provenance.get("weights_sha256") == digest:
        return provenance
    return None
