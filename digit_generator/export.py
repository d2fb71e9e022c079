"""The trained generator for other people's programs: ONNX, and a folder in the form of Hugging Face.

Both carry the same numbers as `generator.pth`, under the names that its state_dict gives them. ONNX is the
network alone: its pixels are raw, and z is the caller's. The folder has the choice, too, and who loads it
with this package gets finished digits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from digit_generator import __version__
from digit_generator.choose import bytes_from_choice, choice_path
from digit_generator.errors import DigitGeneratorError
from digit_generator.generate import BATCHNORM_EPS, LATENT_SIZE, LEAKY_SLOPE, DigitGenerator
from digit_generator.weights import arrays_from_file, find_weights

ONNX_OPSET = 17  # of 2022: read by ONNX Runtime 1.12 and later
ONNX_IR = 8
RAW = "the network's own pixels, raw: not finished by MNIST's scan rule, and no z is refused"


class ExportError(DigitGeneratorError):
    """An export that cannot be made; the message is one sentence for a person."""


def onnx_from_weights(path: str | Path | None = None) -> bytes:
    """The weights at `path`, else where find_weights looks -> an ONNX model of 6 MB, as bytes.

    Inputs: z, float32 [B, 100], N(0, I); labels, int64 [B], 0...9. Outputs: images, float32 [B, 1, 28, 28],
    [-1, 1], and pixels, uint8 [B, 28, 28], 0 background ... 255 ink, which are raw, as of
    DigitGenerator.load(raw=True): the finish is not in the graph. Float32 against float64: a pixel may differ
    by one grey level. WeightsError if the file is refused, ExportError without the package onnx.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise ExportError("ONNX needs the package onnx: pip install onnx") from None

    path = find_weights(path)
    numbers = {
        name: array.astype(np.float32)
        for name, array in arrays_from_file(path).items()
        if not name.endswith("num_batches_tracked")
    }
    constants = {
        "image_shape": np.array([-1, 1, 28, 28], np.int64),
        "channel": np.array([1], np.int64),
        "one": np.float32(1),
        "half_range": np.float32(127.5),
    }

    def node(operation: str, inputs: list[str], output: str, **settings: Any) -> Any:
        return helper.make_node(operation, inputs, [output], name=output, **settings)

    nodes = [
        node("Gather", ["label_emb.weight", "labels"], "embedded"),  # [B, 100]
        node("Concat", ["z", "embedded"], "input", axis=1),  # [B, 200]
    ]
    value = "input"
    for linear, batchnorm in ((0, 2), (3, 5), (6, 8), (9, None)):
        names = [f"model.{linear}.weight", f"model.{linear}.bias"]
        nodes.append(node("Gemm", [value, *names], f"model.{linear}", transB=1))
        value = f"model.{linear}"
        if batchnorm:
            names = [
                f"model.{batchnorm}.{name}" for name in ("weight", "bias", "running_mean", "running_var")
            ]
            slope = f"model.{linear + 1}"
            nodes.append(node("LeakyRelu", [value], slope, alpha=LEAKY_SLOPE))
            value = f"model.{batchnorm}"
            nodes.append(node("BatchNormalization", [slope, *names], value, epsilon=BATCHNORM_EPS))
    nodes += [
        node("Tanh", [value], "model.10"),  # [B, 784]
        node("Reshape", ["model.10", "image_shape"], "images"),
        # 0...255, as generate.pixels_from_images; Round goes to the even number, as numpy.rint does
        node("Squeeze", ["images", "channel"], "flat"),
        node("Add", ["flat", "one"], "shifted"),
        node("Mul", ["shifted", "half_range"], "scaled"),
        node("Round", ["scaled"], "rounded"),
        node("Cast", ["rounded"], "pixels", to=TensorProto.UINT8),
    ]

    def tensor(name: str, kind: int, *shape: str | int, told: str = "") -> Any:
        return helper.make_tensor_value_info(name, kind, shape, told)

    graph = helper.make_graph(
        nodes,
        "digit_generator",
        inputs=[tensor("z", TensorProto.FLOAT, "B", LATENT_SIZE), tensor("labels", TensorProto.INT64, "B")],
        outputs=[
            tensor("images", TensorProto.FLOAT, "B", 1, 28, 28),
            tensor("pixels", TensorProto.UINT8, "B", 28, 28, told=RAW),
        ],
        initializer=[
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in {**numbers, **constants}.items()
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", ONNX_OPSET)],
        ir_version=ONNX_IR,
        producer_name="digit-generator",
        producer_version=__version__,
        doc_string=f"Handwritten digits from z and labels. The output pixels: {RAW}.",
    )
    helper.set_model_props(model, {"weights_sha256": DigitGenerator.load(path).digest})
    checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


def hugging_face_files(path: str | Path | None = None) -> dict[str, bytes]:
    """The files of a model repository by name: model.safetensors, config.json, README.md (the model card),
    and, if there is a choice, model.choice.safetensors.

    The weights are those at `path`, else where find_weights looks. How they were trained, and the quality
    measured of them, come from the .json file beside them. Raises WeightsError if the weights are refused.
    """
    generator = DigitGenerator.load(path)
    weights = safetensors.numpy.save(arrays_from_file(find_weights(path)), metadata={"format": "pt"})
    files = {"model.safetensors": weights}
    if generator.choice and generator.path:
        arrays = safetensors.numpy.load(choice_path(generator.path).read_bytes())
        record = generator.choice.record | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
        files[choice_path(Path("model.safetensors")).name] = bytes_from_choice(arrays, record)
    config = {
        "model_type": "digit_generator",
        "architecture": "conditional GAN, multilayer perceptron 200-256-512-1024-784",
        "latent_size": LATENT_SIZE,
        "label_embedding_size": 100,
        "classes": 10,
        "image_size": 28,
        "image_range": [-1, 1],
        "input_order": ["z", "label_embedding"],
        "leaky_relu_slope": LEAKY_SLOPE,
        "batch_norm_eps": BATCHNORM_EPS,
        "weights_sha256": generator.digest,
        "finish": generator.finish_version,
        "choice_sha256": generator.choice_digest,
        "training": generator.provenance,
    }
    return files | {
        "config.json": (json.dumps(config, indent=2) + "\n").encode(),
        "README.md": _model_card(generator).encode(),
    }


def _model_card(generator: DigitGenerator) -> str:
    told = generator.provenance or {}
    try:
        training = (
            f"Recipe `{told['recipe_name']}`, {told['epochs']} epochs over "
            f"{told['images']:,} images of MNIST's training set, seed {told['seed']}, "
            f"{told['seconds'] / 60:.0f} minutes on {told['device']}. "
            "All settings are in `config.json`, under `training`."
        )
    except (KeyError, TypeError, ValueError, OverflowError):  # another program's, or by hand
        training = "Nothing is known of how these weights were trained."
    choice = (
        "`model.choice.safetensors` is a small head that refuses a z whose drawing is unlikely beside real"
        " digits. A seed's z is the first of its stream that is accepted; `load(..., every_z=True)` refuses"
        " none."
        if generator.choice
        else "none comes with these weights. A seed's z is the first of its stream."
    )
    try:
        measured = _quality_table(told["quality"])
    except (KeyError, TypeError, AttributeError):
        measured = "The quality of these weights was not measured."
    template = Path(__file__).with_name("model_card.md").read_text(encoding="utf-8")
    return template.format(digest=generator.digest, choice=choice, training=training, quality=measured)


def _quality_table(quality: Mapping[str, Any]) -> str:
    """The measures of generator.json, generated beside real digits, as Markdown."""
    generated, real = quality["generated"], quality["real"]
    rows = "\n".join(f"| {name} | {value} | {real.get(name, '–')} |" for name, value in generated.items())
    return (
        "Measured on this very file, beside real digits; mean ± standard deviation over generations with "
        f"different seeds.\n\n| measure | generated | real |\n| --- | --- | --- |\n{rows}"
    )
