"""Sets are opened by readers that nobody here wrote, hold what DigitGenerator.digits draws, and are whole."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import idx2numpy
import numpy as np
import pandas
import pyarrow.dataset
import pyarrow.parquet
import pytest
from mnist import MNIST
from PIL import Image

from digit_generator import DigitGenerator, latents_from_seeds
from digit_generator.dataset import DatasetError, formats, manifest_name, write_dataset
from digit_generator.dataset.formats import Block
from digit_generator.dataset.plan import plan
from digit_generator.evaluation.data import digits_from_npz
from digit_generator.recipe import Recipe
from digit_generator.render import recipe_text_from_png

COUNT, TEST_COUNT = 60, 20


@pytest.fixture(scope="session")
def written(
    generator: DigitGenerator, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """written(format) -> the folder of a set with two parts, and its manifest. Not to be changed."""
    made: dict[str, tuple[Path, dict[str, Any]]] = {}

    def write(format: Any) -> tuple[Path, dict[str, Any]]:
        if format not in made:
            out = tmp_path_factory.mktemp("sets") / format
            made[format] = out, write_dataset(out, generator, COUNT, test_count=TEST_COUNT, format=format)
        return made[format]

    return write


@pytest.fixture
def expected(generator: DigitGenerator) -> dict[str, tuple[np.ndarray, list[int]]]:
    """What the parts hold: pixels, drawn one by one as a person would, and labels."""
    return {
        part.name: (generator.digits(part.labels, part.seeds), part.labels.tolist())
        for part in plan(COUNT, TEST_COUNT)
    }


# What is in them


def test_idx_is_read_by_idx2numpy_and_python_mnist(
    written: Callable[[str], tuple[Path, dict[str, Any]]], expected: dict[str, tuple[np.ndarray, list[int]]]
) -> None:
    folder, _ = written("idx")
    for name, part in (("train", "train"), ("t10k", "test")):
        pixels, labels = expected[part]
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz") as file:
            np.testing.assert_array_equal(idx2numpy.convert_from_file(file), pixels)
        with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz") as file:
            assert idx2numpy.convert_from_file(file).tolist() == labels
    reader = MNIST(str(folder), gz=True, return_type="numpy")
    for load, part in ((reader.load_training, "train"), (reader.load_testing, "test")):
        pixels, labels = load()
        np.testing.assert_array_equal(pixels.reshape(-1, 28, 28), expected[part][0])
        assert labels.tolist() == expected[part][1]


def test_npz_is_read_by_numpy_and_the_evaluation(
    written: Callable[[str], tuple[Path, dict[str, Any]]], expected: dict[str, tuple[np.ndarray, list[int]]]
) -> None:
    folder, _ = written("npz")
    for part, (pixels, labels) in expected.items():
        with np.load(folder / f"{part}.npz", allow_pickle=False) as arrays:
            assert {*arrays} == {"pixels", "labels"}
            np.testing.assert_array_equal(arrays["pixels"], pixels)
            assert arrays["labels"].tolist() == labels
        assert len(digits_from_npz(folder / f"{part}.npz")) == len(labels)


def test_png_folders_are_read_by_pillow_by_their_table(
    written: Callable[[str], tuple[Path, dict[str, Any]]], expected: dict[str, tuple[np.ndarray, list[int]]]
) -> None:
    folder, manifest = written("png")
    for part, (pixels, labels) in expected.items():
        with (folder / part / "metadata.csv").open(newline="") as file:
            rows = [*csv.DictReader(file)]
        assert [int(row["label"]) for row in rows] == labels
        assert len([*(folder / part).rglob("*.png")]) == len(rows)
        for row, image in zip(rows, pixels, strict=True):
            path = folder / part / row["file_name"]
            assert path.parent.name == row["label"]
            assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
            with Image.open(path) as picture:
                np.testing.assert_array_equal(np.asarray(picture), image)
            recipe = Recipe.from_text(recipe_text_from_png(path.read_bytes()) or "")
            assert (recipe.digit, recipe.seed) == (int(row["label"]), int(row["seed"]))
            assert recipe.weights_sha256 == manifest["weights_sha256"]


def test_parquet_is_read_by_hugging_face_as_images_and_class_labels(
    written: Callable[[str], tuple[Path, dict[str, Any]]],
    expected: dict[str, tuple[np.ndarray, list[int]]],
    load_dataset: Callable[..., Any],
) -> None:
    import datasets

    folder, _ = written("parquet")
    loaded = load_dataset(str(folder))
    assert {*loaded} == {"train", "test"}
    for part, (pixels, labels) in expected.items():
        features = loaded[part].features
        assert features["image"] == datasets.Image()
        assert features["label"] == datasets.ClassLabel(names=[str(digit) for digit in range(10)])
        assert loaded[part]["label"][:] == labels
        for item, image in zip(loaded[part], pixels, strict=True):
            np.testing.assert_array_equal(np.asarray(item["image"]), image)


def test_png_folders_are_read_by_hugging_face(
    written: Callable[[str], tuple[Path, dict[str, Any]]],
    expected: dict[str, tuple[np.ndarray, list[int]]],
    load_dataset: Callable[..., Any],
) -> None:
    loaded = load_dataset("imagefolder", data_dir=str(written("png")[0]))
    for part, (pixels, labels) in expected.items():
        by_seed = sorted(loaded[part], key=lambda item: item["seed"])
        assert [item["label"] for item in by_seed] == labels
        np.testing.assert_array_equal(np.stack([np.asarray(item["image"]) for item in by_seed]), pixels)


def test_pictures_in_parquet_carry_their_recipe(
    written: Callable[[str], tuple[Path, dict[str, Any]]],
) -> None:
    table = pyarrow.parquet.read_table(written("parquet")[0] / "test-00000-of-00001.parquet").to_pylist()
    recipe = Recipe.from_text(recipe_text_from_png(table[3]["image"]["bytes"]) or "")
    assert (recipe.digit, recipe.seed) == (table[3]["label"], table[3]["seed"])


@pytest.mark.parametrize("format", ["idx", "npz", "png", "parquet"])
def test_the_manifest_says_how_it_was_made(
    written: Callable[[str], tuple[Path, dict[str, Any]]],
    generator: DigitGenerator,
    expected: dict[str, tuple[np.ndarray, list[int]]],
    format: str,
) -> None:
    folder, manifest = written(format)
    assert json.loads((folder / manifest_name(format)).read_text()) == manifest
    assert manifest["weights_sha256"] == generator.digest
    assert (manifest["format"], manifest["seed"], manifest["style"]) == (format, 0, None)
    assert (manifest["finish"], manifest["choice_sha256"]) == (generator.finish_version, "")
    for name, (pixels, labels) in expected.items():
        part = manifest["parts"][name]
        assert part["count_of_digit"] == [labels.count(digit) for digit in range(10)]
        assert part["pixels_sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
        first = generator.digits(labels[0], [part["first_image_seed"]])[0]
        np.testing.assert_array_equal(first, pixels[0])
    assert {"python", "numpy", "zlib"} <= {*manifest["versions"]}
    for name, file in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    others = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    unlisted = others - {*manifest["files"]} - {manifest_name(manifest["format"])}
    assert all(name.endswith(".png") for name in unlisted)  # those are in the table


@pytest.mark.parametrize(
    "variant", [{}, {"raw": True}, {"every_z": True}, {"raw": True, "every_z": True}, {"neat": 3}], ids=str
)
def test_digits_are_finished_and_chosen_as_the_generator_does(
    choosy: DigitGenerator, tmp_path: Path, variant: dict[str, Any]
) -> None:
    drawing = choosy.variant(**variant)
    manifest = write_dataset(tmp_path / "set", drawing, 40, format="npz")
    assert manifest["neat"] == drawing.neat
    assert (manifest["finish"], manifest["choice_sha256"]) == (drawing.finish_version, drawing.choice_digest)
    (part,) = plan(40)
    with np.load(tmp_path / "set" / "train.npz") as arrays:
        np.testing.assert_array_equal(arrays["pixels"], drawing.digits(part.labels, part.seeds))


@pytest.mark.parametrize("format", ["idx", "npz", "png", "parquet"])
def test_the_same_set_has_the_same_bytes(
    written: Callable[[str], tuple[Path, dict[str, Any]]],
    generator: DigitGenerator,
    tmp_path: Path,
    format: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digit_generator.dataset.write._BLOCK", COUNT // 2 if format != "parquet" else COUNT)
    monkeypatch.setattr("time.time", lambda: 2.2e9)
    again = write_dataset(tmp_path / "again", generator, COUNT, test_count=TEST_COUNT, format=format)
    assert again == written(format)[1]


# What is planned


def test_digits_come_in_their_shares() -> None:
    (part,) = plan(1000)
    assert np.bincount(part.labels).tolist() == [100] * 10
    (part,) = plan(7, shares={7: 1, 1: 1.0})
    assert sorted(part.labels.tolist()) == [1, 1, 1, 1, 7, 7, 7]  # what is left over: the lower digit first
    (part,) = plan(10, shares={9: 3, 2: 1, 5: 0})
    assert np.bincount(part.labels).tolist() == [0, 0, 3, 0, 0, 0, 0, 0, 0, 7]  # 2.5 and 7.5
    assert sum(len(part.labels) for part in plan(9999, 1)) == 10_000


def test_digits_are_shuffled_and_another_seed_gives_others() -> None:
    (part,) = plan(1000, seed=1)
    (other,) = plan(1000, seed=2)
    assert (part.labels != np.sort(part.labels)).mean() > 0.5
    assert (part.labels != other.labels).mean() > 0.5
    assert not {*part.seeds.tolist()} & {*other.seeds.tolist()}
    np.testing.assert_array_equal(plan(1000, seed=1)[0].labels, part.labels)


def test_a_plan_is_a_permutation_by_numpys_frozen_stream() -> None:
    """The labels of a set are the same for ever: what was made by one version goes on with another."""
    rng = np.random.RandomState(3)
    first = rng.randint(0, 2**32, dtype=np.int64)
    train, test = plan(1000, 500, seed=3)
    assert train.labels.tolist() == rng.permutation(np.repeat(np.arange(10), 100)).tolist()
    assert test.labels.tolist() == rng.permutation(np.repeat(np.arange(10), 50)).tolist()
    assert (train.seeds[0], test.seeds[0]) == (first, first + 1000)
    piece = train.piece(200, 300)
    assert piece.labels.tolist() == train.labels[200:300].tolist()
    assert piece.seeds.tolist() == train.seeds[200:300].tolist()


def test_no_image_is_in_both_parts() -> None:
    train, test = plan(1000, 500)
    assert len({*train.seeds.tolist(), *test.seeds.tolist()}) == 1500
    assert np.bincount(test.labels).tolist() == [50] * 10


def test_seeds_go_on_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    class Last(np.random.RandomState):
        def randint(self, *_: Any, **__: Any) -> int:
            return 2**32 - 2

    monkeypatch.setattr(np.random, "RandomState", Last)
    assert plan(3)[0].seeds.tolist() == [2**32 - 2, 2**32 - 1, 0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count is 0: expected a whole number from 1 to 10000000"),
        ({"count": -5}, "count is -5: expected a whole number from 1"),
        ({"count": 5, "test_count": -1}, "test_count is -1: expected a whole number from 0"),
        ({"count": 10_000_000, "test_count": 1}, "at most 10000000 together"),
        ({"count": 5, "seed": -1}, "seed is -1: expected a whole number from 0 to 4294967295"),
        ({"count": 5, "shares": {10: 1}}, "expected a number of 0 or more for digits 0 to 9"),
        ({"count": 5, "shares": {1: -1}}, "expected a number of 0 or more"),
        ({"count": 5, "shares": {1: float("nan")}}, "expected a number of 0 or more"),
        ({"count": 5, "shares": {}}, "expected a number of 0 or more"),
        ({"count": 5, "shares": {1: 0}}, "all shares are 0"),
        ({"count": 5, "format": "jpeg"}, "format is 'jpeg': expected one of idx, npz, png, parquet"),
        ({"count": 5, "style": object()}, "without the controls"),
    ],
)
def test_what_cannot_be_made_is_told(
    generator: DigitGenerator, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        write_dataset(tmp_path / "set", generator, **options)
    assert not [*tmp_path.iterdir()]


def test_a_style_moves_z_and_is_told(generator: DigitGenerator, tmp_path: Path) -> None:
    """With stand-ins for style.Style and style.StyleControls."""

    class Style:
        @property
        def asked(self) -> dict[str, float]:
            return {"slant": 0.25}

    class Controls:
        digest = "1" * 64

        def latents(self, z: np.ndarray, labels: np.ndarray, style: Any) -> np.ndarray:
            return z + style.asked["slant"] * labels[:, None]

    manifest = write_dataset(
        tmp_path / "set", generator, 20, format="png", style=Style(), controls=Controls()
    )
    assert manifest["style"] == {"slant": 0.25}
    assert manifest["controls_sha256"] == "1" * 64
    (part,) = plan(20)
    z = latents_from_seeds(part.seeds.tolist()) + 0.25 * part.labels[:, None]
    expected = generator.pixels(z, part.labels, part.seeds.tolist())
    assert manifest["parts"]["train"]["pixels_sha256"] == hashlib.sha256(expected.tobytes()).hexdigest()
    png = next((tmp_path / "set").rglob("*.png")).read_bytes()
    assert Recipe.from_text(recipe_text_from_png(png) or "").style == {"slant": 0.25}


# Whole or not at all


def test_a_folder_that_is_empty_is_taken(generator: DigitGenerator, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_dataset(tmp_path / "set", generator, 1)
    write_dataset(tmp_path / "new" / "deep" / "set", generator, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"set", "new"}


def test_a_folder_that_is_not_empty_is_left_alone(generator: DigitGenerator, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"is not empty \(.*\): name another folder"):
        write_dataset(tmp_path, generator, 1)
    with pytest.raises(DatasetError, match="is a file: name a folder"):
        write_dataset(tmp_path / "mine.txt", generator, 1)
    with pytest.raises(DatasetError, match=r"cannot be (read|written)"):
        write_dataset(tmp_path / "mine.txt" / "inside", generator, 1)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mine.txt", "mine")]


def test_the_folder_one_is_in_is_not_replaced(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="is the folder you are in"):
        write_dataset(".", generator, 1)


@pytest.mark.parametrize("format", ["idx", "npz", "png", "parquet"])
def test_a_disk_that_fills_up_leaves_nothing(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Any
) -> None:
    """When the second block comes."""
    monkeypatch.setattr("digit_generator.dataset.write._BLOCK", 20)
    original, calls = formats.WRITERS[format], []

    def writer(*arguments: Any) -> Callable[[Block], None]:
        write = original(*arguments)

        def full(block: Block) -> None:
            calls.append(block)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            write(block)

        return full

    monkeypatch.setitem(formats.WRITERS, format, writer)
    with pytest.raises(DatasetError, match=r"disk of .* is full: make room, or choose another folder"):
        write_dataset(tmp_path / "set", generator, 60, format=format)
    assert len(calls) == 2
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_is_too_small_is_told_at_once(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    monkeypatch.setattr(DigitGenerator, "images", None)  # nothing is drawn
    with pytest.raises(DatasetError, match="has 1 MB left and the set may need 18 MB: make room"):
        write_dataset(tmp_path / "set", generator, 60_000)
    assert not [*tmp_path.iterdir()]


def test_ctrl_c_leaves_nothing(generator: DigitGenerator, tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "set", generator, 10, progress=stop)
    assert not [*tmp_path.iterdir()]


def test_progress_counts_the_images(generator: DigitGenerator, tmp_path: Path) -> None:
    counted: list[int] = []
    write_dataset(tmp_path / "set", generator, 5000, test_count=7, progress=counted.append)
    assert sum(counted) == 5007
    assert len(counted) > 1


def test_the_progress_of_a_style_moves_all_the_time(generator: DigitGenerator, tmp_path: Path) -> None:
    from digit_generator.style import Style

    class Controls:
        digest = "1" * 64
        asked: ClassVar[list[int]] = []

        def latents(self, z: np.ndarray, labels: np.ndarray, style: Style) -> np.ndarray:
            self.asked.append(len(z))
            return z

    counted: list[int] = []
    write_dataset(
        tmp_path / "set",
        generator,
        120,
        style=Style(thickness=3.0),
        controls=Controls(),  # type: ignore[arg-type]
        progress=counted.append,
    )
    assert counted == Controls.asked == [50, 50, 20]


def test_a_missing_library_is_named(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DatasetError, match="needs the library pyarrow: pip install pyarrow"):
        write_dataset(tmp_path / "set", generator, 1, format="parquet")
    assert not [*tmp_path.iterdir()]


def test_a_link_to_an_empty_folder_is_filled(generator: DigitGenerator, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    write_dataset(tmp_path / "link", generator, 20)
    assert (tmp_path / "empty" / "manifest.json").is_file()


def test_links_in_a_circle_are_told(generator: DigitGenerator, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DatasetError, match="loop"):
        write_dataset(tmp_path / "loop" / "set", generator, 20)


def test_a_mount_point_is_refused_before_anything_is_drawn(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.path.ismount", lambda path: path == tmp_path)
    monkeypatch.setattr("digit_generator.dataset.write.blocks", lambda *_: pytest.fail("drawn"))
    with pytest.raises(DatasetError, match="is a mount point: name a folder in it"):
        write_dataset(tmp_path, generator, 20)


def test_a_set_is_written_by_the_rules_of_windows(
    generator: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Python 3.12, Path.is_mount raises there."""

    def raises(path: Path) -> bool:
        raise NotImplementedError("Path.is_mount() is unsupported on this system")

    monkeypatch.setattr(Path, "is_mount", raises)
    assert write_dataset(tmp_path / "set", generator, 3)["parts"]["train"]["count"] == 3


@pytest.mark.parametrize("number", [np.int64, np.uint8, np.int32])
def test_whole_numbers_of_numpy_are_taken(generator: DigitGenerator, tmp_path: Path, number: Any) -> None:
    manifest = write_dataset(tmp_path / "numpy", generator, number(12), test_count=number(3), seed=number(7))
    assert manifest == write_dataset(tmp_path / "python", generator, 12, test_count=3, seed=7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 2.5}, "count is 2.5: expected a whole number from 1 to 10000000"),
        ({"count": True}, "count is True: expected a whole number"),
        ({"count": "12"}, "count is '12': expected a whole number"),
        ({"count": 1, "seed": 1.0}, "seed is 1.0: expected a whole number from 0 to 4294967295"),
        ({"count": 1, "test_count": None}, "test_count is None: expected a whole number from 0"),
    ],
)
def test_arguments_are_checked_before_work(
    generator: DigitGenerator, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(DatasetError, match=f"^{words}"):
        write_dataset(tmp_path / "set", generator, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_parquet_is_read_by_pandas_and_pyarrow(
    written: Callable[[str], tuple[Path, dict[str, Any]]],
) -> None:
    """They take every file for Parquet whose name does not begin with "_"."""
    folder, _ = written("parquet")
    assert len(pandas.read_parquet(folder)) == COUNT + TEST_COUNT
    assert pyarrow.dataset.dataset(folder).count_rows() == COUNT + TEST_COUNT


def test_what_is_in_a_folder_is_named_hidden_files_too(generator: DigitGenerator, tmp_path: Path) -> None:
    for name in (".DS_Store", "a", "b", "c"):
        (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=r"is not empty \(\.DS_Store, a, b and 1 more\): name another"):
        write_dataset(tmp_path, generator, 1)
