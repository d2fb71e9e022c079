"""Train a conditional GAN on MNIST and write `generator.pth`, from this one file.

    python mnist_gan_training.py                      # downloads MNIST, trains, writes generator.pth
    python mnist_gan_training.py --recipe classic     # the textbook recipe
    python mnist_gan_training.py --resume             # goes on after any interruption

Read it from the top: recipe -> data -> networks -> losses -> steps -> loop -> files -> command line.
It needs torch, numpy, tqdm and Pillow (matplotlib too, for the plot of the losses), and nothing else.

B is the batch size. Shapes, ranges:
    labels  int64 [B]                0...9
    z       float32 [B, 100]         N(0, I)
    images  float32 [B, 1, 28, 28]   [-1, 1]: -1 background, +1 ink
    pixels  uint8 [B, 28, 28]        0 background ... 255 ink, as in MNIST's files
    logits  float32 [B]              the discriminator's raw score, higher = more real
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import gzip
import hashlib
import io
import json
import math
import os
import platform
import struct
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image, ImageDraw
    from torch import Tensor, nn
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
    from tqdm import tqdm
except ImportError as error:
    print(f"Training needs {error.name}: pip install torch numpy tqdm pillow matplotlib", file=sys.stderr)
    sys.exit(2)


class TrainingError(Exception):
    """What stops a run, as one sentence for the person who started it."""


# ---------------------------------------------------------------------------------------------- recipe


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how the generator learns; the loop below has no other settings."""

    epochs: int  # passes over the training images
    batch_size: int  # images per step, as many real as generated
    learning_rate: float  # Adam's step size, for both sides
    final_rate_share: float  # the rate falls by a cosine to this share of itself; 1 = constant
    restart_after: int  # epochs until the rate starts again, to fall until the end; 0 = never
    beta1: float  # Adam's memory of the gradient
    beta2: float  # Adam's memory of its square
    discriminators: tuple[str, ...]  # names in DISCRIMINATORS; their losses are added
    dropout: float  # in the dense discriminator; 0 = off
    spread_until: int  # epochs in which the dense discriminator sees how much a batch varies; 0 = never
    penalty: float  # gamma of R1 and R2, per squared unit of an image in [-1, 1]; 0 = off
    penalty_every: int  # steps between penalties, each as many times heavier; 1 = every step
    shifted_share: float  # of all images, moved by up to a pixel once the rate has started again; 0 = off
    average_decay: float  # per step, of the generator's averaged weights; 0 = off, the last weights count
    bfloat16: bool  # matrix products in bfloat16 where the processor has it; weights stay float32


RECIPES = {
    # The textbook: DCGAN's Adam (Radford et al. 2016: 2e-4, beta1 0.5), dropout to slow the discriminator.
    "classic": Recipe(
        epochs=50,
        batch_size=128,
        learning_rate=2e-4,
        final_rate_share=1.0,
        restart_after=0,
        beta1=0.5,
        beta2=0.999,
        discriminators=("dense",),
        dropout=0.3,
        spread_until=0,
        penalty=0.0,
        penalty_every=1,
        shifted_share=0.0,
        average_decay=0.0,
        bfloat16=False,
    ),
    # Gradient penalties on both sides make the game converge (Mescheder et al. 2018, Huang et al. 2024), so
    # no dropout and no momentum; a convolutional discriminator sees strokes where the dense one sees styles;
    # a sinking rate and averaged weights take the wobble out of the end. At first the dense one is also shown
    # how much a batch varies, which brings in the rare styles (Karras et al. 2018). From the second start of
    # the rate on it is not, which cleans the strokes, and images are shifted, lest the discriminators learn
    # them by heart.
    "best": Recipe(
        epochs=120,
        batch_size=128,
        learning_rate=6e-4,
        final_rate_share=0.05,
        restart_after=70,
        beta1=0.0,
        beta2=0.99,
        discriminators=("dense", "convolutional"),
        dropout=0.0,
        spread_until=70,
        penalty=0.5,
        penalty_every=4,
        shifted_share=0.5,
        average_decay=0.999,
        bfloat16=True,
    ),
}
DEFAULT_RECIPE = "best"


# ------------------------------------------------------------------------------------------------ data

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DATA_SHA256 = {  # of the decompressed bytes
    TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    # Not trained on: downloaded with the others for those who measure.
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def load_mnist(data_dir: Path) -> tuple[Tensor, Tensor]:
    """MNIST's training set: pixels uint8 [60000, 28, 28] and labels int64 [60000].

    When `data_dir` lacks one of its files, MNIST is downloaded into it. Raises TrainingError when a file is
    not MNIST's, or cannot be had.
    """
    names = TRAIN_IMAGES, TRAIN_LABELS
    if not all(path_of_idx(data_dir, name).exists() for name in names):
        download_mnist(data_dir)
    pixels, labels = (array_from_idx(checked_bytes(path_of_idx(data_dir, name), name)) for name in names)
    return torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))


def download_mnist(data_dir: Path) -> None:
    """Fetch those of MNIST's four files that `data_dir` lacks. Raises TrainingError if one cannot be had."""
    for name in DATA_SHA256:
        path = path_of_idx(data_dir, name)
        if not path.exists():
            download(name, path)


def path_of_idx(data_dir: Path, name: str) -> Path:
    """Where one of MNIST's files is, plain or gzipped, or where its gzipped form would be downloaded to."""
    plain = data_dir / name
    return plain if plain.exists() else data_dir / f"{name}.gz"


def checked_bytes(path: Path, name: str) -> bytes:
    """The decompressed bytes of one of MNIST's files. Raises TrainingError when they are not MNIST's."""
    content = decompressed(path.read_bytes())
    if not is_mnists(content, name):
        raise TrainingError(
            f"{path} is not MNIST's {name} (its SHA-256 differs): delete it to download it again."
        )
    return content


def is_mnists(content: bytes, name: str) -> bool:
    return hashlib.sha256(content).hexdigest() == DATA_SHA256[name]


def download(name: str, path: Path) -> None:
    """Fetch one file into `path`, from the first mirror that has it whole."""
    failures = []
    for mirror in MIRRORS:
        url = f"{mirror}{name}.gz"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                size = int(response.headers.get("Content-Length", 0)) or None
                received = io.BytesIO()
                with tqdm(total=size, desc=f"{name}.gz", unit="B", unit_scale=True) as bar:
                    while chunk := response.read(1 << 16):
                        received.write(chunk)
                        bar.update(len(chunk))
        except (urllib.error.URLError, OSError) as error:
            failures.append(f"{url}: {error}")
            continue
        if is_mnists(decompressed(received.getvalue()), name):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, received.getvalue())
            return
        failures.append(f"{url}: not the file that MNIST published")
    raise TrainingError(
        f"{name} could not be downloaded ({'; '.join(failures)}): put MNIST's four files into a folder "
        "and name it with --data-dir."
    )


def decompressed(content: bytes) -> bytes:
    """Gzipped bytes unpacked, other bytes as they are; nothing from a broken gzip file."""
    try:
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error):
        return b""


def array_from_idx(content: bytes) -> np.ndarray:
    """An IDX file of unsigned bytes -> uint8 array. Format: 0, 0, 8, number of axes, their lengths, data."""
    axes = content[3]
    shape = struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])
    return np.frombuffer(bytearray(content[4 + 4 * axes :]), np.uint8).reshape(shape)


def images_from_pixels(pixels: Tensor) -> Tensor:
    """uint8 [B, 28, 28] in 0...255 -> float32 [B, 1, 28, 28] in [-1, 1]."""
    return pixels.unsqueeze(1).float() / 127.5 - 1


def pixels_from_images(images: Tensor) -> Tensor:
    """float [B, 1, 28, 28] in [-1, 1] -> uint8 [B, 28, 28] in 0...255, the nearest grey level."""
    return ((images.squeeze(1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


# -------------------------------------------------------------------------------------------- networks


class Generator(nn.Module):
    """(z [B, 100], labels [B]) -> images [B, 1, 28, 28]."""

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

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        conditioned = torch.cat([z, self.label_emb(labels)], dim=1)  # [B, 200]
        return self.model(conditioned).view(-1, 1, 28, 28)


class Discriminator(nn.Module):
    """(images [B, 1, 28, 28], labels [B]) -> logits [B], whose sigmoid is the probability of "real".

    While `sees_spread`, it also sees how much a batch varies; images are then `batches` of one size, one
    after the other.
    """

    def __init__(self, dropout: float, sees_spread: bool = False) -> None:
        super().__init__()
        self.sees_spread = sees_spread
        self.label_emb = nn.Embedding(10, 784)
        self.model = nn.Sequential(
            nn.Linear(1568, 1024),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(1024, 512),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(512, 256),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(256, 1),
        )
        if sees_spread:
            self.spread = nn.Linear(1, 256)

    def forward(self, images: Tensor, labels: Tensor, batches: int = 1) -> Tensor:
        conditioned = torch.cat([images.flatten(1), self.label_emb(labels)], dim=1)  # [B, 1568]
        if not self.sees_spread:
            return self.model(conditioned).squeeze(1)
        features = self.model[:5](conditioned)  # [B, 512]
        hidden = self.model[5:9](features)  # [B, 256]
        hidden = hidden + self.spread(batch_spread(features.float(), labels, batches))
        return self.model[9](hidden).squeeze(1)


def batch_spread(features: Tensor, labels: Tensor, batches: int) -> Tensor:
    """How much the images of a batch vary within a digit: features [B, K] -> [B, 1], one number per batch.

    The standard deviation over a batch, mean over the features (Karras et al. 2018, arXiv:1710.10196,
    section 3), here about the mean of each image's own digit.
    """
    spreads = []
    for part, digits in zip(features.chunk(batches), labels.chunk(batches), strict=True):
        same_digit = (digits[:, None] == digits).float()  # [b, b]
        centred = part - same_digit / same_digit.sum(dim=1, keepdim=True) @ part
        spread = (centred.square().mean(dim=0) + 1e-6).sqrt().mean()
        spreads.append(spread.expand(len(part), 1))
    return torch.cat(spreads)


class ConvolutionalDiscriminator(nn.Module):
    """(images [B, 1, 28, 28], labels [B]) -> logits [B], the label as a second input plane.

    A label that joins only behind the convolutions made the generator collapse to one image per digit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(10, 784)
        self.model = nn.Sequential(
            nn.Conv2d(2, 16, kernel_size=5, stride=2, padding=2),  # -> [B, 16, 14, 14]
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, kernel_size=5, stride=2, padding=2),  # -> [B, 32, 7, 7]
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 128),
            nn.LeakyReLU(0.2),
            nn.Linear(128, 1),
        )

    def forward(self, images: Tensor, labels: Tensor, batches: int = 1) -> Tensor:
        planes = torch.cat([images, self.label_emb(labels).view(-1, 1, 28, 28)], dim=1)  # [B, 2, 28, 28]
        return self.model(planes).squeeze(1)


DISCRIMINATORS: dict[str, Callable[[Recipe], nn.Module]] = {
    "dense": lambda recipe: Discriminator(recipe.dropout, sees_spread=recipe.spread_until > 0),
    "convolutional": lambda recipe: ConvolutionalDiscriminator(),
}


# ---------------------------------------------------------------------------------------------- losses


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross entropy of sigmoid(logits), targets 1 for real and 0 for fake (Goodfellow et al. 2014, eq. 1).

    -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x), which never overflow.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Cross entropy with target 1 for fake: the non-saturating loss (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake_logits).mean()


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Half the mean squared norm of d logit / d image over real and fake, times 2: R1 + R2 at gamma = 1.

    R1 = gamma/2 E_real |grad D|^2 and R2 = gamma/2 E_fake |grad D|^2 (Mescheder et al. 2018, eq. 9 and 10).
    `images` holds as many real as fake, so that the sum of both means is twice the mean over all.
    """
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients.flatten(1).square().sum(dim=1).mean()


# ----------------------------------------------------------------------------------------------- steps


def shifted(images: Tensor, share: float) -> Tensor:
    """images [B, 1, 28, 28], a random `share` of them moved by -1, 0 or 1 pixels along either axis.

    Real and generated alike, so that the generator does not learn to shift (Karras et al. 2020, "Training
    Generative Adversarial Networks with Limited Data", section 2.2). What leaves at an edge comes in at the
    other; 1.4 % of MNIST's training images have ink at an edge.
    """
    device = images.device
    moved = torch.rand(len(images), 1, device=device) < share
    moves = torch.randint(-1, 2, (len(images), 2), device=device) * moved
    places = (moves[:, :, None] + torch.arange(28, device=device)) % 28  # [B, 2, 28]
    sources = 28 * places[:, 0, :, None] + places[:, 1, None, :]  # [B, 28, 28]
    return images.flatten(1).gather(1, sources.flatten(1)).view_as(images)


# What a step tells: the losses of both sides (nats), and the mean probability of "real" that the
# discriminator gives to real and to generated images.
FIGURES = ("loss_d", "loss_g", "p_real", "p_fake")


class Training:
    """Two players and all that they need to go on from where they stand."""

    def __init__(self, recipe: Recipe, seed: int, device: torch.device, steps: int) -> None:
        torch.manual_seed(seed)
        self.recipe, self.device, self.steps = recipe, device, steps
        self.generator = Generator().to(device)
        self.discriminators = nn.ModuleList(DISCRIMINATORS[d](recipe) for d in recipe.discriminators).to(
            device
        )
        self.generator_optimizer = self.adam(self.generator)
        self.discriminator_optimizer = self.adam(self.discriminators)
        self.average = (
            AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(recipe.average_decay))
            if recipe.average_decay
            else None
        )
        self.step_number = 0  # finished steps
        first_epochs = min(recipe.restart_after or recipe.epochs, recipe.epochs)
        self.restart_step = steps * first_epochs // recipe.epochs  # `steps` if there is none
        self.spread_steps = steps * recipe.spread_until // recipe.epochs

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        recipe = self.recipe
        return torch.optim.Adam(
            network.parameters(),
            recipe.learning_rate,
            (recipe.beta1, recipe.beta2),
            fused=self.device.type != "mps",
        )

    def learning_rate(self) -> float:
        """The rate of the step to come: a cosine from `learning_rate` to its `final_rate_share`.

        It may start again once (Loshchilov and Hutter 2017, eq. 5).
        """
        first, last = 0, self.restart_step
        if self.restart_step <= self.step_number < self.steps:
            first, last = self.restart_step, self.steps
        fall = (1 + math.cos(math.pi * (self.step_number - first) / (last - first))) / 2
        share = self.recipe.final_rate_share
        return self.recipe.learning_rate * (share + (1 - share) * fall)

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.recipe.bfloat16 and has_bfloat16(self.device)
        )

    def step(self, real_images: Tensor, labels: Tensor) -> Tensor:
        """Both players move once, on one batch of generated images. Returns the figures named in FIGURES."""
        for optimizer in (self.discriminator_optimizer, self.generator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate()

        for discriminator in self.discriminators:
            if isinstance(discriminator, Discriminator) and self.step_number >= self.spread_steps:
                discriminator.sees_spread = False

        # Generate one image for each real one, with the same labels.
        z = torch.randn(len(labels), 100, device=self.device)
        with self.precision():
            fake_images = self.generator(z, labels).float()
        if self.recipe.shifted_share and self.step_number >= self.restart_step:
            real_images, fake_images = (
                shifted(images, self.recipe.shifted_share) for images in (real_images, fake_images)
            )

        loss_d, real_logits, fake_logits = self.discriminator_step(real_images, fake_images.detach(), labels)
        loss_g = self.generator_step(fake_images, labels)
        if self.average is not None:
            self.average.update_parameters(self.generator)
        self.step_number += 1
        p_real, p_fake = torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()
        return torch.stack([loss_d, loss_g, p_real, p_fake]).detach()

    def discriminator_step(
        self, real_images: Tensor, fake_images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Update the discriminators: real up, fake down. Returns the loss and the last one's logits."""
        penalised = self.recipe.penalty > 0 and self.step_number % self.recipe.penalty_every == 0
        images = torch.cat([real_images, fake_images]).requires_grad_(penalised)  # [2B, 1, 28, 28]
        adversarial = penalty = torch.zeros((), device=self.device)
        with self.precision():
            for discriminator in self.discriminators:
                logits = discriminator(images, labels.repeat(2), batches=2).float()
                real_logits, fake_logits = logits.chunk(2)
                adversarial = adversarial + discriminator_loss(real_logits, fake_logits)
                if penalised:
                    penalty = penalty + self.recipe.penalty * gradient_penalty(logits, images)
        self.discriminator_optimizer.zero_grad()
        (adversarial + self.recipe.penalty_every * penalty).backward()
        self.discriminator_optimizer.step()
        return adversarial, real_logits, fake_logits

    def generator_step(self, fake_images: Tensor, labels: Tensor) -> Tensor:
        """Update the generator: fake up."""
        adversarial = torch.zeros((), device=self.device)
        self.discriminators.requires_grad_(False)
        with self.precision():
            for discriminator in self.discriminators:
                logits = discriminator(fake_images, labels).float()
                adversarial = adversarial + generator_loss(logits)
        self.generator_optimizer.zero_grad()
        adversarial.backward()
        self.generator_optimizer.step()
        self.discriminators.requires_grad_(True)
        return adversarial

    def drawing_generator(self) -> Generator:
        """The generator as it would ship now, in evaluation mode: the average if there is one, else the last.

        An average has no batch-norm statistics of its own: they are measured afresh, on 20,480 z.
        """
        if self.average is None:
            return copy.deepcopy(self.generator).eval()
        averaged: Generator = copy.deepcopy(self.average.module)
        for module in averaged.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
                module.momentum = None  # a plain mean over all batches
        averaged.train()
        with unchanged_randomness(self.device), torch.no_grad():
            torch.manual_seed(0)
            labels = torch.arange(512, device=self.device) % 10
            for _ in range(40):
                averaged(torch.randn(len(labels), 100, device=self.device), labels)
        return averaged.eval()

    def state(self) -> dict[str, Any]:
        """All that later steps depend on, as tensors and plain values."""
        return {
            "step_number": self.step_number,
            "generator": self.generator.state_dict(),
            "discriminators": self.discriminators.state_dict(),
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Stand where `state()` was taken."""
        self.step_number = state["step_number"]
        self.generator.load_state_dict(state["generator"])
        self.discriminators.load_state_dict(state["discriminators"])
        self.generator_optimizer.load_state_dict(state["generator_optimizer"])
        self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)


# ------------------------------------------------------------------------------------------------ loop


def train(
    training: Training,
    pixels: Tensor,
    labels: Tensor,
    history: list[dict[str, float]],
    finish_epoch: Callable[[Generator], None],
) -> None:
    """Train from the end of `history` to the recipe's last epoch, adding one row of figures per epoch.

    pixels uint8 [N, 28, 28], labels int64 [N], both on the training's device. `finish_epoch` is called
    after every epoch, with the generator as it would ship. Raises TrainingError at a loss that is not finite.
    """
    recipe, device = training.recipe, training.device
    steps = len(pixels) // recipe.batch_size  # per epoch; the few images left over differ from epoch to epoch
    real_spread = spread_within_digits(pixels, labels)
    finished, total = len(history) * steps * recipe.batch_size, recipe.epochs * steps * recipe.batch_size
    with tqdm(total=total, initial=finished, unit=" images", unit_scale=True, mininterval=0.5) as bar:
        for epoch in range(len(history) + 1, recipe.epochs + 1):
            started, figures, unread = time.perf_counter(), [], []
            order = torch.randperm(len(pixels)).to(device)
            for batch in order[: steps * recipe.batch_size].view(steps, -1):
                unread.append(training.step(images_from_pixels(pixels[batch]), labels[batch]))
                bar.update(recipe.batch_size)
                # Read the figures now and then: to read them at every step would make a GPU wait.
                if len(unread) == 50 or training.step_number % steps == 0:
                    figures += finite_figures(unread, training.step_number)
                    unread.clear()
                    loss_d, loss_g, *_ = figures[-1]
                    bar.set_postfix_str(f"epoch {epoch}/{recipe.epochs}, loss D {loss_d:.3f}, G {loss_g:.3f}")
            generator = training.drawing_generator()
            spread = spread_within_digits(*grid(generator, seeds=range(50)))
            seconds = time.perf_counter() - started
            means = np.mean(figures, axis=0).round(5).tolist()
            history.append(
                {
                    "epoch": epoch,
                    "steps": training.step_number,
                    **dict(zip(FIGURES, means, strict=True)),
                    "spread": round(spread / real_spread, 4),  # within a digit, over real; near 0: collapse
                    "seconds": round(seconds, 2),
                    "images_per_second": round(steps * recipe.batch_size / seconds),
                }
            )
            finish_epoch(generator)


def finite_figures(unread: list[Tensor], last_step: int) -> list[list[float]]:
    """The figures of the steps up to `last_step` as numbers. Raises TrainingError at a nan or inf."""
    figures: list[list[float]] = torch.stack(unread).tolist()
    for step, (loss_d, loss_g, *_) in enumerate(figures, start=last_step - len(figures) + 1):
        if not (math.isfinite(loss_d) and math.isfinite(loss_g)):
            raise TrainingError(
                f"The losses of step {step} are not finite (D {loss_d}, G {loss_g}): try half the "
                "--learning-rate, or another --seed."
            )
    return figures


def spread_within_digits(pixels: Tensor, labels: Tensor) -> float:
    """Standard deviation of a pixel among images of one digit, in grey levels, over all pixels and digits."""
    variances = [pixels[labels == digit].float().var(dim=0).mean() for digit in labels.unique()]
    return float(torch.stack(variances).mean().sqrt())


@torch.no_grad()
def grid(generator: Generator, seeds: range) -> tuple[Tensor, Tensor]:
    """Every digit with every seed: pixels uint8 [10 S, 28, 28], digit by digit, and labels [10 S].

    A seed gives the z that the drawing package gives it, so that a sheet here shows what the page will draw.
    """
    device = next(generator.parameters()).device
    latents = np.stack([np.random.RandomState(seed).standard_normal(100) for seed in seeds])
    z = torch.from_numpy(latents).float().to(device).repeat(10, 1)
    labels = torch.arange(10, device=device).repeat_interleave(len(seeds))
    return pixels_from_images(generator(z, labels)), labels


@contextlib.contextmanager
def unchanged_randomness(device: torch.device) -> Iterator[None]:
    """Random numbers drawn inside leave the run's own stream where it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


# ----------------------------------------------------------------------------------------------- files


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def bytes_from_state(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def half_precision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floating tensors as float16, counters as they are. Raises TrainingError where float16 overflows."""
    halves = {
        name: value.cpu().half() if value.is_floating_point() else value.cpu()
        for name, value in state.items()
    }
    for name, value in halves.items():
        if not value.isfinite().all():
            raise TrainingError(
                f"{name} overflows half precision, so nothing was written: try another --seed."
            )
    return halves


def write_generator(path: Path, generator: Generator, provenance: dict[str, Any]) -> None:
    """Write `generator.pth`, a plain state_dict in half precision, and beside it where it comes from."""
    weights = bytes_from_state(half_precision(generator.state_dict()))
    provenance = {
        **provenance,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "weights_bytes": len(weights),
    }
    write_whole(path, weights)
    write_whole(path.with_suffix(".json"), json.dumps(provenance, indent=2).encode() + b"\n")


def write_sheet(path: Path, generator: Generator, pixels: Tensor, labels: Tensor) -> None:
    """A row per digit: seeds 0...9 generated, and the first five real ones beside."""
    cell, scale, margin = 30, 2, 14
    fake_pixels, _ = grid(generator, range(10))
    canvas = np.full((margin + 10 * cell, 16 * cell), 255, np.uint8)
    for digit in range(10):
        real_pixels = pixels[(labels == digit).nonzero()[:5, 0]]
        row = [*fake_pixels[digit * 10 : digit * 10 + 10].cpu().numpy(), *real_pixels.cpu().numpy()]
        for column, image in enumerate(row):
            left, top = cell * column + (cell if column >= 10 else 0), margin + cell * digit
            canvas[top : top + 28, left : left + 28] = image
    picture = Image.fromarray(canvas).resize(
        (canvas.shape[1] * scale, canvas.shape[0] * scale), Image.Resampling.NEAREST
    )
    draw = ImageDraw.Draw(picture)
    draw.text((4, 6), "generated, seeds 0 to 9", fill=0, font_size=16)
    draw.text((11 * cell * scale, 6), "real", fill=0, font_size=16)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    write_whole(path, buffer.getvalue())


def write_loss_plot(path: Path, history: list[dict[str, float]]) -> None:
    """Both losses over the epochs, if matplotlib is there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("No plot of the losses: pip install matplotlib to have one.")
        return
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for key, name in (("loss_d", "discriminator"), ("loss_g", "generator")):
        axes.plot([row["epoch"] for row in history], [row[key] for row in history], label=name)
    axes.set(xlabel="epoch", ylabel="cross entropy, mean over the epoch (nats)")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_whole(path, buffer.getvalue())


# ---------------------------------------------------------------------------------------- command line


def main(arguments: list[str] | None = None) -> None:
    options = parsed(arguments)
    try:
        run(options)
    except TrainingError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(
            f"{error}. When that is mended, --resume goes on from the last finished epoch.", file=sys.stderr
        )
        sys.exit(2)


def run(options: argparse.Namespace) -> None:
    """From settings to generator.pth."""
    if options.download:
        download_mnist(options.data_dir)
        print(f"MNIST is in {options.data_dir}.")
        return
    folder = options.out / "training"
    checkpoint_path = folder / "checkpoint.pth"
    checkpoint = read_checkpoint(checkpoint_path, options.resume)
    settings = settings_from_options(options, checkpoint)
    recipe = Recipe(**settings["recipe"])
    device = chosen_device(options.device)

    pixels, labels = load_mnist(options.data_dir)
    count = len(pixels) - settings["held_out"]
    pixels, labels = pixels[:count].to(device), labels[:count].to(device)
    if recipe.batch_size > count:
        raise TrainingError(
            f"A batch of {recipe.batch_size} is more than the {count} images: lower --batch-size."
        )

    folder.mkdir(parents=True, exist_ok=True)
    training = Training(recipe, settings["seed"], device, recipe.epochs * (count // recipe.batch_size))
    history: list[dict[str, float]] = []
    if checkpoint is not None:
        training.restore(checkpoint["training"])
        history = checkpoint["history"]

    def finish_epoch(generator: Generator) -> None:
        epoch = len(history)
        if epoch in (1, 2, 5) or epoch % 10 == 0 or epoch == recipe.epochs:
            write_sheet(folder / f"epoch-{epoch:03}.png", generator, pixels, labels)
        write_whole(folder / "losses.jsonl", "".join(json.dumps(row) + "\n" for row in history).encode())
        state = {"settings": settings, "history": history, "training": training.state()}
        write_whole(checkpoint_path, bytes_from_state(state))

    def provenance() -> dict[str, Any]:
        return {
            **settings,
            "epochs": len(history),
            "steps": training.step_number,
            "images": count,
            "seconds": round(sum(row["seconds"] for row in history)),
            "device": device_name(device),
            "threads": torch.get_num_threads(),
            "data_sha256": {name: DATA_SHA256[name] for name in (TRAIN_IMAGES, TRAIN_LABELS)},
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
        }

    print(
        f"Training on {device_name(device)}: {count} images, {recipe.epochs} epochs, seed {settings['seed']}"
    )
    try:
        train(training, pixels, labels, history, finish_epoch)
    except KeyboardInterrupt:
        write_generator(folder / "generator.pth", training.drawing_generator(), provenance())
        print(
            f"\nStopped after {len(history)} finished epochs. The generator as it is now is in "
            f"{folder / 'generator.pth'}; to go on from the last finished epoch, add --resume.",
            file=sys.stderr,
        )
        sys.exit(130)
    write_loss_plot(folder / "losses.png", history)
    write_generator(options.out / "generator.pth", training.drawing_generator(), provenance())
    print(f"Wrote {options.out / 'generator.pth'}. Draw with it: streamlit run app.py")


def read_checkpoint(path: Path, resume: bool) -> dict[str, Any] | None:
    """The checkpoint to go on from, or None to start afresh. Raises TrainingError rather than lose a run."""
    if not path.exists():
        return None
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise TrainingError(
            f"{path} cannot be read ({type(error).__name__}): delete it to start afresh."
        ) from error
    recipe = checkpoint["settings"]["recipe"]
    strange = sorted(recipe.keys() ^ {field.name for field in dataclasses.fields(Recipe)})
    if resume and strange:
        raise TrainingError(
            f"{path} is of a run by another version of this file, whose recipes differ in "
            f"{', '.join(strange)}: go on with that version, or delete it to start afresh."
        )
    done, epochs = len(checkpoint["history"]), recipe["epochs"]
    if resume:
        return checkpoint
    if done < epochs:
        raise TrainingError(
            f"{path} holds {done} of {epochs} epochs of an unfinished run: add --resume to go on, or delete "
            "it to start afresh."
        )
    return None


def settings_from_options(options: argparse.Namespace, checkpoint: dict[str, Any] | None) -> dict[str, Any]:
    """What decides the result: recipe, seed, images held out. Nothing may contradict a checkpoint's."""
    asked = {"recipe_name": options.recipe, "seed": options.seed, "held_out": options.held_out}
    asked = {name: value for name, value in asked.items() if value is not None}
    changes = dict(options.set)
    for name in ("epochs", "batch_size", "learning_rate"):
        if getattr(options, name) is not None:
            changes[name] = getattr(options, name)

    if checkpoint is None:
        settings = {"recipe_name": DEFAULT_RECIPE, "seed": 0, "held_out": 0, **asked}
        recipe = dataclasses.replace(RECIPES[settings["recipe_name"]], **changes)
        check(recipe)
        return {**settings, "recipe": dataclasses.asdict(recipe)}
    settings = checkpoint["settings"]
    for name, value in {**asked, **changes}.items():
        before = settings["recipe"].get(name, settings.get(name))
        if before != value:
            raise TrainingError(
                f"The run to resume has {name} {before}, not {value}: leave that out to go on with it, or "
                "delete its checkpoint to start afresh."
            )
    return settings


def check(recipe: Recipe) -> None:
    """Raises TrainingError at the first setting that cannot be trained with."""
    share, positive = (0.0, 1.0), (0.0, math.inf)
    ranges = {
        "epochs": (1, math.inf),
        "batch_size": (2, math.inf),  # one image alone has no batch statistics
        "learning_rate": (1e-9, 1.0),
        "final_rate_share": share,
        "beta1": (0.0, 0.99999),
        "beta2": (0.0, 0.99999),
        "restart_after": (0, math.inf),
        "spread_until": (0, math.inf),
        "dropout": share,
        "penalty": positive,
        "penalty_every": (1, math.inf),
        "shifted_share": share,
        "average_decay": share,
    }
    for name, (low, high) in ranges.items():
        value = getattr(recipe, name)
        if not low <= value <= high:
            raise TrainingError(f"{name} is {value}: choose it between {low} and {high}.")
    for name in recipe.discriminators:
        if name not in DISCRIMINATORS:
            raise TrainingError(f"There is no discriminator {name}: choose from {', '.join(DISCRIMINATORS)}.")


def chosen_device(name: str | None) -> torch.device:
    """The device asked for, else CUDA, else Apple's, else the CPU."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    kind = name.split(":")[0] if name else next(kind for kind, there in available.items() if there)
    if not available.get(kind):
        there = ", ".join(kind for kind, is_there in available.items() if is_there)
        raise TrainingError(f"There is no device {name} here: choose --device from {there}.")
    return torch.device(name or kind)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the processor multiplies in bfloat16 itself; emulation would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a conditional GAN on MNIST and write generator.pth.")
    add = parser.add_argument
    add("--recipe", choices=RECIPES, help=f"how to learn (default: {DEFAULT_RECIPE})")
    add(
        "--data-dir",
        type=Path,
        default=Path("mnist"),
        help="MNIST's files; downloaded into it if missing (default: mnist)",
    )
    add("--download", action="store_true", help="only fetch MNIST's four files, as far as they are missing")
    add(
        "--out",
        type=Path,
        default=Path(),
        help="folder for generator.pth, and training/ with all else (default: .)",
    )
    add("--epochs", type=int, help="passes over the images, instead of the recipe's")
    add("--batch-size", type=int, help="images per step, instead of the recipe's")
    add("--learning-rate", type=float, help="Adam's step size, instead of the recipe's")
    add(
        "--set",
        type=recipe_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting of the recipe",
    )
    add("--seed", type=seed_number, help="of all randomness (default: 0)")
    add(
        "--held-out",
        type=held_out_count,
        help="leave out this many of the last images, to measure on them (default: 0)",
    )
    add("--device", help="cuda, mps or cpu (default: the first of them that is there)")
    add("--resume", action="store_true", help="go on from the last finished epoch of training/checkpoint.pth")
    return parser.parse_args(arguments)


def seed_number(text: str) -> int:
    return ranged_integer(text, 0, 2**32 - 1)


def held_out_count(text: str) -> int:
    return ranged_integer(text, 0, 59_000)


def ranged_integer(text: str, low: int, high: int) -> int:
    number = int(text)
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
    return number


def recipe_setting(text: str) -> tuple[str, Any]:
    """ "penalty=0.3" -> ("penalty", 0.3), by the type that the setting has in the recipes."""
    name, _, value = text.partition("=")
    example = dataclasses.asdict(RECIPES[DEFAULT_RECIPE]).get(name)
    if example is None:
        names = ", ".join(field.name for field in dataclasses.fields(Recipe))
        raise argparse.ArgumentTypeError(f"{name} is not a setting of a recipe; those are {names}")
    if isinstance(example, tuple):
        return name, tuple(value.split(","))
    if isinstance(example, bool):
        if value not in ("true", "false"):
            raise argparse.ArgumentTypeError(f"{name} is true or false, not {value}")
        return name, value == "true"
    return name, type(example)(value)


if __name__ == "__main__":
    main()
