"""What several tests share: weights as a plain PyTorch script saves them, random but valid, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from digit_generator import DigitGenerator

if TYPE_CHECKING:
    import torch

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
    tmp_path_factory: pytest.TempPathFactory, make_network: Callable[[int], torch.nn.Module]
) -> Callable[..., Path]:
    """save_weights(dtype="float16", seed=0, folder=None) -> a generator.pth there."""
    import torch

    def save(dtype: str = "float16", seed: int = 0, folder: Path | None = None) -> Path:
        path = (folder or tmp_path_factory.mktemp("weights")) / "generator.pth"
        state_dict = make_network(seed).state_dict()
        for name, tensor in state_dict.items():
            if tensor.is_floating_point():
                state_dict[name] = tensor.to(getattr(torch, dtype))
        torch.save(state_dict, path)
        return path

    return save


@pytest.fixture(scope="session")
def weights_file(save_weights: Callable[..., Path]) -> Path:
    """Valid weights in half precision with no generator.json beside them. Not to be changed."""
    return save_weights()


@pytest.fixture(scope="session")
def generator(weights_file: Path) -> DigitGenerator:
    """The generator of weights_file."""
    return DigitGenerator.load(weights_file)
