"""The network that tells whether one person wrote two digits: it places each digit so that those of one
writer lie close together (pairwise logistic loss on cosines, Zhai et al. 2023, arXiv:2303.15343).

It learns from pairs of different digits alone, so that the shape of a digit is no help to it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from digit_generator.evaluation.data import Digits, Floats, Labels
from digit_generator.evaluation.networks.classifier import FEATURES, images_from_pixels

PLACE = 32
"""Numbers that place a digit."""
STEPS = 800
_WRITERS, _EACH = 48, 6  # of a step
_RATE, _DECAY, _DROPOUT = 3e-3, 1e-2, 0.4
_FIRST_WEIGHTS = 606
_BATCH = 500


class WriterNetwork(nn.Module):
    """(images [B, 1, 28, 28] in [0, 1], labels [B]) -> places [B, 32], of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Flatten(),  # [B, 64 * 7 * 7]
            nn.Dropout(_DROPOUT),
            nn.Linear(64 * 7 * 7, FEATURES),
        )
        self.label = nn.Embedding(10, FEATURES)
        self.place = nn.Sequential(nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(FEATURES, PLACE))
        self.scale, self.bias = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(0.0))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.normalize(self.place(self.body(images) + self.label(labels)), dim=1)


def learned_network(digits: Digits, writers: Labels, steps: int = STEPS) -> WriterNetwork:
    """A network taught on digits whose writers, int64 [N], are known (two minutes on one core)."""
    images, labels = images_from_pixels(digits.pixels), torch.from_numpy(digits.labels)
    of_writer = [np.flatnonzero(writers == writer) for writer in np.unique(writers)]
    of_writer = [rows for rows in of_writer if len(rows) >= _EACH]
    rng = np.random.RandomState(_FIRST_WEIGHTS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_FIRST_WEIGHTS)
        network = WriterNetwork()
        network.body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
        for _ in tqdm(range(steps), unit="steps", desc="learning hands"):
            chosen = rng.choice(len(of_writer), min(_WRITERS, len(of_writer)), replace=False)
            rows = np.concatenate([rng.choice(of_writer[i], _EACH, replace=False) for i in chosen])
            places = network(images[rows], labels[rows])
            logits = places @ places.T * network.scale.exp() + network.bias
            writer = torch.arange(len(chosen)).repeat_interleave(_EACH)
            one_writer = writer[:, None] == writer[None]
            counts = labels[rows][:, None] != labels[rows][None]  # a pair of the same digit says too much
            loss = F.softplus(-logits[one_writer & counts]).mean()
            loss = loss + F.softplus(logits[~one_writer & counts]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.inference_mode()
def places_of(network: WriterNetwork, digits: Digits) -> Floats:
    """Where the network places each digit, float64 [N, 32], of length 1."""
    images, labels = images_from_pixels(digits.pixels), torch.from_numpy(digits.labels)
    parts = [
        network(images[start : start + _BATCH], labels[start : start + _BATCH])
        for start in range(0, len(digits), _BATCH)
    ]
    return torch.cat(parts).numpy().astype(np.float64)


def likeness(a: Floats, b: Floats) -> NDArray[np.float64]:
    """How alike the hands of pairs are, [N] in [-1, 1], from their places, [N, 32] each."""
    alike: NDArray[np.float64] = (a * b).sum(axis=1)
    return alike
