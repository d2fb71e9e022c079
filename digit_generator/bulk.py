"""Many images at once: the pixels of DigitGenerator, byte for byte, in a fraction of its time.

Float32 is fast, but now and then a pixel lies so near to the border between two greys that the error of
float32 decides. So all images are computed in float32, and a pixel within a margin of such a border is
computed again in float64, as is a choice near its bound. The margin is measured with the weights and on the
machine at hand, see MARGIN. The finish counts in whole numbers and is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from digit_generator.generate import (
    LATENT_SIZE,
    LEAKY_SLOPE,
    DigitGenerator,
    checked_latents,
    checked_seeds,
    first_accepted,
    labels_from_digits,
    latents_from_seeds,
)

# The error before tanh is the sum of thousands of roundings; it grows with the length of what goes into the
# last layer and with the length of the pixel's weights. Over the product of both it is measured on MEASURED
# images, and MARGIN times the largest is allowed for; of 3.2 million other pixels none needed more than 0.9
# of that. Beyond it a pixel would still have to lie within the excess of a border to come out wrong.
MARGIN = 1.5
MEASURED = 512
# What float32 adds after that, in greys: 6e-8 * 127.5 in tanh, and two roundings of numbers up to 255.
_ROUNDING = 3e-5
_UNSURE = 1e-3  # of a score, whose float32 error is below 1e-4: nearer to the bound, float64 decides
_CHUNK = 512  # images computed at a time: what they need stays in the processor's cache

_Buffers = list[npt.NDArray[np.float32]]


class BulkGenerator:
    """Draws as `generator` does, byte for byte. Nothing in it changes: it serves any number of threads."""

    def __init__(self, generator: DigitGenerator) -> None:
        self.generator: Final = generator
        first, first_bias = generator.layers[0]
        # The digit's half of the first layer is one of ten vectors, [10, 256].
        self._labels = _float32(generator.label_emb @ first[:, LATENT_SIZE:].T + first_bias)
        self._first = _float32(first[:, :LATENT_SIZE].T)
        self._layers = [(_float32(weight.T), _float32(bias)) for weight, bias in generator.layers[1:]]
        # Of each pixel's weights, [784].
        self._lengths = _float32(np.linalg.norm(generator.layers[-1][0], axis=1))
        self._margin = MARGIN * self._error()

    def digits(
        self, labels: npt.NDArray[np.integer[Any]], seeds: Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> npt.NDArray[np.uint8]:
        """As DigitGenerator.digits: labels, int [B], 0...9, and seeds, int [B] -> pixels, uint8 [B, 28, 28].

        ValueError for another label or seed.
        """
        seeds = checked_seeds(seeds)
        labels = labels_from_digits(labels, len(seeds))
        z = np.empty((len(seeds), LATENT_SIZE))

        def choose(chunk: slice, buffers: _Buffers) -> npt.NDArray[np.float32]:
            z[chunk], hidden = self._chosen(seeds[chunk], labels[chunk], buffers)
            return hidden

        return self.generator.finished(self._raw_pixels(z, labels, choose), labels, seeds)

    def pixels(
        self,
        z: npt.NDArray[np.floating[Any]],
        labels: npt.NDArray[np.integer[Any]],
        seeds: Sequence[int] | npt.NDArray[np.integer[Any]],
    ) -> npt.NDArray[np.uint8]:
        """As DigitGenerator.pixels: z, float [B, 100], labels and seeds, int [B] -> uint8 [B, 28, 28].

        ValueError for another shape, another label or seed, or a z that is not finite.
        """
        seeds = checked_seeds(seeds)
        z = checked_latents(z)
        labels = labels_from_digits(labels, len(z))

        def compute(chunk: slice, buffers: _Buffers) -> npt.NDArray[np.float32]:
            return self._hidden(z[chunk], labels[chunk], buffers)

        return self.generator.finished(self._raw_pixels(z, labels, compute), labels, seeds)

    def latents(self, seeds: Sequence[int], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """As DigitGenerator.latents: z, float64 [B, 100]."""
        z = np.empty((len(seeds), LATENT_SIZE))
        buffers = self._buffers()
        for start in range(0, len(seeds), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            z[chunk], _ = self._chosen(seeds[chunk], labels[chunk], buffers)
        return z

    def _chosen(
        self, seeds: Sequence[int], labels: npt.NDArray[np.int64], buffers: _Buffers
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """The z that the seeds mean, float64 [b, 100], and what goes into the last layer, float32 [b, 1024].

        Where float32 is not sure of a choice, float64 decides.
        """
        choice = self.generator.choice
        if choice is None:
            z = self.generator.stream_latents(seeds)
            return z, self._hidden(z, labels, buffers)

        def accepts(
            z: npt.NDArray[np.float64], hidden: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
        ) -> npt.NDArray[np.bool_]:
            scores = choice.scores(hidden, labels)
            unsure = np.flatnonzero(np.abs(scores - choice.digit_bound) <= _UNSURE)
            if len(unsure):
                exact = self.generator.hidden(z[unsure], self.generator.label_emb[labels[unsure]])
                scores[unsure] = choice.scores(exact, labels[unsure])
            return scores > choice.digit_bound

        return first_accepted(
            seeds,
            labels,
            self.generator.stream_latents,
            lambda z, labels: self._hidden(z, labels, buffers),
            accepts,
        )

    def _raw_pixels(
        self,
        z: npt.NDArray[np.float64],
        labels: npt.NDArray[np.int64],
        hidden_of: Callable[[slice, _Buffers], npt.NDArray[np.float32]],
    ) -> npt.NDArray[np.uint8]:
        """The network's own pixels, uint8 [B, 28, 28], from what `hidden_of` says goes into the last layer.

        It may fill `z`, chunk by chunk: z is looked at after it.
        """
        pixels = np.empty((len(z), 784), np.uint8)
        rows, columns = [], []  # of the pixels near a border
        buffers = self._buffers()
        for start in range(0, len(z), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            greys, lengths = self._greys(hidden_of(chunk, buffers), buffers)  # float32 [b, 784], 0...255; [b]
            rounded = np.rint(greys, out=buffers[-1][: len(greys)])
            pixels[chunk] = rounded
            # How far a grey is from the nearest border, 0.5 from where it was rounded to, is compared with
            # the margin before tanh times the slope of tanh; at first with the largest there can be.
            off = np.abs(np.subtract(greys, rounded, out=rounded), out=rounded)
            margin = self._margin * lengths
            near = np.flatnonzero(off > 0.5 - (margin.max() * self._lengths.max() * 127.5 + _ROUNDING))
            row, column = np.divmod(near, 784)
            grey = greys[row, column]
            slope = grey * (255 - grey) / 127.5
            sure = off[row, column] <= 0.5 - (margin[row] * self._lengths[column] * slope + _ROUNDING)
            rows.append(start + row[~sure])
            columns.append(column[~sure])
        if rows:
            self._mend(pixels, z, labels, np.concatenate(rows), np.concatenate(columns))
        return pixels.reshape(-1, 28, 28)

    def _mend(
        self,
        pixels: npt.NDArray[np.uint8],
        z: npt.NDArray[np.float64],
        labels: npt.NDArray[np.int64],
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
    ) -> None:
        """Compute the pixels at (rows, columns) of uint8 [B, 784] in float64. Rows are in order."""
        weight, bias = self.generator.layers[-1]
        images, first = np.unique(rows, return_index=True)
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            ends = *first[start : start + _CHUNK + 1], len(rows)
            part = slice(ends[0], ends[len(chunk)])
            hidden = self.generator.hidden(z[chunk], self.generator.label_emb[labels[chunk]])
            hidden = hidden[np.searchsorted(chunk, rows[part])]  # [pixels to mend, 1024]
            values = np.einsum("ij,ij->i", hidden, weight[columns[part]]) + bias[columns[part]]
            pixels[rows[part], columns[part]] = np.rint((np.tanh(values) + 1) * 127.5)

    def _greys(
        self, hidden: npt.NDArray[np.float32], buffers: _Buffers
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """From the last hidden layer: [b, 784], 0...255 before rounding, in a buffer; its lengths, [b]."""
        x, lengths = self._before_tanh(hidden, buffers)
        x = np.tanh(x, out=x)
        x += 1
        x *= np.float32(127.5)
        return x, lengths

    def _before_tanh(
        self, hidden: npt.NDArray[np.float32], buffers: _Buffers
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What goes into tanh, [b, 784], in one of the buffers; the lengths of what the last layer sees."""
        weight, bias = self._layers[-1]
        x = np.matmul(hidden, weight, out=buffers[6][: len(hidden)])
        x += bias
        return x, np.sqrt(np.einsum("ij,ij->i", hidden, hidden))

    def _hidden(
        self,
        z: npt.NDArray[np.float64],
        labels: npt.NDArray[np.int64],
        buffers: _Buffers,
    ) -> npt.NDArray[np.float32]:
        """What goes into the last layer, [b, 1024], in one of the buffers."""
        count = len(z)
        x = np.matmul(_float32(z), self._first, out=buffers[0][:count])
        x += self._labels[labels]
        for (weight, bias), scratch, out in zip(self._layers[:-1], buffers[3:5], buffers[1:3], strict=True):
            x = np.maximum(x, np.multiply(x, np.float32(LEAKY_SLOPE), out=scratch[:count]), out=x)
            x = np.matmul(x, weight, out=out[:count])
            x += bias
        return np.maximum(x, np.multiply(x, np.float32(LEAKY_SLOPE), out=buffers[5][:count]), out=x)

    def _buffers(self) -> _Buffers:
        sizes = [256, 512, 1024, 256, 512, 1024, 784, 784]
        return [np.empty((_CHUNK, size), np.float32) for size in sizes]

    def _error(self) -> float:
        """The largest error of float32 before tanh, over the product of both lengths."""
        z = latents_from_seeds(range(MEASURED))
        labels = np.arange(MEASURED) % 10
        weight, bias = self.generator.layers[-1]
        exact = self.generator.hidden(z, self.generator.label_emb[labels]) @ weight.T + bias
        buffers = self._buffers()
        x, lengths = self._before_tanh(self._hidden(z, labels, buffers), buffers)
        scale = lengths[:, None] * self._lengths
        return float((np.abs(x - exact) / np.where(scale > 0, scale, np.inf)).max())


def _float32(array: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(array, np.float32)
