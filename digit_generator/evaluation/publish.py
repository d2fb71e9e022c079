"""The card of the shipped weights, as the repository publishes it.

docs/quality.json is what was measured, docs/quality/by-eye.json what a person saw (by_eye.py). From them
`python -m digit_generator.evaluation.publish` makes docs/quality.md, the table in README.md, and the quality
in the .json files beside the weights. Cards of other generators are in docs/quality/others.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from digit_generator.cli.options import replace_unprintable
from digit_generator.evaluation.card import Card, figures_of, markdown_from_card, readme_table, with_by_eye
from digit_generator.evaluation.data import EvaluationError
from digit_generator.files import write_whole
from digit_generator.weights import digest_of_file

REPOSITORY = Path(__file__).parent.parent.parent
CLASSIC = "docs/training/classic/classic.pth"
REFRESH = "python -m digit_generator.evaluation.publish"
_BLOCK = re.compile(r"(<!-- quality:begin -->\n).*?(<!-- quality:end -->)", re.DOTALL)


@click.command(help=__doc__)
def main() -> None:
    for path, text in published_files(REPOSITORY).items():
        write_whole(path, text.encode())
        click.echo(path)


def published_files(root: Path) -> dict[Path, str]:
    """What the files made from docs/quality.json must say, by path. Raises EvaluationError if that cannot be
    told.
    """
    card_path, readme_path = root / "docs" / "quality.json", root / "README.md"
    if not card_path.is_file():
        raise EvaluationError(
            f"{card_path} is missing: measure with "
            "python -m digit_generator.evaluation --data-dir mnist --out docs"
        )
    card = card_and_by_eye(json.loads(card_path.read_text()), card_path.parent)
    readme = readme_path.read_text()
    if not _BLOCK.search(readme):
        raise EvaluationError(f"{readme_path} has no <!-- quality:begin --> and <!-- quality:end -->.")
    table = readme_table(card)
    files = {
        root / "docs" / "quality.md": markdown_from_card(card, other_cards(root / "docs")),
        readme_path: _BLOCK.sub(lambda block: f"{block[1]}{table}\n{block[2]}", readme),
    }
    for name, column, measured in (
        ("generator.json", "generated", card["subject"]["sha256"]),
        ("docs/training/classic/classic.json", "classic", card["classic_sha256"]),
    ):
        provenance = json.loads((root / name).read_text(encoding="utf-8"))
        if provenance["weights_sha256"] == measured:
            provenance["quality"] = {
                "ruler": card["ruler"],
                "generated": figures_of(card, column),
                "real": figures_of(card, "real"),
            }
            files[root / name] = json.dumps(provenance, indent=2, ensure_ascii=False) + "\n"
    return files


def card_and_by_eye(card: Card, out: Path) -> Card:
    """The card with what lies in out/quality/by-eye.json, if that is about the same digits."""
    path = out / "quality" / "by-eye.json"
    return with_by_eye(card, json.loads(path.read_text())) if path.is_file() else card


def classic_beside(weights: Path) -> Path | None:
    """The weights of the textbook recipe that stand beside these: in their folder, or where the repository
    keeps them."""
    places = (weights.with_name("classic.pth"), weights.resolve().parent / CLASSIC)
    return next((path for path in places if path.is_file()), None)


def other_cards(out: Path) -> list[dict[str, Any]]:
    """The cards of other generators that lie in out/quality/others, by file name."""
    return [json.loads(path.read_text()) for path in sorted((out / "quality" / "others").glob("*.json"))]


def stale(root: Path) -> list[str]:
    """What in the repository does not agree with docs/quality.json, each a sentence; nothing if all is
    well."""
    found = [
        f"{path} differs from docs/quality.json; run {REFRESH}"
        for path, text in published_files(root).items()
        if not path.is_file() or path.read_text() != text
    ]
    card = json.loads((root / "docs" / "quality.json").read_text())
    for name, measured in (
        ("generator.pth", card["subject"]["sha256"]),
        (CLASSIC, card["classic_sha256"]),
    ):
        if measured and digest_of_file(root / name) != measured:
            found.append(f"docs/quality.json was not measured on this {name}; measure again with --out docs")
    return found


if __name__ == "__main__":
    replace_unprintable()
    main()
