"""The commands about a model: export it for other programs, learn and list its style controls."""

from __future__ import annotations

from pathlib import Path

import click

from digit_generator.cli.options import (
    Mistake,
    WholeNumber,
    generator_from_weights,
    weights_option,
    write_file,
)
from digit_generator.export import hugging_face_files, onnx_from_weights
from digit_generator.files import write_whole
from digit_generator.generate import DigitGenerator
from digit_generator.recipe import STROKE_MEASURES
from digit_generator.shapes import MissingExtraError
from digit_generator.style import (
    SAMPLES,
    UNITS,
    StyleControls,
    bytes_from_controls,
    learned_controls,
    style_path,
)
from digit_generator.weights import WeightsError


@click.command()
@click.option(
    "--onnx", metavar="FILE", type=click.Path(path_type=Path), help="Write an ONNX model, a name in .onnx."
)
@click.option(
    "--hugging-face",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write a folder for Hugging Face's hub: weights, choice, config.json and the model card.",
)
@weights_option
def export(onnx: Path | None, hugging_face: Path | None, weights: Path | None) -> None:
    """Write the trained generator for other programs.

    \b
    Examples:
      python -m digit_generator export --onnx generator.onnx
          inputs z and labels, outputs images and pixels: the network's own, raw and not finished
      python -m digit_generator export --hugging-face hub
          hub/model.safetensors, hub/config.json, hub/README.md, and the choice if there is one
    """
    if onnx is None and hugging_face is None:
        raise Mistake("There is nothing to write: name a form with --onnx FILE or --hugging-face DIR.")
    if onnx is not None and onnx.suffix != ".onnx":
        raise Mistake(f"--onnx {onnx} does not end in .onnx: choose a name that does.")
    if hugging_face is not None and not may_be_replaced(hugging_face):
        raise Mistake(f"{hugging_face} has other files in it: --hugging-face takes an empty or a new folder.")
    try:
        generator = DigitGenerator.load(weights)
        if onnx is not None:
            write_file(onnx, onnx_from_weights(generator.path), option="--onnx")
        if hugging_face is not None:
            for name, data in hugging_face_files(generator.path).items():
                write_file(hugging_face / name, data, option="--hugging-face")
    except WeightsError as error:
        raise Mistake(f"{error}, or name a file with --weights FILE.") from None


@click.group(invoke_without_command=True)
@click.pass_context
def style(context: click.Context) -> None:
    """How far --thickness, --slant and --width go, and how to learn them for weights of your own."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@style.command("ranges")
@weights_option
def style_ranges(weights: Path | None) -> None:
    """Print the range of every control, digit by digit."""
    generator = generator_from_weights(weights)
    controls = StyleControls.load(generator)
    click.echo(
        "digit  " + "  ".join(f"{name + ' (' + UNITS[name] + ')':<18}" for name in STROKE_MEASURES).rstrip()
    )
    for digit in range(10):
        ranges = controls.ranges(digit)
        cells = (f"{low:6.2f} to {high:5.2f}".ljust(18) for low, high in ranges.values())
        click.echo(f"{digit:<5}  " + "  ".join(cells).rstrip())


@style.command("learn")
@weights_option
@click.option(
    "--samples",
    type=WholeNumber(50, 100_000),
    default=SAMPLES,
    show_default=True,
    help="How many of each digit to draw and measure.",
)
def style_learn(weights: Path | None, samples: int) -> None:
    """Learn the style controls of these weights, and write them beside them.

    Draws and measures, for two minutes; needs scikit-image: pip install scikit-image.
    """
    generator = generator_from_weights(weights)
    assert generator.path is not None
    try:
        controls = learned_controls(generator, samples=samples, progress=True)
    except MissingExtraError as error:
        raise Mistake(f"{error}.") from None
    path = style_path(generator.path)
    try:
        write_whole(path, bytes_from_controls(controls))
    except OSError as error:
        raise Mistake(
            f"{path} cannot be written ({error.strerror}): copy the weights to a folder of yours."
        ) from None
    click.echo(path)


def may_be_replaced(folder: Path) -> bool:
    """Whether a folder is new, empty, or an export of this program, so that writing there loses nothing."""
    try:
        names = {path.name for path in folder.iterdir()}
        return not names or "digit_generator" in (folder / "config.json").read_text()
    except (FileNotFoundError, NotADirectoryError):
        return not folder.is_dir()
    except (OSError, ValueError):
        return False
