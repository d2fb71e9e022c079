"""The notebook trains and draws when its cells are run in order, on a small set in place of MNIST."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image
from small_mnist import make_small_set, write_small_set

from digit_generator import DigitGenerator

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "train_in_colab.ipynb"
SETTINGS = "arguments = []"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the notebook runs."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def executed(folder: Path) -> nbformat.NotebookNode:
    """The executed notebook; of the repository, its folder holds only the training file."""
    shutil.copy(ROOT / "mnist_gan_training.py", folder)
    digests = write_small_set(make_small_set(), folder / "mnist")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (settings,) = (cell for cell in notebook.cells if cell.source == SETTINGS)
    settings.source = "arguments = ['--recipe', 'classic', '--epochs', '2', '--batch-size', '64']"
    prepare = f"import mnist_gan_training; mnist_gan_training.DATA_SHA256.update({json.dumps(digests)})"
    keep = "import numpy as np; np.save('drawn.npy', pixels); np.save('asked.npy', asked[labels == digit])"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(prepare))
    notebook.cells.append(nbformat.v4.new_code_cell(keep))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("PYTHONPATH", raising=False)
        patch.delenv("MPLBACKEND", raising=False)  # an earlier test may have set it; a notebook sets its own
        client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
        return client.execute()


def test_it_trains_weights_that_the_page_can_draw_with(executed: nbformat.NotebookNode, folder: Path) -> None:
    generator = DigitGenerator.load(folder / "generator.pth")
    assert generator.is_ours
    assert generator.provenance is not None
    assert generator.provenance["epochs"] == 2


def test_it_draws_what_the_package_draws(executed: nbformat.NotebookNode, folder: Path) -> None:
    generator = DigitGenerator.load(folder / "generator.pth", raw=True)
    expected = generator.digits(np.arange(10).repeat(10), list(range(10)) * 10)
    drawn = np.load(folder / "drawn.npy")
    assert np.abs(expected.astype(int) - drawn).max() <= 1
    asked = generator.digits(7, range(5))
    assert np.abs(asked.astype(int) - np.load(folder / "asked.npy")).max() <= 1


def test_it_shows_two_pictures(executed: nbformat.NotebookNode) -> None:
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    for picture in pictures:
        with Image.open(io.BytesIO(base64.b64decode(picture))) as opened:
            assert np.asarray(opened.convert("L")).std() > 20


def test_it_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
