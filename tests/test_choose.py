"""Which z a seed means: the first of its stream that the head accepts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from choices import make_choice_file
from safetensors.numpy import load, save

from digit_generator import DigitGenerator, finish, latents_from_seeds
from digit_generator.bulk import BulkGenerator
from digit_generator.choose import MAX_TRIES, NEATEST, Choice, ChoiceError, choice_path

LABELS, SEEDS = np.arange(300) % 10, list(range(7000, 7300))


def test_the_scores_by_hand(choosy: DigitGenerator) -> None:
    choice = choosy.choice
    assert choice is not None
    hidden = np.random.RandomState(0).standard_normal((3, 1024))
    for row, label, score in zip(hidden, (4, 0, 9), choice.scores(hidden, np.array([4, 0, 9])), strict=True):
        units = [
            weight @ row + shift
            for weight, shift in zip(choice.hidden_weight, choice.label_weight[label], strict=True)
        ]
        leaky = [unit if unit > 0 else 0.2 * unit for unit in units]
        assert score == pytest.approx(np.dot(leaky, choice.score_weight) + choice.score_bias)


def test_the_first_z_that_is_accepted_is_taken(choosy: DigitGenerator) -> None:
    choice = choosy.choice
    assert choice is not None
    z = choosy.latents(SEEDS, LABELS)
    tries = []
    for index, (seed, label) in enumerate(zip(SEEDS, LABELS, strict=True)):
        stream = np.random.RandomState(seed).standard_normal((MAX_TRIES, 100))
        hidden = choosy.hidden(stream, choosy.label_emb[[label] * MAX_TRIES])
        accepted = choice.scores(hidden, np.array([label] * MAX_TRIES)) > choice.digit_bound
        tries.append(int(accepted.argmax()))
        np.testing.assert_array_equal(z[index], stream[tries[-1]])
    assert 0.2 < np.mean(np.array(tries) > 0) < 0.45
    assert max(tries) > 1


def test_a_hand_is_accepted_for_all_ten_digits(choosy: DigitGenerator) -> None:
    choice = choosy.choice
    assert choice is not None
    numbers = [choosy.hand_number(seed) for seed in range(60)]
    assert {0, 1} < {*numbers}
    for seed, number in enumerate(numbers):
        for tried in range(number + 1):
            z = latents_from_seeds([seed], tried).repeat(10, axis=0)
            scores = choice.scores(choosy.hidden(z, choosy.label_emb), np.arange(10))
            assert (scores.min() > choice.hand_bound) == (tried == number)
        np.testing.assert_array_equal(choosy.hand_latent(seed), z[0])


def test_one_hand_writes_all_digits(choosy: DigitGenerator) -> None:
    z = choosy.hand_latent(8)[None].repeat(4, axis=0)
    expected = choosy.pixels(z, [2, 0, 2, 6], [8] * 4)
    np.testing.assert_array_equal(choosy.hand([2, 0, 2, 6], 8), expected)
    with pytest.raises(ValueError, match="digit 10 is not"):
        choosy.hand([10], 8)


def test_where_all_are_refused_the_first_is_drawn(choosy: DigitGenerator) -> None:
    none = choosy.variant()
    strict = DigitGenerator.load(none.path)
    assert strict.choice is not None
    strict.choice.digit_bound = 1e9
    strict.choice.hand_bound = 1e9
    np.testing.assert_array_equal(strict.latents([5, 6], [1, 2]), latents_from_seeds([5, 6]))
    np.testing.assert_array_equal(strict.hand_latent(5), latents_from_seeds([5])[0])
    np.testing.assert_array_equal(
        BulkGenerator(strict).latents([5, 6], np.array([1, 2])), latents_from_seeds([5, 6])
    )


def test_the_fast_way_chooses_the_same(choosy: DigitGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, seeds = np.arange(3000) % 10, list(range(3000))
    bulk = BulkGenerator(choosy)
    np.testing.assert_array_equal(bulk.latents(seeds, labels), choosy.latents(seeds, labels))
    np.testing.assert_array_equal(bulk.digits(labels, seeds), choosy.digits(labels.tolist(), seeds))


def test_neater_is_the_first_z_above_a_higher_bound(choosy: DigitGenerator) -> None:
    choice = choosy.choice
    assert choice is not None
    labels, seeds = LABELS[:40], SEEDS[:40]
    streams = [np.random.RandomState(seed).standard_normal((MAX_TRIES, 100)) for seed in seeds]
    scores = [
        choice.scores(
            choosy.hidden(stream, choosy.label_emb[[label] * MAX_TRIES]), np.array([label] * MAX_TRIES)
        )
        for stream, label in zip(streams, labels, strict=True)
    ]
    rejected = []
    for neat in range(NEATEST + 1):
        drawing = choosy.variant(neat=neat)
        assert drawing.neat == neat
        bound = choice.positions[neat]["digit_bound"]
        # argmax is 0 where all are rejected: then the first is drawn.
        expected = [stream[(score > bound).argmax()] for stream, score in zip(streams, scores, strict=True)]
        z = drawing.latents(seeds, labels)
        np.testing.assert_array_equal(z, expected)
        np.testing.assert_array_equal(BulkGenerator(drawing).latents(seeds, labels), z)
        rejected.append(sum(bool(score[0] <= bound) for score in scores))
    assert rejected == sorted(rejected)
    assert rejected[-1] > rejected[0]
    assert choosy.neat == choosy.variant(neat=3).variant().neat == 0
    assert choosy.variant(neat=2).choice_digest == choosy.choice_digest


def test_a_neater_hand_comes_no_earlier_in_its_stream(choosy: DigitGenerator) -> None:
    hands = [[choosy.variant(neat=neat).hand_number(seed) for seed in range(40)] for neat in (0, NEATEST)]
    assert all(strict >= loose for loose, strict in zip(*hands, strict=True))
    assert sum(hands[1]) > sum(hands[0])


def test_a_file_from_before_there_were_positions_chooses_as_it_did(
    generator: DigitGenerator, choosy: DigitGenerator
) -> None:
    old = Choice(make_choice_file(generator, positions=False), generator.digest)
    new = choosy.choice
    assert new is not None
    assert (old.digit_bound, old.hand_bound) == (new.digit_bound, new.hand_bound)
    assert len(old.positions) == 1
    assert old.at(0) is old
    with pytest.raises(ChoiceError, match="neat is 1, and the choice file has no positions: expected 0, or"):
        old.at(1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"neat": 5}, "neat is 5: expected a whole number from 0 to 4"),
        ({"neat": -1}, "neat is -1: expected"),
        ({"neat": 1.5}, "neat is 1.5: expected"),
        ({"neat": 2, "every_z": True}, "neat is 2, and every_z refuses no z: leave out one of them"),
    ],
)
def test_a_neat_that_there_is_not_is_told(choosy: DigitGenerator, asked: dict[str, int], words: str) -> None:
    with pytest.raises(ChoiceError, match=words):
        choosy.variant(**asked)  # type: ignore[arg-type]
    with pytest.raises(ChoiceError, match="these weights have no choice file"):
        choosy.variant(every_z=True).variant(neat=1)


def test_every_z_and_raw_are_variants(choosy: DigitGenerator) -> None:
    every, raw = choosy.variant(every_z=True), choosy.variant(raw=True)
    np.testing.assert_array_equal(every.latents(SEEDS, LABELS), latents_from_seeds(SEEDS))
    assert (every.choice_digest, raw.choice_digest) == ("", choosy.choice_digest)
    assert (every.finish_version, raw.finish_version) == (finish.VERSION, 0)
    assert every.layers is choosy.layers
    z = choosy.latents(SEEDS, LABELS)
    images = choosy.images(z, LABELS)
    np.testing.assert_array_equal(raw.digits(LABELS, SEEDS), np.rint((images[:, 0] + 1) * 127.5))
    loaded = DigitGenerator.load(choosy.path, raw=True, every_z=True)
    assert (loaded.raw, loaded.choice) == (True, None)


def test_a_choice_of_other_weights_is_left_alone(
    choosy: DigitGenerator, save_weights: object, tmp_path: Path
) -> None:
    assert callable(save_weights)
    assert choosy.path is not None
    path = save_weights(seed=5, folder=tmp_path)
    choice_path(path).write_bytes(choice_path(choosy.path).read_bytes())
    assert DigitGenerator.load(path).choice is None


def broken(data: bytes, case: str) -> bytes:
    arrays = load(data)
    length = int.from_bytes(data[:8], "little")
    record = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["choice"])
    match case:
        case "no file":
            return b"not a choice file"
        case "no record":
            return save(arrays)
        case "no bound":
            del record["neat"][2]["digit_bound"]
        case "two positions":
            del record["neat"][2:]
        case "no list of positions":
            record["neat"] = 5
        case "a bound that is infinite":
            record["neat"][3]["hand_bound"] = float("inf")
        case "another shape":
            arrays["label.weight"] = arrays["label.weight"][:9]
        case "not finite":
            arrays["score.bias"] = np.array([np.nan], np.float16)
    return save(arrays, {"choice": json.dumps(record)})


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no file", "it is no choice file"),
        ("no record", "it is no choice file"),
        ("no bound", "it is no choice file"),
        ("two positions", "it is no choice file of this program"),
        ("no list of positions", "it is no choice file"),
        ("a bound that is infinite", "it holds numbers that are not finite"),
        ("another shape", "it is no choice file of this program"),
        ("not finite", "numbers that are not finite"),
    ],
)
def test_what_is_no_choice_file_is_refused(
    choice_file: bytes, generator: DigitGenerator, case: str, words: str
) -> None:
    with pytest.raises(ChoiceError, match=words):
        Choice(broken(choice_file, case), generator.digest)
    with pytest.raises(ChoiceError, match="learned from other weights"):
        Choice(choice_file, "0" * 64)
