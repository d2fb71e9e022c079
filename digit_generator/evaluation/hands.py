"""How true a hand is: docs/hands.json, docs/hands.md and docs/images/hands.png.

python -m digit_generator.evaluation.hands --data-dir mnist --out docs

The first test digits are drawn again from the hands that are found in them. And whether one z writes as one
person does is asked of a network that learned from MNIST's training writers who wrote what.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation.cache import write_json
from digit_generator.evaluation.data import (
    Digits,
    EvaluationError,
    Floats,
    Labels,
    Pixels,
    mnist_from_folder,
    random_part,
)
from digit_generator.evaluation.networks.classifier import features_and_probabilities
from digit_generator.evaluation.networks.judges import judge
from digit_generator.evaluation.networks.writers import (
    WriterNetwork,
    learned_network,
    likeness,
    places_of,
)
from digit_generator.evaluation.options import check_folders, report_options
from digit_generator.evaluation.writers import writers_from_folder
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator, pixels_from_images
from digit_generator.hand import (
    LIKE,
    NEAR,
    Found,
    HandError,
    costs_of_digits,
    hand_from_digits,
    too_far,
    unlike,
)
from digit_generator.render import sheet_from_pixels
from digit_generator.shapes import estimated_shapes
from digit_generator.style import evened_latents, hand_latents
from digit_generator.weights import WeightsError

DIGITS = 1000
"""Of the test digits, from the first on."""
READ = 200
"""Of them, those that are read by what costs least."""
SHOWN = 20
HELD_OUT = 100
"""Training writers that the network does not learn from: they decide from where on it says "one writer"."""
PAIRS = 4000
"""Real ones, half by one writer and half by two."""
HANDS = 1000
SHAPES = 3000
"""Training digits that say how thick, slanted and wide each digit is."""
FIRST_SEED = 2_960_000_000  # seeds that nobody else uses for measuring

Pairs = tuple[Digits, Digits]


@click.command()
@report_options("hands.json, hands.md and images/hands.png")
@click.option("--digits", type=click.IntRange(SHOWN), default=DIGITS, show_default=True)
@click.option(
    "--network",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file for the network of hands: read if it is there, else learned (two minutes) and written.",
)
def main(data_dir: Path, out: Path, weights: Path | None, digits: int, network: Path | None) -> None:
    """Measure how true the hands are that these weights find and write (eight minutes on one core)."""
    check_folders({"--out": out})
    try:
        generator = DigitGenerator.load(weights)
        learned, real = mnist_from_folder(data_dir, "train"), mnist_from_folder(data_dir, "t10k")
        learned_writers, writers = (writers_from_folder(data_dir, part) for part in ("train", "test"))
        held_out = held_out_rows(learned_writers)
        told = hand_network(learned[~held_out], learned_writers[~held_out], network)
        by_network = Ruler(
            lambda a, b: likeness(places_of(told, a), places_of(told, b)),
            real_pairs(learned[held_out], learned_writers[held_out]),
        )
        by_shapes = Ruler(
            likeness_of_shapes(learned[~held_out]), real_pairs(learned[held_out], learned_writers[held_out])
        )
        first = real[:digits]
        found = [
            hand_from_digits(generator, first.pixels[i : i + 1], first.labels[i : i + 1])
            for i in tqdm(range(digits), unit="digits", desc="finding hands")
        ]
        report = {
            "weights_sha256": generator.digest,
            "choice_sha256": generator.choice_digest,
            "digits": digits,
            "again": again_report(generator, first, found),
            "hands": hands_report(
                {"network": by_network, "shapes": by_shapes},
                pairs_of_rows(generator, real, writers, found),
            ),
        }
    except (EvaluationError, HandError, WeightsError) as error:
        raise Mistake(str(error)) from error
    (out / "images").mkdir(parents=True, exist_ok=True)
    write_whole(out / "images" / "hands.png", sheet_of_hands(generator, first, found))
    write_json(out / "hands.json", report)
    write_whole(out / "hands.md", markdown_from_report(json.loads(json.dumps(report))).encode())
    click.echo(out / "hands.md")


# Drawn again


def again_report(generator: DigitGenerator, digits: Digits, found: list[Found]) -> dict[str, Any]:
    """How near the network comes to digits that it has not learned from."""
    count = len(found)
    images = np.concatenate([one.images for one in found])
    raw = pixels_from_images(images)
    pixels = generator.finished(raw, digits.labels, range(count))
    _, probabilities = features_and_probabilities(judge(), pixels)
    _, of_real = features_and_probabilities(judge(), digits.pixels)
    agrees = probabilities.argmax(axis=1) == digits.labels
    distances = np.concatenate([one.distances for one in found])
    costs = costs_of_digits(generator, digits.pixels[:READ])
    read, labels = costs.argmin(axis=1), digits.labels[: len(costs)]
    far = [too_far(one, costs[i : i + 1])[0] for i, one in enumerate(found[:READ])]
    lengths = [float(np.linalg.norm(one.hand.z)) for one in found]
    return {
        "squared_error_raw": _squared_error(raw, digits.pixels),
        "squared_error": _squared_error(pixels, digits.pixels),
        "distance": {f"{share}": float(np.quantile(distances, share / 100)) for share in (50, 90, 99, 100)},
        "too_far": int(np.sum(far)),
        "wrong_told": float(np.mean([unlike(costs, (labels + more) % 10) for more in range(1, 10)])),
        "furthest": [int(row) for row in np.argsort(-distances, kind="stable")[:10]],
        "read_as_written": float(agrees.mean()),
        "real_read_as_written": float((of_real.argmax(axis=1) == digits.labels).mean()),
        "guessed": float(np.mean(read == labels)),
        "guesses": len(read),
        "length_of_z": float(np.mean(lengths)),
        "by_digit": [
            {
                "digit": digit,
                "digits": int((digits.labels == digit).sum()),
                "distance": float(distances[digits.labels == digit].mean()),
                "read_as_written": float(agrees[digits.labels == digit].mean()),
            }
            for digit in np.unique(digits.labels).tolist()
        ],
    }


def sheet_of_hands(generator: DigitGenerator, digits: Digits, found: list[Found]) -> bytes:
    """The first digits, a row each: as written, as drawn again, and the ten digits in this hand."""
    blank = np.zeros((1, 28, 28), np.uint8)
    rows = []
    for i, one in enumerate(found[:SHOWN]):
        drawn = generator.finished(pixels_from_images(one.images), one.labels, [i])
        ten = generator.variant(in_hand=one.hand).hand(range(10), i)
        rows += [digits.pixels[i : i + 1], drawn, blank, ten]
    return sheet_from_pixels(np.concatenate(rows), columns=13, scale=2)


# One writer or two


class Ruler:
    """Says whether one person wrote two digits: they are alike beyond a bound.

    The bound is where, of real pairs, those by one writer and those by two are right equally often.
    """

    def __init__(
        self, alike: Callable[[Digits, Digits], Floats], bounded_by: tuple[Digits, Digits, NDArray[np.bool_]]
    ) -> None:
        a, b, one = bounded_by
        self.alike = alike
        scores = alike(a, b)
        bounds = np.sort(scores)
        gap = [abs((scores[one] > bound).mean() - (scores[~one] <= bound).mean()) for bound in bounds]
        self.bound = float(bounds[int(np.argmin(gap))])


def held_out_rows(writers: Labels) -> NDArray[np.bool_]:
    """Which digits are by the writers that the network does not learn from, bool [N]."""
    chosen = np.random.RandomState(0).permutation(np.unique(writers))[:HELD_OUT]
    return np.isin(writers, chosen)


def hand_network(digits: Digits, writers: Labels, path: Path | None) -> WriterNetwork:
    """The network, read from its file or learned now."""
    if path is not None and path.exists():
        network = WriterNetwork()
        network.load_state_dict(load_file(path))
        return network.eval()
    network = learned_network(digits, writers)
    if path is not None:
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    return network


def likeness_of_shapes(learned: Digits) -> Callable[[Digits, Digits], Floats]:
    """How alike two digits are in thickness, slant and width: minus the squared difference of the three,
    each in spreads from the mean of its digit, as some of `learned` have them."""
    learned = random_part(learned, SHAPES)
    shapes, _ = estimated_shapes(learned.pixels / 255)
    mean = np.stack([shapes[learned.labels == digit].mean(axis=0) for digit in range(10)])
    spread = np.stack([shapes[learned.labels == digit].std(axis=0) for digit in range(10)])

    def standard(digits: Digits) -> Floats:
        own, _ = estimated_shapes(digits.pixels / 255)
        standardised: Floats = (own - mean[digits.labels]) / spread[digits.labels]
        return standardised

    return lambda a, b: -((standard(a) - standard(b)) ** 2).sum(axis=1)


def real_pairs(
    digits: Digits, writers: Labels, count: int = PAIRS
) -> tuple[Digits, Digits, NDArray[np.bool_]]:
    """Pairs of different digits, and whether one writer wrote both: every other pair."""
    rng = np.random.RandomState(1)
    first: list[int] = []
    second: list[int] = []
    while len(first) < count:
        a = rng.randint(len(digits))
        one = len(first) % 2 == 0
        fits = (writers == writers[a]) if one else (writers != writers[a])
        others = np.flatnonzero(fits & (digits.labels != digits.labels[a]))
        if len(others):
            first.append(a)
            second.append(int(rng.choice(others)))
    return digits[np.array(first)], digits[np.array(second)], np.arange(count) % 2 == 0


def pairs_of_rows(
    generator: DigitGenerator, real: Digits, writers: Labels, found: list[Found]
) -> dict[str, Pairs]:
    """What is put before the ruler, row by row: pairs of different digits."""
    a, b, one = real_pairs(real, writers)
    rng = np.random.RandomState(2)
    rows = {"real, one writer": (a[one], b[one]), "real, two writers": (a[~one], b[~one])}

    seeds = np.arange(FIRST_SEED, FIRST_SEED + HANDS)
    labels = np.stack([rng.choice(10, 2, replace=False) for _ in seeds])  # [HANDS, 2]
    z = np.stack([generator.hand_latent(seed) for seed in seeds.tolist()])
    drawn = _drawn(generator, z, labels[:, 0], seeds)
    rows["one z"] = drawn, _drawn(generator, z, labels[:, 1], seeds)
    rows["two z"] = drawn, _drawn(generator, np.roll(z, 1, axis=0), labels[:, 1], seeds)
    in_number = np.stack(
        [
            evened_latents(generator, hand_latents(seed, pair, generator=generator), pair.tolist())
            for seed, pair in zip(seeds.tolist(), labels, strict=True)
        ]
    )
    rows["one number"] = (
        _drawn(generator, in_number[:, 0], labels[:, 0], seeds),
        _drawn(generator, in_number[:, 1], labels[:, 1], seeds),
    )

    count = len(found)
    written, of = real[:count], writers[:count]
    other = (written.labels + rng.randint(1, 10, count)) % 10
    hands = np.stack([one.hand.z for one in found])
    ours = _drawn(generator, hands, other, np.arange(count))
    rows["a real digit, our hand of it"] = written, ours
    same, stranger = [], []
    for i in range(count):
        fits = (real.labels != other[i]) & (np.arange(len(real)) != i)
        same.append(
            rng.choice(np.flatnonzero(fits & (writers == of[i]) & (real.labels != written.labels[i])))
        )
        stranger.append(rng.choice(np.flatnonzero(fits & (writers != of[i]))))
    rows["another real digit by that writer, our hand"] = real[np.array(same)], ours
    rows["a real digit by another writer, our hand"] = real[np.array(stranger)], ours
    return rows


def _drawn(generator: DigitGenerator, z: Floats, labels: Labels, seeds: NDArray[np.int64]) -> Digits:
    return Digits(generator.pixels(z, labels, seeds.tolist()), labels)


def hands_report(rulers: dict[str, Ruler], rows: dict[str, Pairs]) -> dict[str, Any]:
    """For each ruler and row: how often it says "one writer", and how well it tells them from two writers
    (the area under the curve against the real pairs by two)."""
    report: dict[str, Any] = {}
    for name, ruler in rulers.items():
        scores = {row: ruler.alike(*pairs) for row, pairs in rows.items()}
        two = scores["real, two writers"]
        report[name] = {
            row: {
                "pairs": len(own),
                "one_writer": float((own > ruler.bound).mean()),
                "area": area_under_curve(own, two),
            }
            for row, own in scores.items()
        }
    return report


def area_under_curve(higher: Floats, lower: Floats) -> float:
    """How often a number of `higher` is above one of `lower`, ties half (Mann and Whitney 1947)."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, "left") + np.searchsorted(ordered, higher, "right")
    return float(below.mean() / 2 / len(lower))


# The page


def markdown_from_report(report: dict[str, Any]) -> str:
    """The report as a page."""
    again, hands = report["again"], report["hands"]
    distance = again["distance"]
    return _PAGE.format(
        digest=report["weights_sha256"],
        digits=report["digits"],
        option="" if report["digits"] == DIGITS else f" --digits {report['digits']}",
        last=SHOWN - 1,
        like=LIKE,
        near=NEAR,
        error=f"{again['squared_error']:.4f}",
        raw=f"{again['squared_error_raw']:.4f}",
        median=f"{distance['50']:.3f}",
        ninety=f"{distance['90']:.3f}",
        furthest=f"{distance['100']:.3f}",
        too_far=again["too_far"],
        rows_far=", ".join(map(str, again["furthest"])),
        read=_percent(again["read_as_written"]),
        real=_percent(again["real_read_as_written"]),
        guessed=_percent(again["guessed"]),
        guesses=again["guesses"],
        wrong_told=_percent(again["wrong_told"]),
        length=f"{again['length_of_z']:.1f}",
        by_digit="\n".join(
            f"| {one['digit']} | {one['digits']} | {one['distance']:.3f} "
            f"| {_percent(one['read_as_written'])} |"
            for one in again["by_digit"]
        ),
        held_out=HELD_OUT,
        rows="\n".join(
            f"| {row} | {told['pairs']} | {_percent(told['one_writer'])} | {told['area']:.3f} "
            f"| {_percent(hands['shapes'][row]['one_writer'])} | {hands['shapes'][row]['area']:.3f} |"
            for row, told in hands["network"].items()
        ),
        accuracy=_percent(_accuracy(hands["network"])),
        by_shapes=_percent(_accuracy(hands["shapes"])),
    )


_PAGE = """# Hands, measured

Made by `python -m digit_generator.evaluation.hands --data-dir mnist --out docs{option}` from the weights
with SHA-256
`{digest}`.
A hand is found in one digit and writes the other nine: `digit_generator/hand.py`.

## Twenty hands, not chosen
![Twenty rows: a digit, the digit drawn again, and the ten digits in its hand](images/hands.png)

MNIST's test digits 0 to {last}, from the top; no network here has learned from them. Each row: the real
digit, what the network makes of it, and the ten digits from the same z.

## The digit drawn again
{digits} test digits, from the first on, and a hand found in each alone.

| | |
| --- | --- |
| Squared error of the finished drawing, of 1 | {error} |
| Squared error of the network's own image, of 1 | {raw} |
| Distance (root mean square, blurred, in [-1, 1]): half are below | {median} |
| nine tenths are below | {ninety} |
| the furthest | {furthest} |
| The judge reads the drawing as what was written | {read} |
| The judge reads the real digits as what was written | {real} |
| The digit itself is guessed: it costs least | {guessed} of the first {guesses} |
| Too far: costs {like} times another digit, or is further than {near} | {too_far} of the first {guesses} |
| Too far, if it is said to be one of the nine other digits | {wrong_told} |
| Length of z | {length} |

The ten furthest are the test digits {rows_far}.

| digit | digits | mean distance | read as written |
| --- | --- | --- | --- |
{by_digit}

## Is one z one hand?
A network that sees two different digits and says whether one person wrote both has learned from MNIST's
training writers (QMNIST's tables say who wrote what, Yadav and Bottou 2019), without {held_out} of them, on
which the bound is set. The pairs below are of test writers, none of whom it has seen. It is right about
{accuracy} of the real pairs. Thickness, slant and width alone, each in spreads from the mean of its digit,
are right about {by_shapes}. *One writer* is how often it says so; *area* is how often such a pair is more
alike than a real pair by two writers.

| pairs of | pairs | one writer | area | by shapes alone | area |
| --- | --- | --- | --- | --- | --- |
{rows}

"One number" is two digits as `write_number` writes them. "Our hand" is a digit drawn from the z that was
found in one real digit, and each of the last three rows has a real digit beside it: that very one, another
by its writer, one by another writer.
"""


def _accuracy(rows: dict[str, Any]) -> float:
    one, two = (rows[f"real, {writers}"]["one_writer"] for writers in ("one writer", "two writers"))
    return float((one + 1 - two) / 2)


def _squared_error(a: Pixels, b: Pixels) -> float:
    return float((((a.astype(np.float64) - b) / 255) ** 2).mean())


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    replace_unprintable()
    main(prog_name="python -m digit_generator.evaluation.hands")
