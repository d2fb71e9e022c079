"""The page's logic, without a browser: what is drawn, when it changes, and what is said about it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from digit_generator import DigitGenerator, weights
from digit_generator.choose import choice_path
from digit_generator.render import svg_from_pixels
from screens.picture import image_from_pixels, source_from_bytes

APP = Path(__file__).parents[1] / "app.py"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the page looks for generator.pth in this test: a folder of its own, with none in it at first."""
    path = tmp_path / "generator.pth"
    find_weights = weights.find_weights
    monkeypatch.setattr(weights, "find_weights", lambda: find_weights(path))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # the page sets it; no other test is to inherit that
    st.cache_resource.clear()
    return path


@pytest.fixture
def ours(place: Path, weights_file: Path) -> Path:
    """As `place`, with weights there that the generator.json beside them vouches for."""
    shutil.copy(weights_file, place)
    vouch_for(place)
    return place


def vouch_for(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps({"weights_sha256": digest}))


def visit() -> AppTest:
    """The page as a new visitor opens it."""
    return checked(AppTest.from_file(APP, default_timeout=30).run())


def pick(page: AppTest, digit: int) -> AppTest:
    return checked(page.segmented_control(key="digit").select(digit).run())


def generate(page: AppTest) -> AppTest:
    return checked(page.button(key="generate").click().run())


def checked(page: AppTest) -> AppTest:
    assert not page.exception
    assert len(descriptions(page, "enlarged")) == len(descriptions(page, "original")) == 5
    return page


def pictures(page: AppTest) -> str:
    """The HTML of the pictures and their captions."""
    (html,) = (element.proto.body for element in page.get("html") if "<figure" in element.proto.body)
    return html


def descriptions(page: AppTest, size: str) -> list[str]:
    """The alt texts of the pictures of one size, enlarged or original."""
    row, _, _ = pictures(page).partition("<section")
    return re.findall(rf'<img class={size} src="data:image/png;base64,[^"]+" alt="([^"]+)">', row)


def captions(page: AppTest) -> list[str]:
    return re.findall("<figcaption>(.+?)</figcaption>", pictures(page))


def seeds(page: AppTest) -> list[int]:
    return [int(caption.split()[-1]) for caption in captions(page)]


def texts(page: AppTest) -> str:
    """All that is said in words, in one string, with code between backticks."""
    said = [element.value for element in (*page.title, *page.caption, *page.markdown, *page.warning)]
    return "\n".join([*said, re.sub("<[^>]+>", "", re.sub("</?code>", "`", pictures(page)))])


def title(page: AppTest) -> str:
    """The heading of the pictures."""
    return re.search("<h2>(.+?)</h2>", pictures(page))[1]


def without_escapes(markdown: str) -> str:
    return markdown.replace("\\", "")


def test_the_first_five_come_without_a_click(ours: Path) -> None:
    page = visit()
    assert page.segmented_control(key="digit").options == [str(digit) for digit in range(10)]
    assert page.segmented_control(key="digit").value == 7
    assert title(page) == "Five images of 7"
    assert captions(page) == [f"seed {seed}" for seed in range(5)]
    assert not page.warning


def test_each_press_draws_five_new_ones(ours: Path) -> None:
    page = visit()
    first = seeds(page)
    second = seeds(generate(page))
    third = seeds(generate(page))
    assert len({*first, *second, *third}) == 15


def test_the_digit_changes_when_the_button_is_pressed_and_not_before(ours: Path) -> None:
    page = visit()
    drawn = seeds(generate(page))
    pick(page, 3)
    assert title(page) == "Five images of 7"
    assert seeds(page) == drawn, "picking a digit must not take the pictures away"
    generate(page)
    assert title(page) == "Five images of 3"
    assert seeds(page) != drawn


def test_one_visitor_sees_nothing_of_another(ours: Path) -> None:
    one, other = visit(), visit()
    generate(pick(one, 2))
    other.run()
    assert other.segmented_control(key="digit").value == 7
    assert title(other) == "Five images of 7"
    assert seeds(other) == [0, 1, 2, 3, 4]
    assert seeds(visit()) == [0, 1, 2, 3, 4]


def test_the_command_on_the_page_names_what_is_drawn(ours: Path) -> None:
    page = generate(pick(visit(), 4))
    command = f"python -m digit_generator generate 4 --count 5 --seed {seeds(page)[0]}"
    assert seeds(page) == list(range(seeds(page)[0], seeds(page)[0] + 5)), "--count 5 takes seeds in a row"
    assert f"`{DigitGenerator.load(ours).digest[:8]}`: `{command}`" in texts(page)


def test_the_model_is_loaded_once_for_all_and_again_when_its_file_changes(
    ours: Path, save_weights: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    load = DigitGenerator.load
    monkeypatch.setattr(DigitGenerator, "load", lambda path: loaded.append(path) or load(path))
    page, digest = visit(), load(ours).digest[:8]
    generate(page)
    visit()
    assert len(loaded) == 1
    save_weights(seed=1, folder=ours.parent)
    assert digest not in texts(visit()), "the old weights are still drawn with"
    assert "your own weights" in texts(visit()), "generator.json vouches for the old weights only"
    assert len(loaded) == 2
    vouch_for(ours)
    assert "your own weights" not in texts(visit()), "a new generator.json must be read"


def test_a_choice_file_that_comes_and_goes_changes_what_is_drawn(ours: Path, choice_file: bytes) -> None:
    first = pictures(visit())
    choice_path(ours).write_bytes(choice_file)
    chosen = pictures(visit())
    assert chosen != first, "the generator must be read again"
    choice_path(ours).unlink()
    assert pictures(visit()) == first


def test_your_own_weights_are_called_so(ours: Path) -> None:
    assert "your own weights" not in texts(visit())
    ours.with_suffix(".json").unlink()
    page = visit()
    assert "your own weights" in texts(page)
    assert not page.warning


def test_a_missing_model_gives_marked_placeholders_and_the_way_out(place: Path) -> None:
    page = visit()
    (warning,) = page.warning
    for word in (
        "placeholders",
        "`generator.pth`",
        "2 to 7 MB",
        "`app.py`",
        "mnist_gan_training.py",
        "git checkout",
    ):
        assert word in without_escapes(warning.value)
    with pytest.raises(weights.WeightsError) as refused:
        weights.find_weights()
    assert str(refused.value) in without_escapes(warning.value)
    assert "neural network" not in texts(page), "no network generated these"
    for digit in (7, 0):
        generate(pick(page, digit))
        assert all(caption.startswith("placeholder") for caption in captions(page))
        assert all(
            "placeholder" in words
            for words in descriptions(page, "enlarged") + descriptions(page, "original")
        )
        names = [f"placeholder_digit_{digit}_seed_{seed}.png" for seed in seeds(page)]
        assert re.findall('data-save="(.+?)" aria-label="Download (.+?)"', pictures(page)) == [
            (name, name) for name in names
        ]
        assert "--placeholder`" in texts(page)


def test_a_broken_model_says_what_is_wrong_and_is_read_again_once_mended(
    place: Path, weights_file: Path
) -> None:
    place.write_bytes(weights_file.read_bytes()[:100_000])
    page = visit()
    with pytest.raises(weights.WeightsError) as refused:
        weights.arrays_from_file(place)
    said = without_escapes(page.warning[0].value)
    assert str(refused.value).replace(f"{place.parent}/", "") in said
    assert str(place.parent) not in said, "no visitor's business"
    assert all(caption.startswith("placeholder") for caption in captions(page))
    shutil.copy(weights_file, place)
    page.run()
    assert not page.warning, "the failure was remembered"
    assert captions(page) == [f"seed {seed}" for seed in range(5)]


def test_a_file_that_cannot_be_looked_at_is_a_problem_and_not_a_crash(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Path:
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(weights, "find_weights", refuse)
    assert "Permission denied" in without_escapes(visit().warning[0].value)


def test_what_a_broken_file_says_is_not_taken_for_markdown(place: Path) -> None:
    """The sentence quotes the file's first bytes: they must not become a picture fetched from elsewhere."""
    place.write_bytes(b"![](//a.b)")
    (warning,) = visit().warning
    assert r"\!\[\]\(\/\/a\.b\)" in warning.value


def large(page: AppTest) -> str:
    """The large picture, with its buttons."""
    return re.search("<section class=large.+?</section>", pictures(page))[0]


def answer(page: AppTest) -> str:
    """SVG and hand of a picture, where they were asked for."""
    return "".join(each.proto.body for each in page.get("html") if "class=answer" in each.proto.body)


def test_one_picture_is_large_with_its_buttons_and_its_hand(ours: Path) -> None:
    page = visit()
    row = pictures(page)
    assert re.findall('data-title="(.+?)"', row) == [f"7, seed {seed}" for seed in range(5)]
    assert re.findall('figure data-name="(.+?)"', row) == [f"digit_7_seed_{seed}" for seed in range(5)]
    assert "data-at=0" in large(page)
    assert "<h3>7, seed 0</h3>" in large(page)
    words = re.findall("<button type=button data-do=\\w+(?: hidden)?>(.+?)</button>", large(page))
    assert words == ["PNG", "SVG", "Copy picture", "Share", "Copy link"]
    assert not answer(page), "nothing is drawn that nobody looks at"
    checked(page.button_group(key="large").select("3").run())
    generator = DigitGenerator.load(ours)
    for digit, pixels in enumerate(generator.hand(range(10), 3)):
        assert image_from_pixels(pixels, "original", f"a {digit} in the same hand") in answer(page)
    assert escape(svg_from_pixels(generator.digits(7, [3])[0])) in answer(page)
    of = re.search(r"data-of=\w+", large(page))[0]
    assert f"{of} data-at=3" in answer(page)
    assert pictures(page) == row, "who has the focus on a picture keeps it"
    assert page.button_group(key="large").value is None, "it can be asked for again"
    assert of not in large(generate(page)), "the details of other pictures are not taken for theirs"


def test_an_address_names_the_large_one_and_ink(ours: Path) -> None:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params.update({"digit": "3", "seed": "8", "at": "2", "ink": "1"})
    page.run()
    assert not page.exception
    assert "data-at=2" in large(page)
    ink = svg_from_pixels(DigitGenerator.load(ours).digits(3, [10])[0], "ink")
    assert pictures(page).count("image/svg+xml") == 5 + 1, "the row, and the large one"
    assert source_from_bytes(ink.encode(), "svg+xml") in pictures(page)
    assert 'data-save="digit_3_seed_10_ink.svg"' in pictures(page)
    assert dict(page.query_params) == {"digit": "3", "seed": "8", "at": "2", "ink": "1"}
    page.button(key="generate").click().run()
    assert "at" not in dict(page.query_params), "of the pictures before"


def before(page: AppTest) -> list[str]:
    """The names of the last sets, in the order of the pills that bring them back."""
    _, _, strip = pictures(page).partition("<div class=before>")
    names = re.findall('aria-label="(.+?)"', strip)
    assert strip.count("<img class=original") == 5 * len(names)
    return names


def bring_back(page: AppTest, number: int) -> AppTest:
    (pills,) = (each for each in page.button_group if each.key.startswith("bring_back"))
    return checked(pills.select(str(number)).run())


def test_earlier_sets_are_one_click_away(ours: Path) -> None:
    page = visit()
    first = seeds(page)
    second = seeds(generate(pick(page, 3)))
    assert before(page) == ["Back to five images of 7, seeds 0 to 4"]
    bring_back(page, 0)
    assert (title(page), seeds(page)) == ("Five images of 7", first)
    assert before(page)[0].startswith("Back to five images of 3, ")
    bring_back(page, 0)
    assert (title(page), seeds(page)) == ("Five images of 3", second)
    for _ in range(6):
        generate(page)
    assert len(before(page)) == 4


def test_a_click_draws_one_set_and_none_that_was_shown_lately(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def draw_counted(generator: DigitGenerator, digit: int, seeds: range) -> object:
        drawn.append((digit, seeds))
        return generator.digits(digit, seeds)

    monkeypatch.setattr("screens.draw.digits_together", draw_counted)
    page = visit()
    for _ in range(3):
        generate(page)
    bring_back(page, 1)
    assert len(drawn) == len(set(drawn)) == 4


def test_a_picked_digit_says_that_it_comes_next(ours: Path) -> None:
    """In the browser, without the server (app.js), from a sentence with # for the digit."""
    assert 'data-next="Next: five images of #. Press Generate."' in pictures(visit())
