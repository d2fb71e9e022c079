from dataclasses import replace

import pytest
import torch

from digit_generator.evaluation import protocol
from digit_generator.evaluation.networks.classifier import (
    accuracy,
    digest_of_classifier,
    features_and_probabilities,
    images_from_pixels,
    load_classifier,
    new_classifier,
    save_classifier,
    training,
)
from digit_generator.evaluation.networks.judges import JUDGE_PATH, judge

QUICK = replace(protocol.SCOUT, epochs=2, batch=32)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batch_size_changes_nothing(draw, batch):
    pixels = draw(40, 0).pixels
    features, probabilities = features_and_probabilities(judge(), pixels)
    same_features, same_probabilities = features_and_probabilities(judge(), pixels, batch)
    assert same_features == pytest.approx(features, abs=1e-4)
    assert same_probabilities == pytest.approx(probabilities, abs=1e-5)


def test_shapes_and_ranges(draw):
    pixels = draw(10, 0).pixels
    images = images_from_pixels(pixels)
    assert images.shape == (10, 1, 28, 28)
    assert (images.min(), images.max()) == (0, 1)
    features, probabilities = features_and_probabilities(judge(), pixels)
    assert features.shape == (10, 128)
    assert features.min() >= 0
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["strided", "pooled"])
def test_training_is_the_same_each_time(draw, kind):
    setting = replace(QUICK, network=kind)
    networks = [new_classifier(setting) for _ in range(2)]
    before = digest_of_classifier(networks[0])
    for network in networks:
        assert list(training(network, draw(70, 1), setting)) == [1, 2]
    assert digest_of_classifier(networks[0]) == digest_of_classifier(networks[1]) != before


def test_just_trained_too_an_image_is_read_as_it_is_alone(draw):
    network = new_classifier(QUICK)
    list(training(network, draw(70, 1), QUICK))
    pixels = draw(20, 2).pixels
    _, together = features_and_probabilities(network, pixels)
    network.train()
    _, alone = features_and_probabilities(network, pixels, batch=1)
    assert alone == pytest.approx(together, abs=1e-5)


def test_training_learns(draw):
    network = new_classifier(QUICK)
    list(training(network, draw(500, 1), replace(QUICK, epochs=4)))
    assert accuracy(network, draw(100, 2)) > 0.8


def test_neither_training_nor_a_new_network_touches_the_global_rng(draw):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(training(new_classifier(QUICK), draw(40, 0), QUICK))
    assert torch.rand(1) == expected


def test_weights_survive_a_file(draw, tmp_path):
    network = new_classifier(QUICK)
    list(training(network, draw(40, 0), QUICK))
    save_classifier(network, tmp_path / "scout.safetensors")
    loaded = load_classifier(tmp_path / "scout.safetensors", QUICK)
    assert digest_of_classifier(loaded) == digest_of_classifier(network)
    assert [path.name for path in tmp_path.iterdir()] == ["scout.safetensors"]


def test_the_judge_is_light():
    assert JUDGE_PATH.stat().st_size < 1_000_000


def test_judge_and_scout_are_different_networks():
    assert protocol.JUDGE.network != protocol.SCOUT.network
    assert protocol.JUDGE.seed != protocol.SCOUT.seed


def test_judge_reads_drawn_digits(draw):
    assert accuracy(judge(), draw(500, 9)) > 0.98
