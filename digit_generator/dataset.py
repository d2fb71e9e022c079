"""Labelled sets of drawn digits, as IDX, NPZ, PNG or Parquet, each with a manifest of how it was made.

Image i of a set is what DigitGenerator.digits draws for label i and seed i. A set is written into a folder
beside its own and renamed when it is whole, so that there is a whole set or none.
"""

from __future__ import annotations

import csv
import dataclasses
import errno
import hashlib
import json
import os
import platform
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from digit_generator import __version__
from digit_generator.bulk import BulkGenerator
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.recipe import Recipe
from digit_generator.render import png_from_pixels

SetFormat = Literal["idx", "npz", "png", "parquet"]
PartName = Literal["train", "test"]
MAX_COUNT = 10_000_000
MANIFEST = "manifest.json"

_BLOCK = 4096  # images drawn and written at a time
BYTES: dict[str, int] = {
    "idx": 300,
    "npz": 300,
    "png": 4500,
    "parquet": 500,
}  # of disk for an image, rather more than less
_MNIST_NAMES = {"train": "train", "test": "t10k"}  # how MNIST's own files begin


class DatasetError(ValueError):
    """A set that cannot be made; the message is one sentence for a person."""


class Style(Protocol):
    """What is used of style.Style: what is asked for, by the names of recipe.STYLE_NAMES."""

    @property
    def asked(self) -> dict[str, float]: ...


class Controls(Protocol):
    """What is used of style.StyleControls: it moves z, float64 [B, 100], to a drawing in the style."""

    digest: str

    def latents(
        self, z: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], style: Any
    ) -> npt.NDArray[np.float64]: ...


@dataclasses.dataclass(frozen=True)
class Part:
    """One split, or consecutive images of it: labels, uint8 [N], 0...9, and the first image's seed.

    A byte an image is what a plan holds in memory: of a billion, one gigabyte.
    """

    name: PartName
    labels: npt.NDArray[np.uint8]
    first_seed: int

    @property
    def seeds(self) -> npt.NDArray[np.int64]:
        """One after the other, int64 [N]; after 2^32-1 comes 0."""
        return (self.first_seed + np.arange(len(self.labels))) % (MAX_SEED + 1)

    def piece(self, start: int, stop: int) -> Part:
        """Its images start...stop-1."""
        return Part(self.name, self.labels[start:stop], (self.first_seed + start) % (MAX_SEED + 1))


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
    controls: Controls | None = None,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Write `count` digits to learn from, and `test_count` others to test on, into the new folder `out`.

    shares: how often each digit comes, in any unit ({7: 1, 1: 3} are a quarter sevens); None: equally often.
    seed: 0...2^32-1, of the order of the digits and of the first image's seed; each further image has the
        next seed, so that no image comes twice; small sets of different seeds hardly ever share one.
    style, controls: a style.Style and the style.StyleControls that draw it; None leaves the drawn one.
    progress: called with the number of images after every few thousand.

    Returns the manifest, as manifest.json has it. DatasetError for other arguments, a folder that is not
    empty, a library that is not installed, and a disk that is full or cannot be written.
    """
    out = Path(out)
    parts = plan(count, test_count, shares=shares, seed=seed)
    if format not in get_args(SetFormat):
        raise DatasetError(f"format is {format!r}: expected one of {', '.join(get_args(SetFormat))}")
    asked = asked_style(style, controls)
    writer = _WRITERS[format]
    _check_library(format)
    check_folder(out)
    if out.is_mount():  # the finished set is renamed to `out`, which nothing can be that another disk lies on
        raise DatasetError(f"{out} is a mount point: name a folder in it, which will be made")
    unfinished = out.resolve().with_name(f".{out.resolve().name}.{os.getpid()}")
    try:
        check_space(out, (count + test_count) * BYTES[format])
        unfinished.mkdir(parents=True)
        recipe = Recipe.of(generator, digit=0, style=asked, controls=controls)
        bulk = BulkGenerator(generator)
        digests = {part.name: hashlib.sha256() for part in parts}
        with ExitStack() as stack:
            open_parts = {part.name: writer(unfinished, part, recipe, stack) for part in parts}
            for part in parts:
                for block in blocks(bulk, part, style, controls):
                    open_parts[part.name](block)
                    digests[part.name].update(block.pixels.tobytes())
                    if progress:
                        progress(len(block.pixels))
        manifest = {
            "made_by": f"digit_generator {__version__}",
            "weights_sha256": generator.digest,
            "finish": generator.finish_version,
            "choice_sha256": generator.choice_digest,
            "format": format,
            "seed": seed,
            "style": asked,
            "controls_sha256": recipe.controls_sha256,
            "parts": {
                part.name: told_of_part(part) | {"pixels_sha256": digests[part.name].hexdigest()}
                for part in parts
            },
            "versions": versions(format),
            "files": _files(unfinished, format),
        }
        (unfinished / MANIFEST).write_bytes(bytes_of_manifest(manifest))
        place = out.resolve()  # of a link, where it leads
        if place.exists():
            place.rmdir()
        unfinished.rename(place)
    except OSError as error:
        raise DatasetError(why_unwritten(out, error)) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return manifest


def plan(
    count: int,
    test_count: int = 0,
    *,
    shares: Mapping[int, float] | None = None,
    seed: int = 0,
    at_most: int = MAX_COUNT,
) -> list[Part]:
    """The labels and seeds of a set's parts. DatasetError for what cannot be planned.

    Each part has the digits in their shares, as nearly as whole numbers go, shuffled. `at_most` is the
    largest set that is wanted, 2^32 or less: there are no more seeds.
    """
    if count < 1 or test_count < 0 or count + test_count > at_most:
        raise DatasetError(
            f"{count} images to learn from and {test_count} to test on: expected at least 1 and at least 0,"
            f" and at most {at_most} together"
        )
    if not 0 <= seed <= MAX_SEED:
        raise DatasetError(f"seed {seed} is not a whole number from 0 to {MAX_SEED}")
    weights = np.ones(10)
    if shares is not None:
        if not shares or not all(digit in range(10) and 0 <= share < 1e9 for digit, share in shares.items()):
            raise DatasetError(f"shares are {dict(shares)}: expected a number of 0 or more for digits 0 to 9")
        weights = np.array([float(shares.get(digit, 0)) for digit in range(10)])
        if not weights.any():
            raise DatasetError("all shares are 0: expected one at least above 0")
    rng = np.random.RandomState(seed)
    first = int(rng.randint(0, MAX_SEED + 1, dtype=np.int64))
    parts = []
    sizes: dict[PartName, int] = {"train": count, "test": test_count}
    for name, size in sizes.items():
        if size:
            labels = np.repeat(np.arange(10, dtype=np.uint8), _whole_numbers(weights, size))
            rng.shuffle(labels)
            parts.append(Part(name, labels, first % (MAX_SEED + 1)))
            first += size
    return parts


def _whole_numbers(weights: npt.NDArray[np.float64], total: int) -> npt.NDArray[np.int64]:
    """Ten whole numbers in the ratio of the weights, `total` in sum: what is left over goes to the largest
    remainders, the lower digit first."""
    exact = weights / weights.sum() * total
    numbers: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    order = np.argsort(numbers - exact, kind="stable")
    numbers[order[: total - numbers.sum()]] += 1
    return numbers


def blocks(
    bulk: BulkGenerator, part: Part, style: Style | None, controls: Controls | None
) -> Iterator[Block]:
    """All images of the part, a few thousand at a time."""
    for start in range(0, len(part.labels), _BLOCK):
        piece = part.piece(start, start + _BLOCK)
        labels = piece.labels.astype(np.int64)
        seeds = piece.seeds.tolist()
        z = bulk.latents(seeds, labels)
        if style is not None and controls is not None:
            z = controls.latents(z, labels, style)
        yield Block(part, start, bulk.pixels(z, labels, seeds))


# Each writer opens what a part needs and returns what writes one block of it; `stack` closes it.
_Write = Callable[[Block], None]


def _idx_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> _Write:
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


def _npz_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> _Write:
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


def _png_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> _Write:
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


def _parquet_writer(folder: Path, part: Part, recipe: Recipe, stack: ExitStack) -> _Write:
    return open_parquet(folder / parquet_name(part.name, 0, 1), recipe, stack)


def parquet_name(part: PartName, number: int, of: int) -> str:
    """The name by which Hugging Face's `datasets` knows file `number`, from 0, of a part's `of` files."""
    return f"{part}-{number:05}-of-{of:05}.parquet"


def open_parquet(path: Path, recipe: Recipe, stack: ExitStack) -> _Write:
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


_WRITERS: dict[str, Callable[[Path, Part, Recipe, ExitStack], _Write]] = {
    "idx": _idx_writer,
    "npz": _npz_writer,
    "png": _png_writer,
    "parquet": _parquet_writer,
}


def _check_library(format: SetFormat) -> None:
    if format == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise DatasetError("Parquet needs the library pyarrow: pip install pyarrow") from None


def asked_style(style: Style | None, controls: Controls | None) -> dict[str, float] | None:
    """What the style asks for, as the manifest has it. DatasetError without the controls that draw it."""
    if style is not None and controls is None:
        raise DatasetError("a style came without the controls that draw it: pass StyleControls as controls")
    return style.asked if style else None


def check_folder(out: Path) -> None:
    """DatasetError unless a set can be written to `out`: a folder that is not there yet, or an empty one."""
    try:
        if out.resolve() == Path.cwd():
            raise DatasetError(f"{out} is the folder you are in: name another, which will be made")
        if out.is_dir() and any(out.iterdir()):
            raise DatasetError(f"{out} is not empty: name another folder, which will be made")
        if out.exists() and not out.is_dir():
            raise DatasetError(f"{out} is a file: name a folder, which will be made")
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle, until Python 3.12
        why = getattr(error, "strerror", "links in a circle")
        raise DatasetError(f"{out} cannot be read ({why}): choose another folder") from None


def check_space(out: Path, needed: int) -> None:
    """DatasetError if it is plain beforehand that the disk is too small."""
    there = next(folder for folder in out.resolve().parents if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise DatasetError(
            f"the disk of {out} has {free / 1e6:.0f} MB left and the set may need {needed / 1e6:.0f} MB:"
            " make room, choose another folder, or ask for fewer digits"
        )


def why_unwritten(out: Path, error: OSError) -> str:
    """The sentence of a DatasetError, without its full stop."""
    if error.errno == errno.ENOSPC:
        return f"the disk of {out} is full: make room, or choose another folder"
    what = os.strerror(error.errno) if error.errno else error  # pyarrow has a long strerror of its own
    return f"{out} cannot be written ({what}): choose another folder"


def told_of_part(part: Part) -> dict[str, Any]:
    """What a manifest says of a part as it is planned."""
    return {
        "count": len(part.labels),
        "count_of_digit": np.bincount(part.labels, minlength=10).tolist(),
        "first_image_seed": part.first_seed,
    }


def bytes_of_manifest(manifest: Mapping[str, Any]) -> bytes:
    """manifest.json, as both engines write it."""
    return (json.dumps(manifest, indent=2) + "\n").encode()


def versions(format: SetFormat) -> dict[str, str]:
    """The libraries on which the bytes of a set's files depend."""
    used = {"python": platform.python_version(), "numpy": np.__version__}
    if format in ("png", "parquet"):
        used["pillow"] = metadata.version("pillow")
    if format == "parquet":
        used["pyarrow"] = metadata.version("pyarrow")
    return used | {"zlib": zlib.ZLIB_RUNTIME_VERSION}


def _files(folder: Path, format: SetFormat) -> dict[str, dict[str, Any]]:
    """Size and digest of each file; of PNG folders the lists, in which the digests of the pictures stand."""
    paths = sorted(folder.glob("*/metadata.csv" if format == "png" else "*"))
    return {path.relative_to(folder).as_posix(): told_of_file(path) for path in paths}


def told_of_file(path: Path) -> dict[str, Any]:
    """A file's size in bytes and its SHA-256."""
    with path.open("rb") as file:
        return {
            "bytes": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
