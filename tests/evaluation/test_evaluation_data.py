import gzip
import hashlib

import numpy as np
import pytest

import mnist_gan_training
from digit_generator.evaluation import data
from digit_generator.evaluation.data import (
    MNIST_SHA256,
    Digits,
    EvaluationError,
    RealSide,
    digits_from_npz,
    first_of_each_digit,
    mnist_from_folder,
    random_part,
)

PARTS = {"train": 60, "t10k": 20}


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Files like MNIST's, with 60 and 20 images; image i of a part is filled with the grey level i."""
    digests = {}
    for part, count in PARTS.items():
        pixels = np.repeat(np.arange(count, dtype=np.uint8), 784).tobytes()
        labels = (np.arange(count, dtype=np.uint8) % 10).tobytes()
        for name, content in (
            (f"{part}-images-idx3-ubyte", b"\0\0\x08\x03" + bytes(12) + pixels),
            (f"{part}-labels-idx1-ubyte", b"\0\0\x08\x01" + bytes(4) + labels),
        ):
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
            digests[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(data, "MNIST_SHA256", digests)
    monkeypatch.setattr(data, "LEARNED_IMAGES", 40)
    return tmp_path


def levels(digits: Digits) -> set[int]:
    return set(digits.pixels[:, 0, 0].tolist())


def test_the_published_digests():
    known = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    assert data.MNIST_SHA256["train-images-idx3-ubyte"] == known
    assert len(set(data.MNIST_SHA256.values())) == 4


@pytest.mark.parametrize("unpacked", [False, True])
def test_reads_pixels_and_labels_gzipped_or_not(small_mnist, unpacked):
    if unpacked:
        for path in list(small_mnist.iterdir()):
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    digits = mnist_from_folder(small_mnist, "train")
    assert digits.pixels.shape == (60, 28, 28)
    assert (digits.pixels[37] == 37).all()
    assert digits.labels[37] == 7


def test_a_changed_byte_is_noticed(small_mnist):
    path = small_mnist / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(EvaluationError, match="differs from MNIST's published file"):
        mnist_from_folder(small_mnist, "t10k")


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"x" * 1000)[:-9]], ids=["empty", "another", "cut short"]
)
def test_a_broken_archive_is_a_sentence_too(small_mnist, content):
    (small_mnist / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(EvaluationError, match="differs from MNIST's published file"):
        mnist_from_folder(small_mnist, "t10k")


def test_a_missing_file_is_named_with_the_way_out(tmp_path):
    with pytest.raises(EvaluationError, match=r"holds no train-images.*--data-dir"):
        mnist_from_folder(tmp_path, "train")


def test_roles_against_the_test_set(small_mnist):
    side = RealSide.from_folder(small_mnist, "test")
    assert levels(side.learned) == set(range(40))
    assert (len(side.reference), levels(side.reference)) == (20, set(range(20)))
    assert len(side.stand_in) == len(side.opposite) == 10
    assert levels(side.stand_in) | levels(side.opposite) == set(range(20))
    assert levels(side.known) == set(range(60))
    assert levels(side.not_copied) == set(range(40, 60))
    assert levels(side.not_copied_known) == set(range(40))


def test_roles_against_validation_never_open_the_test_set(small_mnist):
    for path in small_mnist.glob("t10k*"):
        path.unlink()
    side = RealSide.from_folder(small_mnist, "validation")
    assert levels(side.learned) == levels(side.known) == set(range(40))
    assert levels(side.reference) == set(range(40, 60))
    assert len(side.stand_in) == len(side.opposite) == 10
    assert levels(side.stand_in) | levels(side.opposite) == set(range(40, 60))
    assert len(side.not_copied) == 20
    assert levels(side.not_copied) | levels(side.not_copied_known) == set(range(40))
    assert not levels(side.not_copied) & levels(side.not_copied_known)


def test_halves_are_drawn_not_cut(small_mnist):
    side = RealSide.from_folder(small_mnist, "validation")
    assert levels(side.opposite) not in (set(range(40, 50)), set(range(50, 60)))
    assert {level % 2 for level in levels(side.opposite)} == {0, 1}


def test_random_parts_are_the_same_each_time_and_nested(draw):
    digits = draw(50, 0)
    part = random_part(digits, 20)
    assert (part.pixels == random_part(digits, 20).pixels).all()
    assert (random_part(digits, 30).pixels[:20] == part.pixels).all()
    assert len({image.tobytes() for image in random_part(digits, 99).pixels}) == 50


def test_digest_knows_pixels_and_labels(draw):
    digits = draw(20, 0)
    assert digits.digest == draw(20, 0).digest
    assert digits.digest != digits[::-1].digest
    assert digits.digest != Digits(digits.pixels, digits.labels[::-1]).digest


def test_first_of_each_digit_in_order(draw):
    digits = draw(50, 0)
    shown = first_of_each_digit(digits, 2)
    assert shown.labels.tolist() == [d for d in range(10) for _ in range(2)]
    assert (shown.pixels[7] == digits.pixels[13]).all()  # the second three


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (np.zeros((3, 28, 28)), np.zeros(3, int)),
        (np.zeros((3, 784), np.uint8), np.zeros(3, int)),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(2, int)),
        (np.zeros((3, 28, 28), np.uint8), np.array([0, 1, 10])),
        (np.zeros((3, 28, 28), np.uint8), np.array([0.0, 1.0, 2.0])),
    ],
)
def test_other_arrays_are_refused(pixels, labels, tmp_path):
    np.savez(tmp_path / "digits.npz", pixels=pixels, labels=labels)
    with pytest.raises(EvaluationError, match="expected"):
        digits_from_npz(tmp_path / "digits.npz")


def test_a_single_array_is_refused(tmp_path):
    path = tmp_path / "digits.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(EvaluationError, match=r"numpy\.savez"):
        digits_from_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK nothing", b"PK\3\4 nothing", None])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "digits.npz"
    if content is None:
        np.savez(path, images=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"numpy\.savez"):
        digits_from_npz(path)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "digits.npz", pixels=np.array([object()]), labels=np.zeros(1, int))
    with pytest.raises(EvaluationError, match=r"numpy\.savez"):
        digits_from_npz(tmp_path / "digits.npz")


def test_the_digests_of_mnist_are_those_of_the_training_file():
    assert MNIST_SHA256 == mnist_gan_training.DATA_SHA256


@pytest.mark.parametrize(
    "place",
    [
        "{name}",
        "{dotted}",
        "{dotted}.gz",
        "{dotted}/{name}",
        "{name}/{dotted}",
        "MNIST/raw/{name}.gz",
        "raw/{name}",
    ],
)
def test_folders_as_people_have_them(small_mnist, tmp_path_factory, place):
    folder = tmp_path_factory.mktemp("theirs")
    for path in small_mnist.glob("*.gz"):
        name = path.name.removesuffix(".gz")
        target = folder / place.format(name=name, dotted=name.replace("-idx", ".idx"))
        target.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        target.write_bytes(content if place.endswith(".gz") else gzip.decompress(content))
    assert len(mnist_from_folder(folder, "t10k")) == PARTS["t10k"]
