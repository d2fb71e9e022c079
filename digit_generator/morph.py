"""Morph: from digit to digit in even steps, along a spherical path in z and through blended labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from digit_generator.generate import (
    DigitGenerator,
    checked_whole,
    labels_from_digits,
    pixels_from_images,
)
from digit_generator.recipe import MAX_FRAMES

Stop = tuple[int, int | None]  # digit and seed; None: the person's hand that the generator draws in, as it is

FRAME_MS, STOP_MS = 40, 400  # how long an animation shows a frame between stops, and a stop
_LOOKS = 8  # how many images are looked at for each frame, to find even steps
_CHUNK = 512


def morph(
    generator: DigitGenerator, stops: Sequence[Stop], *, frames_between: int = 15
) -> npt.NDArray[np.uint8]:
    """From stop to stop, `frames_between` frames between two: pixels, uint8 [F, 28, 28], 0 ... 255 ink.

    `stops` are (digit, seed), at least two of them; each is the z that DigitGenerator.digits draws with no
    person's hand, or with the seed None, that hand's own. Frames
    are finished in place, without the box, in which they would jump by whole pixels, and with one chance for
    all. Between two stops all steps are equally large, measured as the root mean square over the network's
    images. ValueError for
    fewer stops, another digit or seed, less than 0 frames between, or more than 2,000 frames in all.
    """
    _check(stops, frames_between)
    looks = np.linspace(0, len(stops) - 1, (len(stops) - 1) * (frames_between + 1) * _LOOKS + 1)
    places = _even_places(looks, _images(generator, stops, looks), frames_between + 1)
    pixels = pixels_from_images(_images(generator, stops, places))
    digit, seed = stops[0]
    return generator.finished(pixels, [digit] * len(pixels), [seed or 0] * len(pixels), in_box=False)


def frame_times(stops: Sequence[Stop], *, frames_between: int = 15) -> list[int]:
    """How long an animation shows each frame, in milliseconds [F]: the stops long enough to be read."""
    return [*([STOP_MS, *[FRAME_MS] * frames_between] * (len(stops) - 1)), STOP_MS]


def morph_latents(
    generator: DigitGenerator, stops: Sequence[Stop], places: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What is drawn at `places` [F] of the path, 0 the first stop, 1 the second, 1.5 halfway to the third.

    Returns z and label embeddings, float64 [F, 100] each, for DigitGenerator.images_from_embeddings. Both
    move on great circles: z about the origin, since N(0, I) has next to nothing near it, and the embeddings
    about the mean of all ten: on a straight line the pictures halfway have specks at their edges.
    ValueError for fewer than two stops, or another digit or seed.
    """
    _check(stops, 0)
    digits, _ = zip(*stops, strict=True)
    z = _latents_of_stops(generator, stops)  # [S, 100]
    middle = generator.label_emb.mean(axis=0)
    embeddings = generator.label_emb[labels_from_digits(digits, len(stops))]  # [S, 100]
    before = np.minimum(places.astype(np.int64), len(stops) - 2)
    share = (places - before)[:, None]  # of the way to the next stop
    turned = _spherical(embeddings[before] - middle, embeddings[before + 1] - middle, share)
    return _spherical(z[before], z[before + 1], share), turned + middle


def _latents_of_stops(generator: DigitGenerator, stops: Sequence[Stop]) -> npt.NDArray[np.float64]:
    digits, seeds = zip(*stops, strict=True)
    hand = generator.in_hand
    strangers = generator.variant(raw=generator.raw)
    z = strangers.latents([0 if seed is None else seed for seed in seeds], digits)
    own = [place for place, seed in enumerate(seeds) if seed is None]
    if own and hand is None:
        raise ValueError("a stop has no seed: expected one, or a generator that draws in a person's hand")
    if hand is not None:
        z[own] = hand.z
    return z


def _spherical(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """From a to b, [F, 100] each, by `share` [F, 1] of the way: the direction turns evenly on a great circle
    (Shoemake 1985, "slerp"), the length goes evenly from one to the other."""
    length_a, length_b = (np.linalg.norm(vector, axis=1, keepdims=True) for vector in (a, b))
    cosine = np.sum(a * b, axis=1, keepdims=True) / (length_a * length_b)
    angle = np.arccos(np.clip(cosine, -1, 1))
    length = (1 - share) * length_a + share * length_b
    still = angle < 1e-6  # the same twice: the formula would divide by 0
    sine = np.where(still, 1, np.sin(angle))
    part_a = np.where(still, 1 - share, np.sin((1 - share) * angle) / sine)
    part_b = np.where(still, share, np.sin(share * angle) / sine)
    path: npt.NDArray[np.float64] = part_a * (length / length_a) * a + part_b * (length / length_b) * b
    return path


def _check(stops: Sequence[Stop], frames_between: int) -> None:
    checked_whole("frames_between", frames_between, 0, MAX_FRAMES)
    if len(stops) < 2:
        raise ValueError(f"{len(stops)} stops came: expected at least two, each a digit and a seed")
    count = (len(stops) - 1) * (frames_between + 1) + 1
    if count > MAX_FRAMES:
        raise ValueError(
            f"{len(stops)} stops with {frames_between} frames between make {count} frames:"
            f" expected at most {MAX_FRAMES} in all"
        )


def _images(
    generator: DigitGenerator, stops: Sequence[Stop], places: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    z, embeddings = morph_latents(generator, stops, places)
    images = np.empty((len(z), 1, 28, 28))
    for start in range(0, len(z), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        images[chunk] = generator.images_from_embeddings(z[chunk], embeddings[chunk])
    return images


def _even_places(
    looks: npt.NDArray[np.float64], images: npt.NDArray[np.float64], steps: int
) -> npt.NDArray[np.float64]:
    """Places [F] such that between two stops `steps` steps change the image equally, from looks [L] at it."""
    changes = np.sqrt(np.mean(np.diff(images, axis=0) ** 2, axis=(1, 2, 3)))
    places = [looks[:1]]
    for start in range(0, len(changes), steps * _LOOKS):
        part = slice(start, start + steps * _LOOKS)
        # A little for every look, so that there is a way also where nothing changes.
        travelled = np.concatenate([[0], np.cumsum(changes[part] + 1e-9)])
        wanted = np.linspace(0, travelled[-1], steps + 1)
        found = np.interp(wanted, travelled, looks[start : part.stop + 1])
        found[-1] = looks[part.stop]
        places.append(found[1:])
    return np.concatenate(places)
