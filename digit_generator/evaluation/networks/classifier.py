"""The ruler's own networks: small convolutional classifiers, how they learn and what they say.

Images enter as float32 [B, 1, 28, 28] in [0, 1] (0 background, 1 ink): `pixels` divided by 255.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from digit_generator.evaluation import protocol
from digit_generator.evaluation.data import Digits, Pixels

FEATURES = 128

# Single precision means single precision on a GPU, too: TensorFloat-32 would move features by a thousandth.
torch.backends.cudnn.allow_tf32 = False


def device() -> torch.device:
    """Where networks learn and read: the first CUDA GPU, or else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Classifier(nn.Module):
    """images [B, 1, 28, 28] -> features [B, 128] (after the last ReLU) -> logits [B, classes]."""

    def __init__(self, body: nn.Sequential, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(images))
        return logits


def new_classifier(setting: protocol.Training, classes: int = 10) -> Classifier:
    """An untrained network of the setting's kind, its first weights fixed by the setting's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)
        body = _strided_body() if setting.network == "strided" else _pooled_body()
        network = Classifier(body, classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(device())  # type: ignore[no-any-return]


def training(network: Classifier, digits: Digits, setting: protocol.Training) -> Iterator[int]:
    """Train in place on `digits.labels`, yielding the number of epochs done after each one."""
    rng = torch.Generator().manual_seed(setting.seed)
    images, labels = images_from_pixels(digits.pixels), torch.from_numpy(digits.labels).to(device())
    optimizer = torch.optim.Adam(network.parameters(), setting.rate, weight_decay=setting.weight_decay)
    bfloat16 = setting.bfloat16 and has_bfloat16()
    steps = setting.epochs * math.ceil(len(digits) / setting.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(setting.epochs):
        network.train()
        for batch in torch.randperm(len(digits), generator=rng).split(setting.batch):
            batch = batch.to(device())
            seen = _distorted(images[batch], rng) if setting.augment else images[batch]
            with torch.autocast(device().type, torch.bfloat16, enabled=bfloat16):
                logits = network(seen)
            loss = F.cross_entropy(logits.float(), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        yield epoch + 1


def has_bfloat16() -> bool:
    """Whether the device multiplies in bfloat16 itself; emulation takes ten times as long as float32."""
    if device().type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


@torch.inference_mode()
def features_and_probabilities(
    network: Classifier, pixels: Pixels, batch: int = 500
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """features [N, 128] and probabilities [N, classes] (rows sum to 1) of pixels uint8 [N, 28, 28]."""
    network.eval()
    features = torch.cat([network.body(images_from_pixels(part)) for part in _parts(pixels, batch)])
    probabilities = torch.softmax(network.head(features), dim=1)
    return features.cpu().numpy(), probabilities.cpu().numpy()


def accuracy(network: Classifier, digits: Digits) -> float:
    """The share of `digits` that the network reads as their label."""
    _, probabilities = features_and_probabilities(network, digits.pixels)
    return float((probabilities.argmax(axis=1) == digits.labels).mean())


def save_classifier(network: Classifier, path: Path) -> None:
    """Write the weights as safetensors, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    save_file({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}, partial)
    partial.replace(path)


def load_classifier(path: Path, setting: protocol.Training) -> Classifier:
    """The classifier that `save_classifier` wrote."""
    network = new_classifier(setting)
    network.load_state_dict(load_file(path))
    return network.eval()


def images_from_pixels(pixels: Pixels) -> Tensor:
    """pixels uint8 [N, 28, 28], 0 to 255 -> images float32 [N, 1, 28, 28], 0 to 1, on the device."""
    return torch.from_numpy(pixels.astype(np.float32)).to(device())[:, None] / 255


def digest_of_classifier(network: Classifier) -> str:
    """SHA-256 over the weights, in hexadecimal."""
    parts = sha256()
    for name, tensor in network.state_dict().items():
        parts.update(name.encode() + tensor.contiguous().cpu().numpy().tobytes())
    return parts.hexdigest()


def _parts(pixels: Pixels, batch: int) -> Iterator[Pixels]:
    for start in range(0, len(pixels), batch):
        yield pixels[start : start + batch]


def _strided_body() -> nn.Sequential:
    """455,000 weights, cheap: two 5x5 convolutions of stride 2, then 128 units."""
    return nn.Sequential(
        *_convolution(1, 32, size=5, stride=2),  # [B, 32, 14, 14]
        *_convolution(32, 64, size=5, stride=2),  # [B, 64, 7, 7]
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, FEATURES),
        nn.ReLU(),
    )


def _pooled_body() -> nn.Sequential:
    """140,000 weights, more exact, six times the work: five 3x3 convolutions, then the mean over the
    image."""
    return nn.Sequential(
        *_convolution(1, 32),
        *_convolution(32, 32),
        nn.MaxPool2d(2),  # [B, 32, 14, 14]
        *_convolution(32, 64),
        *_convolution(64, 64),
        nn.MaxPool2d(2),  # [B, 64, 7, 7]
        *_convolution(64, FEATURES),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def _convolution(inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _distorted(images: Tensor, rng: torch.Generator) -> Tensor:
    """Each image turned by up to 10 degrees, slanted and scaled by up to a tenth, shifted by up to 2
    pixels."""
    turn, slant, wide, high, right, down = 2 * torch.rand(6, len(images), generator=rng).to(images.device) - 1
    turn = turn * math.pi / 18
    scale = torch.stack([1 + 0.1 * wide, 1 + 0.1 * high])
    cos, sin = turn.cos(), turn.sin()
    rows = [
        cos * scale[0],
        (0.1 * slant - sin) * scale[1],
        right / 7,
        sin * scale[0],
        cos * scale[1],
        down / 7,
    ]
    affine = torch.stack(rows, dim=1).view(-1, 2, 3)  # on coordinates from -1 to 1: 2 pixels are 1/7
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
