"""Learn which z are rejected: generator.pth -> generator.choice.safetensors (what it is for: choose.py).

    python -m digit_generator.evaluation.choice generator.pth --data-dir mnist

1. Many digits are drawn and finished. A digit is faulty if its shape is broken (broken_shapes.py) or if it is
   misread: two networks, made for this and the refinement alone, take it for another digit. Where digits
   with its number of pieces and holes are drawn more often than written, it is faulty with the probability
   of being one too many.
2. A head of 64 units learns from what the generator has before its last layer how likely it is that a digit
   has no fault.
3. The bounds of each position, from "as it comes" to "neat", are set such that the wanted share of z is
   rejected.
4. What each position costs is measured (neat.py).

What a broken shape is follows from the first 55,000 training images. From them, the two networks learn to
read. Judges that tell generated from real digits were tried as teachers as well, and made the digits worse:
docs/experiments.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation.data import Digits, EvaluationError, Labels, Pixels, mnist_from_folder
from digit_generator.evaluation.measures.broken_shapes import Counted, are_broken, counted_shapes, excess
from digit_generator.evaluation.neat import IMAGES, costs
from digit_generator.evaluation.networks.classifier import Classifier, features_and_probabilities
from digit_generator.evaluation.networks.judges import READERS, judge, taught
from digit_generator.evaluation.options import check_folders
from digit_generator.evaluation.protocol import LEARNED_IMAGES
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator
from digit_generator.weights import WeightsError

_READERS = READERS[:2]  # the third would take as long as all the rest
REJECTED = (0.08, 0.12, 0.16, 0.22, 0.3)
"""Of the first z of a digit, by position; of the first z of a hand, HANDS_REJECTED."""
HANDS_REJECTED = (0.2, 0.3, 0.5, 0.7, 0.85)

FIRST_SEED = 4_100_000_000  # seeds that nobody else uses for measuring
SEEDS = 12_000
"""Each draws all ten digits, from which the head learns."""
_EPOCHS, _BATCH, _RATE, _DECAY, _DROPOUT = 12, 256, 1e-3, 0.05, 0.2
_FIRST_WEIGHTS = 909
_BLOCK = 2000


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True, help="MNIST.")
@click.option("--reject", type=click.FloatRange(0, 0.9), default=REJECTED[0], show_default=True)
@click.option("--reject-hands", type=click.FloatRange(0, 0.9), default=HANDS_REJECTED[0], show_default=True)
@click.option("--seeds", type=click.IntRange(50), default=SEEDS, show_default=True)
@click.option(
    "--images", type=click.IntRange(100), default=IMAGES, show_default=True, help="To measure each position."
)
def main(file: Path, data_dir: Path, reject: float, reject_hands: float, seeds: int, images: int) -> None:
    """Learn which z of FILE are rejected, and write the choice file beside it (eight minutes).

    --reject and --reject-hands are of what comes without being asked for; neater positions reject at least
    as much.
    """
    check_folders({"FILE": file.parent})
    try:
        generator = DigitGenerator.load(file, every_z=True)
        train = mnist_from_folder(data_dir, "train")
        reader = judge()
    except (EvaluationError, WeightsError) as error:
        raise Mistake(str(error)) from error
    learned = train[:LEARNED_IMAGES]
    readers = [taught(setting, learned) for setting in _READERS]
    hidden, labels, broken, misread, too_many = drawings(generator, learned, seeds, readers)
    arrays = learned_head(hidden, labels, ~(broken | misread) * (1 - too_many))
    record: dict[str, Any] = {
        "weights_sha256": generator.digest,
        "digit_bound": 0.0,
        "hand_bound": 0.0,
        "refused": reject,
        "hands_refused": reject_hands,
        "seeds": [FIRST_SEED, seeds],
    }
    scores = Choice(bytes_from_choice(arrays, record), generator.digest).scores(hidden, labels)
    record["neat"] = positions = positions_from_scores(scores, reject, reject_hands)
    # Those of the first position, where programs from before there were positions look for them.
    record |= {name: positions[0][name] for name in ("digit_bound", "hand_bound")}
    generator.choice = Choice(bytes_from_choice(arrays, record), generator.digest)
    for position, told in zip(positions, costs(generator, train, reader, images), strict=True):
        position |= told
    record["measured_on"] = images
    path = choice_path(file)
    write_whole(path, bytes_from_choice(arrays, record))
    accepted = scores > record["digit_bound"]
    for are, fault in (("have a broken shape", broken), ("are misread", misread)):
        click.echo(
            f"of the digits that it learned from, {fault.mean():.2%} {are}, "
            f"and {fault[accepted].mean():.2%} of those that are accepted"
        )
    click.echo("| neat | rejected | hands rejected | FID | recall | broken shapes |\n" + "| --- " * 6 + "|")
    for neat, told in enumerate(positions):
        click.echo(
            f"| {neat} | {told['rejected']:.0%} | {told['hands_rejected']:.0%} | {told['fid']:.3f} "
            f"| {told['recall']:.3f} | {told['broken']:.1%} |"
        )
    click.echo(path)


def positions_from_scores(
    scores: NDArray[np.floating[Any]], reject: float, reject_hands: float
) -> list[dict[str, float]]:
    """The bounds of each position, and the shares of `scores`, float [B], that they reject; ten a seed."""
    worst = scores.reshape(-1, 10).min(axis=1)
    return [
        {
            "rejected": share,
            "hands_rejected": of_hands,
            "digit_bound": float(np.quantile(scores, share)),
            "hand_bound": float(np.quantile(worst, of_hands)),
        }
        for share, of_hands in zip(
            (reject, *(max(reject, share) for share in REJECTED[1:])),
            (reject_hands, *(max(reject_hands, share) for share in HANDS_REJECTED[1:])),
            strict=True,
        )
    ]


def drawings(
    generator: DigitGenerator, real: Digits, seeds: int, readers: Sequence[Classifier]
) -> tuple[NDArray[np.float32], Labels, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """What teaches the head, all ten digits of each seed, B = 10 seeds: the last hidden layer, float32
    [B, 1024], labels [B], which have a broken shape and which are misread, bool [B] each, and the share that
    is too many of those with as many pieces and holes, float64 [B]."""
    bulk, counted_real = BulkGenerator(generator), counted_shapes(real.pixels)
    labels = np.tile(np.arange(10), seeds)
    each_seed = np.repeat(np.arange(FIRST_SEED, FIRST_SEED + seeds), 10)
    hidden, counted, misread = [], [], []
    for start in tqdm(range(0, len(labels), _BLOCK), unit="blocks", desc="digits that teach"):
        part = slice(start, start + _BLOCK)
        z = bulk.latents(each_seed[part].tolist(), labels[part])
        pixels = bulk.pixels(z, labels[part], each_seed[part])
        hidden.append(generator.hidden(z, generator.label_emb[labels[part]]).astype(np.float32))
        counted.append(counted_shapes(pixels))
        misread.append(are_misread(pixels, labels[part], readers))
    compared = Counted(*map(np.concatenate, zip(*counted, strict=True))), labels, counted_real, real.labels
    return (np.concatenate(hidden), labels, are_broken(*compared), np.concatenate(misread), excess(*compared))


def are_misread(pixels: Pixels, labels: Labels, readers: Sequence[Classifier]) -> NDArray[np.bool_]:
    """Which of pixels, uint8 [B, 28, 28], the readers do not take for their labels, bool [B]: those that get
    less than half of the probability, on average."""
    each = [features_and_probabilities(reader, pixels)[1] for reader in readers]
    misread: NDArray[np.bool_] = np.mean(each, axis=0)[np.arange(len(labels)), labels] < 0.5
    return misread


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
    hidden: NDArray[np.float32], labels: Labels, faultless: NDArray[Any]
) -> dict[str, NDArray[np.float32]]:
    """The head's arrays, named and shaped as in choose.py. Its score is the logit of no fault.

    hidden [B, 1024], labels [B]. faultless [B]: the probability that a digit has no fault, 0 to 1.
    """
    middle, spread = hidden.mean(axis=0), hidden.std(axis=0) + 1e-6
    inputs, digits = torch.from_numpy((hidden - middle) / spread), torch.from_numpy(labels)
    wanted = torch.from_numpy(faultless).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_FIRST_WEIGHTS)
        head = Head()
        optimizer = torch.optim.AdamW(head.parameters(), _RATE, weight_decay=_DECAY)
        steps = _EPOCHS * math.ceil(len(inputs) / _BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in tqdm(range(_EPOCHS), unit="epochs", desc="head"):
            for batch in torch.randperm(len(inputs)).split(_BATCH):
                seen = F.dropout(inputs[batch], _DROPOUT)
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
    replace_unprintable()
    main()
