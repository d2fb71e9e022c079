"""Refine weights: move what is drawn nearer to MNIST, as it ships. Trained weights -> refined weights.

    python -m digit_generator.evaluation.refine trained.pth --data-dir mnist --out generator.pth

The generator learns from its own grey images, and people see them chosen (choose.py) and finished
(finish.py). So after the training the weights are moved a little, led by what people see:

1. Three networks learn to read digits, and one to see faults of shape: broken shapes, and gaps and loops that
   come more often than in real digits. They are made for this alone: neither the scout, by which choices are
   made, nor the judges of the card take part.
2. Each step draws digits as they ship: with labels as frequent as MNIST's, from z that the choice accepts,
   finished.
3. The loss is how far the readers' features of these digits are from those of the training images: the
   Fréchet distance (frechet.py), backpropagated (Mathiasen and Hvilshøj 2020, arXiv:2009.14075). Three terms
   are added, each with a weight: the probability of a fault of shape; the probability that a reader takes a
   digit for another one; and the crowding, which is the mean logarithm of the density of the last steps'
   digits at those of this one. Minus the crowding estimates the entropy of what is drawn (Ahmad and Lin 1976,
   doi:10.1109/TIT.1976.1055550): digits keep their distance from each other, and variety is not lost.
4. The gradient passes the finish as if it changed nothing (straight through: Bengio et al. 2013,
   arXiv:1308.3432).

The choice and the style controls belong to the weights that they were learned from, so both are learned again
for the refined ones: `make publish`. docs/experiments.md has what was tried.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections import deque
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from digit_generator.bulk import BulkGenerator
from digit_generator.choose import NEATEST, ChoiceError
from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation import protocol
from digit_generator.evaluation.data import (
    Digits,
    EvaluationError,
    Labels,
    Pixels,
    mnist_from_folder,
    random_part,
)
from digit_generator.evaluation.measures.broken_shapes import are_broken, counted_shapes, excess
from digit_generator.evaluation.networks.classifier import (
    Classifier,
    device,
    has_bfloat16,
    images_from_pixels,
)
from digit_generator.evaluation.networks.judges import READERS, taught
from digit_generator.evaluation.options import check_folders
from digit_generator.files import write_whole
from digit_generator.finish import finished_pixels
from digit_generator.generate import BATCHNORM_EPS, LEAKY_SLOPE, DigitGenerator
from digit_generator.weights import WeightsError, arrays_from_file

FAULTS = protocol.Training(
    "strided", epochs=3, batch=256, rate=2e-3, weight_decay=1e-4, augment=False, seed=7774, bfloat16=True
)
DRAWN = 140_000
"""Digits of every z that show the fourth network what is a fault, beside the training images."""
STEPS = 480
_BATCH, _RATE = 1000, 1e-5
_WARM_UP = 20  # steps in which the rate rises; it falls to 0 by a cosine
_FRESH = 0.1
"""What a batch counts in the moving averages of the moments: it has too few digits for a covariance."""
_OF_EACH = 0.5
"""What the distance digit by digit counts, beside that of all digits together."""
_FAULT_WEIGHT = _MISREAD_WEIGHT = 8.0
_CROWDING_WEIGHT = 0.5
_REMEMBERED = 8
"""Steps whose digits make the density."""
_KERNEL = 0.25
"""The kernels' standard deviation, as a share of the median distance to a neighbour of the same label."""
_NEIGHBOUR, _AMONG = 5, 10_000  # the fifth among 10,000 training images
_AVERAGED = 0.05  # what a step counts in the averaged weights, which are written
_FIRST_SEED, _FIRST_SHOWN = 4_000_000_000, 4_050_000_000  # seeds that nobody else uses
_RANDOM_SEED = 707  # of the labels, and of what is called a fault


class Moments(NamedTuple):
    """Mean [F] and mean outer product [F, F] of features, float64; or ten: [10, F] and [10, F, F]."""

    mean: Tensor
    outer: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """features float64 [N, F]."""
        return cls(features.mean(dim=0), features.T @ features / len(features))

    @classmethod
    def of_each(cls, features: Tensor, labels: Tensor) -> Moments:
        """Those of each digit; features float64 [N, F], labels int64 [N], in which all ten occur."""
        each = [cls.of(features[labels == digit]) for digit in range(10)]
        return cls(*(torch.stack(part) for part in zip(*each, strict=True)))

    def moved(self, to: Moments, share: float) -> Moments:
        return Moments(*(torch.lerp(old, new, share) for old, new in zip(self, to, strict=True)))

    def detached(self) -> Moments:
        return Moments(self.mean.detach(), self.outer.detach())

    @property
    def covariance(self) -> Tensor:
        return self.outer - self.mean[..., :, None] * self.mean[..., None, :]


class Target:
    """Moments of training images, and how far others are from them; or ten, and how far each digit is."""

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        values, vectors = torch.linalg.eigh(moments.covariance)
        self.root = (vectors * values.clamp(min=0).sqrt()[..., None, :]) @ vectors.mT

    def distance(self, moments: Moments) -> Tensor:
        """The Fréchet distance, as frechet.frechet_distance has it, [] or [10]."""
        product = self.root @ moments.covariance @ self.root
        values = torch.linalg.eigvalsh(product + 1e-8 * torch.eye(product.shape[-1]).to(product))
        shift = ((moments.mean - self.moments.mean) ** 2).sum(dim=-1)
        traces = _trace(moments.covariance) + _trace(self.moments.covariance)
        distance: Tensor = shift + traces - 2 * values.clamp(min=1e-12).sqrt().sum(dim=-1)
        return distance


def _trace(matrices: Tensor) -> Tensor:
    trace: Tensor = matrices.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    return trace


class Compared(NamedTuple):
    """The moments of all digits together, with the label as ten more features, and of each digit."""

    all: Moments
    each: Moments

    @classmethod
    def of(cls, features: Tensor, labels: Tensor) -> Compared:
        """features float64 [N, F + 10], as a reader gives them; labels int64 [N]."""
        return cls(Moments.of(features), Moments.of_each(features[:, :-10], labels))

    def moved(self, to: Compared, share: float) -> Compared:
        return Compared(self.all.moved(to.all, share), self.each.moved(to.each, share))

    def detached(self) -> Compared:
        return Compared(self.all.detached(), self.each.detached())


class Reader:
    """A network whose features are compared, and those of the training images, with which they are."""

    def __init__(self, network: Classifier, real: Digits, *, bfloat16: bool = False) -> None:
        self.network = network.eval().requires_grad_(False)
        self.bfloat16 = bfloat16 and has_bfloat16()
        self.unit = 1.0
        with torch.no_grad():
            parts = np.array_split(np.arange(len(real)), math.ceil(len(real) / 500))
            features = torch.cat(
                [self.features(images_from_pixels(real.pixels[p]), real.labels[p]) for p in parts]
            )
            # Features vary by 1 on average, as in the card; the label stays as it is.
            self.unit = float(features[:, :-10].var(dim=0).mean().sqrt())
            features[:, :-10] /= self.unit
            labels = torch.from_numpy(real.labels).to(features.device)
            self.shares = torch.bincount(labels, minlength=10).double() / len(labels)
            self.all, self.each = map(Target, Compared.of(features, labels))

    def features(self, images: Tensor, labels: Labels) -> Tensor:
        """images float32 [B, 1, 28, 28] in [0, 1] -> float64 [B, F + 10]: features, and which digit it is."""
        digit = F.one_hot(torch.from_numpy(labels).to(images.device), 10)
        with torch.autocast(device().type, torch.bfloat16, enabled=self.bfloat16):
            features = self.network.body(images)
        return torch.cat([features.double() / self.unit, digit.double()], dim=1)

    def misread_probability(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean probability of another digit than asked for, by `features` as above; labels int64 [B]."""
        logits = self.network.head((features[:, :-10] * self.unit).float())
        probability: Tensor = 1 - logits.softmax(dim=1).gather(1, labels[:, None]).mean()
        return probability

    def distance(self, now: Compared) -> Tensor:
        """The mean of two distances to the training images: of all digits, and digit by digit on average."""
        each = (self.each.distance(now.each) * self.shares).sum()
        return _OF_EACH * each + (1 - _OF_EACH) * self.all.distance(now.all)


class Crowding:
    """How close digits stand to those of the steps before, in the features of all readers."""

    def __init__(self, real: Tensor, labels: Labels) -> None:
        """real float32 [N, F]: features of some training images; `labels` int64 [N] are theirs."""
        fifth = torch.cat(
            [
                torch.cdist(same, same)
                .kthvalue(_NEIGHBOUR + 1, dim=1)
                .values  # the first is the image itself
                for same in (real[torch.from_numpy(labels == digit).to(real.device)] for digit in range(10))
            ]
        )
        self.variance = float((_KERNEL * fifth.median()) ** 2)
        self.steps: deque[tuple[Tensor, Tensor]] = deque(maxlen=_REMEMBERED)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        """features float32 [B, F], labels int64 [B]: digits that later ones keep their distance from."""
        self.steps.append((features.detach(), labels))

    def of(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean logarithm of the density, up to a constant, at features float32 [B, F] with labels int64
        [B]: of what is remembered, by a normal kernel, within each label."""
        others, their_labels = (torch.cat(part) for part in zip(*self.steps, strict=True))
        squares = (features**2).sum(dim=1)[:, None] + (others**2).sum(dim=1) - 2 * features @ others.T
        kernels = (-squares / (2 * self.variance)).masked_fill(labels[:, None] != their_labels, -torch.inf)
        density: Tensor = kernels.logsumexp(dim=1).mean()
        return density


class Weights:
    """The tensors of a generator.pth, of which all but the batch norms' statistics can learn."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = {
            name: tensor.float().to(device()).clone() if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
        }
        fixed = ("running_mean", "running_var", "num_batches_tracked")
        self.learning = [
            tensor.requires_grad_() for name, tensor in self.tensors.items() if not name.endswith(fixed)
        ]

    def images(self, z: Tensor, labels: Labels) -> Tensor:
        """z float32 [B, 100], labels int64 [B] -> images float32 [B, 1, 28, 28] in [-1, 1]."""
        of = self.tensors
        x = torch.cat([z, of["label_emb.weight"][labels]], dim=1)  # [B, 200]
        for linear, norm in ((0, 2), (3, 5), (6, 8)):
            x = F.linear(x, of[f"model.{linear}.weight"], of[f"model.{linear}.bias"])
            x = F.leaky_relu(x, LEAKY_SLOPE)
            mean, variance, weight, bias = (
                of[f"model.{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
            )
            x = F.batch_norm(x, mean, variance, weight, bias, eps=BATCHNORM_EPS)
        images: Tensor = torch.tanh(F.linear(x, of["model.9.weight"], of["model.9.bias"])).view(-1, 1, 28, 28)
        return images


def seen(images: Tensor, labels: Labels, seeds: Labels) -> Tensor:
    """images float32 [B, 1, 28, 28] in [-1, 1] -> finished, in [0, 1]; to the gradient, not finished."""
    plain = (images + 1) / 2
    raw: Pixels = (plain.detach()[:, 0] * 255).round().to(torch.uint8).cpu().numpy()
    finished = images_from_pixels(finished_pixels(raw, labels, seeds))
    return finished + (plain - plain.detach())


def fault_probability(network: Classifier, images: Tensor) -> Tensor:
    """The mean probability of class 1, a fault of shape."""
    probability: Tensor = network(images).softmax(dim=1)[:, 1].mean()
    return probability


def refined(generator: DigitGenerator, tensors: dict[str, Tensor], train: Digits, steps: int) -> Weights:
    """Weights whose digits are nearer to `train`. tensors: those of `generator`, by name."""
    readers = [Reader(taught(setting, train), train, bfloat16=setting.bfloat16) for setting in READERS]
    faults = taught(FAULTS, _shown_faults(generator, train), classes=2).requires_grad_(False)
    choosing = BulkGenerator(generator)
    labels_rng = np.random.RandomState(_RANDOM_SEED)
    first = _FIRST_SEED

    def drawn(weights: Weights) -> tuple[Tensor, Labels]:
        nonlocal first
        seeds = np.arange(first, first := first + _BATCH)
        labels = train.labels[labels_rng.randint(len(train), size=_BATCH)]
        z = choosing.latents(seeds.tolist(), labels)
        images = weights.images(torch.from_numpy(z).float().to(device()), labels)
        return seen(images, labels, seeds), labels

    def read(images: Tensor, labels: Labels) -> tuple[list[Tensor], Tensor, Tensor]:
        """The features of each reader; those of all, float32, without the label; the labels."""
        features = [reader.features(images, labels) for reader in readers]
        together = torch.cat([each[:, :-10] for each in features], dim=1).float()
        return features, together, torch.from_numpy(labels).to(together.device)

    weights, averaged = Weights(tensors), Weights(tensors)
    with torch.no_grad():
        some = random_part(train, _AMONG)
        parts = np.array_split(np.arange(len(some)), math.ceil(len(some) / 500))
        real = [read(images_from_pixels(some.pixels[part]), some.labels[part])[1] for part in parts]
        crowding = Crowding(torch.cat(real), some.labels)
        first_read = [read(*drawn(weights)) for _ in range(round(2 / _FRESH))]
        each_read = zip(*(features for features, _, _ in first_read), strict=True)
        digits = torch.cat([digits for _, _, digits in first_read])
        averages = [Compared.of(torch.cat(features), digits) for features in each_read]
        for _, together, digits in first_read:
            crowding.remember(together, digits)
    optimizer = torch.optim.Adam(weights.learning, _RATE, (0.9, 0.99))
    progress = tqdm(range(steps), unit="steps", desc="refining")
    for step in progress:
        # Set the learning rate.
        fall = (1 + math.cos(math.pi * (step + 1) / steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / _WARM_UP) * fall

        # Compare what is drawn with the training images.
        batch, labels = drawn(weights)
        features, together, digits = read(batch, labels)
        averages = [
            old.moved(Compared.of(now, digits), _FRESH) for old, now in zip(averages, features, strict=True)
        ]
        distances = [reader.distance(now) for reader, now in zip(readers, averages, strict=True)]
        share = fault_probability(faults, batch)
        each_misread = [
            reader.misread_probability(now, digits) for reader, now in zip(readers, features, strict=True)
        ]
        misread = torch.stack(each_misread).mean()
        crowded = crowding.of(together, digits)
        # A batch moves the averages by _FRESH of what it would move them alone.
        loss = sum(distances, torch.zeros(())) / _FRESH + _CROWDING_WEIGHT * crowded
        loss = loss + _FAULT_WEIGHT * share + _MISREAD_WEIGHT * misread

        # Update the weights, and their average.
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averages = [now.detached() for now in averages]
        crowding.remember(together, digits)
        with torch.no_grad():
            for mean, now in zip(averaged.learning, weights.learning, strict=True):
                mean.lerp_(now, _AVERAGED)
        told = (*distances, share, misread, crowded)
        progress.set_postfix_str(", ".join(f"{value.item():.3f}" for value in told), refresh=False)
    return averaged


def _shown_faults(generator: DigitGenerator, train: Digits) -> Digits:
    """Training images and finished digits of every z, labelled 1 for a fault of shape and 0 for none.

    Broken shapes are faults. Of drawn digits with pieces and holes that come too often, so many are called
    faults, at random, that those left are as frequent as in training images.
    """
    labels = np.tile(np.arange(10), DRAWN // 10)
    seeds = np.arange(_FIRST_SHOWN, _FIRST_SHOWN + len(labels))
    every = BulkGenerator(generator.variant(every_z=True))
    parts = np.array_split(np.arange(len(labels)), math.ceil(len(labels) / 2000))
    pixels = np.concatenate(
        [
            every.digits(labels[part], seeds[part])
            for part in tqdm(parts, unit="blocks", desc="digits that teach")
        ]
    )
    real, drawn = (counted_shapes(train.pixels), train.labels), (counted_shapes(pixels), labels)
    at_random = np.random.RandomState(_RANDOM_SEED).random_sample(len(labels))
    told = [are_broken(*real, *real), are_broken(*drawn, *real) | (at_random < excess(*drawn, *real))]
    return Digits(np.concatenate([train.pixels, pixels]), np.concatenate(told).astype(np.int64))


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True, help="MNIST.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Gets the weights."
)
@click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True)
@click.option("--neat", type=click.IntRange(0, NEATEST), default=0, help="The choice's position.")
def main(file: Path, data_dir: Path, out: Path, steps: int, neat: int) -> None:
    """Refine the weights of FILE, with the choice file beside it (half an hour on one core)."""
    started = monotonic()
    check_folders({"--out": out.parent})
    try:
        generator = DigitGenerator.load(file, neat=neat)
        if (generator.provenance or {}).get("refined"):
            raise Mistake(
                f"{file} is refined already; expected weights as mnist_gan_training.py writes them."
            )
        tensors = {name: torch.from_numpy(array) for name, array in arrays_from_file(file).items()}
        train = mnist_from_folder(data_dir, "train")
    except (ChoiceError, EvaluationError, WeightsError) as error:
        raise Mistake(str(error)) from error
    weights = refined(generator, tensors, train, steps)
    halves = {
        name: tensor.detach().cpu().half() if tensor.is_floating_point() else tensor
        for name, tensor in weights.tensors.items()
    }
    buffer = io.BytesIO()
    torch.save(halves, buffer)
    content = buffer.getvalue()
    told = {
        **{name: value for name, value in (generator.provenance or {}).items() if name != "quality"},
        "refined": {
            "from_sha256": generator.digest,
            "choice_sha256": generator.choice_digest,
            "neat": neat,
            "steps": steps,
            "seconds": round(monotonic() - started),
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
        },
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "weights_bytes": len(content),
    }
    write_whole(out, content)
    write_whole(out.with_suffix(".json"), json.dumps(told, indent=2).encode() + b"\n")
    click.echo(out)


if __name__ == "__main__":
    replace_unprintable()
    main()
