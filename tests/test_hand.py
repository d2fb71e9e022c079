"""A person's hand: found from digits, kept in files and texts, and drawn in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from digit_generator import DigitGenerator, api
from digit_generator.bulk import BulkGenerator
from digit_generator.cli import run
from digit_generator.dataset import write_dataset
from digit_generator.generate import latents_from_seeds, pixels_from_images
from digit_generator.hand import (
    LIKE,
    NEAR,
    Found,
    Hand,
    HandError,
    costs_of_digits,
    hand_from_digits,
    read_digits,
    too_far,
    unlike,
)
from digit_generator.morph import morph
from digit_generator.number import write_number
from digit_generator.recipe import Recipe, RecipeError
from digit_generator.render import png_from_pixels, recipe_text_from_png

Z = np.arange(-50, 50) / 32


@pytest.fixture(scope="module")
def ours() -> DigitGenerator:
    """The weights that ship: what is found in random weights says nothing."""
    return DigitGenerator.load()


@pytest.fixture(scope="module")
def drawn(ours: DigitGenerator) -> np.ndarray:
    """A 7 of a hand that the bank of starts does not hold, uint8 [1, 28, 28], the network's own pixels."""
    return pixels_from_images(ours.images(latents_from_seeds([5]), [7]))


def test_a_digit_is_drawn_again_and_the_other_nine_come_in_the_same_hand(
    ours: DigitGenerator, drawn: np.ndarray
) -> None:
    shares: list[float] = []
    found = hand_from_digits(ours, drawn, [7], shares.append)
    assert found.distances[0] < 0.1
    assert not too_far(found, costs_of_digits(ours, drawn)).any()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert found.hand == hand_from_digits(ours, drawn, 7).hand
    np.testing.assert_array_equal(found.images, ours.images(found.hand.z[None], [7]))
    # Real digits are the prior's: nothing is made of a checkerboard.
    board = (np.indices((28, 28)).sum(axis=0) % 8 < 4).astype(np.uint8)[None] * 255
    assert hand_from_digits(ours, board, 7).distances[0] > NEAR
    as_cheapest = hand_from_digits(ours, board, read_digits(ours, board))
    assert too_far(as_cheapest, costs_of_digits(ours, board)).all(), "it is no digit at all"


def test_several_digits_find_the_hand_better(ours: DigitGenerator) -> None:
    z = latents_from_seeds([5])
    pixels = pixels_from_images(ours.images(z.repeat(3, axis=0), [7, 2, 9]))
    off = [
        float(np.abs(hand_from_digits(ours, pixels[:count], [7, 2, 9][:count]).hand.z - z).mean())
        for count in (1, 3)
    ]
    assert off[1] < off[0]


def test_the_digit_is_read_by_what_fits_best(ours: DigitGenerator) -> None:
    labels = [*range(10)]
    pixels = ours.digits(labels, range(100, 110))
    assert read_digits(ours, pixels) == labels


def test_a_digit_that_is_said_to_be_another_is_told(ours: DigitGenerator) -> None:
    labels = np.arange(10)
    costs = costs_of_digits(ours, ours.digits(labels, range(200, 210)))
    assert not unlike(costs, labels).any()
    told = [unlike(costs, (labels + more) % 10).mean() for more in range(1, 10)]
    assert np.mean(told) > 0.95


def test_another_digit_is_one_that_costs_less_by_far() -> None:
    """By hand: 3 times, LIKE times and a little more than that what the best other digit costs; inf."""
    costs = np.full((4, 10), np.inf)
    costs[:, 2] = 10
    costs[:, 7] = [30, 10 * LIKE, 10.1 * LIKE, 5]
    np.testing.assert_array_equal(unlike(costs, [7, 7, 7, 7]), [True, False, True, False])
    np.testing.assert_array_equal(unlike(costs, [2, 2, 2, 2]), [False, False, False, True])
    np.testing.assert_array_equal(unlike(costs, [5, 5, 5, 5]), [True] * 4)


def test_what_no_digit_is_near_to_is_too_far_whatever_it_costs(ours: DigitGenerator) -> None:
    costs = np.full((2, 10), 100.0)
    costs[:, 7] = 10
    hand = Hand(np.zeros(100), ours.digest)
    found = Found(hand, np.array([7, 7]), np.zeros((2, 1, 28, 28)), np.array([0.9 * NEAR, 1.1 * NEAR]))
    np.testing.assert_array_equal(too_far(found, costs), [False, True])


def test_what_no_hand_can_be_found_in(generator: DigitGenerator) -> None:
    one = np.full((1, 28, 28), 9, np.uint8)
    for pixels, labels, told in (
        (one[:0], [], "0 digits came"),
        (one.repeat(41, axis=0), 3, "41 digits came"),
        (0 * one, 3, "digit 1 of 1 is empty"),
    ):
        with pytest.raises(HandError, match=told):
            hand_from_digits(generator, pixels, labels)
    with pytest.raises(ValueError, match="not a whole number from 0 to 9"):
        hand_from_digits(generator, one, 10)


def test_directions_of_z_change_the_images_as_differences_do(generator: DigitGenerator) -> None:
    z, labels = latents_from_seeds([1, 2]), [3, 8]
    images, push = generator.images_and_pushforward(z, labels)
    np.testing.assert_array_equal(images, generator.images(z, labels))
    directions = latents_from_seeds([3, 4, 5])
    changes = push(directions)
    assert changes.shape == (2, 3, 28, 28)
    for k, direction in enumerate(directions):
        further = generator.images(z + 1e-6 * direction, labels)[:, 0]
        np.testing.assert_allclose(changes[:, k], (further - images[:, 0]) / 1e-6, atol=2e-4)
    # The pullback is its mirror image: <push(d), g> = <d, pull(g)>.
    _, pull = generator.images_and_pullback(z, labels)
    gradients = np.random.RandomState(0).standard_normal((2, 1, 28, 28))
    np.testing.assert_allclose(
        (changes * gradients).sum(axis=(2, 3)), (pull(gradients) * directions).sum(axis=2), rtol=1e-9
    )


def test_a_hand_comes_back_from_its_file_and_its_text(generator: DigitGenerator, tmp_path: Path) -> None:
    hand = Hand(Z, generator.digest)
    path = tmp_path / "my.hand"
    path.write_bytes(hand.to_bytes())
    for back in (Hand.load(path), Hand.from_text(hand.text)):
        assert back == hand
        assert back.name == hand.name == json.loads(path.read_bytes())["name"]
        np.testing.assert_array_equal(back.z, Z)
    assert len(hand.text) == 143
    assert Hand(Z[::-1], generator.digest).name != hand.name
    with pytest.raises(ValueError, match="read-only"):
        hand.z[0] = 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"format": 2, "weights_sha256": "00000000", "z": []}',
        b'{"format": 1, "weights_sha256": "00000000", "z": [0]}',
        b'{"format": 1, "weights_sha256": "00000000", "z": [' + b"0.01, " * 99 + b"0]}",
        b'{"format": 1, "weights_sha256": "00000000", "z": [' + b"5, " * 99 + b"0]}",
        b'{"format": 1, "weights_sha256": "00000000", "z": [' + b"true, " * 99 + b"0]}",
        b'{"format": 1, "weights_sha256": "0", "z": [' + b"0, " * 99 + b"0]}",
        b" " * 20_000,
    ],
)
def test_what_is_no_hand_file(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "my.hand").write_bytes(data)
    with pytest.raises(HandError, match=r"my\.hand cannot be used: it is no hand file"):
        Hand.load(tmp_path / "my.hand")


def test_what_is_no_text_of_a_hand(generator: DigitGenerator) -> None:
    text = Hand(Z, generator.digest).text
    for other in ("", text[:-1], text + "A", text.replace(".", ":"), f"{text[:-1]}{chr(ord(text[-1]) + 1)}"):
        with pytest.raises(HandError, match="is no hand"):
            Hand.from_text(other)


def test_a_hand_of_other_weights_is_refused(generator: DigitGenerator) -> None:
    with pytest.raises(HandError, match="is for the weights 01234567, and these are"):
        generator.variant(in_hand=Hand(Z, "01234567"))


def test_everything_is_drawn_in_the_hand(choosy: DigitGenerator) -> None:
    hand = Hand(Z, choosy.digest)
    same, varied = (choosy.variant(in_hand=replace(hand, variation=share)) for share in (0.0, 0.35))
    np.testing.assert_array_equal(same.latents([4, 5], [7, 7]), [Z, Z])
    np.testing.assert_array_equal(same.hand_latent(4), Z)
    z = varied.latents([4, 5], [7, 7])
    assert not np.array_equal(z[0], z[1])
    # What the choice accepts is the hand with a later z of the seed's stream.
    own = (z - np.sqrt(1 - 0.35**2) * Z) / 0.35
    for row, seed in zip(own, (4, 5), strict=True):
        stream = np.random.RandomState(seed).standard_normal((64, 100))
        assert np.isclose(stream, row).all(axis=1).any()
    np.testing.assert_array_equal(
        BulkGenerator(varied).digits(np.array([7, 3]), [4, 5]), varied.digits([7, 3], [4, 5])
    )
    assert choosy.variant().in_hand is None
    np.testing.assert_array_equal(same.hand([1, 2], 0), choosy.pixels(np.array([Z, Z]), [1, 2], [0, 0]))


def test_a_number_a_set_and_a_morph_in_a_hand(choosy: DigitGenerator, tmp_path: Path) -> None:
    hand = Hand(Z, choosy.digest)
    drawing = choosy.variant(in_hand=hand)
    other = choosy.variant(in_hand=Hand(-Z, choosy.digest))
    assert not np.array_equal(write_number(drawing, "77", 3).picture, write_number(other, "77", 3).picture)
    manifest = write_dataset(tmp_path / "set", drawing, 30, format="npz", seed=3)
    assert (manifest["hand"], manifest["variation"]) == (hand.text, hand.variation)
    assert "hand" not in write_dataset(tmp_path / "other", choosy, 30, format="npz", seed=3)
    frames = morph(drawing, [(7, None), (7, 42)], frames_between=1)
    own = choosy.pixels(Z[None], [7], [0], in_box=False)
    np.testing.assert_array_equal(frames[0], own[0])
    stranger = choosy.pixels(choosy.latents([42], [7]), [7], [0], in_box=False)
    np.testing.assert_array_equal(frames[-1], stranger[0])
    with pytest.raises(ValueError, match="expected one, or a generator that draws in a person's hand"):
        morph(choosy, [(7, None), (7, 42)])


def test_recipes_know_the_hand() -> None:
    text = Hand(Z, "ab" * 32).text
    for recipe in (
        Recipe("ab" * 32, digit=7, hand=text, variation=0.35),
        Recipe("ab" * 32, text="20", hand=text),
        Recipe("ab" * 32, stops=((7, None), (7, 42)), hand=text),
    ):
        assert Recipe.from_text(recipe.to_text()) == recipe
        assert recipe.described()["hand"] == text
    assert "hand" not in Recipe("ab" * 32, digit=7).to_text()
    for wrong in ({"hand": "x"}, {"variation": 0.3}, {"hand": text, "variation": 2}):
        with pytest.raises(RecipeError):
            Recipe("ab" * 32, digit=7, **wrong)
    with pytest.raises(RecipeError):
        Recipe("ab" * 32, stops=((7, None), (7, 42)))


def test_the_api_draws_in_a_hand(ours: DigitGenerator) -> None:
    client = TestClient(api.app)
    text = Hand(Z, ours.digest).text
    answer = client.get(f"/digits/7.png?seed=3&hand={text}&variation=0.2")
    told = Recipe.from_text(recipe_text_from_png(answer.content) or "")
    assert (told.hand, told.variation) == (text, 0.2)
    drawing = ours.variant(in_hand=Hand(Z, ours.digest, 0.2))
    assert client.get(f"/digits/7.json?seed=3&hand={text}&variation=0.2").json()["pixels"] == (
        drawing.digits(7, [3]).tolist()
    )
    assert answer.headers["ETag"] != client.get("/digits/7.png?seed=3").headers["ETag"]
    url = client.get(f"/recipe?digit=7&seed=3&hand={text}&variation=0.2").json()["url"]
    assert client.get(url).content == answer.content
    number = client.get(f"/numbers/20.png?hand={text}")
    assert Recipe.from_text(recipe_text_from_png(number.content) or "").hand == text
    for asked, status, sentence in (
        (f"hand={Hand(Z, '01234567').text}", 409, "is for the weights 01234567"),
        (f"hand={text[:-1]}{chr(ord(text[-1]) + 1)}", 422, "expected the 143 characters of a hand"),
        ("hand=x", 422, "expected the 143 characters of a hand"),
        (f"hand={text}&variation=2", 422, "expected a number from 0 to 1"),
    ):
        answer = client.get(f"/digits/7.png?{asked}")
        assert answer.status_code == status
        assert sentence in answer.json()["detail"]


@pytest.fixture
def hand_file(ours: DigitGenerator, drawn: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "my.hand"
    path.write_bytes(hand_from_digits(ours, drawn, 7).hand.to_bytes())
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "4", "--count", "1"],
        ["generate", "4", "--count", "1", "--variation", "0"],
        ["number", "20"],
        ["morph", "7:hand", "7:42", "--frames", "1", "--format", "strip"],
    ],
)
def test_commands_draw_in_a_hand_and_their_recipes_draw_the_same(
    words: list[str], hand_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--hand", str(hand_file), "--out", str(tmp_path / "a")]) == 0
    (picture,) = (tmp_path / "a").glob("*.png")
    assert f"_hand_{Hand.load(hand_file).name}" in picture.name
    told = Recipe.from_text(recipe_text_from_png(picture.read_bytes()) or "")
    command, *rest = told.arguments()
    assert run([command, "--out", str(tmp_path / "b"), *rest]) == 0
    assert (tmp_path / "b" / picture.name).read_bytes() == picture.read_bytes()
    capsys.readouterr()
    assert run(["recipe", str(picture)]) == 0
    assert f"hand: {Hand.load(hand_file).text}" in capsys.readouterr().out


def test_the_command_finds_a_hand_in_a_picture(
    drawn: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "my.hand"
    photo.write_bytes(png_from_pixels(drawn[0], scale=8))
    assert run(["hand", str(photo), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.split() == [str(out), str(tmp_path / "my.png")]
    assert "Read as 7" in told.err
    found = Hand.load(out)
    assert run(["hand", str(photo), "--digits", "7", "--out", str(out)]) == 0
    assert Hand.load(out) == found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["hand", "photo.png", "--digits", "72"], "--digits names 2, and in photo.png there are 1"),
        (["hand", "photo.png", "--digits", "x"], "'x' is not digits in a row"),
        (["hand", "photo.png", "--out", "photo.hand"], "photo.png is the picture itself"),
        (["hand", "none.png"], "none.png cannot be read"),
        (["generate", "7", "--hand", "photo.png"], "photo.png cannot be used: it is no hand file"),
        (["generate", "7", "--hand", "none.hand"], "none.hand cannot be read"),
        (["generate", "7", "--variation", "0.1"], "--variation is of a hand"),
        (["generate", "7", "--hand", "other.hand"], "is for the weights 01234567"),
        (["generate", "7", "--hand", "other.hand", "--placeholder"], "--hand is about the model"),
        (["generate", "7", "--hand", "other.hand", "--variation", "2"], "not a number from 0 to 1"),
        (["morph", "7:hand", "8"], "go together"),
        (["morph", "7", "8", "--hand", "other.hand"], "go together"),
    ],
)
def test_mistakes_are_told(
    words: list[str],
    told: str,
    drawn: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(png_from_pixels(drawn[0], scale=8))
    Path("other.hand").write_bytes(Hand(Z, "01234567").to_bytes())
    assert run(words) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
