"""Amounts that people wrote on cheques: real lines of digits.

1,208 of the first set (CAR-A) of the ICFHR 2014 competition on strings of digits (Diem et al. 2014, "ICFHR
2014 competition on handwritten digit string recognition in challenging datasets", ICFHR), with a box for each
digit (github.com/Fzkuji/Labeled_ORAND-CAR-A, MIT licence). Three in which the ink does not stand out from the
printed ground are left out.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from digit_generator.evaluation.data import EvaluationError, Lines, Pixels, download
from digit_generator.normalize import PictureError, ink_from_grey

COMMIT = "ffb6268437de5d18d94bc111f83458ff43a267ef"
SOURCE = f"https://codeload.github.com/Fzkuji/Labeled_ORAND-CAR-A/tar.gz/{COMMIT}"
CONTENT_SHA256 = "10e26d91370718b198203003d06d4c1774b0446da829517e9038a14032c047d0"
"""Of the names and bytes of the files, in order; how the archive is packed may change."""

_ARCHIVE = "labeled-orand-car-a.tar.gz"
_ROOT = "ORAND-CAR-2014-coco/"
_PARTS = ("train2017", "val2017")  # of the competition: no reader here learns from either
_ENLARGED = 3  # a digit is about 40 pixels high
_AROUND = 3  # pixels of the picture
_FAINT = 40  # of 255: the ground's pattern
_DIGIT, _MARGIN = 20, 5  # pixels: MNIST's height of a digit, and the margin of number.py's lines


def amounts_from_folder(folder: Path) -> Lines:
    """The amounts, as lines of MNIST's kind: light ink on black, digits 20 pixels high in the middle.

    The archive is downloaded if the folder lacks it. EvaluationError if that fails, or if its files differ
    from the published ones by a byte.
    """
    path = folder / _ARCHIVE
    if not path.exists():
        download(
            SOURCE, path, f"put it into {path.parent} as {path.name}, or measure without it by --no-amounts"
        )
    files = _files(path)
    if content_sha256(files) != CONTENT_SHA256:
        raise EvaluationError(f"{path} holds other files than expected: delete it to download it again.")
    return lines_from_files(files)


def content_sha256(files: dict[str, bytes]) -> str:
    """One digest of all names and all bytes."""
    rows = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def lines_from_files(files: dict[str, bytes]) -> Lines:
    """Lines of the pictures that the COCO files describe, by name; their digits read from left to right.

    Pictures without ink are left out.
    """
    lines = Lines([], [])
    for part in _PARTS:
        told = json.loads(files[f"annotations/instances_{part}.json"])
        digits = {category["id"]: category["name"] for category in told["categories"]}
        boxes: dict[int, list[dict[str, Any]]] = {}
        for box in told["annotations"]:
            boxes.setdefault(box["image_id"], []).append(box)
        for image in sorted(told["images"], key=lambda image: str(image["file_name"])):
            of_image = sorted(boxes[image["id"]], key=lambda box: box["bbox"][0] + box["bbox"][2] / 2)
            with Image.open(io.BytesIO(files[f"images/{part}/{image['file_name']}"])) as picture:
                try:
                    line = line_from_picture(picture, np.array([box["bbox"] for box in of_image]))
                except PictureError:
                    continue
            lines.pictures.append(line)
            lines.texts.append("".join(digits[box["category_id"]] for box in of_image))
    return lines


def line_from_picture(picture: Image.Image, boxes: np.ndarray[Any, Any]) -> Pixels:
    """What is inside of the boxes, float [digits, 4] of left, top, width and height, as MNIST has ink.

    PictureError if there is none.
    """
    grey = picture.convert("L")
    low = np.maximum(boxes[:, :2].min(axis=0) - _AROUND, 0)
    high = np.minimum((boxes[:, :2] + boxes[:, 2:]).max(axis=0) + _AROUND, grey.size)
    (left, top), (right, bottom) = (np.rint(_ENLARGED * corner).astype(int) for corner in (low, high))
    size = (_ENLARGED * grey.width, _ENLARGED * grey.height)
    ink = ink_from_grey(np.asarray(grey.resize(size, Image.Resampling.BICUBIC)))[top:bottom, left:right]
    full = np.percentile(ink[ink > _FAINT], 75) if (ink > _FAINT).any() else 255.0
    levels = np.minimum(ink * (255 / full), 255).astype(np.uint8)
    scale = _DIGIT / (_ENLARGED * float(np.median(boxes[:, 3])))
    height, width = (max(1, round(scale * side)) for side in levels.shape)
    line = Image.fromarray(levels).resize((width, height), Image.Resampling.BOX)
    return np.pad(np.asarray(line), _MARGIN)


def _files(path: Path) -> dict[str, bytes]:
    """The annotations and pictures of the archive, by their names below its root."""
    files = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                _, found, name = member.name.partition(_ROOT)
                if found and member.isfile():
                    file = archive.extractfile(member)
                    files[name] = file.read() if file else b""
    except (OSError, EOFError, tarfile.TarError) as error:
        raise EvaluationError(f"{path} cannot be read ({error}): delete it to download it again.") from error
    return files
