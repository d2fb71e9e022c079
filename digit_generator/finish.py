"""Finish: from the network's grey image to pixels made by MNIST's own scan rule, in whole numbers alone.

MNIST's digits were black-and-white scans. Its greys come from one rule (LeCun et al. 1998, section III-A;
reconstructed by Yadav and Bottou 2019, "Cold case: the lost MNIST digits", arXiv:1905.10498): the bilevel
digit is cropped to its ink, averaged by area into 20x20, and placed in 28x28 by its centre of mass. No smooth
network draws the lattice of levels that this leaves, so the network gives the shape and the rule the greys:

1. scan: the image is enlarged (cubic convolution, Keys 1981, a = -3/4) to 35 to 94 pixels a side and cut at
   half of the ink. A quarter of what the cut took from or added to each pixel of the image is given back
   (back-projection, Irani and Peleg 1991), and the cut made again, at each pixel a little higher or lower by
   chance: the outline is as rough as a scan's;
2. pieces much smaller than the largest are dropped;
3. the box: crop, area average into 20x20, centre of mass (`finished_pixels`); or
   the edge: area average into 28x28, in place (`edged_pixels`), for what may not jump by a pixel.

All of it is computed in whole numbers, which float32 products below 2^24 hold exactly, so that batch, order,
threads and processor change nothing. Chance is a hash of (seed, digit, place).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

VERSION = 3
"""Counted up when a finished picture changes; recipes hold it, 0 stands for the network's own pixels."""

# Pixels of a scan's side, which spans the image's 28: a row for each class of stroke, thin to thick. Chance
# chooses a place in the row, between two of its numbers. Thin strokes come from large scans. Fitted on
# training images: see docs/decisions.md.
SCAN_SIZES = (
    (42, 50, 52, 53, 55, 60, 71, 73, 74, 76, 78, 84, 86, 88, 90, 91, 94),
    (41, 51, 53, 55, 57, 59, 61, 63, 68, 70, 71, 73, 74, 75, 78, 85, 92),
    (41, 48, 51, 54, 57, 58, 60, 62, 65, 66, 68, 69, 71, 72, 75, 89, 94),
    (41, 45, 48, 49, 51, 53, 54, 56, 58, 59, 60, 62, 63, 68, 74, 79, 91),
    (35, 39, 43, 46, 48, 50, 52, 54, 55, 56, 57, 58, 60, 61, 62, 64, 69),
)
# A digit is in the first class whose bound its ink over its edge, in thousandths, does not exceed: the fifths
# of MNIST's training digits.
STROKE_BOUNDS = (571, 648, 718, 820)
ROUGHNESS = 10  # what chance, -32768 ... 32767, counts in the field: 0.045 of the ink, root mean square
SMALLEST_PIECE = 8  # percent of the largest piece's area; smaller ones are dropped
# How many of the pixels as bright as the brightest stay 255 and do not become 254: chance takes one of these.
KEPT_WHITE = (0, 1, 1, 1, 1, 1, 2, 2, 3, 4)

_UNIT = 64  # a cubic weight of 1
_GIVEN_BACK = 4  # one part in so many of what the cut took is given back
_HALF = _GIVEN_BACK * 255 * _UNIT * _UNIT // 2  # half of the ink, in the field's unit
_BOX, _SIDE = 20, 28
_SMALLEST_CROP = 10  # scan pixels: no smaller square is enlarged to 20x20
_FINEST = 96  # pixels of a scan's side, at least, for what is drawn at another size
_ENLARGED = 2**22  # pixels of such scans at a time
_CHUNK = 2048  # images finished at a time: 30 MB of working memory, and no faster with more

Pixels = npt.NDArray[np.uint8]
_Float32 = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


def finished_pixels(raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer]) -> Pixels:
    """The network's pixels -> MNIST's kind: uint8 [B, 28, 28] each, 0 background ... 255 ink.

    labels, int [B], 0...9, and seeds, int [B], 0...2^32-1, decide only by chance how large the scan is and
    how its outline runs. A digit without ink stays empty.
    """
    return _in_chunks(raw, labels, seeds, in_box=True)


def edged_pixels(raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer]) -> Pixels:
    """As `finished_pixels`, but every stroke stays where it is: no crop, no move to the centre of mass."""
    return _in_chunks(raw, labels, seeds, in_box=False)


def enlarged_pixels(
    raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer], side: int
) -> Pixels:
    """As `edged_pixels`, but drawn `side` pixels high and wide from the shape: uint8 [B, side, side].

    The scan is a whole number of times as large, at least three times, and averaged by area.
    """
    times = max(3, -(-_FINEST // side))
    finished = np.zeros((len(raw), side, side), np.uint8)
    chance = chance_of(labels, seeds)
    together = max(1, _ENLARGED // (side * times) ** 2)
    for start in range(0, len(raw), together):
        part = slice(start, start + together)
        scan = _scan(raw[part], side * times, chance[part])
        cover = scan.reshape(-1, side, times, side, times).sum(axis=(2, 4), dtype=np.int64)
        finished[part] = 255 * cover // times**2
    return finished


def scans(raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer]) -> list[_Bools]:
    """The black-and-white scan of each digit, bool [size, size], True for ink."""
    found: list[_Bools] = [np.zeros((0, 0), np.bool_)] * len(raw)
    chance = chance_of(labels, seeds)
    sizes = scan_sizes(raw, chance)
    for size in np.unique(sizes):
        part = np.flatnonzero(sizes == size)
        for index, scan in zip(part, _scan(raw[part], int(size), chance[part]), strict=True):
            found[index] = scan
    return found


def chance_of(labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer]) -> npt.NDArray[np.uint32]:
    """The number, uint32 [B], from which all chance of an image follows."""
    return hashed(hashed(seeds.astype(np.uint32)) ^ (labels.astype(np.uint32) + np.uint32(1)))


def hashed(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """uint32 -> uint32, each bit of the result as good as a coin (MurmurHash3's finaliser, Appleby 2011)."""
    mixed = numbers ^ (numbers >> np.uint32(16))
    mixed = mixed * np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def scan_sizes(raw: Pixels, chance: npt.NDArray[np.uint32]) -> _Ints:
    """How large the scan of each image is: int [B]. Stroke thickness chooses a row of SCAN_SIZES, chance a
    place in it."""
    ink = raw.sum(axis=(1, 2), dtype=np.int64)
    wide = np.pad(raw, ((0, 0), (1, 1), (1, 1))).astype(np.int16)
    edge = np.abs(wide[:, 1:, 1:] - wide[:, :-1, :-1]).sum(axis=(1, 2), dtype=np.int64)
    edge += np.abs(wide[:, :-1, 1:] - wide[:, 1:, :-1]).sum(axis=(1, 2), dtype=np.int64)
    thicker = [1000 * ink > bound * edge for bound in STROKE_BOUNDS]
    row, table = np.sum(thicker, axis=0), np.array(SCAN_SIZES)
    column, part = chance % np.uint32(16), chance // np.uint32(16) % np.uint32(16)
    before, after = table[row, column], table[row, column + np.uint32(1)]
    sizes: _Ints = before + (part * (after - before) + 8) // 16
    return sizes


def _in_chunks(
    raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer], *, in_box: bool
) -> Pixels:
    finished = np.zeros_like(raw)
    for start in range(0, len(raw), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        chance = chance_of(labels[chunk], seeds[chunk])
        sizes = scan_sizes(raw[chunk], chance)
        for size in np.unique(sizes):
            part = np.flatnonzero(sizes == size)
            scan = _scan(raw[chunk][part], int(size), chance[part])
            greys = boxed_pixels(scan, chance[part]) if in_box else _in_place(scan)
            finished[start + part] = greys
    return finished


# From the image to the scan


def _scan(raw: Pixels, size: int, chance: npt.NDArray[np.uint32]) -> _Bools:
    """The bilevel scan without small pieces, bool [B, size, size]."""
    image = raw.astype(np.float32)
    enlarge = enlargement(size)
    wanted = image * np.float32(_GIVEN_BACK)
    taken = image - _in_place(_cut(enlarge @ wanted @ enlarge.T, chance))
    scan = _cut(enlarge @ (wanted + taken) @ enlarge.T, chance)
    _drop_small_pieces(scan)
    return scan


def _cut(field: _Float32, chance: npt.NDArray[np.uint32]) -> _Bools:
    """Where the field, whole numbers [B, size, size], is over half of the ink, by chance a little more or
    less."""
    cut = field > _HALF
    # Only where chance could turn it is it asked for.
    near = np.flatnonzero(np.abs(field - _HALF) <= ROUGHNESS * 32768)
    image, place = np.divmod(near, field[0].size)
    luck = hashed(chance[image] + place.astype(np.uint32)) & np.uint32(0xFFFF)
    rough = field.reshape(-1)[near] + ROUGHNESS * (luck.astype(np.float32) - 32768)
    cut.reshape(-1)[near] = rough > _HALF
    return cut


@lru_cache(maxsize=64)
def enlargement(size: int) -> _Float32:
    """Cubic convolution from 28 to `size` pixels: whole numbers, float32 [size, 28], rows of sum 64 or so.

    Keys 1981, equation 15 with a = -3/4, at r / (2 size) pixels from a pixel's centre:
    (5 t^3 - 9 t^2 + 4) / 4 up to 1, (-3 t^3 + 15 t^2 - 24 t + 12) / 4 up to 2.
    """
    unit = 2 * size  # one image pixel
    weights = np.zeros((size, _SIDE), np.int64)
    for row in range(size):
        centre = (2 * row + 1) * _SIDE - size  # of the scan's pixel, from the first image pixel's centre
        for column in range(_SIDE):
            r = abs(centre - column * unit)
            if r <= unit:
                cubic = 5 * r**3 - 9 * r**2 * unit + 4 * unit**3
            elif r < 2 * unit:
                cubic = -3 * r**3 + 15 * r**2 * unit - 24 * r * unit**2 + 12 * unit**3
            else:
                continue
            weights[row, column] = (cubic * _UNIT // 2 + unit**3) // (2 * unit**3)
    return weights.astype(np.float32)


class Runs(NamedTuple):
    """The runs (unbroken rows of ink) of scans: int [R] each, image by image, row by row, left to right."""

    image: _Ints
    row: _Ints
    start: _Ints  # the first column
    end: _Ints  # the first column after it
    piece: _Ints  # the number of the first run of its piece; runs of one piece (8-connected) have the same


def labelled_runs(scans: _Bools) -> Runs:
    """bool [B, H, W], True for ink -> the runs, each with its piece.

    Two runs of neighbouring rows that touch, also at a corner, are one piece. Time grows with the number of
    pixels.
    """
    _, height, width = scans.shape
    line = width + 2  # with a gap, so that no run touches one across the border
    padded = np.zeros((len(scans), height + 2, line), np.int8)
    padded[:, 1:-1, 1:-1] = scans
    change = np.diff(padded.reshape(-1), prepend=np.int8(0))
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    first = np.searchsorted(
        ends, starts - line, "left"
    )  # of the row above, the first that ends here or later
    after = np.searchsorted(starts, ends - line, "right")
    touching = np.maximum(after - first, 0)
    below = np.repeat(np.arange(len(starts)), touching)
    above = np.arange(len(below)) - np.repeat(np.cumsum(touching) - touching, touching) + first[below]
    piece = np.arange(len(starts))
    while True:  # each run takes the lowest number that it can reach
        lowest = np.minimum(piece[below], piece[above])
        joined = piece.copy()
        np.minimum.at(joined, piece[below], lowest)
        np.minimum.at(joined, piece[above], lowest)
        joined = joined[joined]
        if (joined == piece).all():
            break
        piece = joined
    image, place = np.divmod(starts, (height + 2) * line)
    row, column = np.divmod(place, line)
    return Runs(image, row - 1, column - 1, column - 1 + ends - starts, piece)


def _drop_small_pieces(scan: _Bools) -> None:
    """Erase, in place, of each [B, size, size] the pieces (8-connected) much smaller than its largest one."""
    runs = labelled_runs(scan)
    lengths = runs.end - runs.start
    area = np.bincount(runs.piece, weights=lengths, minlength=len(lengths))[runs.piece]
    largest = np.zeros(len(scan))
    np.maximum.at(largest, runs.image, area)
    for run in np.flatnonzero(100 * area < SMALLEST_PIECE * largest[runs.image]):
        scan[runs.image[run], runs.row[run], runs.start[run] : runs.end[run]] = False


# From the scan to pixels


def boxed_pixels(scan: _Bools, chance: npt.NDArray[np.uint32]) -> Pixels:
    """Scans -> pixels, uint8 [B, 28, 28], by MNIST's rule: crop to a square, area average into 20x20,
    brightest to 255, centre of mass.

    scan is bool [B, size, size], True for ink, which is 96 pixels high and wide at most; one without ink
    stays empty. chance, uint32 [B], decides which of the brightest pixels are 254.
    """
    count, size, _ = scan.shape
    finished = np.zeros((count, _SIDE, _SIDE), np.uint8)
    rows: _Bools = np.asarray(scan.any(axis=2))  # [B, size]
    columns: _Bools = np.asarray(scan.any(axis=1))
    top, left = rows.argmax(axis=1), columns.argmax(axis=1)
    height = size - rows[:, ::-1].argmax(axis=1) - top
    width = size - columns[:, ::-1].argmax(axis=1) - left
    side = np.maximum(np.maximum(height, width), _SMALLEST_CROP)
    down = _placed_averages(top - (side - height) // 2, side, size)
    across = _placed_averages(left - (side - width) // 2, side, size)
    cover = down @ scan.astype(np.float32) @ across.transpose(0, 2, 1)  # [B, 20, 20], 0 ... (5 side)^2
    brightest = np.minimum(25 * side**2, cover.max(axis=(1, 2)).astype(np.int64))
    inked = np.flatnonzero(brightest)
    brightest = brightest[inked, None, None]
    ink = cover[inked].astype(np.int64)
    levels = 255 * ink // brightest
    levels += (ink > 0) & (2 * ink <= brightest)  # truncated towards the middle grey, as MNIST's are
    np.minimum(levels, 255, out=levels)
    uneven = side[inked] % _BOX != 0
    levels[uneven] = _dimmed(levels[uneven], chance[inked][uneven])
    mass = levels.sum(axis=(1, 2))
    middle = np.arange(_BOX)
    down_by = (29 * mass - 2 * (levels.sum(axis=2) @ middle)) // (2 * mass)  # floor(14.5 - centre of mass)
    right_by = (29 * mass - 2 * (levels.sum(axis=1) @ middle)) // (2 * mass)
    for index, grey, y, x in zip(inked, levels, down_by.clip(0, 8), right_by.clip(0, 8), strict=True):
        finished[index, y : y + _BOX, x : x + _BOX] = grey
    return finished


def _dimmed(levels: _Ints, chance: npt.NDArray[np.uint32]) -> _Ints:
    """levels [B, 20, 20], with all but KEPT_WHITE of the pixels of 255 at 254.

    MNIST's sums were of 32 bits, whose last ones made equal pixels unequal, unless a pixel of the box is a
    whole number of scan pixels wide. So in most images the brightest alone is 255.
    """
    flat = levels.reshape(len(levels), _BOX * _BOX).copy()
    image, place = np.nonzero(flat == 255)
    luck = hashed(chance[image] ^ (place.astype(np.uint32) + np.uint32(0x10000)))
    order = np.lexsort((luck, image))
    rank = np.arange(len(image)) - np.searchsorted(image, image)  # image is in order, sorted or not
    kept = np.array(KEPT_WHITE)[chance[image] // np.uint32(256) % np.uint32(len(KEPT_WHITE))]
    dimmed = order[rank >= kept]
    flat[image[dimmed], place[dimmed]] = 254
    return flat.reshape(levels.shape)


def _placed_averages(start: _Ints, side: _Ints, size: int) -> _Float32:
    """The averages of a square of `side` scan pixels from `start` on: float32 [B, 20, size]."""
    table = _all_averages()  # [sides, 20, longest], padded by zeros
    place = np.arange(size) - start[:, None]  # [B, size], in the square
    inside = (place >= 0) & (place < side[:, None])
    taken = table[side[:, None], :, np.where(inside, place, table.shape[2] - 1)]  # [B, size, 20]
    placed: _Float32 = taken.transpose(0, 2, 1)
    return placed


@lru_cache(maxsize=1)
def _all_averages() -> _Float32:
    longest = max(map(max, SCAN_SIZES)) + 1
    table = np.zeros((longest, _BOX, longest), np.float32)
    for side in range(_SMALLEST_CROP, longest):
        table[side, :, :side] = averages(side)
    return table


def averages(side: int) -> _Float32:
    """From `side` scan pixels to 20: what each covers of each, whole numbers, float32 [20, side].

    A pixel of the box is 5 * side units, one of the scan 100. One that lies across a border is taken 99 wide,
    and one within a border is whole: MNIST's rule has this flaw, which shows as faint streaks.
    """
    cover = np.zeros((_BOX, side), np.float32)
    unit = 5 * side
    for pixel in range(side):
        start, end = 100 * pixel, 100 * pixel + 99
        first, last = start // unit, -(-end // unit) - 1
        if first == last:
            cover[first, pixel] = 100
        else:
            cover[first, pixel] = unit * (first + 1) - start
            cover[first + 1 : last, pixel] = unit
            cover[last, pixel] = end - unit * last
    return cover


def _in_place(scan: _Bools) -> Pixels:
    """Area average into 28x28: an image pixel is `size` units wide, one of the scan 28."""
    size = scan.shape[1]
    average = _averages_in_place(size)
    cover = average @ scan.astype(np.float32) @ average.T  # [B, 28, 28], 0 ... size^2
    levels: Pixels = (255 * cover.astype(np.int64) // size**2).astype(np.uint8)
    return levels


@lru_cache(maxsize=64)
def _averages_in_place(size: int) -> _Float32:
    image, scan = np.arange(_SIDE)[:, None], np.arange(size)[None, :]
    over = np.minimum((image + 1) * size, (scan + 1) * _SIDE) - np.maximum(image * size, scan * _SIDE)
    inside: _Float32 = np.maximum(over, 0).astype(np.float32)
    return inside
