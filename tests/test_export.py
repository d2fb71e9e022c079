"""What is exported draws the same digits in other people's programs, opened as they open it, offline."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from huggingface_hub import ModelCard

from digit_generator import DigitGenerator, cli, latents_from_seeds
from digit_generator.export import ExportError, hugging_face_files, onnx_from_weights

ROOT = Path(__file__).parents[1]
LABELS = np.arange(10).repeat(20)
SEEDS = range(200)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_onnx_runtime_draws_the_same_pixels_up_to_one_level(
    save_weights: Callable[..., Path], dtype: str
) -> None:
    path = save_weights(dtype)
    session = onnxruntime.InferenceSession(onnx_from_weights(path))
    z = latents_from_seeds(SEEDS)
    images, pixels = session.run(["images", "pixels"], {"z": z.astype(np.float32), "labels": LABELS})
    generator = DigitGenerator.load(path)
    assert images.dtype == np.float32
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(images, generator.images(z, LABELS), atol=1e-4)
    raw = generator.variant(raw=True)
    apart = np.abs(raw.digits(LABELS, SEEDS).astype(int) - pixels)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.001


def test_an_onnx_file_says_what_it_takes_and_what_it_was_made_from(weights_file: Path) -> None:
    data = onnx_from_weights(weights_file)
    session = onnxruntime.InferenceSession(data)
    assert [(put.name, put.type, put.shape) for put in session.get_inputs()] == [
        ("z", "tensor(float)", ["B", 100]),
        ("labels", "tensor(int64)", ["B"]),
    ]
    assert [(put.name, put.type, put.shape) for put in session.get_outputs()] == [
        ("images", "tensor(float)", ["B", 1, 28, 28]),
        ("pixels", "tensor(uint8)", ["B", 28, 28]),
    ]
    said = session.get_modelmeta()
    assert said.custom_metadata_map == {"weights_sha256": DigitGenerator.load(weights_file).digest}
    assert "raw: not finished by MNIST's scan rule" in said.description
    (pixels,) = (put for put in onnx.load_from_string(data).graph.output if put.name == "pixels")
    assert pixels.doc_string in said.description
    assert pixels.doc_string.startswith("the network's own pixels, raw")


def test_the_same_weights_give_the_same_bytes(weights_file: Path) -> None:
    assert onnx_from_weights(weights_file) == onnx_from_weights(weights_file)
    assert hugging_face_files(weights_file) == hugging_face_files(weights_file)


def test_without_the_package_onnx_the_way_out_is_named(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ExportError, match=r"^ONNX needs the package onnx: pip install onnx$"):
        onnx_from_weights(weights_file)


@pytest.fixture
def hub(weights_file: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder that the command writes."""
    assert cli.run(["export", "--hugging-face", "hub", "--weights", str(weights_file)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["hub/model.safetensors", "hub/config.json", "hub/README.md"]
    assert err == ""
    return Path("hub")


def test_every_way_of_use_that_the_model_card_shows_draws_the_same(
    hub: Path, generator: DigitGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hub)
    with_package, with_pytorch = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    seen: dict[str, object] = {}
    exec(with_package, seen)
    np.testing.assert_array_equal(seen["pixels"], generator.digits(7, range(5)))

    exec(with_pytorch, seen)
    import torch

    assert seen["images"].shape == (5, 1, 28, 28)
    z = latents_from_seeds(SEEDS)
    with torch.no_grad():
        images = seen["network"](torch.from_numpy(z).float(), torch.from_numpy(LABELS))
    np.testing.assert_allclose(images.numpy(), generator.images(z, LABELS), atol=1e-4)


def test_the_model_card_is_one_to_the_hubs_own_library(hub: Path) -> None:
    card = ModelCard.load(hub / "README.md")
    assert card.data.license == "mit"
    assert card.data.datasets == ["ylecun/mnist"]
    assert "The quality of these weights was not measured." in card.text
    assert "Nothing is known of how these weights were trained." in card.text


def test_the_card_says_what_a_digit_is_made_of(hub: Path) -> None:
    text = " ".join((hub / "README.md").read_text().split())
    assert "What it draws is the network's shape, MNIST's own scan rule, and a choice of z:" in text
    assert "**The choice**: none comes with these weights." in text


def test_a_choice_comes_along_and_chooses_the_same(
    choosy: DigitGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["export", "--hugging-face", "hub", "--weights", str(choosy.path)]) == 0
    assert "hub/model.choice.safetensors" in capsys.readouterr().out.splitlines()
    exported = DigitGenerator.load("hub/model.safetensors")
    assert exported.choice is not None
    np.testing.assert_array_equal(exported.digits(LABELS, SEEDS), choosy.digits(LABELS, SEEDS))
    assert (exported.digits(LABELS, SEEDS) != exported.variant(every_z=True).digits(LABELS, SEEDS)).any()
    assert "`model.choice.safetensors` is a small head" in Path("hub/README.md").read_text()
    config = json.loads(Path("hub/config.json").read_text())
    assert (config["finish"], config["choice_sha256"]) == (choosy.finish_version, choosy.choice_digest)
    assert cli.run(["export", "--hugging-face", "hub", "--weights", str(choosy.path)]) == 0


def test_the_configuration_describes_the_network(hub: Path, generator: DigitGenerator) -> None:
    config = json.loads((hub / "config.json").read_text())
    assert config["weights_sha256"] == generator.digest
    assert (config["latent_size"], config["classes"], config["image_size"]) == (100, 10, 28)
    assert config["training"] is None


def test_the_card_of_our_weights_has_their_training_and_their_quality(tmp_path: Path) -> None:
    shutil.copy(ROOT / "generator.pth", tmp_path)
    provenance = json.loads((ROOT / "generator.json").read_text(encoding="utf-8"))
    provenance["quality"] = {"ruler": 3, "generated": {"Recall": "0.9"}, "real": {"Recall": "0.95"}}
    (tmp_path / "generator.json").write_text(json.dumps(provenance), encoding="utf-8")
    ours = DigitGenerator.load(tmp_path / "generator.pth")
    files = hugging_face_files(tmp_path / "generator.pth")
    text = files["README.md"].decode()
    assert "| measure | generated | real |\n| --- | --- | --- |\n| Recall | 0.9 | 0.95 |\n" in text
    assert f"seed {ours.provenance['seed']}" in text
    assert json.loads(files["config.json"])["training"] == ours.provenance


def test_both_forms_at_once_and_again(
    weights_file: Path, capsys: pytest.CaptureFixture[str], hub: Path
) -> None:
    arguments = ["export", "--onnx", "a/b.onnx", "--hugging-face", "hub", "--weights", str(weights_file)]
    assert cli.run(arguments) == 0
    assert capsys.readouterr().out.splitlines()[0] == "a/b.onnx"
    assert Path("a/b.onnx").read_bytes() == onnx_from_weights(weights_file)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "There is nothing to write: name a form with --onnx FILE or --hugging-face DIR."),
        ("--onnx generator.pth", "--onnx generator.pth does not end in .onnx: choose a name that does."),
        ("--onnx file/a.onnx", "file is a file: a folder is needed there, so choose another with --onnx."),
        (
            "--hugging-face taken",
            "taken has other files in it: --hugging-face takes an empty or a new folder.",
        ),
        ("--hugging-face file", "file is a file: a folder is needed there, so choose another with --hug"),
        ("--hugging-face new --weights no.pth", "no.pth does not exist: expected the trained weights"),
        ("--hugging-face", "Option '--hugging-face' requires an argument"),
    ],
)
def test_a_mistake_is_one_sentence_and_loses_nothing(
    weights_file: Path, capsys: pytest.CaptureFixture[str], arguments: str, words: str
) -> None:
    Path("taken").mkdir()
    for name in ("file", "taken/README.md"):
        Path(name).write_text("mine")
    assert cli.run(["export", "--weights", str(weights_file), *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (sentence,) = err.splitlines()
    assert sentence.startswith("Error: ")
    assert words in sentence
    assert sentence.endswith(".")
    assert Path("taken/README.md").read_text() == Path("file").read_text() == "mine"
    assert not Path("new").exists()
