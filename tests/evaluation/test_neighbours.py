import numpy as np
import pytest

from digit_generator.evaluation.measures.neighbours import neighbour_measures


def test_by_hand():
    # k = 1. Radii of the real 0, 1, 10, 12: 1, 1, 2, 2. Of the fake 0.5, 11, 30, 31.5: 10.5, 10.5, 1.5, 1.5.
    # 0.5 lies in the balls of 0 and 1, 11 in those of 10 and 12, the other two in none; every real ball holds
    # a fake; every real point lies in the ball of 0.5 or of 11.
    real = np.array([[0.0], [1.0], [10.0], [12.0]])
    fake = np.array([[0.5], [11.0], [30.0], [31.5]])
    measured = neighbour_measures(fake, real, 1)
    assert measured == {"precision": 0.5, "recall": 1.0, "density": 1.0, "coverage": 1.0}


def test_as_defined_written_out():
    rng = np.random.RandomState(0)
    k, fake, real = 3, rng.standard_normal((1_200, 2)) * 0.7, rng.standard_normal((1_100, 2))
    distance = np.linalg.norm(fake[:, None] - real[None], axis=2)
    radius = [np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)[:, k] for x in (fake, real)]
    expected = {
        "precision": (distance < radius[1][None]).any(axis=1).mean(),
        "recall": (distance < radius[0][:, None]).any(axis=0).mean(),
        "density": (distance < radius[1][None]).sum(axis=1).mean() / k,
        "coverage": (distance.min(axis=0) < radius[1]).mean(),
    }
    assert neighbour_measures(fake, real, k) == pytest.approx(expected)
    assert expected["recall"] < expected["precision"]  # the fakes are the narrower set


def test_same_distribution_has_the_coverage_that_theory_says():
    # For equal sizes about 1 - 2^-k (Naeem et al. 2020, section 3.3)
    rng = np.random.RandomState(1)
    coverage = [
        neighbour_measures(rng.standard_normal((500, 5)), rng.standard_normal((500, 5)), 5)["coverage"]
        for _ in range(10)
    ]
    assert np.mean(coverage) == pytest.approx(1 - 2**-5, abs=0.01)


def test_far_from_each_other_nothing_is_shared():
    rng = np.random.RandomState(2)
    measured = neighbour_measures(rng.standard_normal((50, 3)) + 100, rng.standard_normal((60, 3)), 5)
    assert set(measured.values()) == {0.0}
