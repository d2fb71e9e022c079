"""A small reader of lines of digits: convolutions over the line, read out by connectionist temporal
classification (CTC; Graves et al. 2006, "Connectionist temporal classification", ICML).

A line enters as float32 [1, 36, W], 0 background ... 1 ink; lines of a batch are filled up with background on
the right. Every second column of the line is a place, and for each place the network tells the
probabilities of a blank (0) and of the ten digits (1 to 10). 45,000 weights, trained from nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from digit_generator.evaluation.protocol import LINE_READER, LineTraining

Picture = NDArray[np.uint8]
HEIGHT = 36  # of a line; digits are 20 of them, as in MNIST
_BLANK, _SYMBOLS = 0, 11
_JITTER = 2  # pixels, up or down, of every line in training


class LineReader(nn.Module):
    """images [B, 1, 36, W] -> log-probabilities [W / 2, B, 11]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False),  # [B, 16, 18, W / 2]
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d((2, 1)),  # [B, 16, 9, W / 2]
            nn.Conv2d(16, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d((3, 1)),  # [B, 32, 3, W / 2]
            nn.Conv2d(32, 64, 3, padding=(0, 1), bias=False),  # [B, 64, 1, W / 2]
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        self.along = nn.Sequential(
            nn.Conv1d(64, 64, 5, padding=2, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2)
        )
        self.head = nn.Conv1d(64, _SYMBOLS, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.along(self.body(images)[:, :, 0]))
        return logits.permute(2, 0, 1).log_softmax(dim=2)


def trained_reader(
    lines: Sequence[Picture], texts: Sequence[str], setting: LineTraining = LINE_READER
) -> Iterator[tuple[int, LineReader]]:
    """Train a fresh reader on the lines, uint8 [H, W] each, and what they read; yields the number of steps
    that are done, of `setting.steps`, and the reader."""
    rng = torch.Generator().manual_seed(setting.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)
        reader = LineReader().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(reader.parameters(), setting.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, setting.rate, total_steps=setting.steps)
        fitted = [fitted_line(line) for line in lines]
        targets = [torch.tensor([int(digit) + 1 for digit in text]) for text in texts]
        order: list[int] = []
        for step in range(setting.steps):
            if len(order) < setting.batch:
                order = [*order, *torch.randperm(len(lines), generator=rng).tolist()]
            batch, order = order[: setting.batch], order[setting.batch :]
            reader.train()
            shifts = torch.randint(-_JITTER, _JITTER + 1, (len(batch),), generator=rng).tolist()
            images = _batch(
                [np.roll(fitted[i], shift, axis=0) for i, shift in zip(batch, shifts, strict=True)]
            )
            told = reader(images)
            loss = F.ctc_loss(
                told,
                torch.cat([targets[i] for i in batch]),
                torch.tensor([math.ceil(fitted[i].shape[1] / 2) for i in batch]),
                torch.tensor([len(targets[i]) for i in batch]),
                blank=_BLANK,
                zero_infinity=True,
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            yield step + 1, reader


@torch.inference_mode()
def texts_of_reader(reader: LineReader, lines: Sequence[Picture], batch: int = 50) -> list[str]:
    """What it reads in each line: at every place the most probable, repeats merged, blanks left out (best
    path decoding, Graves et al. 2006, section 3.2)."""
    reader.eval()
    texts = []
    for start in range(0, len(lines), batch):
        fitted = [fitted_line(line) for line in lines[start : start + batch]]
        best = reader(_batch(fitted)).argmax(dim=2).T.tolist()
        for line, places in zip(fitted, best, strict=True):
            path = places[: math.ceil(line.shape[1] / 2)]
            texts.append("".join(str(symbol - 1) for symbol, _ in groupby(path) if symbol != _BLANK))
    return texts


def fitted_line(line: Picture) -> Picture:
    """The line 36 pixels high: background above and below, or made smaller if it is higher."""
    height, width = line.shape
    if height > HEIGHT:
        narrow = max(1, round(width * HEIGHT / height))
        return np.asarray(Image.fromarray(line).resize((narrow, HEIGHT), Image.Resampling.BOX))
    above = (HEIGHT - height) // 2
    return np.pad(line, ((above, HEIGHT - height - above), (0, 0)))


def _batch(lines: Sequence[Picture]) -> Tensor:
    """[B, 1, 36, W] as wide as the widest, an even number of columns."""
    width = -(-max(line.shape[1] for line in lines) // 2) * 2
    images = np.zeros((len(lines), 1, HEIGHT, width), np.float32)
    for image, line in zip(images, lines, strict=True):
        image[0, :, : line.shape[1]] = line / np.float32(255)
    return torch.from_numpy(images)
