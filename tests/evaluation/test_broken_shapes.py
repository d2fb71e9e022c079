"""Pieces, holes and specks of shapes whose numbers are known, and which digits are broken for it."""

import numpy as np
import pytest

from digit_generator.evaluation.measures.broken_shapes import Counted, broken_shapes, counted_shapes, excess


def image(*boxes, holes=()):
    """uint8 [28, 28]: ink in boxes of (top, left, height, width), background again in the holes."""
    pixels = np.zeros((28, 28), np.uint8)
    for value, parts in ((255, boxes), (0, holes)):
        for top, left, height, width in parts:
            pixels[top : top + height, left : left + width] = value
    return pixels


FRAME, INSIDE = (6, 6, 14, 14), (9, 9, 8, 8)
SHAPES = {
    "empty": (image(), (0, 0, 0)),
    "bar": (image((4, 12, 20, 3)), (1, 0, 0)),
    "two bars": (image((4, 8, 20, 3), (4, 16, 20, 3)), (2, 0, 0)),
    "ring": (image(FRAME, holes=[INSIDE]), (1, 1, 0)),
    "two rings": (image((2, 6, 11, 14), (15, 6, 11, 14), holes=[(5, 9, 5, 8), (18, 9, 5, 8)]), (2, 2, 0)),
    "open ring": (image(FRAME, holes=[INSIDE, (9, 17, 8, 3)]), (1, 0, 0)),
    "ring to the border": (image((0, 0, 28, 28), holes=[INSIDE]), (1, 1, 0)),
    "notch in the border": (image((0, 0, 28, 28), holes=[(0, 9, 20, 8)]), (1, 0, 0)),
    "bar and speck": (image((4, 12, 20, 3), (4, 22, 1, 1)), (1, 0, 1)),
    "bar and pixel of four": (image((4, 12, 20, 3), (4, 22, 2, 2)), (2, 0, 0)),
    "two boxes at a corner": (image((4, 4, 8, 8), (12, 12, 8, 8)), (1, 0, 0)),
    "ring open at a corner": (image(FRAME, holes=[INSIDE, (17, 17, 3, 3)]), (1, 1, 0)),
    "pinhole": (image(FRAME, holes=[(12, 12, 1, 1)]), (1, 0, 0)),
}
SHAPES["pinhole"][0][12, 12] = 100  # a whole black pixel is 16 of the enlarged image's, and a hole


@pytest.mark.parametrize("name", SHAPES)
def test_pieces_holes_and_specks(name):
    pixels, expected = SHAPES[name]
    assert tuple(int(counts[0]) for counts in counted_shapes(pixels[None])) == expected


def test_images_are_counted_each_for_itself_in_any_number(monkeypatch):
    pixels = np.stack([pixels for pixels, _ in SHAPES.values()] * 3)
    expected = np.array([counts for _, counts in SHAPES.values()] * 3)
    monkeypatch.setattr("digit_generator.evaluation.measures.broken_shapes._CHUNK", 4)
    assert (np.stack(counted_shapes(pixels), axis=1) == expected).all()


@pytest.fixture
def real(draw):
    digits = draw(600, 1)
    return counted_shapes(digits.pixels), digits.labels


def test_digits_as_the_real_ones_are_whole_and_shuffled_labels_break_them(real, draw):
    digits = draw(300, 2)
    counted = counted_shapes(digits.pixels)
    sound = broken_shapes(counted, digits.labels, *real)
    shuffled = broken_shapes(counted, np.random.RandomState(0).permutation(digits.labels), *real)
    assert sound["share"] < 0.05
    assert shuffled["share"] > sound["share"] + 0.1
    assert sound["images"] == 300


def test_a_speck_breaks_and_so_does_a_cut(real, draw):
    digits = draw(100, 3)
    sound = broken_shapes(counted_shapes(digits.pixels), digits.labels, *real)
    with_speck, cut = digits.pixels.copy(), digits.pixels.copy()
    with_speck[:, 0, 0] = 255
    cut[:, 13:15] = 0
    assert broken_shapes(counted_shapes(with_speck), digits.labels, *real)["share"] == 1
    assert broken_shapes(counted_shapes(cut), digits.labels, *real)["share"] > sound["share"] + 0.5


def test_a_pair_is_usual_from_one_in_a_hundred_on():
    labels = np.full(100, 8)
    real = Counted(np.array([1] * 98 + [2, 3]), np.array([2] * 98 + [0, 0]), np.zeros(100, int))
    two = Counted(np.array([2, 9]), np.array([0, 0]), np.zeros(2, int))
    figures = broken_shapes(two, labels[:2], real, labels)
    assert (figures["share"], figures["per_digit"][8], figures["per_digit"][0]) == (0.5, 0.5, None)
    more = Counted(*(np.concatenate([counts, counts[:98], counts[:1]]) for counts in real))
    assert broken_shapes(two, labels[:2], more, np.full(199, 8))["share"] == 1  # 1 in 199 is too few


def test_gaps_that_come_too_often_are_too_many():
    def digits(*kinds):
        """(how many, digit, pieces, holes) -> counts and labels."""
        number, labels, pieces, holes = (np.array(column) for column in zip(*kinds, strict=True))
        counted = (np.repeat(counts, number) for counts in (pieces, holes, 0 * pieces))
        return Counted(*counted), np.repeat(labels, number)

    real = digits((95, 4, 1, 0), (2, 4, 2, 0), (3, 4, 1, 1), (50, 7, 1, 0), (50, 7, 2, 0))
    # Of the 4s, 8 % are drawn with a gap instead of 2 %, and 2 % in three pieces; fewer 7s have a gap.
    drawn = digits((172, 4, 1, 0), (16, 4, 2, 0), (8, 4, 1, 1), (4, 4, 3, 0), (9, 7, 1, 0), (1, 7, 2, 0))
    expected = [(172, 0), (16, 1 - 2 / 8), (8, 1 - 3 / 4), (4, 1), (9, 1 - 5 / 9), (1, 0)]
    assert excess(*drawn, *real) == pytest.approx(
        [share for number, share in expected for _ in range(number)]
    )
    assert not excess(*real, *real).any()
