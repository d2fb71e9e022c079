"""From a file to a card, with real sides of a few hundred drawn digits in the place of MNIST."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from digit_generator.evaluation import __main__ as command
from digit_generator.evaluation import protocol, report, ruler
from digit_generator.evaluation.data import Digits, RealSide
from digit_generator.evaluation.networks.ocr import ocr_log_probabilities
from digit_generator.finish import VERSION
from digit_generator.generate import latents_from_seeds
from digit_generator.weights import digest_of_file

N = 160
PICTURES = {"digits.png", "least-liked.png", "shapes.png", "blind.png", "blind-key.json"}


@pytest.fixture(autouse=True)
def small(draw, monkeypatch):
    """The protocol with small numbers, and drawn digits as the real side."""
    learned, reference, not_copied = draw(4 * N, 1), draw(N, 2), draw(N // 2, 3)
    halves = reference[: N // 2], reference[N // 2 :]

    def from_folder(folder, against):
        return RealSide(against, learned, reference, *halves, learned, not_copied, learned)

    monkeypatch.setattr(report.RealSide, "from_folder", from_folder)
    for name, value in {
        "MIN_IMAGES": 50,
        "OCR_IMAGES": 6,
        "SHAPE_IMAGES": 30,
        "LEARNER_IMAGES": N,
        "LEARNER_VIEWS": 1,
        "LEARNER_TIMES": 2,
        "SCOUT": replace(protocol.SCOUT, epochs=1),
        "TWO_SAMPLE": replace(protocol.TWO_SAMPLE, epochs=1),
    }.items():
        monkeypatch.setattr(protocol, name, value)


@pytest.fixture
def run(tmp_path):
    """run(*arguments) -> the result; cards land in tmp_path / "card"."""

    def invoke(*arguments):
        folders = ["--data-dir", tmp_path, "--out", tmp_path / "card", "--cache", tmp_path / "cache"]
        return CliRunner().invoke(command.main, [str(argument) for argument in (*arguments, *folders)])

    return invoke


@pytest.fixture
def npz(draw, tmp_path):
    digits = draw(N, 7)
    path = tmp_path / "others.npz"
    np.savez(path, pixels=digits.pixels, labels=digits.labels)
    return path


def forbid(*_, **__):
    raise AssertionError("computed again")


def test_full_card_of_weights_and_resuming_it(run, save_weights, tmp_path, monkeypatch):
    weights, classic = save_weights(seed=0), save_weights(seed=1)
    result = run(weights, "--classic", classic)
    assert result.exit_code == 0, result.output
    card = json.loads((tmp_path / "card" / "quality.json").read_text())
    assert card["subject"] == {"name": "generator.pth", "sha256": digest_of_file(weights)}
    assert card["classic_sha256"] == digest_of_file(classic)
    assert set(card["generated"]) == set(protocol.ROWS_TEST)
    for column in ("raw", "classic", "real"):
        assert set(card[column]) == set(protocol.ROWS_TEST) - {"train_on_ten_times"}
    for column in ("raw", "classic"):
        assert {len(figures) for figures in card[column].values()} == {1}
    runs = {row: len(figures) for row, figures in card["generated"].items()}
    assert runs == {row: 1 if row == "train_on_ten_times" else 3 for row in protocol.ROWS_TEST}
    assert len(card["real"]["train_on_generated"]) == 3
    assert set(card["validation"]) == {*protocol.ROWS_OF_HALVES, "broken_shapes"}
    assert card["drawing"] == {
        "finish": VERSION,
        "choice_sha256": "",
        "seeds": 3 * N,
        "first_z_refused": 0,
        "refined": False,
    }
    sizes = {column: card[column]["distance"][0]["equal"]["images"] for column in report.COLUMNS}
    assert set(map(tuple, sizes.values())) == {(N // 2, N // 2)}
    assert card["generated"]["distance"][0]["full"]["images"] == [N, N]
    assert card["generated"]["train_on_ten_times"][0]["images"] == [2 * N, N]
    fids = {figures["full"]["fid"] for figures in (*card["generated"]["distance"], *card["raw"]["distance"])}
    assert len(fids) == 4  # three generations, and the raw one, are different sets
    assert fids.isdisjoint(figures["full"]["fid"] for figures in card["classic"]["distance"])
    folder = tmp_path / "card" / "quality"
    assert {path.name for path in folder.iterdir()} == PICTURES | {"closest.png"}

    before = {path: path.read_bytes() for path in (tmp_path / "card").rglob("*") if path.is_file()}
    for name in (
        "two_sample_test",
        "train_on_generated",
        "neighbour_measures",
        "ocr_log_probabilities",
        "copying",
    ):
        monkeypatch.setattr(ruler, name, forbid)
    assert run(weights, "--classic", classic).exit_code == 0
    assert {path: path.read_bytes() for path in before} == before


def test_a_card_that_was_cut_off_goes_on_where_it_was(run, npz, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ruler, "two_sample_test", forbid)
        assert isinstance(run(npz).exception, AssertionError)
    monkeypatch.setattr(ruler, "train_on_generated", forbid)  # comes before the row that failed
    monkeypatch.setattr(ruler, "neighbour_measures", forbid)
    calls = []
    monkeypatch.setattr(ruler, "copying", lambda *_: calls.append(1) or {"share": 0.5, "closest": []})
    run(npz)
    assert calls


def test_quick_card_of_a_file_of_digits_against_validation(run, npz, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "judge", forbid)  # the card's judges stay shut
    monkeypatch.setattr(ruler, "ocr_log_probabilities", forbid)
    result = run(npz, "--against", "validation", "--quick", "--name", "Someone's")
    assert result.exit_code == 0, result.output
    card = json.loads((tmp_path / "card" / "quality.json").read_text())
    assert card["subject"]["name"] == "Someone's"
    assert set(card["generated"]) == set(card["real"]) == set(protocol.ROWS_QUICK)
    for column in ("raw", "classic", "validation", "drawing"):
        assert card[column] is None
    assert {len(figures) for figures in card["generated"].values()} == {1}
    assert {path.name for path in (tmp_path / "card" / "quality").iterdir()} == PICTURES
    assert "Someone's" in (tmp_path / "card" / "quality.md").read_text()


def test_full_card_against_validation_leaves_the_ocr_judge_out(run, npz, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "judge", forbid)
    monkeypatch.setattr(ruler, "ocr_log_probabilities", forbid)
    assert run(npz, "--against", "validation").exit_code == 0
    card = json.loads((tmp_path / "card" / "quality.json").read_text())
    assert set(card["generated"]) == set(protocol.ROWS_VALIDATION)


def test_classic_beside_the_weights_is_found_and_never_beside_itself(run, save_weights, tmp_path):
    weights = save_weights(seed=0, folder=tmp_path)
    save_weights(seed=1).replace(tmp_path / "classic.pth")
    run(weights, "--quick")
    card = tmp_path / "card" / "quality.json"
    assert json.loads(card.read_text())["classic_sha256"] == digest_of_file(tmp_path / "classic.pth")
    run(tmp_path / "classic.pth", "--quick")
    assert json.loads(card.read_text())["classic"] is None


def test_image_i_of_generation_g_has_seed_g_times_n_plus_i(weights_file, generator):
    source = report.source_from_file(weights_file)
    labels = np.array([3, 1, 4, 1, 5])
    digits = source.digits(labels, 2 * 5)
    for i, label in enumerate(labels):
        assert (digits.pixels[i] == generator.digits(int(label), [10 + i])[0]).all()
    assert (digits.labels == labels).all()


def test_digits_are_finished_and_chosen_and_raw_ones_beside_them_are_not(choosy):
    source, labels = report.source_from_file(choosy.path), np.arange(100) % 10
    network = choosy.variant(raw=True, every_z=True)
    assert (source.digits(labels, 50).pixels == choosy.digits(labels, range(50, 150))).all()
    assert (source.raw.digits(labels, 50).pixels == network.digits(labels, range(50, 150))).all()
    drawing, seeds = source.drawing(labels), 3 * 100
    refused = (choosy.latents(range(seeds), np.tile(labels, 3)) != latents_from_seeds(range(seeds))).any(
        axis=1
    )
    assert drawing == {
        "finish": VERSION,
        "choice_sha256": choosy.choice_digest,
        "seeds": seeds,
        "first_z_refused": refused.mean(),
        "refined": False,
    }
    assert 0.1 < drawing["first_z_refused"] < 0.6
    told = choosy.path.with_name("generator.json")
    told.write_text(json.dumps({"weights_sha256": choosy.digest, "refined": {}}))
    assert report.source_from_file(choosy.path).drawing(labels)["refined"]
    told.unlink()
    assert source.raw.drawing(labels)["first_z_refused"] == 0


def test_figures_are_filed_under_what_draws(choosy, weights_file, monkeypatch):
    chosen, every = report.source_from_file(choosy.path), report.source_from_file(weights_file)
    assert chosen.digest == every.digest
    assert len({source.drawn_by for source in (chosen, every, chosen.raw)}) == 3
    assert chosen.raw.drawn_by == every.raw.drawn_by
    monkeypatch.setattr("digit_generator.finish.ROUGHNESS", 26)
    assert report.source_from_file(weights_file).drawn_by != every.drawn_by


def test_more_digits_than_are_drawn_at_a_time(weights_file, generator, monkeypatch):
    monkeypatch.setattr(report, "_DRAWN_AT_A_TIME", 4)
    labels = np.arange(10)
    digits = report.source_from_file(weights_file).digits(labels, 100)
    assert (digits.pixels == generator.digits(list(range(10)), range(100, 110))).all()


def test_generations_and_what_learners_see_share_no_seed(ruler_of_drawn, monkeypatch):
    seeds = []

    class Spy:
        generations = 3

        def digits(self, labels, first_seed):
            seeds.append(set(range(first_seed, first_seed + len(labels))))
            return Digits(np.zeros((len(labels), 28, 28), np.uint8), labels)

    monkeypatch.setattr(ruler.Ruler, "asked_own", lambda self, fake: {})
    monkeypatch.setattr(ruler.Ruler, "train_on_generated", lambda self, fake, run: {})
    for number in range(3):
        rows = report.generated_rows(ruler_of_drawn, Spy(), number, 2 * N)
        rows["asked_own"]()
        rows["train_on_generated"]()
    assert len(seeds) == 6
    assert len(set().union(*seeds)) == 3 * N + 3 * 2 * N


def test_figures_are_filed_under_what_they_depend_on(ruler_of_drawn, draw):
    side = ruler_of_drawn.side
    other_half = replace(side, opposite=draw(N // 2, 99))
    few, many = (report.Run("real", "real", 0, count, {}) for count in (100, 200))
    assert few.made_from("train_on_generated", side) != many.made_from("train_on_generated", side)
    assert few.made_from("distance", side) == many.made_from("distance", side)
    assert few.made_from("distance", side) != few.made_from("distance", other_half)
    assert few.made_from("copying", side) == few.made_from("copying", other_half)


def test_learners_see_as_many_real_digits_as_a_file_holds(ruler_of_drawn, draw, tmp_path, monkeypatch):
    path = tmp_path / "few.npz"
    np.savez(path, pixels=draw(90, 0).pixels, labels=draw(90, 0).labels)
    source = report.source_from_file(path)
    seen = []
    monkeypatch.setattr(
        ruler.Ruler, "train_on_generated", lambda self, digits, run: seen.append(digits) or {}
    )
    for run in report._runs(ruler_of_drawn, source, None, quick=False):
        if "train_on_generated" in run.rows:
            run.rows["train_on_generated"]()
    assert [len(digits) for digits in seen] == [90] * 4  # three times real, once the file's
    assert len({digits.digest for digits in seen}) == 4


def test_shown_are_the_first_seeds_of_every_digit(weights_file, generator, npz):
    shown = report.source_from_file(weights_file).shown(3)
    assert shown.labels.tolist() == [d for d in range(10) for _ in range(3)]
    assert (shown.pixels[3 * 4 + 2] == generator.digits(4, [2])[0]).all()
    held = report.source_from_file(npz)
    assert (held.shown(2).pixels[1] == held.held.pixels[10]).all()


def test_features_of_another_network(run, npz, tmp_path):
    onnx = tmp_path / "no.onnx"
    onnx.write_bytes(b"no network")
    result = run(npz, "--quick", "--features", onnx)
    assert result.exit_code == 2
    assert "no ONNX network" in result.output


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"pixels": np.zeros((60, 28, 28)), "labels": np.zeros(60, int)}, "expected uint8"),
        ({"pixels": np.zeros((40, 28, 28), np.uint8), "labels": np.zeros(40, int)}, "at least 50"),
    ],
)
def test_a_mistake_is_one_sentence_with_exit_code_2(run, tmp_path, arrays, said):
    np.savez(tmp_path / "digits.npz", **arrays)
    result = run(tmp_path / "digits.npz")
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "card").exists()


def test_weights_that_are_none_are_refused(run, tmp_path):
    (tmp_path / "generator.pth").write_bytes(b"nothing")
    result = run(tmp_path / "generator.pth")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_the_blind_sheet_keeps_its_secret_and_its_key_is_right(run, npz, tmp_path, draw, monkeypatch):
    run(npz, "--quick")
    folder = tmp_path / "card" / "quality"
    key = json.loads((folder / "blind-key.json").read_text())
    sheet = np.asarray(Image.open(folder / "blind.png"))
    step = (28 + 4) * 3
    assert len(key) == 100
    assert sorted(entry["source"] for entry in key) == ["generated"] * 50 + ["real"] * 50
    held = {
        "generated": {image.tobytes() for image in draw(N, 7).pixels},
        "real": {image.tobytes() for image in draw(N, 2).pixels},
    }
    for entry in key:
        top, left = (entry["row"] - 1) * step, (entry["column"] - 1) * step
        shown = sheet[top : top + 84 : 3, left : left + 84 : 3]
        assert np.ascontiguousarray(shown).tobytes() in held[entry["source"]]
    sources = [entry["source"] for entry in key]
    assert 20 < sum(a != b for a, b in pairwise(sources)) < 80


def test_least_liked_are_the_ones_read_otherwise(ruler_of_drawn, draw):
    digits = draw(60, 8)
    labels = digits.labels.copy()
    labels[[5, 31]] = [0, 9]  # a five asked for as 0, a one asked for as 9
    disliked = ruler_of_drawn.least_liked_by_own(Digits(digits.pixels, labels))[:2]
    assert {(entry.number, entry.read) for entry in disliked} == {(5, 5), (31, 1)}


def test_least_liked_by_the_ocr_judge_carry_their_number_in_the_generation(ruler_of_drawn, draw):
    digits = draw(60, 8)
    for entry in ruler_of_drawn.least_liked_by_ocr(digits):
        alone = ocr_log_probabilities(digits.pixels[entry.number][None])
        assert alone.argmax() == entry.read


@pytest.fixture
def ruler_of_drawn(tmp_path):
    from digit_generator.evaluation.cache import Cache
    from digit_generator.evaluation.networks.judges import judge

    return ruler.Ruler(report.RealSide.from_folder(tmp_path, "test"), judge(), Cache(tmp_path / "cache"))


@pytest.mark.parametrize("option", ["--out", "--cache"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    weights_file, tmp_path, monkeypatch, option
):
    monkeypatch.setattr(command, "make_card", forbid)
    (tmp_path / "file").write_text("mine")
    folders = {"--data-dir": tmp_path, "--out": tmp_path / "card", "--cache": tmp_path / "cache"}
    folders[option] = tmp_path / "file" / "folder"
    words = [str(word) for pair in folders.items() for word in pair]
    result = CliRunner().invoke(command.main, [str(weights_file), *words])
    assert result.exit_code == 2
    assert f"cannot be written (Not a directory): choose another folder with {option}." in result.output
