"""Who wrote MNIST's digits: the tables of QMNIST (Yadav and Bottou 2019, arXiv:1905.10498).

Row i of a table is image i of MNIST's file of that part; its third column is the writer. 539 writers made the
training images, 297 others the 10,000 test images.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from digit_generator.evaluation.data import EvaluationError, Labels, download

SOURCE = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"
TABLE_SHA256 = {  # of the decompressed files
    "qmnist-train-labels-idx2-int": "bb1b6e1ec7b04fd5696f1ed50b5f58f8ef195118edd5c93c81783df9740b8ac5",
    "qmnist-test-labels-idx2-int": "92d0ccb8c25f9c6534270fb4be7e1d24a1c6d315edfc8a638bfbd31c70f362dd",
}
_WRITER = 2  # the column
_MNIST = {"train": 60_000, "test": 10_000}  # rows that are MNIST's


def writers_from_folder(folder: Path, part: Literal["train", "test"]) -> Labels:
    """Who wrote each of MNIST's training or test digits, int64 [60,000] or [10,000].

    The table is downloaded if the folder lacks it. Raises EvaluationError if that fails, or if the file
    differs from the published one by a byte.
    """
    name = f"qmnist-{part}-labels-idx2-int"
    path = folder / f"{name}.gz"
    if not path.exists():
        download(
            f"{SOURCE}{path.name}", path, f"put it into {path.parent} from github.com/facebookresearch/qmnist"
        )
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise EvaluationError(f"{path} cannot be read ({error}): delete it to download it again.") from error
    if hashlib.sha256(data).hexdigest() != TABLE_SHA256[name]:
        raise EvaluationError(
            f"{path} is not QMNIST's table (its SHA-256 differs): delete it to download it again."
        )
    table = np.frombuffer(data[12:], ">i4").reshape(-1, 8)
    return table[: _MNIST[part], _WRITER].astype(np.int64)
