"""python -m digit_generator.evaluation: the command line of the ruler."""

from __future__ import annotations

from pathlib import Path

import click

from digit_generator.cli.options import Mistake, replace_unprintable
from digit_generator.evaluation import protocol
from digit_generator.evaluation.cache import Cache, write_json
from digit_generator.evaluation.card import ALL, markdown_from_card, table, warnings_of
from digit_generator.evaluation.data import EvaluationError
from digit_generator.evaluation.options import check_folders
from digit_generator.evaluation.publish import CLASSIC, card_and_by_eye, classic_beside, other_cards
from digit_generator.evaluation.report import make_card, source_from_file
from digit_generator.files import write_whole
from digit_generator.weights import WeightsError, find_weights

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--data-dir", type=_FOLDER, required=True, help="MNIST's four IDX files.")
@click.option("--out", type=_FOLDER, required=True, help="Gets quality.json, quality.md and quality/*.png.")
@click.option("--against", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option(
    "--quick", is_flag=True, help="One generation; judge, distances, neighbours, diversity, pictures."
)
@click.option("--features", type=_FILE, help="An ONNX network to take features from, instead of the judge.")
@click.option(
    "--classic",
    type=_FILE,
    help=f"Weights of the textbook recipe, for comparison.  [default: classic.pth beside FILE, or {CLASSIC}]",
)
@click.option("--name", help="What the card calls FILE.")
@click.option("--cache", "cache_dir", type=_FOLDER, default=Path("evaluation-cache"), show_default=True)
def main(
    file: Path | None,
    data_dir: Path,
    out: Path,
    against: protocol.Against,
    quick: bool,
    features: Path | None,
    classic: Path | None,
    name: str | None,
    cache_dir: Path,
) -> None:
    """Measure the digits of FILE: weights (.pth, .safetensors; generator.pth if left out), or an .npz of
    `pixels` uint8 [N, 28, 28] and `labels` [N]."""
    try:
        file = file or find_weights()
        beside = classic or classic_beside(file)
        source = source_from_file(file, name)
        textbook = source_from_file(beside, "classic") if beside else None
        check_folders({"--out": out, "--cache": cache_dir})
        card = make_card(
            source,
            textbook,
            data_dir=data_dir,
            pictures_dir=out / "quality",
            against=against,
            quick=quick,
            cache=Cache(cache_dir),
            features=features,
        )
    except (EvaluationError, WeightsError) as error:
        raise Mistake(str(error)) from error
    write_json(out / "quality.json", card)
    shown = card_and_by_eye(card, out)
    write_whole(out / "quality.md", markdown_from_card(shown, other_cards(out)).encode())
    click.echo(table(shown, ALL))
    for warning in warnings_of(card):
        click.echo(f"Warning: {warning}", err=True)
    click.echo(out / "quality.md")


if __name__ == "__main__":
    replace_unprintable()
    main(prog_name="python -m digit_generator.evaluation")
