"""Weights are refined by what people see: chosen and finished digits, beside real ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from digit_generator import DigitGenerator
from digit_generator.evaluation import protocol
from digit_generator.evaluation import refine as refine_module
from digit_generator.evaluation.data import Digits
from digit_generator.evaluation.measures.broken_shapes import are_broken, counted_shapes, excess
from digit_generator.evaluation.measures.frechet import frechet_distance
from digit_generator.evaluation.networks.classifier import (
    features_and_probabilities,
    images_from_pixels,
    new_classifier,
)
from digit_generator.evaluation.networks.judges import taught
from digit_generator.evaluation.refine import (
    Compared,
    Crowding,
    Reader,
    Weights,
    fault_probability,
    main,
    seen,
)
from digit_generator.weights import arrays_from_file

ROOT = Path(__file__).parents[2]
QUICK = replace(refine_module.READERS[0], epochs=1, batch=64)


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays_from_file(ROOT / "generator.pth").items()}


def test_a_reader_measures_the_frechet_distance_of_all_digits_and_of_each(
    draw: Callable[[int, int], Digits],
) -> None:
    real, other = draw(3000, 1), draw(2000, 2)
    reader = Reader(new_classifier(protocol.SCOUT), real)
    features = [reader.features(images_from_pixels(d.pixels), d.labels).numpy() for d in (real, other)]
    assert features[0][:, :-10].var(axis=0).mean() == pytest.approx(1, rel=0.01)
    np.testing.assert_array_equal(features[1][:, -10:].argmax(axis=1), other.labels)

    # np.cov divides by N - 1, moments by N.
    of_all = frechet_distance(features[1], features[0])
    shares = np.bincount(real.labels, minlength=10) / len(real)
    of_each = [
        frechet_distance(
            *(side[d.labels == digit, :-10] for side, d in zip(features, (real, other), strict=True))
        )
        for digit in range(10)
    ]
    compared = Compared.of(torch.from_numpy(features[1]), torch.from_numpy(other.labels))
    assert reader.all.distance(compared.all).item() == pytest.approx(of_all, rel=0.02)
    np.testing.assert_allclose(reader.each.distance(compared.each), of_each, rtol=0.05)
    assert reader.distance(compared).item() == pytest.approx((of_all + shares @ of_each) / 2, rel=0.05)
    same = Compared(reader.all.moments, reader.each.moments)
    assert reader.distance(same).item() == pytest.approx(0, abs=1e-2)


def test_misread_is_what_the_network_takes_for_another_digit(draw: Callable[[int, int], Digits]) -> None:
    digits = draw(100, 2)
    network = new_classifier(protocol.SCOUT)
    reader = Reader(network, draw(300, 1))
    features = reader.features(images_from_pixels(digits.pixels), digits.labels)
    ours = reader.misread_probability(features, torch.from_numpy(digits.labels)).item()
    own = features_and_probabilities(network, digits.pixels)[1][np.arange(100), digits.labels]
    assert ours == pytest.approx(1 - own.mean(), rel=1e-4)
    assert ours == pytest.approx(0.9, abs=0.05)  # it has not learned to read


def test_the_weights_draw_as_the_generator_does(tensors: dict[str, torch.Tensor]) -> None:
    generator = DigitGenerator.load(ROOT / "generator.pth", every_z=True)
    labels = np.arange(10)
    z = generator.latents(range(10), labels)
    with torch.no_grad():
        ours = Weights(tensors).images(torch.from_numpy(z).float(), labels)
    np.testing.assert_allclose(ours, generator.images(z, labels), atol=1e-4)


def test_digits_are_seen_finished_and_the_gradient_passes_the_finish(
    tensors: dict[str, torch.Tensor],
) -> None:
    generator = DigitGenerator.load(ROOT / "generator.pth", every_z=True)
    labels, seeds = np.arange(10), np.arange(10)
    images = torch.from_numpy(generator.images(generator.latents(seeds.tolist(), labels), labels)).float()
    images.requires_grad_()
    finished = seen(images, labels, seeds)
    np.testing.assert_allclose(
        finished.detach()[:, 0] * 255, generator.digits(labels, seeds.tolist()), atol=1e-3
    )
    finished.sum().backward()
    np.testing.assert_allclose(images.grad, 0.5)  # from [-1, 1] to [0, 1], and nothing else


def test_a_fault_is_the_second_class() -> None:
    def network(images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[0.0, 3.0], [2.0, 0.0]])

    both = fault_probability(network, torch.zeros(2, 1, 28, 28))  # type: ignore[arg-type]
    assert both.item() == pytest.approx((1 / (1 + np.exp(-3)) + 1 / (1 + np.exp(2))) / 2)


def test_crowding_is_the_mean_log_density_of_earlier_digits_of_the_same_label() -> None:
    rng = np.random.RandomState(0)
    real = torch.from_numpy(rng.standard_normal((120, 5))).float()
    labels = np.arange(120) % 10
    crowding = Crowding(real, labels)
    fifth = [
        np.sort([np.linalg.norm(real[i] - real[j]) for j in range(120) if labels[j] == labels[i] and j != i])[
            4
        ]
        for i in range(120)
    ]
    variance = (0.25 * np.median(fifth)) ** 2
    assert crowding.variance == pytest.approx(variance, rel=1e-2)

    steps = [torch.from_numpy(rng.standard_normal((40, 5))).float() * 0.2 for _ in range(10)]
    digits = torch.arange(40) % 10
    for step in steps:
        crowding.remember(step, digits)
    remembered = torch.cat(steps[2:]).numpy()  # eight steps
    now = torch.from_numpy(rng.standard_normal((20, 5))).float() * 0.2
    expected = np.mean(
        [
            np.log(
                sum(
                    np.exp(-((one - other) ** 2).sum() / (2 * variance))
                    for other, label in zip(remembered, np.tile(digits, 8), strict=True)
                    if label == number % 10
                )
            )
            for number, one in enumerate(now.numpy().astype(float))
        ]
    )
    assert crowding.of(now, torch.arange(20) % 10).item() == pytest.approx(expected, rel=1e-3)


def test_less_crowding_moves_digits_apart() -> None:
    """Two clumps of digits: the gradient moves those of this step out of the clump of their label."""
    real = torch.from_numpy(np.random.RandomState(1).standard_normal((100, 2))).float()
    labels = np.arange(100) % 10
    crowding = Crowding(real, labels)
    crowding.remember(torch.zeros(50, 2), torch.arange(50) % 10)
    now = torch.tensor([[0.1, 0.0], [0.0, -0.1]], requires_grad=True)
    crowding.of(now, torch.tensor([0, 1])).backward()
    moved = now - 0.01 * now.grad
    assert (moved.norm(dim=1) > now.norm(dim=1)).all()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, draw: Callable[[int, int], Digits]) -> Digits:
    """A refinement of seconds, towards digits drawn with strokes."""
    real = draw(600, 3)
    monkeypatch.setattr(refine_module, "READERS", (QUICK,))
    monkeypatch.setattr(refine_module, "FAULTS", QUICK)
    monkeypatch.setattr(refine_module, "DRAWN", 200)
    monkeypatch.setattr(refine_module, "_BATCH", 100)
    monkeypatch.setattr(refine_module, "_RATE", 1e-4)
    monkeypatch.setattr(refine_module, "mnist_from_folder", lambda *_: real)
    return real


def test_broken_shapes_are_shown_as_faults_and_so_are_those_that_come_too_often(small: Digits) -> None:
    generator = DigitGenerator.load(ROOT / "generator.pth")
    shown = refine_module._shown_faults(generator, small)
    real, drawn = shown[: len(small)], shown[len(small) :]
    np.testing.assert_array_equal(real.pixels, small.pixels)
    labels = np.tile(np.arange(10), len(drawn) // 10)
    counted = (counted_shapes(small.pixels), small.labels)
    broken = are_broken(counted_shapes(drawn.pixels), labels, *counted)
    too_many = excess(counted_shapes(drawn.pixels), labels, *counted)
    assert drawn.labels[broken].all()
    expected = too_many[~broken]
    assert 0 < drawn.labels[~broken].sum() < len(expected)
    assert abs(drawn.labels[~broken].sum() - expected.sum()) < 4 * np.sqrt((expected * (1 - expected)).sum())
    assert real.labels.mean() < 0.05


def test_refined_digits_are_nearer_to_the_real_ones(small: Digits, tensors: dict[str, torch.Tensor]) -> None:
    generator = DigitGenerator.load(ROOT / "generator.pth")
    reader = Reader(new_classifier(protocol.SCOUT), small)  # has no part in it

    def distance(weights: Weights) -> float:
        labels = np.tile(np.arange(10), 60)
        z = torch.from_numpy(generator.latents(range(600), labels)).float()
        with torch.no_grad():
            images = seen(weights.images(z, labels), labels, np.arange(600))
            features = reader.features(images, labels)
            return reader.distance(Compared.of(features, torch.from_numpy(labels))).item()

    refined = refine_module.refined(generator, tensors, small, steps=40)
    assert distance(refined) < 0.97 * distance(Weights(tensors))


def test_the_more_misread_digits_weigh_the_fewer_there_are(
    small: Digits, tensors: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = DigitGenerator.load(ROOT / "generator.pth")
    learned = replace(QUICK, epochs=4, batch=32)
    monkeypatch.setattr(refine_module, "READERS", (learned,))
    reader = Reader(taught(learned, small), small)
    labels = np.tile(np.arange(10), 60)
    z = torch.from_numpy(generator.latents(range(600), labels)).float()

    def misread(weight: float) -> float:
        monkeypatch.setattr(refine_module, "_MISREAD_WEIGHT", weight)
        weights = refine_module.refined(generator, tensors, small, steps=40)
        with torch.no_grad():
            features = reader.features(seen(weights.images(z, labels), labels, np.arange(600)), labels)
            return reader.misread_probability(features, torch.from_numpy(labels)).item()

    assert misread(300) < 0.95 * misread(0)


def test_the_command_writes_weights_and_where_they_come_from(small: Digits, tmp_path: Path) -> None:
    for name in ("generator.pth", "generator.json", "generator.choice.safetensors"):
        shutil.copy(ROOT / name, tmp_path)
    told = json.loads((tmp_path / "generator.json").read_text())
    told.pop("refined", None)
    (tmp_path / "generator.json").write_text(json.dumps(told))
    arguments = ["--data-dir", "unused", "--steps", "2", "--out"]

    done = CliRunner().invoke(main, [str(tmp_path / "generator.pth"), *arguments, str(tmp_path / "new.pth")])
    assert done.exit_code == 0, done.output
    before, after = (arrays_from_file(tmp_path / name) for name in ("generator.pth", "new.pth"))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert "model.0.weight" in changed
    assert changed <= {name for name in before if "running" not in name and "num_batches" not in name}
    record = json.loads((tmp_path / "new.json").read_text())
    assert record["refined"]["from_sha256"] == told["weights_sha256"]
    assert record["weights_sha256"] == DigitGenerator.load(tmp_path / "new.pth").digest
    assert record["seed"] == told["seed"]
    assert "quality" not in record

    (tmp_path / "new.json").rename(tmp_path / "generator.json")
    shutil.move(tmp_path / "new.pth", tmp_path / "generator.pth")
    again = CliRunner().invoke(main, [str(tmp_path / "generator.pth"), *arguments, str(tmp_path / "x.pth")])
    assert again.exit_code == 2
    assert "refined already" in again.output
    assert not (tmp_path / "x.pth").exists()
