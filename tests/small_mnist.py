"""A small labelled set in MNIST's format for tests: the position of a bright bar is the digit."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np

import mnist_gan_training as training_file

SmallSet = tuple[np.ndarray, np.ndarray]  # pixels, labels


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def make_small_set() -> SmallSet:
    """Pixels uint8 [256, 28, 28] and labels uint8 [256]."""
    rng = np.random.RandomState(0)
    labels = np.arange(256).astype(np.uint8) % 10
    pixels = rng.randint(0, 40, (256, 28, 28)).astype(np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[4:24, 2 * label + 3 : 2 * label + 6] = rng.randint(200, 256)
    return pixels, labels


def write_small_set(small_set: SmallSet, folder: Path) -> dict[str, str]:
    """Write the set as MNIST's four files (train and test are the same); returns their SHA-256 by name.

    Raises FileExistsError if the folder exists.
    """
    folder.mkdir()
    digests = {}
    for name, array in zip(training_file.DATA_SHA256, small_set * 2, strict=True):
        content = idx_bytes(array)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests
