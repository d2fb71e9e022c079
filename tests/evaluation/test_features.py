"""A network in ONNX, written out byte by byte so that nothing else is needed: one Flatten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digit_generator.evaluation.data import EvaluationError
from digit_generator.evaluation.networks.features import onnx_features


def field(number: int, content: bytes | str | int) -> bytes:
    """One field of a protocol buffer: a small number, or bytes with their length."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    content = content.encode() if isinstance(content, str) else content
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size % 128 + 128, size // 128])
    return bytes([number << 3 | 2]) + length + content


def flatten_network(path: Path, *shape: int | str, element: int = 1) -> Path:
    """images of `shape` -> the same numbers [B, C * H * W]; element 1 is float, 2 is uint8."""

    def value(name: str, *dimensions: int | str) -> bytes:
        shape = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in dimensions)
        return field(1, name) + field(2, field(1, field(1, element) + field(2, shape)))

    node = field(1, "images") + field(2, "features") + field(4, "Flatten")
    graph = field(1, node) + field(2, "graph")
    graph += field(11, value("images", *shape)) + field(12, value("features", "B", "F"))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))
    return path


def test_what_the_network_sees(draw, tmp_path):
    pixels = draw(120, 0).pixels  # more than one batch
    seen = onnx_features(flatten_network(tmp_path / "net.onnx", "B", 1, 28, 28), pixels)
    assert seen.dtype == np.float32
    assert seen == pytest.approx(pixels.reshape(120, -1) / 255)


def test_grey_is_repeated_over_three_channels(draw, tmp_path):
    pixels = draw(5, 0).pixels
    seen = onnx_features(flatten_network(tmp_path / "net.onnx", "B", 3, "H", "W"), pixels)
    assert seen.reshape(5, 3, 28, 28) == pytest.approx(np.repeat(pixels[:, None] / 255, 3, axis=1))


def test_images_are_enlarged_to_what_the_network_wants(draw, tmp_path):
    pixels = draw(2, 0).pixels
    seen = onnx_features(flatten_network(tmp_path / "net.onnx", "B", 1, 32, 40), pixels).reshape(2, 32, 40)
    expected = np.asarray(Image.fromarray(pixels[1]).resize((40, 32), Image.Resampling.BICUBIC)) / 255
    assert seen[1] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shape", "element"), [(("B", 100), 1), (("B", 4, 28, 28), 1), (("B", 1, 28, 28), 2)]
)
def test_a_network_with_other_inputs_is_refused(tmp_path, shape, element):
    path = flatten_network(tmp_path / "net.onnx", *shape, element=element)
    with pytest.raises(EvaluationError, match="expected one float"):
        onnx_features(path, np.zeros((1, 28, 28), np.uint8))


def test_another_file_is_refused(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(EvaluationError, match="no ONNX network"):
        onnx_features(tmp_path / "net.onnx", np.zeros((1, 28, 28), np.uint8))
