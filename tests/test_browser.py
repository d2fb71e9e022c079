"""The page as a person sees it: in Chromium, on a desktop and on a phone, in light and in dark."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from digit_generator import DigitGenerator
from digit_generator.choose import choice_path
from digit_generator.files import zip_from_files
from digit_generator.hand import Hand
from digit_generator.morph import morph
from digit_generator.number import write_number
from digit_generator.render import svg_from_pixels
from digit_generator.style import Style, styled_digits
from screens.game import tiles_of_round
from tools.serving import ROOT, Server, copy_page, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, LocatorAssertions, Page

pytestmark = pytest.mark.browser

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
}
DEVICES = pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
ENLARGED = ".pictures .enlarged"
ORIGINAL = ".pictures .original"
CAPTION = ".pictures figcaption"
PROBES = ("/_stcore/health", "/_stcore/host-config")  # Streamlit looks for them under a page's path first
PAGES = {
    "hand": "Your hand",
    "number": "Write a number",
    "morph": "Morph",
    "game": "Which did the network draw?",
    "dataset": "Make a data set",
    "learn": "How it learns",
}


def expect(locator: Locator) -> LocatorAssertions:
    """Playwright's, imported when it is used: `make test` collects this file and does without Playwright."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong
    return expect(locator)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory, save_weights: Callable[..., Path]) -> Iterator[Server]:
    """The page with weights that generator.json vouches for. They are random: every pixel is another grey."""
    folder = copy_page(tmp_path_factory.mktemp("ours"))
    weights = save_weights(folder=folder)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "generator.json").write_text(json.dumps({"weights_sha256": digest}))
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="session")
def choosing(
    tmp_path_factory: pytest.TempPathFactory, save_weights: Callable[..., Path], choice_file: bytes
) -> Iterator[Server]:
    """As `ours`, with a choice file beside the weights."""
    folder = copy_page(tmp_path_factory.mktemp("choosing"))
    choice_path(save_weights(folder=folder)).write_bytes(choice_file)
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory, save_weights: Callable[..., Path]) -> Iterator[Server]:
    """The page with somebody's own weights, in single precision, as many a training script saves them."""
    folder = copy_page(tmp_path_factory.mktemp("own"))
    save_weights(dtype="float32", folder=folder)
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="session")
def missing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page without a model."""
    with serve(copy_page(tmp_path_factory.mktemp("missing"))) as server:
        yield server


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page as it is in this repository."""
    folder = copy_page(tmp_path_factory.mktemp("shipped"))
    for path in ROOT.glob("generator.*"):  # the weights, and what lies beside them
        shutil.copy(path, folder)
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="session")
def library(weights_file: Path) -> DigitGenerator:
    """What the server `ours` draws with: save_weights() is the same every time."""
    return DigitGenerator.load(weights_file)


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """visit(server, device) -> the page as a new visitor opens it, once its pictures are there.

    Whatever a test does, no page may ask another host for anything or complain in the console.
    """
    contexts, strangers, complaints = [], [], []

    def open_page(
        server: Server, device: dict | None = None, path: str | None = None, **options: object
    ) -> Page:
        copies = "permissions" in options
        opened = request.getfixturevalue("whole_browser") if copies else browser
        context = opened.new_context(**{**(device or DESKTOP), **options})
        contexts.append(context)
        context.on(
            "request",
            lambda request: (
                request.url.startswith((server.url, "data:", "blob:")) or strangers.append(request.url)
            ),
        )
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on(
            "console",
            lambda message: (
                message.type == "error"
                and not message.location["url"].endswith(PROBES)
                and complaints.append(message.text)
            ),
        )
        page = context.new_page()
        page.goto(f"{server.url}/{path or ''}")
        wait_for_pictures(page) if path is None else wait_for_page(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not strangers
    assert not complaints


def wait_for_pictures(page: Page) -> None:
    """Five enlarged pictures, captioned, and five at their original size are there and decoded."""
    expect(page.locator(ENLARGED)).to_have_count(5)
    expect(page.locator(ORIGINAL)).to_have_count(5)
    expect_captions(page, r"(placeholder\s+)?seed \d+")
    expect(page.locator(".stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_function(
        "selectors => [...document.querySelectorAll(selectors)].every(image => image.complete)",
        arg=f"{ENLARGED}, {ORIGINAL}",
    )
    for image in page.locator(f"{ENLARGED}, {ORIGINAL}").all():
        assert image.evaluate("image => image.naturalWidth") == 28


def expect_captions(page: Page, words: str) -> None:
    """Each of the five captions reads like the pattern `words`, or will in a moment."""
    pattern = re.compile(f"^{words}$")
    expect(page.locator(CAPTION)).to_have_text([pattern] * 5, use_inner_text=True)


def wait_for_page(page: Page) -> None:
    """Whatever page it is: drawn to its end, with the widgets whose code comes later."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)


def turn_to(page: Page, title: str) -> None:
    """Go to another page as a visitor does: by the list, which is behind a button on a phone."""
    if page.get_by_role("button", name="Expand sidebar").is_visible():
        page.get_by_role("button", name="Expand sidebar").click()
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Handwritten digit generator" if title == "Generate" else title
    )
    wait_for_page(page)


def picture(image: Locator) -> np.ndarray:
    """What an <img> holds, of any size and kind: its first frame, greyscale."""
    _, _, data = image.get_attribute("src").partition(",")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))


def generate(page: Page) -> None:
    """Press the button and wait until other pictures are there."""
    before = captions(page)
    page.get_by_role("button", name="Generate 5 Images").click()
    expect(page.locator(CAPTION).first).not_to_have_text(before[0])
    wait_for_pictures(page)


def captions(page: Page) -> list[str]:
    return page.locator(CAPTION).all_inner_texts()


def seeds(page: Page) -> list[int]:
    return [int(caption.split()[-1]) for caption in captions(page)]


def pixels(image: Locator) -> np.ndarray:
    """What an <img> holds: its source decoded, uint8 [28, 28]."""
    kind, _, data = image.get_attribute("src").partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def download(page: Page, button: Locator) -> tuple[str, bytes]:
    with page.expect_download() as started:
        button.click()
    return started.value.suggested_filename, started.value.path().read_bytes()


@DEVICES
def test_five_pictures_in_one_row_enlarged_and_at_their_original_size(
    visit: Callable[..., Page], ours: Server, device: dict
) -> None:
    page = visit(ours, device)
    assert captions(page) == [f"seed {seed}" for seed in range(5)]
    enlarged = [image.bounding_box() for image in page.locator(ENLARGED).all()]
    original = [image.bounding_box() for image in page.locator(ORIGINAL).all()]
    width = device["viewport"]["width"]
    for row in (enlarged, original):
        assert len({box["y"] for box in row}) == 1, "not in one row"
        assert all(left["x"] + left["width"] < right["x"] for left, right in pairwise(row))
        assert row[0]["x"] >= 0
        assert row[-1]["x"] + row[-1]["width"] <= width
    assert {(box["width"], box["height"]) for box in original} == {(28, 28)}
    (size,) = {(round(box["width"], 1), round(box["height"], 1)) for box in enlarged}
    assert size == ((196, 196) if device is DESKTOP else (65.3, 65.3))
    assert_nothing_to_scroll_sideways(page)


@DEVICES
def test_the_button_stands_beside_the_ten_digits_and_on_a_phone_below(
    visit: Callable[..., Page], ours: Server, device: dict
) -> None:
    page = visit(ours, device)
    digits = [page.get_by_role("radio", name=str(digit), exact=True).bounding_box() for digit in range(10)]
    button = page.get_by_role("button", name="Generate 5 Images").bounding_box()
    last = digits[-1]
    if device is DESKTOP:
        assert len({box["y"] for box in digits}) == 1
        middle = button["y"] + button["height"] / 2
        assert last["y"] < middle < last["y"] + last["height"]
        assert last["x"] + last["width"] < button["x"]
        assert button["x"] + button["width"] <= device["viewport"]["width"]
        assert button["width"] < 300
    else:
        assert button["y"] >= last["y"] + last["height"]
        assert button["width"] > 0.8 * device["viewport"]["width"]


def test_five_in_one_row_at_every_width(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours)
    for width in (1920, 1024, 768, 600, 360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        wait_for_pictures(page)
        boxes = [image.bounding_box() for image in page.locator(ENLARGED).all()]
        assert len({box["y"] for box in boxes}) == 1
        assert boxes[-1]["x"] + boxes[-1]["width"] <= width
        assert_nothing_to_scroll_sideways(page)


def assert_nothing_to_scroll_sideways(page: Page) -> None:
    for selector in ("html", "[data-testid=stMain]"):
        assert page.locator(selector).evaluate("element => element.scrollWidth == element.clientWidth")


@DEVICES
def test_pictures_are_what_the_library_draws_for_their_captions(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device)
    for digit in (7, 0, 9):
        page.get_by_role("radio", name=str(digit)).click()
        generate(page)
        expect(page.get_by_role("heading", name=f"Five images of {digit}")).to_be_visible()
        drawn = library.digits(digit, seeds(page))
        for selector in (ENLARGED, ORIGINAL):
            seen = [pixels(image) for image in page.locator(selector).all()]
            np.testing.assert_array_equal(seen, drawn)


def test_every_pixel_is_shown_as_a_sharp_square(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator
) -> None:
    """The screen itself, not the file: no smoothing, no rounding to squares of unequal size."""
    page = visit(ours)
    drawn = library.digits(7, range(5))
    for selector, scale in ((ENLARGED, 7), (ORIGINAL, 1)):
        for image, expected in zip(page.locator(selector).all(), drawn, strict=True):
            box = {side: round(length) for side, length in image.bounding_box().items()}
            screen = Image.open(io.BytesIO(page.screenshot(clip=box))).convert("L")
            squares = expected.repeat(scale, axis=0).repeat(scale, axis=1)
            corner = slice(2, -2)  # the corners are rounded
            np.testing.assert_array_equal(np.asarray(screen)[corner, corner], squares[corner, corner])


def test_again_gives_five_others(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours)
    seen = seeds(page)
    for _ in range(3):
        generate(page)
        seen += seeds(page)
    assert len(set(seen)) == 20


@DEVICES
def test_pictures_survive_every_other_click(visit: Callable[..., Page], ours: Server, device: dict) -> None:
    page = visit(ours, device)
    generate(page)
    sources = [image.get_attribute("src") for image in page.locator(ENLARGED).all()]
    for digit in range(10):
        page.get_by_role("radio", name=str(digit)).click()
        expect(page.get_by_role("radio", name=str(digit))).to_be_checked()
    page.get_by_text("How it works").click()
    expect(page.get_by_text("has never seen a real digit")).to_be_visible()
    for button in page.get_by_role("button", name="Download").all():
        download(page, button)
    wait_for_pictures(page)
    assert [image.get_attribute("src") for image in page.locator(ENLARGED).all()] == sources
    expect(page.get_by_role("heading", name="Five images of 7")).to_be_visible()


@DEVICES
def test_downloads_are_what_the_command_on_the_page_draws(
    visit: Callable[..., Page], ours: Server, weights_file: Path, tmp_path: Path, device: dict
) -> None:
    page = visit(ours, device)
    page.get_by_role("radio", name="2").click()
    generate(page)
    _, command = page.locator(".again code").all_inner_texts()
    program, *arguments = command.split()
    assert program == "python"
    subprocess.run(
        [sys.executable, *arguments, "--out", tmp_path, "--weights", weights_file],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(drawn) == sorted(f"digit_2_seed_{seed}.png" for seed in seeds(page))

    single = dict(
        download(page, button) for button in page.get_by_role("button", name="Download digit_").all()
    )
    assert single == drawn
    name, archive = download(page, page.get_by_role("button", name="Download all five"))
    assert name == f"digit_2_seeds_{seeds(page)[0]}-{seeds(page)[-1]}.zip"
    assert archive == zip_from_files(dict(sorted(drawn.items()))), "as the library makes it"


@DEVICES
def test_a_missing_model_is_said_everywhere(
    visit: Callable[..., Page], missing: Server, device: dict
) -> None:
    page = visit(missing, device)
    banner = page.get_by_role("alert")
    for words in (
        "These digits are placeholders",
        "generator.pth",
        "2 to 7 MB",
        "python mnist_gan_training.py",
    ):
        expect(banner).to_contain_text(words)
    for digit in (7, 4):
        page.get_by_role("radio", name=str(digit)).click()
        generate(page)
        expect_captions(page, r"placeholder\s+seed \d+")
        for image in page.locator(f"{ENLARGED}, {ORIGINAL}").all():
            assert "placeholder" in image.get_attribute("alt")
    files = dict(download(page, button) for button in page.get_by_role("button", name="Download").all())
    assert len(files) == 6
    assert all(name.startswith("placeholder_digit_4_seed") for name in files)
    (archive,) = (data for name, data in files.items() if name.endswith(".zip"))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()}.items() <= files.items()
    assert_nothing_to_scroll_sideways(page)


def test_your_own_weights_are_called_so(visit: Callable[..., Page], own: Server, ours: Server) -> None:
    page = visit(own)
    expect(page.get_by_text("your own weights")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page = visit(ours)
    expect(page.get_by_text("your own weights")).to_have_count(0)


def test_two_visitors_do_not_see_one_another(visit: Callable[..., Page], ours: Server) -> None:
    one, other = visit(ours), visit(ours)
    one.get_by_role("radio", name="1").click()
    generate(one)
    generate(other)
    assert not set(seeds(one)) & set(seeds(other))
    expect(other.get_by_role("radio", name="7")).to_be_checked()
    expect(other.get_by_role("heading", name="Five images of 7")).to_be_visible()
    assert seeds(visit(ours)) == [0, 1, 2, 3, 4]


def test_all_can_be_done_with_the_keyboard(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours)

    def focused(key: str) -> Locator:
        page.keyboard.press(key)
        element = page.locator(":focus")
        assert element.evaluate("element => getComputedStyle(element).outlineStyle") == "solid", (
            "focus unseen"
        )
        return element

    page.get_by_role("heading", name="Handwritten").click()
    expect(focused("Tab")).to_have_role("radio")  # the ten are one stop, as in every group of radio buttons
    for digit in range(1, 9):
        expect(focused("ArrowRight")).to_have_accessible_name(str(digit))
    page.keyboard.press("Space")
    expect(page.get_by_role("radio", name="8")).to_be_checked()
    expect(focused("Tab")).to_have_accessible_name("Generate 5 Images")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Five images of 8")).to_be_visible()
    wait_for_pictures(page)
    expect(focused("Tab")).to_have_accessible_name("Download all five")
    for seed in seeds(page):
        expect(focused("Tab")).to_have_accessible_name(f"seed {seed}: show large")
    for seed in seeds(page):
        expect(focused("Tab")).to_have_accessible_name(f"Download digit_8_seed_{seed}.png")
    for name in ("PNG", "SVG", "Copy picture", "Copy link"):
        expect(focused("Tab")).to_have_accessible_name(name)
    expect(focused("Tab")).to_have_accessible_name("Back to five images of 7, seeds 0 to 4")
    expect(focused("Tab")).to_have_accessible_name("Copy command")
    expect(focused("Tab")).to_contain_text("Options")
    expect(focused("Tab")).to_contain_text("How it works")


def test_the_focus_is_seen_on_the_links_to_the_pages(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours)
    for title in ["Generate", *PAGES.values()]:
        link = page.get_by_role("link", name=title, exact=True)
        for _ in range(10):
            page.keyboard.press("Tab")
            if link.evaluate("link => link === document.activeElement"):
                break
        expect(link).to_be_focused()
        assert link.evaluate("link => getComputedStyle(link).outlineStyle") == "solid", title


def test_everything_has_a_name_for_a_screen_reader(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours)
    expect(page.get_by_role("radiogroup", name="Digit").get_by_role("radio")).to_have_count(10)
    expect(page.get_by_role("img", name="handwritten-style 7", exact=True)).to_have_count(5)
    expect(page.get_by_role("img", name="handwritten-style 7, original size")).to_have_count(5)
    levels = page.get_by_role("heading").evaluate_all("headings => headings.map(heading => heading.tagName)")
    assert levels == ["H1", "H2", "H3", "H4"]


@DEVICES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_in_dark(
    visit: Callable[..., Page], ours: Server, missing: Server, device: dict, scheme: str
) -> None:
    """A contrast of at least 4.5, WCAG 2.2's level AA."""
    page = visit(ours, device, color_scheme=scheme)
    background = luminance(page.locator(".stApp").evaluate("app => getComputedStyle(app).backgroundColor"))
    assert background > 0.9 if scheme == "light" else background < 0.02
    assert_contrast(page, "h1, h2, .stMainBlockContainer p, .stMainBlockContainer code, [role=radio] p")
    assert_contrast(visit(missing, device, color_scheme=scheme), "[role=alert] p, [role=alert] code, .badge")


def assert_contrast(page: Page, selector: str) -> None:
    for element in page.locator(selector).all():
        colours = element.evaluate(
            """element => {
                const style = getComputedStyle(element)
                let behind = element, opacity = 1
                while (/rgba\\(.* 0\\)|transparent/.test(getComputedStyle(behind).backgroundColor))
                    behind = behind.parentElement
                for (let each = element; each; each = each.parentElement)
                    opacity *= getComputedStyle(each).opacity
                return {text: style.color, back: getComputedStyle(behind).backgroundColor, opacity}
            }"""
        )
        assert colours["opacity"] == 1, element.inner_text()
        light, dark = sorted((luminance(colours["text"]), luminance(colours["back"])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (element.inner_text(), colours)


def luminance(colour: str) -> float:
    """Relative luminance, 0...1, of "rgb(r, g, b)", as WCAG 2.2 defines it."""
    *channels, opacity = [float(number) for number in re.findall(r"[\d.]+", colour)] + (
        [1.0] if colour.startswith("rgb(") else []
    )
    assert opacity == 1, f"{colour} lets what is behind shine through"
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(channels) / 255]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_the_page_of_this_repository_draws_with_its_own_model(
    visit: Callable[..., Page], shipped: Server
) -> None:
    page = visit(shipped)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text("your own weights")).to_have_count(0)
    drawn = DigitGenerator.load(ROOT / "generator.pth").digits(7, range(5))
    np.testing.assert_array_equal([pixels(image) for image in page.locator(ENLARGED).all()], drawn)


@DEVICES
def test_an_address_shows_the_same_five_to_whoever_opens_it(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device)
    assert "?" not in page.url, "what everybody sees needs no address of its own"
    page.get_by_role("radio", name="4").click()
    generate(page)
    drawn = seeds(page)
    page.wait_for_url(f"**/?digit=4&seed={drawn[0]}")
    other = visit(ours, device, f"?digit=4&seed={drawn[0]}")
    wait_for_pictures(other)
    assert seeds(other) == drawn
    seen = [pixels(image) for image in other.locator(ENLARGED).all()]
    np.testing.assert_array_equal(seen, library.digits(4, drawn))


@DEVICES
def test_a_picture_opens_large(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device)
    huge = page.locator(".large .huge")
    np.testing.assert_array_equal(pixels(huge), library.digits(7, [0])[0])
    page.get_by_role("button", name="seed 3: show large").press("Enter")
    expect(page.get_by_role("button", name="seed 3: show large")).to_have_attribute("aria-pressed", "true")
    np.testing.assert_array_equal(pixels(huge), library.digits(7, [3])[0])
    assert huge.bounding_box()["width"] >= 0.85 * min(392, device["viewport"]["width"])
    expect(page.locator(".details .hand[data-of='3'] img")).to_have_count(10)
    hand = [pixels(image) for image in page.locator(".details .hand img").all()]
    np.testing.assert_array_equal(hand, library.hand(range(10), 3))
    name, data = download(page, page.get_by_role("button", name="PNG", exact=True))
    assert name == "digit_7_seed_3.png"
    icon = page.get_by_role("button", name="Download digit_7_seed_3.png")
    assert data == download(page, icon)[1], "the same file, with its recipe"
    name, data = download(page, page.get_by_role("button", name="SVG", exact=True))
    assert (name, data.decode()) == ("digit_7_seed_3.svg", svg_from_pixels(library.digits(7, [3])[0]))
    for target in (icon, page.get_by_role("button", name="Copy link")):
        assert min(target.bounding_box()[side] for side in ("width", "height")) >= 44
    assert_nothing_to_scroll_sideways(page)


def test_a_picture_and_its_link_are_copied(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="seed 2: show large").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Link copied.")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{ours.url}/?at=2"
    page.get_by_role("button", name="Copy picture").click()
    expect(page.get_by_text("Picture copied.")).to_be_visible()
    size = page.evaluate(
        """async () => {
            const [item] = await navigator.clipboard.read()
            const picture = await createImageBitmap(await item.getType('image/png'))
            return [picture.width, picture.height]
        }"""
    )
    assert size == [560, 560]
    other = visit(ours, None, "?at=2")
    wait_for_pictures(other)
    expect(other.get_by_role("button", name="seed 2: show large")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("then", ["generate", "options"])
def test_what_is_pressed_while_the_page_asks_for_a_hand_is_not_lost(
    visit: Callable[..., Page], ours: Server, then: str
) -> None:
    """Streamlit sends what changes at one moment together, and runs the part of the first only."""
    page = visit(ours)
    # The pill's value is sent on after React's microtasks, the button's at once.
    page.evaluate(
        """async then => {
            document.querySelectorAll('.st-key-large button')[1].click()
            for (let i = 0; i < 10; i++) await null
            document.querySelector(then).click()
        }""",
        ".st-key-options summary" if then == "options" else ".st-key-generate button",
    )
    if then == "options":
        expect(page.get_by_label("First seed")).to_be_visible()
    else:
        expect(page.get_by_role("button", name="Back to five images of 7, seeds 0 to 4")).to_be_visible()
        assert captions(page)[0] != "seed 0"


def test_a_digit_picked_at_the_moment_of_the_press_is_drawn(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours)
    page.evaluate(
        """async () => {
            document.querySelectorAll('.st-key-digit [role=radio]')[3].click()
            for (let i = 0; i < 10; i++) await null
            document.querySelector('.st-key-generate button').click()
        }"""
    )
    expect(page.get_by_role("heading", name="Five images of 3")).to_be_visible()
    assert captions(page)[0] != "seed 0"


def test_a_hand_is_asked_for_again_if_something_else_was_answered(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator
) -> None:
    page = visit(ours)
    page.evaluate(
        """() => addEventListener('click', ({ target }) => {
            if (!target.closest('.st-key-large') || window.pressed) return
            window.pressed = true
            document.querySelector('.st-key-options summary').click()
        }, true)"""
    )
    page.get_by_role("button", name="seed 3: show large").click()
    expect(page.locator(".details .hand[data-of='3'] img")).to_have_count(10)
    assert page.evaluate("window.pressed")
    hand = [pixels(image) for image in page.locator(".details .hand img").all()]
    np.testing.assert_array_equal(hand, library.hand(range(10), 3))
    expect(page.get_by_label("First seed")).to_be_visible()


def test_keys_pick_and_draw(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours)
    page.keyboard.press("3")
    expect(page.get_by_role("radio", name="3")).to_be_checked()
    expect(page.get_by_text("Next: five images of 3. Press Generate.")).to_be_visible()
    page.get_by_role("heading", name="Handwritten").click()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Five images of 3")).to_be_visible()
    expect(page.get_by_text("Press Generate.")).to_be_hidden()
    page.get_by_text("Options: how many, seed, style").click()
    page.get_by_label("First seed").fill("42")
    page.get_by_label("First seed").press("Enter")
    expect(page.get_by_text("seed 46")).not_to_have_count(0)
    expect(page.get_by_role("radio", name="3")).to_be_checked()


def test_back_leaves_the_page_and_before_brings_the_pictures_back(
    visit: Callable[..., Page], ours: Server
) -> None:
    page = visit(ours)
    turn_to(page, "Morph")
    turn_to(page, "Generate")
    length = page.evaluate("history.length")
    sources = [image.get_attribute("src") for image in page.locator(ENLARGED).all()]
    generate(page)
    generate(page)
    assert page.evaluate("history.length") == length, "an address is replaced, not added"
    page.get_by_role("button", name="Back to five images of 7, seeds 0 to 4").click()
    expect_captions(page, r"seed [0-4]")
    assert [image.get_attribute("src") for image in page.locator(ENLARGED).all()] == sources
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Morph")


def test_a_command_is_copied(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy command").click()
    expect(page.get_by_text("Command copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "python -m digit_generator generate 7 --count 5 --seed 0"


def test_what_is_picked_is_seen_in_forced_colours(visit: Callable[..., Page], ours: Server) -> None:
    page = visit(ours, forced_colors="active")

    def background(digit: int) -> str:
        radio = page.get_by_role("radio", name=str(digit))
        return str(radio.evaluate("radio => getComputedStyle(radio).backgroundColor"))

    assert background(7) != background(3)
    page.get_by_role("radio", name="3").click()
    expect(page.get_by_role("radio", name="3")).to_be_checked()
    assert background(3) != background(7)


@DEVICES
def test_the_switches_under_the_options_show_what_the_network_drew(
    visit: Callable[..., Page], choosing: Server, choosy: DigitGenerator, tmp_path: Path, device: dict
) -> None:
    page = visit(choosing, device, "?digit=3&seed=5")
    wait_for_pictures(page)
    seen = [pixels(image) for image in page.locator(ENLARGED).all()]
    np.testing.assert_array_equal(seen, choosy.digits(3, range(5, 10)))
    page.get_by_text("Options: how many, seed, style").click()
    page.get_by_text("Raw: show the network's own pixels").click()
    expect_captions(page, r"raw\s+seed \d+")
    page.get_by_text("Use every z").click()
    expect_captions(page, r"raw\s+every z\s+seed \d+")
    page.wait_for_url("**/?digit=3&seed=5&raw=1&every_z=1")
    drawn = choosy.variant(raw=True, every_z=True).digits(3, range(5, 10))
    seen = [pixels(image) for image in page.locator(ENLARGED).all()]
    np.testing.assert_array_equal(seen, drawn)
    assert_nothing_to_scroll_sideways(page)

    _, command = page.locator(".again code").all_inner_texts()
    program, *arguments = command.split()
    assert program == "python"
    subprocess.run(
        [sys.executable, *arguments, "--out", tmp_path, "--weights", choosy.path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    name, archive = download(page, page.get_by_role("button", name="Download all five"))
    assert name == "digit_3_seeds_5-9_raw.zip"
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        made = {name: opened.read(name) for name in opened.namelist()}
    assert made == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(made) == [f"digit_3_seed_{seed}_raw.png" for seed in range(5, 10)]


@DEVICES
def test_a_digit_at_its_three_stages(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device, "learn?digit=6&seed=3")
    expect(page.locator(".stages img")).to_have_count(3)
    first, scan, last = page.locator(".stages img").all()
    np.testing.assert_array_equal(picture(first), library.variant(raw=True).digits(6, [3])[0])
    np.testing.assert_array_equal(picture(last), library.digits(6, [3])[0])
    assert {*np.unique(picture(scan))} == {0, 255}, "a scan is black and white"
    boxes = [image.bounding_box() for image in (first, scan, last)]
    assert len({(box["width"], box["height"]) for box in boxes}) == 1, "three sizes"
    assert len({box["y" if device is DESKTOP else "x"] for box in boxes}) == 1, "not side by side"
    width = boxes[0]["width"] * device.get("device_scale_factor", 1)
    assert abs(width / 28 - round(width / 28)) < 0.01, "a pixel has another size than its neighbour"
    assert_nothing_to_scroll_sideways(page)
    page.get_by_role("button", name="New seed").first.click()
    expect(page.get_by_text("This is the 6 with seed 3.")).to_have_count(0)
    page.wait_for_url(re.compile(r"digit=6&seed=\d+"))


@DEVICES
def test_nothing_is_lost_by_going_to_every_page_and_back(
    visit: Callable[..., Page], ours: Server, device: dict
) -> None:
    page = visit(ours, device)
    generate(page)
    drawn, address = captions(page), page.url
    turn_to(page, "Write a number")
    page.get_by_label("Number").fill("31-12-2026")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="31-12-2026, handwritten-style")).to_be_visible()
    number = page.locator(".line .enlarged").inner_html()
    for title in PAGES.values():
        turn_to(page, title)
    turn_to(page, "Write a number")
    expect(page.get_by_label("Number")).to_have_value("31-12-2026")
    assert page.locator(".line .enlarged").inner_html() == number
    turn_to(page, "Generate")
    wait_for_pictures(page)
    assert captions(page) == drawn
    page.wait_for_url(address)


FOUR = (((0.3, 0.2), (0.25, 0.52), (0.75, 0.52)), ((0.62, 0.18), (0.56, 0.85)))


def write_with_the_mouse(page: Page, lines: Sequence[Sequence[tuple[float, float]]]) -> None:
    """Lines of shares of the square, on the page "Your hand"."""
    box = page.locator(".pen canvas").bounding_box()
    for line in lines:
        (x, y), *others = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
        page.mouse.move(x, y)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(x, y, steps=8)
        page.mouse.up()


@DEVICES
def test_a_digit_is_written_and_all_ten_come_back(
    visit: Callable[..., Page], shipped: Server, device: dict
) -> None:
    page = visit(shipped, device, "hand")
    ten = page.locator(".pictures.ten img")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    write_with_the_mouse(page, FOUR)
    expect(ten).to_have_count(10)
    expect(page.get_by_role("textbox", name="Which digit it is")).to_have_value("4")
    page.wait_for_url("**/hand?hand=*")
    wait_for_page(page)
    hand = Hand.from_text(page.url.partition("hand=")[2])
    seen = [pixels(image) for image in ten.all()]
    np.testing.assert_array_equal(seen, DigitGenerator.load().variant(in_hand=hand).hand(range(10), 0))
    square = page.get_by_role("img", name="Square to write a digit in")
    expect(square).to_have_accessible_name(re.compile("with 2 lines in it$"))
    for button in page.locator(".pen button").all():
        assert button.bounding_box()["height"] >= 44
    assert_nothing_to_scroll_sideways(page)


def test_what_is_written_stays_until_it_is_taken_back(visit: Callable[..., Page], shipped: Server) -> None:
    page = visit(shipped, None, "hand")
    square, ten = (
        page.get_by_role("img", name="Square to write a digit in"),
        page.locator(".pictures.ten img"),
    )
    write_with_the_mouse(page, FOUR)
    expect(ten).to_have_count(10)
    page.wait_for_url("**/hand?hand=*")
    address = page.url
    turn_to(page, "Morph")
    turn_to(page, "Your hand")
    expect(square).to_have_accessible_name(re.compile("with 2 lines in it$"))
    expect(ten).to_have_count(10)
    page.wait_for_url(address)
    page.get_by_role("button", name="Undo").click()
    expect(square).to_have_accessible_name(re.compile("with 1 line in it$"))
    page.wait_for_url(lambda url: "?hand=" in url and url != address)
    page.get_by_role("button", name="Clear").click()
    expect(ten).to_have_count(0)
    expect(page.get_by_role("button", name="Clear")).to_be_disabled()


def test_a_finger_writes_and_does_not_scroll(visit: Callable[..., Page], shipped: Server) -> None:
    page = visit(shipped, PHONE, "hand")
    box = page.locator(".pen canvas").bounding_box()
    touch = page.context.new_cdp_session(page)
    for line in FOUR:
        points = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in line]
        palm = {"x": box["x"] + 9, "y": box["y"] + box["height"] - 9, "id": 1}
        for kind, at in zip(("touchStart", *["touchMove"] * len(points[1:])), points, strict=True):
            both = [{**at, "id": 0}, palm]  # a palm beside the finger writes nothing
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": both})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    square = page.get_by_role("img", name="Square to write a digit in")
    expect(square).to_have_accessible_name(re.compile("with 2 lines in it$"))
    assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollTop") == 0
    expect(page.locator(".pictures.ten img")).to_have_count(10)
    expect(page.get_by_role("textbox", name="Which digit it is")).to_have_value("4")


@DEVICES
def test_a_number_is_the_librarys(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device, "number?text=3.14&seed=5")
    for selector in (".line .enlarged", ".line .original"):
        seen = np.hstack([picture(image) for image in page.locator(f"{selector} img").all()])
        np.testing.assert_array_equal(seen, write_number(library, "3.14", 5).picture)
    name, data = download(page, page.get_by_role("button", name="Download PNG"))
    assert name == "3.14_seed_5.png"
    np.testing.assert_array_equal(Image.open(io.BytesIO(data)), write_number(library, "3.14", 5).picture)
    page.get_by_label("Number").fill("🙂")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("'🙂' (character 1) cannot be written")
    expect(page.get_by_role("img", name="3.14, handwritten-style")).to_be_visible()
    page.get_by_label("Number").fill("123456789012345678901234")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="123456789012345678901234, handwritten-style")).to_be_visible()
    wait_for_page(page)  # until then, pieces of the number before it may still be there
    heights = {image.bounding_box()["height"] for image in page.locator(".line .enlarged img").all()}
    rows = {image.bounding_box()["y"] for image in page.locator(".line .enlarged img").all()}
    assert min(heights) >= 3 * 28, "as small as on a strip"
    assert len(rows) >= 2
    assert_nothing_to_scroll_sideways(page)


@DEVICES
def test_a_morph_is_the_librarys(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device, "morph?digit=2&seed=1&to=5&to_seed=9&frames=6")
    frames = [picture(image) for image in page.locator(".strip img").all()]
    np.testing.assert_array_equal(frames, morph(library, [(2, 1), (5, 9)], frames_between=6))
    name, data = download(page, page.get_by_role("button", name="Download GIF"))
    assert name.endswith(".gif")
    assert Image.open(io.BytesIO(data)).n_frames == 2 * 7 + 1
    seeds = page.get_by_text("to a 5 with seed 9 and back")  # another seed may begin with 9
    expect(seeds).to_be_visible()
    page.get_by_role("button", name="New seeds").click()
    expect(seeds).to_have_count(0)
    assert_nothing_to_scroll_sideways(page)


@DEVICES
def test_the_game_is_played_by_pressing_pictures(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device, "game")
    real = np.asarray(Image.open(ROOT / "web" / "real_digits.png"))
    tiles = tiles_of_round(0)
    for image, tile in zip(page.locator(".st-key-tiles .enlarged").all(), tiles, strict=True):
        expected = library.digits(tile.digit, [1000 + tile.digit])[0]
        if not tile.generated:
            expected = real[28 * tile.digit : 28 * tile.digit + 28, :28]
        np.testing.assert_array_equal(picture(image), expected)
    for place, tile in enumerate(tiles):
        if tile.generated:
            tile_picture = page.locator(".st-key-tiles .enlarged").nth(place)
            tile_picture.scroll_into_view_if_needed()
            box = tile_picture.bounding_box()
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            mark = page.get_by_role(
                "checkbox", name=f"Picture {place + 1}, a {tile.digit}: drawn by the network"
            )
            expect(mark).to_be_checked()
    page.get_by_role("button", name="Show the answer").click()
    expect(page.get_by_text("10 of 10 correct.")).to_be_visible()
    told = page.get_by_text("✓ Drawn by the network. You said: the network.")
    expect(told).to_have_count(sum(tile.generated for tile in tiles))
    expect(page.get_by_role("button", name="Ten more")).to_be_focused()
    if device is PHONE:
        assert page.locator(".st-key-tiles .enlarged").first.bounding_box()["width"] >= 160, "two columns"
    assert_nothing_to_scroll_sideways(page)
    page.get_by_role("button", name="Ten more").click()
    expect(page.get_by_text("Round 2:")).to_be_visible()
    page.reload()
    expect(page.get_by_text("So far 10 of 10 correct, 100 %.")).to_be_visible()


@DEVICES
def test_a_data_set_is_what_was_ordered(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device, "dataset?count=40&seed=2")
    page.get_by_role("button", name="Make the data set").click()
    expect(page.get_by_text("Ready: 40 images")).to_be_visible()
    name, data = download(page, page.get_by_role("button", name="Download digits_40"))
    assert name == "digits_40_idx_seed_2.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        images = gzip.decompress(archive.read("train-images-idx3-ubyte.gz"))
        labels = gzip.decompress(archive.read("train-labels-idx1-ubyte.gz"))[8:]
        first = json.loads(archive.read("manifest.json"))["parts"]["train"]["first_image_seed"]
    drawn = library.digits([*labels], range(first, first + 40))
    made = np.frombuffer(images[16:], np.uint8).reshape(40, 28, 28)
    np.testing.assert_array_equal(made, drawn)
    assert_nothing_to_scroll_sideways(page)


@DEVICES
def test_the_picture_follows_while_z_is_dragged(
    visit: Callable[..., Page], ours: Server, library: DigitGenerator, device: dict
) -> None:
    page = visit(ours, device, "learn?digit=6&seed=3")
    slider = page.locator(".latents input").first
    expect(slider).to_be_visible()
    number = int(page.locator(".latents label span").first.inner_text().split()[1]) - 1
    frame = page.locator(".latents .frame")
    before = frame.get_attribute("style")
    slider.evaluate("input => { input.value = 2; input.dispatchEvent(new Event('input', {bubbles: true})) }")
    assert frame.get_attribute("style") != before, "it must follow before it is let go"
    slider.evaluate("input => input.dispatchEvent(new Event('change', {bubbles: true}))")
    expect(page.get_by_role("button", name="Reset")).to_be_enabled()
    wait_for_page(page)
    z = library.latents([3], [6])
    z[0, number] = 2
    expected = library.pixels(z, [6], [3], in_box=False)[0]
    source = re.search(r"base64,([^\")]+)", frame.get_attribute("style"))[1]
    np.testing.assert_array_equal(Image.open(io.BytesIO(base64.b64decode(source))), expected)
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_role("button", name="Reset")).to_be_disabled()
    assert_nothing_to_scroll_sideways(page)


def test_a_style_is_drawn_as_the_library_draws_it(visit: Callable[..., Page], shipped: Server) -> None:
    page = visit(shipped, None, "?digit=3&seed=7&thickness=3.5")
    wait_for_pictures(page)
    generator = DigitGenerator.load(ROOT / "generator.pth")
    seen = [pixels(image) for image in page.locator(ENLARGED).all()]
    drawn = styled_digits(generator, 3, range(7, 12), Style(thickness=3.5))
    np.testing.assert_array_equal(seen, drawn)
    expect(page.get_by_role("button", name="Thickness", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("slider", name="Thickness")).to_have_value("3.5")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_in_light_and_in_dark(
    visit: Callable[..., Page], ours: Server, missing: Server, scheme: str, path: str
) -> None:
    page = visit(ours, PHONE, path, color_scheme=scheme)
    # Not what is off, nor a label that its picture stands for, nor a number beside a slider's thumb.
    words = ".stMainBlockContainer p:not(:disabled p, .st-key-tiles label p, .stSlider p)"
    assert_contrast(page, f"h1, h2, {words}, .stMainBlockContainer code, .stMainBlockContainer td")
    assert_nothing_to_scroll_sideways(page)
    page = visit(missing, PHONE, path, color_scheme=scheme)
    assert_contrast(page, "[role=alert] p, [role=alert] code")
    assert_nothing_to_scroll_sideways(page)
