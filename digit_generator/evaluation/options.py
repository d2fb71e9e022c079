"""What the command lines of the ruler share: options, and folders that are checked before the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from digit_generator.cli.options import Mistake
from digit_generator.files import check_writable


def report_options(files: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--data-dir, --out and --weights; `files` says what the folder --out gets."""
    folder: Any = click.Path(path_type=Path, file_okay=False)
    options = [
        click.option("--data-dir", type=folder, required=True, help="MNIST's four IDX files."),
        click.option("--out", type=folder, required=True, help=f"Gets {files}."),
        click.option("--weights", type=click.Path(path_type=Path), help="Others than those that ship."),
    ]

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


def check_folders(folders: Mapping[str, Path]) -> None:
    """Raises Mistake, before anything is measured, if one of the options' folders cannot be written."""
    for option, folder in folders.items():
        try:
            check_writable(folder)
        except OSError as error:
            raise Mistake(
                f"{folder} cannot be written ({error.strerror}): choose another folder with {option}."
            ) from None
