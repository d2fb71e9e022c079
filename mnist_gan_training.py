"""Train a conditional GAN on MNIST and write `generator.pth`, from this one file.

    python mnist_gan_training.py                      # download MNIST, train, write generator.pth
    python mnist_gan_training.py --recipe classic     # train with the textbook settings
    python mnist_gan_training.py --resume             # continue after an interruption

Read it from the top: settings, networks, losses, steps, loop, images, MNIST's files, output files, command
line. The file needs torch, numpy, tqdm and Pillow, and matplotlib to plot the losses.

B is the batch size. Shapes and ranges:
    labels  int64 [B]                0 to 9
    z       float32 [B, 100]         N(0, I)
    images  float32 [B, 1, 28, 28]   [-1, 1]: -1 background, +1 ink
    pixels  uint8 [B, 28, 28]        0 background to 255 ink, as in MNIST's files
    logits  float32 [B]              the discriminator's raw score; higher means more real
"""

from __future__ import annotations

import os
import signal
import sys

if __name__ == "__main__":

    def stop_importing(*_: object) -> None:
        print("\nStopped before training began.", file=sys.stderr, flush=True)
        os._exit(130)

    # Stop at once on Ctrl-C during the imports: an exception inside PyTorch's import would crash the program.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop_importing)

import argparse
import contextlib
import copy
import dataclasses
import errno
import gzip
import hashlib
import http.client
import io
import json
import math
import platform
import struct
import time
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
    needed = error.name or error
    print(f"Training needs {needed}: pip install torch numpy tqdm pillow matplotlib", file=sys.stderr)
    sys.exit(2)


class TrainingError(Exception):
    """An error that ends the run; its message is one sentence for the person who started it."""


# -------------------------------------------------------------------------------------------- settings


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of a run. Nothing else decides how the generator learns, except the seed."""

    epochs: int  # passes over the training images
    batch_size: int  # real images per step; as many images are generated
    learning_rate: float  # Adam's learning rate, for the generator and the discriminators
    final_rate_share: float  # a cosine lowers the learning rate to this share of it; 1 = constant
    restart_after: int  # epochs until the learning rate starts again from the top; 0 = never
    beta1: float  # Adam's decay of the mean gradient
    beta2: float  # Adam's decay of the mean squared gradient
    discriminators: tuple[str, ...]  # names in DISCRIMINATORS; their losses are added
    dropout: float  # dropout probability in the dense discriminator; 0 = off
    penalty: float  # gamma of the gradient penalties R1 and R2, for images in [-1, 1]; 0 = off
    penalty_every: int  # steps from one penalty to the next; each is multiplied by this number
    average_decay: float  # decay per step of the generator's averaged weights; 0 = save the last weights
    bfloat16: bool  # autocast to bfloat16 where the processor supports it; the weights stay float32


# A recipe is a named set of settings.
RECIPES = {
    # The textbook settings: Adam as in DCGAN (Radford et al. 2016: 2e-4, beta1 0.5), and dropout to slow the
    # discriminator down.
    "classic": Settings(
        epochs=50,
        batch_size=128,
        learning_rate=2e-4,
        final_rate_share=1.0,
        restart_after=0,
        beta1=0.5,
        beta2=0.999,
        discriminators=("dense",),
        dropout=0.3,
        penalty=0.0,
        penalty_every=1,
        average_decay=0.0,
        bfloat16=False,
    ),
    # Gradient penalties on real and generated images make the training converge (Mescheder et al. 2018, Huang
    # et al. 2024), so this recipe needs no dropout and no momentum. The dense discriminator judges the whole
    # image, and the convolutional one judges the strokes. The falling learning rate and the averaged weights
    # remove the noise of the last steps. The restart of the learning rate brings in more of the rare styles.
    "best": Settings(
        epochs=160,
        batch_size=128,
        learning_rate=6e-4,
        final_rate_share=0.05,
        restart_after=100,
        beta1=0.0,
        beta2=0.99,
        discriminators=("dense", "convolutional"),
        dropout=0.0,
        penalty=0.5,
        penalty_every=4,
        average_decay=0.999,
        bfloat16=True,
    ),
}
DEFAULT_RECIPE = "best"


# -------------------------------------------------------------------------------------------- networks


class Generator(nn.Module):
    """(z float32 [B, 100], labels int64 [B]) -> images float32 [B, 1, 28, 28] in [-1, 1]."""

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
        inputs = torch.cat([z, self.label_emb(labels)], dim=1)  # [B, 200]
        images: Tensor = self.model(inputs).view(-1, 1, 28, 28)
        return images


class Discriminator(nn.Module):
    """(images float32 [B, 1, 28, 28], labels int64 [B]) -> logits float32 [B].

    The sigmoid of a logit is the probability that the image is real.
    """

    def __init__(self, dropout: float) -> None:
        super().__init__()
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

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        inputs = torch.cat([images.flatten(1), self.label_emb(labels)], dim=1)  # [B, 1568]
        logits: Tensor = self.model(inputs).squeeze(1)
        return logits


class ConvolutionalDiscriminator(nn.Module):
    """(images float32 [B, 1, 28, 28], labels int64 [B]) -> logits float32 [B].

    The label's embedding is the second input channel. When the label joined after the convolutions instead,
    the generator collapsed to one image per digit.
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

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        inputs = torch.cat([images, self.label_emb(labels).view(-1, 1, 28, 28)], dim=1)  # [B, 2, 28, 28]
        logits: Tensor = self.model(inputs).squeeze(1)
        return logits


DISCRIMINATORS: dict[str, Callable[[Settings], nn.Module]] = {
    "dense": lambda settings: Discriminator(settings.dropout),
    "convolutional": lambda settings: ConvolutionalDiscriminator(),
}


# ---------------------------------------------------------------------------------------------- losses


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross entropy of sigmoid(logits), targets 1 for real and 0 for fake (Goodfellow et al. 2014, eq. 1).

    The softplus forms never overflow: -log sigmoid(x) = softplus(-x), -log(1 - sigmoid(x)) = softplus(x).
    Both inputs are float32 [B]; the result is one number, in nats.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Cross entropy with target 1 for fake: the non-saturating loss (Goodfellow et al. 2014, section 3).

    The input is float32 [B]; the result is one number, in nats.
    """
    return F.softplus(-fake_logits).mean()


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """R1 + R2 at gamma = 1: the mean of |d logit / d image|^2 over real and fake images together.

    R1 = gamma/2 E_real |grad D|^2 and R2 = gamma/2 E_fake |grad D|^2 (Mescheder et al. 2018, eq. 9 and 10).
    `images` [2B, 1, 28, 28] holds as many real images as fake ones, so the sum of both halves is the mean
    over all of them. `logits` [2B] must have been computed from `images`.
    """
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients.flatten(1).square().sum(dim=1).mean()


# ----------------------------------------------------------------------------------------------- steps

# What a step returns: the losses of the discriminators and of the generator (nats), and the mean probability
# of "real" that the last discriminator gives to real and to generated images.
METRICS = ("loss_d", "loss_g", "p_real", "p_fake")


class Trainer:
    """The generator, the discriminators and everything else that a training step reads or changes.

    `steps` is the length of the whole run; the learning rate depends on it.
    """

    def __init__(self, settings: Settings, seed: int, device: torch.device, steps: int) -> None:
        torch.manual_seed(seed)
        self.settings, self.device, self.steps = settings, device, steps
        self.generator = Generator().to(device)
        self.discriminators = nn.ModuleList(
            DISCRIMINATORS[name](settings) for name in settings.discriminators
        ).to(device)
        self.generator_optimizer = self.adam(self.generator)
        self.discriminator_optimizer = self.adam(self.discriminators)
        self.average = (
            AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(settings.average_decay))
            if settings.average_decay
            else None
        )
        self.step_number = 0  # finished steps
        first_epochs = min(settings.restart_after or settings.epochs, settings.epochs)
        self.restart_step = steps * first_epochs // settings.epochs  # `steps` if there is no restart
        self.graphs = StepGraphs(self.update) if device.type == "cuda" else None

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        settings = self.settings
        on_cuda = self.device.type == "cuda"
        return torch.optim.Adam(
            network.parameters(),
            # A CUDA graph reads the learning rate from where it read it first.
            torch.tensor(settings.learning_rate, device=self.device) if on_cuda else settings.learning_rate,
            (settings.beta1, settings.beta2),
            fused=self.device.type != "mps",
            capturable=on_cuda,
        )

    def learning_rate(self) -> float:
        """The learning rate of the next step: a cosine from `learning_rate` to its `final_rate_share`.

        It starts again at `restart_step` (Loshchilov and Hutter 2017, eq. 5).
        """
        first, last = 0, self.restart_step
        if self.restart_step <= self.step_number < self.steps:
            first, last = self.restart_step, self.steps
        fall = (1 + math.cos(math.pi * (self.step_number - first) / (last - first))) / 2
        share = self.settings.final_rate_share
        return self.settings.learning_rate * (share + (1 - share) * fall)

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.settings.bfloat16 and has_bfloat16(self.device)
        )

    def step(self, real_images: Tensor, labels: Tensor) -> Tensor:
        """Train on one batch: images float32 [B, 1, 28, 28], labels int64 [B] -> METRICS, float32 [4]."""
        # Set the learning rate.
        for optimizer in (self.discriminator_optimizer, self.generator_optimizer):
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(self.learning_rate())
                else:
                    group["lr"] = self.learning_rate()

        # Update the networks.
        penalised = self.settings.penalty > 0 and self.step_number % self.settings.penalty_every == 0
        update = self.graphs or self.update
        metrics = update(real_images, labels, penalised)

        # Update the averaged weights.
        if self.average is not None:
            self.average.update_parameters(self.generator)

        self.step_number += 1
        return metrics

    def update(self, real_images: Tensor, labels: Tensor, penalised: bool) -> Tensor:
        """Update the discriminators, then the generator, once each."""
        # Generate one image for each real one, with the same labels.
        z = torch.randn(len(labels), 100, device=self.device)
        with self.precision():
            fake_images = self.generator(z, labels).float()

        # Update the discriminators.
        loss_d, real_logits, fake_logits = self.discriminator_step(
            real_images, fake_images.detach(), labels, penalised
        )

        # Update the generator.
        loss_g = self.generator_step(fake_images, labels)

        p_real, p_fake = torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()
        return torch.stack([loss_d, loss_g, p_real, p_fake]).detach()

    def discriminator_step(
        self, real_images: Tensor, fake_images: Tensor, labels: Tensor, penalised: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Raise the logits of real images and lower those of fake images, both [B, 1, 28, 28].

        Returns the loss without the penalty, and the last discriminator's logits for real and fake, each [B].
        """
        images = torch.cat([real_images, fake_images]).requires_grad_(penalised)  # [2B, 1, 28, 28]
        loss = penalty = torch.zeros((), device=self.device)
        with self.precision():
            for discriminator in self.discriminators:
                logits = discriminator(images, labels.repeat(2)).float()
                real_logits, fake_logits = logits.chunk(2)
                loss = loss + discriminator_loss(real_logits, fake_logits)
                if penalised:
                    penalty = penalty + self.settings.penalty * gradient_penalty(logits, images)
        self.discriminator_optimizer.zero_grad()
        (loss + self.settings.penalty_every * penalty).backward()
        self.discriminator_optimizer.step()
        return loss, real_logits, fake_logits

    def generator_step(self, fake_images: Tensor, labels: Tensor) -> Tensor:
        """Raise the logits of fake images [B, 1, 28, 28], through which the generator gets its gradients.

        Returns the loss.
        """
        loss = torch.zeros((), device=self.device)
        self.discriminators.requires_grad_(False)
        with self.precision():
            for discriminator in self.discriminators:
                loss = loss + generator_loss(discriminator(fake_images, labels).float())
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()
        self.discriminators.requires_grad_(True)
        return loss

    def eval_generator(self) -> Generator:
        """A copy of the generator in evaluation mode, as it would be saved now.

        It has the averaged weights if the settings ask for them, else the last weights. Averaged weights need
        batch norm statistics of their own, which are measured here on 20,480 z.
        """
        if self.average is None:
            return copy.deepcopy(self.generator).eval()
        averaged = copy.deepcopy(self.average.module)
        assert isinstance(averaged, Generator)
        for module in averaged.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
                module.momentum = None  # the plain mean over all batches
        averaged.train()
        with unchanged_randomness(self.device), torch.no_grad():
            torch.manual_seed(0)
            labels = torch.arange(512, device=self.device) % 10
            for _ in range(40):
                averaged(torch.randn(len(labels), 100, device=self.device), labels)
        return averaged.eval()

    def state(self) -> dict[str, Any]:
        """Everything that later steps depend on, as tensors and plain values."""
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
        """Continue from what `state()` returned. Raises an exception if `state` does not fit the networks."""
        self.step_number = state["step_number"]
        self.generator.load_state_dict(state["generator"])
        self.discriminators.load_state_dict(state["discriminators"])
        for name in ("generator_optimizer", "discriminator_optimizer"):
            optimizer: torch.optim.Adam = getattr(self, name)
            of_this_device = [
                {option: group[option] for option in ("lr", "fused", "capturable")}
                for group in optimizer.param_groups
            ]
            optimizer.load_state_dict(state[name])
            for group, options in zip(optimizer.param_groups, of_this_device, strict=True):
                group.update(options)
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)


class StepGraphs:
    """`Trainer.update` recorded as CUDA graphs, so that an update is one launch instead of several hundred.

    The networks are so small that a GPU would wait for the launches nine tenths of the time.
    """

    EAGER_UPDATES = 3  # of either kind, for the libraries and the optimizers to make what a graph must find

    def __init__(self, update: Callable[[Tensor, Tensor, bool], Tensor]) -> None:
        self.update = update
        self.stream = torch.cuda.Stream()
        self.calls = {False: 0, True: 0}
        self.recorded: dict[bool, tuple[torch.cuda.CUDAGraph, Tensor, Tensor, Tensor]] = {}

    def __call__(self, real_images: Tensor, labels: Tensor, penalised: bool) -> Tensor:
        self.calls[penalised] += 1
        if self.calls[penalised] <= self.EAGER_UPDATES:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                metrics = self.update(real_images, labels, penalised)
            torch.cuda.current_stream().wait_stream(self.stream)
            return metrics
        if penalised not in self.recorded:
            inputs = real_images.clone(), labels.clone()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                metrics = self.update(*inputs, penalised)
            self.recorded[penalised] = graph, *inputs, metrics
        graph, graph_images, graph_labels, metrics = self.recorded[penalised]
        graph_images.copy_(real_images)
        graph_labels.copy_(labels)
        graph.replay()
        return metrics.clone()


# ------------------------------------------------------------------------------------------------ loop


def train(
    trainer: Trainer,
    pixels: Tensor,
    labels: Tensor,
    history: list[dict[str, float]],
    finish_epoch: Callable[[Generator], None],
) -> None:
    """Train from the end of `history` to the last epoch, and append one row of metrics per epoch to it.

    pixels uint8 [N, 28, 28] and labels int64 [N] are on the trainer's device. After every epoch,
    `finish_epoch` is called with the generator as it would be saved. Raises TrainingError if a loss is not
    finite.
    """
    settings, device = trainer.settings, trainer.device
    batch_size = settings.batch_size
    steps = len(pixels) // batch_size  # per epoch; each epoch leaves out other images than the last
    real_spread = spread_within_digits(pixels, labels)
    finished, total = len(history) * steps * batch_size, settings.epochs * steps * batch_size
    with tqdm(total=total, initial=finished, unit=" images", unit_scale=True, mininterval=0.5) as bar:
        for epoch in range(len(history) + 1, settings.epochs + 1):
            started, metrics, unread = time.perf_counter(), [], []

            # Train on every batch, in a new random order.
            order = torch.randperm(len(pixels)).to(device)
            for batch in order[: steps * batch_size].view(steps, -1):
                unread.append(trainer.step(images_from_pixels(pixels[batch]), labels[batch]))
                bar.update(batch_size)

                # Read the metrics every 50 steps: reading them at every step would make a GPU wait.
                if len(unread) == 50 or trainer.step_number % steps == 0:
                    metrics += finite_metrics(unread, trainer.step_number)
                    unread.clear()
                    loss_d, loss_g, *_ = metrics[-1]
                    bar.set_postfix_str(
                        f"epoch {epoch}/{settings.epochs}, loss D {loss_d:.3f}, G {loss_g:.3f}"
                    )

            # Measure the generator.
            generator = trainer.eval_generator()
            spread = spread_within_digits(*grid(generator, seeds=range(50)))

            # Record the epoch.
            seconds = time.perf_counter() - started
            means = np.mean(metrics, axis=0).round(5).tolist()
            history.append(
                {
                    "epoch": epoch,
                    "steps": trainer.step_number,
                    **dict(zip(METRICS, means, strict=True)),
                    "spread": round(spread / real_spread, 4),  # 1 = as varied as real digits, 0 = collapse
                    "seconds": round(seconds, 2),
                    "images_per_second": round(steps * batch_size / seconds),
                }
            )
            finish_epoch(generator)


def finite_metrics(unread: list[Tensor], last_step: int) -> list[list[float]]:
    """The METRICS of the steps up to `last_step`. Raises TrainingError if a loss is not finite."""
    metrics: list[list[float]] = torch.stack(unread).tolist()
    for step, (loss_d, loss_g, *_) in enumerate(metrics, start=last_step - len(metrics) + 1):
        if not (math.isfinite(loss_d) and math.isfinite(loss_g)):
            raise TrainingError(
                f"The losses of step {step} are not finite (D {loss_d}, G {loss_g}): try half the "
                "--learning-rate, or another --seed."
            )
    return metrics


# ---------------------------------------------------------------------------------------------- images


def images_from_pixels(pixels: Tensor) -> Tensor:
    """uint8 [B, 28, 28] in 0 to 255 -> float32 [B, 1, 28, 28] in [-1, 1]."""
    return pixels.unsqueeze(1).float() / 127.5 - 1


def pixels_from_images(images: Tensor) -> Tensor:
    """float [B, 1, 28, 28] in [-1, 1] -> uint8 [B, 28, 28] in 0 to 255, rounded to the nearest grey level."""
    return ((images.squeeze(1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def spread_within_digits(pixels: Tensor, labels: Tensor) -> float:
    """Standard deviation of a pixel among images of one digit, in grey levels, over all pixels and digits.

    pixels uint8 [N, 28, 28], labels int64 [N].
    """
    variances = [pixels[labels == digit].float().var(dim=0).mean() for digit in labels.unique()]
    return float(torch.stack(variances).mean().sqrt())


@torch.no_grad()
def grid(generator: Generator, seeds: range) -> tuple[Tensor, Tensor]:
    """Every digit with each of S seeds, digit by digit: pixels uint8 [10 S, 28, 28], labels int64 [10 S].

    As in the drawing package, the z of a seed comes from NumPy's RandomState(seed).
    """
    device = next(generator.parameters()).device
    latents = np.stack([np.random.RandomState(seed).standard_normal(100) for seed in seeds])
    z = torch.from_numpy(latents).float().to(device).repeat(10, 1)
    labels = torch.arange(10, device=device).repeat_interleave(len(seeds))
    return pixels_from_images(generator(z, labels)), labels


@contextlib.contextmanager
def unchanged_randomness(device: torch.device) -> Iterator[None]:
    """Restore the state of PyTorch's random numbers at the end of the block."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


# --------------------------------------------------------------------------------------- MNIST's files

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DATA_SHA256 = {  # of the decompressed bytes
    TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    # The test files are not trained on. They are downloaded too, for the evaluation.
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def load_mnist(data_dir: Path) -> tuple[Tensor, Tensor]:
    """MNIST's training set: pixels uint8 [60000, 28, 28] and labels int64 [60000].

    Downloads MNIST into `data_dir` if a training file is missing. Raises TrainingError if a file is not
    MNIST's or cannot be downloaded.
    """
    if any(find_idx(data_dir, name) is None for name in (TRAIN_IMAGES, TRAIN_LABELS)):
        download_mnist(data_dir)
    pixels, labels = (array_from_idx(checked_bytes(data_dir, name)) for name in (TRAIN_IMAGES, TRAIN_LABELS))
    return torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))


def download_mnist(data_dir: Path) -> None:
    """Download those of MNIST's four files that `data_dir` lacks.

    Raises TrainingError if a file cannot be downloaded, or if `data_dir` is not a folder.
    """
    if data_dir.exists() and not data_dir.is_dir():
        raise TrainingError(f"{data_dir} is not a folder: give --data-dir a folder for MNIST's files.")
    for name in DATA_SHA256:
        if find_idx(data_dir, name) is None:
            download(name, data_dir / f"{name}.gz")


def find_idx(data_dir: Path, name: str) -> Path | None:
    """The path of the MNIST file `name` in `data_dir`, or None if it is not there.

    It may be gzipped, be spelled `train-images.idx3-ubyte`, lie in a folder of its own name (as in Kaggle's
    archive), or lie in MNIST/raw (as with torchvision).
    """
    spellings = [name + suffix for suffix in ("", ".gz")]
    spellings += [spelling.replace("-idx", ".idx") for spelling in spellings]
    for folder in (data_dir, data_dir / "MNIST" / "raw", data_dir / "raw"):
        for spelling in spellings:
            path = folder / spelling
            for candidate in (path, *(path / inner for inner in spellings)):
                if candidate.is_file():
                    return candidate
    return None


def checked_bytes(data_dir: Path, name: str) -> bytes:
    """The decompressed bytes of one of MNIST's files. Raises TrainingError if they are not MNIST's."""
    path = find_idx(data_dir, name)
    if path is None:
        raise TrainingError(f"{data_dir} has no {name}: run again to download it.")
    content = decompressed(path.read_bytes())
    if not matches_digest(content, name):
        raise TrainingError(
            f"{path} is not MNIST's {name} (its SHA-256 differs): delete it to download it again."
        )
    return content


def matches_digest(content: bytes, name: str) -> bool:
    return hashlib.sha256(content).hexdigest() == DATA_SHA256[name]


def download(name: str, path: Path) -> None:
    """Download one file to `path`, gzipped, from the first mirror that has it complete.

    Raises TrainingError if no mirror has it.
    """
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
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{url}: {error}")
            continue
        if matches_digest(decompressed(received.getvalue()), name):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, received.getvalue())
            return
        failures.append(f"{url}: not the file that MNIST published")
    raise TrainingError(
        f"{name} could not be downloaded ({'; '.join(failures)}): put MNIST's four files into a folder "
        "and name it with --data-dir."
    )


def decompressed(content: bytes) -> bytes:
    """Gzipped bytes unpacked; other bytes as they are; no bytes from a broken gzip file."""
    try:
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error):
        return b""


def array_from_idx(content: bytes) -> np.ndarray:
    """An IDX file of unsigned bytes -> uint8 array. Format: 0, 0, 8, number of axes, their lengths, data."""
    axes = content[3]
    shape = struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])
    return np.frombuffer(bytearray(content[4 + 4 * axes :]), np.uint8).reshape(shape)


# ---------------------------------------------------------------------------------------- output files


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either complete or not there, even after a power cut."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def only_training_in(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder of a run, and clear what killed runs have left half-written in it.

    The lock goes with the process, however that ends. Raises TrainingError if another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".lock"
    with lock.open("a") as file:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise TrainingError(
                    f"Another training is running in {folder}: wait for its end, or choose another --out."
                ) from None
            # A file system without locks, as some of a network are.
        for half_written in [*folder.glob("*.part"), *folder.parent.glob("generator.*.part")]:
            half_written.unlink(missing_ok=True)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows removes no open file
                lock.unlink()


def bytes_from_state(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def half_precision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point tensors as float16, counters unchanged. Raises TrainingError if float16 overflows."""
    halves = {
        name: value.cpu().half() if value.is_floating_point() else value.cpu()
        for name, value in state.items()
    }
    for name, value in halves.items():
        if not value.isfinite().all():
            raise TrainingError(
                f"{name} overflows half precision, so no weights were written: try another --seed."
            )
    return halves


def write_generator(path: Path, generator: Generator, provenance: dict[str, Any]) -> None:
    """Write the generator's state_dict to `path`, in half precision.

    Its provenance goes to a JSON file beside it. Raises TrainingError if a weight overflows half precision.
    """
    weights = bytes_from_state(half_precision(generator.state_dict()))
    provenance = {
        **provenance,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "weights_bytes": len(weights),
    }
    write_whole(path, weights)
    write_whole(path.with_suffix(".json"), json.dumps(provenance, indent=2).encode() + b"\n")


def write_sheet(path: Path, generator: Generator, pixels: Tensor, labels: Tensor) -> None:
    """Write a picture with one row per digit: ten generated digits (seeds 0 to 9) beside five real ones.

    pixels uint8 [N, 28, 28] and labels int64 [N] are the real digits.
    """
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
    """Plot both losses over the epochs, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("The losses were not plotted: pip install matplotlib to get the plot.")
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
    """Run the command line. Exits with code 2 after an error and 130 after Ctrl-C."""
    try:
        with errors_in_one_sentence(saved_epochs=lambda: 0), contextlib.ExitStack() as held:
            run(parse_arguments(arguments), held)
    except TrainingError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nStopped. Finished downloads and finished epochs are kept.", file=sys.stderr)
        sys.exit(130)


def run(options: argparse.Namespace, held: contextlib.ExitStack) -> None:
    """Train as the options say, and write generator.pth. Raises TrainingError if that cannot be done.

    `held` keeps the lock of the folder until the run is over.
    """
    if options.download:
        download_mnist(options.data_dir)
        print(f"MNIST is in {options.data_dir}.")
        return

    # Read the settings, from the checkpoint if the run resumes.
    folder = options.out / "training"
    checkpoint_path = folder / "checkpoint.pth"
    checkpoint = read_checkpoint(checkpoint_path, options.resume)
    if options.resume and checkpoint is None:
        print(f"There is no checkpoint at {checkpoint_path}: training starts from the beginning.", flush=True)
    config = config_from_options(options, checkpoint)
    settings = Settings(**config["recipe"])
    device = choose_device(options.device)

    # Read MNIST.
    pixels, labels = load_mnist(options.data_dir)
    count = len(pixels) - config["held_out"]
    pixels, labels = pixels[:count].to(device), labels[:count].to(device)
    if settings.batch_size > count:
        raise TrainingError(
            f"A batch of {settings.batch_size} is more than the {count} images: lower --batch-size."
        )

    # Make the networks, or restore them.
    held.enter_context(only_training_in(folder))
    trainer = Trainer(settings, config["seed"], device, settings.epochs * (count // settings.batch_size))
    history: list[dict[str, float]] = []
    if checkpoint is not None:
        restore(trainer, checkpoint, checkpoint_path)
        history = checkpoint["history"]
    saved_epochs = len(history)  # in a checkpoint of this run

    def finish_epoch(generator: Generator) -> None:
        nonlocal saved_epochs
        epoch = len(history)
        if epoch in (1, 2, 5) or epoch % 10 == 0 or epoch == settings.epochs:
            write_sheet(folder / f"epoch-{epoch:03}.png", generator, pixels, labels)
        rows = "".join(json.dumps(row) + "\n" for row in history)
        write_whole(folder / "losses.jsonl", rows.encode())
        state = {"settings": config, "history": history, "training": trainer.state()}
        write_whole(checkpoint_path, bytes_from_state(state))
        saved_epochs = epoch

    def provenance() -> dict[str, Any]:
        return {
            **config,
            "epochs": len(history),
            "steps": trainer.step_number,
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

    done = f", {saved_epochs} of them finished" if saved_epochs else ""
    print(
        f"Training on {device_name(device)}: {count} images, {settings.epochs} epochs{done}, "
        f"seed {config['seed']}"
    )
    with errors_in_one_sentence(lambda: saved_epochs):
        # Train, and write the weights.
        try:
            train(trainer, pixels, labels, history, finish_epoch)
            write_generator(options.out / "generator.pth", trainer.eval_generator(), provenance())
        except KeyboardInterrupt:
            write_generator(folder / "generator.pth", trainer.eval_generator(), provenance())
            resume = f" Add --resume to continue after epoch {saved_epochs}." if saved_epochs else ""
            print(
                f"\nStopped with {saved_epochs} of {settings.epochs} epochs finished: the present generator "
                f"is in {folder / 'generator.pth'}.{resume}",
                file=sys.stderr,
            )
            sys.exit(130)
        print(f"Wrote {options.out / 'generator.pth'}. Draw with it: streamlit run app.py", flush=True)

        # Plot the losses.
        try:
            write_loss_plot(folder / "losses.png", history)
        except KeyboardInterrupt:
            print(
                "\nStopped: training is finished, and only the plot of the losses is missing.",
                file=sys.stderr,
            )
            sys.exit(130)


@contextlib.contextmanager
def errors_in_one_sentence(saved_epochs: Callable[[], int]) -> Iterator[None]:
    """Raises TrainingError in place of an error of the disk or a lack of memory.

    `saved_epochs()` is the number of epochs that --resume would continue after; 0 if there are none.
    """
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        resume = f"add --resume to continue after epoch {saved_epochs()}" if saved_epochs() else ""
        if isinstance(error, OSError):
            raise TrainingError(f"{error}: correct this, then {resume or 'start again'}.") from error
        if not is_out_of_memory(error):
            raise
        advice = f"free some memory and {resume}, or start from the beginning" if resume else "start again"
        raise TrainingError(f"There is not enough memory: {advice} with a smaller --batch-size.") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the memory of the processor or of the GPU is used up."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    phrases = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    return isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in phrases)


def read_checkpoint(path: Path, resume: bool) -> dict[str, Any] | None:
    """The checkpoint to continue from, or None to start from the beginning.

    Raises TrainingError if `path` is not a checkpoint, comes from another version of this file, or holds an
    unfinished run that would be overwritten.
    """
    if not path.exists():
        return None
    start_again = "delete it to start from the beginning"
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise TrainingError(f"{path} cannot be read ({type(error).__name__}): {start_again}.") from error
    if not is_checkpoint(checkpoint):
        raise TrainingError(
            f"{path} is not a checkpoint of this file but holds a {type(checkpoint).__name__}: "
            f"move it away, or {start_again}."
        )
    recipe, done = checkpoint["settings"]["recipe"], len(checkpoint["history"])
    unfinished = done < recipe.get("epochs", math.inf)
    differing = sorted(recipe.keys() ^ {field.name for field in dataclasses.fields(Settings)})
    if differing and (resume or unfinished):
        raise TrainingError(
            f"{path} is from another version of this file, whose settings differ in "
            f"{', '.join(differing)}: continue with that version, or {start_again}."
        )
    if unfinished and not resume:
        raise TrainingError(
            f"{path} holds {done} of {recipe['epochs']} epochs of an unfinished run: add --resume to "
            f"continue, or {start_again}."
        )
    return checkpoint if resume else None


def is_checkpoint(value: object) -> bool:
    """Whether `value` is built like what `finish_epoch` saves."""
    if not (isinstance(value, dict) and value.keys() == {"settings", "history", "training"}):
        return False
    config, history, state = value["settings"], value["history"], value["training"]
    return (
        isinstance(config, dict)
        and config.keys() == {"recipe_name", "seed", "held_out", "recipe"}
        and isinstance(config["recipe"], dict)
        and isinstance(history, list)
        and isinstance(state, dict)
    )


def restore(trainer: Trainer, checkpoint: dict[str, Any], path: Path) -> None:
    """Restore the trainer. Raises TrainingError if the checkpoint does not fit its networks."""
    try:
        trainer.restore(checkpoint["training"])
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise TrainingError(
            f"{path} does not fit the networks of this file ({type(error).__name__}): continue with the "
            "version that wrote it, or delete it to start from the beginning."
        ) from error


def config_from_options(options: argparse.Namespace, checkpoint: dict[str, Any] | None) -> dict[str, Any]:
    """What decides the result: the recipe's name, its settings, the seed and the number of images held out.

    Raises TrainingError if an option contradicts the checkpoint, or if a setting is out of range.
    """
    asked = {"recipe_name": options.recipe, "seed": options.seed, "held_out": options.held_out}
    asked = {name: value for name, value in asked.items() if value is not None}
    changes = dict(options.set)
    for name in ("epochs", "batch_size", "learning_rate"):
        if getattr(options, name) is not None:
            changes[name] = getattr(options, name)

    if checkpoint is None:
        config: dict[str, Any] = {"recipe_name": DEFAULT_RECIPE, "seed": 0, "held_out": 0, **asked}
        settings = dataclasses.replace(RECIPES[config["recipe_name"]], **changes)
        check_settings(settings)
        return {**config, "recipe": dataclasses.asdict(settings)}

    config = checkpoint["settings"]
    for name, value in {**asked, **changes}.items():
        before = config["recipe"].get(name, config.get(name))
        if before != value:
            raise TrainingError(
                f"The run to resume has {name} {before}, not {value}: leave out that option to continue it, "
                "or delete its checkpoint to start from the beginning."
            )
    return config


def check_settings(settings: Settings) -> None:
    """Raises TrainingError if a setting is out of range."""
    ranges = {
        "epochs": (1, math.inf),
        "batch_size": (2, math.inf),  # one image alone has no batch statistics
        "learning_rate": (1e-9, 1.0),
        "final_rate_share": (0.0, 1.0),
        "restart_after": (0, math.inf),
        "beta1": (0.0, 0.99999),
        "beta2": (0.0, 0.99999),
        "dropout": (0.0, 1.0),
        "penalty": (0.0, math.inf),
        "penalty_every": (1, math.inf),
        "average_decay": (0.0, 1.0),
    }
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            expected = f"at least {low}" if high == math.inf else f"a value from {low} to {high}"
            raise TrainingError(f"{name} is {value}: choose {expected}.")
    for name in settings.discriminators:
        if name not in DISCRIMINATORS:
            raise TrainingError(
                f"There is no discriminator {name!r}: choose from {', '.join(DISCRIMINATORS)}."
            )


def choose_device(name: str | None) -> torch.device:
    """The device called `name`, or else the first of CUDA, Apple's GPU and the CPU that is available.

    Raises TrainingError if there is no such device.
    """
    counts = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if name is None:
        return torch.device(next(kind for kind, count in counts.items() if count))
    try:
        device = torch.device(name)
        available = (device.index or 0) < counts.get(device.type, 0)
    except RuntimeError:  # not the name of a device
        available = False
    if not available:
        names = [f"cuda:{index}" for index in range(counts["cuda"])]
        names += [kind for kind in ("mps", "cpu") if counts[kind]]
        raise TrainingError(f"There is no device {name!r} here: choose --device from {', '.join(names)}.")
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether the processor multiplies in bfloat16 itself; emulation would be slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a conditional GAN on MNIST and write generator.pth.")
    add = parser.add_argument
    add("--recipe", choices=RECIPES, help=f"named set of settings (default: {DEFAULT_RECIPE})")
    add(
        "--data-dir",
        type=Path,
        default=Path("mnist"),
        help="folder with MNIST's files, downloaded if they are missing (default: mnist)",
    )
    add("--download", action="store_true", help="download MNIST's four files if they are missing, then exit")
    add(
        "--out",
        type=Path,
        default=Path(),
        help="folder for generator.pth, and for training/ with everything else (default: .)",
    )
    add("--epochs", type=whole_number, help="passes over the training images (default: the recipe's)")
    add("--batch-size", type=whole_number, help="real images per step (default: the recipe's)")
    add("--learning-rate", type=decimal_number, help="Adam's learning rate (default: the recipe's)")
    add(
        "--set",
        type=named_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change any setting of the recipe; may be repeated",
    )
    add("--seed", type=seed_number, help="seed of all random numbers (default: 0)")
    add(
        "--held-out",
        type=held_out_count,
        help="number of images at the end of the training set to leave out, for the evaluation (default: 0)",
    )
    add("--device", help="cuda, mps or cpu (default: the first of them that is available)")
    add("--resume", action="store_true", help="continue after the last epoch in training/checkpoint.pth")
    return parser.parse_args(arguments)


def whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def decimal_number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error


def seed_number(text: str) -> int:
    return number_in_range(text, 0, 2**32 - 1)


def held_out_count(text: str) -> int:
    return number_in_range(text, 0, 59_000)


def number_in_range(text: str, low: int, high: int) -> int:
    with contextlib.suppress(ValueError):
        if low <= int(text) <= high:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")


def named_setting(text: str) -> tuple[str, Any]:
    """ "penalty=0.3" -> ("penalty", 0.3), with the type that the setting has in the recipes."""
    name, _, value = text.partition("=")
    example = dataclasses.asdict(RECIPES[DEFAULT_RECIPE]).get(name)
    if example is None:
        names = ", ".join(field.name for field in dataclasses.fields(Settings))
        raise argparse.ArgumentTypeError(f"{name!r} is not a setting: choose from {names}")
    if isinstance(example, tuple):
        return name, tuple(value.split(","))
    if isinstance(example, bool):
        if value not in ("true", "false"):
            raise argparse.ArgumentTypeError(f"{name} must be true or false, not {value!r}")
        return name, value == "true"
    try:
        return name, whole_number(value) if isinstance(example, int) else decimal_number(value)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{name} cannot be set: {error}") from error


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is stop_importing:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
