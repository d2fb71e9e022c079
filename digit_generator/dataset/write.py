"""Write a labelled data set: draw what the plan says, a block at a time, in one of the formats.

Image i of a set is what DigitGenerator.digits draws for label i and seed i. A set is written into a folder
beside its own and renamed when it is whole, so that there is a whole set or none.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from digit_generator import __version__
from digit_generator.bulk import BulkGenerator
from digit_generator.dataset.folder import (
    bytes_of_manifest,
    check_folder,
    check_space,
    file_records,
    manifest_name,
    write_error_message,
)
from digit_generator.dataset.formats import BYTES, WRITERS, Block, SetFormat, check_library, versions
from digit_generator.dataset.plan import DatasetError, Part, part_record, plan
from digit_generator.files import remove_unfinished, sync_folder, unfinished_path
from digit_generator.generate import DigitGenerator
from digit_generator.recipe import Recipe

if TYPE_CHECKING:
    from digit_generator.style import Style, StyleControls

_BLOCK = 4096  # images drawn and written at a time
_STYLED_BLOCK = 50  # images whose style is found at a time, so that the progress moves


def write_dataset(
    out: str | Path,
    generator: DigitGenerator,
    count: int,
    *,
    test_count: int = 0,
    format: SetFormat = "idx",
    shares: Mapping[int, float] | None = None,
    seed: int = 0,
    style: Style | None = None,
    controls: StyleControls | None = None,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Write `count` digits to learn from, and `test_count` others to test on, into the new folder `out`.

    shares: how often each digit comes, in any unit ({7: 1, 1: 3} are a quarter sevens); None: equally often.
    seed: 0...2^32-1, of the order of the digits and of the first image's seed; each further image has the
        next seed, so that no image comes twice; small sets of different seeds hardly ever share one.
    style, controls: a style.Style and the style.StyleControls that draw it; None leaves the drawn one.
    progress: called with the number of images after every few thousand; in a style, after every fifty.

    Returns the manifest, as its file has it. DatasetError for other arguments, a folder that is not
    empty, a library that is not installed, and a disk that is full or cannot be written.
    """
    out = Path(out)
    parts = plan(count, test_count, shares=shares, seed=seed)
    count, test_count, seed = int(count), int(test_count), int(seed)  # NumPy's numbers are no JSON
    if format not in get_args(SetFormat):
        raise DatasetError(f"format is {format!r}: expected one of {', '.join(get_args(SetFormat))}")
    asked = asked_style(style, controls)
    writer = WRITERS[format]
    check_library(format)
    check_folder(out)
    # The finished set is renamed to `out`, which nothing can be that another disk lies on. Path.is_mount
    # would fail on Windows before Python 3.12.
    if os.path.ismount(out):
        raise DatasetError(f"{out} is a mount point: name a folder in it, which will be made")
    unfinished = unfinished_path(out.resolve())
    remove_unfinished(unfinished.parent, out.resolve().name)
    try:
        check_space(out, (count + test_count) * BYTES[format])
        unfinished.mkdir(parents=True)
        recipe = Recipe.of(generator, digit=0, style=asked, controls=controls)
        bulk = BulkGenerator(generator)
        digests = {part.name: hashlib.sha256() for part in parts}
        with ExitStack() as stack:
            open_parts = {part.name: writer(unfinished, part, recipe, stack) for part in parts}
            for part in parts:
                for block in blocks(bulk, part, style, controls, progress):
                    open_parts[part.name](block)
                    digests[part.name].update(block.pixels.tobytes())
        manifest = {
            "made_by": f"digit_generator {__version__}",
            "weights_sha256": generator.digest,
            "finish": generator.finish_version,
            "choice_sha256": generator.choice_digest,
            "neat": generator.neat,
            **hand_record(generator),
            "format": format,
            "seed": seed,
            "style": asked,
            "controls_sha256": recipe.controls_sha256,
            "parts": {
                part.name: part_record(part) | {"pixels_sha256": digests[part.name].hexdigest()}
                for part in parts
            },
            "versions": versions(format),
            "files": file_records(unfinished, format),
        }
        (unfinished / manifest_name(format)).write_bytes(bytes_of_manifest(manifest))
        sync_folder(unfinished)
        place = out.resolve()  # of a link, where it leads
        if place.exists():
            place.rmdir()
        unfinished.rename(place)
    except OSError as error:
        raise DatasetError(write_error_message(out, error)) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return manifest


def asked_style(style: Style | None, controls: StyleControls | None) -> dict[str, float] | None:
    """What the style asks for, as the manifest has it. DatasetError without the controls that draw it."""
    if style is not None and controls is None:
        raise DatasetError("a style came without the controls that draw it: pass StyleControls as controls")
    return style.asked if style else None


def hand_record(generator: DigitGenerator) -> dict[str, Any]:
    """The person's hand that the set is drawn in, as the manifest has it; nothing where there is none."""
    hand = generator.in_hand
    return {"hand": hand.text, "variation": hand.variation} if hand else {}


def blocks(
    bulk: BulkGenerator,
    part: Part,
    style: Style | None,
    controls: StyleControls | None,
    progress: Callable[[int], object] | None = None,
) -> Iterator[Block]:
    """All images of the part, a few thousand at a time; `progress` as in write_dataset."""
    told = progress or (lambda images: None)
    for start in range(0, len(part.labels), _BLOCK):
        piece = part.piece(start, start + _BLOCK)
        labels = piece.labels.astype(np.int64)
        seeds = piece.seeds.tolist()
        if style is None or controls is None:
            yield Block(part, start, bulk.digits(labels, seeds))
            told(len(labels))
            continue
        z = bulk.latents(seeds, labels)
        for begin in range(0, len(z), _STYLED_BLOCK):
            few = slice(begin, begin + _STYLED_BLOCK)
            z[few] = controls.latents(z[few], labels[few], style)
            told(len(z[few]))
        yield Block(part, start, bulk.pixels(z, labels, seeds))
