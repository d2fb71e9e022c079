"""The options that the reports share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


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
