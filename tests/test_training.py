"""mnist_gan_training.py: the networks match the spec, the steps are right, a run survives interruption."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_mnist import SmallSet, make_small_set, write_small_set
from torch import nn

import mnist_gan_training as training_file
from digit_generator import DigitGenerator, generate
from digit_generator.render import digits_from_training_sheet
from mnist_gan_training import (
    DISCRIMINATORS,
    RECIPES,
    ConvolutionalDiscriminator,
    Discriminator,
    Generator,
    Trainer,
    TrainingError,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    images_from_pixels,
    load_mnist,
    main,
    pixels_from_images,
)

SCRIPT = Path(training_file.__file__)
CPU = torch.device("cpu")


# ----------------------------------------------------------------------------------------------- a small set


@pytest.fixture(scope="module")
def small_set() -> SmallSet:
    return make_small_set()


@pytest.fixture
def data_dir(tmp_path: Path, small_set: SmallSet, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small set as MNIST's files, with their digests in the place of MNIST's."""
    folder = tmp_path / "data"
    for name, digest in write_small_set(small_set, folder).items():
        monkeypatch.setitem(training_file.DATA_SHA256, name, digest)
    return folder


def small_arguments(data_dir: Path, out: Path, *more: str) -> list[str]:
    return [
        "--data-dir",
        str(data_dir),
        "--out",
        str(out),
        "--recipe",
        "classic",
        "--batch-size",
        "64",
        *more,
    ]


def error_of(arguments: list[str], capsys: pytest.CaptureFixture) -> str:
    """Run the command line, which must exit with code 2; what it wrote to stderr."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


def assert_equal_weights(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


# -------------------------------------------------------------------------------------------------- networks


def test_the_generator_has_the_keys_and_shapes_that_public_scripts_have() -> None:
    shapes = {name: tuple(value.shape) for name, value in Generator().state_dict().items()}
    batch_norms = {2: 256, 5: 512, 8: 1024}
    linears = {0: (256, 200), 3: (512, 256), 6: (1024, 512), 9: (784, 1024)}
    expected = {"label_emb.weight": (10, 100)}
    for index, shape in linears.items():
        expected |= {f"model.{index}.weight": shape, f"model.{index}.bias": shape[:1]}
    for index, width in batch_norms.items():
        expected |= {
            f"model.{index}.{name}": (width,) for name in ("weight", "bias", "running_mean", "running_var")
        }
        expected[f"model.{index}.num_batches_tracked"] = ()
    assert shapes == expected


def test_the_generator_is_linear_then_leaky_relu_then_batch_norm() -> None:
    kinds = [type(layer) for layer in Generator().model]
    assert kinds == [nn.Linear, nn.LeakyReLU, nn.BatchNorm1d] * 3 + [nn.Linear, nn.Tanh]


def test_the_generator_reads_z_first_and_the_label_after_it() -> None:
    generator, labels = Generator().eval(), torch.tensor([3])
    with torch.no_grad():
        generator.model[0].weight[:, :100] = 0  # if z comes first, it no longer has an effect
        assert torch.equal(generator(torch.zeros(1, 100), labels), generator(torch.ones(1, 100), labels))


def test_the_discriminator_matches_the_spec() -> None:
    discriminator = Discriminator(dropout=0.3)
    assert discriminator.label_emb.weight.shape == (10, 784)
    linears = [layer for layer in discriminator.model if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linears] == [
        (1568, 1024),
        (1024, 512),
        (512, 256),
        (256, 1),
    ]
    assert [layer.p for layer in discriminator.model if isinstance(layer, nn.Dropout)] == [0.3] * 3


@pytest.mark.parametrize("discriminator", [Discriminator(0.0), ConvolutionalDiscriminator()])
def test_a_discriminator_gives_one_logit_per_image_and_minds_the_label(discriminator: nn.Module) -> None:
    images = torch.rand(1, 1, 28, 28).repeat(10, 1, 1, 1)
    logits = discriminator(images, torch.arange(10))
    assert logits.shape == (10,)
    assert len(logits.unique()) == 10


# ---------------------------------------------------------------------------------------------------- losses


def test_the_losses_are_the_cross_entropy_of_the_sigmoid() -> None:
    real_logits, fake_logits = torch.randn(64), torch.randn(64)
    cross_entropy = nn.BCELoss()
    ones, zeros = torch.ones(64), torch.zeros(64)
    expected_d = cross_entropy(real_logits.sigmoid(), ones) + cross_entropy(fake_logits.sigmoid(), zeros)
    expected_g = cross_entropy(fake_logits.sigmoid(), ones)
    torch.testing.assert_close(discriminator_loss(real_logits, fake_logits), expected_d)
    torch.testing.assert_close(generator_loss(fake_logits), expected_g)


def test_the_losses_of_an_undecided_discriminator_are_ln_2_each() -> None:
    zero = torch.zeros(8)
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * 0.693147, abs=1e-5)
    assert generator_loss(zero).item() == pytest.approx(0.693147, abs=1e-5)


def test_the_losses_stay_finite_where_a_sigmoid_would_be_exactly_0() -> None:
    extreme = torch.tensor([1e4])
    assert discriminator_loss(-extreme, extreme).item() == pytest.approx(2e4)
    assert generator_loss(-extreme).item() == pytest.approx(1e4)


def test_the_gradient_penalty_of_a_linear_discriminator_is_its_squared_slope() -> None:
    slope = torch.arange(784.0) / 784
    images = torch.rand(6, 1, 28, 28, requires_grad=True)
    penalty = gradient_penalty(images.flatten(1) @ slope, images)
    torch.testing.assert_close(penalty, slope.square().sum())


# ----------------------------------------------------------------------------------------------------- steps


def small_trainer(recipe_name: str, small_set: SmallSet, **changes: object) -> Trainer:
    settings = dataclasses.replace(RECIPES[recipe_name], bfloat16=False, batch_size=64, **changes)
    return Trainer(settings, seed=0, device=CPU, steps=100)


def small_batch(small_set: SmallSet) -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = small_set
    return images_from_pixels(torch.from_numpy(pixels[:64])), torch.from_numpy(labels[:64].astype(np.int64))


def copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("recipe_name", RECIPES)
def test_the_discriminators_step_leaves_the_generator_alone(recipe_name: str, small_set: SmallSet) -> None:
    trainer = small_trainer(recipe_name, small_set)
    images, labels = small_batch(small_set)
    before_g, before_d = copied(trainer.generator), copied(trainer.discriminators)
    penalised = trainer.settings.penalty > 0
    trainer.discriminator_step(images, torch.zeros_like(images), labels, penalised)
    assert_equal_weights(copied(trainer.generator), before_g)
    moved = [
        name
        for name, value in copied(trainer.discriminators).items()
        if not torch.equal(value, before_d[name])
    ]
    assert len(moved) == len(before_d)


@pytest.mark.parametrize("recipe_name", RECIPES)
def test_the_generators_step_leaves_the_discriminators_alone(recipe_name: str, small_set: SmallSet) -> None:
    trainer = small_trainer(recipe_name, small_set)
    _, labels = small_batch(small_set)
    fake_images = trainer.generator(torch.randn(64, 100), labels)
    before_g, before_d = copied(trainer.generator), copied(trainer.discriminators)
    trainer.generator_step(fake_images, labels)
    assert_equal_weights(copied(trainer.discriminators), before_d)
    learned = dict(trainer.generator.named_parameters())
    assert all(not torch.equal(value, before_g[name]) for name, value in learned.items())
    assert all(parameter.requires_grad for parameter in trainer.discriminators.parameters())


# Recorded from this file (float32, seed 0): the losses of D and G at the first and the second step.
RECORDED_LOSSES = {
    "classic": [[1.3987, 0.7443], [1.2977, 0.7541]],
    "best": [[2.7813, 1.4496], [2.4722, 1.7893]],
}


@pytest.mark.parametrize("recipe_name", RECIPES)
def test_two_steps_give_the_recorded_losses(recipe_name: str, small_set: SmallSet) -> None:
    trainer = small_trainer(recipe_name, small_set)
    images, labels = small_batch(small_set)
    losses = [trainer.step(images, labels)[:2].tolist() for _ in range(2)]
    assert np.array(losses) == pytest.approx(np.array(RECORDED_LOSSES[recipe_name]), abs=2e-3)


def test_the_penalty_pulls_the_discriminators_slope_down(small_set: SmallSet) -> None:
    images, labels = small_batch(small_set)
    slopes = {}
    for penalty in (0.0, 100.0):
        trainer = small_trainer("best", small_set, penalty=penalty, penalty_every=1)
        for _ in range(5):
            trainer.discriminator_step(images, torch.zeros_like(images), labels, penalised=True)
        images.requires_grad_(True)
        slopes[penalty] = gradient_penalty(trainer.discriminators[0](images, labels), images).item()
    assert slopes[100.0] < 0.5 * slopes[0.0]


def test_the_rate_falls_by_a_cosine_to_its_final_share(small_set: SmallSet) -> None:
    trainer = small_trainer("best", small_set, learning_rate=1.0, final_rate_share=0.2, restart_after=0)
    rates = []
    for trainer.step_number in (0, 50, 100):
        rates.append(trainer.learning_rate())
    assert rates == pytest.approx([1.0, 0.6, 0.2])


def test_the_rate_starts_again_once(small_set: SmallSet) -> None:
    trainer = small_trainer(
        "best", small_set, learning_rate=1.0, final_rate_share=0.2, epochs=10, restart_after=6
    )
    rates = []
    for trainer.step_number in (0, 30, 60, 80):
        rates.append(trainer.learning_rate())
    assert rates == pytest.approx([1.0, 0.6, 1.0, 0.6])


def test_a_run_that_ends_before_the_restart_has_one_fall(small_set: SmallSet) -> None:
    trainer = small_trainer(
        "best", small_set, learning_rate=1.0, final_rate_share=0.2, epochs=10, restart_after=50
    )
    trainer.step_number = 99
    assert trainer.learning_rate() < 0.21


@pytest.mark.parametrize(
    ("capabilities", "has"),
    [
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": True}, True),
        ({"avx512_f": True, "amx_bf16": False}, False),
    ],
)
def test_bfloat16_is_used_where_the_processor_has_it(
    capabilities: dict[str, bool], has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert training_file.has_bfloat16(CPU) == has


def test_a_constant_rate_stays(small_set: SmallSet) -> None:
    trainer = small_trainer("classic", small_set)
    trainer.step_number = 77
    assert trainer.learning_rate() == RECIPES["classic"].learning_rate


def test_the_shipped_average_has_batch_norm_statistics_of_its_own(
    small_set: SmallSet,
) -> None:
    """The running statistics of the last weights would be wrong for the averaged ones."""
    trainer = small_trainer("best", small_set, average_decay=0.5, learning_rate=0.01)
    images, labels = small_batch(small_set)
    for _ in range(3):
        trainer.step(images, labels)
    state = torch.get_rng_state()
    averaged = trainer.eval_generator()
    assert torch.equal(torch.get_rng_state(), state), "measuring must not change the run's random numbers"
    z, all_labels = torch.randn(20_000, 100), torch.arange(20_000) % 10
    with torch.no_grad():
        first = averaged.model[:2](torch.cat([z, averaged.label_emb(all_labels)], dim=1))
    torch.testing.assert_close(averaged.model[2].running_mean, first.mean(dim=0), atol=0.02, rtol=0)
    torch.testing.assert_close(averaged.model[2].running_var, first.var(dim=0), atol=0.02, rtol=0.06)
    assert_equal_weights(dict(averaged.named_parameters()), dict(trainer.average.module.named_parameters()))


def test_an_average_without_decay_is_the_last_weights(small_set: SmallSet) -> None:
    trainer = small_trainer("classic", small_set)
    trainer.step(*small_batch(small_set))
    assert_equal_weights(trainer.eval_generator().state_dict(), trainer.generator.state_dict())


def test_the_spread_within_digits_shows_a_collapse() -> None:
    labels = torch.arange(100) % 10
    varied = torch.randint(0, 256, (100, 28, 28), dtype=torch.uint8)
    collapsed = varied[:10].repeat(10, 1, 1)  # one image per digit
    assert training_file.spread_within_digits(collapsed, labels) == 0
    assert training_file.spread_within_digits(varied, labels) > 50


# ------------------------------------------------------------------------------------------------------ data


def test_all_grey_levels_survive_the_round_trip_and_the_package_agrees() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).repeat(784, 1).T.reshape(256, 28, 28)
    images = images_from_pixels(pixels)
    assert (images.min().item(), images.max().item()) == (-1, 1)
    assert torch.equal(pixels_from_images(images), pixels)
    assert np.abs(generate.images_from_pixels(pixels.numpy()) - images.numpy()).max() < 1e-6


def test_the_grid_takes_the_z_that_the_package_gives_a_seed() -> None:
    class Echo(nn.Linear):
        def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return (z.repeat(1, 8)[:, :784] / 10).clamp(-1, 1).view(-1, 1, 28, 28)

    pixels, labels = training_file.grid(Echo(1, 1), seeds=range(3, 6))
    latents = generate.latents_from_seeds([3, 4, 5])
    expected = ((np.clip(latents / 10, -1, 1) + 1) * 127.5).round().astype(np.uint8)
    assert labels.tolist() == [digit for digit in range(10) for _ in range(3)]
    assert np.array_equal(pixels.numpy().reshape(30, 784)[:3, :100], expected)


def test_a_sheet_is_cut_where_it_was_put_together(tmp_path: Path) -> None:
    """The pages and the pictures of the docs read the sheets."""
    generator = Generator().eval()
    with torch.no_grad():
        training_file.write_sheet(
            tmp_path / "sheet.png",
            generator,
            torch.zeros(50, 28, 28, dtype=torch.uint8),
            torch.arange(50) % 10,
        )
        pixels, _ = training_file.grid(generator, range(10))
    with Image.open(tmp_path / "sheet.png") as picture:
        digits = digits_from_training_sheet(np.asarray(picture.convert("L")))
    np.testing.assert_array_equal(digits.reshape(100, 28, 28), pixels.numpy())


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_read_gzipped_or_plain(packed: bool, data_dir: Path, small_set: SmallSet) -> None:
    if not packed:
        for path in list(data_dir.iterdir()):
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    pixels, labels = load_mnist(data_dir)
    assert pixels.dtype == torch.uint8
    assert np.array_equal(pixels.numpy(), small_set[0])
    assert labels.dtype == torch.int64
    assert np.array_equal(labels.numpy(), small_set[1])


@pytest.mark.parametrize(
    "harm", [lambda b: b[:-7], lambda b: b[:100] + b"\xff" + b[101:], lambda b: b"", gzip.compress]
)
def test_a_file_that_is_not_mnists_is_refused(harm: object, data_dir: Path) -> None:
    path = data_dir / f"{training_file.TRAIN_IMAGES}.gz"
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(TrainingError, match=r"is not MNIST's .* delete it"):
        load_mnist(data_dir)


@pytest.mark.parametrize(
    ("where", "packed"),
    [
        ("{dotted}", False),
        ("{dotted}.gz", True),
        ("{name}/{name}", False),  # Kaggle's archive
        ("{name}/{dotted}", False),
        ("{name}.gz/{name}", False),
        ("MNIST/raw/{name}", False),  # torchvision
        ("MNIST/raw/{name}.gz", True),
        ("raw/{name}", False),  # the folder MNIST of torchvision
    ],
)
def test_data_folders_of_other_programs_are_read(
    where: str,
    packed: bool,
    data_dir: Path,
    small_set: SmallSet,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(training_file.urllib.request, "urlopen", lambda *_, **__: pytest.fail("a download"))
    folder = tmp_path / "unpacked"
    for name in training_file.DATA_SHA256:
        content = (data_dir / f"{name}.gz").read_bytes()
        path = folder / where.format(name=name, dotted=name.replace("-idx", ".idx"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if packed else gzip.decompress(content))
    pixels, labels = load_mnist(folder)
    assert np.array_equal(pixels.numpy(), small_set[0])
    assert np.array_equal(labels.numpy(), small_set[1])
    training_file.download_mnist(folder)  # it finds all four files


class Response(io.BytesIO):
    """What urlopen returns for a mirror that does not send the size."""

    @property
    def headers(self) -> dict[str, str]:
        return {}


def test_a_download_goes_on_to_the_next_mirror_and_checks_what_it_gets(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def urlopen(url: str, timeout: float) -> Response:
        asked.append(url)
        if "first" in url:
            raise urllib.error.URLError("no route")
        if "broken" in url:
            raise http.client.IncompleteRead(b"half of it")
        content = (data_dir / url.rsplit("/", 1)[1]).read_bytes()
        return Response(content[:20] if "second" in url else content)

    hosts = ["first", "broken", "second", "third"]
    mirrors = tuple(f"http://{host}.invalid/" for host in hosts)
    monkeypatch.setattr(training_file, "MIRRORS", mirrors)
    monkeypatch.setattr(training_file.urllib.request, "urlopen", urlopen)
    pixels, _ = load_mnist(tmp_path / "new")
    assert len(pixels) == 256
    assert [url.split(".")[0] for url in asked] == [f"http://{host}" for host in hosts] * 4
    asked.clear()
    load_mnist(tmp_path / "new")
    assert asked == [], "what was downloaded once is read from disk"
    assert {path.name for path in (tmp_path / "new").iterdir()} == {path.name for path in data_dir.iterdir()}


def test_download_alone_fetches_what_is_missing_and_trains_nothing(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    missing = data_dir / "t10k-images-idx3-ubyte.gz"
    content = missing.read_bytes()
    missing.unlink()
    monkeypatch.setattr(training_file.urllib.request, "urlopen", lambda url, timeout: Response(content))
    out = tmp_path / "out"
    main(["--download", "--data-dir", str(data_dir), "--out", str(out)])
    assert missing.read_bytes() == content
    assert capsys.readouterr().out == f"MNIST is in {data_dir}.\n"
    assert not out.exists()


def test_a_download_that_fails_everywhere_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_file.urllib.request, "urlopen", lambda url, timeout: Response(b"an error page")
    )
    with pytest.raises(TrainingError, match="name it with --data-dir"):
        load_mnist(tmp_path / "new")
    assert not (tmp_path / "new").exists()


# ----------------------------------------------------------------------------------------------- a whole run


def test_a_run_writes_weights_provenance_losses_sheets_and_plot(data_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main(small_arguments(data_dir, out, "--epochs", "2", "--seed", "3"))
    path = out / "generator.pth"
    state = weights(path)
    assert 2_000_000 < path.stat().st_size < 5_000_000
    assert {name for name, value in state.items() if value.dtype != torch.float16} == {
        f"model.{index}.num_batches_tracked" for index in (2, 5, 8)
    }
    assert state["model.2.num_batches_tracked"].dtype == torch.int64

    provenance = json.loads((out / "generator.json").read_text())
    assert provenance["weights_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert provenance["recipe"] == {
        **dataclasses.asdict(RECIPES["classic"]),
        "epochs": 2,
        "batch_size": 64,
        "discriminators": ["dense"],
    }
    assert (provenance["recipe_name"], provenance["seed"], provenance["epochs"]) == ("classic", 3, 2)
    assert DigitGenerator.load(path).is_ours

    rows = [json.loads(line) for line in (out / "training" / "losses.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert [row["steps"] for row in rows] == [4, 8]
    assert all(0 <= row["p_fake"] <= 1 and row["loss_d"] > 0 for row in rows)
    written = {path.name for path in (out / "training").iterdir()}
    assert written == {"checkpoint.pth", "losses.jsonl", "losses.png", "epoch-001.png", "epoch-002.png"}


def test_the_package_draws_what_the_last_sheet_shows(data_dir: Path, tmp_path: Path) -> None:
    main(small_arguments(data_dir, tmp_path, "--epochs", "1"))
    generator = Generator()
    generator.load_state_dict({name: v.float() for name, v in weights(tmp_path / "generator.pth").items()})
    pixels, labels = training_file.grid(generator.eval(), seeds=range(10))
    package = DigitGenerator.load(tmp_path / "generator.pth", raw=True)
    drawn = package.digits(labels.tolist(), list(range(10)) * 10)
    assert np.abs(drawn.astype(int) - pixels.numpy().astype(int)).max() <= 1


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(
    data_dir: Path, tmp_path: Path
) -> None:
    states = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main(small_arguments(data_dir, tmp_path / name, "--epochs", "1", "--seed", seed))
        states.append((tmp_path / name / "generator.pth").read_bytes())
    assert states[0] == states[1]
    assert states[0] != states[2]


@pytest.mark.parametrize("recipe_name", RECIPES)
def test_a_resumed_run_ends_in_the_weights_of_an_uninterrupted_one(
    recipe_name: str,
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def arguments(out: str) -> list[str]:
        return [*small_arguments(data_dir, tmp_path / out, "--epochs", "3"), "--recipe", recipe_name]

    main(arguments("whole"))

    steps = Trainer.step
    interrupted_at = 7  # in the middle of the second epoch

    def interrupted_step(self: Trainer, *batch: torch.Tensor) -> torch.Tensor:
        if self.step_number == interrupted_at:
            raise KeyboardInterrupt
        return steps(self, *batch)

    monkeypatch.setattr(Trainer, "step", interrupted_step)
    with pytest.raises(SystemExit) as stop:
        main(arguments("parts"))
    assert stop.value.code == 130
    assert "Stopped with 1 of 3 epochs finished: " in capsys.readouterr().err
    assert weights(tmp_path / "parts" / "training" / "generator.pth")
    assert not (tmp_path / "parts" / "generator.pth").exists()

    monkeypatch.setattr(Trainer, "step", steps)
    main([*arguments("parts"), "--resume"])
    whole, parts = (tmp_path / out / "generator.pth" for out in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    rows = (tmp_path / "parts" / "training" / "losses.jsonl").read_text().splitlines()
    assert [json.loads(row)["epoch"] for row in rows] == [1, 2, 3]


# A child process that trains on the small set; the first argument holds the digests of its files.
CHILD = """
import json, sys
import mnist_gan_training as training_file
training_file.DATA_SHA256.update(json.loads(sys.argv[1]))
training_file.main(sys.argv[2:])
"""


def test_a_run_killed_at_any_moment_can_be_resumed_to_the_same_weights(
    data_dir: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(SCRIPT, alone)  # the file needs nothing else of this repository

    def start(out: str, *more: str) -> subprocess.Popen[bytes]:
        arguments = small_arguments(data_dir, Path(out), "--epochs", "8", *more)
        command = [sys.executable, "-c", CHILD, json.dumps(training_file.DATA_SHA256), *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, cwd=alone, env=environment, stderr=subprocess.DEVNULL)

    assert start("whole").wait() == 0

    run = alone / "parts"
    rows = run / "training" / "losses.jsonl"
    for kill_after in (0, 2, 5):  # finished epochs; each kill comes at another moment of the next epoch
        child = start("parts", "--resume")
        while child.poll() is None:
            done = len(rows.read_text().splitlines()) if rows.exists() else 0
            if done >= kill_after and (run / "training").exists():
                time.sleep(0.07 * kill_after)
                child.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        assert child.wait() == -signal.SIGKILL
    assert start("parts", "--resume").wait() == 0
    assert (run / "generator.pth").read_bytes() == (alone / "whole" / "generator.pth").read_bytes()


# ----------------------------------------------------------------------------------------------------- errors


def test_a_loss_that_is_not_finite_names_its_step() -> None:
    unread = [torch.tensor([0.5, 0.7, 0.5, 0.5]), torch.tensor([float("nan"), 0.7, 0.5, 0.5])]
    with pytest.raises(TrainingError, match=r"step 42 .*try half the --learning-rate"):
        training_file.finite_metrics(unread, last_step=42)


def test_weights_that_overflow_half_precision_are_not_written(tmp_path: Path) -> None:
    generator = Generator()
    with torch.no_grad():
        generator.model[3].bias[0] = 70_000
    with pytest.raises(TrainingError, match=r"model\.3\.bias overflows half precision"):
        training_file.write_generator(tmp_path / "generator.pth", generator, {})
    assert list(tmp_path.iterdir()) == []


def test_a_counter_beyond_half_precision_is_kept(tmp_path: Path) -> None:
    generator = Generator()
    generator.model[2].num_batches_tracked += 100_000
    training_file.write_generator(tmp_path / "generator.pth", generator, {})
    assert weights(tmp_path / "generator.pth")["model.2.num_batches_tracked"] == 100_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", "0"], "epochs is 0: choose at least 1."),
        (["--epochs", "ten"], "argument --epochs: 'ten' is not a whole number"),
        (["--batch-size", "1"], "batch_size is 1: choose at least 2."),
        (["--batch-size", "300"], "A batch of 300 is more than the 256 images"),
        (["--learning-rate", "nan"], "learning_rate is nan"),
        (["--learning-rate", "-1"], "learning_rate is -1.0: choose a value from 1e-09 to 1.0."),
        (["--learning-rate", "fast"], "argument --learning-rate: 'fast' is not a number"),
        (["--seed", "-1"], "argument --seed: '-1' is not a whole number from 0 to 4294967295"),
        (["--seed", "abc"], "argument --seed: 'abc' is not a whole number from 0 to 4294967295"),
        (["--held-out", "-5"], "argument --held-out: '-5' is not a whole number from 0 to 59000"),
        (["--device", "abacus"], "There is no device 'abacus' here: choose --device from "),
        (["--device", "cpu:x"], "There is no device 'cpu:x' here: choose --device from "),
        (["--device", "cpu:1"], "There is no device 'cpu:1' here: choose --device from "),
        (["--device", "cuda:99"], "There is no device 'cuda:99' here: choose --device from "),
        (["--device", ""], "There is no device '' here: choose --device from "),
        (["--recipe", "magic"], "invalid choice: 'magic'"),
        (["--set", "warmth=3"], "'warmth' is not a setting: choose from epochs, "),
        (["--set", "bfloat16=perhaps"], "bfloat16 must be true or false, not 'perhaps'"),
        (["--set", "penalty=high"], "argument --set: penalty cannot be set: 'high' is not a number"),
        (["--set", "penalty_every=1.5"], "penalty_every cannot be set: '1.5' is not a whole number"),
        (["--set", "discriminators=dense,magic"], "There is no discriminator 'magic'"),
    ],
)
def test_bad_input_gives_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*small_arguments(data_dir, tmp_path / "out"), *arguments])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert sentence in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_not_overwritten_and_not_contradicted(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    finish = training_file.write_loss_plot
    monkeypatch.setattr(training_file, "write_loss_plot", no_space)
    checkpoint = tmp_path / "training" / "checkpoint.pth"
    arguments = small_arguments(data_dir, tmp_path, "--epochs", "1")
    with pytest.raises(SystemExit):
        main(arguments)
    assert (
        "no space left: correct this, then add --resume to continue after epoch 1." in capsys.readouterr().err
    )

    state = torch.load(checkpoint, weights_only=True)
    state["settings"]["recipe"]["epochs"] = 2  # as if it had been stopped half-way
    torch.save(state, checkpoint)
    content = checkpoint.read_bytes()
    for more, sentence in (
        ([], "holds 1 of 2 epochs of an unfinished run: add --resume"),
        (["--resume"], "The run to resume has epochs 2, not 1"),
        (["--resume", "--epochs", "2", "--seed", "9"], "The run to resume has seed 0, not 9"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*arguments, *more])
        assert stop.value.code == 2
        assert sentence in capsys.readouterr().err
        assert checkpoint.read_bytes() == content

    monkeypatch.setattr(training_file, "write_loss_plot", finish)
    main(["--data-dir", str(data_dir), "--out", str(tmp_path), "--resume"])  # its settings need no repeating
    assert len((tmp_path / "training" / "losses.jsonl").read_text().splitlines()) == 2


def test_a_broken_checkpoint_is_named(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "checkpoint.pth").write_bytes(b"PK\x03\x04 no more of it")
    with pytest.raises(SystemExit) as stop:
        main(small_arguments(data_dir, tmp_path, "--resume"))
    assert stop.value.code == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--resume"], []])
def test_a_checkpoint_with_other_settings_is_not_continued(
    more: list[str], data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = small_arguments(data_dir, tmp_path, "--epochs", "1")
    main(arguments)
    checkpoint = tmp_path / "training" / "checkpoint.pth"
    state = torch.load(checkpoint, weights_only=True)
    recipe = state["settings"]["recipe"]
    recipe |= {"epochs": 2, "warmth": 3}  # an unfinished run
    del recipe["penalty"]
    torch.save(state, checkpoint)
    content = checkpoint.read_bytes()
    message = error_of(arguments + more, capsys)
    assert "another version of this file, whose settings differ in penalty, warmth: " in message
    assert "--resume" not in message
    assert checkpoint.read_bytes() == content


@pytest.mark.parametrize("more", [["--resume"], []])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (Generator().state_dict(), "OrderedDict"),
        ([1, 2], "list"),
        (torch.zeros(3), "Tensor"),
        ({"settings": {}, "history": [], "training": {}}, "dict"),
    ],
    ids=["weights", "list", "tensor", "empty"],
)
def test_another_file_in_the_place_of_the_checkpoint_is_named_and_kept(
    content: object,
    kind: str,
    more: list[str],
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    checkpoint = tmp_path / "training" / "checkpoint.pth"
    checkpoint.parent.mkdir()
    torch.save(content, checkpoint)
    before = checkpoint.read_bytes()
    message = error_of(small_arguments(data_dir, tmp_path, *more), capsys)
    assert message.startswith(
        f"{checkpoint} is not a checkpoint of this file but holds a {kind}: move it away"
    )
    assert checkpoint.read_bytes() == before


def test_a_checkpoint_of_other_networks_is_named_and_kept(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = small_arguments(data_dir, tmp_path, "--epochs", "1")
    main(arguments)
    checkpoint = tmp_path / "training" / "checkpoint.pth"
    state = torch.load(checkpoint, weights_only=True)
    state["training"]["generator"]["model.0.weight"] = torch.zeros(3, 3)
    torch.save(state, checkpoint)
    message = error_of([*arguments, "--resume"], capsys)
    assert f"{checkpoint} does not fit the networks of this file (RuntimeError)" in message


def test_resume_says_when_there_is_nothing_to_resume_before_it_reads_mnist(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    printed = []

    def load(data_dir: Path) -> None:
        printed.append(capsys.readouterr().out)
        raise TrainingError("far enough")

    monkeypatch.setattr(training_file, "load_mnist", load)
    error_of(small_arguments(data_dir, tmp_path, "--resume"), capsys)
    checkpoint = tmp_path / "training" / "checkpoint.pth"
    assert printed == [f"There is no checkpoint at {checkpoint}: training starts from the beginning.\n"]


def no_space(*_: object) -> None:
    raise OSError("no space left")


def test_no_error_promises_to_resume_before_there_is_a_checkpoint(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    message = error_of(small_arguments(data_dir, tmp_path / "file" / "out", "--epochs", "1"), capsys)
    assert message.endswith(": correct this, then start again.\n")

    out = tmp_path / "out"
    main(small_arguments(data_dir, out, "--epochs", "1"))  # its checkpoint is not one of the next run
    monkeypatch.setattr(training_file, "bytes_from_state", no_space)
    message = error_of(small_arguments(data_dir, out, "--epochs", "1"), capsys)
    assert message.endswith("no space left: correct this, then start again.\n")


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    message = error_of(["--download", "--data-dir", str(tmp_path / "file")], capsys)
    assert message == f"{tmp_path / 'file'} is not a folder: give --data-dir a folder for MNIST's files.\n"


def raises(error: BaseException) -> Callable[..., None]:
    def function(*_: object, **__: object) -> None:
        raise error

    return function


def too_large_for_torch() -> None:
    torch.empty(2**48)


def too_large_for_numpy() -> None:
    np.empty(2**48)


OUT_OF_MEMORY = [
    too_large_for_torch,
    too_large_for_numpy,
    raises(MemoryError()),
    raises(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")),
    raises(RuntimeError("MPS backend out of memory")),
    raises(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")),
]


@pytest.mark.parametrize("failure", OUT_OF_MEMORY)
@pytest.mark.parametrize("epochs_before", [0, 1])
def test_too_little_memory_asks_for_a_smaller_batch(
    failure: Callable[[], None],
    epochs_before: int,
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    steps = Trainer.step

    def step(self: Trainer, *batch: torch.Tensor) -> torch.Tensor:
        if self.step_number == 4 * epochs_before:
            failure()
        return steps(self, *batch)

    monkeypatch.setattr(Trainer, "step", step)
    message = error_of(small_arguments(data_dir, tmp_path, "--epochs", "2"), capsys)
    expected = [
        "There is not enough memory: start again with a smaller --batch-size.",
        "There is not enough memory: free some memory and add --resume to continue after epoch 1, or start "
        "from the beginning with a smaller --batch-size.",
    ]
    assert message.splitlines()[-1] == expected[epochs_before]


def test_another_runtime_error_is_not_taken_for_a_lack_of_memory(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "step", raises(RuntimeError("a mistake in the code")))
    with pytest.raises(RuntimeError, match="a mistake in the code"):
        main(small_arguments(data_dir, tmp_path, "--epochs", "1"))


# ----------------------------------------------------------------------------------------------------- Ctrl-C


def interrupted(arguments: list[str], capsys: pytest.CaptureFixture) -> list[str]:
    """Run the command line, which must exit with code 130; its lines on stderr, without progress bars."""
    with pytest.raises((SystemExit, KeyboardInterrupt)) as stop:
        main(arguments)
    assert getattr(stop.value, "code", "a traceback") == 130
    return [line for line in capsys.readouterr().err.splitlines() if line and "\r" not in line]


def test_ctrl_c_during_the_imports_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
    )
    result = subprocess.run(
        [sys.executable, SCRIPT],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 130
    assert result.stderr == "\nStopped before training began.\n"


def test_ctrl_c_during_a_download_keeps_the_files_that_are_complete(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def urlopen(url: str, timeout: float) -> Response:
        if training_file.TRAIN_LABELS in url:
            raise KeyboardInterrupt
        return Response((data_dir / url.rsplit("/", 1)[1]).read_bytes())

    monkeypatch.setattr(training_file.urllib.request, "urlopen", urlopen)
    new = tmp_path / "new"
    lines = interrupted(small_arguments(new, tmp_path / "out"), capsys)
    assert lines[-1] == "Stopped. Finished downloads and finished epochs are kept."
    assert [path.name for path in new.iterdir()] == [f"{training_file.TRAIN_IMAGES}.gz"]


def test_ctrl_c_in_the_first_epoch_promises_no_resume(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(Trainer, "step", raises(KeyboardInterrupt()))
    line = interrupted(small_arguments(data_dir, tmp_path), capsys)[-1]
    assert line.startswith("Stopped with 0 of 50 epochs finished: ")
    assert "--resume" not in line


def test_ctrl_c_while_the_checkpoint_is_written_counts_only_saved_epochs(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write = training_file.bytes_from_state

    def bytes_from_state(state: dict[str, object]) -> bytes:
        if len(state.get("history", [])) == 2:
            raise KeyboardInterrupt
        return write(state)

    monkeypatch.setattr(training_file, "bytes_from_state", bytes_from_state)
    line = interrupted(small_arguments(data_dir, tmp_path, "--epochs", "3"), capsys)[-1]
    assert line.startswith("Stopped with 1 of 3 epochs finished: ")
    assert line.endswith(" Add --resume to continue after epoch 1.")


def test_ctrl_c_during_the_plot_keeps_the_finished_weights(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(training_file, "write_loss_plot", raises(KeyboardInterrupt()))
    lines = interrupted(small_arguments(data_dir, tmp_path, "--epochs", "1"), capsys)
    assert lines[-1] == "Stopped: training is finished, and only the plot of the losses is missing."
    assert weights(tmp_path / "generator.pth")
    assert (tmp_path / "generator.json").exists()


# --------------------------------------------------------------------------------------------------- settings


def test_without_torch_one_sentence_says_what_to_install() -> None:
    code = f"import sys, runpy; sys.modules['torch'] = None; runpy.run_path({str(SCRIPT)!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "Training needs torch: pip install torch numpy tqdm pillow matplotlib\n"


def test_every_discriminator_of_a_recipe_exists() -> None:
    for settings in RECIPES.values():
        training_file.check_settings(settings)
        assert set(settings.discriminators) <= set(DISCRIMINATORS)


def test_classic_matches_the_spec() -> None:
    classic = RECIPES["classic"]
    assert (classic.epochs, classic.batch_size, classic.learning_rate) == (50, 128, 2e-4)
    assert (classic.beta1, classic.beta2, classic.dropout) == (0.5, 0.999, 0.3)
    assert (classic.final_rate_share, classic.penalty, classic.average_decay) == (1.0, 0.0, 0.0)
    assert classic.discriminators == ("dense",)
    assert not classic.bfloat16


# ---------------------------------------------------------------------------------------- on the real MNIST


@pytest.mark.train
@pytest.mark.parametrize("recipe_name", RECIPES)
def test_two_epochs_on_the_real_mnist_learn_something(recipe_name: str, tmp_path: Path) -> None:
    """Reads MNIST from the folder MNIST_DIR, or downloads it into ./mnist."""
    data_dir = os.environ.get("MNIST_DIR", "mnist")
    main(["--data-dir", data_dir, "--out", str(tmp_path), "--recipe", recipe_name, "--epochs", "2"])
    pixels, labels = load_mnist(Path(data_dir))
    assert pixels.shape == (60_000, 28, 28)
    means = torch.stack([pixels[labels == digit].float().mean(dim=0) for digit in range(10)]).flatten(1)
    drawn = DigitGenerator.load(tmp_path / "generator.pth").digits(list(range(10)) * 20, range(200))
    distances = torch.cdist(torch.from_numpy(drawn.reshape(200, 784)).float(), means)
    right = (distances.argmin(dim=1) == torch.arange(200) % 10).float().mean()
    assert right > 0.5, "most digits lie nearest to the mean image of the digit asked for"


# Two at once, and what a killed run leaves


TRAIN_IN = """
import pathlib, sys, mnist_gan_training as training
with training.only_training_in(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_trainings_in_one_folder_do_not_mix(data_dir: Path, tmp_path: Path) -> None:
    """The lock goes with its process, killed by whatever; it leaves no file."""
    folder = tmp_path / "training"
    other = subprocess.Popen(
        [sys.executable, "-c", TRAIN_IN, str(folder)],
        cwd=Path(training_file.__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(
                training_file.TrainingError, match=r"Another training is running in .*training: wait"
            ),
            training_file.only_training_in(folder),
        ):
            pass
        other.kill()
    with training_file.only_training_in(folder):
        assert {path.name for path in folder.iterdir()} == {".lock"}
    assert not [*folder.iterdir()]


def test_a_second_training_is_told_by_the_command(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data-dir", str(data_dir), "--out", str(tmp_path)]
    with training_file.only_training_in(tmp_path / "training"), pytest.raises(SystemExit) as exit:
        training_file.main(arguments)
    assert exit.value.code == 2
    assert capsys.readouterr().err.startswith("Another training is running in ")


def test_what_a_killed_training_has_half_written_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    left = [folder / "checkpoint.pth.123.part", tmp_path / "generator.pth.123.part"]
    kept = [folder / "checkpoint.pth", tmp_path / "generator.pth", tmp_path / "mine.part"]
    for path in left + kept:
        path.write_text("half")
    with training_file.only_training_in(folder):
        pass
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append([path.name for path in tmp_path.iterdir()]))
    training_file.write_whole(tmp_path / "checkpoint.pth", b"whole")
    assert synced == [[f"checkpoint.pth.{os.getpid()}.part"]]
    assert (tmp_path / "checkpoint.pth").read_bytes() == b"whole"
