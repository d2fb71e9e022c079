import numpy as np
import pytest

from digit_generator.evaluation.measures.copying import copying


def grey(*levels: int) -> np.ndarray:
    return np.stack([np.full((28, 28), level, np.uint8) for level in levels])


def test_nearer_to_training_or_to_held_out():
    # 12 is nearer to 10 (training) than to 20; 19 to 20 (held out); 15 is as far from either: half.
    figures = copying(grey(12, 19, 15), grey(10), grey(20))
    assert figures["share"] == 0.5
    assert copying(grey(12, 19, 19, 19), grey(10), grey(20))["share"] == 0.25


def test_training_set_is_cut_into_blocks_of_the_held_out_sets_size():
    # 49 against {48, 90}: further from the block {0, 100}, as near to {50, 200}; the last 49 fills no block.
    figures = copying(grey(49), grey(0, 100, 50, 200, 49), grey(48, 90))
    assert (figures["share"], figures["blocks"], figures["images"]) == (0.25, 2, [1, 2])


def test_copies_and_innocence_at_the_ends():
    rng = np.random.RandomState(0)
    training, held_out = rng.randint(0, 256, (2, 1_100, 28, 28)).astype(np.uint8)
    assert copying(training, training, held_out)["share"] == 1
    assert copying(held_out, training, held_out)["share"] == 0
    assert copying(training[:3], training, held_out)["closest"][0][2] == 0


def test_closest_pairs_come_in_order_and_once_from_any_block():
    # Fakes 11 and 12 are both nearest to 10, 60 to 50; 30 is unlike everything.
    closest = copying(grey(30, 12, 60, 11), grey(50, 10), grey(0), pairs=3)["closest"]
    assert closest == [(3, 1, pytest.approx(1)), (2, 0, pytest.approx(10))]
