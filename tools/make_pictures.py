"""Make the pictures of README and docs/ from the `generator.pth` that ships:
python -m tools.make_pictures --data-dir mnist

Generated digits are those of seeds 0, 1, 2, ... in order, finished and drawn from the z that the choice
accepts, as everything draws them. Real digits are the first of each kind in MNIST's training set, and stand
at the word "real".
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from digit_generator.evaluation.data import EvaluationError, mnist_from_folder
from digit_generator.files import write_whole
from digit_generator.finish import scans
from digit_generator.generate import DigitGenerator, labels_from_digits
from digit_generator.lines import LineSource, Look
from digit_generator.morph import frame_times, morph
from digit_generator.number import write_number
from digit_generator.recipe import Recipe
from digit_generator.render import (
    animation_from_pixels,
    digits_from_training_sheet,
    png_from_line,
    sheet_from_pixels,
)
from digit_generator.style import Style, StyleControls, styled_digits

ROOT = Path(__file__).resolve().parents[1]
STAGE = 280  # pixels a side
SCALE, CELL, MARGIN = 3, 30, 20  # a cell is a digit and 2 pixels of space; the margin holds the names
WIDE_MARGIN = 44  # where the rows' names are words
BLACK, GREY = 0, 170
STYLE_STEPS = (0, 0.25, 0.5, 0.75, 1)  # from the low to the high end of a control's range
TEXTS = ("2026", "3.14", "-7", "24/12/2026", "+49 30 123-456")
DIGITS = range(10)
_PEN = {"ink": "#1b1b6f", "paper": "#fbfaf8"}
_PENCIL = {"ink": "#303030", "paper": "#e4e0d8"}
LINES = (
    ("#####-####", Look(height=64)),
    ("<date DD.MM.YYYY>", Look(height=64, form="ruled", **_PEN)),
    ("#{8}", Look(height=64, form="boxed", **_PEN)),
    ("<amount 9,999.99> €", Look(height=64, slope=2, spacing=1.5, **_PENCIL)),
    ("(+49) ### #{4}", Look(height=64, rotation=3, shadow=0.4, noise=8, blur=0.8, jpeg=60, **_PENCIL)),
    ("<$|£><amount 500.00>", Look(height=64, perspective=0.15, shadow=0.3, noise=4, form="ruled", **_PEN)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of README and docs/.")
    parser.add_argument("--data-dir", type=Path, default=Path("mnist"), help="MNIST's files")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="where the pictures go")
    options = parser.parse_args()

    generator = DigitGenerator.load()
    try:
        training_set = mnist_from_folder(options.data_dir, "train")
    except EvaluationError as error:
        parser.error(str(error))
    real = {digit: training_set.pixels[training_set.labels == digit][:5] for digit in DIGITS}

    options.out.mkdir(parents=True, exist_ok=True)
    rows = [[*generator.digits(list(DIGITS), [seed] * 10)] for seed in range(5)]
    rows += [[], [real[digit][0] for digit in DIGITS]]
    names = [*(f"{seed}" for seed in range(5)), "", "real"]
    write_whole(options.out / "digits.png", labelled_picture(rows, names, [f"{digit}" for digit in DIGITS]))

    rows = [[*generator.digits(digit, range(10)), None, *real[digit]] for digit in DIGITS]
    columns = [*(f"{seed}" for seed in range(10)), "", *["real"] * 5]
    write_whole(
        options.out / "examples.png", labelled_picture(rows, [f"{digit}" for digit in DIGITS], columns)
    )

    write_whole(options.out / "stages.png", stages(generator, digit=7, seed=0))
    write_whole(options.out / "learning.png", learning_strip())
    write_whole(options.out / "morph.png", morph_strip(generator))
    write_whole(options.out / "morph.webp", morph_animation(generator))
    write_whole(options.out / "style.png", style_sheet(generator))
    write_whole(options.out / "lines.png", lines_sheet(generator))
    write_whole(options.out / "number.png", png_from_line(number_sheet(generator), scale=2 * SCALE))


def stages(generator: DigitGenerator, digit: int, seed: int) -> bytes:
    """One digit as the network drew it, as the black-and-white scan, and finished."""
    labels, seeds = labels_from_digits(digit, 1), np.array([seed])
    z = generator.latents([seed], labels)
    raw = generator.variant(raw=True).pixels(z, labels, [seed])  # uint8 [1, 28, 28]
    pictures = {
        "as the network drew it": raw[0],
        "the black-and-white scan": scans(raw, labels, seeds)[0] * np.uint8(255),
        "finished by MNIST's rule": generator.finished(raw, labels, [seed])[0],
    }
    gap, line = 20, 36
    canvas = Image.new("L", (len(pictures) * (STAGE + gap) - gap, STAGE + line), BLACK)
    draw = ImageDraw.Draw(canvas)
    for number, (name, pixels) in enumerate(pictures.items()):
        left = number * (STAGE + gap)
        draw.text((left + STAGE // 2, line // 2), name, fill=GREY, anchor="mm", font_size=20)
        tile = Image.fromarray(pixels).resize((STAGE, STAGE), Image.Resampling.NEAREST)
        canvas.paste(tile, (left, line))
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def learning_strip() -> bytes:
    """Every digit with seed 0, from epoch to epoch, cut out of the sheets that the training wrote."""
    paths = sorted((ROOT / "docs" / "training" / "best").glob("epoch-*.png"))
    sheets = [digits_from_training_sheet(np.asarray(Image.open(path).convert("L"))) for path in paths]
    rows = [[digits[digit, 0] for digits in sheets] for digit in DIGITS]
    epochs = [f"{int(path.stem.removeprefix('epoch-'))}" for path in paths]
    return labelled_picture(rows, [f"{digit}" for digit in DIGITS], epochs)


def morph_strip(generator: DigitGenerator) -> bytes:
    """What `python -m digit_generator morph 3 8 --format strip --frames 9 --scale 3` writes."""
    stops, frames_between, scale = ((3, 0), (8, 0)), 9, 3
    pixels = morph(generator, stops, frames_between=frames_between)
    recipe = Recipe.of(generator, stops=stops, frames_between=frames_between, scale=scale)
    return sheet_from_pixels(pixels, columns=len(pixels), scale=scale, recipe=recipe.to_text())


def morph_animation(generator: DigitGenerator) -> bytes:
    """What `python -m digit_generator morph 0 1 2 3 4 5 6 7 8 9 0 --format webp --scale 4` writes."""
    stops = [(digit, 0) for digit in (*DIGITS, 0)]
    return animation_from_pixels(morph(generator, stops), "webp", milliseconds=frame_times(stops), scale=4)


def style_sheet(generator: DigitGenerator) -> bytes:
    """Every digit with seed 0, each control from one end of its range to the other."""
    controls = StyleControls.load(generator)
    rows, names = [], []
    for control in ("thickness", "slant", "width"):
        ranges = [controls.ranges(digit)[control] for digit in DIGITS]
        for share in STYLE_STEPS:
            styles = [Style(**{control: low + share * (high - low)}) for low, high in ranges]
            rows.append(
                [styled_digits(generator, digit, [0], styles[digit], controls)[0] for digit in DIGITS]
            )
            names.append(control if share == 0 else "")
        rows.append([])
        names.append("")
    digits = [f"{digit}" for digit in DIGITS]
    return labelled_picture(rows[:-1], names[:-1], digits, margin=WIDE_MARGIN)


def number_sheet(generator: DigitGenerator) -> np.ndarray:
    """A few texts below each other, each in the hand of its row, seeds 0, 1, 2, ..."""
    lines = [write_number(generator, text, seed).picture for seed, text in enumerate(TEXTS)]
    height = max(line.shape[0] for line in lines)
    sheet = np.full((height * len(lines), max(line.shape[1] for line in lines)), BLACK, np.uint8)
    for row, line in enumerate(lines):
        top = row * height + (height - line.shape[0]) // 2
        sheet[top : top + line.shape[0], : line.shape[1]] = line
    return sheet


def lines_sheet(generator: DigitGenerator) -> bytes:
    """Lines in several looks below each other, seeds 0, 1, 2, ..."""
    pictures = []
    for seed, (pattern, look) in enumerate(LINES):
        (picture,) = LineSource(generator, pattern, seed=seed, look=look).pictures([0])
        pixels = picture.pixels
        pictures.append(pixels if pixels.ndim == 3 else pixels[:, :, None].repeat(3, axis=2))
    gap = 12
    height = sum(len(picture) + gap for picture in pictures) - gap
    sheet = np.full((height, max(picture.shape[1] for picture in pictures), 3), 255, np.uint8)
    top = 0
    for picture in pictures:
        sheet[top : top + len(picture), : picture.shape[1]] = picture
        top += len(picture) + gap
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()


def labelled_picture(
    rows: Sequence[Sequence[np.ndarray | None]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    *,
    margin: int = MARGIN,
) -> bytes:
    """Rows of digits, uint8 [28, 28] each, a name before each row and above each column. None is a gap.

    `margin` is the room for the names of the rows, in pixels before enlarging.
    """
    width, height = margin + CELL * len(column_names), MARGIN + CELL * len(rows)
    canvas = np.full((height, width), BLACK, np.uint8)
    for row_number, row in enumerate(rows):
        for column_number, pixels in enumerate(row):
            if pixels is not None:
                top, left = MARGIN + CELL * row_number, margin + CELL * column_number
                canvas[top : top + 28, left : left + 28] = pixels
    picture = Image.fromarray(canvas.repeat(SCALE, axis=0).repeat(SCALE, axis=1))
    draw = ImageDraw.Draw(picture)
    for names, place in (
        (row_names, (margin // 2, MARGIN + 14)),
        (column_names, (margin + 14, MARGIN // 2)),
    ):
        across = names is column_names
        for number, name in enumerate(names):
            x, y = place[0] + CELL * number * across, place[1] + CELL * number * (not across)
            draw.text((x * SCALE, y * SCALE), name, fill=GREY, anchor="mm", font_size=20)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
