"""An image depends on (weights, digit, seed) alone, and is the one that PyTorch computes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from digit_generator import (
    DigitGenerator,
    WeightsError,
    generate,
    images_from_pixels,
    latents_from_seeds,
    pixels_from_images,
)
from digit_generator.weights import TENSOR_SHAPES, arrays_from_file, digest_of_file

REPOSITORY = Path(__file__).resolve().parent.parent

whole_seeds = st.integers(0, 2**32 - 1)


# z


@given(st.lists(whole_seeds, max_size=5))
def test_z_is_the_stream_of_random_state(seeds: list[int]) -> None:
    z = latents_from_seeds(seeds)
    assert z.dtype == np.float64
    assert z.shape == (len(seeds), 100)
    for row, seed in zip(z, seeds, strict=True):
        np.testing.assert_array_equal(row, np.random.RandomState(seed).standard_normal(100))


def test_z_is_what_it_was_when_the_stream_was_frozen() -> None:
    np.testing.assert_allclose(
        latents_from_seeds([0, 2**32 - 1])[:, :3],
        [
            [1.764052345967664, 0.4001572083672233, 0.9787379841057392],
            [0.6484086742306527, 0.6693235306338161, -1.0805437227474493],
        ],
        rtol=1e-7,
    )


def test_threads_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(np.random.RandomState):
        """Gives way to the other threads between seeding and drawing."""

        def seed(self, seed: int) -> None:
            super().seed(seed)
            time.sleep(0.002)

    expected = latents_from_seeds(range(40))
    monkeypatch.setattr(np.random, "RandomState", Slow)
    monkeypatch.setattr(generate, "_local", type(generate._local)())  # as before the first drawing
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda first: latents_from_seeds(range(first, first + 10)), range(0, 40, 10))
        np.testing.assert_array_equal(np.concatenate([*parts]), expected)


# What is not drawn


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ([-1], "seed -1 is not a whole number from 0 to 4294967295"),
        ([0, 2**32], "seed 4294967296 is not a whole number"),
        ([1.0], "seed 1.0 is not"),
        ([True], "seed True is not"),
        ([np.bool_(True)], "is not a whole number"),
        (["1"], "seed '1' is not"),
        ([None], "seed None is not"),
        ([float("nan")], "seed nan is not"),
        (np.zeros((2, 2), int), "is not a whole number"),
        (5, "seeds is 5: expected one seed per image, such as range"),
        (None, "seeds is None"),
    ],
)
def test_other_seeds_are_refused(generator: DigitGenerator, seeds: Any, words: str) -> None:
    for draw in (latents_from_seeds, lambda seeds: generator.digits(7, seeds)):
        with pytest.raises(ValueError, match=words):
            draw(seeds)


@pytest.mark.parametrize(
    ("digit", "words"),
    [
        (-1, "digit -1 is not a whole number from 0 to 9"),
        (10, "digit 10 is not"),
        (7.0, "digit is 7.0: expected 0 to 9"),
        (True, "digit True is not"),
        ("7", "digit '7' is not"),
        (None, "digit is None"),
        ([1, 10, 2], "digit 10 is not"),
        ([1, 2.0, 3], "digit 2.0 is not"),
        ([1, 2], "2 digits came for 3 seeds: expected one digit, or one per seed"),
        ([], "0 digits came for 3 seeds"),
    ],
)
def test_other_digits_are_refused(generator: DigitGenerator, digit: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        generator.digits(digit, range(3))
    with pytest.raises(ValueError, match=words):
        generator.images(np.zeros((3, 100)), digit)


def test_a_bad_digit_is_refused_even_where_nothing_is_to_draw(generator: DigitGenerator) -> None:
    with pytest.raises(ValueError, match="digit 10 is not"):
        generator.digits(10, [])
    assert generator.digits(7, []).shape == (0, 28, 28)


@pytest.mark.parametrize(
    "z",
    [
        np.zeros(100),
        np.zeros((1, 99)),
        np.zeros((1, 1, 100)),
        np.full((1, 100), np.nan),
        np.full((1, 100), np.inf),
    ],
)
def test_another_z_is_refused(generator: DigitGenerator, z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected finite numbers of shape"):
        generator.images(z, [7] * len(z))


def test_numpy_and_python_numbers_mean_the_same(generator: DigitGenerator) -> None:
    expected = generator.digits([1, 2, 3], [5, 6, 7])
    for kind in (np.uint8, np.int32, np.uint32, np.int64):
        np.testing.assert_array_equal(
            generator.digits(np.array([1, 2, 3], kind), np.array([5, 6, 7], kind)), expected
        )
    np.testing.assert_array_equal(generator.digits((1, 2, 3), range(5, 8)), expected)
    np.testing.assert_array_equal(generator.digits(np.int64(2), [6]), expected[1:2])


# images <-> pixels


def test_all_256_values_come_back() -> None:
    pixels = np.resize(np.arange(256, dtype=np.uint8), (2, 28, 28))
    images = images_from_pixels(pixels)
    assert images.shape == (2, 1, 28, 28)
    assert images.dtype == np.float64
    assert (images.min(), images.max()) == (-1, 1)
    for dtype in (np.float64, np.float32):
        back = pixels_from_images(images.astype(dtype))
        assert back.dtype == np.uint8
        np.testing.assert_array_equal(back, pixels)


def test_images_are_rounded_to_the_nearest_grey() -> None:
    # 127.5 (x + 1): 0.2 -> 153.0; 0.201 -> 153.1275; 0.205 -> 153.6375.
    images = np.full((1, 1, 28, 28), -1.0)
    images[0, 0, 0, :3] = 0.2, 0.201, 0.205
    assert pixels_from_images(images)[0, 0, :4].tolist() == [153, 153, 154, 0]


@pytest.mark.parametrize("value", [1.0000001, -1.1, 255, np.nan, np.inf])
def test_images_outside_the_range_are_refused(value: float) -> None:
    images = np.zeros((1, 1, 28, 28))
    images[0, 0, 3, 3] = value
    with pytest.raises(ValueError, match="outside"):
        pixels_from_images(images)


def test_other_shapes_are_refused() -> None:
    for shape in ((28, 28), (1, 28, 28), (1, 3, 28, 28), (1, 1, 27, 28)):
        with pytest.raises(ValueError, match="expected"):
            pixels_from_images(np.zeros(shape))
    for pixels in (np.zeros((28, 28), np.uint8), np.zeros((1, 1, 28, 28), np.uint8), np.zeros((1, 28, 28))):
        with pytest.raises(ValueError, match="expected"):
            images_from_pixels(pixels)


# The network


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_pixels_are_those_of_pytorch(
    save_weights: Callable[..., Path], make_network: Callable[[int], torch.nn.Module], dtype: str
) -> None:
    path = save_weights(dtype, seed=3)
    network = make_network(0)
    network.load_state_dict(torch.load(path, weights_only=True))
    seeds, digits = range(1000, 2000), [i % 10 for i in range(1000)]
    z = torch.from_numpy(np.stack([np.random.RandomState(seed).standard_normal(100) for seed in seeds]))
    pixels = DigitGenerator.load(path, raw=True).digits(digits, seeds).astype(int)
    with torch.no_grad():
        for precision, apart in ((torch.float32, 1), (torch.float64, 0)):
            images = network.to(precision)(z.to(precision), torch.tensor(digits))
            expected = np.rint((images[:, 0].double().numpy() + 1) * 127.5).astype(int)
            assert np.abs(pixels - expected).max() <= apart
            assert (pixels != expected).mean() < 0.001
    assert pixels.min() < 20
    assert pixels.max() > 235


def test_a_network_worked_out_by_hand() -> None:
    arrays = {name: np.zeros(shape) for name, shape in TENSOR_SHAPES.items() if shape}
    for index in (2, 5, 8):
        arrays[f"model.{index}.weight"] += 1
        arrays[f"model.{index}.running_var"] += 1 - 1e-5
    # Unit 0 sees z[0], unit 1 the digit's number 0.
    arrays["label_emb.weight"][:, 0] = np.arange(10)
    arrays["model.0.weight"][0, 0] = 1
    arrays["model.0.weight"][1, 100] = 1
    arrays["model.2.running_mean"][:2] = 0.25
    arrays["model.2.running_var"][:2] = 4 - 1e-5
    arrays["model.2.weight"][:2] = 3
    arrays["model.2.bias"][:2] = 0.5
    for index in (3, 6, 9):
        arrays[f"model.{index}.weight"][[0, 1], [0, 1]] = 1
    arrays["model.9.bias"][2] = -0.5
    z = np.zeros((2, 100))
    z[:, 0] = 1, -1
    images = DigitGenerator(arrays).images(z, [0, 2])
    # z = 1: (1 - 0.25) / 2 * 3 + 0.5 = 1.625, which the further layers leave as it is.
    # z = -1: LeakyReLU -0.2, (-0.2 - 0.25) / 2 * 3 + 0.5 = -0.175, twice by 0.2: -0.007.
    # Digit 0: (0 - 0.25) / 2 * 3 + 0.5 = 0.125. Digit 2: (2 - 0.25) / 2 * 3 + 0.5 = 3.125.
    expected = np.tanh([[1.625, 0.125, -0.5, 0], [-0.007, 3.125, -0.5, 0]])
    np.testing.assert_allclose(images[:, 0, 0, :4], expected, atol=1e-12)
    assert (images[:, 0, 1:] == 0).all()


@settings(max_examples=30)
@given(
    requests=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), min_size=1, max_size=60),
    chunk=st.integers(1, 20),
)
def test_batch_and_order_change_no_byte(
    generator: DigitGenerator, requests: list[tuple[int, int]], chunk: int
) -> None:
    digits, seeds = zip(*requests, strict=True)
    together = generator.digits(digits, seeds)
    alone = [generator.digits(digit, [seed])[0] for digit, seed in requests]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(generator.digits(digits[::-1], seeds[::-1])[::-1], together)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "_CHUNK", chunk)
        np.testing.assert_array_equal(generator.digits(digits, seeds), together)


def test_threads_change_no_byte(generator: DigitGenerator) -> None:
    expected = generator.digits(3, range(400))
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda first: generator.digits(3, range(first, first + 10)), range(0, 400, 10))
        np.testing.assert_array_equal(np.concatenate([*parts]), expected)


def test_blas_threads_change_no_byte(generator: DigitGenerator, weights_file: Path) -> None:
    script = (
        "import sys, hashlib; from digit_generator import DigitGenerator;"
        "print(hashlib.sha256(DigitGenerator.load(sys.argv[1]).digits(4, range(700)).tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(weights_file)],
            cwd=REPOSITORY,
            env={"OPENBLAS_NUM_THREADS": threads},
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1


def test_digit_and_seed_both_matter(generator: DigitGenerator) -> None:
    pixels = np.concatenate([generator.digits(digit, range(5)) for digit in range(10)])
    assert len(np.unique(pixels.reshape(50, -1), axis=0)) == 50


def test_a_large_batch_takes_no_more_memory_than_its_pixels(generator: DigitGenerator) -> None:
    tracemalloc.start()
    try:
        pixels = generator.digits(7, range(4000))
        assert tracemalloc.get_traced_memory()[1] < pixels.nbytes + 40e6
    finally:
        tracemalloc.stop()


# Loading


def test_wrong_arrays_are_refused(weights_file: Path) -> None:
    arrays = arrays_from_file(weights_file)
    with pytest.raises(WeightsError, match=r"lacks 'model\.0\.bias'"):
        DigitGenerator({name: array for name, array in arrays.items() if name != "model.0.bias"})
    with pytest.raises(WeightsError, match="NaN"):
        DigitGenerator({**arrays, "model.0.bias": np.full(256, np.nan)})
    with pytest.raises(WeightsError, match="shape"):
        DigitGenerator({**arrays, "model.0.bias": np.zeros(255)})


def test_drawing_does_not_change_with_the_arrays(weights_file: Path) -> None:
    arrays = {n: array.astype(float) for n, array in arrays_from_file(weights_file).items() if array.shape}
    generator = DigitGenerator(arrays)
    before = generator.digits(7, range(5))
    for array in arrays.values():
        array.fill(0)
    np.testing.assert_array_equal(generator.digits(7, range(5)), before)


def test_safetensors_draw_the_same(weights_file: Path, generator: DigitGenerator, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    safetensors.torch.save_file(torch.load(weights_file, weights_only=True), path)
    np.testing.assert_array_equal(
        DigitGenerator.load(path).digits(7, range(5)), generator.digits(7, range(5))
    )


def test_weights_without_our_generator_json_are_your_own(weights_file: Path) -> None:
    generator = DigitGenerator.load(str(weights_file))
    assert (generator.path, generator.digest) == (weights_file, digest_of_file(weights_file))
    assert generator.provenance is None
    assert not generator.is_ours


def test_generator_json_counts_where_it_names_the_digest(
    save_weights: Callable[..., Path], tmp_path: Path
) -> None:
    path = save_weights(folder=tmp_path)
    provenance = {"weights_sha256": digest_of_file(path), "seed": 0}
    (tmp_path / "generator.json").write_text(json.dumps(provenance))
    generator = DigitGenerator.load(path)
    assert generator.is_ours
    assert generator.provenance == provenance
    # Other weights in place of ours, ours under another name.
    renamed = path.rename(tmp_path / "ours.pth")
    assert DigitGenerator.load(renamed).is_ours
    assert not DigitGenerator.load(save_weights(seed=1, folder=tmp_path)).is_ours


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"weights_sha256": null}',
        b'{"weights_sha256": []}',
        b"\xff\xfe",
        b"[" * 10**5,
        None,
    ],
)
def test_a_broken_generator_json_makes_them_your_own(
    save_weights: Callable[..., Path], tmp_path: Path, content: bytes | None
) -> None:
    path = save_weights(folder=tmp_path)
    if content is None:
        (tmp_path / "generator.json").mkdir()
    else:
        (tmp_path / "generator.json").write_bytes(content)
    assert DigitGenerator.load(path).provenance is None


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "generator.pth").write_bytes(b"nothing of use")
    with pytest.raises(WeightsError, match=r"^generator\.pth begins with"):
        DigitGenerator.load(tmp_path / "generator.pth")


def test_drawing_never_imports_pytorch(weights_file: Path) -> None:
    script = (
        "import sys; from digit_generator import DigitGenerator, cli, placeholder, render;"
        "DigitGenerator.load(sys.argv[1]).digits(7, range(5));"
        "assert 'numpy' in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, str(weights_file)], cwd=REPOSITORY, check=True)


def test_importing_the_package_imports_no_numpy() -> None:
    script = "import sys, digit_generator as d; assert d.__version__; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True)


# The shipped file


def test_the_shipped_weights_are_ours_and_draw() -> None:
    generator = DigitGenerator.load()
    assert generator.path == REPOSITORY / "generator.pth"
    assert 2e6 < generator.path.stat().st_size < 5e6
    assert generator.is_ours
    assert {array.dtype for array in arrays_from_file(generator.path).values()} == {
        np.dtype("f2"),
        np.dtype("i8"),
    }
    pixels = generator.digits(7, range(5))
    assert (pixels.reshape(5, -1).mean(axis=1) > 5).all()  # ink
    assert (pixels[:, 0] < 30).all()  # on a black ground


def test_the_way_back_is_the_gradient_of_the_images(generator: DigitGenerator) -> None:
    rng = np.random.RandomState(0)
    z, labels = latents_from_seeds([1, 2, 3]), [4, 0, 9]
    images, pullback = generator.images_and_pullback(z, labels)
    np.testing.assert_array_equal(images, generator.images(z, labels))
    gradients = rng.standard_normal((3, 2, 28, 28))
    direction = rng.standard_normal(z.shape)
    step = 1e-6
    ahead, behind = (generator.images(z + sign * step * direction, labels) for sign in (1, -1))
    expected = (gradients * (ahead - behind) / (2 * step)).sum(axis=(2, 3))
    along = (pullback(gradients) * direction[:, None]).sum(axis=2)
    assert along == pytest.approx(expected, rel=1e-4, abs=1e-3)
