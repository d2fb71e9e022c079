"""The classifiers that read digits: the judge of the card, the scout of choices while developing, and the
readers by which weights are refined and z are chosen.

`python -m digit_generator.evaluation.networks.judges --data-dir DIR` trains the judge and writes
judge.safetensors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from tqdm import tqdm

from digit_generator.evaluation import protocol
from digit_generator.evaluation.cache import Cache
from digit_generator.evaluation.data import Digits, EvaluationError, mnist_from_folder
from digit_generator.evaluation.networks.classifier import (
    Classifier,
    accuracy,
    load_classifier,
    new_classifier,
    save_classifier,
    training,
)

READERS = (
    protocol.Training("strided", epochs=4, batch=256, rate=2e-3, weight_decay=1e-4, augment=True, seed=7772),
    protocol.Training("strided", epochs=4, batch=256, rate=2e-3, weight_decay=1e-4, augment=False, seed=7773),
    protocol.Training(
        "pooled", epochs=4, batch=256, rate=3e-3, weight_decay=1e-4, augment=True, seed=7775, bfloat16=True
    ),
)
"""Networks for the refinement and the choice alone, from other seeds than the judge and the scout."""

JUDGE_PATH = Path(__file__).with_name("judge.safetensors")


def judge() -> Classifier:
    """The judge of the card, as its weights lie in the package."""
    if not JUDGE_PATH.is_file():
        raise EvaluationError(
            f"{JUDGE_PATH} is missing; train it: "
            "python -m digit_generator.evaluation.networks.judges --data-dir DIR"
        )
    return load_classifier(JUDGE_PATH, protocol.JUDGE)


def scout(learned: Digits, cache: Cache, say: Callable[[str], object]) -> Classifier:
    """The scout, trained now (minutes) or as the cache holds it."""
    path = cache.path("scout", learned.digest, protocol.SCOUT, suffix=".safetensors")
    if not path.exists():
        save_classifier(_trained(learned, protocol.SCOUT, say), path)
    return load_classifier(path, protocol.SCOUT)


def taught(setting: protocol.Training, digits: Digits, classes: int = 10) -> Classifier:
    """A classifier that has learned `digits.labels`, ready to read."""
    network = new_classifier(setting, classes)
    for _ in tqdm(training(network, digits, setting), total=setting.epochs, unit="epochs", desc="a reader"):
        pass
    return network.eval()


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=JUDGE_PATH, show_default=True)
def main(data_dir: Path, out: Path) -> None:
    """Train the judge on the first 55,000 training images and test it once on the 10,000 test images."""
    learned = mnist_from_folder(data_dir, "train")[: protocol.LEARNED_IMAGES]
    network = _trained(learned, protocol.JUDGE, click.echo)
    share = accuracy(network, mnist_from_folder(data_dir, "t10k"))
    click.echo(
        f"reads {share:.2%} of the real test digits; at least {protocol.JUDGE_MIN_ACCURACY:.1%} wanted"
    )
    if share < protocol.JUDGE_MIN_ACCURACY:
        raise click.ClickException("Not written: train longer, or from another seed (protocol.JUDGE).")
    save_classifier(network, out)


def _trained(learned: Digits, setting: protocol.Training, say: Callable[[str], object]) -> Classifier:
    network = new_classifier(setting)
    for epoch in training(network, learned, setting):
        say(f"learning to read: epoch {epoch} of {setting.epochs}")
    return network


if __name__ == "__main__":
    main()
