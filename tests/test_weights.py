"""Only the generator's own tensors come out of a file, and nothing in it is ever run."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from digit_generator import weights
from digit_generator.weights import (
    TENSOR_SHAPES,
    WeightsError,
    arrays_from_bytes,
    arrays_from_file,
    digest_of_file,
    find_weights,
)


def saved(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: dict[str, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_pickle(data: bytes, pickled: bytes) -> bytes:
    """The archive with another data.pkl, as whole as before."""
    members = members_of(data)
    folder = next(iter(members)).split("/")[0]
    return zipped(members | {f"{folder}/data.pkl": pickled})


def refusal(data: bytes) -> str:
    with pytest.raises(WeightsError) as caught:
        arrays_from_bytes(data, name="student.pth")
    message = str(caught.value)
    assert message.startswith("student.pth ")
    assert "\n" not in message
    assert len(message) < 500
    return message


def assert_equal_to(arrays: dict[str, np.ndarray], state_dict: dict[str, torch.Tensor]) -> None:
    assert arrays.keys() == state_dict.keys()
    for name, tensor in state_dict.items():
        assert arrays[name].dtype == tensor.detach().numpy().dtype
        np.testing.assert_array_equal(arrays[name], tensor.detach().numpy(), err_msg=name)


@pytest.fixture(scope="module")
def state_dict(make_network: Callable[[int], torch.nn.Module]) -> OrderedDict[str, torch.Tensor]:
    """As a plain script saves it: float32."""
    return make_network(1).state_dict()


@pytest.fixture(scope="module")
def half_bytes(weights_file: Path) -> bytes:
    return weights_file.read_bytes()


# What is read


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_equal_what_torch_loads(save_weights: Callable[..., Path], dtype: str) -> None:
    path = save_weights(dtype)
    arrays = arrays_from_file(path)
    assert_equal_to(arrays, torch.load(path, weights_only=True))
    assert {name: array.shape for name, array in arrays.items()} == TENSOR_SHAPES


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("container", [OrderedDict, dict])
def test_every_protocol_and_a_plain_dict_are_read(
    state_dict: dict[str, torch.Tensor], protocol: int, container: type
) -> None:
    data = saved(container(state_dict), pickle_protocol=protocol)
    assert_equal_to(arrays_from_bytes(data), state_dict)


def test_parameters_are_read(make_network: Callable[[int], torch.nn.Module]) -> None:
    parameters = make_network(1).state_dict(keep_vars=True)
    assert isinstance(parameters["model.0.weight"], torch.nn.Parameter)
    assert_equal_to(arrays_from_bytes(saved(parameters)), parameters)


def test_weights_saved_on_a_gpu_are_read(
    state_dict: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.serialization.location_tag", lambda storage: "cuda:0")
    data = saved(state_dict)
    assert b"cuda:0" in data
    assert_equal_to(arrays_from_bytes(data), state_dict)


def test_strides_and_shared_storages_are_read(state_dict: dict[str, torch.Tensor]) -> None:
    odd = dict(state_dict)
    odd["model.3.weight"] = state_dict["model.3.weight"].t().contiguous().t()
    odd["model.3.bias"] = torch.zeros(1).expand(512)
    both = torch.arange(2048, dtype=torch.float32)
    odd["model.8.weight"], odd["model.8.bias"] = both[:1024], both[1024:]
    assert not odd["model.3.weight"].is_contiguous()
    assert_equal_to(arrays_from_bytes(saved(odd)), odd)


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_of_every_key_are_taken_off(state_dict: dict[str, torch.Tensor], wrapper: str) -> None:
    data = saved({wrapper + name: tensor for name, tensor in state_dict.items()})
    assert_equal_to(arrays_from_bytes(data), state_dict)


def test_num_batches_tracked_may_be_absent(state_dict: dict[str, torch.Tensor]) -> None:
    without = {n: tensor for n, tensor in state_dict.items() if not n.endswith("num_batches_tracked")}
    assert_equal_to(arrays_from_bytes(saved(without)), without)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_safetensors_are_read_whatever_the_name(
    state_dict: dict[str, torch.Tensor], dtype: torch.dtype, tmp_path: Path
) -> None:
    tensors = {n: t.to(dtype) if t.is_floating_point() else t for n, t in state_dict.items()}
    path = tmp_path / "generator.pth"
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    assert_equal_to(arrays_from_file(path), tensors)


def test_digest_is_sha256(weights_file: Path) -> None:
    assert digest_of_file(weights_file) == hashlib.sha256(weights_file.read_bytes()).hexdigest()


# Where it is looked for


def test_the_given_file_comes_first_then_the_package_then_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "digit_generator"
    package.mkdir()
    monkeypatch.setattr(weights, "__file__", str(package / "weights.py"))
    with pytest.raises(WeightsError, match=r"generator\.pth is neither in .*mnist_gan_training\.py"):
        find_weights()
    (tmp_path / "generator.pth").touch()
    assert find_weights() == tmp_path / "generator.pth"
    (package / "generator.pth").touch()
    assert find_weights() == package / "generator.pth"
    (tmp_path / "mine.pth").touch()
    assert find_weights(str(tmp_path / "mine.pth")) == tmp_path / "mine.pth"


@pytest.mark.parametrize("name", ["nothing.pth", "nul\0.pth", "generator.pth/inside", "x" * 300])
def test_a_missing_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "generator.pth").touch()
    with pytest.raises(WeightsError, match=r"does not exist|cannot be read"):
        find_weights(tmp_path / name)
    with pytest.raises(WeightsError, match=r"is not a file|cannot be read"):
        arrays_from_file(tmp_path / name)


def test_a_folder_a_device_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(WeightsError, match="is not a file"):
            arrays_from_file(path)
    huge = tmp_path / "huge.pth"
    with huge.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(WeightsError, match="larger than 64 MB"):
        arrays_from_file(huge)


# What is refused, and with which words

LIST_OF_REFUSALS: dict[str, tuple[Callable[[dict[str, torch.Tensor]], object], str]] = {
    "a checkpoint": (
        lambda s: {"epoch": 3, "loss": 0.5, "generator": s, "betas": [0.5, 0.999], "best": None},
        "holds more than a state_dict, with 'epoch', 'loss', 'generator' and 2 more: save",
    ),
    "a number": (lambda s: 7, "holds no state_dict"),
    "a list": (lambda s: [*s.values()], "holds no state_dict"),
    "one tensor": (lambda s: s["model.0.bias"], "holds no state_dict"),
    "nothing": (lambda s: {}, "lacks 'label_emb.weight', 'model.0.weight', 'model.0.bias' and 18 more"),
    "one missing": (
        lambda s: {n: t for n, t in s.items() if n != "model.5.running_var"},
        "lacks 'model.5.running_var'",
    ),
    "one more": (lambda s: {**s, "model.11.bias": torch.zeros(3)}, "has 'model.11.bias'"),
    "half wrapped": (
        lambda s: {("module." if n.startswith("model.0") else "") + n: t for n, t in s.items()},
        "lacks 'model.0.weight', 'model.0.bias' and has 'module.model.0.weight', 'module.model.0.bias'",
    ),
    "a discriminator": (
        lambda s: {"model.0.weight": torch.zeros(1024, 1568)},
        "is of another network, which lacks",
    ),
    "another shape": (
        lambda s: {**s, "model.9.weight": torch.zeros(1024, 784)},
        "with model.9.weight of shape (1024, 784): expected (784, 1024)",
    ),
    "a scalar": (lambda s: {**s, "model.0.bias": torch.zeros(())}, "of shape (): expected (256,)"),
    "int64 weights": (
        lambda s: {**s, "model.0.bias": torch.zeros(256, dtype=torch.int64)},
        "holds model.0.bias as int64: save it as float32 or float16",
    ),
    "an average": (
        lambda s: {"n_averaged": torch.tensor(3), **{f"module.{name}": s[name] for name in s}},
        "is the state of an AveragedModel: save average.module.state_dict() with torch.save",
    ),
    "bfloat16": (
        lambda s: {**s, "model.0.bias": torch.zeros(256, dtype=torch.bfloat16)},
        "holds numbers of type 'torch.BFloat16Storage': save them as float32 or float16",
    ),
    "NaN": (
        lambda s: {**s, "model.0.bias": torch.full((256,), torch.nan)},
        "NaN, infinity or a number beyond 1e+10",
    ),
    "infinity": (
        lambda s: {**s, "model.6.weight": torch.full((1024, 512), torch.inf).half()},
        "infinity or a number beyond 1e+10 in model.6.weight: train new weights",
    ),
    "minus infinity": (lambda s: {**s, "model.2.bias": torch.full((256,), -torch.inf)}, "in model.2.bias"),
    "huge": (lambda s: {**s, "model.2.bias": torch.full((256,), 2e10)}, "beyond 1e+10 in model.2.bias"),
    "a negative variance": (
        lambda s: {**s, "model.8.running_var": torch.full((1024,), -0.1)},
        "holds a negative variance in model.8.running_var",
    ),
}


@pytest.mark.parametrize("case", LIST_OF_REFUSALS)
def test_other_contents_are_refused(state_dict: dict[str, torch.Tensor], case: str) -> None:
    make, words = LIST_OF_REFUSALS[case]
    assert words in refusal(saved(make(state_dict)))


def test_a_whole_model_is_refused(make_network: Callable[[int], torch.nn.Module]) -> None:
    model = make_network(0).model
    message = refusal(saved(model))
    assert "names 'torch.nn.modules.container.Sequential'" in message
    assert "was not run: save generator.state_dict()" in message


def test_other_formats_are_refused(state_dict: dict[str, torch.Tensor]) -> None:
    for protocol in (2, 3, 4):
        legacy = saved(state_dict, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
        assert "is in PyTorch's legacy format: load it in PyTorch 1.6 or later and save it again" in refusal(
            legacy
        )
    assert "is empty: expected a PyTorch state_dict or safetensors" in refusal(b"")
    assert "begins with b'<!DOCTYPE ht': expected" in refusal(b"<!DOCTYPE html><title>Not found</title>")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3047451\n"
    assert "is a Git LFS pointer, not the weights: fetch them with git lfs pull" in refusal(pointer)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("run/generator.pth", "is a zip archive around 'run/generator.pth': unpack it, and use that file"),
        ("pixels.npy", "is a NumPy archive (.npz), not weights: save generator.state_dict()"),
    ],
)
def test_a_file_packed_in_another_is_named(
    state_dict: dict[str, torch.Tensor], name: str, words: str, compression: int
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(name, saved(state_dict))
    assert words in refusal(buffer.getvalue())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.module."])
def test_prefixes_come_off_until_none_is_left(state_dict: dict[str, torch.Tensor], prefix: str) -> None:
    wrapped = {prefix + name: tensor for name, tensor in state_dict.items()}
    for data in (saved(wrapped), safetensors.torch.save(wrapped)):
        assert set(arrays_from_bytes(data)) == set(state_dict)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.float16, torch.float32])
def test_counters_of_any_type_are_taken(state_dict: dict[str, torch.Tensor], dtype: torch.dtype) -> None:
    counted = {
        name: tensor.to(dtype) if name.endswith("num_batches_tracked") else tensor
        for name, tensor in state_dict.items()
    }
    for data in (saved(counted), safetensors.torch.save(counted)):
        arrays = arrays_from_bytes(data)
        np.testing.assert_array_equal(arrays["model.0.bias"], state_dict["model.0.bias"])


def test_safetensors_are_checked_too(state_dict: dict[str, torch.Tensor]) -> None:
    assert "has 'more'" in refusal(safetensors.torch.save({**state_dict, "more": torch.zeros(1)}))
    bfloat16 = {**state_dict, "model.0.bias": torch.zeros(256, dtype=torch.bfloat16)}
    assert "holds numbers of type 'BF16': save them as float32" in refusal(safetensors.torch.save(bfloat16))
    nan = {**state_dict, "model.0.bias": torch.full((256,), torch.nan)}
    assert "NaN" in refusal(safetensors.torch.save(nan))
    data = safetensors.torch.save(state_dict)
    for length in (9, 100, 5000, len(data) - 1):
        assert "safetensors file" in refusal(data[:length])
    assert "is no whole safetensors file" in refusal(struct.pack("<Q", 2**63) + data[8:])
    assert "is no readable safetensors file" in refusal(data[:8] + b"{" * (len(data) - 8))


# Hostile pickles


class Call:
    """Pickled, it is a call of `function`: whoever unpickles it runs it."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


HOSTILE: dict[str, Callable[[str, str], Any]] = {
    "os.system": lambda shell, python: Call(os.system, shell),
    "subprocess.call": lambda shell, python: Call(subprocess.call, ["sh", "-c", shell]),
    "builtins.eval": lambda shell, python: Call(eval, python),
    "builtins.exec": lambda shell, python: Call(exec, python),
    "builtins.getattr": lambda shell, python: Call(getattr, Call(eval, python), "real"),
    "nested calls": lambda shell, python: Call(OrderedDict, Call(list, Call(eval, f"[({python}, 1)]"))),
    "in a value": lambda shell, python: {"label_emb.weight": [{"deep": (Call(os.system, shell),)}]},
    "in a key": lambda shell, python: {Call(os.system, shell): 1},
    "in a tensor": lambda shell, python: Call(
        torch._utils._rebuild_tensor_v2, Call(os.system, shell), 0, (), ()
    ),
    "in attributes": lambda shell, python: Call(OrderedDict, [("a", Call(eval, python))]),
}


def pickle_that_leaves(marker: Path, name: str, protocol: int) -> bytes:
    return pickle.dumps(HOSTILE[name](f"touch {marker}", f"open({str(marker)!r}, 'w').close()"), protocol)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_and_not_run(
    half_bytes: bytes, tmp_path: Path, name: str, protocol: int
) -> None:
    marker = tmp_path / "marker"
    refusal(with_pickle(half_bytes, pickle_that_leaves(marker, name, protocol)))
    assert not marker.exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_those_pickles_are_hostile(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    with contextlib.suppress(Exception):
        pickle.loads(pickle_that_leaves(marker, name, 2))
    assert marker.exists()


RAW_PICKLES = {
    "GLOBAL in text": b"cos\nsystem\n(S'touch MARKER'\ntR.",
    "INST": b"(S'touch MARKER'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'touch MARKER'\no.",
    "OBJ of a list": b"(c__builtin__\nlist\no.",
    "NEWOBJ": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04ccollections\nOrderedDict\n)}\x92.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"P0\n.",
    "BINPERSID of text": b"\x80\x02X\x01\x00\x00\x000Q.",
    "a dotted name": b"\x80\x04\x8c\x0ccollections\n\x8c\x13OrderedDict.__init__\x93.",
    "a name in the allowed module": b"ccollections\nnamedtuple\n.",
    "an import": b"cantigravity\nx\n.",
    "changing a function": b"ctorch._utils\n_rebuild_tensor_v2\n(N}X\x0c\x00\x00\x00__defaults__)stb.",
    "changing OrderedDict": b"ccollections\nOrderedDict\n}X\x03\x00\x00\x00popNsb.",
    "calling a storage": b"ctorch\nFloatStorage\nK\x05\x85R.",
    "calling text": b"X\x01\x00\x00\x000)R.",
    "OrderedDict of a number": b"ccollections\nOrderedDict\nK\x05\x85R.",
    "a tensor of too little": b"ctorch._utils\n_rebuild_tensor_v2\nK\x05\x85R.",
    "a parameter of no tensor": b"ctorch._utils\n_rebuild_parameter\nK\x05\x85R.",
    "items for a number": b"K\x01K\x02K\x03s.",
    "values for a dict": b"}K\x02a.",
    "a key without a value": b"}(K\x02u.",
    "no mark": b"K\x02t.",
    "nothing on the stack": b"\x85.",
    "an unknown memo": b"h\x07.",
    "no end": b"}",
    "a number cut short": b"G\x7f",
    "no pickle": b"\xff\x00",
    "empty": b"",
    "text that is not UTF-8": b"X\x01\x00\x00\x00\xff.",
}


@pytest.mark.parametrize("name", RAW_PICKLES)
def test_strange_opcodes_are_refused_and_not_run(half_bytes: bytes, tmp_path: Path, name: str) -> None:
    marker = tmp_path / "m"
    refusal(with_pickle(half_bytes, RAW_PICKLES[name].replace(b"MARKER", str(marker).encode())))
    assert not marker.exists()
    assert "antigravity" not in sys.modules
    assert torch._utils._rebuild_tensor_v2.__defaults__ == (None,)


def test_attributes_are_taken_for_a_state_dict_only(half_bytes: bytes) -> None:
    for name in ("changing a function", "changing OrderedDict"):
        assert "unreadable data.pkl" in refusal(with_pickle(half_bytes, RAW_PICKLES[name]))


def test_a_long_description_is_not_read(half_bytes: bytes) -> None:
    pickled = members_of(half_bytes)["generator/data.pkl"]
    assert "with 262145 bytes of data.pkl" in refusal(with_pickle(half_bytes, pickled.ljust(2**18 + 1)))


DOUBLING = b")q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(200))  # 2^200 leaves

BOMBS = {
    "doubling": DOUBLING + b".",
    "doubling as a key": DOUBLING + b"}h\xc8K\x01s.",
    "doubling as a name": DOUBLING + b"h\xc8\x93.",
    "doubling as a function": DOUBLING + b")R.",
    "doubling as a storage": DOUBLING + b"Q.",
    "doubling as a shape": b"ctorch._utils\n_rebuild_tensor_v2\n(" + DOUBLING + b"K\x00h\xc8h\xc8tR.",
    "doubling as a value": DOUBLING + b"}K\x01h\xc8s.",
    "depth": b")" + b"\x85" * 200_000 + b".",
    "marks": b"(" * 200_000 + b"t" * 100_000 + b".",
    "a list in itself": b"]q\x00h\x00ah\x00a.",
    "a memo far away": b"}r\xff\xff\xff\xff.",
    "4 GB of text": b"X\xff\xff\xff\xff.",
    "2^63 bytes of text": b"\x8d" + b"\xff" * 8 + b".",
    "a frame of 2^63 bytes": b"\x80\x04\x95" + b"\xff" * 8 + b".",
    "an integer of 2 GB": b"\x8b\xff\xff\xff\x7f.",
    "an integer of 100,000 digits": b"I" + b"9" * 100_000 + b"\n.",
    "too much": b"}" * 300_000 + b".",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_bounded_memory(state_dict: dict[str, torch.Tensor], name: str) -> None:
    data = zipped({"archive/data.pkl": BOMBS[name], "archive/version": b"3\n"})
    tracemalloc.start()
    try:
        refusal(data)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


# Tensors outside their storage


class Storage:
    def __init__(self, key: str, count: int) -> None:
        self.key, self.count = key, count


class DescribingPickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        if isinstance(value, Storage):
            return ("storage", torch.FloatStorage, value.key, "cpu", value.count)
        return None


def archive_with_tensor(count: object, offset: object, shape: object, strides: object) -> bytes:
    """Weights of zeros, without counters, whose model.3.weight is described by the arguments."""
    members, described = {}, {}
    for key, (name, size) in enumerate(TENSOR_SHAPES.items()):
        if not name.endswith("num_batches_tracked"):
            members[f"archive/data/{key}"] = bytes(4 * prod(size))
            arguments = (0, size, (size[1], 1) if len(size) == 2 else (1,))
            storage = Storage(str(key), prod(size))
            if name == "model.3.weight":
                storage, arguments = Storage(str(key), count), (offset, shape, strides)
            described[name] = Call(torch._utils._rebuild_tensor_v2, storage, *arguments, False, OrderedDict())
    pickled = io.BytesIO()
    DescribingPickler(pickled, 2).dump(described)
    return zipped({"archive/data.pkl": pickled.getvalue(), **members})


SIZE = 512 * 256


def test_a_described_tensor_is_read() -> None:
    arrays = arrays_from_bytes(archive_with_tensor(SIZE, 0, (512, 256), (256, 1)))
    assert len(arrays) == len(TENSOR_SHAPES) - 3


@pytest.mark.parametrize(
    ("count", "offset", "shape", "strides"),
    [
        (SIZE, 1, (512, 256), (256, 1)),
        (SIZE, -1, (512, 256), (256, 1)),
        (SIZE, 2**70, (512, 256), (256, 1)),
        (SIZE, 0, (512, 256), (257, 1)),
        (SIZE, 0, (512, 256), (256, 2)),
        (SIZE, SIZE - 1, (512, 256), (-256, -1)),
        (SIZE, 0, (512, 256), (-256, 1)),
        (SIZE, 0, (512, 256), (2**62, 2**62)),
        (SIZE + 1, 0, (512, 256), (256, 1)),
        (SIZE - 1, 0, (512, 256), (0, 0)),
        (-SIZE, 0, (512, 256), (256, 1)),
        (2**70, 0, (512, 256), (256, 1)),
        (SIZE, 0, (512, 256), (256,)),
        (SIZE, 0, (512, 256), (256, 1, 1)),
        (SIZE, 0, (512, 256, 1), (256, 1, 1)),
        (SIZE, 0, (2**40, 2**40), (0, 0)),
        (SIZE, 0, (-512, -256), (256, 1)),
        (SIZE, 0, (512.0, 256.0), (256, 1)),
        (SIZE, 0.0, (512, 256), (256, 1)),
        (SIZE, 0, "ab", (256, 1)),
        (SIZE, 0, (512, 256), None),
        ("many", 0, (512, 256), (256, 1)),
    ],
)
def test_tensors_outside_their_storage_are_refused(
    count: object, offset: object, shape: object, strides: object
) -> None:
    message = refusal(archive_with_tensor(count, offset, shape, strides))
    assert re.search(
        r"reaches outside its storage|lacks numbers|unreadable|with model\.3\.weight of shape", message
    )


# Damaged and forged archives


def patched(data: bytes, name: str, offset: int, new: bytes, *, local_offset: int | None = None) -> bytes:
    """The archive with a field of `name`'s entry changed in the central directory and in the local header."""
    central = data.rindex(name.encode()) - 46
    assert data[central : central + 4] == b"PK\x01\x02"
    changed = bytearray(data)
    changed[central + offset : central + offset + len(new)] = new
    if local_offset is not None:
        local = data.index(name.encode()) - 30
        assert data[local : local + 4] == b"PK\x03\x04"
        changed[local + local_offset : local + local_offset + len(new)] = new
    return bytes(changed)


@pytest.mark.parametrize(
    "name",
    [
        "generator/../evil",
        "../evil",
        "/etc/evil",
        "generator//etc",
        "generator/..\\evil",
        "other/evil",
        "evil",
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(half_bytes: bytes, name: str) -> None:
    assert "outside its one folder" in refusal(zipped(members_of(half_bytes) | {name: b"x"}))


def test_two_files_of_one_name_are_refused(half_bytes: bytes) -> None:
    buffer = io.BytesIO(half_bytes)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("generator/data/0", b"")
    assert "two files of one name" in refusal(buffer.getvalue())


def test_compressed_and_encrypted_archives_are_refused(half_bytes: bytes) -> None:
    assert "is a compressed" in refusal(zipped(members_of(half_bytes), compression=zipfile.ZIP_DEFLATED))
    assert "is a compressed" in refusal(zipped(members_of(half_bytes), compression=zipfile.ZIP_LZMA))
    encrypted = patched(half_bytes, "generator/data/15", 8, b"\x01\x00", local_offset=6)
    assert "is a compressed or encrypted zip archive" in refusal(encrypted)


def test_declared_sizes_are_not_believed(half_bytes: bytes) -> None:
    sizes = struct.pack("<LL", 2**32 - 2, 2**32 - 2)
    assert "declares more than it holds" in refusal(patched(half_bytes, "generator/data/15", 20, sizes))
    assert "damaged" in refusal(patched(half_bytes, "generator/data/15", 20, struct.pack("<LL", 9, 10)))
    # One long run of bytes, read again and again under many names.
    data = zipped({"a/data.pkl": bytes(10**5), **{f"a/{n}": b"" for n in range(100, 999)}})
    for n in range(100, 999):
        data = patched(data, f"a/{n}", 20, struct.pack("<LL", 10**5, 10**5))
    assert "declares more than it holds" in refusal(data)


def test_an_offset_beyond_every_file_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("a/data.pkl")
        entry.extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)  # zip64: the header's offset
        archive.writestr(entry, b"")
    assert "damaged" in refusal(patched(buffer.getvalue(), "a/data.pkl", 42, b"\xff" * 4))


def test_too_many_files_are_refused_before_they_are_listed() -> None:
    assert "more than 1000 files" in refusal(b"PK\x03\x04" + b"PK\x01\x02" * 2000)
    assert "more than 1000 files" in refusal(zipped({f"a/{n}": b"" for n in range(1001)}))


def test_a_changed_number_is_noticed(half_bytes: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(half_bytes)) as archive:
        offset = archive.getinfo("generator/data/15").header_offset + 1000
    damaged = bytearray(half_bytes)
    damaged[offset] ^= 1
    assert "is damaged or cut short (\"Bad CRC-32 for file 'generator/data/15'\")" in refusal(bytes(damaged))


def test_missing_and_unfit_storages_are_refused(half_bytes: bytes) -> None:
    members = members_of(half_bytes)
    assert "lacks numbers" in refusal(zipped({n: d for n, d in members.items() if n != "generator/data/3"}))
    assert "lacks numbers" in refusal(
        zipped(members | {"generator/data/3": members["generator/data/3"][:-2]})
    )
    assert "lacks numbers" in refusal(
        zipped(members | {"generator/data/3": members["generator/data/3"] + b"00"})
    )


def test_other_archives_are_refused(half_bytes: bytes) -> None:
    members = members_of(half_bytes)
    assert "not one that torch.save wrote" in refusal(zipped({"word/document.xml": b""}))
    assert "is damaged" in refusal(b"PK\x03\x04 and so on")
    assert "not one that torch.save wrote" in refusal(zipped({"a/": b""}))
    assert "is a TorchScript program" in refusal(zipped(members | {"generator/constants.pkl": b""}))
    assert "big-endian" in refusal(zipped(members | {"generator/byteorder": b"big"}))


def test_whatever_is_cut_off_the_file_is_refused(half_bytes: bytes) -> None:
    for length in [*range(0, len(half_bytes), 1024), *range(len(half_bytes) - 100, len(half_bytes))]:
        with pytest.raises(WeightsError):
            arrays_from_bytes(half_bytes[:length])


class Whole:
    """Weights before they are damaged. (A class, since a failing example prints its arguments.)"""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.numbers = {name: array.tobytes() for name, array in arrays_from_bytes(data).items()}
        self.description = members_of(data)["generator/data.pkl"]


@pytest.fixture(scope="module")
def whole(half_bytes: bytes) -> Whole:
    return Whole(half_bytes)


@settings(max_examples=300)
@given(
    # Anywhere, or in the first headers, or in the directory at the end, where a change tells more.
    st.lists(
        st.tuples(st.integers(0, 10**7) | st.integers(0, 4000) | st.integers(-3000, -1), st.integers(1, 255)),
        min_size=1,
        max_size=4,
    )
)
def test_flipped_bits_are_refused_or_change_nothing(whole: Whole, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(whole.data)
    for position, bits in flips:
        damaged[position % len(damaged)] ^= bits
    try:
        arrays = arrays_from_bytes(bytes(damaged))
    except WeightsError:
        return
    assert {name: array.tobytes() for name, array in arrays.items()} == whole.numbers


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**4), st.integers(0, 3), st.binary(max_size=6)), min_size=1, max_size=5
    )
)
def test_a_forged_description_is_refused_or_gives_the_generators_tensors(
    whole: Whole, edits: list[tuple[int, int, bytes]]
) -> None:
    forged = whole.description
    for position, cut, new in edits:
        position %= len(forged) + 1
        forged = forged[:position] + new + forged[position + cut :]
    members = {f"a/data/{n}": data for n, data in enumerate(whole.numbers.values())}
    try:
        arrays = arrays_from_bytes(zipped({"a/data.pkl": forged, **members}))
    except WeightsError:
        return
    for name, array in arrays.items():
        assert array.shape == TENSOR_SHAPES[name]
        assert np.isfinite(array).all()


@given(st.binary(max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"\x10\0\0\0\0\0\0\0{", b"\x80\x02"]))
def test_any_other_bytes_are_refused(data: bytes, beginning: bytes) -> None:
    refusal(beginning + data)
