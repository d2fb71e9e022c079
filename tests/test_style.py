"""Styles are drawn as asked, and refused in a sentence where they cannot be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digit_generator import style as style_module
from digit_generator.generate import DigitGenerator, latents_from_seeds
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.shapes import estimated_shapes, estimated_tails
from digit_generator.style import (
    Style,
    StyleControls,
    StyleError,
    bytes_from_controls,
    evened_latents,
    hand_latents,
    learned_controls,
    style_path,
    styled_digits,
)


@pytest.fixture(scope="module")
def shipped() -> DigitGenerator:
    return DigitGenerator.load()


@pytest.fixture(scope="module")
def controls(shipped: DigitGenerator) -> StyleControls:
    """The controls that ship. They belong to the weights that ship, or this fails."""
    return StyleControls.load(shipped)


def middle(controls: StyleControls, digit: int, name: str, share: float = 0.5) -> float:
    low, high = controls.ranges(digit)[name]
    return low + share * (high - low)


def shapes_of(controls: StyleControls, generator: DigitGenerator, z: np.ndarray, digit: int) -> np.ndarray:
    labels = np.full(len(z), digit)
    estimate, _ = estimated_shapes((generator.images(z, labels)[:, 0] + 1) / 2)
    return estimate * controls._slope[labels] + controls._intercept[labels]


# Styles


def test_a_style_takes_numbers_or_none() -> None:
    assert Style().asked == {}
    assert Style(thickness=3, slant=np.float32(0)).asked == {"thickness": 3.0, "slant": 0.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "3", True, [3], 10**400])
def test_anything_else_is_told(value: Any) -> None:
    with pytest.raises(StyleError, match=r"^slant is .*: expected a number of radians, or None$"):
        Style(slant=value)


# Drawing


@pytest.mark.parametrize("name", STROKE_MEASURES)
@pytest.mark.parametrize("digit", [0, 4, 7])
def test_the_asked_for_shape_comes_and_the_others_stay(
    shipped: DigitGenerator, controls: StyleControls, name: str, digit: int
) -> None:
    z = latents_from_seeds(range(100, 108))
    wanted = np.linspace(*controls.ranges(digit)[name], len(z))
    moved = controls.latents(z, [digit] * len(z), [Style(**{name: value}) for value in wanted])
    before, after = (shapes_of(controls, shipped, place, digit) for place in (z, moved))
    k = STROKE_MEASURES.index(name)
    spread = np.array([np.subtract(*controls.ranges(digit)[other][::-1]) / 3.3 for other in STROKE_MEASURES])
    assert np.corrcoef(wanted, after[:, k])[0, 1] > 0.95
    beside = 1 if (digit, name) == (0, "width") else 0  # seed 103: docs/decisions.md, "Styles"
    error = np.sort(np.abs(after[:, k] - wanted))[: len(z) - beside]
    assert np.sqrt(np.mean(error**2)) < 0.3 * spread[k]
    drift = np.sqrt(np.mean((after - before) ** 2, axis=0)) / spread
    assert (np.delete(drift, k) < 0.3).all()
    assert np.linalg.norm(moved, axis=1).mean() == pytest.approx(10, abs=1)  # as plausible as any z


def test_all_three_at_once(shipped: DigitGenerator, controls: StyleControls) -> None:
    style = Style(*(middle(controls, 3, name, 0.7) for name in STROKE_MEASURES))
    moved = controls.latents(latents_from_seeds(range(5)), [3] * 5, style)
    wanted = [style.thickness, style.slant, style.width]
    assert shapes_of(controls, shipped, moved, 3) == pytest.approx(np.tile(wanted, (5, 1)), rel=0.1, abs=0.03)


def test_no_style_draws_what_digits_draws_and_needs_no_controls(generator: DigitGenerator) -> None:
    np.testing.assert_array_equal(
        styled_digits(generator, [1, 2], [3, 4], Style()), generator.digits([1, 2], [3, 4])
    )


def test_a_picture_does_not_depend_on_the_others_drawn_with_it(
    shipped: DigitGenerator, controls: StyleControls
) -> None:
    style = Style(thickness=middle(controls, 5, "thickness"), slant=middle(controls, 5, "slant", 0.8))
    together = styled_digits(shipped, 5, range(20), style, controls)
    for seed in (0, 7, 19):
        np.testing.assert_array_equal(styled_digits(shipped, 5, [seed], style)[0], together[seed])


@pytest.mark.parametrize("name", STROKE_MEASURES)
@pytest.mark.parametrize("share", [0.02, 0.98])
def test_not_even_where_a_1_is_hardest_to_steer(
    shipped: DigitGenerator, controls: StyleControls, name: str, share: float
) -> None:
    """Rounding differs with the size of a batch; a walk that goes astray makes a hundred greys of it."""
    style = Style(**{name: middle(controls, 1, name, share)})
    z = latents_from_seeds(range(16))
    together = controls.latents(z, [1] * 16, style)
    alone = [controls.latents(one[None], [1], style)[0] for one in z]
    np.testing.assert_array_equal(together, alone)  # to the last bit, and so every pixel


def test_one_style_for_each_and_none_for_some(shipped: DigitGenerator, controls: StyleControls) -> None:
    z = latents_from_seeds(range(3))
    style = Style(slant=middle(controls, 2, "slant", 0.9))
    moved = controls.latents(z, [2, 2, 2], [Style(), style, Style()])
    np.testing.assert_array_equal(moved[[0, 2]], z[[0, 2]])
    assert shapes_of(controls, shipped, moved, 2)[1, 1] == pytest.approx(style.slant, abs=0.03)


def test_what_came_in_is_not_changed(controls: StyleControls) -> None:
    z = latents_from_seeds([1])
    controls.latents(z, [6], Style(slant=0.0))
    np.testing.assert_array_equal(z, latents_from_seeds([1]))


def test_out_of_range_is_told_with_the_range(controls: StyleControls) -> None:
    low, high = controls.ranges(8)["thickness"]
    with pytest.raises(
        StyleError,
        match=rf"^thickness 9 is out of reach for the digit 8: it goes from {low:.2f} to {high:.2f} pixels$",
    ):
        controls.latents(latents_from_seeds([0]), [8], Style(thickness=9))
    for value in (round(low, 2), round(high, 2)):  # what the sentence names is accepted
        controls.latents(latents_from_seeds([0]), [8], Style(thickness=value))


def test_the_nearest_style_stays_within_the_digits_range(controls: StyleControls) -> None:
    wide = max(controls.ranges(digit)["width"][1] for digit in range(10))
    assert controls.nearest(1, Style(width=wide)) == Style(width=controls.ranges(1)["width"][1])
    with pytest.raises(StyleError, match=r"^width 99 is out of reach: digits go from \d+\.\d\d to"):
        controls.nearest(1, Style(width=99))


def test_styles_and_digits_have_the_same_number(controls: StyleControls) -> None:
    with pytest.raises(ValueError, match="2 styles came for 1 digits"):
        controls.latents(latents_from_seeds([0]), [1], [Style(), Style()])


# The style file


@pytest.fixture
def learned(generator: DigitGenerator) -> dict[str, Any]:
    row = {"slope": 1, "intercept": 0, "low": 1, "high": 3, "spread": 1}
    shapes = {name: {column: [value] * 10 for column, value in row.items()} for name in STROKE_MEASURES}
    return {"format": 1, "weights_sha256": generator.digest, "shapes": shapes}


def test_the_style_file_lies_beside_the_weights(
    save_weights: Callable[..., Path], tmp_path: Path, learned: dict[str, Any]
) -> None:
    mine = DigitGenerator.load(save_weights(folder=tmp_path))
    assert style_path(tmp_path / "generator.pth") == tmp_path / "generator.style.json"
    with pytest.raises(StyleError, match=r"generator\.style\.json does not exist: .* style learn --weights"):
        StyleControls.load(mine)
    controls = StyleControls(mine, {**learned, "weights_sha256": mine.digest})
    style_path(tmp_path / "generator.pth").write_bytes(bytes_from_controls(controls))
    assert StyleControls.load(mine).ranges(4) == dict.fromkeys(STROKE_MEASURES, (1, 3))


def test_controls_of_other_weights_are_refused(
    generator: DigitGenerator, learned: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "other.style.json"
    path.write_text(json.dumps({**learned, "weights_sha256": "0" * 64}))
    with pytest.raises(
        StyleError, match="were learned from other weights; python -m digit_generator style learn"
    ):
        StyleControls.load(generator, path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"3",
        b"{}",
        b"[" * 100_000,
        b'{"format": 2, "weights_sha256": "", "shapes": {}}',
        b'{"format": 1, "weights_sha256": "", "shapes": {"thickness": 3}}',
    ],
)
def test_what_is_no_style_file_is_told(generator: DigitGenerator, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.style.json"
    path.write_bytes(content)
    with pytest.raises(StyleError, match=r"mine\.style\.json.* style learn --weights .* makes it$"):
        StyleControls.load(generator, path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("slope", 0),
        ("slope", float("nan")),
        ("spread", 0),
        ("spread", -1),
        ("low", 6),
        ("high", float("inf")),
        ("intercept", "zero"),
        ("intercept", [1, 2]),
    ],
)
def test_numbers_that_no_generator_gives_are_refused(
    generator: DigitGenerator, learned: dict[str, Any], column: str, value: object
) -> None:
    learned["shapes"]["slant"][column][3] = value
    with pytest.raises(StyleError, match=r"^this (is no style file|style file holds numbers)"):
        StyleControls(generator, learned)


def test_learning_finds_the_line_the_range_and_the_spread(
    generator: DigitGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where measuring gives half the estimate and a tenth more."""

    def half_and_a_tenth(pixels: np.ndarray) -> np.ndarray:
        return estimated_shapes(pixels / 255)[0] / 2 + 0.1

    generator = generator.variant(raw=True)  # whose pixels are what is estimated
    monkeypatch.setattr(style_module, "measured_shapes", half_and_a_tenth)
    controls = learned_controls(generator, samples=60)
    table = controls.learned["shapes"]
    seeds = range(3_000_000_000, 3_000_000_060)
    for digit in (0, 9):
        values = half_and_a_tenth(generator.digits(digit, seeds))
        for k, name in enumerate(STROKE_MEASURES):
            assert table[name]["slope"][digit] == pytest.approx(0.5, rel=0.05)
            assert table[name]["intercept"][digit] == pytest.approx(0.1, abs=0.25)
            assert table[name]["spread"][digit] == pytest.approx(values[:, k].std(), rel=1e-4)
            assert controls.ranges(digit)[name] == pytest.approx(
                np.percentile(values[:, k], (5, 95)), rel=1e-4
            )
    reread = StyleControls(generator, json.loads(bytes_from_controls(controls)))
    assert reread.learned == controls.learned


def test_what_cannot_be_learned_from_is_told(
    generator: DigitGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StyleError, match="49 samples"):
        learned_controls(generator, samples=49)
    monkeypatch.setattr(style_module, "measured_shapes", lambda pixels: np.full((len(pixels), 3), np.nan))
    with pytest.raises(StyleError, match="draw no ink for most 0s"):
        learned_controls(generator, samples=50)


# One hand


def test_a_hand_is_the_seeds_own_z_with_a_little_variation() -> None:
    z = latents_from_seeds([12])
    np.testing.assert_array_equal(hand_latents(12, [5, 5, 1], variation=0), np.repeat(z, 3, axis=0))
    hand = hand_latents(12, [5, 5, 1])
    assert not np.array_equal(hand[0], hand[1])
    assert np.corrcoef(hand[0], z[0])[0, 1] > 0.8
    np.testing.assert_array_equal(hand[:2], hand_latents(12, [5, 5]))  # a longer text begins as a shorter one


@pytest.mark.parametrize("variation", [0.0, 0.35, 1.0])
def test_a_hand_is_as_plausible_as_any_z(variation: float) -> None:
    z = np.concatenate([hand_latents(seed, [0, 1], variation=variation) for seed in range(300)])
    assert z.mean() == pytest.approx(0, abs=0.02)
    assert z.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-1, [1]), "seed -1"),
        ((0, [10]), "digit 10"),
        ((0, [1], 1.5), "variation"),
        ((0, [1], "a"), "variation"),
    ],
)
def test_a_hand_of_something_else_is_told(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hand_latents(*arguments[:2], **dict(zip(["variation"], arguments[2:], strict=False)))


def test_a_number_that_falls_out_of_line_is_brought_back(shipped: DigitGenerator) -> None:
    def apart(z: np.ndarray) -> tuple[float, float]:
        shapes = estimated_shapes((shipped.images(z, labels)[:, 0] + 1) / 2)[0]
        from_middle = np.abs(shapes - np.median(shapes, axis=0)).max(axis=0)
        return from_middle[0] / np.median(shapes[:, 0]), from_middle[1]

    labels = [*range(10)]
    before, after = [], []
    for seed in range(6):
        z = hand_latents(seed, labels)
        before.append(apart(z))
        after.append(apart(evened_latents(shipped, z, labels)))
    assert np.mean(before, axis=0) == pytest.approx((0.35, 0.3), abs=0.15)
    assert (np.mean(after, axis=0) < (0.27, 0.17)).all()


def test_a_one_is_not_made_wide_by_a_speck_beside_it(
    shipped: DigitGenerator, controls: StyleControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    z, labels = latents_from_seeds(range(600)), [1] * 600

    def tails(places: np.ndarray) -> np.ndarray:
        return estimated_tails((shipped.images(places, labels)[:, 0] + 1) / 2)[0]

    wide = Style(width=middle(controls, 1, "width", 0.99))

    def specked() -> float:
        return float((tails(controls.latents(z, labels, wide)) - tails(z) > 2).mean())

    assert specked() < 0.1
    monkeypatch.setattr("digit_generator.style._TAIL_WEIGHT", 0)
    assert specked() > 0.5, "else this test could not fail"


def test_a_1_with_a_speck_gets_narrow_by_losing_it(
    shipped: DigitGenerator, controls: StyleControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the speck would be held, and the 1 stay wide by it, just outside of the estimate's share of ink."""
    z = latents_from_seeds(range(3000))
    labels = np.full(len(z), 1)

    def tails(places: np.ndarray) -> np.ndarray:
        return estimated_tails((shipped.images(places, labels[: len(places)])[:, 0] + 1) / 2)[0]

    specked = z[tails(z) > 4]
    assert len(specked) >= 5

    def left() -> float:
        narrow = Style(width=middle(controls, 1, "width", 0.2))
        return float((tails(controls.latents(specked, labels[: len(specked)], narrow)) > 4).mean())

    assert left() < 0.2
    monkeypatch.setattr("digit_generator.style._LONGEST_TAIL", np.inf)
    assert left() > 0.5, "else this test could not fail"


def test_a_walk_that_finds_other_places_has_another_number(
    shipped: DigitGenerator, controls: StyleControls
) -> None:
    """Recipes name the walk by `_WALK`: where this fails with the same style file, count it up."""
    style = Style(thickness=2.5, slant=0.1)
    plain = shipped.variant(raw=True, every_z=True)
    drawn = [styled_digits(plain, digit, range(5), style, controls).tobytes() for digit in range(10)]
    found = style_module._WALK, hashlib.sha256(b"".join(drawn)).hexdigest()[:16]
    assert found == (3, "ffd21b25ea18a892")
