"""A judge that never saw this project: the PP-OCRv6 text recogniser inside the PyPI package rapidocr 3.10.0
(Apache-2.0), run through ONNX Runtime as a forced choice among the ten digits.

The recogniser reads lines of text 48 pixels high and gives, for each of T places along the line,
probabilities of a blank and of 18,709 characters (connectionist temporal classification, Graves et al. 2006).
A digit becomes such a line as black on white, enlarged to 48 x 48 with no margin, at the left of a line 160
wide whose rest is the mid-grey that the recogniser was trained to ignore. Blank and ten digits are cut out of
the vocabulary, and the digit is read whose one-character string has the highest probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from digit_generator.evaluation.data import EvaluationError, Floats, Pixels

MODEL = "models/PP-OCRv6_rec_small.onnx"
MODEL_SHA256 = "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
_HEIGHT, _WIDTH = 48, 160
_BATCH = 50
_BLANK = 0  # in the vocabulary; character i of the model's list stands at i + 1


def ocr_log_probabilities(pixels: Pixels) -> Floats:
    """log P(the one-character string d) float64 [N, 10] of pixels uint8 [N, 28, 28], P among strings over
    blank and digits."""
    session, vocabulary = _recogniser()
    name = session.get_inputs()[0].name
    read = []
    for start in range(0, len(pixels), _BATCH):
        lines = _lines_from_pixels(pixels[start : start + _BATCH])
        probabilities = session.run(None, {name: lines})[0][:, :, vocabulary].astype(np.float64)
        read.append(log_probability_of_one(probabilities / probabilities.sum(axis=2, keepdims=True)))
    return np.concatenate(read)


def ocr_texts(pictures: Sequence[Pixels]) -> list[str]:
    """What the recogniser reads in lines of digits, uint8 [H, W] each, 0 background to 255 ink.

    Each becomes black on white and 48 pixels high; at every place the most probable of blank and ten digits
    is taken, repeats are merged and blanks left out (best path decoding, Graves et al. 2006, section 3.2). A
    line may have any number of digits.
    """
    session, vocabulary = _recogniser()
    name = session.get_inputs()[0].name
    texts = []
    for picture in pictures:
        width = max(1, round(picture.shape[1] * _HEIGHT / picture.shape[0]))
        large = Image.fromarray(255 - picture).resize((width, _HEIGHT), Image.Resampling.BICUBIC)
        line = np.full((1, 3, _HEIGHT, width), np.asarray(large, np.float32) / 127.5 - 1)
        read = session.run(None, {name: line})[0][0][:, vocabulary].argmax(axis=1)
        texts.append("".join(str(symbol - 1) for symbol, _ in groupby(read) if symbol))
    return texts


def log_probability_of_one(probabilities: Floats) -> Floats:
    """log P(string d) [B, S] from the probabilities [B, T, 1 + S] of a blank and of S symbols at T places.

    The sum over all paths blank* d+ blank* (Graves et al. 2006, equation 3), by the forward recursion.
    """
    with np.errstate(divide="ignore"):
        log = np.log(probabilities)
    blank, symbol = log[:, :, :1], log[:, :, 1:]
    before = np.zeros_like(symbol[:, 0])  # only blanks so far
    within = np.full_like(before, -np.inf)  # in d
    after = np.full_like(before, -np.inf)  # in the blanks that follow
    for t in range(log.shape[1]):
        after = np.logaddexp(after, within) + blank[:, t]
        within = np.logaddexp(before, within) + symbol[:, t]
        before = before + blank[:, t]
    return np.logaddexp(within, after)


@cache
def _recogniser() -> tuple[onnxruntime.InferenceSession, NDArray[np.intp]]:
    """The recogniser, and where blank and the digits 0 to 9 stand in its vocabulary."""
    package = find_spec("rapidocr")
    if package is None or not package.submodule_search_locations:
        raise EvaluationError(
            "The OCR judge needs rapidocr 3.10.0: pip install rapidocr==3.10.0 onnxruntime."
        )
    path = Path(package.submodule_search_locations[0]) / MODEL
    if not path.is_file() or sha256(path.read_bytes()).hexdigest() != MODEL_SHA256:
        raise EvaluationError(f"{path} is not that of rapidocr 3.10.0; pip install rapidocr==3.10.0.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    characters = session.get_modelmeta().custom_metadata_map["character"].split("\n")
    return session, np.array([_BLANK] + [characters.index(str(d)) + 1 for d in range(10)])


def _lines_from_pixels(pixels: Pixels) -> NDArray[np.float32]:
    """float32 [B, 3, 48, 160] in [-1, 1]: the digit black on white at the left, 0 (mid-grey) elsewhere."""
    lines = np.zeros((len(pixels), 3, _HEIGHT, _WIDTH), np.float32)
    for line, digit in zip(lines, pixels, strict=True):
        large = Image.fromarray(255 - digit).resize((_HEIGHT, _HEIGHT), Image.Resampling.BICUBIC)
        line[:, :, :_HEIGHT] = np.asarray(large, np.float32) / 127.5 - 1
    return lines
