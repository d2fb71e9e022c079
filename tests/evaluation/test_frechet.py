import numpy as np
import pytest

from digit_generator.evaluation.measures.frechet import frechet_distance


def features_with(mean: list[float], covariance: list[list[float]], count: int = 400) -> np.ndarray:
    """Features whose sample mean and covariance are exactly these."""
    raw = np.random.RandomState(0).standard_normal((count, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white @ np.linalg.cholesky(np.array(covariance)).T + mean


def test_one_dimension_by_hand():
    # (3 - 0)^2 + (2 - 1)^2 for N(3, 2^2) against N(0, 1)
    assert frechet_distance(
        features_with([3, 0], [[4, 0], [0, 1]]), features_with([0, 0], [[1, 0], [0, 1]])
    ) == (pytest.approx(10))


def test_covariances_that_do_not_commute():
    # tr (A B)^(1/2) of two 2 x 2 matrices is sqrt(tr AB + 2 sqrt(det AB))
    a, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, -0.5], [-0.5, 4.0]])
    root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = np.trace(a) + np.trace(b) - 2 * root
    assert frechet_distance(features_with([0, 0], a), features_with([0, 0], b)) == pytest.approx(expected)


def test_identical_sets_have_none_and_order_does_not_matter():
    rng = np.random.RandomState(1)
    a, b = rng.standard_normal((300, 8)), rng.standard_normal((200, 8)) + 0.3
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a[::-1], b) == pytest.approx(frechet_distance(a, b))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_a_feature_that_never_varies_is_no_trouble():
    a = np.column_stack([np.random.RandomState(2).standard_normal(100), np.zeros(100)])
    assert frechet_distance(a, a + np.array([0, 2])) == pytest.approx(4)
