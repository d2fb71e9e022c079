"""The protocol: every sample size, split, network setting and seed of the ruler, in one place.

Change a value here and raise `VERSION`; figures of different versions are not comparable, and nothing cached
under another version is used again.

Which real images do what:

| images | `--against test` (the published card) | `--against validation` (for choices while developing) |
|---|---|---|
| training images 0...54,999 | the judge has learned from them | the scout has learned from them |
| training images 55,000...59,999 | real digits by other hands | the set compared against |
| test images 0...9,999 | the set compared against | never opened |

The judge and the scout have learned from the same 55,000 images, but they are different networks from
different seeds: a generator chosen by the scout's figures has not been fitted to the judge.

What is generated: image i of generation g is the digit of label i of the set compared against, drawn with
seed g * N + i, where N is the size of that set. It is drawn as the generator ships: from the first z of its
seed that the choice accepts (choose.py), finished by MNIST's scan rule (finish.py). The card says how many
first z were rejected; the choice never saw the judges, and no image is looked at and left out. The column
`raw` is the same weights without both, the network's own pixels from every seed's first z; `classic`, the
textbook recipe, is drawn in the same way. Both have fewer generations, GENERATIONS_BESIDE.

Real against real: one random half of the set compared against stands in the place of the generated digits,
and is compared with the other half. Distances depend on the number of images, so rows 2 and 3 (Fréchet and
kernel distance, neighbours) are given twice: at full size, and at EQUAL size, as many generated digits as
there are in that half, compared with the same other half. Only figures at equal size may be divided by real
against real. Row 5 (the two-sample test) is taken at equal size.

| | in the place of the generated | compared against |
|---|---|---|
| full size | 10,000 generated (validation: 5,000) | the whole set, 10,000 (5,000) |
| equal size | a random half of them, 5,000 (2,500) | a random half of the set, 5,000 (2,500) |
| real against real | the other half of the set, 5,000 (2,500) | the same half |
| real by other hands | the validation images, 5,000 | the same half of the test images |

Why halves of one set, and why at random: MNIST's files are not in random order. Its authors say that the two
halves of the test file come from different kinds of writers, the training file has its writers one after the
other, and even and odd images differ too. In the judge's features the first from the last half of the test
images are ten times as far apart as two random halves; the last 5,000 training images are almost three times
as far from the test images as a random sample is, and a fresh network tells them apart in 58 % of cases. They
are a column of the card, "validation", to show what other hands amount to, but no floor to divide by.

Features are divided by one number, so that those of the set compared against have a variance of 1 on average:
the distances then do not depend on the units that a network happens to use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

VERSION = 3

Against = Literal["test", "validation"]

LEARNED_IMAGES = 55_000
"""Judge and scout learn from the first 55,000 training images; the last 5,000 are the validation images."""

SPLIT_SEED = 303
"""Of numpy.random.RandomState, for every random order, half and part."""

GENERATIONS = 3
GENERATIONS_BESIDE = 1

# The rows of a card, in order. A quick card has one generation.
ROWS_QUICK: tuple[str, ...] = ("asked_own", "broken_shapes", "distance", "neighbours", "diversity")
ROWS_VALIDATION: tuple[str, ...] = (*ROWS_QUICK, "train_on_generated", "two_sample", "copying")
ROWS_TEST: tuple[str, ...] = (*ROWS_VALIDATION, "train_on_ten_times", "asked_ocr")
ROWS_OF_HALVES = ("distance", "neighbours", "two_sample", "diversity")
"""The rows that compare with one half of the real digits what stands in the place of the other."""
MIN_IMAGES = 5_000
"""A file of digits holds at least as many as real against real: fewer could not be compared with it."""


@dataclass(frozen=True)
class Training:
    """How a classifier is trained: Adam, its rate falling by a cosine from `rate` to 0."""

    network: Literal["strided", "pooled"]
    epochs: int
    batch: int
    rate: float
    weight_decay: float
    augment: bool  # turn, slant, scale and shift each image a little, anew each time it is seen
    seed: int
    bfloat16: bool = False  # where the processor has units for it; float32 elsewhere


# The scout is cheap, and made on the spot; the judge is exact, and its weights are part of the package.
SCOUT = Training("strided", epochs=6, batch=256, rate=2e-3, weight_decay=1e-4, augment=True, seed=101)
JUDGE = Training(
    "pooled", epochs=20, batch=256, rate=3e-3, weight_decay=1e-4, augment=True, seed=202, bfloat16=True
)
JUDGE_MIN_ACCURACY = 0.995

# Row 1: the OCR judge costs 10 ms an image.
OCR_IMAGES = 3_000
CONFIDENCE_Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution, for Wilson's interval."""

# Row 3
NEIGHBOURS = 5
"""k of precision, recall, density and coverage, as in Naeem et al. 2020."""

# Row 4: no augmentation, which would hide a lack of variety. Run g trains from seed + g; the epochs follow
# from LEARNER_VIEWS.
LEARNER = Training("strided", epochs=0, batch=256, rate=1e-3, weight_decay=0, augment=False, seed=404)
LEARNER_IMAGES = 20_000
LEARNER_VIEWS = 300_000
"""How many images a learner sees in all, in at least three epochs."""
LEARNER_HELD_OUT = 0.1
LEARNER_SEEDS = 1_000_000
"""Generated digits to learn from have seeds from here on: run g from LEARNER_SEEDS + g * their number."""
LEARNER_TIMES = 10

# Row 5: a random half of either set to learn from, the other half to test. The network sees the image at
# full resolution: the strided one, which does not, told in 56 % of cases what this one tells in 99 %; what
# gives generated digits away is faint. No weight decay: with 1e-4 one network of fifteen never left its first
# guess.
TWO_SAMPLE = Training(
    "pooled", epochs=20, batch=128, rate=2e-3, weight_decay=0, augment=False, seed=505, bfloat16=True
)
TWO_SAMPLE_LEARNED_MIN = 0.51
TWO_SAMPLE_ATTEMPTS = 3
"""A network no better than this on what taught it is replaced, at most until there were this many."""
TWO_SAMPLE_CLASSIC_MIN = 0.95
TWO_SAMPLE_REAL_OFF = 0.02
"""The test's own strength: it must tell classic from real at 95 % or more, real from real at 50 ± 2 %."""

# Row 7
SHAPE_IMAGES = 2_500
"""Thickness, slant and width are measured on at most this many images of a set."""

# Row 9
SEEDS_SHOWN = 16
LEAST_LIKED = 20
BLIND_IMAGES = 50
CLOSEST_PAIRS = 10


class LineTraining(NamedTuple):
    """How the reader of lines is trained: AdamW, its rate rising and falling once (Smith 2018)."""

    steps: int
    batch: int
    rate: float
    seed: int


LINE_READER = LineTraining(steps=3000, batch=32, rate=3e-3, seed=5)
"""Every reader takes as many steps, however many lines it learns from."""
