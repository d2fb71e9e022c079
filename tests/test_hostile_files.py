"""Files that somebody made to do harm, or that a disk has damaged: a sentence, soon, in bounded memory."""

from __future__ import annotations

import contextlib
import json
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from choices import make_choice_file
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from digit_generator import DigitGenerator, StyleControls, StyleError, WeightsError, api
from digit_generator.choose import Choice, ChoiceError
from digit_generator.export import hugging_face_files
from digit_generator.files import UntilChanged
from digit_generator.render import RECIPE_CHUNK, png_from_pixels, recipe_text_from_png
from digit_generator.style import style_path
from digit_generator.weights import TENSOR_SHAPES, arrays_from_bytes, arrays_from_file

# What a mutation puts into the place of a value of a header.
ODD = [0, -1, 2**31, 2**63, 2**64, 10**400, 1.5, 1e308, True, None, "", "F32", "F64", "I64", "BF16", "\ud800"]
ODD += [[], {}, [0], [1] * 65, [0, 2**31, 2**31], [2**63, 2], [0] * 5000, [[]], [-1, -1], ["1"], {"a": []}]


def with_header(header: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + body


@pytest.fixture(scope="module")
def whole(weights_file: Path) -> tuple[dict[str, Any], bytes]:
    """The header and the body of a safetensors file of weights."""
    data = safetensors.numpy.save(dict(arrays_from_file(weights_file)))
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def arrays_or_sentence(header: bytes, body: bytes) -> dict[str, np.ndarray] | str:
    try:
        return arrays_from_bytes(with_header(header, body))
    except WeightsError as error:
        return str(error)


def assert_harmless(read: dict[str, np.ndarray] | str) -> None:
    """A sentence, or the tensors of a generator."""
    if isinstance(read, str):
        assert len(read) < 500
    else:
        for name, array in read.items():
            assert array.shape == TENSOR_SHAPES[name]
            assert np.isfinite(array).all()


@pytest.mark.parametrize("shape", [[0, 2**31, 2**31], [1] * 65, [0] * 110_000, [2**63, 2], [256, 1], []])
@pytest.mark.parametrize(("name", "dtype"), [("model.0.bias", "F32"), ("model.2.num_batches_tracked", "F64")])
def test_a_shape_that_no_array_has_is_a_sentence(
    whole: tuple[dict[str, Any], bytes], shape: list[int], name: str, dtype: str
) -> None:
    header, body = whole
    begin, end = header[name]["data_offsets"]
    told = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin if 0 in shape else end]}
    read = arrays_or_sentence(json.dumps(header | {name: told}).encode(), body)
    assert_harmless(read)
    assert isinstance(read, str) or name.endswith("num_batches_tracked"), "drawing needs no counter"


@settings(max_examples=600)
@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.integers(0, 6), st.integers(0, 3), st.sampled_from(ODD)),
        min_size=1,
        max_size=3,
    )
)
def test_a_forged_header_is_refused_or_gives_the_generators_tensors(
    whole: tuple[dict[str, Any], bytes], edits: list[tuple[int, int, int, Any]]
) -> None:
    forged, body = json.loads(json.dumps(whole[0])), whole[1]
    for place, kind, part, odd in edits:
        name = list(forged)[place % len(forged)]
        told = forged[name]
        key = ("dtype", "shape", "data_offsets")[part % 3]
        if kind == 0:
            forged[name] = odd
        elif kind == 1 and isinstance(told, dict):
            told[key] = odd
        elif kind == 2 and isinstance(told, dict) and isinstance(told.get(key), list) and told[key]:
            told[key][part % len(told[key])] = odd
        elif kind == 3:
            forged[f"{odd!r:.80}"] = forged.pop(name)
        elif kind == 4 and isinstance(told, dict) and isinstance(told.get("shape"), list):
            told["shape"] = [1] * 20 * (place % 5) + told["shape"]  # as many numbers as before
        elif kind == 5:  # no number, behind all others
            forged[f"{name}{part}"] = {"dtype": "F32", "shape": odd, "data_offsets": [len(body)] * 2}
        else:
            forged["__metadata__"] = odd
    assert_harmless(arrays_or_sentence(json.dumps(forged).encode(), body))


@settings(max_examples=600)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**4), st.integers(0, 9), st.binary(max_size=9)), min_size=1, max_size=4
    )
)
def test_other_bytes_in_a_header_are_refused_or_give_the_generators_tensors(
    whole: tuple[dict[str, Any], bytes], edits: list[tuple[int, int, bytes]]
) -> None:
    forged = json.dumps(whole[0]).encode()
    for position, cut, new in edits:
        position %= len(forged) + 1
        forged = forged[:position] + new + forged[position + cut :]
    assert_harmless(arrays_or_sentence(forged, whole[1]))


def test_the_sentence_about_a_long_header_is_short(whole: tuple[dict[str, Any], bytes]) -> None:
    header, body = whole
    long = {"x" * 50_000: header["model.0.bias"] | {"shape": [1] * 30_000}}
    read = arrays_or_sentence(json.dumps(header | long).encode(), body)
    assert isinstance(read, str)
    assert len(read) < 500


# What lies beside the weights


@pytest.fixture
def controls_file(weights_file: Path, tmp_path: Path) -> tuple[DigitGenerator, dict[str, Any]]:
    """A generator in a folder of its own, and what a style file of it holds."""
    path = tmp_path / "generator.pth"
    path.write_bytes(weights_file.read_bytes())
    generator = DigitGenerator.load(path)
    shape = {"slope": [1.0] * 10, "intercept": [0.0] * 10, "spread": [0.5] * 10}
    shapes = {
        name: shape | {"low": [low] * 10, "high": [high] * 10}
        for name, low, high in (("thickness", 1.5, 4.0), ("slant", -0.4, 0.5), ("width", 5.0, 18.0))
    }
    return generator, {"format": 1, "weights_sha256": generator.digest, "shapes": shapes}


def test_a_style_file_within_bounds_is_read(controls_file: tuple[DigitGenerator, dict[str, Any]]) -> None:
    generator, learned = controls_file
    style_path(generator.path).write_text(json.dumps(learned))
    assert StyleControls.load(generator).ranges(3)["width"] == (5.0, 18.0)


@pytest.mark.parametrize("column", ["slope", "intercept", "low", "high", "spread"])
@pytest.mark.parametrize("value", [1e308, -1e308, 1e5, 10**400, [], {}, "NaN", None])
@pytest.mark.parametrize("name", ["thickness", "slant"])
def test_a_style_file_beyond_bounds_is_a_sentence(
    controls_file: tuple[DigitGenerator, dict[str, Any]], name: str, column: str, value: object
) -> None:
    generator, learned = controls_file
    learned["shapes"][name][column][3] = value
    style_path(generator.path).write_text(json.dumps(learned))
    with pytest.raises(StyleError) as caught:
        StyleControls.load(generator)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("column", "value"), [("high", 5.0 + 1e-7), ("slope", 1e-320), ("spread", 1e-7)])
def test_a_range_or_a_scale_that_is_none_is_a_sentence(
    controls_file: tuple[DigitGenerator, dict[str, Any]], column: str, value: float
) -> None:
    generator, learned = controls_file
    learned["shapes"]["width"][column][0] = value
    with pytest.raises(StyleError, match="numbers that no generator gives"):
        StyleControls(generator, learned)


@pytest.mark.parametrize("content", [b"[" * 100_000, b" " * (2**20 + 1), b"1" * 5000, b"", b'"\xff"'])
def test_a_style_file_that_is_none_is_a_sentence_and_not_read_again(
    controls_file: tuple[DigitGenerator, dict[str, Any]], content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, learned = controls_file
    path = style_path(generator.path)
    path.write_bytes(content)
    looks = []
    load = StyleControls.load
    monkeypatch.setattr(StyleControls, "load", lambda generator: looks.append(1) or load(generator))
    for _ in range(3):
        with pytest.raises(StyleError, match=r"generator\.style\.json"):
            StyleControls.current(generator)
    assert len(looks) == 1
    path.write_text(json.dumps(learned))
    assert StyleControls.current(generator) is StyleControls.current(generator)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b" " * (2**20 + 1), b"7", b"{}", b"1" * 5000, b"", b"\xff"]
)
def test_an_odd_generator_json_vouches_for_nothing(
    controls_file: tuple[DigitGenerator, dict[str, Any]], content: bytes
) -> None:
    generator, _ = controls_file
    generator.path.with_suffix(".json").write_bytes(content)
    assert DigitGenerator.load(generator.path).provenance is None


@pytest.mark.parametrize(
    "told",
    [{}, {"seconds": "long", "images": "many"}, {"quality": 7}, {"quality": {"generated": [], "real": 1}}],
)
def test_a_model_card_of_an_odd_generator_json_says_what_it_knows(
    controls_file: tuple[DigitGenerator, dict[str, Any]], told: dict[str, Any]
) -> None:
    generator, _ = controls_file
    generator.path.with_suffix(".json").write_text(json.dumps(told | {"weights_sha256": generator.digest}))
    card = hugging_face_files(generator.path)["README.md"].decode()
    assert "Nothing is known of how these weights were trained." in card
    assert "The quality of these weights was not measured." in card


@pytest.mark.parametrize("name", ["hidden.weight", "score.bias"])
@pytest.mark.parametrize("shape", [[0, 2**31, 2**31], [1] * 65, [0] * 5000])
def test_a_choice_file_with_an_odd_shape_is_none(
    generator: DigitGenerator, name: str, shape: list[int]
) -> None:
    data = make_choice_file(generator)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    begin = header[name]["data_offsets"][0]
    header[name] |= {"shape": shape, "data_offsets": [begin, begin]}
    with pytest.raises(ChoiceError, match=r"^it is no choice file"):
        Choice(with_header(json.dumps(header).encode(), data[8 + length :]), generator.digest)


@pytest.mark.parametrize("bound", ["1e400", "NaN", "1" + "0" * 400, "[]", '"x"', "[" * 5000])
def test_a_choice_file_with_an_odd_bound_is_none(generator: DigitGenerator, bound: str) -> None:
    data = make_choice_file(generator)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    record = f'{{"weights_sha256": "{generator.digest}", "hand_bound": 0, "digit_bound": {bound}}}'
    header["__metadata__"]["choice"] = record
    with pytest.raises(ChoiceError):
        Choice(with_header(json.dumps(header).encode(), data[8 + length :]), generator.digest)


# A refused file is remembered until it changes


def test_refused_weights_are_looked_into_once(
    tmp_path: Path, weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "generator.pth"
    path.write_bytes(weights_file.read_bytes()[:10_000])
    monkeypatch.setattr(api, "find_weights", lambda: path)
    loads = []
    load = DigitGenerator.load
    monkeypatch.setattr(DigitGenerator, "load", lambda path: loads.append(1) or load(path))
    with TestClient(api.app) as client:
        answers = [client.get(address) for address in ("/health", "/digits/7.png", "/health")]
        assert len(loads) == 1, "the file was parsed again"
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json()["detail"].startswith("There is no trained model to draw with: ")
            assert answer.json()["detail"].endswith("The page draws placeholders.")
        path.write_bytes(weights_file.read_bytes())
        assert client.get("/health").json()["status"] == "ok"


def test_what_is_made_is_made_again_when_a_file_comes_changes_or_goes(tmp_path: Path) -> None:
    path, made = tmp_path / "file", UntilChanged[list[str]]()

    def make() -> list[str]:
        return [path.read_text() if path.exists() else "none"]

    first = made.get([path], make)
    assert made.get([path], make) is first == ["none"]
    path.write_text("one")
    assert made.get([path], make) == ["one"]
    path.write_text("two, longer")
    assert made.get([path], make) == ["two, longer"]
    assert made.get([path], make, "another question") is made.get([path], make, "another question")
    path.unlink()
    assert made.get([path], make) == ["none"]


# Recipes


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(made: bytes) -> bytes:
    """A PNG with one chunk more, between its header and its pixels."""
    png = png_from_pixels(np.zeros((28, 28), np.uint8))
    return png[:33] + made + png[33:]


KEYWORD = RECIPE_CHUNK.encode() + b"\0"
LARGE = 30 * 10**6
BOMBS = {
    "a long text": chunk(b"tEXt", KEYWORD + b"x" * LARGE),
    "a long text of another keyword": chunk(b"tEXt", b"Comment\0" + b"x" * LARGE),
    "a text that inflates": chunk(b"zTXt", KEYWORD + b"\0" + zlib.compress(b"x" * LARGE)),
    "international text that inflates": chunk(b"iTXt", KEYWORD + b"\1\0\0\0" + zlib.compress(b"x" * LARGE)),
    "a profile that inflates": chunk(b"iCCP", b"p\0\0" + zlib.compress(b"x" * LARGE)),
    "a chunk that ends nowhere": struct.pack(">I", 2**31 - 1) + b"tEXt" + KEYWORD,
    "many chunks": chunk(b"tEXt", b"a\0b") * 100_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_recipe_is_bounded_before_it_is_inflated(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(with_chunk(BOMBS[name]))
    tracemalloc.start()
    try:
        with path.open("rb") as file, contextlib.suppress(ValueError):
            assert recipe_text_from_png(file) is None
        assert tracemalloc.get_traced_memory()[1] < 3 * 10**6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_a_recipe_is_found_as_any_kind_of_text(kind: bytes) -> None:
    text = {
        b"tEXt": b"told",
        b"zTXt": b"\0" + zlib.compress(b"told"),
        b"iTXt": b"\0\0\0\0told",
    }[kind]
    assert recipe_text_from_png(with_chunk(chunk(kind, KEYWORD + text))) == "told"
