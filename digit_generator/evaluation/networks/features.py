"""Features from any other network, given as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from digit_generator.evaluation.data import EvaluationError, Pixels

_BATCH = 100


def onnx_features(path: Path, pixels: Pixels) -> NDArray[np.float32]:
    """features float32 [N, F]: the first output, flattened, of the network at `path`.

    Its one input is float32 [B, C, H, W] in [0, 1], 0 background and 1 ink, with C 1 or 3 (the grey
    repeated); an image is enlarged or reduced (bicubic) to H x W where the network fixes them. Raises
    EvaluationError for another kind of input or a file that ONNX Runtime refuses.
    """
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base class below this one
        raise EvaluationError(f"{path} is no ONNX network ({error}).") from error
    inputs = session.get_inputs()
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or inputs[0].type != "tensor(float)" or shape[1] not in (1, 3):
        raise EvaluationError(f"{path} takes {inputs[0].type} {shape}; expected one float [B, 1 or 3, H, W].")
    channels, height, width = shape[1], *(size if isinstance(size, int) else 28 for size in shape[2:])
    features = []
    for start in range(0, len(pixels), _BATCH):
        batch = np.stack([_resized(digit, width, height) for digit in pixels[start : start + _BATCH]])
        images = np.repeat(batch[:, None].astype(np.float32) / 255, channels, axis=1)
        output = session.run(None, {inputs[0].name: images})[0]
        features.append(np.asarray(output, np.float32).reshape(len(batch), -1))
    return np.concatenate(features)


def _resized(digit: Pixels, width: int, height: int) -> Pixels:
    if digit.shape == (height, width):
        return digit
    return np.asarray(Image.fromarray(digit).resize((width, height), Image.Resampling.BICUBIC))
