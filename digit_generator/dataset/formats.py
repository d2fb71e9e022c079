"""The file formats of a data set: MNIST's IDX, NumPy's NPZ, PNG folders and Parquet."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import platform
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from digit_generator.dataset.plan import DatasetError, Part, PartName
from digit_generator.recipe import Recipe
from digit_generator.render import png_from_pixels

SetFormat = Literal["idx", "npz", "png", "parquet"]
BYTES: dict[str, int] = {
    "idx": 300,
    "npz": 300,
    "png": 4500,
    "parquet": 500,
}  # of disk for an image, rather more than less
_MNIST_NAMES = {"train": "train", "test": "t10k"}  # how MNIST's own files begin


@dataclasses.dataclass(frozen=True)
class Block:
    """Consecutive images of a part, the first of them its image `start`; pixels, uint8 [B, 28, 28]."""

    part: Part
    start: int
    pixels: npt.NDArray[np.uint8]

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        return self.part.labels[self.start : self.start + len(self.pixels)].astype(np.int64)

    @property
    def seeds(self) -> npt.NDArray[np.int64]:
        return self.part.piece(self.start, self.start + len(self.pixels)).seeds


# Each writer opens what a part needs and returns what writes one block of it; `stack` closes it.
BlockWriter = Callable[[Block], None]


def _idx_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> BlockWriter:
    """MNIST's format: a magic number, the sizes, and the bytes; LeCun's page of MNIST describes it."""
    name, count = _MNIST_NAMES[part.name], len(part.labels)
    images = stack.enter_context(_Gzip(folder / f"{name}-images-idx3-ubyte.gz"))
    labels = stack.enter_context(_Gzip(folder / f"{name}-labels-idx1-ubyte.gz"))
    images.write(np.array([0x803, count, 28, 28], ">i4").tobytes())
    labels.write(np.array([0x801, count], ">i4").tobytes())

    def write(block: Block) -> None:
        images.write(block.pixels.tobytes())
        labels.write(block.labels.astype(np.uint8).tobytes())

    return write


class _Gzip:
    """A .gz file with no time and no name in it, so that the same set has the same bytes.

    Z_RLE looks for runs of one byte and for nothing else: digits on black come out smaller than at zlib's
    level 9 (12.9 MB for 60,000 instead of 13.0), in a fortieth of its time.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._compressor = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, 9, zlib.Z_RLE)

    def write(self, data: bytes) -> None:
        self._file.write(self._compressor.compress(data))

    def __enter__(self) -> _Gzip:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.write(self._compressor.flush())


def _npz_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> BlockWriter:
    """NumPy's archive of `pixels` and `labels`, as numpy.savez_compressed makes it, piece by piece."""
    archive = stack.enter_context(
        zipfile.ZipFile(folder / f"{part.name}.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    )
    with archive.open("labels.npy", "w", force_zip64=True) as file:
        np.save(file, part.labels.astype(np.int64))
    pixels = stack.enter_context(archive.open("pixels.npy", "w", force_zip64=True))
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(part.labels), 28, 28)}
    np.lib.format.write_array_header_1_0(pixels, header)

    def write(block: Block) -> None:
        pixels.write(block.pixels.tobytes())

    return write


def _png_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> BlockWriter:
    """train/7/00012.png and so on, each with its recipe, and train/metadata.csv, which lists them."""
    for digit in range(10):
        (folder / part.name / str(digit)).mkdir(parents=True)
    table = stack.enter_context((folder / part.name / "metadata.csv").open("w", newline="", encoding="utf-8"))
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["file_name", "label", "seed", "sha256"])
    width = len(str(len(part.labels) - 1))

    def write(block: Block) -> None:
        for index, (pixels, label, seed) in enumerate(
            zip(block.pixels, block.labels.tolist(), block.seeds.tolist(), strict=True), block.start
        ):
            name = f"{label}/{index:0{width}}.png"
            made = dataclasses.replace(recipe, digit=label, seed=seed)
            png = png_from_pixels(pixels, recipe=made.to_text())
            (folder / part.name / name).write_bytes(png)
            rows.writerow([name, label, seed, hashlib.sha256(png).hexdigest()])

    return write


def _parquet_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> BlockWriter:
    return open_parquet(folder / parquet_name(part.name, 0, 1), recipe, stack)


def parquet_name(part: PartName, number: int, of: int) -> str:
    """The name by which Hugging Face's `datasets` knows file `number`, from 0, of a part's `of` files."""
    return f"{part}-{number:05}-of-{of:05}.parquet"


def open_parquet(path: Path, recipe: Recipe, stack: ExitStack) -> BlockWriter:
    """One Parquet file that Hugging Face's `datasets` opens as images and class labels."""
    import pyarrow
    import pyarrow.parquet

    features = {
        "image": {"_type": "Image"},
        "label": {"names": [str(digit) for digit in range(10)], "_type": "ClassLabel"},
        "seed": {"dtype": "int64", "_type": "Value"},
    }
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    schema = pyarrow.schema(
        [("image", image), ("label", pyarrow.int64()), ("seed", pyarrow.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    file = stack.enter_context(pyarrow.parquet.ParquetWriter(path, schema))

    def write(block: Block) -> None:
        labels, seeds = block.labels.tolist(), block.seeds.tolist()
        images = [
            {
                "bytes": png_from_pixels(
                    pixels, recipe=dataclasses.replace(recipe, digit=label, seed=seed).to_text()
                )
            }
            for pixels, label, seed in zip(block.pixels, labels, seeds, strict=True)
        ]
        file.write_table(pyarrow.table({"image": images, "label": labels, "seed": seeds}, schema))

    return write


WRITERS: dict[str, Callable[[Path, Part, Recipe, ExitStack], BlockWriter]] = {
    "idx": _idx_writer,
    "npz": _npz_writer,
    "png": _png_writer,
    "parquet": _parquet_writer,
}


def check_library(format: SetFormat) -> None:
    """Raises DatasetError if the format needs a library that is not installed."""
    if format == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise DatasetError("Parquet needs the library pyarrow: pip install pyarrow") from None


def versions(format: SetFormat) -> dict[str, str]:
    """The libraries on which the bytes of a set's files depend."""
    used = {"python": platform.python_version(), "numpy": np.__version__}
    if format in ("png", "parquet"):
        used["pillow"] = metadata.version("pillow")
    if format == "parquet":
        used["pyarrow"] = metadata.version("pyarrow")
    return used | {"zlib": zlib.ZLIB_RUNTIME_VERSION}
