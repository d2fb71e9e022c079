"""Trained weights: `generator.pth` or a `.safetensors` file -> NumPy arrays, without PyTorch.

A `.pth` file is a zip archive: `data.pkl` says which tensors there are, `data/0`, `data/1`, ... hold their
numbers. A pickle can name any function and have it called, so `data.pkl` is never given to `pickle`: a small
machine at the end of this file reads the few opcodes that a state_dict consists of and only notes what they
describe. No class is looked up, nothing is called, what is unknown is refused, and so is every tensor that is
not exactly the generator's.
"""

from __future__ import annotations

import hashlib
import io
import pickle  # for the names of its opcodes: nothing of it is called
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from digit_generator.errors import DigitGeneratorError

FILE_NAME = "generator.pth"


def _linear(index: int, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"model.{index}.weight": (outputs, inputs), f"model.{index}.bias": (outputs,)}


def _batchnorm(index: int, size: int) -> dict[str, tuple[int, ...]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"model.{index}.{name}": (size,) for name in names} | {f"model.{index}.num_batches_tracked": ()}


# The generator's state_dict. In go 100 numbers of z and 100 of the digit; LeakyReLU is 1, 4, 7, Tanh is 10.
TENSOR_SHAPES: dict[str, tuple[int, ...]] = {
    "label_emb.weight": (10, 100),
    **_linear(0, 200, 256),
    **_batchnorm(2, 256),
    **_linear(3, 256, 512),
    **_batchnorm(5, 512),
    **_linear(6, 512, 1024),
    **_batchnorm(8, 1024),
    **_linear(9, 1024, 784),
}

MAX_FILE_BYTES = 64 * 2**20  # float64 weights are 12 MB; a whole checkpoint, which gets its own sentence, 40
MAX_HEADER_BYTES = 256 * 2**10  # data.pkl, or the header of safetensors: 3 KB
MAX_MEMBERS = 1000  # files in the archive: 30
MAX_VALUE = 1e10  # beyond it four layers could overflow; trained values stay below 1e4

_LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a pickled number, behind the pickle's protocol
_WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every key
_TRAIN = "train new weights with python mnist_gan_training.py"
_COPY = f"copy the file again, or {_TRAIN}"
_WITH_SAVE = "with torch.save"
_SAVE = f"save generator.state_dict(), and nothing else, {_WITH_SAVE}"
_COUNTER = "num_batches_tracked"

_Array = npt.NDArray[Any]


class WeightsError(DigitGeneratorError):
    """A weights file is missing or refused; the message is one sentence for a person."""


def find_weights(path: str | Path | None = None) -> Path:
    """Where the weights are: `path` if given, else beside the package, else one folder up, in the repository.

    Raises WeightsError where there is no such file.
    """
    package = _folder_of(__file__)
    places = [package / FILE_NAME, package.parent / FILE_NAME] if path is None else [Path(path)]
    for place in places:
        try:
            if place.exists():
                return place
        except OSError as error:
            raise WeightsError(f"{place} cannot be read: {error.strerror}") from None
    missing = f"{path} does not exist"
    if path is None:
        missing = f"{FILE_NAME} is neither in {package.parent} nor in {package}"
    raise WeightsError(f"{missing}: expected the trained weights, 2 to 7 MB; {_TRAIN}")


@lru_cache(maxsize=4)
def _folder_of(file: str) -> Path:
    """Where it lies, links followed: found out once, since a server asks at every request."""
    return Path(file).resolve().parent


def bytes_from_file(path: str | Path) -> bytes:
    """The whole file, at most 64 MB. Raises WeightsError where it cannot be read or is larger."""
    path = Path(path)
    try:
        if not path.is_file():
            raise WeightsError(f"{path} is not a file: expected the trained weights, .pth or .safetensors")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise WeightsError(f"{path} is larger than 64 MB: expected the generator's weights alone, 2 to 7 MB")
    return data


def digest_of_file(path: str | Path) -> str:
    """SHA-256 of the file's bytes in hexadecimal. Raises WeightsError as bytes_from_file does."""
    return hashlib.sha256(bytes_from_file(path)).hexdigest()


def arrays_from_file(path: str | Path) -> dict[str, _Array]:
    """The tensors of a weights file by name, shaped as in TENSOR_SHAPES, of the file's own float type.

    The format, .pth or .safetensors, is told by the content. `num_batches_tracked` (int64), which drawing
    does not need, may be absent or of another type. Prefixes that all keys share, `module.` and `_orig_mod.`,
    are removed.
    Raises WeightsError for everything else.
    """
    return arrays_from_bytes(bytes_from_file(path), name=Path(path).name)


def arrays_from_bytes(data: bytes, *, name: str = FILE_NAME) -> dict[str, _Array]:
    """As arrays_from_file, from the file's bytes; `name` is how an error calls the file."""
    try:
        if data.startswith(b"PK\x03\x04"):
            arrays = _arrays_from_pth(data)
        elif data[8:9] == b"{":
            arrays = _arrays_from_safetensors(data)
        elif _LEGACY_MAGIC in data[:32]:
            raise WeightsError(
                "is in PyTorch's legacy format: load it in PyTorch 1.6 or later and save it again"
            )
        elif data.startswith(b"version https://git-lfs"):
            raise WeightsError("is a Git LFS pointer, not the weights: fetch them with git lfs pull")
        else:
            begins = f"begins with {data[:12]!r}" if data else "is empty"
            raise WeightsError(f"{begins}: expected a PyTorch state_dict or safetensors; {_COPY}")
        check_values(arrays)
    except WeightsError as error:
        raise WeightsError(f"{name} {error}") from None
    return arrays


# What the tensors must be


class _Typed(Protocol):
    """An array, or what is known of it before its numbers are read."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...


def check_shapes(tensors: Mapping[str, _Typed]) -> None:
    """Raise WeightsError unless names, shapes and dtypes are the generator's."""
    missing = [n for n in TENSOR_SHAPES if n not in tensors and not n.endswith(_COUNTER)]
    unexpected = [n for n in tensors if n not in TENSOR_SHAPES]
    if missing or unexpected:
        lacks = f" lacks {_listed(missing)}" if missing else ""
        adds = f" has {_listed(unexpected)}" if unexpected else ""
        raise WeightsError(
            f"is of another network, which{lacks}{' and' if lacks and adds else ''}{adds}: {_SAVE}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != TENSOR_SHAPES[name]:
            raise WeightsError(
                f"is of another network, with {name} of shape {_cut(str(tensor.shape))}:"
                f" expected {TENSOR_SHAPES[name]}; {_TRAIN}"
            )
        if not name.endswith(_COUNTER) and tensor.dtype.name not in ("float32", "float16", "float64"):
            raise WeightsError(f"holds {name} as {tensor.dtype.name}: save it as float32 or float16")


def check_values(arrays: Mapping[str, _Array]) -> None:
    """Raise WeightsError unless every number is finite and no variance is negative."""
    for name, array in arrays.items():
        if name.endswith(_COUNTER):
            continue
        # float(), since 1e10 in half precision would itself be infinite; `not <=`, since that finds NaN too.
        if not float(np.abs(array).max()) <= MAX_VALUE:
            raise WeightsError(f"holds NaN, infinity or a number beyond {MAX_VALUE:g} in {name}: {_TRAIN}")
        if name.endswith("running_var") and array.min() < 0:
            raise WeightsError(f"holds a negative variance in {name}: {_TRAIN}")


def _unwrapped(tensors: dict[str, Any]) -> dict[str, Any]:
    """Without the prefixes that all keys share, in any order, and without counters of an unusual type."""
    if "n_averaged" in tensors:
        raise WeightsError(f"is the state of an AveragedModel: save average.module.state_dict() {_WITH_SAVE}")
    while wrapper := next((w for w in _WRAPPERS if tensors and all(n.startswith(w) for n in tensors)), None):
        tensors = {name.removeprefix(wrapper): tensor for name, tensor in tensors.items()}
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not name.endswith(_COUNTER) or (tensor.dtype.name, tensor.shape) == ("int64", ())
    }


def _listed(names: list[str]) -> str:
    return ", ".join(_cut(repr(name)) for name in names[:3]) + (
        f" and {len(names) - 3} more" if names[3:] else ""
    )


def _cut(text: str) -> str:
    """What a file says of itself, made fit for a sentence."""
    return text if len(text) <= 80 else text[:80] + "..."


# safetensors


_SAFETENSORS_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"{kind}{8 * size}": np.dtype(f"<{kind.lower()}{size}") for kind in "IU" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}


@dataclass(frozen=True)
class _Declared:
    """A tensor as the header has it, and its bytes. No array is made before all headers are checked."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    data: bytes | bytearray


def _arrays_from_safetensors(data: bytes) -> dict[str, _Array]:
    import safetensors  # here, since most files are .pth

    if int.from_bytes(data[:8], "little") > min(MAX_HEADER_BYTES, len(data) - 8):
        raise WeightsError(f"is no whole safetensors file: {_COPY}")
    try:
        declared = {
            name: _Declared(_SAFETENSORS_DTYPES[told["dtype"]], tuple(told["shape"]), told["data"])
            for name, told in safetensors.deserialize(data)
        }
    except safetensors.SafetensorError as error:
        raise WeightsError(f"is no readable safetensors file ({_cut(repr(str(error)))}): {_COPY}") from None
    except KeyError as error:  # one that NumPy lacks, such as bfloat16
        raise WeightsError(f"holds numbers of type {error}: save them as float32 or float16") from None
    tensors = _unwrapped(declared)
    check_shapes(tensors)
    return {name: np.frombuffer(t.data, t.dtype).reshape(t.shape) for name, t in tensors.items()}


# PyTorch's zip format


@dataclass(frozen=True)
class _Global:
    """The name of a class or function. It stays a name."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """A flat run of numbers: the archive's file data/<key>."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides are counted in numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.storage.dtype


def _arrays_from_pth(data: bytes) -> dict[str, _Array]:
    members = _members_from_zip(data)
    described = _described_by_pickle(members["data.pkl"])
    if not isinstance(described, dict):
        raise WeightsError(f"holds no state_dict: {_SAVE}")
    if not all(isinstance(tensor, _Tensor) for tensor in described.values()):
        raise WeightsError(
            f"holds more than a state_dict, with {_listed([str(key) for key in described])}: {_SAVE}"
        )
    tensors = _unwrapped({str(name): tensor for name, tensor in described.items()})
    check_shapes(tensors)
    return {name: _array_from_tensor(tensor, members) for name, tensor in tensors.items()}


def _members_from_zip(data: bytes) -> dict[str, bytes]:
    """The archive's files by their names in its one folder, each checked by its CRC-32, all in memory."""
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:  # before zipfile makes an object for each
        raise WeightsError(f"is a zip archive of more than {MAX_MEMBERS} files: {_COPY}")
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _refuse_packed_file([entry.filename for entry in entries])
            folder = entries[0].filename.partition("/")[0] if entries else ""
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
                raise WeightsError(f"is a compressed or encrypted zip archive: {_SAVE}")
            if sum(entry.file_size for entry in entries) > len(data):
                raise WeightsError(f"is a zip archive that declares more than it holds: {_COPY}")
            for entry in entries:
                name = entry.filename.removeprefix(folder + "/")
                if name == entry.filename or ".." in name.split("/") or name.startswith("/") or "\\" in name:
                    raise WeightsError(f"is a zip archive with a file outside its one folder: {_SAVE}")
                if name in members:
                    raise WeightsError(f"is a zip archive with two files of one name: {_COPY}")
                members[name] = archive.read(entry)
    except WeightsError:
        raise
    # For a damaged archive zipfile raises many kinds of error, not its own alone.
    except Exception as error:
        raise WeightsError(f"is damaged or cut short ({_cut(repr(str(error)))}): {_COPY}") from None
    if "data.pkl" not in members:
        raise WeightsError(f"is a zip archive, but not one that torch.save wrote: {_SAVE}")
    if "constants.pkl" in members:
        raise WeightsError(f"is a TorchScript program: {_SAVE}")
    if members.get("byteorder", b"little") != b"little":
        raise WeightsError(
            "was saved on a big-endian machine: load it and save it again on a little-endian one"
        )
    return members


def _refuse_packed_file(names: list[str]) -> None:
    """Raise WeightsError for a zip around a weights file, and for NumPy's .npz."""
    for name in names:
        if name.lower().endswith((".pth", ".pt", ".safetensors")):
            raise WeightsError(f"is a zip archive around {_cut(repr(name))}: unpack it, and use that file")
    if names and all(name.lower().endswith(".npy") for name in names):
        raise WeightsError(f"is a NumPy archive (.npz), not weights: {_SAVE}")


def _array_from_tensor(tensor: _Tensor, members: Mapping[str, bytes]) -> _Array:
    storage, itemsize = tensor.storage, tensor.dtype.itemsize
    data = members.get(f"data/{storage.key}", b"")
    if len(data) != storage.count * itemsize:
        raise WeightsError(f"lacks numbers of its tensors: {_COPY}")
    last = tensor.offset + sum(
        (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if tensor.offset < 0 or min(tensor.strides, default=0) < 0 or last >= storage.count:
        raise WeightsError(f"holds a tensor that reaches outside its storage: {_COPY}")
    numbers = np.frombuffer(data, tensor.dtype)[tensor.offset :]
    strides = [stride * itemsize for stride in tensor.strides]
    # as_strided trusts its arguments: the line above has made sure that the view ends inside.
    return np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides).copy()


# data.pkl

_DTYPES: dict[str, np.dtype[Any]] = {
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
}
_CALLS = ("collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter")
_MARK = object()


def _described_by_pickle(data: bytes) -> object:
    """What data.pkl describes: a _Tensor, text, a number, or dicts, lists and tuples of them."""
    if len(data) > MAX_HEADER_BYTES:
        raise WeightsError(f"holds more than a state_dict, with {len(data)} bytes of data.pkl: {_SAVE}")
    try:
        return _run_pickle(data)
    except WeightsError:
        raise
    # An opcode that is cut short, an empty stack, an unknown memo, an argument of the wrong kind.
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"holds an unreadable data.pkl ({_cut(repr(error))}): {_COPY}") from None


def _run_pickle(data: bytes) -> object:
    position = 0
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def take(count: int) -> bytes:
        nonlocal position
        taken = data[position : position + count]
        if len(taken) < count:
            raise ValueError("cut short")
        position += count
        return taken

    def take_int(size: int, *, signed: bool = False) -> int:
        return int.from_bytes(take(size), "little", signed=signed)

    def take_line() -> str:
        line = take(data.index(b"\n", position) + 1 - position)
        return line[:-1].decode()

    def pop_to_mark() -> list[Any]:
        values = []
        while (value := stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    while True:
        match take(1):
            case pickle.PROTO:
                take(1)
            case pickle.FRAME:
                take(8)
            case pickle.STOP:
                return stack.pop()
            case pickle.MARK:
                stack.append(_MARK)

            case pickle.BINUNICODE:
                stack.append(take(take_int(4)).decode())
            case pickle.SHORT_BINUNICODE:
                stack.append(take(take_int(1)).decode())
            case pickle.BININT:
                stack.append(take_int(4, signed=True))
            case pickle.BININT1:
                stack.append(take_int(1))
            case pickle.BININT2:
                stack.append(take_int(2))
            case pickle.LONG1:
                stack.append(take_int(take_int(1), signed=True))
            case pickle.BINFLOAT:
                stack.append(struct.unpack(">d", take(8))[0])
            case pickle.NONE:
                stack.append(None)
            case pickle.NEWTRUE:
                stack.append(True)
            case pickle.NEWFALSE:
                stack.append(False)

            case pickle.EMPTY_TUPLE:
                stack.append(())
            case pickle.TUPLE:
                stack.append(tuple(pop_to_mark()))
            case pickle.TUPLE1:
                stack.append((stack.pop(),))
            case pickle.TUPLE2:
                second, first = stack.pop(), stack.pop()
                stack.append((first, second))
            case pickle.TUPLE3:
                third, second, first = stack.pop(), stack.pop(), stack.pop()
                stack.append((first, second, third))
            case pickle.EMPTY_LIST:
                stack.append([])
            case pickle.APPEND:
                value = stack.pop()
                _extend(stack[-1], [value])
            case pickle.APPENDS:
                values = pop_to_mark()
                _extend(stack[-1], values)
            case pickle.EMPTY_DICT:
                stack.append({})
            case pickle.SETITEM:
                value, key = stack.pop(), stack.pop()
                _update(stack[-1], [key, value])
            case pickle.SETITEMS:
                values = pop_to_mark()
                _update(stack[-1], values)

            case pickle.BINPUT:
                memo[take_int(1)] = stack[-1]
            case pickle.LONG_BINPUT:
                memo[take_int(4)] = stack[-1]
            case pickle.MEMOIZE:
                memo[len(memo)] = stack[-1]
            case pickle.BINGET:
                stack.append(memo[take_int(1)])
            case pickle.LONG_BINGET:
                stack.append(memo[take_int(4)])

            # The opcodes by which a pickle runs code. Here they describe tensors or are refused.
            case pickle.GLOBAL:
                module = take_line()
                stack.append(_global_from_name(module, take_line()))
            case pickle.STACK_GLOBAL:
                name, module = stack.pop(), stack.pop()
                stack.append(_global_from_name(module, name))
            case pickle.BINPERSID:
                stack.append(_storage_from_id(stack.pop()))
            case pickle.REDUCE:
                arguments, function = stack.pop(), stack.pop()
                stack.append(_value_from_call(function, arguments))
            case pickle.BUILD:  # the attributes of a state_dict, that is its _metadata: not needed
                stack.pop()
                _update(stack[-1], [])
            case opcode:
                raise WeightsError(f"holds the pickle opcode {opcode!r}, which is in no state_dict: {_SAVE}")


def _extend(target: object, values: list[Any]) -> None:
    if not isinstance(target, list):
        raise TypeError("values for what is no list")
    target.extend(values)


def _update(target: object, keys_and_values: list[Any]) -> None:
    if not isinstance(target, dict):
        raise TypeError("items for what is no dict")
    for key, value in zip(keys_and_values[::2], keys_and_values[1::2], strict=True):
        if not isinstance(key, str | int):  # hashing tuples of tuples of tuples can take for ever
            raise TypeError("a key that is neither text nor a number")
        target[key] = value


def _global_from_name(module: object, name: object) -> _Global:
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("a name that is no text")
    full_name = f"{module}.{name}"
    if full_name in _DTYPES or full_name in _CALLS:
        return _Global(full_name)
    if module == "torch" and name.endswith("Storage"):
        raise WeightsError(f"holds numbers of type {_cut(repr(full_name))}: save them as float32 or float16")
    raise WeightsError(f"names {_cut(repr(full_name))}, which is in no state_dict and was not run: {_SAVE}")


def _storage_from_id(persistent_id: Any) -> _Storage:
    match persistent_id:
        case ("storage", _Global() as kind, str(key), str(), int(count)):
            return _Storage(key, _DTYPES[kind.name], count)
    raise TypeError("a storage unlike those of torch.save")


def _value_from_call(function: Any, arguments: Any) -> object:
    if not isinstance(function, _Global):
        raise TypeError("a call of what is no function")
    match function.name, arguments:
        case "collections.OrderedDict", ():
            return {}
        case "torch._utils._rebuild_tensor_v2", (storage, offset, shape, strides, *_):
            if (
                isinstance(storage, _Storage)
                and isinstance(shape, tuple)
                and isinstance(strides, tuple)
                and all(type(number) is int for number in (offset, *shape, *strides))
                and len(shape) == len(strides)
            ):
                return _Tensor(storage, offset, shape, strides)
        case "torch._utils._rebuild_parameter", (_Tensor() as tensor, *_):
            return tensor
    raise TypeError("a call unlike those of torch.save")
