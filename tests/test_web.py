"""The files of the page in web/: what is said twice is the same twice, and nothing comes from elsewhere."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Callable
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from digit_generator import choose, finish, hand, normalize, number, style
from digit_generator.choose import Choice, choice_path
from digit_generator.generate import DigitGenerator, latents_from_seeds
from digit_generator.recipe import HAND_PATTERN
from digit_generator.weights import arrays_from_file, digest_of_file
from tools import make_web, serve_web
from tools.serving import ROOT

WEB = ROOT / "web"
PAGE = (WEB / "index.html").read_text(encoding="utf-8")
HAND_PAGE = (WEB / "hand.html").read_text(encoding="utf-8")
PAGES = pytest.mark.parametrize("page", [PAGE, HAND_PAGE], ids=["index", "hand"])
CHOICE = "generator.choice.safetensors"
WRITTEN = [
    "first.png",
    "generator.bin",
    "generator.starts.bin",
    "preview.png",
    "real_digits.png",
    "real_digits.txt",
]  # by tools/make_web.py


def make(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.make_web", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_page_draws_with_the_weights_that_ship() -> None:
    """The same names, dtypes and numbers. If not, generator.pth has changed: `make web`."""
    ours = arrays_from_file(ROOT / "generator.pth")
    theirs = safetensors.numpy.load(make_web.unpacked((WEB / "generator.bin").read_bytes()))
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype
        np.testing.assert_array_equal(array, theirs[name])
    digest = digest_of_file(ROOT / "generator.pth")
    choice = Choice.beside(ROOT / "generator.pth", digest)
    told = {"weights_sha256": digest} | ({"choice_sha256": choice.digest} if choice else {})
    assert header(WEB)["__metadata__"] == told
    if choice:
        assert (WEB / CHOICE).read_bytes() == choice_path(ROOT / "generator.pth").read_bytes()


def test_the_finish_and_the_choice_have_pythons_constants() -> None:
    for module, script, names in (
        (
            finish,
            "finish.js",
            ["SCAN_SIZES", "STROKE_BOUNDS", "ROUGHNESS", "SMALLEST_PIECE", "KEPT_WHITE"],
        ),
        (choose, "choose.js", ["MAX_TRIES"]),
    ):
        written = constants(script)
        assert written == {name: json.loads(json.dumps(getattr(module, name))) for name in names}, script
    assert f"\nexport const SIGNS = '{number.SIGNS}'\n" in (WEB / "signs.js").read_text(encoding="utf-8")
    assert f"\nexport const NEATEST = {choose.NEATEST}\n" in (WEB / "address.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ('<meta http-equiv="Content-Security-Policy"', ">"),
        ('<div id="not-started"', "</div>"),
        ('<div id="signs"', "</section>"),
        ("<footer", "</footer>"),
    ],
    ids=["policy", "not started", "number", "footer"],
)
def test_what_both_pages_have_is_alike(first: str, last: str) -> None:
    parts = []
    for page in ("index.html", "hand.html"):
        text = (WEB / page).read_text(encoding="utf-8")
        start = text.index(first)
        parts.append(text[start : text.index(last, start)])
    assert parts[0] == parts[1]


def test_the_fit_has_pythons_constants() -> None:
    written = constants("fit.js")
    assert len(written) == 13
    for name, value in written.items():
        private = "_STEPS" if name == "WALK_STEPS" else f"_{name}"
        assert value == (vars(hand)[private] if private in vars(hand) else vars(hand)[name]), name
    script = (WEB / "hand.js").read_text(encoding="utf-8")
    for name, value in (
        ("STEPS", hand.STEPS),
        ("MAX_DIGITS", hand.MAX_DIGITS),
        ("MAX_BYTES", hand.MAX_BYTES),
        ("HAND_VARIATION", style.HAND_VARIATION),
        ("SUFFIX", repr(hand.SUFFIX)),
        (
            "TEXT",
            HAND_PATTERN.replace("[0-9a-f]{8}[.]", "/^([0-9a-f]{8})\\.(").replace("0-9A-Za-z", "A-Za-z0-9")
            + ")$/",
        ),
    ):
        assert re.search(rf"const {name} = {re.escape(str(value))}(?: |\n)", script), name
    assert f"export const SCAN = {normalize._SCAN} " in (WEB / "normalize.js").read_text(encoding="utf-8")


def test_the_places_of_the_starts_are_where_the_network_draws_them() -> None:
    """If not, generator.pth has changed: `make web`."""
    data = make_web.unpacked((WEB / "generator.starts.bin").read_bytes())
    told = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert told == {"weights_sha256": digest_of_file(ROOT / "generator.pth")}
    tensors = safetensors.numpy.load(data)
    axis_step, place_step = tensors["scale"].tolist()
    z = latents_from_seeds(range(hand.FIRST_SEED, hand.FIRST_SEED + 50))
    generator = DigitGenerator.load(ROOT / "generator.pth")
    for digit in (0, 7):
        images = hand.blurred(generator.images(z, [digit] * 50)[:, 0]).reshape(50, -1)
        placed = tensors["places"][:, digit, :50].T * place_step
        missing = ((images - tensors["mean"] - placed @ (tensors["axes"] * axis_step)) ** 2).sum(axis=1)
        np.testing.assert_allclose(missing, tensors["rest"][digit, :50], rtol=1e-2)
        assert missing.mean() < 0.3 * ((images - tensors["mean"]) ** 2).sum(axis=1).mean()


def constants(script: str) -> dict:
    text = (WEB / script).read_text(encoding="utf-8")
    found = re.findall(r"^export const (\w+) = (.*?)(?=\n\n|\nexport)", text, re.M | re.S)
    return {name: json.loads(re.sub(r",(\s*\])", r"\1", value)) for name, value in found}


def header(folder: Path) -> dict:
    data = make_web.unpacked((folder / "generator.bin").read_bytes())
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def test_everything_a_visitor_loads_is_about_three_megabytes() -> None:
    assert sum(path.stat().st_size for path in WEB.iterdir()) < 3.1e6


def test_the_weights_travel_smaller_and_come_back_to_the_byte() -> None:
    data = safetensors.numpy.save(arrays_from_file(ROOT / "generator.pth"), metadata={"weights_sha256": "x"})
    assert make_web.unpacked(make_web.packed(data)) == data
    assert len(make_web.packed(data)) < 0.9 * len(data)
    assert make_web.packed(data) == make_web.packed(data)


def test_the_five_that_are_there_first_are_what_the_network_draws() -> None:
    first = np.asarray(Image.open(WEB / "first.png"))
    expected = DigitGenerator.load(ROOT / "generator.pth").digits(7, range(5))
    np.testing.assert_array_equal(first, np.concatenate(list(expected), axis=1))
    assert (WEB / "first.png").stat().st_size < 3000
    captions = re.findall(r'class="enlarged" src="first.png" alt="handwritten-style (\d), seed (\d)"', PAGE)
    assert captions == [("7", str(seed)) for seed in range(5)]
    assert "START = { digit: 7, seed: 0, " in (WEB / "address.js").read_text(encoding="utf-8")


def test_make_writes_the_weights_that_are_named_and_leaves_the_real_digits(
    weights_file: Path, tmp_path: Path
) -> None:
    result = make("--weights", weights_file, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        "first.png",
        "generator.bin",
        "generator.starts.bin",
        "preview.png",
    }
    written = safetensors.numpy.load(make_web.unpacked((tmp_path / "generator.bin").read_bytes()))
    row = np.concatenate(list(DigitGenerator.load(weights_file).digits(7, range(5))), axis=1)
    np.testing.assert_array_equal(Image.open(tmp_path / "first.png"), row)
    for name, array in arrays_from_file(weights_file).items():
        np.testing.assert_array_equal(array, written[name])


def test_make_writes_the_choice_file_of_the_weights_and_no_other(
    choosy: DigitGenerator, weights_file: Path, save_weights: Callable[..., Path], tmp_path: Path
) -> None:
    assert make("--weights", choosy.path, "--out", tmp_path).returncode == 0
    assert (tmp_path / CHOICE).read_bytes() == choice_path(choosy.path).read_bytes()
    assert header(tmp_path)["__metadata__"]["choice_sha256"] == choosy.choice_digest
    # Weights without one, then weights beside which lies one of others: the page has none.
    other = save_weights(seed=1)
    choice_path(other).write_bytes(choice_path(choosy.path).read_bytes())
    for weights in (weights_file, other):
        (tmp_path / CHOICE).write_bytes(b"that of other weights")
        assert make("--weights", weights, "--out", tmp_path).returncode == 0
        assert not (tmp_path / CHOICE).exists()
        assert header(tmp_path)["__metadata__"] == {"weights_sha256": digest_of_file(weights)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "nowhere.pth"], "nowhere.pth does not exist"),
        (["--data-dir", "nowhere"], "nowhere holds no t10k-images-idx3-ubyte"),
        (["--out", "nowhere"], "nowhere cannot be written to"),
        (["--url", "example.org"], "--url is 'example.org': expected an address such as https://"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(arguments: list[str], words: str) -> None:
    before = [(WEB / name).read_bytes() for name in WRITTEN]
    result = make(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert [(WEB / name).read_bytes() for name in WRITTEN] == before


def test_the_real_digits_are_thirty_of_each_row_by_row() -> None:
    sheet = Image.open(io.BytesIO((WEB / "real_digits.png").read_bytes()))
    assert (sheet.mode, sheet.size) == ("L", (30 * 28, 10 * 28))
    tiles = np.asarray(sheet).reshape(10, 28, 30, 28).transpose(0, 2, 1, 3).reshape(300, 28, 28)
    assert len(np.unique(tiles, axis=0)) == 300
    assert (tiles.max(axis=(1, 2)) > 200).all()
    # What stands there is what its row says: ones have the least ink, noughts none in their middle.
    ink = tiles.reshape(10, 30, -1).mean(axis=(1, 2))
    assert ink.argmin() == 1
    assert tiles.reshape(10, 30, 28, 28)[:, :, 12:16, 12:16].mean(axis=(1, 2, 3)).argmin() == 0
    assert "Creative Commons" in (WEB / "real_digits.txt").read_text(encoding="utf-8")


def test_every_file_is_kept_for_use_without_a_network() -> None:
    offline = (WEB / "offline.js").read_text(encoding="utf-8")
    kept = set(re.findall(r"^  '(.*)',$", offline, re.M))
    there = {path.name for path in WEB.iterdir() if path.is_file()}
    assert kept == there - {"index.html", "offline.js", "preview.png", "real_digits.txt", CHOICE} | {"./"}
    assert f"const CHOICE = '{CHOICE}'" in offline  # kept where there is one


@PAGES
def test_every_module_is_asked_for_at_once(page: str) -> None:
    scripts = set(re.findall(r'<script type="module" src="(.*?)"', page))
    needed, waiting = set(scripts), list(scripts)
    while waiting:
        text = (WEB / waiting.pop()).read_text(encoding="utf-8")
        new = set(re.findall(r" from '\./(.*?)'", text)) - needed
        needed |= new
        waiting += new
    assert set(re.findall(r'rel="modulepreload" href="(.*?)"', page)) == needed - scripts


@PAGES
def test_the_policy_lets_nothing_in_from_elsewhere(page: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert set(rules.values()) == {"'self'"}
    scripts = re.findall(r"<script(.*?)>(.*?)</script>", page, re.S)
    assert [inside for _, inside in scripts] == ["", ""]
    start = ["start.js", "page.js"] if page == PAGE else ["hand_start.js", "hand_page.js"]
    assert [re.findall('src="(.*?)"', options) for options, _ in scripts] == [[name] for name in start]
    assert not re.search(r"\son\w+=|\sstyle=|<style", page)
    loaded = re.findall(r'(?:src|<link[^>]* href)="(.*?)"', page)
    assert loaded
    assert all((WEB / name).is_file() for name in loaded)
    for path in WEB.glob("*.js"):
        assert set(re.findall(r"https?://[^'\"\s]+", path.read_text(encoding="utf-8"))) <= {
            "http://www.w3.org/2000/svg"  # a name, not an address
        }
    assert "url(" not in (WEB / "style.css").read_text(encoding="utf-8")


@PAGES
def test_a_shared_link_has_the_title_the_description_and_a_picture_of_the_page(page: str) -> None:
    tags = dict(re.findall(r'<meta property="og:([a-z:]+)" content="(.*?)">', page))
    (title,) = re.findall("<h1>(.*?)</h1>", page)
    (description,) = re.findall('<meta name="description" content="(.*?)">', page)
    assert (tags["type"], tags["title"], tags["description"]) == ("website", title, description)
    picture = Image.open(WEB / tags["image"])
    assert picture.size == (int(tags["image:width"]), int(tags["image:height"]))
    assert tags["image:alt"]
    digits = DigitGenerator.load(ROOT / "generator.pth").digits(range(10), [0] * 10)
    assert (WEB / tags["image"]).read_bytes() == make_web.preview(digits)
    tiles = np.asarray(picture)[107:523:1, 62:1138]  # two rows of five, 24 pixels apart
    np.testing.assert_array_equal(tiles[3:196:7, 3:196:7], digits[0])
    np.testing.assert_array_equal(tiles[223:416:7, 883:1076:7], digits[9])


def test_make_writes_the_full_address_of_the_picture(weights_file: Path, tmp_path: Path) -> None:
    for name in make_web.PAGES:
        (tmp_path / name).write_text((WEB / name).read_text(encoding="utf-8"), encoding="utf-8")
    result = make("--weights", weights_file, "--out", tmp_path, "--url", "https://example.org/digits/")
    assert result.returncode == 0, result.stderr
    for name in make_web.PAGES:
        before, page = ((folder / name).read_text(encoding="utf-8") for folder in (WEB, tmp_path))
        assert page == before.replace(
            'og:image" content="preview.png"', 'og:image" content="https://example.org/digits/preview.png"'
        )
        assert page != before


def test_the_colours_are_those_of_the_streamlit_page() -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    style = (WEB / "style.css").read_text(encoding="utf-8")
    for name, key in {
        "paper": "backgroundColor",
        "shade": "secondaryBackgroundColor",
        "ink": "textColor",
        "line": "borderColor",
        "blue": "primaryColor",
    }.items():
        assert re.findall(rf"--{name}: (.*);", style) == [theme["light"][key], theme["dark"][key]]
    assert f"--round: {theme['baseRadius']};" in style
    assert "light-dark(" not in style  # Safari before 17.5 does not know it
    for scheme in ("light", "dark"):  # what the browser's own frame is given
        assert f'({"prefers-color-scheme: " + scheme})" content="{theme[scheme]["backgroundColor"]}"' in PAGE


def test_scripts_are_served_as_scripts_whatever_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Windows registry may call .js text/plain, and a browser runs no such module."""
    monkeypatch.setattr("mimetypes.guess_type", lambda *_, **__: ("text/plain", None))
    handler = partial(serve_web.Files, directory=serve_web.WEB)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, kind in (("page.js", "text/javascript"), ("style.css", "text/css"), ("", "text/html")):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{name}") as answer:
                assert answer.headers["Content-Type"] == kind
        server.shutdown()
