"""Labelled lines: they look as asked, and each form is opened by a reader that nobody here wrote."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import datasets
import numpy as np
import pytest
import webdataset
import yaml
from PIL import Image
from pycocotools.coco import COCO

from digit_generator import DigitGenerator, cli, write_number
from digit_generator.bulk import BulkGenerator
from digit_generator.dataset.plan import DatasetError
from digit_generator.files import write_whole
from digit_generator.finish import labelled_runs
from digit_generator.generate import pixels_from_images
from digit_generator.hand import Hand, HandError
from digit_generator.lines import LineSource, Look, LookError, PatternError, Picture, write_lines
from digit_generator.lines.formats import CATEGORIES
from digit_generator.lines.write import JOURNAL
from digit_generator.number import INK, drawn_texts, line_from_cells
from digit_generator.style import Style, StyleError, latents_of_hands

PATTERN = "#{2,4},#[05]"


@pytest.fixture(scope="module")
def shipped() -> DigitGenerator:
    return DigitGenerator.load()


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def source(generator: DigitGenerator, pattern: str = PATTERN, **options: object) -> LineSource:
    return LineSource(generator, pattern, **options)


def ink_of(picture: Picture, look: Look) -> np.ndarray:
    """How far each pixel is from the paper, 0...1."""
    pixels = picture.pixels.reshape(*picture.pixels.shape[:2], -1).astype(float)
    paper = np.array([int(look.paper[i : i + 2], 16) for i in (1, 3, 5)][: pixels.shape[2]])
    return np.abs(pixels - paper).max(axis=2) / 255


# How lines look


def test_a_line_without_a_look_is_that_of_write_number(shipped: DigitGenerator) -> None:
    (picture,) = source(shipped, "2026", seed=5).pictures([2])
    line = write_number(shipped, "2026", 7)
    np.testing.assert_array_equal(picture.pixels, line.picture)
    assert picture.lines == [("2026", 7, line.boxes)]


def test_what_needs_no_chance_is_as_with_it(shipped: DigitGenerator) -> None:
    """A plain look, and lines all in one hand or none, are drawn without asking for their chance."""
    (one, _) = persons(shipped)

    def drawn(**options: object) -> list[bytes]:
        return [picture.pixels.tobytes() for picture in source(shipped, "#2", **options).pictures(range(4))]

    assert drawn(one_hand=0) == drawn(one_hand=1e-12)
    assert drawn(hands=[one]) == drawn(hands=[one, one])
    assert drawn(one_hand=0, hands=[one]) == drawn(one_hand=0)
    assert drawn(one_hand=0) == drawn(one_hand=0, look=Look(noise=(0, 0)))
    plain, noisy = (source(shipped, "#2", look=look).pictures([0]) for look in (Look(), Look(noise=(0, 0))))
    assert plain[0].lines == noisy[0].lines


def test_line_i_depends_on_i_and_on_nothing_else(shipped: DigitGenerator) -> None:
    look = Look(height=(30, 60), noise=(0, 9), shadow=(0, 0.5), rotation=(-3, 3), jpeg=(50, 100))
    lines = source(shipped, look=look, one_hand=0.5, seed=3)
    together = lines.pictures([0, 1, 2, 3])
    for index, picture in enumerate(together):
        (alone,) = source(shipped, look=look, one_hand=0.5, seed=3).pictures([index])
        np.testing.assert_array_equal(picture.pixels, alone.pixels)
        assert picture.lines == alone.lines
    assert len({picture.pixels.shape for picture in together}) == 4
    assert not np.array_equal(source(shipped, look=look, seed=4).pictures([0])[0].pixels, together[0].pixels)


HANDS = [Hand(np.arange(start, start + 100) // 2 / 32, "e" * 8, 0.2) for start in (-50, -90)]


def persons(generator: DigitGenerator) -> list[Hand]:
    return [replace(hand, weights_sha256=generator.digest) for hand in HANDS]


def test_lines_are_by_persons(shipped: DigitGenerator) -> None:
    one, other = persons(shipped)
    lines = source(shipped, "2026", seed=5, hands=[one, other]).pictures(range(8))
    written = []
    for picture in lines:
        ((text, seed, _),) = picture.lines
        by = [write_number(shipped.variant(in_hand=hand), text, seed).picture for hand in (one, other)]
        (number,) = [i for i, line in enumerate(by) if np.array_equal(line, picture.pixels)]
        assert source(shipped, "2026", hands=[one, other]).hand_of(seed) == (one, other)[number]
        written.append(number)
    assert {*written} == {0, 1}
    # The others of a mix are by strangers, as without persons.
    mixed, strangers = (source(shipped, "2026", seed=5, one_hand=0.5, hands=hands) for hands in ([one], []))
    for index in range(8):
        same = np.array_equal(mixed.pictures([index])[0].pixels, strangers.pictures([index])[0].pixels)
        assert same == (mixed.hand_of(5 + index) is None)
    assert {mixed.hand_of(5 + index) for index in range(8)} == {None, one}
    by_generator = source(shipped.variant(in_hand=one), "2026")
    assert by_generator.identity() == source(shipped, "2026", hands=[one]).identity()


@pytest.mark.parametrize("format", ["imagefolder", "webdataset", "parquet"])
def test_a_set_says_by_whom_each_line_is(
    shipped: DigitGenerator, load_dataset: Callable[..., object], format: str
) -> None:
    one, other = persons(shipped)
    lines = source(shipped, "#", one_hand=0.6, hands=[one, other])
    manifest = json.loads(write_lines("out", lines, 12, format=format).read_text())
    assert manifest["hands"] == [{"hand": hand.text, "variation": 0.2} for hand in (one, other)]
    names = [hand.name if (hand := lines.hand_of(seed)) else "" for seed in range(12)]
    assert {*names} == {"", one.name, other.name}
    if format == "imagefolder":
        told = [json.loads(row)["hand"] for row in Path("out/metadata.jsonl").read_text().splitlines()]
    elif format == "webdataset":
        told = [
            item["json"]["hand"]
            for item in webdataset.WebDataset("out/lines-000000.tar", shardshuffle=False).decode()
        ]
    else:
        told = load_dataset("parquet", data_files="out/*.parquet")["train"]["hand"][:]
    assert [*told] == names
    with pytest.raises(DatasetError, match=r"holds another set \(hands differs\)"):
        write_lines("out", source(shipped, "#", one_hand=0.6, hands=[one]), 12, format=format)
    with pytest.raises(HandError, match="is for the weights eeeeeeee"):
        source(shipped, "#", hands=HANDS)


def test_the_command_writes_in_the_hands_of_files(shipped: DigitGenerator) -> None:
    one, other = persons(shipped)
    for hand in (one, other):
        Path(f"{hand.name}.hand").write_bytes(hand.to_bytes())
    words = ["lines", "6", "--pattern", "##", "--hand", f"{one.name}.hand", "--hand", f"{other.name}.hand"]
    assert cli.run([*words, "--variation", "0.2", "--out", "a"]) == 0
    write_lines("b", source(shipped, "##", hands=[one, other]), 6)
    for path in Path("b").glob("*.*"):
        assert (Path("a") / path.name).read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize("height", [24, 48, 100])
def test_a_line_is_as_high_as_asked_and_drawn_at_that_height(shipped: DigitGenerator, height: int) -> None:
    for picture in source(shipped, "<1/2|0,5|(7)>", look=Look(height=height)).pictures(range(6)):
        assert picture.pixels.shape[0] == height
        for character, left, top, right, bottom in picture.lines[0].boxes:
            ink = picture.pixels[top:bottom, left:right] >= INK
            assert all(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1])), character
        if height == 100:  # an enlarged line would repeat every row
            rows = picture.pixels[20:80]
            assert (rows[1:] != rows[:-1]).any(axis=1).mean() > 0.9


def test_spacing_and_slope(shipped: DigitGenerator) -> None:
    def boxes(**look: float) -> np.ndarray:
        (picture,) = source(shipped, "1234567", look=Look(height=64, **look)).pictures([0])
        return np.array([box[1:] for box in picture.lines[0].boxes])

    usual, wide = boxes(), boxes(spacing=4)
    assert (wide[1:, 0] - wide[:-1, 2]).mean() > 2 * (usual[1:, 0] - usual[:-1, 2]).mean()
    for degrees in (-6, 6):
        sloped = boxes(slope=degrees)
        rise = -np.polyfit(sloped[:, [0, 2]].mean(axis=1), sloped[:, 3], 1)[0]
        assert np.degrees(np.arctan(rise)) == pytest.approx(degrees, abs=2.5)


def pieces(picture: Picture) -> int:
    """How many pieces of ink there are, counted where they touch at a corner too."""
    return len(np.unique(labelled_runs(picture.pixels[None] >= INK).piece))


@pytest.mark.parametrize("height", [None, 64])
def test_characters_touch_where_the_gap_is_none(shipped: DigitGenerator, height: int | None) -> None:
    def line(gap: float) -> Picture:
        return source(shipped, "000000", seed=3, look=Look(height=height, gap=gap)).pictures([0])[0]

    assert pieces(line(3)) == 6
    assert pieces(line(0)) == 1


@pytest.mark.parametrize("gap", [None, 2.0, (-4.0, 3.0), (-10.0, -5.0)])
def test_the_ink_of_neighbours_is_joined_and_boxes_are_the_digits_own(
    shipped: DigitGenerator, gap: float | tuple[float, float] | None
) -> None:
    """The line is what the digits of a line with much room are, moved to their boxes."""
    (apart,) = source(shipped, "8172635", one_hand=0, look=Look(spacing=5)).pictures([2])
    (line,) = source(shipped, "8172635", one_hand=0, look=Look(gap=gap)).pictures([2])
    joined = np.zeros_like(line.pixels)
    for box, (character, left, top, right, bottom) in zip(
        apart.lines[0].boxes, line.lines[0].boxes, strict=True
    ):
        assert (box[0], box[3] - box[1], box[4] - box[2]) == (character, right - left, bottom - top)
        digit = apart.pixels[box[2] - 2 : box[4] + 2, box[1] - 2 : box[3] + 2]  # with its faint edge
        place = joined[top - 2 : bottom + 2, left - 2 : right + 2]
        np.maximum(place, digit, out=place)
    np.testing.assert_array_equal(joined, line.pixels)
    edges = np.array([box[1:] for box in line.lines[0].boxes])
    assert (np.diff(edges[:, [0, 2]].sum(axis=1)) > 0).all()  # still in order
    overlaps = (edges[1:, 0] < edges[:-1, 2]).sum()
    assert overlaps == (0 if gap is None else overlaps)
    if gap == (-10.0, -5.0):
        assert overlaps == 6
        assert ((edges[:-1, 2] - edges[1:, 0]) <= (edges[:-1, 2] - edges[:-1, 0]) / 2).all()


def test_each_gap_draws_its_own_and_spaces_stay(shipped: DigitGenerator) -> None:
    def gaps(index: int) -> list[int]:
        (line,) = source(shipped, "11111111", look=Look(gap=(0, 20))).pictures([index])
        boxes = line.lines[0].boxes
        return [after[1] - box[3] for box, after in pairwise(boxes)]

    assert np.ptp(gaps(0)) > 8
    assert gaps(0) != gaps(1)

    def width(text: str, gap: float) -> int:
        return source(shipped, text, look=Look(gap=gap)).pictures([0])[0].pixels.shape[1]

    assert width("0 0", -5) == width("0 0", 0)
    assert width("00", -5) < width("00", 0)


def test_a_hand_is_left_as_it_comes_where_that_is_asked_for(shipped: DigitGenerator) -> None:
    even, uneven = (source(shipped, "0123456789", uneven=choice) for choice in (False, True))
    pictures = [lines.pictures([4])[0].pixels for lines in (even, uneven)]
    assert pictures[0].shape != pictures[1].shape or (pictures[0] != pictures[1]).any()
    hand, _ = latents_of_hands(shipped, [4], [10])
    labels = np.arange(10)
    cells = shipped.finished(
        pixels_from_images(shipped.images(hand, labels)), labels, range(4, 14), in_box=False
    )
    np.testing.assert_array_equal(pictures[1], line_from_cells("0123456789", cells, seed=4).picture)
    mixed = [source(shipped, "##", one_hand=0, uneven=choice).pictures([0])[0].pixels for choice in (0, 1)]
    np.testing.assert_array_equal(*mixed)


def test_a_set_from_before_a_hand_could_be_uneven_goes_on(shipped: DigitGenerator) -> None:
    write_lines("set", source(shipped, "#", one_hand=0), 1)
    path = Path("set/manifest.json")
    told = json.loads(path.read_text())
    assert told.pop("uneven") is False
    path.write_text(json.dumps(told))
    write_lines("set", source(shipped, "#", one_hand=0), 1)
    with pytest.raises(DatasetError, match=r"holds another set \(uneven differs\)"):
        write_lines("set", source(shipped, "#", one_hand=0, uneven=True), 1)


@pytest.mark.parametrize("style", [Style(), Style(slant=0.2)])
def test_float32_draws_the_same_digits(shipped: DigitGenerator, style: Style) -> None:
    """As many digits as make some pixels lie near the border of two greys."""
    texts, seeds = ["0123456789"] * 12, range(50, 62)
    mixed = [seed % 4 == 0 for seed in seeds]
    raw_bulk = BulkGenerator(shipped.variant(raw=True))
    count = 12 if style == Style() else 3
    arguments = (shipped, texts[:count], seeds[:count], style, None, mixed[:count])
    for one, other in zip(drawn_texts(*arguments), drawn_texts(*arguments, raw_bulk), strict=True):
        np.testing.assert_array_equal(one.raw, other.raw)
        np.testing.assert_array_equal(one.cells, other.cells)


def test_colours_and_forms(shipped: DigitGenerator) -> None:
    look = Look(height=48, ink="#1b1b6f", paper="#fbfaf8")
    plain, ruled, boxed = (
        source(shipped, "70-1", look=Look(**{**look.asked, "form": form})).pictures([0])[0]
        for form in ("plain", "ruled", "boxed")
    )
    assert plain.pixels.shape[2] == 3
    assert plain.pixels[0, 0].tolist() == [0xFB, 0xFA, 0xF8]
    assert np.abs(plain.pixels.astype(int) - [0x1B, 0x1B, 0x6F]).max(axis=2).min() <= 2
    assert (ink_of(ruled, look) > 0.3).all(axis=1).any()  # a line from edge to edge
    assert (ink_of(boxed, look) > 0.3).mean(axis=1).max() > 0.8
    walls = np.flatnonzero((ink_of(boxed, look) > 0.3).mean(axis=0) > 0.8)
    (label,) = boxed.lines
    for _, left, _, right, _ in label.boxes:  # a box for each character
        assert ((walls >= left) & (walls < right)).sum() == 0
        assert (walls < left).any()
        assert (walls >= right).any()
    grey = source(shipped, "70", look=Look(ink="#202020", paper="#eeeeee")).pictures([0])[0]
    assert grey.pixels.ndim == 2
    assert grey.pixels[0, 0] == 0xEE


def test_boxes_go_where_a_turned_line_goes(shipped: DigitGenerator) -> None:
    look = Look(height=64, rotation=(10, 20), perspective=0.2)
    for picture in source(shipped, "0" * 6, look=look).pictures(range(3)):
        rest = picture.pixels.copy()
        for _, left, top, right, bottom in picture.lines[0].boxes:
            assert picture.pixels[top:bottom, left:right].max() > 200
            rest[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = 0
        assert (rest < INK).all()


def test_what_a_camera_does(shipped: DigitGenerator) -> None:
    def pixels(**look: float) -> np.ndarray:
        asked = Look(ink="#202020", paper="#e0e0e0", height=48, **look)
        return source(shipped, "123", look=asked).pictures([0])[0].pixels.astype(float)

    plain = pixels()
    assert np.std(pixels(noise=10)[plain == 0xE0]) == pytest.approx(10, abs=1)
    assert np.abs(np.diff(pixels(blur=2), axis=1)).max() < 0.5 * np.abs(np.diff(plain, axis=1)).max()
    shadow = pixels(shadow=0.5)
    assert shadow.min() < plain.min() + 1
    assert np.ptp(shadow[plain == 0xE0]) > 30
    jpeg = pixels(jpeg=20)
    assert 0 < np.abs(jpeg - plain).mean() < 10


def test_styles_and_hands_of_their_own(shipped: DigitGenerator) -> None:
    def ink(**options: object) -> float:
        return source(shipped, "0123456789", **options).pictures([0])[0].pixels.mean()

    assert ink(style={"thickness": (3.2, 3.4)}) > 1.2 * ink(style={"thickness": 2})
    one, own = (source(shipped, "88888", one_hand=share).pictures([1])[0].pixels for share in (1, 0))
    assert one.shape != own.shape or not np.array_equal(one, own)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        ({"height": 4}, "height is 4: expected 16 to 512 (pixels), or a range of it"),
        ({"height": (40, 30)}, "height is (40, 30): expected"),
        ({"blur": float("nan")}, "blur is nan"),
        ({"noise": "7"}, "noise is '7'"),
        ({"ink": "black"}, "ink is 'black': expected a colour such as '#1b1b1f'"),
        ({"form": "round"}, "form is 'round': expected one of plain, ruled, boxed"),
        ({"gap": (-11, 0)}, "gap is (-11, 0): expected -10 to 40 (twentieths of a digit's height"),
        ({"gap": (2, 1)}, "gap is (2, 1): expected"),
        ({"gap": 1, "form": "boxed"}, "gap is 1 and form is 'boxed', which both set how far"),
        ({"gap": 1, "spacing": 2}, "gap is 1 and spacing is 2, which both set how far"),
    ],
)
def test_a_look_that_is_none_is_told(look: dict[str, object], words: str) -> None:
    with pytest.raises(LookError, match=re.escape(words)):
        Look(**look)


def test_a_source_that_is_none_is_told(shipped: DigitGenerator) -> None:
    with pytest.raises(LookError, match=r"one_hand is 2: expected a share from 0 to 1"):
        source(shipped, one_hand=2)
    with pytest.raises(StyleError, match=r"'weight' is no style: expected thickness, slant, width"):
        source(shipped, style={"weight": 2})
    with pytest.raises(StyleError, match=r"thickness 40 is out of reach"):
        source(shipped, style={"thickness": (2, 40)})
    with pytest.raises(PatternError, match=r"no texts came"):
        LineSource(shipped, [])


# In which form, each opened by another reader


def texts_of(lines: LineSource, count: int) -> list[str]:
    return [lines.text(index) for index in range(count)]


def test_imagefolder_and_parquet_are_read_by_hugging_faces_datasets(shipped: DigitGenerator) -> None:
    lines = source(shipped, look=Look(height=32))
    write_lines("folder", lines, 5)
    write_lines("parquet", lines, 5, format="parquet", shard_size=2)
    assert len([*Path("parquet").glob("train-*-of-00003.parquet")]) == 3
    folder = datasets.load_dataset("imagefolder", data_dir="folder", split="train", cache_dir="cache")
    parquet = datasets.load_dataset("parquet", data_dir="parquet", split="train", cache_dir="cache")
    for index, picture in enumerate(lines.pictures(range(5))):
        (label,) = picture.lines
        for row in (folder[index], parquet[index]):
            assert (row["text"], row["seed"]) == (label.text, label.seed)
            assert row["characters"] == list(label.text)
            assert row["boxes"] == [list(box[1:]) for box in label.boxes]
            np.testing.assert_array_equal(np.asarray(row["image"]), picture.pixels)


def test_text_files_of_ocr_trainers(shipped: DigitGenerator) -> None:
    """By the readers' documented rules: PaddleOCR splits at a tab, EasyOCR's trainer reads a CSV, and TRDG's
    files split at the first space."""
    lines = source(shipped)
    texts = texts_of(lines, 4)
    for kind in ("paddle", "easyocr", "trdg"):
        write_lines(kind, lines, 4, format=kind)
    rows = [row.split("\t") for row in Path("paddle/rec_gt.txt").read_text().splitlines()]
    assert [text for _, text in rows] == texts
    assert all((Path("paddle") / name).is_file() for name, _ in rows)
    with Path("easyocr/labels.csv").open(newline="") as file:
        table = [*csv.DictReader(file)]
    assert [row["words"] for row in table] == texts
    assert all((Path("easyocr") / row["filename"]).is_file() for row in table)
    trdg = [row.split(" ", 1) for row in Path("trdg/labels.txt").read_text().splitlines()]
    assert [text for _, text in trdg] == texts
    assert all((Path("trdg") / name).is_file() for name, _ in trdg)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_the_tar_files(shipped: DigitGenerator) -> None:
    lines = source(shipped)
    write_lines("tar", lines, 5, format="webdataset", shard_size=3)
    names = sorted(str(path) for path in Path("tar").glob("*.tar"))
    assert len(names) == 2
    read = [*webdataset.WebDataset(names, shardshuffle=False).decode("pil")]
    assert [sample["txt"] for sample in read] == texts_of(lines, 5)
    for sample, picture in zip(read, lines.pictures(range(5)), strict=True):
        np.testing.assert_array_equal(np.asarray(sample["png"].convert("L")), picture.pixels)
        assert sample["json"]["boxes"] == [list(box) for box in picture.lines[0].boxes]


def pages(generator: DigitGenerator, kind: str) -> list[Picture]:
    lines = source(generator, "#{2,4} [€%]", look=Look(height=(30, 40)))
    write_lines(kind, lines, 2, format=kind, lines_per_page=3, overlap=0.5)
    return lines.pages([0, 1], 3, 0.5)


def test_pages_hold_their_lines_and_overlap_by_choice(shipped: DigitGenerator) -> None:
    lines = source(shipped, "####", look=Look(height=32))
    (apart,) = lines.pages([1], 4)
    (over,) = lines.pages([1], 4, 0.9)
    assert [line.text for line in apart.lines] == texts_of(lines, 8)[4:]
    assert apart.pixels.shape[0] == 4 * 32
    assert over.pixels.shape[0] < 4 * 32
    rest = apart.pixels.copy()
    for line in apart.lines:
        for _, left, top, right, bottom in line.boxes:
            rest[top:bottom, left:right] = 0
    assert (rest < INK).all()


def test_pycocotools_reads_coco(shipped: DigitGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = pages(shipped, "coco")
    read = COCO("coco/annotations.json")
    for number, picture in enumerate(pictures, 1):
        (image,) = read.loadImgs([number])
        with Image.open(Path("coco/images") / image["file_name"]) as opened:
            assert opened.size == (image["width"], image["height"]) == picture.pixels.shape[::-1]
        found = [
            (read.loadCats([a["category_id"]])[0]["name"], *a["bbox"])
            for a in read.loadAnns(read.getAnnIds(imgIds=[number]))
        ]
        assert found == [
            (c, x0, y0, x1 - x0, y1 - y0)
            for line in picture.lines
            for c, x0, y0, x1, y1 in line.boxes
            if c != " "
        ]


def test_yolo_by_its_documented_rules(shipped: DigitGenerator) -> None:
    """Ultralytics: images/train/x.png has labels/train/x.txt; a row is class, middle and size in shares."""
    pictures = pages(shipped, "yolo")
    told = yaml.safe_load(Path("yolo/data.yaml").read_text())
    assert [told["names"][i] for i in range(len(CATEGORIES))] == [*CATEGORIES]
    images = sorted((Path("yolo") / told["train"]).glob("*.png"))
    for path, picture in zip(images, pictures, strict=True):
        height, width = picture.pixels.shape
        rows = np.loadtxt(str(path).replace("images", "labels").replace(".png", ".txt"))
        assert ((rows[:, 1:] >= 0) & (rows[:, 1:] <= 1)).all()
        expected = [box for line in picture.lines for box in line.boxes if box[0] != " "]
        for (kind, x, y, w, h), (character, x0, y0, x1, y1) in zip(rows, expected, strict=True):
            assert told["names"][int(kind)] == character
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * [width, height, width, height]
            assert corners == pytest.approx([x0, y0, x1, y1], abs=0.01)


def test_voc_by_its_documented_rules(shipped: DigitGenerator) -> None:
    pictures = pages(shipped, "voc")
    stems = Path("voc/ImageSets/Main/train.txt").read_text().split()
    for stem, picture in zip(stems, pictures, strict=True):
        root = ElementTree.parse(Path("voc/Annotations") / f"{stem}.xml").getroot()
        assert (Path("voc/JPEGImages") / root.findtext("filename")).is_file()
        found = [
            (
                thing.findtext("name"),
                *(int(thing.findtext(f"bndbox/{name}")) for name in ("xmin", "ymin", "xmax", "ymax")),
            )
            for thing in root.iter("object")
        ]
        expected = [box for line in picture.lines for box in line.boxes if box[0] != " "]
        assert found == [(c, x0 + 1, y0 + 1, x1, y1) for c, x0, y0, x1, y1 in expected]


def test_pages_for_paddle_have_a_polygon_for_each_line(shipped: DigitGenerator) -> None:
    pictures = pages(shipped, "paddle")
    rows = [row.split("\t") for row in Path("paddle/det_gt.txt").read_text().splitlines()]
    for (_, told), picture in zip(rows, pictures, strict=True):
        lines = json.loads(told)
        assert [line["transcription"] for line in lines] == [line.text for line in picture.lines]
        for line, label in zip(lines, picture.lines, strict=True):
            (x0, y0), _, (x1, y1), _ = line["points"]
            assert all(x0 <= b[1] and y0 <= b[2] and x1 >= b[3] and y1 >= b[4] for b in label.boxes)


# Whole pairs, and on


def contents(folder: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("kind", ["imagefolder", "yolo", "webdataset"])
def test_a_stopped_set_has_whole_pairs_and_goes_on(
    shipped: DigitGenerator, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lines = source(shipped)
    write_lines("whole", lines, 5, format=kind, shard_size=2)
    written: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        if path.suffix in (".png", ".txt", ".tar"):
            written.append(path)
            if len(written) == (2 if kind == "webdataset" else 4):
                raise KeyboardInterrupt
        write_whole(path, data)

    with monkeypatch.context() as stopped:
        stopped.setattr("digit_generator.lines.write.write_whole", write)
        with pytest.raises(KeyboardInterrupt):
            write_lines("begun", lines, 5, format=kind, shard_size=2)
    begun = contents("begun")
    pictures = [name for name in begun if name.endswith(".png")]
    if kind == "imagefolder":
        labels = [json.loads(row)["file_name"] for row in begun["metadata.jsonl"].splitlines()]
        assert labels == pictures == ["000000.png", "000001.png", "000002.png"]
    elif kind == "yolo":
        assert pictures == ["images/train/000000.png"]
        assert [name for name in begun if name.startswith("labels")] == ["labels/train/000000.txt"]
    else:
        assert [name for name in begun if name.endswith(".tar")] == ["lines-000000.tar"]
    assert JOURNAL in begun
    assert "manifest.json" not in begun
    write_lines("begun", lines, 5, format=kind, shard_size=2)
    assert contents("begun") == contents("whole")
    assert JOURNAL not in contents("whole")
    before = Path("whole/manifest.json").stat().st_mtime_ns
    write_lines("whole", lines, 5, format=kind, shard_size=2)  # nothing is left to do
    assert Path("whole/manifest.json").stat().st_mtime_ns == before


def test_a_set_that_cannot_be_written_is_told(shipped: DigitGenerator) -> None:
    lines = source(shipped)
    write_lines("set", lines, 1)
    with pytest.raises(DatasetError, match=r"set holds another set \(seed differs\)"):
        write_lines("set", source(shipped, seed=9), 1)
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"mine is not empty"):
        write_lines("mine", lines, 1)
    with pytest.raises(DatasetError, match=r"imagefolder has one line a picture: choose paddle, coco"):
        write_lines("pages", lines, 1, lines_per_page=2)
    with pytest.raises(DatasetError, match=r"overlap is 2: expected a share from 0 to 0.9"):
        write_lines("pages", lines, 1, format="coco", overlap=2)
    with pytest.raises(DatasetError, match=r"format is 'gif': expected one of"):
        write_lines("gif", lines, 1, format="gif")
    with pytest.raises(DatasetError, match=r"count is 0"):
        write_lines("none", lines, 0)


# The command line


def test_the_command_writes_a_set_and_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = "lines 3 --format paddle --height 30:40 --ink #202060 --paper #f0f0f0 --slope=-2:2 --seed 4"
    words += " --gap -2:1 --uneven"
    assert cli.run([*words.split(), "--pattern", "<date D.M.YY>"]) == 0
    assert Path(capsys.readouterr().out.strip()) == Path("lines/manifest.json")
    look = Look(height=(30.0, 40.0), ink="#202060", paper="#f0f0f0", slope=(-2.0, 2.0), gap=(-2.0, 1.0))
    lines = source(DigitGenerator.load(), "<date D.M.YY>", look=look, seed=4, uneven=True)
    for index, picture in enumerate(lines.pictures(range(3))):
        with Image.open(io.BytesIO(Path(f"lines/images/{index:06}.png").read_bytes())) as opened:
            np.testing.assert_array_equal(np.asarray(opened), picture.pixels)
    manifest = json.loads(Path("lines/manifest.json").read_text())
    assert (manifest["pattern"], manifest["uneven"]) == ("<date D.M.YY>", True)
    assert manifest["look"]["gap"] == [-2, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["3"], "Give one of --pattern and --list"),
        (["3", "--pattern", "#<"], "'<' is not closed by '>'"),
        (["3", "--pattern", "#", "--height", "5"], "height is 5.0: expected 16 to 512"),
        (["3", "--pattern", "#", "--blur", "a"], "'a' is no number such as 2.5, or range such as 2:3"),
        (["3", "--pattern", "#", "--ink", "red"], "ink is 'red': expected a colour"),
        (["3", "--pattern", "#", "--gap", "-20"], "gap is -20.0: expected -10 to 40"),
        (["3", "--pattern", "#", "--one-hand", "0:1"], "'0:1' is not a number such as"),
        (["3", "--pattern", "#", "--variation", "0"], "--variation is of a hand"),
        (["3", "--pattern", "#", "--hand", "none.hand"], "none.hand cannot be read"),
        (["3", "--pattern", "#", "--hand", f"{'0' * 8}.{'A' * 134}"], "is for the weights 00000000"),
        (["3", "--pattern", "#", "--one-hand", "3"], "one_hand is 3.0: expected a share from 0 to 1"),
        (["3", "--pattern", "#", "--shares", "7:0"], "the shares are"),
        (["3", "--pattern", "#", "--lines-per-page", "2"], "imagefolder has one line a picture"),
        (["3", "--list", "none.txt"], "none.txt cannot be read"),
        (["0", "--pattern", "#"], "'0' is not a whole number from 1"),
    ],
)
def test_a_mistake_about_lines_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert cli.run(["lines", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not [*Path().iterdir()]
