import json
import shutil

import pytest

from digit_generator.evaluation import protocol
from digit_generator.evaluation.card import (
    ALL,
    BROKEN,
    BY_EYE,
    COPYING,
    FID,
    LEARNER,
    LEARNER_TEN,
    OWN,
    RECALL,
    SHAPE_ROWS,
    TWO_SAMPLE,
    markdown_from_card,
    readme_table,
    table,
    warnings_of,
    with_by_eye,
)
from digit_generator.evaluation.data import EvaluationError
from digit_generator.evaluation.networks.classifier import digest_of_classifier
from digit_generator.evaluation.networks.judges import judge
from digit_generator.evaluation.publish import CLASSIC, REPOSITORY, published_files, stale
from digit_generator.files import write_whole
from digit_generator.weights import digest_of_file

CLASSIC_JSON = "docs/training/classic/classic.json"


def rows(asked=0.99, broken=0.02, fid=1.0, recall=0.9, learner=0.98, two_sample=0.5, generations=3):
    """Rows with a given figure or so: generation g has it plus g - 1 hundredths."""
    off = [(g - 1) / 100 if generations > 1 else 0 for g in range(generations)]
    asked_row = [
        {"share": asked, "per_digit": [asked] * 9 + [None], "images": 3_000, "seconds": 2} for _ in off
    ]
    broken_row = [{**row, "share": broken, "per_digit": [broken] * 10} for row in asked_row]
    sizes = {"images": [5_000, 10_000]}
    shape = {"fake_mean": 1, "fake_deviation": 2, "real_mean": 3, "real_deviation": 4, "distance": 0.25}
    ratios = {"mean": 0.9, "per_digit": [0.9] * 10}
    return {
        "asked_own": asked_row,
        "asked_ocr": asked_row,
        "broken_shapes": broken_row,
        "distance": [{"equal": {"fid": fid + o, "kid": 0.001, **sizes}, "seconds": 4} for o in off],
        "neighbours": [
            {
                "equal": {"precision": 0.9, "recall": recall, "density": 1, "coverage": 0.9, **sizes},
                "seconds": 4,
            }
            for o in off
        ],
        "train_on_generated": [
            {"accuracy": learner + o, "images": [20_000, 10_000], "seconds": 60} for o in off
        ],
        "two_sample": [{"accuracy": two_sample, **sizes, "seconds": 30} for o in off],
        "copying": [{"share": 0.51, "images": [10_000, 10_000], "seconds": 9} for o in off],
        "diversity": [
            {
                "pixel_spread": ratios,
                "feature_spread": ratios,
                "shapes": dict.fromkeys(("thickness", "slant", "width"), shape),
                "images": [10_000, 10_000],
                "shape_images": [2_500, 2_500],
                "seconds": 5,
            }
            for o in off
        ],
    }


@pytest.fixture
def card():
    return {
        "ruler": 1,
        "against": "test",
        "quick": False,
        "subject": {"name": "generator.pth", "sha256": "ab" * 32},
        "drawing": {"finish": 3, "choice_sha256": "ef" * 32, "seeds": 30_000, "first_z_refused": 0.1934},
        "classic_sha256": "cd" * 32,
        "features": "classifier",
        "real": rows(asked=0.996, fid=0.5, recall=0.95, learner=0.985, generations=1),
        "generated": rows(),
        "raw": rows(broken=0.06, two_sample=0.991, generations=1),
        "validation": {
            row: rows(fid=0.7, generations=1)[row]
            for row in ("distance", "neighbours", "two_sample", "diversity")
        },
        "classic": rows(asked=0.93, fid=40, recall=0.5, learner=0.96, two_sample=0.998, generations=1),
    }


def test_a_figure_is_the_mean_and_deviation_over_generations(card):
    assert FID.text(card["generated"]) == "1.000 ± 0.010"
    assert FID.text(card["real"]) == "0.500"
    assert OWN.text(card["real"]) == "99.60 % (99.30 to 99.77)"  # 2,988 of 3,000
    assert OWN.text(card["generated"]) == "99.00 ± 0.00 % (98.77 to 99.19)"  # 8,910 of 9,000
    assert COPYING.text({}) == "–"


def test_a_figure_beside_the_real_one(card):
    assert FID.against_real(card["generated"], card["real"]) == "× 2.00"
    assert RECALL.against_real(card["generated"], card["real"]) == "× 0.947"
    assert LEARNER.against_real(card["generated"], card["real"]) == "-0.50"
    assert SHAPE_ROWS[0].against_real(card["generated"], card["real"]) == ""


def test_ten_times_as_many_stand_beside_the_same_real_images(card):
    ten = {"train_on_ten_times": [{"accuracy": 0.987}]}
    assert LEARNER_TEN.against_real(ten, card["real"]) == "+0.20"


def test_every_figure_says_how_many_images(card):
    assert OWN.images(card["generated"]) == "3 × 3,000"
    assert FID.images(card["generated"]) == "3 × 5,000 against 10,000"
    assert SHAPE_ROWS[0].images(card["generated"]) == "3 × 2,500 against 2,500"
    for line in table(card, ALL).splitlines()[2:]:
        assert "3 × " in line


def test_raw_stands_beside_what_ships(card):
    assert BROKEN.text(card["generated"]) == "2.00 ± 0.00 % (1.73 to 2.31)"
    line = next(line for line in table(card, [BROKEN]).splitlines() if BROKEN.title in line)
    assert [cell.strip()[:4] for cell in line.split("|")[3:7]] == ["2.00", "+0.0", "2.00", "6.00"]
    line = next(line for line in readme_table(card).splitlines() if TWO_SAMPLE.title in line)
    assert [cell.strip() for cell in line.split("|")[2:6]] == ["50.0 ± 0.0 %", "99.1 %", "50.0 %", "99.8 %"]


def test_a_card_without_raw_is_told_as_well(card):
    del card["raw"]
    assert "`raw`" not in table(card, ALL)
    assert [line.split("|")[3] for line in readme_table(card).splitlines()[2:]] == [" – "] * 11


def test_the_card_says_how_its_digits_were_drawn(card):
    text = markdown_from_card(card)
    assert "It rejected the first z of 19.3 % of the 30,000 seeds drawn." in text
    assert "(`digit_generator/choose.py`, file `efefefefefefefef…`)" in text
    assert "misread by two networks that are no judges of this card" in text
    assert "were finished (version 3, `digit_generator/finish.py`)" in text
    assert "refined" not in text
    card["drawing"]["refined"] = True
    assert "refined after the training" in markdown_from_card(card)
    card["drawing"] |= {"finish": 0, "choice_sha256": ""}
    text = markdown_from_card(card)
    assert "no z was rejected and no image left out. The pixels are the network's own" in text
    card["drawing"] = None
    assert "As they came, in a file; no image was left out." in markdown_from_card(card)


def test_what_a_person_saw_is_a_row_of_the_same_digits_only(card):
    seen = {
        "weights_sha256": "ab" * 32,
        "finish": 3,
        "choice_sha256": "ef" * 32,
        "generated": {"share": 0.165, "images": 400},
        "real": {"share": 0.0375, "images": 400},
    }
    shown = with_by_eye(card, seen)
    assert BY_EYE.text(shown["generated"]) == "16.5 % (13.18 to 20.45)"
    assert f"| {BY_EYE.title} | 400 | 16.5 % (13.18 to 20.45) | +12.8 | 3.8 %" in markdown_from_card(shown)
    assert BY_EYE.title in readme_table(shown)
    assert BY_EYE.title not in readme_table(card)
    for name, other in {"weights_sha256": "cd" * 32, "finish": 2, "choice_sha256": ""}.items():
        assert with_by_eye(card, {**seen, name: other}) == card


def test_a_sound_card_has_no_warning(card):
    assert warnings_of(card) == []


@pytest.mark.parametrize(
    ("column", "changed", "said"),
    [
        ("generated", {"asked": 0.999}, "That is no win"),
        ("real", {"asked": 0.991}, "own judge reads only 99.10 %"),
        ("real", {"asked": 0.996, "two_sample": 0.53}, "tells real from real in 53.0 %"),
        ("real", {"asked": 0.996, "two_sample": 0.47}, "tells real from real in 47.0 %"),
        ("classic", {"two_sample": 0.9}, "tells classic from real in only 90.0 %"),
    ],
)
def test_doubtful_figures_are_warned_of(card, column, changed, said):
    card[column] = rows(**changed)
    assert any(said in warning for warning in warnings_of(card))
    assert said in markdown_from_card(card)


def test_a_quick_card_says_so_and_leaves_no_gaps(card):
    for column in ("generated", "raw", "real", "classic"):
        card[column] = {row: card[column][row] for row in protocol.ROWS_QUICK}
    card.update(quick=True, classic=None, validation=None)
    text = markdown_from_card(card)
    assert "quick" in text
    assert "closest.png" not in text
    assert TWO_SAMPLE.title not in text


def test_other_generators_are_lines_of_one_table(card):
    other = {**card, "subject": {"name": "Someone's", "sha256": "ef" * 32}, "generated": rows(fid=99)}
    lines = markdown_from_card(card, [other]).splitlines()
    line = next(line for line in lines if line.startswith("| Someone's |"))
    assert "99.000" in line
    assert "(-0.50)" in line


@pytest.fixture
def repository(tmp_path, card, save_weights):
    """A repository whose card, README and weights agree."""
    save_weights(seed=0, folder=tmp_path)
    classic = save_weights(seed=1)
    (tmp_path / CLASSIC).parent.mkdir(parents=True)
    shutil.copy(classic, tmp_path / CLASSIC)
    card["subject"]["sha256"] = digest_of_file(tmp_path / "generator.pth")
    card["classic_sha256"] = digest_of_file(tmp_path / CLASSIC)
    for name, digest in (
        ("generator.json", card["subject"]["sha256"]),
        (CLASSIC_JSON, card["classic_sha256"]),
    ):
        (tmp_path / name).write_text(json.dumps({"seed": 0, "weights_sha256": digest}))
    (tmp_path / "docs" / "quality.json").write_text(json.dumps(card))
    (tmp_path / "README.md").write_text("above\n<!-- quality:begin -->\nold\n<!-- quality:end -->\nbelow\n")
    for path, text in published_files(tmp_path).items():
        write_whole(path, text.encode())
    return tmp_path


def test_publishing_writes_between_the_marks_only(repository, card):
    readme = (repository / "README.md").read_text()
    assert readme == f"above\n<!-- quality:begin -->\n{readme_table(card)}\n<!-- quality:end -->\nbelow\n"
    assert stale(repository) == []


def test_publishing_adds_the_quality_to_where_the_weights_come_from(repository, card):
    for name, column in (("generator.json", "generated"), (CLASSIC_JSON, "classic")):
        told = json.loads((repository / name).read_text(encoding="utf-8"))
        assert told["seed"] == 0
        assert told["quality"]["generated"][OWN.title] == OWN.text(card[column])
        assert told["quality"]["real"][OWN.title] == OWN.text(card["real"])


def test_publishing_takes_up_what_a_person_saw(repository, card):
    drawn_by = {"weights_sha256": card["subject"]["sha256"], "finish": 3, "choice_sha256": "ef" * 32}
    seen = {column: {"share": 0.5, "images": 400} for column in ("generated", "real")}
    (repository / "docs" / "quality").mkdir()
    (repository / "docs" / "quality" / "by-eye.json").write_text(json.dumps(drawn_by | seen))
    published = published_files(repository)
    for name in ("README.md", "docs/quality.md", "generator.json"):
        assert BY_EYE.title in published[repository / name]
        assert name.split("/")[-1] in " ".join(stale(repository))


@pytest.mark.parametrize("name", ["README.md", "docs/quality.md", "generator.json", CLASSIC_JSON])
def test_a_number_changed_by_hand_is_noticed(repository, name):
    path = repository / name
    path.write_text(path.read_text(encoding="utf-8").replace(" %", "9 %", 1), encoding="utf-8")
    assert [name.split("/")[-1] in found for found in stale(repository)] == [True]


@pytest.mark.parametrize("name", ["generator.pth", CLASSIC])
def test_other_weights_than_were_measured_are_noticed(repository, save_weights, name):
    shutil.copy(save_weights(seed=2), repository / name)
    assert [name in found for found in stale(repository)] == [True]


def test_a_readme_without_marks_is_a_sentence(repository):
    (repository / "README.md").write_text("nothing")
    with pytest.raises(EvaluationError, match="quality:begin"):
        stale(repository)


def test_this_repository_agrees_with_its_card():
    assert stale(REPOSITORY) == []


def test_the_published_card_is_the_full_one_by_the_judge_in_the_package():
    card = json.loads((REPOSITORY / "docs" / "quality.json").read_text())
    assert (card["against"], card["quick"], card["ruler"]) == ("test", False, protocol.VERSION)
    assert card["reader_sha256"] == digest_of_classifier(judge())
    assert card["real"]["asked_own"][0]["share"] >= protocol.JUDGE_MIN_ACCURACY
