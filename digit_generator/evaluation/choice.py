"""Learn which z are refused: generator.pth -> generator.choice.safetensors (what it is for: choose.py).

    python -m digit_generator.evaluation.choice generator.pth --data-dir mnist

1. A judge learns to tell finished generated digits from real ones that went through the same scan rule, so
   that it sees shapes and not greys. Its odds are the density ratio of real to generated digits.
2. Many digits are drawn; the judge gives the odds of each, and a digit of a broken shape has none.
3. A head of 64 units learns these odds from what the generator has before its last layer, and the bounds are
   set such that the wanted share is refused.

The judge learns from the first 55,000 training images alone, is thrown away, and takes no part in the card.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from digit_generator.bulk import BulkGenerator
from digit_generator.choose import HIDDEN, UNITS, Choice, bytes_from_choice, choice_path
from digit_generator.evaluation.__main__ import Mistake
from digit_generator.evaluation.broken_shapes import are_broken, counted_shapes
from digit_generator.evaluation.classifier import Classifier, images_from_pixels, new_classifier
from digit_generator.evaluation.data import Digits, EvaluationError, Labels, Pixels, mnist_from_folder
from digit_generator.evaluation.protocol import LEARNED_IMAGES, Training
from digit_generator.finish import finished_pixels
from digit_generator.generate import DigitGenerator
from digit_generator.render import write_whole
from digit_generator.weights import WeightsError

REFUSED = 0.2
"""Of the first z of a digit; of the first z of a hand, HANDS_REFUSED."""
HANDS_REFUSED = 0.3

JUDGE = Training(
    "pooled", epochs=3, batch=128, rate=2e-3, weight_decay=0, augment=False, seed=909, bfloat16=True
)
FIRST_SEED = 4_100_000_000  # seeds that nobody else uses for measuring; fewer than 190 million follow
TAUGHT_SEEDS = 6000
"""Each draws all ten digits, from whose odds the head learns."""
HEAD_EPOCHS = 12
_MOST_ODDS = 4.0  # a digit ten times as frequent among real ones teaches as much as one four times
_BLOCK = 2000


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True, help="MNIST.")
@click.option("--refuse", type=click.FloatRange(0, 0.9), default=REFUSED, show_default=True)
@click.option("--refuse-hands", type=click.FloatRange(0, 0.9), default=HANDS_REFUSED, show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=JUDGE.epochs, show_default=True)
@click.option("--seeds", type=click.IntRange(50), default=TAUGHT_SEEDS, show_default=True)
def main(file: Path, data_dir: Path, refuse: float, refuse_hands: float, epochs: int, seeds: int) -> None:
    """Learn which z of FILE are refused, and write the choice file beside it (ten minutes)."""
    try:
        generator = DigitGenerator.load(file, every_z=True)
        real = mnist_from_folder(data_dir, "train")[:LEARNED_IMAGES]
    except (EvaluationError, WeightsError) as error:
        raise Mistake(str(error)) from error
    bulk = BulkGenerator(generator)
    judge = learned_judge(bulk, real, epochs)
    hidden, labels, odds, broken = drawings(bulk, judge, real, seeds)
    arrays = learned_head(hidden, labels, odds)
    record: dict[str, Any] = {
        "weights_sha256": generator.digest,
        "digit_bound": 0.0,
        "hand_bound": 0.0,
        "refused": refuse,
        "hands_refused": refuse_hands,
        "seeds": [FIRST_SEED, seeds],
        "judge_epochs": epochs,
    }
    scores = Choice(bytes_from_choice(arrays, record), generator.digest).scores(hidden, labels)
    record["digit_bound"] = float(np.quantile(scores, refuse))
    record["hand_bound"] = float(np.quantile(scores.reshape(-1, 10).min(axis=1), refuse_hands))
    path = choice_path(file)
    write_whole(path, bytes_from_choice(arrays, record))
    kept = scores > record["digit_bound"]
    click.echo(
        f"of the digits that taught it, {broken.mean():.2%} have a broken shape, "
        f"{broken[kept].mean():.2%} of those that are accepted"
    )
    click.echo(path)


def learned_judge(bulk: BulkGenerator, real: Digits, epochs: int) -> Classifier:
    """A network that says generated (0) or real (1), both finished; each epoch has new generated ones."""
    count, steps = len(real), epochs * math.ceil(2 * len(real) / JUDGE.batch)
    finished = finished_pixels(real.pixels, real.labels, FIRST_SEED + np.arange(count))
    source = torch.arange(2).repeat_interleave(count)  # [2 N]
    network = new_classifier(JUDGE, classes=2)
    optimizer = torch.optim.Adam(network.parameters(), JUDGE.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = torch.Generator().manual_seed(JUDGE.seed)
    with tqdm(total=steps * JUDGE.batch, unit=" images", unit_scale=True, desc="judge") as bar:
        for epoch in range(epochs):
            seeds = FIRST_SEED + count * (epoch + 1) + np.arange(count)
            pixels = np.concatenate([bulk.digits(real.labels, seeds), finished])
            network.train()
            for batch in torch.randperm(2 * count, generator=rng).split(JUDGE.batch):
                with torch.autocast("cpu", torch.bfloat16, enabled=JUDGE.bfloat16):
                    logits = network(images_from_pixels(pixels[batch.numpy()]))
                loss = F.cross_entropy(logits.float(), source[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update(len(batch))
                bar.set_postfix_str(f"loss {loss.item():.3f} (cannot tell: 0.693)")
    return network.eval()


def drawings(
    bulk: BulkGenerator, judge: Classifier, real: Digits, seeds: int
) -> tuple[NDArray[np.float32], Labels, NDArray[np.float64], NDArray[np.bool_]]:
    """What teaches the head: all ten digits of each seed, B = 10 seeds.

    The last hidden layer, float32 [B, 1024], labels [B], the odds of being real, float64 [B], 0 for a broken
    shape, and which are broken, bool [B].
    """
    generator, counted_real = bulk.generator, counted_shapes(real.pixels)
    labels = np.tile(np.arange(10), seeds)
    first = FIRST_SEED + 150_000_000
    each_seed = np.repeat(np.arange(first, first + seeds), 10)
    hidden, odds, broken = [], [], []
    for start in tqdm(range(0, len(labels), _BLOCK), unit="blocks", desc="digits that teach"):
        part = slice(start, start + _BLOCK)
        z = bulk.latents(each_seed[part].tolist(), labels[part])
        pixels = bulk.pixels(z, labels[part], each_seed[part])
        hidden.append(generator.hidden(z, generator.label_emb[labels[part]]).astype(np.float32))
        odds.append(odds_of_being_real(judge, pixels))
        broken.append(are_broken(counted_shapes(pixels), labels[part], counted_real, real.labels))
    is_broken = np.concatenate(broken)
    return np.concatenate(hidden), labels, np.where(is_broken, 0, np.concatenate(odds)), is_broken


@torch.inference_mode()
def odds_of_being_real(judge: Classifier, pixels: Pixels) -> NDArray[np.float64]:
    """p(real) / p(generated), float64 [B]: the density ratio, as the judge learned from as many of either."""
    logits = torch.cat([judge(images_from_pixels(pixels[i : i + 500])) for i in range(0, len(pixels), 500)])
    odds: NDArray[np.float64] = (logits[:, 1] - logits[:, 0]).double().exp().numpy()
    return odds


class Head(nn.Module):
    """(hidden [B, 1024], labels [B]) -> scores [B]."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(HIDDEN, UNITS, bias=False)
        self.label = nn.Embedding(10, UNITS)
        self.score = nn.Linear(UNITS, 1)

    def forward(self, hidden: Tensor, labels: Tensor) -> Tensor:
        units = F.leaky_relu(self.hidden(hidden) + self.label(labels), 0.2)
        scores: Tensor = self.score(units).squeeze(1)
        return scores


def learned_head(
    hidden: NDArray[np.float32], labels: Labels, odds: NDArray[np.float64]
) -> dict[str, NDArray[np.float32]]:
    """The head's arrays, named and shaped as in choose.py. Its score is the logit of odds / (1 + odds)."""
    middle, spread = hidden.mean(axis=0), hidden.std(axis=0) + 1e-6
    inputs, digits = torch.from_numpy((hidden - middle) / spread), torch.from_numpy(labels)
    odds = odds.clip(0, _MOST_ODDS)
    wanted = torch.from_numpy(odds / (1 + odds)).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(JUDGE.seed)
        head = Head()
    optimizer = torch.optim.AdamW(head.parameters(), 1e-3, weight_decay=0.05)
    steps = HEAD_EPOCHS * math.ceil(len(inputs) / 256)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = torch.Generator().manual_seed(JUDGE.seed)
    for _ in tqdm(range(HEAD_EPOCHS), unit="epochs", desc="head"):
        for batch in torch.randperm(len(inputs), generator=rng).split(256):
            seen = F.dropout(inputs[batch], 0.2)
            loss = F.binary_cross_entropy_with_logits(head(seen, digits[batch]), wanted[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        weight = head.hidden.weight.numpy() / spread
        return {
            "hidden.weight": weight,
            "label.weight": head.label.weight.numpy() - weight @ middle,
            "score.weight": head.score.weight.numpy()[0],
            "score.bias": head.score.bias.numpy(),
        }


if __name__ == "__main__":
    main()
