"""Handwritten-style digits from a 3 MB conditional GAN, drawn with NumPy alone.

    from digit_generator import DigitGenerator
    pixels = DigitGenerator.load().digits(7, seeds=range(5))   # uint8 [5, 28, 28]

The tensor table, the one place that says what each name means:

| name | is | dtype | shape | range, meaning |
|---|---|---|---|---|
| `digit` | what a person asks for | int | | 0...9 |
| `labels` | a batch of digits | int64 | [B] | 0...9 |
| `seeds` | one per image | int | B of them | 0...2^32-1; image i depends on (weights, digit, seed i, style) |
| `z` | latent noise | float64 | [B, 100] | N(0, I): the first of `RandomState(seed)` that is not rejected |
| `images` | what networks see and draw | float | [B, 1, 28, 28] | [-1, 1]: -1 background, +1 ink |
| `pixels` | what people and files see | uint8 | [B, 28, 28] | 0 background ... 255 ink; finished, or raw |
| `real_`, `fake_` | prefixes saying the source | | | |
| `logits` | the discriminator's raw score | float32 | [B] | higher = more real; never [B, 1] |
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digit_generator.generate import (
        DigitGenerator,
        images_from_pixels,
        latents_from_seeds,
        pixels_from_images,
    )
    from digit_generator.number import Line, NumberError, texts_from_pattern, write_number
    from digit_generator.style import Style, StyleControls, StyleError, hand_latents, styled_digits
    from digit_generator.weights import WeightsError

__version__ = "0.1.0"

# NumPy is loaded when the first of these is asked for and not before, so that `python -m digit_generator`
# can still choose the number of BLAS threads.
_HOME = {
    "DigitGenerator": "generate",
    "images_from_pixels": "generate",
    "latents_from_seeds": "generate",
    "pixels_from_images": "generate",
    "Line": "number",
    "NumberError": "number",
    "texts_from_pattern": "number",
    "write_number": "number",
    "Style": "style",
    "StyleControls": "style",
    "StyleError": "style",
    "hand_latents": "style",
    "styled_digits": "style",
    "WeightsError": "weights",
}
__all__ = [
    "DigitGenerator",
    "Line",
    "NumberError",
    "Style",
    "StyleControls",
    "StyleError",
    "WeightsError",
    "__version__",
    "hand_latents",
    "images_from_pixels",
    "latents_from_seeds",
    "pixels_from_images",
    "styled_digits",
    "texts_from_pattern",
    "write_number",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"digit_generator.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
