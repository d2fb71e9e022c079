"""In which form lines are written: the files that readers of pictures and labels take.

A record tells of one picture: {"file", "width", "height", "lines": [{"text", "seed", "boxes"}]}, a box being
[character, left, top, right, bottom] in pixels. Where lines are by persons, "hand" is the name of a hand.

| format | labels | read by |
|---|---|---|
| imagefolder | metadata.jsonl | Hugging Face's datasets |
| paddle | rec_gt.txt; of pages, det_gt.txt | PaddleOCR |
| easyocr | labels.csv: filename, words | EasyOCR's trainer |
| trdg | labels.txt: file and text | what reads TextRecognitionDataGenerator's |
| coco | annotations.json, a box for each character | pycocotools and others |
| yolo | a file for each picture, data.yaml | Ultralytics' YOLO |
| voc | an XML file for each picture | what reads Pascal VOC |
| webdataset | tar files of .png, .txt and .json | webdataset |
| parquet | image, text, seed, characters, boxes | Hugging Face's datasets, pandas, Arrow |
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from digit_generator.dataset.formats import parquet_name
from digit_generator.number import CHARACTERS

LineFormat = Literal[
    "imagefolder", "paddle", "easyocr", "trdg", "coco", "yolo", "voc", "webdataset", "parquet"
]
SHARDED = ("webdataset", "parquet")
PAGED = ("paddle", "coco", "yolo", "voc")
"""The formats that take pages of several lines."""
CATEGORIES = CHARACTERS.replace(" ", "")
"""Of what detectors find: a box's class is the character's place in here, from 0; COCO counts from 1."""

Record = Mapping[str, Any]

_FOLDERS: dict[str, str] = {
    "imagefolder": "",
    "easyocr": "",
    "trdg": "",
    "paddle": "images/",
    "coco": "images/",
    "yolo": "images/train/",
    "voc": "JPEGImages/",
}


def name_of(format: LineFormat, index: int, count: int) -> str:
    """Where picture `index` of `count` lies in the set's folder."""
    return f"{_FOLDERS[format]}{index:0{max(6, len(str(count - 1)))}}.png"


def label_file(format: LineFormat, record: Record) -> tuple[str, bytes] | None:
    """The name and bytes of the picture's own label file, if the format has such."""
    stem = Path(record["file"]).stem
    if format == "yolo":
        return f"labels/train/{stem}.txt", _yolo(record).encode()
    if format == "voc":
        return f"Annotations/{stem}.xml", _voc(record)
    return None


def index_files(format: LineFormat, records: Sequence[Record]) -> dict[str, bytes]:
    """The files, by name, that tell of all pictures."""
    return {name: text.encode() for name, text in _INDICES[format](records).items()}


def _imagefolder(records: Sequence[Record]) -> dict[str, str]:
    rows = []
    for record in records:
        (line,) = record["lines"]
        row = {
            "file_name": record["file"],
            "text": line["text"],
            "seed": line["seed"],
            "characters": [character for character, *_ in line["boxes"]],
            "boxes": [box for _, *box in line["boxes"]],
            **({"hand": line["hand"]} if "hand" in line else {}),
        }
        rows.append(json.dumps(row) + "\n")
    return {"metadata.jsonl": "".join(rows)}


def _paddle(records: Sequence[Record]) -> dict[str, str]:
    if all(len(record["lines"]) == 1 for record in records):
        rows = [f"{record['file']}\t{record['lines'][0]['text']}\n" for record in records]
        return {"rec_gt.txt": "".join(rows), "dict.txt": "".join(f"{c}\n" for c in CHARACTERS)}
    rows = []
    for record in records:
        lines = []
        for line in record["lines"]:
            x0, y0, x1, y1 = hull(line["boxes"])
            corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
            lines.append({"transcription": line["text"], "points": corners})
        rows.append(f"{record['file']}\t{json.dumps(lines, ensure_ascii=False)}\n")
    return {"det_gt.txt": "".join(rows)}


def _easyocr(records: Sequence[Record]) -> dict[str, str]:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["filename", "words"])
    writer.writerows([record["file"], record["lines"][0]["text"]] for record in records)
    return {"labels.csv": table.getvalue()}


def _trdg(records: Sequence[Record]) -> dict[str, str]:
    return {"labels.txt": "".join(f"{record['file']} {record['lines'][0]['text']}\n" for record in records)}


def _coco(records: Sequence[Record]) -> dict[str, str]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, record in enumerate(records, 1):
        images.append(
            {
                "id": number,
                "file_name": Path(record["file"]).name,
                "width": record["width"],
                "height": record["height"],
            }
        )
        for line_number, line in enumerate(record["lines"]):
            for character, x0, y0, x1, y1 in _inked(line["boxes"]):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": CATEGORIES.index(character) + 1,
                        "bbox": [x0, y0, x1 - x0, y1 - y0],
                        "area": (x1 - x0) * (y1 - y0),
                        "iscrowd": 0,
                        "line": line_number,
                    }
                )
    categories = [
        {"id": i, "name": name, "supercategory": "character"} for i, name in enumerate(CATEGORIES, 1)
    ]
    told = {"images": images, "annotations": annotations, "categories": categories}
    return {"annotations.json": json.dumps(told, ensure_ascii=False)}


def _yolo_index(records: Sequence[Record]) -> dict[str, str]:
    names = "".join(f"  {i}: {json.dumps(name, ensure_ascii=False)}\n" for i, name in enumerate(CATEGORIES))
    return {"data.yaml": f"path: .\ntrain: images/train\nval: images/train\nnames:\n{names}"}


def _yolo(record: Record) -> str:
    """A row for each character: class, middle and size, as shares of the picture."""
    width, height = record["width"], record["height"]
    return "".join(
        f"{CATEGORIES.index(character)} {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f}"
        f" {(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n"
        for line in record["lines"]
        for character, x0, y0, x1, y1 in _inked(line["boxes"])
    )


def _voc_index(records: Sequence[Record]) -> dict[str, str]:
    return {"ImageSets/Main/train.txt": "".join(f"{Path(record['file']).stem}\n" for record in records)}


def _voc(record: Record) -> bytes:
    """Pascal VOC counts pixels from 1, and the last one is in the box."""
    root = ElementTree.Element("annotation")
    _tell(root, "folder", "JPEGImages")
    _tell(root, "filename", Path(record["file"]).name)
    size = ElementTree.SubElement(root, "size")
    for name, value in (("width", record["width"]), ("height", record["height"]), ("depth", record["depth"])):
        _tell(size, name, value)
    for line in record["lines"]:
        for character, x0, y0, x1, y1 in _inked(line["boxes"]):
            thing = ElementTree.SubElement(root, "object")
            for name, value in (("name", character), ("truncated", 0), ("difficult", 0)):
                _tell(thing, name, value)
            box = ElementTree.SubElement(thing, "bndbox")
            for name, value in (("xmin", x0 + 1), ("ymin", y0 + 1), ("xmax", x1), ("ymax", y1)):
                _tell(box, name, value)
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, "utf-8") + b"\n"
    return data


def _tell(parent: ElementTree.Element, name: str, value: object) -> None:
    ElementTree.SubElement(parent, name).text = str(value)


_INDICES: dict[str, Callable[[Sequence[Record]], dict[str, str]]] = {
    "imagefolder": _imagefolder,
    "paddle": _paddle,
    "easyocr": _easyocr,
    "trdg": _trdg,
    "coco": _coco,
    "yolo": _yolo_index,
    "voc": _voc_index,
}


def hull(boxes: Sequence[Sequence[Any]]) -> tuple[int, int, int, int]:
    """left, top, right, bottom of all boxes together."""
    x0, y0, x1, y1 = zip(*(box[1:] for box in boxes), strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _inked(boxes: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    return [box for box in boxes if box[0] != " "]


# Shards: many pictures in a file


def shard_bytes(format: LineFormat, items: Sequence[tuple[str, bytes, Record]]) -> bytes:
    """One file of (key, PNG, record) each."""
    return _tar(items) if format == "webdataset" else _parquet(items)


def shard_name(format: LineFormat, number: int, of: int) -> str:
    """How file `number`, from 0, of `of` is called."""
    return f"lines-{number:06}.tar" if format == "webdataset" else parquet_name("train", number, of)


def _tar(items: Sequence[tuple[str, bytes, Record]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for key, png, record in items:
            (line,) = record["lines"]
            label = json.dumps(line, ensure_ascii=False).encode()
            for ending, data in (("png", png), ("txt", line["text"].encode()), ("json", label)):
                entry = tarfile.TarInfo(f"{key}.{ending}")  # no owner and no time: the same bytes
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _parquet(items: Sequence[tuple[str, bytes, Record]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    texts, whole = pyarrow.string(), pyarrow.int64()
    lines = [record["lines"][0] for _, _, record in items]
    in_hands = "hand" in lines[0]
    features = _FEATURES | ({"hand": _value("string")} if in_hands else {})
    schema = pyarrow.schema(
        [
            ("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", texts)])),
            ("text", texts),
            ("seed", whole),
            ("characters", pyarrow.list_(texts)),
            ("boxes", pyarrow.list_(pyarrow.list_(whole))),
            *([("hand", texts)] if in_hands else []),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    columns = {
        "image": [{"bytes": png, "path": f"{key}.png"} for key, png, _ in items],
        "text": [line["text"] for line in lines],
        "seed": [line["seed"] for line in lines],
        "characters": [[box[0] for box in line["boxes"]] for line in lines],
        "boxes": [[list(box[1:]) for box in line["boxes"]] for line in lines],
        **({"hand": [line["hand"] for line in lines]} if in_hands else {}),
    }
    buffer = io.BytesIO()
    table = pyarrow.table(columns, schema)
    pyarrow.parquet.write_table(table, buffer, write_page_checksum=True)  # boxes have no other check
    return buffer.getvalue()


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


_FEATURES = {
    "image": {"_type": "Image"},
    "text": _value("string"),
    "seed": _value("int64"),
    "characters": {"feature": _value("string"), "_type": "List"},
    "boxes": {"feature": {"feature": _value("int64"), "_type": "List"}, "_type": "List"},
}
