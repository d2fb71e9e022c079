"""Make README's pictures from the `generator.pth` that ships: python docs/make_pictures.py --data-dir mnist

Generated digits are those of seeds 0, 1, 2, ... in order, none chosen. Real digits are the first of each kind
in MNIST's training set, and stand at the word "real".
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the package lies beside this folder and need not be installed

from digit_generator.evaluation.data import mnist_from_folder  # noqa: E402
from digit_generator.generate import DigitGenerator  # noqa: E402
from digit_generator.render import write_whole  # noqa: E402

SCALE, CELL, MARGIN = 3, 30, 20  # a cell is a digit and 2 pixels of space; the margin holds the names
BLACK, GREY = 0, 170
DIGITS = range(10)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make README's pictures.")
    parser.add_argument("--data-dir", type=Path, default=Path("mnist"), help="MNIST's files")
    parser.add_argument("--out", type=Path, default=HERE / "images", help="where the pictures go")
    options = parser.parse_args()

    generator = DigitGenerator.load()
    training_set = mnist_from_folder(options.data_dir, "train")
    real = {digit: training_set.pixels[training_set.labels == digit][:5] for digit in DIGITS}

    rows = [[*generator.digits(list(DIGITS), [seed] * 10)] for seed in range(5)]
    rows += [[], [real[digit][0] for digit in DIGITS]]
    names = [*(f"{seed}" for seed in range(5)), "", "real"]
    write_whole(options.out / "digits.png", labelled_picture(rows, names, [f"{digit}" for digit in DIGITS]))

    rows = [[*generator.digits(digit, range(10)), None, *real[digit]] for digit in DIGITS]
    columns = [*(f"{seed}" for seed in range(10)), "", *["real"] * 5]
    write_whole(
        options.out / "examples.png", labelled_picture(rows, [f"{digit}" for digit in DIGITS], columns)
    )

    sheets = sorted((HERE / "training" / "best").glob("epoch-*.png"))
    learned = [first_column_of_sheet(sheet) for sheet in sheets]
    epochs = [f"{int(sheet.stem.removeprefix('epoch-'))}" for sheet in sheets]
    rows = [[column[digit] for column in learned] for digit in DIGITS]
    write_whole(
        options.out / "learning.png", labelled_picture(rows, [f"{digit}" for digit in DIGITS], epochs)
    )


def first_column_of_sheet(path: Path) -> list[np.ndarray]:
    """Seed 0 of digits 0 to 9, uint8 [28, 28] each, from a sheet that the training wrote."""
    scale, cell, margin = 2, 30, 14  # as mnist_gan_training.write_sheet has them
    sheet = np.asarray(Image.open(path).convert("L"))[::scale, ::scale]
    return [sheet[margin + cell * digit : margin + cell * digit + 28, :28] for digit in DIGITS]


def labelled_picture(
    rows: Sequence[Sequence[np.ndarray | None]], row_names: Sequence[str], column_names: Sequence[str]
) -> bytes:
    """Rows of digits, uint8 [28, 28] each, a name before each row and above each column. None is a gap."""
    width, height = MARGIN + CELL * len(column_names), MARGIN + CELL * len(rows)
    canvas = np.full((height, width), BLACK, np.uint8)
    for row_number, row in enumerate(rows):
        for column_number, pixels in enumerate(row):
            if pixels is not None:
                top, left = MARGIN + CELL * row_number, MARGIN + CELL * column_number
                canvas[top : top + 28, left : left + 28] = pixels
    picture = Image.fromarray(canvas.repeat(SCALE, axis=0).repeat(SCALE, axis=1))
    draw = ImageDraw.Draw(picture)
    for names, place in ((row_names, (MARGIN // 2, MARGIN + 14)), (column_names, (MARGIN + 14, MARGIN // 2))):
        across = names is column_names
        for number, name in enumerate(names):
            x, y = place[0] + CELL * number * across, place[1] + CELL * number * (not across)
            draw.text((x * SCALE, y * SCALE), name, fill=GREY, anchor="mm", font_size=20)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
