"""The page "Your hand", without a browser: from a picture or a link to digits and numbers in a hand."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from digit_generator import DigitGenerator
from digit_generator.generate import latents_from_seeds, pixels_from_images
from digit_generator.hand import Hand, hand_from_digits
from digit_generator.normalize import normalized_digits
from digit_generator.number import write_number
from digit_generator.render import png_from_pixels
from screens.pen import MAX_POINTS, SIDE, WIDTH, checked_lines, png_from_lines

SCREEN = Path(__file__).parents[1] / "screens" / "hand.py"
Z = np.arange(-50, 50) // 2 / 32


@pytest.fixture(scope="module")
def ours() -> DigitGenerator:
    return DigitGenerator.load()


@pytest.fixture(scope="module")
def photo(ours: DigitGenerator) -> bytes:
    """A picture of a 7."""
    return png_from_pixels(pixels_from_images(ours.images(latents_from_seeds([5]), [7]))[0], scale=8)


def visit(**address: str) -> AppTest:
    page = AppTest.from_file(SCREEN, default_timeout=60)
    page.query_params.update(address)
    return checked(page.run())


def checked(page: AppTest) -> AppTest:
    assert not page.exception, page.exception[0].message
    return page


def pictures(page: AppTest) -> list[np.ndarray]:
    html = "\n".join(element.proto.body for element in page.get("html"))
    sources = re.findall(r'<img class=enlarged [^>]*?src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))) for source in sources]


def said(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.caption, *page.warning, *page.info))


def choose_picture() -> AppTest:
    return checked(visit().segmented_control(key="hand.source").set_value("Picture").run())


def test_a_picture_becomes_a_hand_and_is_not_kept(ours: DigitGenerator, photo: bytes) -> None:
    page = choose_picture()
    assert "is not kept" in said(page)
    assert not pictures(page)
    page = checked(page.file_uploader[0].set_value(("seven.png", photo, "image/png")).run())
    written = normalized_digits(photo).pixels
    hand = hand_from_digits(ours, written, 7).hand
    assert page.text_input(key="hand.digits").value == "7"
    assert page.query_params["hand"] in (hand.text, [hand.text])
    own, _, *ten = pictures(page)
    np.testing.assert_array_equal(own, written[0])
    np.testing.assert_array_equal(ten[:10], ours.variant(in_hand=hand).hand(range(10), 0))
    # It is corrected: the same picture as a 1 is another hand.
    page = checked(page.text_input(key="hand.digits").set_value("1").run())
    other = hand_from_digits(ours, written, 1)
    assert page.query_params["hand"] in (other.hand.text, [other.hand.text])
    assert "cannot draw your 1 well, or it looks like another digit" in said(page)
    page = checked(page.text_input(key="hand.digits").set_value("x").run())
    assert "Type a digit from 0 to 9" in said(page)
    assert "hand" not in page.query_params


def test_a_picture_without_digits_is_told(photo: bytes) -> None:
    page = choose_picture()
    page = checked(page.file_uploader[0].set_value(("seven.png", photo[:500], "image/png")).run())
    assert page.warning
    assert not pictures(page)


def test_a_link_shows_the_hand_the_variations_and_the_number(ours: DigitGenerator) -> None:
    hand = Hand(Z, ours.digest)
    page = visit(hand=hand.text, text="31")
    drawing = ours.variant(in_hand=hand)
    *digits, line = pictures(page)
    np.testing.assert_array_equal(digits[:10], drawing.hand(range(10), 0))
    np.testing.assert_array_equal(digits[10:], drawing.digits(7, range(10)))
    np.testing.assert_array_equal(line, write_number(drawing, "31").picture)
    page = checked(page.text_input(key="hand.text").set_value("4a").run())
    assert "cannot be written" in said(page)


@pytest.mark.parametrize(
    ("text", "told"),
    [("x", "the 143 characters of a hand"), (Hand(Z, "01234567").text, "is for the weights")],
)
def test_a_link_without_a_hand_of_these_weights_is_told(text: str, told: str) -> None:
    page = visit(hand=text)
    assert told in said(page).replace("\\", "")
    assert not pictures(page)


SEVEN = [[(250, 250), (450, 230), (700, 220), (600, 450), (500, 650), (450, 850)]]


def test_what_is_written_on_the_page_becomes_a_hand(ours: DigitGenerator) -> None:
    page = AppTest.from_file(SCREEN, default_timeout=60)
    page.session_state["hand.lines"] = SEVEN
    page = checked(page.run())
    written = normalized_digits(png_from_lines(SEVEN)).pixels
    assert page.text_input(key="hand.digits").value == "7"
    hand = hand_from_digits(ours, written, 7).hand
    own, _, *ten = pictures(page)
    np.testing.assert_array_equal(own, written[0])
    np.testing.assert_array_equal(ten[:10], ours.variant(in_hand=hand).hand(range(10), 0))
    page.session_state["hand.lines"] = []  # Clear
    page = checked(page.run())
    assert not pictures(page)
    assert "hand" not in page.query_params


def test_the_picture_of_lines_is_what_the_square_shows() -> None:
    picture = np.asarray(Image.open(io.BytesIO(png_from_lines([[(0, 500), (SIDE, 500)], [(500, 0)]]))))
    height, width = picture.shape
    rows, columns = np.nonzero(picture > 127)
    margin = (width - (columns.max() - columns.min())) / 2
    assert columns.min() == pytest.approx(margin, abs=1), "not in the middle"
    assert margin > 10, "a line at the edge is cut off"
    thick = (picture[:, width // 4] > 127).sum()
    assert thick == pytest.approx(WIDTH / SIDE * (columns.max() - columns.min()), rel=0.1)
    assert rows[columns == width // 2].min() < height / 4, "a point is a dot"


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        "12",
        [[]],
        [[(1, 2, 3)]],
        [[(1, -1)]],
        [[(1, SIDE + 1)]],
        [[(1, 2.5)]],
        [[(1, True)]],
        [[("1", 2)]],
        [[(1, float("nan"))]],
        [[(0, 0)] * (MAX_POINTS + 1)],
        {"a": 1},
        [[(1, [2])]],
    ],
)
def test_what_is_no_lines_is_an_empty_square(given: object) -> None:
    assert checked_lines(given) == []
    assert checked_lines([[[1, 2]], [[0, SIDE], [3, 4]]]) == [[(1, 2)], [(0, SIDE), (3, 4)]]
