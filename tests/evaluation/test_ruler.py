"""The ruler is itself measured: known faults must move the measures that they concern, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from digit_generator.evaluation import protocol
from digit_generator.evaluation.cache import Cache
from digit_generator.evaluation.data import Digits, RealSide
from digit_generator.evaluation.networks.judges import judge
from digit_generator.evaluation.ruler import Ruler

N = 600

# + the figure rises, - it falls, = it stays within chance, * either may happen
TABLE = """
fault            asked fid precision recall coverage spread copying two_sample learner
none             =     =   =         =      =        =      =       =          =
noise            -     +   -         -      -        =      =       +          *
blur             =     +   -         -      -        -      =       +          *
shuffled_labels  -     =   =         =      =        *      =       =          -
no_sevens        =     +   =         -      -        =      =       =          -
one_of_each      =     +   *         -      -        -      *       +          -
one_many_times   =     +   =         =      =        -      *       +          =
copies           =     =   =         =      =        =      +       =          =
"""
MEASURES = TABLE.split("\n")[1].split()[1:]
EXPECTED = {line.split()[0]: line.split()[1:] for line in TABLE.strip().split("\n")[1:]}
CHANCE = {
    "asked": 0.02,
    "fid": 1.0,
    "precision": 0.06,
    "recall": 0.06,
    "coverage": 0.06,
    "spread": 0.15,
    "copying": 0.06,
    "two_sample": 0.08,
    "learner": 0.06,
}


@pytest.fixture(scope="module")
def sets(draw) -> dict[str, Digits]:
    digits = draw(N, 3)
    rng = np.random.RandomState(0)
    noise = rng.normal(0, 40, digits.pixels.shape)

    def with_pixels(pixels: np.ndarray) -> Digits:
        return Digits(pixels.clip(0, 255).astype(np.uint8), digits.labels)

    return {
        "fresh": digits,
        "none": draw(N, 5),
        "noise": with_pixels(digits.pixels + noise),
        "blur": with_pixels(np.stack([gaussian_filter(image.astype(float), 1) for image in digits.pixels])),
        "shuffled_labels": Digits(digits.pixels, rng.permutation(digits.labels)),
        "no_sevens": digits[digits.labels != 7],
        "one_of_each": with_pixels(digits.pixels[:10][digits.labels]),
        "one_many_times": Digits(
            np.concatenate([digits.pixels, np.repeat(digits.pixels[:1], 1_000, axis=0)]),
            np.concatenate([digits.labels, np.repeat(digits.labels[:1], 1_000)]),
        ),
        "copies": draw(N, 1),
    }


@pytest.fixture(scope="module")
def ruler(draw, tmp_path_factory) -> Ruler:
    known, reference, not_copied = draw(N, 1), draw(N, 2), draw(N // 2, 4)
    half = N // 2
    side = RealSide("test", known, reference, reference[:half], reference[half:], known, not_copied, known)
    return Ruler(side, judge(), Cache(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def measured(ruler, sets) -> Callable[[str], dict[str, float]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "TWO_SAMPLE", replace(protocol.TWO_SAMPLE, epochs=5, batch=32))
        patch.setattr(protocol, "LEARNER", replace(protocol.LEARNER, batch=32))
        patch.setattr(protocol, "LEARNER_VIEWS", 3_000)
        patch.setattr(protocol, "SHAPE_IMAGES", 20)
        figures = {name: figures_of(ruler, digits) for name, digits in sets.items()}
    return figures.__getitem__


def figures_of(ruler: Ruler, fake: Digits) -> dict[str, float]:
    neighbours = ruler.neighbours(fake[:20], fake)["full"]
    spread = ruler.diversity(fake, ruler.side.reference)["pixel_spread"]["per_digit"]
    return {
        "asked": ruler.asked_own(fake)["share"],
        "fid": ruler.distance(fake[:20], fake)["full"]["fid"],
        **{name: neighbours[name] for name in ("precision", "recall", "coverage")},
        "spread": min(ratio for ratio in spread if ratio is not None),
        "copying": ruler.copying(fake, ruler.side.known)["share"],
        "two_sample": ruler.two_sample(fake)["accuracy"],
        "learner": ruler.train_on_generated(fake, 0)["accuracy"],
    }


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_fault_moves_what_it_concerns_and_nothing_else(fault, measured):
    sound, faulty = measured("fresh"), measured(fault)
    for measure, sign in zip(MEASURES, EXPECTED[fault], strict=True):
        change = (faulty[measure] - sound[measure]) / CHANCE[measure]
        moved = {"+": change > 1, "-": change < -1, "=": abs(change) < 1, "*": True}[sign]
        assert moved, f"{measure}: {sound[measure]:.3f} -> {faulty[measure]:.3f}, expected {sign}"


def test_nothing_wrong_gives_the_figures_of_real_digits(measured):
    sound = measured("fresh")
    assert sound["asked"] > 0.98
    assert sound["two_sample"] == pytest.approx(0.5, abs=0.08)
    assert sound["copying"] == pytest.approx(0.5, abs=0.05)
    assert min(sound["precision"], sound["recall"], sound["coverage"]) > 0.9


def test_one_image_for_each_digit_is_read_perfectly_and_covers_nothing(measured):
    collapsed = measured("one_of_each")
    assert collapsed["asked"] > 0.98
    assert collapsed["recall"] < 0.01
    assert collapsed["coverage"] < 0.15
    assert collapsed["spread"] == pytest.approx(0, abs=1e-5)


def test_shuffled_labels_are_read_right_one_time_in_ten_and_change_no_distance(measured):
    sound, shuffled = measured("fresh"), measured("shuffled_labels")
    assert shuffled["asked"] == pytest.approx(0.1, abs=0.04)
    assert shuffled["learner"] == pytest.approx(0.1, abs=0.06)
    for measure in ("fid", "precision", "recall", "coverage", "copying"):
        assert shuffled[measure] == sound[measure]


def test_more_noise_and_more_blur_are_further_away(ruler, sets):
    images = sets["fresh"].pixels.astype(float)
    rng = np.random.RandomState(1)
    for worse in (
        lambda amount: images + rng.normal(0, 15 * amount, images.shape),
        lambda amount: np.stack([gaussian_filter(image, 0.4 * amount) for image in images]),
    ):
        distances = []
        for amount in range(3):
            pixels = worse(amount).clip(0, 255).astype(np.uint8)
            worsened = Digits(pixels, sets["fresh"].labels)
            distances.append(ruler.distance(worsened[:20], worsened)["full"]["fid"])
        assert distances == sorted(distances)
        assert distances[2] > 2 * distances[1]


def test_identical_sets_have_no_distance(ruler):
    figures = ruler.distance(ruler.side.opposite)["equal"]
    assert figures["fid"] == pytest.approx(0, abs=1e-6)
    assert figures["kid"] < 0  # unbiased: for the same images it lies below 0


def test_equal_size_is_the_same_half_for_generated_and_for_real(ruler, sets):
    side, half = ruler.side, N // 2
    for measure in (ruler.distance, ruler.neighbours):
        fake, real = measure(sets["fresh"][:half], sets["fresh"]), measure(side.stand_in)
        assert fake["full"]["images"] == [N, N]
        assert fake["equal"]["images"] == real["equal"]["images"] == [half, half]
        assert set(real) == {"equal"}
    assert ruler.distance(side.opposite)["equal"]["fid"] == pytest.approx(0, abs=1e-6)
    assert ruler.distance(side.stand_in)["equal"]["fid"] > 0.1


def test_features_vary_by_one_on_average_over_the_reference(ruler):
    assert ruler.features(ruler.side.reference).var(axis=0).mean() == pytest.approx(1)
