"""MNIST's scan rule: figures worked out by hand, and what must not change a picture."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt
import pytest

from digit_generator import finish
from digit_generator.finish import edged_pixels, finished_pixels

Pixels = npt.NDArray[np.uint8]

# Recorded from VERSION 3: whoever changes a finished picture counts the version up.
RECORDED_SHA256 = "54578b158576a2e4b24c7f8154c18bf0d7f480442d2b73c4c1d1f87012fdd9e4"


def strokes(count: int) -> tuple[Pixels, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bent strokes with soft edges, in whole numbers alone, and their labels and seeds."""
    y, x = np.mgrid[:28, :28].astype(np.int64)
    pixels = np.empty((count, 28, 28), np.uint8)
    for i in range(count):
        bend, lean, thick = i % 4, i % 5 - 2, 1 + i % 3
        middle = 140 + 3 * lean * (y - 14) + bend * ((y - 14) ** 2 - 40) // 4  # tenths of a pixel
        ink = (10 * thick + 5 - np.abs(10 * x - middle)) * 255 // 10
        pixels[i] = np.where((y > 3) & (y < 24), ink.clip(0, 255), 0)
    return pixels, np.arange(count) % 10, np.arange(count) * 1000


def test_a_finished_picture_is_what_it_was() -> None:
    raw, labels, seeds = strokes(60)
    digest = hashlib.sha256(finished_pixels(raw, labels, seeds).tobytes())
    digest.update(edged_pixels(raw, labels, seeds).tobytes())
    assert (finish.VERSION, digest.hexdigest()) == (3, RECORDED_SHA256)


def test_batch_and_order_change_nothing() -> None:
    raw, labels, seeds = strokes(40)
    for draw in (finished_pixels, edged_pixels):
        together = draw(raw, labels, seeds)
        one_by_one = [draw(raw[i : i + 1], labels[i : i + 1], seeds[i : i + 1])[0] for i in range(40)]
        np.testing.assert_array_equal(together, one_by_one)
        np.testing.assert_array_equal(together, draw(raw[::-1], labels[::-1], seeds[::-1])[::-1])


def test_chance_follows_from_seed_and_digit() -> None:
    raw = np.repeat(strokes(1)[0], 30, axis=0)
    zeros = np.zeros(30, np.int64)
    by_seed = finished_pixels(raw, zeros, np.arange(30))
    by_digit = finished_pixels(raw[:10], np.arange(10), zeros[:10])
    assert len(np.unique(by_seed, axis=0)) == 30
    assert len(np.unique(by_digit, axis=0)) == 10
    np.testing.assert_array_equal(by_seed[0], by_digit[0])


def test_a_finished_digit_has_mnists_box_and_centre() -> None:
    finished = finished_pixels(*strokes(60)).astype(np.float64)
    for picture in finished:
        rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) == 19
        for ink in (picture.sum(axis=0), picture.sum(axis=1)):
            assert 13.5 <= ink @ np.arange(28) / ink.sum() <= 14.5
        assert picture.max() in (254, 255)


def test_an_edged_digit_stays_where_it_is() -> None:
    raw, labels, seeds = strokes(60)
    edged = edged_pixels(raw, labels, seeds)
    for axis in (1, 2):
        before, after = (
            pixels.sum(axis=axis) @ np.arange(28) / pixels.sum(axis=(1, 2)) for pixels in (raw / 1, edged / 1)
        )
        np.testing.assert_allclose(before, after, atol=0.4)
        assert np.abs(before - after).mean() < 0.1
    assert 0.9 < edged.mean() / raw.mean() < 1.1


def test_images_of_one_size_and_of_several_are_finished_alike() -> None:
    """A size that many images have is finished by itself, the others with their neighbours."""
    raw = np.repeat(strokes(60)[0], 20, axis=0)
    labels, seeds = np.zeros(1200, np.int64), np.arange(1200)
    sizes = finish.scan_sizes(raw, finish.chance_of(labels, seeds))
    batches = [*finish._by_size(sizes)]
    assert {1} < {len(np.unique(sizes[batch])) for batch in batches}
    assert sorted(np.concatenate(batches).tolist()) == [*range(1200)]
    some = np.arange(0, 1200, 7)
    np.testing.assert_array_equal(
        finished_pixels(raw, labels, seeds)[some], finished_pixels(raw[some], labels[some], seeds[some])
    )


def test_no_ink_stays_no_ink() -> None:
    raw = np.zeros((3, 28, 28), np.uint8)
    raw[1] = 60  # faint everywhere: below half of the ink
    raw[2, 10, 10] = 255  # ink for one pixel
    finished = finished_pixels(raw, np.array([1, 2, 3]), np.array([1, 2, 3]))
    assert not finished[:2].any()
    assert finished[2].any()


@pytest.mark.parametrize(("height", "stays"), [(2, False), (3, False), (5, True), (9, True)])
def test_specks_go_and_large_pieces_stay(height: int, stays: bool) -> None:
    """Beside a stroke of 100 pixels: 4 and 6 pixels go, 10 and 18 stay."""
    raw = np.zeros((20, 28, 28), np.uint8)
    raw[:, 4:24, 9:14] = 255
    raw[:, 6 : 6 + height, 20:22] = 255
    for scan in finish.scans(raw, np.full(20, 3), np.arange(20)):
        assert scan[:, len(scan) * 17 // 28 :].any() == stays


def test_pieces_that_touch_at_a_corner_are_one() -> None:
    scan = np.zeros((2, 13, 13), bool)  # the last row and column are the gap to what comes next
    scan[0, 2:8, 2:8] = True
    scan[0, 8, 8] = True  # at its corner
    scan[1, 2:8, 2:8] = True
    scan[1, 9, 9] = True  # one pixel further away
    scan[1, 0, 11] = True  # at the very border: the next row's first pixel is no neighbour
    finish._drop_small_pieces(scan)
    assert scan[0, 8, 8]
    assert scan[1].sum() == 36


def test_runs_by_hand() -> None:
    """Also at the first and last pixels: the next row and the next scan go on without a gap."""
    first = [[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]]
    second = [[1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1]]
    runs = finish.labelled_runs(np.array([first, second], bool))
    assert runs.image.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert runs.row.tolist() == [0, 0, 2, 2, 0, 0, 1, 2]
    assert runs.start.tolist() == [0, 3, 1, 3, 0, 2, 1, 3]
    assert runs.end.tolist() == [2, 4, 2, 4, 1, 4, 2, 4]
    assert runs.piece.tolist() == [0, 1, 2, 3, 4, 4, 4, 7]


def test_a_u_and_a_spiral_are_one_piece() -> None:
    """Runs that meet only far below or at the end of a long way."""
    scan = np.zeros((2, 15, 15), bool)
    scan[0, 1:14, 2] = scan[0, 1:14, 12] = scan[0, 13, 2:13] = True
    for ring, (low, high) in enumerate([(1, 13), (3, 11), (5, 9)]):
        scan[1, low, low : high + 1] = scan[1, high, low : high + 1] = True
        scan[1, low : high + 1, high] = True
        scan[1, low + 2 : high + 1, low] = True
        if ring < 2:
            scan[1, low + 2, low : low + 3] = True
    before = scan.copy()
    finish._drop_small_pieces(scan)
    np.testing.assert_array_equal(scan, before)


@pytest.mark.parametrize(
    ("number", "mixed"), [(0, 0), (1, 0x514E28B7), (2, 0x30F4C306), (0xFFFFFFFF, 0x81F16F39)]
)
def test_the_hash_is_the_finaliser_of_murmurhash3(number: int, mixed: int) -> None:
    assert finish.hashed(np.array([number], np.uint32))[0] == mixed


def test_averages_by_hand() -> None:
    """A scan of 48: 240 units a box pixel, 100 a scan pixel. The third lies across the first border, 40 units
    before it, and is taken 99 wide."""
    averages = finish.averages(48)
    assert averages[0, :3].tolist() == [100, 100, 40]
    assert averages[1, 2:5].tolist() == [59, 100, 80]
    np.testing.assert_array_equal(finish.averages(20), 100 * np.eye(20))
    assert finish.averages(10)[:2, 0].tolist() == [50, 49]  # enlarged: one scan pixel over two of the box


def test_the_enlargement_by_hand() -> None:
    """56 pixels from 28, each a quarter of a pixel from a centre: t = 1/4, 3/4, 5/4, 7/4 by Keys' cubic."""
    weights = finish.enlargement(56)
    expected = [math.floor(64 * cubic + 0.5) for cubic in (0.87890625, 0.26171875, -0.10546875, -0.03515625)]
    assert weights[21, [10, 11, 9, 12]].tolist() == expected
    for size in range(min(map(min, finish.SCAN_SIZES)), max(map(max, finish.SCAN_SIZES)) + 1):
        table = finish.enlargement(size)
        assert (np.abs(table[size // 12 : -(size // 12)].sum(axis=1) - 64) <= 2).all()
        brightest = finish._GIVEN_BACK * 255 + 255  # all of the ink is given back
        assert brightest * np.abs(table).sum(axis=1).max() ** 2 < 2**24  # what float32 holds exactly


def test_the_scan_size_follows_the_stroke() -> None:
    thin, thick = np.zeros((2, 200, 28, 28), np.uint8)
    thin[:, 4:24, 13:15] = 255
    thick[:, 4:24, 9:19] = 255
    chance = finish.chance_of(np.zeros(200, np.int64), np.arange(200))
    sizes = [finish.scan_sizes(raw, chance) for raw in (thin, thick)]
    for found, row in zip(sizes, (finish.SCAN_SIZES[0], finish.SCAN_SIZES[-1]), strict=True):
        assert row[0] <= found.min() < row[1]
        assert row[-2] < found.max() <= row[-1]
        assert abs(np.median(found) - row[8]) <= 3
        assert len(np.unique(found)) > len(row)  # between the numbers of the row, too


@pytest.mark.parametrize(
    ("side", "levels"),
    [(40, {64, 128, 191, 255}), (60, {29, 57, 86, 114, 141, 170, 198, 226, 255})],
)
def test_a_scan_of_whole_pixels_has_mnists_few_levels(side: int, levels: set[int]) -> None:
    """In 1,002 of the first 30,000 training images the first levels are all that there are, in 500 the
    second: quarters and ninths of 255, truncated towards the middle grey."""
    scan = np.random.RandomState(0).rand(8, 96, 96) < 0.6
    scan[:, :20] = scan[:, 20 + side :] = False
    scan[:, :, :30] = scan[:, :, 30 + side :] = False
    scan[:, 20 : 20 + side, 30 : 30 + side : side - 1] = True
    scan[:, 20 : 20 + side // 10, 50:58] = True  # a pixel of ink alone
    boxed = finish.boxed_pixels(scan, np.arange(8, dtype=np.uint32))
    assert {*np.unique(boxed[boxed > 0]).tolist()} == levels


def test_the_cut_gives_back_a_quarter_of_what_it_took() -> None:
    """Bars whose soft edges the cut alone would move: a second cut brings the ink nearer to the picture's."""
    raw, labels, seeds = strokes(60)
    raw = (raw.astype(np.int64) * 3 // 5).astype(np.uint8)  # greys of 153 at most: the cut alone adds ink
    chance = finish.chance_of(labels, seeds)
    sizes = np.full(60, 56)
    enlarge = np.pad(finish.enlargement(56), ((0, 1), (0, 0)))
    once = finish._cut(4 * enlarge @ raw.astype(np.float32) @ enlarge.T, sizes, chance)
    off = [
        np.abs(finish._in_place(scan, sizes) - raw).mean()
        for scan in (once, finish._scan(raw, sizes, chance))
    ]
    assert off[1] < off[0]


def test_equal_pixels_are_mostly_254_beside_the_brightest() -> None:
    raw = np.zeros((400, 28, 28), np.uint8)
    raw[:, 4:24, 6:22] = 255
    finished = finished_pixels(raw, np.zeros(400, np.int64), np.arange(400))
    white, almost = ((finished == level).sum(axis=(1, 2)) for level in (255, 254))
    even = white > 4  # the scan's pixels fit into the box: all sums are exact
    assert even.any()
    assert (almost[even] == 0).all()
    shares = np.bincount(white[~even], minlength=5) / (~even).sum()
    expected = np.bincount(finish.KEPT_WHITE, minlength=5) / len(finish.KEPT_WHITE)
    np.testing.assert_allclose(shares, expected, atol=0.08)
