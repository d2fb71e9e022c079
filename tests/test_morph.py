"""A morph begins, ends and stops at the digits asked for, and goes from one to the next in even steps."""

from __future__ import annotations

import numpy as np
import pytest

from digit_generator import DigitGenerator, latents_from_seeds
from digit_generator.finish import edged_pixels
from digit_generator.morph import FRAME_MS, STOP_MS, frame_times, morph, morph_latents

STOPS = [(3, 0), (8, 0), (8, 5), (1, 2)]


def steps_of(pixels: np.ndarray) -> np.ndarray:
    """How much each frame differs from the one before: root mean square over the pixels."""
    return np.sqrt((np.diff(pixels.astype(float), axis=0) ** 2).mean(axis=(1, 2)))


def test_the_stops_are_the_digits_byte_for_byte(generator: DigitGenerator) -> None:
    pixels = morph(generator, STOPS, frames_between=4)
    assert pixels.shape == (16, 28, 28)
    assert pixels.dtype == np.uint8
    digits, seeds = zip(*STOPS, strict=True)
    raw = generator.variant(raw=True)
    np.testing.assert_array_equal(morph(raw, STOPS, frames_between=4)[::5], raw.digits(digits, seeds))
    # Finished in place, all with the first stop's chance.
    z = generator.latents(seeds, digits)
    np.testing.assert_array_equal(
        pixels[::5],
        edged_pixels(raw.pixels(z, digits, seeds), np.full(4, digits[0]), np.full(4, seeds[0])),
    )


def test_the_stops_are_the_z_that_are_chosen(choosy: DigitGenerator) -> None:
    z, _ = morph_latents(choosy, STOPS, np.array([0.0, 1, 2, 3]))
    digits, seeds = zip(*STOPS, strict=True)
    np.testing.assert_allclose(z, choosy.latents(seeds, digits), rtol=1e-12)
    assert (z != latents_from_seeds(seeds)).any()


def test_steps_are_even(generator: DigitGenerator) -> None:
    """From stop to stop, rounding to greys aside; evenly in z alone the largest is here twice the mean."""
    steps = steps_of(morph(generator.variant(raw=True), STOPS, frames_between=15)).reshape(3, 16)
    assert (steps.max(axis=1) < 1.05 * steps.mean(axis=1)).all()
    assert (steps.min(axis=1) > 0.9 * steps.mean(axis=1)).all()


def test_z_keeps_its_length_and_turns_evenly(generator: DigitGenerator) -> None:
    z, embeddings = morph_latents(generator, [(3, 1), (8, 2)], np.linspace(0, 1, 5))
    ends = latents_from_seeds([1, 2])
    np.testing.assert_array_equal(z[[0, -1]], ends)
    np.testing.assert_allclose(embeddings[[0, -1]], generator.label_emb[[3, 8]], atol=1e-12)
    lengths = np.linalg.norm(z, axis=1)
    np.testing.assert_allclose(lengths, np.linspace(*np.linalg.norm(ends, axis=1), 5), rtol=1e-12)
    turned = z / lengths[:, None]
    cosines = (turned[1:] * turned[:-1]).sum(axis=1)
    np.testing.assert_allclose(cosines, cosines[0], rtol=1e-9)
    whole = np.arccos(turned[0] @ turned[-1])
    np.testing.assert_allclose(np.arccos(cosines[0]), whole / 4, rtol=1e-9)


def test_one_seed_is_one_z_all_the_way(generator: DigitGenerator) -> None:
    z, embeddings = morph_latents(generator, [(3, 7), (8, 7)], np.array([0, 0.3, 1.0]))
    np.testing.assert_allclose(z, latents_from_seeds([7] * 3), rtol=1e-12)
    # The embeddings keep their distance from the mean of all ten, or go evenly from one's to the other's.
    middle = generator.label_emb.mean(axis=0)
    distance = np.linalg.norm(embeddings - middle, axis=1)
    assert distance[1] == pytest.approx(0.7 * distance[0] + 0.3 * distance[2])


def test_a_stop_that_comes_twice_stands_still(generator: DigitGenerator) -> None:
    for drawn in (generator, generator.variant(raw=True)):
        pixels = morph(drawn, [(3, 0), (3, 0)], frames_between=3)
        z = generator.latents([0], [3])
        np.testing.assert_array_equal(pixels, drawn.pixels(z, [3], [0], in_box=False).repeat(5, axis=0))


def test_an_animation_shows_the_stops_for_longer(generator: DigitGenerator) -> None:
    times = frame_times(STOPS, frames_between=2)
    assert len(times) == len(morph(generator, STOPS, frames_between=2))
    assert times[:4] == [STOP_MS, FRAME_MS, FRAME_MS, STOP_MS]
    assert times[-1] == STOP_MS


@pytest.mark.parametrize(
    ("stops", "frames_between", "words"),
    [
        ([], 15, "0 stops came: expected at least two"),
        ([(3, 0)], 15, "1 stops came"),
        ([(3, 0), (10, 0)], 15, "digit 10 is not"),
        ([(3, -1), (1, 0)], 15, "seed -1 is not"),
        ([(3, 0), (1, 0)], -1, "frames_between is -1: expected a whole number from 0 to 2000"),
        ([(3, 0), (1, 0)], 1999, "make 2001 frames: .* at most 2000 in all"),
    ],
)
def test_other_ways_are_refused(
    generator: DigitGenerator, stops: list[tuple[int, int]], frames_between: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        morph(generator, stops, frames_between=frames_between)
