"""What several tests share: Chromium, and weights as a plain PyTorch script saves them, random but valid."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest
import safetensors.numpy
from choices import make_choice_file

from digit_generator import DigitGenerator
from digit_generator.choose import choice_path
from digit_generator.dataset.cluster import Done, Job, see_to
from digit_generator.weights import TENSOR_SHAPES
from tools.serving import chromium

if TYPE_CHECKING:
    import torch
    from playwright.sync_api import Browser

# The same examples in every run: a failure is the change's, not the day's.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def make_network() -> Callable[[int], torch.nn.Module]:
    """make_network(seed) -> the generator in plain PyTorch, float32, eval mode; forward(z, labels) -> images.

    The weights are random, with BatchNorm statistics far from 0 and 1 and pixels in the whole range.
    """
    import torch
    from torch import nn

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.label_emb = nn.Embedding(10, 100)
            self.model = nn.Sequential(
                nn.Linear(200, 256),
                nn.LeakyReLU(0.2),
                nn.BatchNorm1d(256),
                nn.Linear(256, 512),
                nn.LeakyReLU(0.2),
                nn.BatchNorm1d(512),
                nn.Linear(512, 1024),
                nn.LeakyReLU(0.2),
                nn.BatchNorm1d(1024),
                nn.Linear(1024, 784),
                nn.Tanh(),
            )

        def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.model(torch.cat([z, self.label_emb(labels)], dim=1)).reshape(-1, 1, 28, 28)

    def make(seed: int) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = Generator().eval()
            with torch.no_grad():
                for module in network.model:
                    if isinstance(module, nn.BatchNorm1d):
                        module.weight.uniform_(0.5, 1.5)
                        module.bias.normal_(0, 0.3)
                        module.running_mean.normal_(0.2, 0.3)
                        module.running_var.uniform_(0.05, 2)
                        module.num_batches_tracked.fill_(1000 + seed)
        return network

    return make


@pytest.fixture(scope="session")
def save_weights(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """save_weights(dtype="float16", seed=0, folder=None) -> a generator.pth there.

    As PyTorch saves it; where PyTorch is not installed (make test-draw), safetensors under that name.
    """

    def save(dtype: str = "float16", seed: int = 0, folder: Path | None = None) -> Path:
        path = (folder or tmp_path_factory.mktemp("weights")) / "generator.pth"
        if not importlib.util.find_spec("torch"):
            path.write_bytes(safetensors.numpy.save(random_arrays(dtype, seed)))
            return path
        import torch

        state_dict = request.getfixturevalue("make_network")(seed).state_dict()
        for name, tensor in state_dict.items():
            if tensor.is_floating_point():
                state_dict[name] = tensor.to(getattr(torch, dtype))
        torch.save(state_dict, path)
        return path

    return save


def random_arrays(dtype: str, seed: int) -> dict[str, np.ndarray]:
    """What make_network makes, by NumPy alone."""
    rng = np.random.RandomState(seed)
    ranges = {"running_var": (0.05, 2), "running_mean": (-0.2, 0.6), "bias": (-0.05, 0.05)}
    arrays = {}
    for name, shape in TENSOR_SHAPES.items():
        last = name.rpartition(".")[2]
        width = 1.0 if name == "label_emb.weight" else shape[-1] ** -0.5 if shape else 0.0
        low, high = ranges.get(last, (-width, width) if len(shape) == 2 else (0.5, 1.5))
        counter = last == "num_batches_tracked"
        arrays[name] = np.array(1000) if counter else rng.uniform(low, high, shape).astype(dtype)
    return arrays


@pytest.fixture(scope="session")
def weights_file(save_weights: Callable[..., Path]) -> Path:
    """Valid weights in half precision with no generator.json beside them. Not to be changed."""
    return save_weights()


@pytest.fixture(scope="session")
def generator(weights_file: Path) -> DigitGenerator:
    """The generator of weights_file."""
    return DigitGenerator.load(weights_file)


@pytest.fixture(scope="session")
def choice_file(generator: DigitGenerator) -> bytes:
    """A choice file for the weights of `generator`: random, refusing about a third of z."""
    return make_choice_file(generator)


@pytest.fixture(scope="session")
def choosy(
    weights_file: Path, choice_file: bytes, tmp_path_factory: pytest.TempPathFactory
) -> DigitGenerator:
    """The generator of weights_file, with a choice file beside a copy of it."""
    path = tmp_path_factory.mktemp("choosy") / "generator.pth"
    path.write_bytes(weights_file.read_bytes())
    choice_path(path).write_bytes(choice_file)
    return DigitGenerator.load(path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium or its headless shell, one for all browser tests of a process."""
    try:
        with chromium(shell=True) as browser:
            yield browser
    except FileNotFoundError as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session")
def whole_browser(browser: Browser) -> Iterator[Browser]:
    """Chromium itself: in its headless shell, copying a picture never ends."""
    with chromium(beside=browser) as whole:
        yield whole


@pytest.fixture
def load_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """load_dataset of Hugging Face's library, without a network, with a cache of its own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        import datasets

        datasets.disable_progress_bars()

        def load(*arguments: str, **options: str) -> Any:
            return datasets.load_dataset(*arguments, cache_dir=str(tmp_path / "cache"), **options)

        yield load


@pytest.fixture
def shards_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards are written one after the other here, where Ray would hand them to its workers."""

    def run(job: Job, address: str | None, workers: int | None) -> Iterator[Done]:
        return (see_to(job, shard) for shard in job.shards)

    monkeypatch.setattr("digit_generator.dataset.cluster._run", run)
