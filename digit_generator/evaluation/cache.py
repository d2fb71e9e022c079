"""What was computed once is kept in a folder, filed under a digest of everything it depends on."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digit_generator.evaluation import protocol
from digit_generator.files import write_whole


class Cache:
    """Figures by name and by what they were made from; the folder may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str, *made_from: object, suffix: str = ".json") -> Path:
        """Where the thing `name` made from these digests and settings lies or is to lie."""
        text = repr((protocol.VERSION, name, made_from))
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}{suffix}"

    def figures(self, compute: Callable[[], dict[str, Any]], name: str, *made_from: object) -> dict[str, Any]:
        """The figures `name`, computed if they are not there yet, with the `seconds` that took."""
        path = self.path(name, *made_from)
        if not path.exists():
            started = monotonic()
            figures = compute()
            write_json(path, {**figures, "seconds": round(monotonic() - started, 1)})
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept

    def arrays(
        self, compute: Callable[[], Mapping[str, NDArray[Any]]], name: str, *made_from: object
    ) -> dict[str, NDArray[Any]]:
        """The arrays `name`, computed if they are not there yet."""
        path = self.path(name, *made_from, suffix=".npz")
        if not path.exists():
            buffer = io.BytesIO()
            np.savez(buffer, **compute())  # type: ignore[arg-type]
            write_whole(path, buffer.getvalue())
        with np.load(path) as kept:
            return dict(kept)


def write_json(path: Path, content: object) -> None:
    """Write JSON, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
