"""The choice is learned: what a head can foresee it refuses, and no more than it is told to."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from digit_generator import DigitGenerator
from digit_generator.choose import Choice, bytes_from_choice, choice_path
from digit_generator.evaluation import choice as choice_module
from digit_generator.evaluation import neat as neat_module
from digit_generator.evaluation.choice import are_misread, drawings, learned_head, main
from digit_generator.evaluation.data import Digits
from digit_generator.evaluation.networks.classifier import Classifier, new_classifier
from digit_generator.evaluation.networks.judges import judge

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shipped() -> DigitGenerator:
    return DigitGenerator.load(ROOT / "generator.pth", every_z=True)


@pytest.fixture(scope="module")
def usual(shipped: DigitGenerator) -> Digits:
    """In the place of real digits: drawn ones."""
    labels = np.arange(600) % 10
    return Digits(shipped.digits(labels, range(600)), labels)


def test_the_head_learns_what_the_hidden_layer_shows() -> None:
    rng = np.random.RandomState(0)
    hidden = (5 + 3 * rng.standard_normal((4000, 1024))).astype(np.float32)
    labels = np.arange(4000) % 10
    whole = hidden[:, 7] + 0.5 * labels > 5
    record = {"weights_sha256": "0" * 64, "digit_bound": 0.0, "hand_bound": 0.0}
    head = Choice(bytes_from_choice(learned_head(hidden, labels, whole), record), "0" * 64)
    scores = head.scores(hidden, labels)
    assert ((scores > 0) == whole).mean() > 0.9
    assert scores[whole].mean() > scores[~whole].mean() + 2


def test_what_teaches_are_finished_digits_of_every_z(shipped: DigitGenerator, usual: Digits) -> None:
    hidden, labels, broken, misread, too_many = drawings(shipped, usual, 30, [judge()])
    assert (hidden.shape, labels.tolist()) == ((300, 1024), [*range(10)] * 30)
    z = shipped.latents([choice_module.FIRST_SEED + 4] * 10, range(10))
    expected = shipped.hidden(z, shipped.label_emb)
    np.testing.assert_allclose(hidden[40:50], expected, rtol=1e-4, atol=1e-4)
    assert 0 < broken.mean() < 0.2
    assert 0 < misread.mean() < 0.05
    assert 0 < too_many.mean() < 0.3
    assert (too_many[broken] > 0).any()  # shapes that are hardly ever written


def test_misread_is_what_the_readers_together_take_for_another_digit(usual: Digits) -> None:
    def reader(sure: float) -> Classifier:
        """Says `sure` for 3, whatever it sees, and shares the rest among the others."""
        network = new_classifier(choice_module.READERS[0])
        logits = torch.full((10,), (1 - sure) / 9).log()
        logits[3] = np.log(sure)
        with torch.no_grad():
            network.head.weight.zero_()
            network.head.bias.copy_(logits)
        return network

    def told(*sure: float) -> list[bool]:
        return are_misread(usual.pixels[:10], usual.labels[:10], [reader(each) for each in sure]).tolist()

    all_but_3 = [digit != 3 for digit in range(10)]
    assert told(0.6) == told(0.9, 0.2) == all_but_3
    assert told(0.4) == told(0.6, 0.3) == [True] * 10


def test_the_command_writes_a_file_that_refuses_the_wanted_share(
    usual: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice_module, "mnist_from_folder", lambda *_: usual)
    monkeypatch.setattr(choice_module, "_READERS", (replace(choice_module.READERS[0], epochs=8, batch=32),))
    found, taught = [], []
    monkeypatch.setattr(choice_module, "drawings", lambda *words: found.append(drawings(*words)) or found[0])
    monkeypatch.setattr(
        choice_module, "learned_head", lambda *words: taught.append(words) or learned_head(*words)
    )
    path = Path(shutil.copy(ROOT / "generator.pth", tmp_path))
    monkeypatch.setattr(neat_module.protocol, "LEARNED_IMAGES", 400)
    options = ["--data-dir", str(tmp_path), "--seeds", "50", "--reject", "0.3", "--reject-hands", "0.4"]
    options += ["--images", "200"]
    result = CliRunner().invoke(main, [str(path), *options])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(choice_path(path))
    (_, _, broken, misread, too_many), (_, _, faultless) = *found, *taught
    assert (broken & ~misread).any()
    assert (misread & ~broken).any()
    np.testing.assert_array_equal(faultless == 0, broken | misread | (too_many == 1))
    np.testing.assert_array_equal(faultless[~broken & ~misread], 1 - too_many[~broken & ~misread])
    generator = DigitGenerator.load(path)
    assert generator.choice is not None
    assert generator.choice.record["refused"] == 0.3
    positions = generator.choice.positions
    assert [told["rejected"] for told in positions] == [0.3] * 5
    assert [told["hands_rejected"] for told in positions] == [0.4, 0.4, 0.5, 0.7, 0.85]
    # Digits are rejected equally often at all of them, so what was measured there is the same.
    assert {told["fid"] for told in positions} == {positions[0]["fid"]}
    assert positions[0]["fid"] > 0
    assert 0 < positions[0]["recall"] <= 1
    assert result.stdout.splitlines()[4].startswith("| 0 | 30% | 40% | ")
    first = choice_module.FIRST_SEED
    labels, seeds = [*range(10)] * 50, [first + i // 10 for i in range(500)]
    every = generator.variant(every_z=True)
    taken = (generator.latents(seeds, labels) == every.latents(seeds, labels)).all(axis=1)
    assert taken.mean() == pytest.approx(0.7, abs=0.005)
    hands = np.mean([generator.hand_number(first + i) == 0 for i in range(50)])
    assert hands == pytest.approx(0.6, abs=0.03)


def test_what_is_no_generator_is_told(tmp_path: Path) -> None:
    path = tmp_path / "generator.pth"
    path.write_bytes(b"nothing")
    result = CliRunner().invoke(main, [str(path), "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
