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

All of it is computed in whole numbers, which float32 products below 2^24 hold exactly, and float64 quotients
of such numbers, rounded down, too. So batch, order, threads and processor change nothing. Chance is a hash of
(seed, digit, place).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
_ENOUGH = 16  # images of one size, for which those of others are not needed
_TOGETHER = 64  # images finished at a time, of about one size: what they need stays in the processor's cache

Pixels = npt.NDArray[np.uint8]
_Float32 = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


def finished_pixels(raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer]) -> Pixels:
    """The network's pixels -> MNIST's kind: uint8 [B, 28, 28] each, 0 background ... 255 ink.

    labels, int [B], 0...9, and seeds, int [B], 0...2^32-1, decide only by chance how large the scan is and
    how its outline runs. A digit without ink stays empty.
    """
    return _finished(raw, labels, seeds, in_box=True)


def edged_pixels(raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer]) -> Pixels:
    """As `finished_pixels`, but every stroke stays where it is: no crop, no move to the centre of mass."""
    return _finished(raw, labels, seeds, in_box=False)


def enlarged_pixels(
    raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer], side: int
) -> Pixels:
    """As `edged_pixels`, but drawn `side` pixels high and wide from the shape: uint8 [B, side, side].

    The scan is a whole number of times as large, at least three times, and averaged by area.
    """
    times = max(3, -(-_FINEST // side))
    size = side * times
    finished = np.zeros((len(raw), side, side), np.uint8)
    chance = chance_of(labels, seeds)
    together = max(1, _ENLARGED // size**2)
    for start in range(0, len(raw), together):
        part = slice(start, start + together)
        scan = _scan(raw[part], np.full(len(raw[part]), size), chance[part])[:, :size, :size]
        cover = scan.reshape(-1, side, times, side, times).sum(axis=(2, 4), dtype=np.int64)
        finished[part] = 255 * cover // times**2
    return finished


def scans(raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer]) -> list[_Bools]:
    """The black-and-white scan of each digit, bool [size, size], True for ink."""
    found: list[_Bools] = [np.zeros((0, 0), np.bool_)] * len(raw)
    chance = chance_of(labels, seeds)
    sizes = scan_sizes(raw, chance)
    for part in _by_size(sizes):
        scan = _scan(raw[part], sizes[part], chance[part])
        for index, size, each in zip(part.tolist(), sizes[part].tolist(), scan, strict=True):
            found[index] = each[:size, :size].copy()
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
    line = _SIDE + 2  # with a border of background, so that a step beyond a row's end meets background alone
    wide = np.zeros((len(raw), line, line), np.float32)
    wide[:, 1:-1, 1:-1] = raw
    flat = wide.reshape(len(raw), line * line)
    ink = flat.sum(axis=1)  # float32 holds these sums exactly
    edge = np.abs(flat[:, line + 1 :] - flat[:, : -line - 1]).sum(axis=1)
    edge += np.abs(flat[:, line - 1 :] - flat[:, : 1 - line]).sum(axis=1)
    thicker = 1000.0 * ink[:, None] > np.array(STROKE_BOUNDS, np.float64) * edge[:, None]
    sizes: _Ints = _size_table()[thicker.sum(axis=1), chance % np.uint32(256)]
    return sizes


@lru_cache(maxsize=1)
def _size_table() -> _Ints:
    """The size for each row of SCAN_SIZES and the last eight bits of chance: int [5, 256].

    Four bits choose two neighbours in the row, and four more a place between them.
    """
    table, bits = np.array(SCAN_SIZES), np.arange(256)
    before, after = table[:, bits % 16], table[:, bits % 16 + 1]
    sizes: _Ints = before + (bits // 16 * (after - before) + 8) // 16
    return sizes


def _by_size(sizes: _Ints) -> Iterator[npt.NDArray[np.intp]]:
    """The numbers of the images, some at a time: of one size, or of neighbouring sizes where one has few."""
    order = np.argsort(sizes, kind="stable")
    start = 0
    while start < len(order):
        end = start + _TOGETHER
        ordered = sizes[order[start:end]]
        same = int(np.searchsorted(ordered, ordered[0], "right"))
        if same >= _ENOUGH:
            end = start + same
        yield order[start:end]
        start = end


def _finished(
    raw: Pixels, labels: npt.NDArray[np.integer], seeds: npt.NDArray[np.integer], *, in_box: bool
) -> Pixels:
    finished = np.empty_like(raw)
    chance = chance_of(labels, seeds)
    sizes = scan_sizes(raw, chance)
    for part in _by_size(sizes):
        scan = _scan(raw[part], sizes[part], chance[part])
        finished[part] = boxed_pixels(scan, chance[part]) if in_box else _in_place(scan, sizes[part])
    return finished


# From the image to the scan


# The scans of a batch differ in size. They lie at the top left of squares that are one pixel larger than the
# largest of them, [B, P, P], without ink beyond their own size: so the last row and column of each are empty.


def _scan(raw: Pixels, sizes: _Ints, chance: npt.NDArray[np.uint32]) -> _Bools:
    """The bilevel scans without small pieces, bool [B, P, P], for sizes, int [B]."""
    image = raw.astype(np.float32)
    across = np.ascontiguousarray(_tables(enlargement, sizes).transpose(0, 2, 1))  # [B, 28, P]
    down = across.transpose(0, 2, 1)

    def cut(image: _Float32) -> _Bools:
        return _cut(down @ (image @ across), sizes, chance)

    wanted = image * np.float32(_GIVEN_BACK)
    taken = np.subtract(image, _in_place(cut(wanted), sizes))
    scan = cut(wanted + taken)
    _drop_small_pieces(scan)
    return scan


def _tables(table_of: Callable[[int], _Float32], sizes: _Ints) -> _Float32:
    """A table [size, 28] for each of the sizes, zeros below it: float32 [B, P, 28], or [1, P, 28] for all
    where they are equal."""
    largest = int(sizes.max())
    each = [largest] if sizes.min() == largest else sizes.tolist()
    tables = np.zeros((len(each), largest + 1, _SIDE), np.float32)
    for table, size in zip(tables, each, strict=True):
        table[:size] = table_of(size)
    return tables


def _cut(field: _Float32, sizes: _Ints, chance: npt.NDArray[np.uint32]) -> _Bools:
    """Where the field, whole numbers [B, P, P], is over half of the ink, by chance a little more or less."""
    side = field.shape[1]
    flat = field.reshape(-1)
    cut = flat > _HALF + ROUGHNESS * 32768
    # Only where chance could turn it is it asked for.
    near = np.flatnonzero((flat > _HALF - ROUGHNESS * 32768) ^ cut)
    place = near.astype(np.uint32)
    row = place // np.uint32(side)  # counted through all images
    image = row // np.uint32(side)
    # What is beyond a scan's own size is not counted among its places.
    place -= row * (side - sizes).astype(np.uint32)[image]
    start = np.arange(len(sizes)) * side * sizes
    luck = hashed(place + (chance - start.astype(np.uint32))[image]) & np.uint32(0xFFFF)
    cut[near] = flat[near] + ROUGHNESS * (luck.astype(np.float32) - 32768) > _HALF
    return cut.reshape(field.shape)


@lru_cache(maxsize=64)
def enlargement(size: int) -> _Float32:
    """Cubic convolution from 28 to `size` pixels: whole numbers, float32 [size, 28], rows of sum 64 or so.

    Keys 1981, equation 15 with a = -3/4, at r / (2 size) pixels from a pixel's centre:
    (5 t^3 - 9 t^2 + 4) / 4 up to 1, (-3 t^3 + 15 t^2 - 24 t + 12) / 4 up to 2.
    """
    unit = 2 * size  # one image pixel
    row, column = np.arange(size)[:, None], np.arange(_SIDE)
    centre = (2 * row + 1) * _SIDE - size  # of the scan's pixel, from the first image pixel's centre
    r = np.minimum(np.abs(centre - column * unit), 2 * unit)
    near = 5 * r**3 - 9 * r**2 * unit + 4 * unit**3
    far = -3 * r**3 + 15 * r**2 * unit - 24 * r * unit**2 + 12 * unit**3  # 0 from 2 on
    cubic = np.where(r <= unit, near, far)
    weights: _Float32 = ((cubic * _UNIT // 2 + unit**3) // (2 * unit**3)).astype(np.float32)
    return weights


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
    count, height, width = scans.shape
    line = width + 1
    gapped = np.zeros((count, height + 1, line), np.bool_)
    gapped[:, :-1, :-1] = scans
    starts, ends, piece = _runs_and_pieces(gapped)
    row = starts // line
    column = starts - row * line
    return Runs(row // (height + 1), row % (height + 1), column, column + ends - starts, piece)


def _runs_and_pieces(scan: _Bools) -> tuple[_Ints, _Ints, _Ints]:
    """bool [B, H, W], whose last row and column are empty -> where runs start and end in the flat array, and
    the number of the first run of each one's piece: int [R] each.

    As the last column is empty, no run goes on in the next row, and none touches one across the border.
    """
    line, flat = scan.shape[2], scan.reshape(-1)
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[:1].any():
        borders = np.concatenate([[0], borders])
    starts, ends = borders[::2], borders[1::2]
    # Of the row above, the first that ends here or later, and the number of those that touch.
    first = np.searchsorted(ends, starts - line, "left")
    touching = np.searchsorted(starts, ends - line, "right") - first
    piece = np.arange(len(starts))
    np.copyto(piece, first, where=touching > 0)
    piece = _roots(piece)
    # A run that touches several joins their pieces: each takes the lowest number that it can reach.
    joins = np.flatnonzero(touching > 1)
    more = touching[joins] - 1
    below = np.repeat(joins, more)
    above = first[below] + 1 + np.arange(len(below)) - np.repeat(np.cumsum(more) - more, more)
    while True:
        one, other = piece[below], piece[above]
        if (one == other).all():
            return starts, ends, piece
        np.minimum.at(piece, np.maximum(one, other), np.minimum(one, other))
        piece = _roots(piece)


def _roots(parent: _Ints) -> _Ints:
    """Whoever has itself for a parent is a root: the root of each, where parents have lower numbers."""
    while True:
        further = parent[parent]
        if (further == parent).all():
            return further
        parent = further


def _drop_small_pieces(scan: _Bools) -> None:
    """Erase, in place, of each [B, P, P] the pieces (8-connected) much smaller than its largest one.

    The last row and column are empty.
    """
    starts, ends, piece = _runs_and_pieces(scan)
    firsts = np.flatnonzero(piece == np.arange(len(piece)))  # of each piece, the first run
    image = starts[firsts] // scan[0].size
    if (image[1:] != image[:-1]).all():
        return  # no image has two pieces
    area = np.bincount(piece, weights=ends - starts)
    largest = np.zeros(len(scan))
    np.maximum.at(largest, image, area[firsts])
    small = np.zeros(len(piece), np.bool_)
    small[firsts] = 100 * area[firsts] < SMALLEST_PIECE * largest[image]
    dropped, flat = np.flatnonzero(small[piece]), scan.reshape(-1)
    for start, end in zip(starts[dropped].tolist(), ends[dropped].tolist(), strict=True):
        flat[start:end] = False


# From the scan to pixels


def boxed_pixels(scan: _Bools, chance: npt.NDArray[np.uint32]) -> Pixels:
    """Scans -> pixels, uint8 [B, 28, 28], by MNIST's rule: crop to a square, area average into 20x20,
    brightest to 255, centre of mass.

    scan is bool [B, size, size], True for ink, which is 96 pixels high and wide at most; one without ink
    stays empty. chance, uint32 [B], decides which of the brightest pixels are 254.
    """
    count, size, _ = scan.shape
    ink = scan.astype(np.float32)
    ones = np.ones(size, np.float32)
    rows, columns = ink @ ones > 0, ones @ ink > 0  # [B, size]: whether there is ink in it
    top, left = rows.argmax(axis=1), columns.argmax(axis=1)
    height = size - rows[:, ::-1].argmax(axis=1) - top
    width = size - columns[:, ::-1].argmax(axis=1) - left
    side = np.maximum(np.maximum(height, width), _SMALLEST_CROP)
    down = _placed_averages(top - (side - height) // 2, side, size)
    across = _placed_averages(left - (side - width) // 2, side, size)
    cover = (down.transpose(0, 2, 1) @ (ink @ across)).astype(np.float64)  # [B, 20, 20], 0 ... (5 side)^2
    brightest = np.minimum(25 * side**2, cover.max(axis=(1, 2)))[:, None, None]
    levels = np.floor(255 * cover / np.maximum(brightest, 1))
    levels += (cover > 0) & (2 * cover <= brightest)  # truncated towards the middle grey, as MNIST's are
    np.minimum(levels, 255, out=levels)
    _dim(levels, chance, even=side % _BOX == 0)
    mass = np.maximum(levels.sum(axis=(1, 2)), 1)
    middle = np.arange(_BOX)
    down_by = (29 * mass - 2 * (levels.sum(axis=2) @ middle)) // (2 * mass)  # floor(14.5 - centre of mass)
    right_by = (29 * mass - 2 * (levels.sum(axis=1) @ middle)) // (2 * mass)
    finished = np.zeros((count, _SIDE, _SIDE), np.uint8)
    places = np.stack([down_by, right_by], axis=1).astype(np.int64).clip(0, _SIDE - _BOX)
    for picture, grey, (y, x) in zip(finished, levels.astype(np.uint8), places.tolist(), strict=True):
        picture[y : y + _BOX, x : x + _BOX] = grey
    return finished


def _dim(levels: npt.NDArray[np.float64], chance: npt.NDArray[np.uint32], even: _Bools) -> None:
    """Set, in place, all but KEPT_WHITE of the 255 of each of levels, [B, 20, 20], to 254.

    MNIST's sums were of 32 bits, whose last ones made equal pixels unequal, unless a pixel of the box is a
    whole number of scan pixels wide (`even`, [B]). So in most images the brightest alone is 255.
    """
    flat = levels.reshape(-1)
    white = np.flatnonzero(flat == 255)
    image = white // _BOX**2
    place = (white - image * _BOX**2).astype(np.uint32)
    luck = hashed(chance[image] ^ (place + np.uint32(0x10000)))  # no two of an image have the same
    order = np.argsort(image.astype(np.uint64) << np.uint64(32) | luck)
    rank = np.arange(len(image)) - np.searchsorted(image, image)  # image is in order, sorted or not
    kept = np.array(KEPT_WHITE)[chance // np.uint32(256) % np.uint32(len(KEPT_WHITE))]
    kept[even] = _BOX**2
    flat[white[order[rank >= kept[image]]]] = 254


def _placed_averages(start: _Ints, side: _Ints, size: int) -> _Float32:
    """The averages of a square of `side` scan pixels from `start` on: float32 [B, size, 20]."""
    table = _all_averages()  # [sides, longest, 20], padded by zeros
    place = np.arange(size) - start[:, None]  # [B, size], in the square
    outside = (place < 0) | (place >= side[:, None])
    place[outside] = table.shape[1] - 1
    placed: _Float32 = table[side[:, None], place]
    return placed


@lru_cache(maxsize=1)
def _all_averages() -> _Float32:
    longest = max(map(max, SCAN_SIZES)) + 1
    table = np.zeros((longest, longest, _BOX), np.float32)
    for side in range(_SMALLEST_CROP, longest):
        table[side, :side] = averages(side).T
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


def _in_place(scan: _Bools, sizes: _Ints) -> _Float32:
    """Area average into 28x28, whole numbers, 0...255: an image pixel is `size` units wide, one of the scan
    28."""
    average = _tables(_averages_in_place, sizes)
    cover = average.transpose(0, 2, 1) @ scan.astype(np.float32) @ average  # [B, 28, 28], 0 ... size^2
    return np.floor(255 * cover.astype(np.float64) / (sizes**2)[:, None, None]).astype(np.float32)


@lru_cache(maxsize=64)
def _averages_in_place(size: int) -> _Float32:
    """How many units of each image pixel a pixel of the scan covers: float32 [size, 28]."""
    scan, image = np.arange(size)[:, None], np.arange(_SIDE)[None, :]
    over = np.minimum((image + 1) * size, (scan + 1) * _SIDE) - np.maximum(image * size, scan * _SIDE)
    inside: _Float32 = np.maximum(over, 0).astype(np.float32)
    return inside
