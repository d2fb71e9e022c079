"""Amounts on cheques: read as their boxes say, as lines of MNIST's kind, from the published files alone."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from digit_generator.evaluation import amounts
from digit_generator.evaluation.amounts import amounts_from_folder, content_sha256, lines_from_files
from digit_generator.evaluation.data import EvaluationError

BOXES = {"7": (20, 5, 16, 40), "1": (50, 6, 6, 40), "4": (80, 4, 20, 42)}  # left, top, width, height


def cheque(*, ink: int = 60) -> bytes:
    """Three dark bars and a dash far from them on a light ground."""
    picture = Image.new("L", (170, 60), 210)
    draw = ImageDraw.Draw(picture)
    for left, top, width, height in BOXES.values():
        draw.rectangle((left, top, left + width - 1, top + height - 1), outline=ink, width=4)
    draw.rectangle((130, 28, 160, 32), fill=ink)
    file = io.BytesIO()
    picture.convert("RGB").save(file, "PNG")
    return file.getvalue()


def files(**pictures: bytes) -> dict[str, bytes]:
    """The pictures by name, all in the first part; their boxes come in another order than they are read."""
    categories = [{"id": digit, "name": str(digit)} for digit in range(10)]
    told = {
        "images": [{"id": i, "file_name": f"{name}.png"} for i, name in enumerate(pictures)],
        "annotations": [
            {"image_id": i, "category_id": int(digit), "bbox": box}
            for i in range(len(pictures))
            for digit, box in sorted(BOXES.items())
        ],
        "categories": categories,
    }
    nothing = {"images": [], "annotations": [], "categories": categories}
    return {
        "annotations/instances_train2017.json": json.dumps(told).encode(),
        "annotations/instances_val2017.json": json.dumps(nothing).encode(),
    } | {f"images/train2017/{name}.png": data for name, data in pictures.items()}


def put_archive(folder: Path, held: dict[str, bytes]) -> None:
    with tarfile.open(folder / "labeled-orand-car-a.tar.gz", "w:gz") as archive:
        for name, data in held.items():
            entry = tarfile.TarInfo(f"Labeled-abc/ORAND-CAR-2014-coco/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        archive.addfile(tarfile.TarInfo("Labeled-abc/README.md"))


def test_an_amount_is_a_line_as_high_as_mnists() -> None:
    (picture,), (text,) = lines_from_files(files(one=cheque()))
    assert text == "714"
    inked = picture > 128
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    assert 19 <= rows[-1] - rows[0] + 1 <= 22, "a digit is 20 pixels high"
    assert columns[-1] < picture.shape[1] - 5, "the dash is outside of the boxes"
    assert 38 <= columns[-1] - columns[0] + 1 <= 42  # 80 of the picture, at half its size
    assert (picture[:5] == 0).all()
    assert picture.max() > 240


def test_pictures_without_ink_are_left_out() -> None:
    read = lines_from_files(files(a=cheque(ink=209), b=cheque()))
    assert read.texts == ["714"]
    assert len(read.pictures) == 1


def test_only_the_published_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = files(one=cheque())
    put_archive(tmp_path, held)
    with pytest.raises(EvaluationError, match=r"holds other files than expected: delete it"):
        amounts_from_folder(tmp_path)
    monkeypatch.setattr(amounts, "CONTENT_SHA256", content_sha256(held))
    assert amounts_from_folder(tmp_path).texts == ["714"]
    renamed = {name.replace("one", "two"): data for name, data in held.items()}
    assert content_sha256(renamed) != content_sha256(held)
    (tmp_path / "labeled-orand-car-a.tar.gz").write_bytes(b"<html>")
    with pytest.raises(EvaluationError, match=r"cannot be read .*: delete it to download it again"):
        amounts_from_folder(tmp_path)


def test_it_is_downloaded_once_and_a_failure_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, asked = files(one=cheque()), []
    put_archive(tmp_path, held)
    data = (tmp_path / "labeled-orand-car-a.tar.gz").read_bytes()
    monkeypatch.setattr(amounts, "CONTENT_SHA256", content_sha256(held))

    def answer(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(data)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    for _ in range(2):
        assert amounts_from_folder(tmp_path / "new").texts == ["714"]
    assert asked == [amounts.SOURCE]

    def no_answer(url: str, timeout: float) -> io.BytesIO:
        raise OSError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", no_answer)
    with pytest.raises(EvaluationError, match=r"no route to host.*put it into .* --no-amounts"):
        amounts_from_folder(tmp_path / "other")
    assert not (tmp_path / "other").exists()
