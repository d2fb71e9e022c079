import numpy as np
import pytest

from digit_generator.evaluation.measures.kernel import kernel_distance


def test_by_hand():
    # Kernel (xy + 1)^3. Within {0, 1}: k(0, 1) = 1; within {1, 2}: k(1, 2) = 27; between: (1 + 1 + 8 + 27) /
    # 4.
    fake, real = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert kernel_distance(fake, real) == pytest.approx(1 + 27 - 2 * 37 / 4)


def test_unbiased_at_any_size_as_frechet_is_not():
    rng = np.random.RandomState(0)
    draws = [kernel_distance(rng.standard_normal((40, 4)), rng.standard_normal((60, 4))) for _ in range(400)]
    assert abs(np.mean(draws)) < 4 * np.std(draws) / np.sqrt(len(draws))


def test_more_rows_than_fit_at_once():
    rng = np.random.RandomState(1)
    a, b = rng.standard_normal((1_003, 3)), rng.standard_normal((1_500, 3)) + 1
    kernel = lambda x, y: (x @ y.T / 3 + 1) ** 3  # noqa: E731
    within_a = kernel(a, a)[~np.eye(len(a), dtype=bool)].mean()
    within_b = kernel(b, b)[~np.eye(len(b), dtype=bool)].mean()
    assert kernel_distance(a, b) == pytest.approx(within_a + within_b - 2 * kernel(a, b).mean())
