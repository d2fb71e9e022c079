"""The other pages' logic, without a browser: what is made, what stays, and what is said of what cannot be."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from choices import make_choice_file
from PIL import Image
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest

from digit_generator import DigitGenerator, weights
from digit_generator.choose import choice_path
from digit_generator.finish import scans
from digit_generator.generate import latents_from_seeds
from digit_generator.morph import morph
from digit_generator.number import write_number
from digit_generator.recipe import Recipe
from digit_generator.render import (
    animation_from_pixels,
    digits_from_training_sheet,
    recipe_text_from_png,
)
from digit_generator.style import Style, StyleControls, bytes_from_controls, styled_digits
from screens import draw
from screens.before import MAX
from screens.game import pixels_of_tile, tiles_of_round
from screens.learn import ROWS, card_columns, card_rows, verdict
from screens.model import turn
from screens.morph import SMALL
from screens.styles import nearest_style, styled_pixels
from screens.widgets import escape_markdown

ROOT = Path(__file__).parents[1]
PAGES = ["draw", "number", "morph", "game", "dataset", "learn"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the pages look for generator.pth in this test: a folder of its own, with none in it at first."""
    path = tmp_path / "generator.pth"
    find_weights = weights.find_weights
    monkeypatch.setattr(weights, "find_weights", lambda: find_weights(path))
    st.cache_resource.clear()
    st.cache_data.clear()
    return path


@pytest.fixture
def ours(place: Path, weights_file: Path) -> DigitGenerator:
    """The generator that the pages draw with."""
    shutil.copy(weights_file, place)
    return DigitGenerator.load(place)


@pytest.fixture
def choosing(ours: DigitGenerator, choice_file: bytes) -> DigitGenerator:
    """As `ours`, with a choice file beside its weights."""
    choice_path(ours.path).write_bytes(choice_file)
    return DigitGenerator.load(ours.path)


@pytest.fixture
def controls(ours: DigitGenerator) -> StyleControls:
    """Style controls of its weights, in numbers that any generator could have."""
    shapes = {"thickness": (1.5, 4.5), "slant": (-0.4, 0.6), "width": (6.0, 18.0)}
    learned = {
        "format": 1,
        "weights_sha256": ours.digest,
        "shapes": {
            name: {
                "slope": [1.0] * 10,
                "intercept": [0.0] * 10,
                "low": [low] * 10,
                "high": [high - 0.5 * (digit == 1) for digit in range(10)],  # a 1 goes less far
                "spread": [0.5] * 10,
            }
            for name, (low, high) in shapes.items()
        },
    }
    made = StyleControls(ours, learned)
    ours.path.with_suffix(".style.json").write_bytes(bytes_from_controls(made))
    return made


def visit(page: str, **address: str) -> AppTest:
    """The page as a visitor opens it at this address."""
    test = AppTest.from_file(ROOT / "screens" / f"{page}.py", default_timeout=180)
    test.query_params.update(address)
    return checked(test.run())


def checked(page: AppTest) -> AppTest:
    assert not page.exception, page.exception[0].message
    return page


def state(page: AppTest) -> dict[str, str]:
    """The parameters of the page's address."""
    return {name: value if isinstance(value, str) else value[0] for name, value in page.query_params.items()}


def html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def texts(page: AppTest) -> str:
    """All that is said in words, in one string, without Markdown's escapes, with code between backticks."""
    elements = (*page.title, *page.caption, *page.markdown, *page.warning, *page.info)
    words = unescape(re.sub("<[^>]+>", "", re.sub("</?code>", "`", html(page))))
    return "\n".join([*(element.value.replace("\\", "") for element in elements), words])


@pytest.mark.parametrize("page", PAGES)
def test_without_a_model_every_page_says_so_and_how_to_mend_it(place: Path, page: str) -> None:
    test = visit(page)
    assert "generator.pth" in texts(test) or "no trained model" in texts(test)
    if page != "learn":
        assert "git checkout generator.pth" in texts(test)


HOSTILE = ["", "-1", "99999999999999999999", "🙂<b>"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("value", HOSTILE)
def test_no_address_makes_a_traceback(ours: DigitGenerator, page: str, value: str) -> None:
    names = ("digit", "seed", "count", "text", "to", "to_seed", "frames", "round", "format", "digits")
    test = visit(page, **dict.fromkeys((*names, "thickness", "slant", "width", "raw", "every_z"), value))
    assert "This link asks for" in texts(test)
    assert "None" not in texts(test)


@pytest.mark.parametrize("text", ["", "   ", "🙂", "١٢٣", "1" * 200, "<script>", "` `", "-."])
def test_no_text_makes_a_traceback(ours: DigitGenerator, text: str) -> None:
    page = visit("number")
    checked(page.text_input(key="number.text").input(text).run())
    assert "2026, handwritten-style" in html(page) or text in html(page), "the last one that could be written"
    assert bool(page.warning or page.info) == ("2026, handwritten-style" in html(page))


def test_one_bad_character_is_named_and_takes_nothing_away(ours: DigitGenerator) -> None:
    page = visit("number", text="3.14", seed="42")
    checked(page.text_input(key="number.text").input("3.1a4").run())
    assert "'a' (character 4) cannot be written" in texts(page)
    np.testing.assert_array_equal(line_of(page), write_number(ours, "3.14", 42).picture)
    assert state(page) == {"text": "3.14", "seed": "42"}
    checked(page.text_input(key="number.text").input("7" * 212).run())
    assert "The text has 212 characters: expected 200 at most." in texts(page)


def test_a_number_is_written_as_the_library_writes_it_and_the_address_says_so(ours: DigitGenerator) -> None:
    page = visit("number", text="3.14", seed="42")
    picture = line_of(page)
    np.testing.assert_array_equal(picture, write_number(ours, "3.14", 42).picture)
    assert state(page) == {"text": "3.14", "seed": "42"}
    checked(page.button(key="number_new_seed").click().run())
    assert state(page)["seed"] != "42"
    assert state(page)["text"] == "3.14", "a new seed must not take the text away"
    again = visit("number", **state(page))
    np.testing.assert_array_equal(line_of(again), line_of(page))


def line_of(page: AppTest) -> np.ndarray:
    """The enlarged line, put together from its slices."""
    (figure,) = re.findall(r"<div class=enlarged[^>]*>(.*?)</div>", html(page))
    slices = re.findall(r'src="data:image/png;base64,([^"]+)"', figure)
    return np.hstack([np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in slices])


def images(page: AppTest, kind: str) -> list[np.ndarray]:
    """What the <img>s of one kind hold, in order."""
    found = re.findall(rf'<img class={kind} [^>]*?src="data:image/png;base64,([^"]+)"', html(page))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))) for source in found]


VARIANTS = [{}, {"raw": "1"}, {"every_z": "1"}, {"raw": "1", "every_z": "1"}, {}]  # none stays in the way


def test_digits_are_finished_and_chosen_and_otherwise_if_asked(choosing: DigitGenerator) -> None:
    seen = []
    for asked in VARIANTS:
        page = visit("draw", digit="3", seed="5", **asked)
        drawn = choosing.variant(**dict.fromkeys(asked, True)).digits(3, range(5, 10))
        np.testing.assert_array_equal(images(page, "enlarged"), drawn)
        assert state(page) == {"digit": "3", "seed": "5", **asked}
        seen.append(drawn.tobytes())
    assert len({*seen}) == 4, "four ways to draw, all different"


def refused_seed(generator: DigitGenerator, digit: int) -> int:
    """The first seed whose first z is refused for this digit."""
    seeds = range(100)
    changed = generator.latents(seeds, [digit] * 100) != latents_from_seeds(seeds)
    return int(changed.any(axis=1).argmax())


def test_a_style_is_found_anew_for_each_variant(choosing: DigitGenerator, controls: StyleControls) -> None:
    seen, seed = [], refused_seed(choosing, 3)
    for asked in VARIANTS:
        page = visit("draw", digit="3", seed=str(seed), count="1", thickness="3", **asked)
        variant = choosing.variant(**dict.fromkeys(asked, True))
        drawn = styled_digits(variant, 3, [seed], Style(thickness=3), controls)
        np.testing.assert_array_equal(images(page, "enlarged"), drawn)
        seen.append(drawn.tobytes())
    assert len({*seen}) == 4


def test_numbers_and_morphs_are_drawn_as_asked(choosing: DigitGenerator) -> None:
    for asked in VARIANTS:
        variant = choosing.variant(**dict.fromkeys(asked, True))
        page = visit("number", text="20", seed="4", **asked)
        np.testing.assert_array_equal(line_of(page), write_number(variant, "20", 4).picture)
        assert state(page) == {"text": "20", "seed": "4", **asked}
        page = visit("morph", digit="2", seed="1", to="5", to_seed="9", frames="3", **asked)
        frames = morph(variant, [(2, 1), (5, 9)], frames_between=3)
        np.testing.assert_array_equal(images(page, "frame"), frames)
        assert state(page) == {
            "digit": "2",
            "seed": "1",
            "to": "5",
            "to_seed": "9",
            "frames": "3",
            **asked,
        }


def test_other_pictures_come_with_another_choice_file(choosing: DigitGenerator) -> None:
    """What was kept of a number or a morph by the choice before must not be shown."""
    hand = next(seed for seed in range(100) if choosing.hand_number(seed))
    refused = {"digit": "3", "seed": str(refused_seed(choosing, 3))}
    addresses = {"number": {"text": "2026", "seed": str(hand)}, "morph": refused, "learn": refused}
    before = {name: html(visit(name, **address)) for name, address in addresses.items()}
    counted = re.search(r"For the 3, this happens with (\d+) of", texts(visit("learn")))[1]
    choice_path(choosing.path).unlink()
    for name, address in addresses.items():
        assert html(visit(name, **address)) != before[name], name
    assert counted not in ("0", "100")
    assert "this happens with" not in texts(visit("learn"))


def saved(page: AppTest) -> dict[str, bytes]:
    """The files that buttons of the page's own save, by name: what the enlarged pictures hold."""
    names = re.findall('data-save="(.+?)"', html(page))
    sources = (
        re.findall(r'<img class=enlarged src="data:image/png;base64,([^"]+)"', html(page)) if names else []
    )
    return {name: base64.b64decode(source) for name, source in zip(names, sources, strict=True)}


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("draw", {"digit": "3", "seed": "5"}),
        ("number", {"text": "20", "seed": "4"}),
        ("morph", {"seed": "1"}),
    ],
)
def test_a_raw_picture_says_so_in_words_name_command_and_recipe(
    choosing: DigitGenerator, monkeypatch: pytest.MonkeyPatch, page: str, address: dict[str, str]
) -> None:
    def keep(label: str, data: object, name: str, *_: object, **__: object) -> None:
        files[name] = data() if callable(data) else data

    monkeypatch.setattr(st, "download_button", keep)
    finished_files = files = {}
    finished = visit(page, **address)
    files |= saved(finished)
    raw_files = files = {}
    raw = visit(page, **address, raw="1", every_z="1")
    files |= saved(raw)
    assert "Raw: these are" not in texts(finished)
    assert "Raw: these are the network's own pixels" in texts(raw)
    assert "Every z is used" in texts(raw)
    assert "--raw --every-z" in texts(raw)
    assert "--raw" not in texts(finished)
    for made, finish, choice in (
        (finished_files, choosing.finish_version, choosing.choice_digest),
        (raw_files, 0, ""),
    ):
        assert any(name.endswith(".png") for name in made)
        for name, data in made.items():
            assert ("_raw." in name) == (finish == 0), name
            if name.endswith(".png"):
                told = Recipe.from_text(recipe_text_from_png(data))
                assert (told.finish, told.choice_sha256) == (finish, choice)


class State(dict[str, Any]):
    """As st.session_state: its items are attributes, too."""

    __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__


def test_a_press_on_before_counts_once_however_often_the_browser_sends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = State({"draw.before": [(3, 0), (5, 9)], "drawn": (7, 0), "bring_back_0": 0})
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(st, "rerun", lambda *_: None)
    for _ in range(2):
        draw.bring_back("bring_back_0", 0)
        assert (state["drawn"], state["draw.before"]) == ((3, 0), [(7, 0), (5, 9)])
    draw.bring_back("bring_back_0", 1)  # the next press, of the same place
    assert (state["drawn"], state["draw.before"]) == ((7, 0), [(3, 0), (5, 9)])


def sets_before(page: AppTest) -> list[str]:
    """The names of the sets in the strip Before."""
    return [name for group in page.button_group if group.key == "bring_back" for name in group.options]


def test_the_last_morphs_stay_one_click_away(ours: DigitGenerator) -> None:
    page = visit("morph", digit="2", seed="1", to="5", to_seed="9")
    assert sets_before(page) == []
    checked(page.button(key="morph_new_seeds").click().run())
    checked(page.segmented_control(key="digit_to").set_value(7).run())
    assert sets_before(page)[1] == "Back to the morph from a 2, seed 1, to a 5, seed 9"
    small = images(page, "original")[SMALL:]
    np.testing.assert_array_equal(small, morph(ours, [(2, 1), (5, 9)], frames_between=SMALL - 2))
    left = state(page)
    checked(page.button_group(key="bring_back").select(sets_before(page)[1]).run())
    assert state(page) == {"digit": "2", "seed": "1", "to": "5", "to_seed": "9"}
    assert sets_before(page)[1] == (
        f"Back to the morph from a 2, seed {left['seed']}, to a 7, seed {left['to_seed']}"
    ), "what was shown takes its place"
    for _ in range(MAX + 2):
        checked(page.button(key="morph_new_seeds").click().run())
    assert len(sets_before(page)) == MAX


def test_pictures_in_a_style_can_be_stopped_and_what_is_drawn_is_shown(
    ours: DigitGenerator, controls: StyleControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = []

    def drawn_twice(*given: Any, real: Any = styled_pixels) -> Any:
        rounds.append(given)
        if len(rounds) == 3:
            raise StopException  # as a press of Stop ends the run at the next step of the bar
        return real(*given)

    monkeypatch.setattr("screens.styles.styled_pixels", drawn_twice)
    page = visit("draw", digit="3", seed="5", count="20", thickness="3")
    assert not images(page, "enlarged")
    checked(page.button(key="style_stop").click().run())
    expected = styled_digits(ours, 3, range(5, 15), Style(thickness=3), controls)
    np.testing.assert_array_equal(images(page, "enlarged"), expected)
    assert state(page)["count"] == "10"
    assert not [each for each in page.button if each.key == "style_stop"]


def test_a_morph_is_named_as_the_command_names_it(
    ours: DigitGenerator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = []
    monkeypatch.setattr(st, "download_button", lambda label, data, name, *_, **__: names.append(name))
    page = visit("morph", digit="3", seed="5", to="8", to_seed="5", frames="2")
    assert names == [
        "morph_3-8-3_seed_5.gif",
        "morph_3-8-3_seed_5.webp",
        "morph_3-8-3_seed_5.png",
        "morph_3-8_seed_5_strip.png",
    ]
    program, *arguments = re.search("`(python .*)`", texts(page))[1].split()
    subprocess.run(
        [sys.executable, *arguments, "--out", tmp_path, "--weights", ours.path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert program == "python"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".png"] == [names[2]]


@pytest.mark.parametrize("page", ["draw", "number", "morph", "dataset"])
def test_the_switches_stand_under_the_options_and_every_z_only_beside_a_choice(
    ours: DigitGenerator, choice_file: bytes, page: str
) -> None:
    def switches() -> set[str]:
        test = visit(page)
        test.session_state["options" if page == "draw" else f"{page}_options"] = True
        return {toggle.key for toggle in checked(test.run()).toggle} - {"hold", "draw.ink"}

    assert switches() == {f"{page}.raw"}
    assert "every_z" not in state(visit(page, every_z="1")), "there is no choice to be left out"
    choice_path(ours.path).write_bytes(choice_file)
    assert switches() == {f"{page}.raw", f"{page}.every_z"}


@pytest.mark.parametrize("page", ["draw", "number", "morph", "dataset"])
def test_neat_is_a_slider_with_its_cost_and_needs_a_choice_file_with_positions(
    ours: DigitGenerator, page: str
) -> None:
    def slider(**address: str) -> list[tuple[int, bool]]:
        test = visit(page, **address)
        test.session_state["options" if page == "draw" else f"{page}_options"] = True
        sliders = checked(test.run()).select_slider
        assert all("| 4 | 66 % | 2.0 % | 90.0 % | 0.20 |" in each.proto.help for each in sliders)
        return [(each.value, each.proto.disabled) for each in sliders]

    assert slider(neat="3") == [], "there is no choice file"
    choice_path(ours.path).write_bytes(make_choice_file(ours, positions=False))
    assert slider(neat="3") == []
    choice_path(ours.path).write_bytes(make_choice_file(ours, refused=0.44))
    assert slider() == [(0, False)]
    assert slider(neat="3") == [(3, False)]
    assert slider(neat="3", every_z="1") == [(3, True)], "every z leaves nothing to reject"


def hand(page: AppTest) -> np.ndarray:
    """The ten digits in the hand of the first of five pictures, asked for as the page's script does."""
    checked(page.button_group(key="large").select("0").run())
    return images(page, "original")[-10:]


def test_neat_draws_at_once_and_is_said_everywhere(choosing: DigitGenerator) -> None:
    page = visit("draw", digit="3", seed="5", neat="4")
    neat = choosing.variant(neat=4)
    np.testing.assert_array_equal(images(page, "enlarged"), neat.digits(3, range(5, 10)))
    np.testing.assert_array_equal(hand(page), neat.hand(range(10), 5))
    assert state(page) == {"digit": "3", "seed": "5", "neat": "4"}
    assert "<figcaption>neat 4 of 4<br>seed 5</figcaption>" in html(page)
    assert "--seed 5 --neat 4`" in texts(page)
    assert 'data-name="digit_3_seed_5_neat_4"' in html(page)
    assert state(visit("draw", neat="4", every_z="1")) == {"digit": "7", "seed": "0", "every_z": "1"}


def test_a_switch_draws_at_once_and_stays_in_the_address(choosing: DigitGenerator) -> None:
    page = visit("draw", digit="3", seed="5")
    page.session_state["options"] = True
    checked(page.run())
    np.testing.assert_array_equal(hand(page), choosing.hand(range(10), 5))
    checked(page.toggle(key="draw.raw").set_value(True).run())
    raw = choosing.variant(raw=True)
    np.testing.assert_array_equal(images(page, "enlarged"), raw.digits(3, range(5, 10)))
    np.testing.assert_array_equal(hand(page), raw.hand(range(10), 5))
    assert state(page) == {"digit": "3", "seed": "5", "raw": "1"}
    assert "<figcaption>raw<br>seed 5</figcaption>" in html(page)
    checked(page.toggle(key="draw.raw").set_value(False).run())
    assert state(page) == {"digit": "3", "seed": "5"}


def test_a_raw_set_is_raw_and_says_so(choosing: DigitGenerator) -> None:
    made = {}
    for raw in ("0", "1"):
        page = visit("dataset", count="20", format="npz", raw=raw)
        checked(page.button(key="dataset_make").click().run())
        made[raw] = page.session_state["dataset.made"]
        with zipfile.ZipFile(io.BytesIO(made[raw]["zip"].read())) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".npz"))
            arrays = np.load(io.BytesIO(archive.read(name)))
            first = json.loads(archive.read("manifest.json"))["parts"]["train"]["first_image_seed"]
        drawn = choosing.variant(raw=raw == "1").digits(arrays["labels"], range(first, first + 20))
        np.testing.assert_array_equal(arrays["pixels"], drawn)
        assert ("the network's own pixels" in texts(page)) == (raw == "1")
        assert ("--raw`" in texts(page)) == (raw == "1")
    assert made["0"]["name"] == "digits_20_npz_seed_0.zip"
    assert made["1"]["name"] == "digits_20_npz_seed_0_raw.zip"


def test_a_digit_is_shown_at_its_three_stages(choosing: DigitGenerator) -> None:
    page = visit("learn", digit="6", seed="3")
    raw = choosing.variant(raw=True).digits(6, [3])
    first, last = images(page, "pixels")
    np.testing.assert_array_equal(first, raw[0])
    np.testing.assert_array_equal(last, choosing.digits(6, [3])[0])
    (scan,) = images(page, "scan")
    np.testing.assert_array_equal(scan[::8, ::8] == 255, scans(raw, np.array([6]), np.array([3]))[0])
    z = choosing.latents(range(100), [6] * 100)
    changed = sum(not np.array_equal(*pair) for pair in zip(z, latents_from_seeds(range(100)), strict=True))
    assert 0 < changed < 100
    assert f"For the 6, this happens with {changed} of the seeds 0 to 99." in texts(page)
    checked(page.button(key="stages_seed").click().run())
    seed = int(state(page)["seed"])
    assert seed != 3
    np.testing.assert_array_equal(images(page, "pixels")[1], choosing.digits(6, [seed])[0])


def test_weights_without_a_choice_are_finished_and_reject_nothing(ours: DigitGenerator) -> None:
    assert "No z is rejected" in texts(visit("learn"))
    np.testing.assert_array_equal(images(visit("draw"), "enlarged"), ours.digits(7, range(5)))
    assert not np.array_equal(ours.digits(7, range(5)), ours.variant(raw=True).digits(7, range(5)))


def test_a_style_from_the_address_is_drawn_and_stays_in_it(
    ours: DigitGenerator, controls: StyleControls
) -> None:
    page = visit("draw", digit="1", seed="5", thickness="4.2")
    assert state(page) == {"digit": "1", "seed": "5", "thickness": "4.0"}
    assert "The thickness of a 1 goes from 1.50 to 4.00, so 4 is used." in texts(page)
    assert "--seed 5 --thickness=4.0`" in texts(page)
    assert html(visit("draw", digit="1", seed="5")) != html(page)


@pytest.mark.parametrize("page", ["draw", "number", "dataset"])
def test_a_link_with_a_style_opens_with_its_controls(
    ours: DigitGenerator, controls: StyleControls, page: str
) -> None:
    assert f"{page}.style" not in [pills.key for pills in visit(page).pills], "no style was asked for"
    opened = visit(page, slant="0.1")
    assert opened.pills(key=f"{page}.style").value == ["slant"]
    assert opened.slider(key=f"{page}.slant").value == 0.1


@pytest.mark.parametrize("page", ["draw", "number"])
def test_a_control_starts_at_what_the_drawing_has(
    ours: DigitGenerator, controls: StyleControls, page: str
) -> None:
    digits = [3] if page == "draw" else [*range(10)]
    z = ours.latents([5] * len(digits), digits)
    shape = np.median(controls.shapes(ours.images(z, digits), digits), axis=0)
    test = visit(page, digit="3", text="3", seed="5")
    test.session_state["options" if page == "draw" else "number_options"] = True
    test.run()
    checked(test.pills(key=f"{page}.style").set_value(["slant"]).run())
    low, high = -0.4, 0.6  # of the controls
    expected = min(max(round(round(shape[1] / 0.02) * 0.02, 2), low), high)
    assert test.slider(key=f"{page}.slant").value == pytest.approx(expected)


def test_a_set_in_a_style_says_so_and_how_long_it_takes(
    ours: DigitGenerator, controls: StyleControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(seconds: int) -> None:  # how long the styles of ten images take
        clock = count(0, seconds)
        monkeypatch.setattr("time.perf_counter", lambda: next(clock))
        st.cache_data.clear()

    tell(1)
    page = visit("dataset", count="20", slant="0.1")
    assert "images take about" not in texts(page), "less than ten seconds"
    checked(page.button(key="dataset_make").click().run(timeout=120))
    assert "Seed: 0, slant 0.1." in texts(page)
    assert page.session_state["dataset.made"]["name"] == "digits_20_idx_seed_0_slant_0.1.zip"
    tell(5)
    assert "With a style, 60 images take about 30 seconds here." in texts(
        visit("dataset", count="60", slant="0.1")
    )


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [(1.0, 1.84), (1.835, 1.84), (2.0, 2.0), (2.345, 2.35), (3.458, 3.45), (9.0, 3.45)],
)
def test_the_nearest_style_has_two_decimals_and_lies_in_the_range(
    ours: DigitGenerator, controls: StyleControls, asked: float, drawn: float
) -> None:
    learned = json.loads(json.dumps(controls.learned))
    thickness = learned["shapes"]["thickness"]
    thickness["low"][3], thickness["high"][3] = 1.8321, 3.4589
    thickness["low"][0], thickness["high"][0] = 0.5, 9.5
    style, notes = nearest_style(3, {"thickness": asked}, StyleControls(ours, learned))
    assert style.asked == {"thickness": drawn}
    assert len(notes) == (asked != drawn)


def test_without_a_style_file_the_controls_are_off_and_a_sentence_says_why(ours: DigitGenerator) -> None:
    page = visit("draw", thickness="3")
    assert "cannot be set" in texts(page)
    assert "style learn" in texts(page)
    assert state(page) == {}, "the address must not promise a style that is not drawn"
    other = visit("number", thickness="3")
    assert "thickness" not in state(other)


def test_how_many_and_which_seed_change_what_is_drawn_and_nothing_else(ours: DigitGenerator) -> None:
    page = visit("draw", digit="3", seed="7", count="12")
    assert html(page).count("<figure ") == 12
    assert page.button(key="generate").label == "Generate 12 Images"
    page.button(key="generate").click().run()
    assert html(page).count("<figure ") == 12
    assert state(page)["count"] == "12"


def test_kept_seeds_are_used_for_another_digit(ours: DigitGenerator) -> None:
    page = visit("draw", seed="7")
    page.session_state["hold"] = True
    page.segmented_control(key="digit").select(2).run()
    checked(page.button(key="generate").click().run())
    assert state(page) == {"digit": "2", "seed": "7"}


def test_the_rounds_of_the_game_are_those_of_the_live_demo() -> None:
    """web/game.js: ten coins and ten places from the stream of the round, and turned coins after thirty."""
    for number in (0, 7, 29):
        draws = np.random.RandomState(number).standard_normal(20)
        tiles = tiles_of_round(number)
        assert sorted(tile.digit for tile in tiles) == [*range(10)]
        assert [tile.digit for tile in tiles] == np.argsort(draws[10:], kind="stable").tolist()
        assert all(tile.generated == (draws[tile.digit] > 0) for tile in tiles)
        turned = tiles_of_round(number + 30)
        assert [tile.generated for tile in turned] == [not tile.generated for tile in tiles]


def test_a_perfect_round_is_ten_right_and_the_score_adds_up(ours: DigitGenerator) -> None:
    page = visit("game")
    for place, tile in enumerate(tiles_of_round(0)):
        if tile.generated:
            page.checkbox(key=f"tile.0.{place}").check()
    checked(page.button(key="judge").click().run())
    assert "**10 of 10 correct.**" in texts(page)
    for tile in tiles_of_round(0):
        said = (
            "Drawn by the network. You said: the network."
            if tile.generated
            else "Written by a person. You said: a person."
        )
        assert f"✓ {said}" in html(page)
    checked(page.button(key="judge").click().run())
    checked(page.button(key="judge").click().run())
    right = sum(not tile.generated for tile in tiles_of_round(1))
    assert f"**{right} of 10 correct.**" in texts(page)
    assert f"So far {10 + right} of 20 correct, {5 * (10 + right)} %." in texts(page)
    assert state(page) == {"round": "3", "right": f"{10 + right}", "judged": "20"}, "round 2 is over"
    again = visit("game", **state(page))  # loaded again
    assert f"So far {10 + right} of 20 correct" in texts(again)
    assert "Round 3:" in texts(again)
    checked(again.button(key="start_over").click().run())
    assert state(again) == {}
    assert "Guessing gets about 5 of 10 correct." in texts(again)


def test_the_games_generated_tiles_are_the_librarys_and_the_others_are_not(ours: DigitGenerator) -> None:
    real = np.arange(10 * 30 * 784, dtype=np.uint8).reshape(10, 30, 28, 28)
    for tile in tiles_of_round(3):
        pixels = pixels_of_tile(ours, real, 3, tile)
        drawn = ours.digits(tile.digit, [1030 + tile.digit])[0]
        np.testing.assert_array_equal(pixels, drawn if tile.generated else real[tile.digit, 3])


def test_what_takes_long_is_done_for_one_visitor_at_a_time(
    ours: DigitGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty at once would take the memory of twenty, and a part of everybody's click."""
    held = []
    for work in (morph, animation_from_pixels, write_number):

        def noted(*given: Any, work: Any = work, **named: Any) -> Any:
            held.append((work.__name__, turn().locked()))
            return work(*given, **named)

        monkeypatch.setattr(f"{work.__module__}.{work.__name__}", noted)
    for page in ("morph", "number"):
        visit(page, seed="77")
    assert {*held} == {(name, True) for name in ("morph", "animation_from_pixels", "write_number")}
    assert not turn().locked()


def test_a_set_is_made_as_it_was_ordered_and_stays_until_another_is(ours: DigitGenerator) -> None:
    page = visit("dataset", count="50", digits="17", seed="3", format="npz")
    assert "--format npz --seed 3 --shares 1:1,7:1`" in texts(page)
    checked(page.button(key="dataset_make").click().run())
    made = page.session_state["dataset.made"]
    with zipfile.ZipFile(io.BytesIO(made["zip"].read())) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["parts"]["train"]["count_of_digit"] == [0, 25, 0, 0, 0, 0, 0, 25, 0, 0]
        (name,) = (name for name in archive.namelist() if name.endswith(".npz"))
        assert archive.testzip() is None
        assert name
    assert manifest["weights_sha256"] == ours.digest
    checked(page.number_input(key="dataset.count").set_value(70).run())
    assert "Ready: 50 images" in texts(page), "another choice must not take the set away"
    checked(page.button(key="dataset_make").click().run())
    assert "Ready: 70 images" in texts(page)


def test_a_set_of_no_digit_is_a_sentence(ours: DigitGenerator) -> None:
    page = visit("dataset")
    checked(page.pills(key="dataset.digits").set_value([]).run())
    checked(page.button(key="dataset_make").click().run())
    assert "No digit is selected" in texts(page)


def test_a_large_set_with_a_style_is_a_sentence(ours: DigitGenerator, controls: StyleControls) -> None:
    page = visit("dataset", count="5000", thickness="3")
    checked(page.button(key="dataset_make").click().run())
    assert "A set with a style can have at most 500 images" in texts(page)
    assert "dataset.made" not in page.session_state


def test_digits_are_cut_from_a_sheet_where_the_training_put_them() -> None:
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 256, (10, 10, 28, 28), dtype=np.uint8)
    canvas = np.full((14 + 300, 480), 255, np.uint8)
    for digit in range(10):
        for seed in range(10):
            top, left = 14 + 30 * digit, 30 * seed
            canvas[top : top + 28, left : left + 28] = digits[digit, seed]
    np.testing.assert_array_equal(
        digits_from_training_sheet(canvas.repeat(2, axis=0).repeat(2, axis=1)), digits
    )


def test_the_card_of_this_repository_can_be_told() -> None:
    card = json.loads((ROOT / "docs" / "quality.json").read_text())
    rows = card_rows(card)
    assert len(rows) == len([row for _, _, row, _, _ in ROWS if row in card["generated"]]) >= 6
    for title, _, values in rows:
        assert len(values) == len(card_columns(card)), title
        assert values[0] != "–", title
    shares = [row["share"] for row in card["generated"]["asked_ocr"]]
    assert rows[0][2][0] == f"{100 * sum(shares) / len(shares):.1f} %"


def test_a_card_with_raw_digits_and_broken_shapes_shows_them() -> None:
    card = {
        "generated": {"broken_shapes": [{"share": 0.01}, {"share": 0.03}]},
        "raw": {"broken_shapes": [{"share": 0.06}]},
        "real": {"broken_shapes": [{"share": 0.012}]},
        "classic": {"asked_ocr": [{"share": 0.9}]},
    }
    assert card_columns(card) == ["generated", "raw", "real", "classic"]
    ((title, _, values),) = card_rows(card)
    assert (title, values) == ("Broken shapes", ["2.0 %", "6.0 %", "1.2 %", "–"])
    del card["raw"]
    assert card_rows(card)[0][2] == ["2.0 %", "1.2 %", "–"]


def test_the_words_about_the_card_have_its_figures() -> None:
    card = json.loads((ROOT / "docs" / "quality.json").read_text())
    for column, share in (("generated", 0.111), ("real", 0.222)):
        card[column]["asked_ocr"] = [{"share": share - 0.01}, {"share": share + 0.01}]
    card["generated"]["two_sample"] = [{"accuracy": 0.333}]
    said = verdict(card)
    assert re.findall(r"[\d.]+ %", said) == ["11.1 %", "22.2 %", "33.3 %"]


def test_every_picture_and_every_column_of_how_it_learns_has_words(ours: DigitGenerator) -> None:
    page = visit("learn")
    tags = re.findall("<img[^>]*>", html(page))
    assert len(tags) > 40
    assert all(re.search(r'alt="\w[^"]+"', tag) for tag in tags)
    assert 'alt="The twenty generated digits that are misread worst' in html(page)
    headers = re.findall(r"<th[^>]*>(.*?)</th>", html(page))
    assert len(headers) > 10
    assert all(re.search(r"\w", header) for header in headers)


def test_the_film_strip_has_every_sheet_and_follows_the_digit(ours: DigitGenerator) -> None:
    page = visit("learn", digit="4")
    epochs = len([*(ROOT / "docs" / "training" / "best").glob("epoch-*.png")])
    assert html(page).count('alt="a 4 after epoch') == 5 * epochs
    assert state(page) == {"digit": "4", "seed": "0"}


def test_one_visitor_sees_nothing_of_another(ours: DigitGenerator) -> None:
    one, other = visit("number"), visit("number")
    checked(one.text_input(key="number.text").input("111").run())
    checked(other.run())
    assert other.text_input(key="number.text").value == "2026"
    assert state(other)["text"] == "2026"


def test_what_pages_import_is_not_imported_for_the_first() -> None:
    """The first page waits for nothing that only others need."""
    code = "import sys, app, screens.draw; print([m for m in sys.modules if m.startswith('digit_generator')])"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    for name in ("number", "morph", "dataset", "style", "shapes", "bulk", "cli"):
        assert f"digit_generator.{name}'" not in printed


def test_numbers_in_a_style_at_the_end_of_a_slider_are_written_with_their_recipes(
    ours: DigitGenerator, controls: StyleControls
) -> None:
    page = visit("number", text="12", thickness="1")
    page.session_state["number_many"] = page.session_state["number_options"] = True
    page.run()
    assert page.slider(key="number.thickness").value == 1.5, "as far as any digit goes"
    checked(page.button(key="number_write").click().run())
    archive, _, _ = page.session_state["number.made"]
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        name = next(name for name in zipped.namelist() if name.endswith(".png"))
        told = Recipe.from_text(recipe_text_from_png(zipped.read(name)) or "")
    assert (name, told.style) == ("line_seed_0_thickness_1.5.png", {"thickness": 1.5})
    assert told.controls_sha256 == controls.digest
    assert "--thickness=1.5" in texts(page)
    page.slider(key="number.count").set_value(5).run()
    assert "Download 20 numbers" in str(page.get("download_button")), (
        "what was made stays, and says what it is"
    )


def test_digits_that_are_none_are_told(ours: DigitGenerator) -> None:
    assert "digits=abc (expected: one or more of 0 to 9, such as 147)" in texts(
        visit("dataset", digits="abc")
    )


def test_text_is_shown_as_it_is_whatever_is_in_it() -> None:
    assert escape_markdown("*a* `b` ☎ é × 1_2") == r"\*a\* \`b\` ☎ é × 1\_2"


@pytest.mark.parametrize("address", ["http://a.b/c", "HTTPS://a.b", "www.a.b", "a@b.cd"])
def test_no_address_in_a_quotation_becomes_a_link(address: str) -> None:
    """As GitHub's Markdown finds them in a text, whatever is escaped in it."""
    links = r"(?i)https?://|www\.|[-.\w+]+@[-\w]+\.[-\w.]+"
    shown = re.sub(r"\\(.)", r"\1", escape_markdown(address))
    assert re.search(links, address)
    assert not re.search(links, shown)
    assert shown.replace("\u2060", "") == address
