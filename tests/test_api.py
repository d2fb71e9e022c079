"""The API draws what the package draws, tells every mistake, keeps its bounds, and stands beside the page."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import schemathesis
from choices import make_choice_file
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient
from PIL import Image

from digit_generator import DigitGenerator, __version__, api, cli
from digit_generator.choose import choice_path
from digit_generator.errors import DigitGeneratorError
from digit_generator.hand import costs_of_digits, hand_from_digits, read_digits, too_far
from digit_generator.normalize import normalized_digits
from digit_generator.number import SIGNS, write_number
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import Recipe
from digit_generator.render import (
    png_from_line,
    png_from_pixels,
    recipe_text_from_png,
    sheet_from_pixels,
    svg_from_pixels,
)
from digit_generator.turns import MOST_TOGETHER, FullError, GoneError, Kept, Lane, SaidOnce, Together
from tools.serving import free_port, running

ROOT = Path(__file__).parents[1]
schema = schemathesis.openapi.from_asgi("/openapi.json", api.app)


@hypothesis.strategies.composite
def photos(draw: hypothesis.strategies.DrawFn) -> bytes:
    """Pictures of a 7, of several sizes."""
    return photo_of([7], draw(hypothesis.strategies.integers(2, 8)))


for kind in ("png", "jpeg", "webp"):  # what kind it is, is seen in it
    schemathesis.openapi.media_type(f"image/{kind}", photos())


@pytest.fixture(autouse=True)
def ours(choosy: DigitGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API draws by the tests' weights, with a choice."""
    monkeypatch.setattr(api, "find_weights", lambda: choosy.path)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is slow, not wrong."""
    monkeypatch.setattr(api, "TIMEOUT", 60)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(api.app) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """No answer of an earlier test is kept."""
    kept = Kept(api.KEPT_BYTES)
    monkeypatch.setattr(api, "_answers", kept)
    return kept


@pytest.mark.usefixtures("patient")
@schema.parametrize()
@hypothesis.settings(
    max_examples=25, suppress_health_check=list(hypothesis.HealthCheck), deadline=None, derandomize=True
)
def test_schemathesis_finds_nothing(case: schemathesis.Case) -> None:
    """Answers as described, no 5xx, bad values refused and good ones not, for whatever it comes up with."""
    case.call_and_validate()


def test_a_png_is_the_digit_with_its_recipe(client: TestClient, choosy: DigitGenerator) -> None:
    answer = client.get("/digits/7.png?seed=1&scale=2")
    recipe = Recipe.of(choosy, digit=7, seed=1, scale=2)
    assert answer.content == png_from_pixels(choosy.digits(7, [1])[0], scale=2, recipe=recipe.to_text())
    assert answer.headers["content-type"] == "image/png"


def test_several_are_one_sheet(client: TestClient, choosy: DigitGenerator) -> None:
    answer = client.get("/digits/3.png?seed=8&count=12")
    recipe = Recipe.of(choosy, digit=3, seed=8, count=12).to_text()
    expected = sheet_from_pixels(choosy.digits(3, range(8, 20)), columns=10, recipe=recipe)
    assert answer.content == expected
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (298, 58)


def test_json_is_the_pixels(client: TestClient, choosy: DigitGenerator) -> None:
    told = client.get("/digits/0.json?seed=4&count=3").json()
    assert (told["digit"], told["seeds"], told["weights_sha256"]) == (0, [4, 5, 6], choosy.digest)
    np.testing.assert_array_equal(np.array(told["pixels"]), choosy.digits(0, [4, 5, 6]))


@pytest.mark.parametrize("form", ["outline", "pixels"])
def test_svg_is_one_digit(client: TestClient, choosy: DigitGenerator, form: str) -> None:
    answer = client.get(f"/digits/8.svg?seed=2&form={form}")
    assert answer.text == svg_from_pixels(choosy.digits(8, [2])[0], form)
    assert answer.headers["content-type"].startswith("image/svg+xml")


def test_a_number_is_one_line_in_one_hand(client: TestClient, choosy: DigitGenerator) -> None:
    answer = client.get("/numbers/20.5-7.png?seed=3&scale=2")
    recipe = Recipe.of(choosy, text="20.5-7", seed=3, scale=2).to_text()
    line = write_number(choosy, "20.5-7", 3)
    assert answer.content == png_from_line(line.picture, scale=2, recipe=recipe)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("24/12/2026", "24/12/2026"),
        ("24%2F12%2F2026", "24/12/2026"),
        ("24%2f12/2026", "24/12/2026"),
        ("/7/", "/7/"),
        ("1.png/2", None),
        ("24/12/2026/24/12/2026/24/1", None),
    ],
)
def test_a_number_may_have_slashes(
    client: TestClient, choosy: DigitGenerator, address: str, text: str | None
) -> None:
    answer = client.get(f"/numbers/{address}.png?seed=3")
    if text is None:
        assert answer.status_code == 422
        assert "expected 1 to 24 digits and signs" in answer.json()["detail"]
        return
    recipe = Recipe.of(choosy, text=text, seed=3).to_text()
    assert answer.content == png_from_line(write_number(choosy, text, 3).picture, recipe=recipe)


def test_a_number_may_have_every_sign_that_can_be_written(client: TestClient) -> None:
    assert [client.get(f"/numbers/{urllib.parse.quote(sign)}7.png").status_code for sign in SIGNS] == [
        200
    ] * len(SIGNS)


# Each way to draw, as an address asks for it and as the generator is told.
WAYS = [
    ("", {}),
    ("&raw=1", {"raw": True}),
    ("&every_z=1", {"every_z": True}),
    ("&raw=1&every_z=1", {"raw": True, "every_z": True}),
    ("&neat=4", {"neat": 4}),
]


@pytest.mark.parametrize(("asked", "variant"), WAYS, ids=str)
def test_raw_pixels_and_every_z_are_drawn_if_asked_for(
    client: TestClient, choosy: DigitGenerator, asked: str, variant: dict[str, Any]
) -> None:
    drawing = choosy.variant(**variant)
    pixels = drawing.digits(8, range(30))
    recipe = Recipe.of(drawing, digit=8, count=30).to_text()
    picture = client.get(f"/digits/8.png?count=30{asked}").content
    assert picture == sheet_from_pixels(pixels, columns=10, recipe=recipe)
    told = client.get(f"/digits/8.json?count=30{asked}").json()
    np.testing.assert_array_equal(told["pixels"], pixels)
    assert (told["finish"], told["choice_sha256"]) == (drawing.finish_version, drawing.choice_digest)
    drawn = client.get(f"/digits/8.svg?seed=3&form=pixels{asked}").text
    assert drawn == svg_from_pixels(drawing.digits(8, [3])[0], "pixels")
    refused = next(seed for seed in range(100) if choosy.hand_number(seed))
    line = write_number(drawing, "20", refused)
    recipe = Recipe.of(drawing, text="20", seed=refused).to_text()
    number = client.get(f"/numbers/20.png?seed={refused}{asked}").content
    assert number == png_from_line(line.picture, recipe=recipe)


def test_each_way_draws_other_pictures_with_other_tags(client: TestClient) -> None:
    answers = [client.get(f"/digits/8.json?count=30{asked}") for asked, _ in WAYS]
    assert len({str(answer.json()["pixels"]) for answer in answers}) == len(WAYS)
    assert len({answer.headers["etag"] for answer in answers}) == len(WAYS)


@pytest.mark.parametrize("asked", [asked for asked, _ in WAYS])
def test_a_recipe_names_the_command_and_the_address_of_the_same_picture(
    client: TestClient,
    tmp_path: Path,
    choosy: DigitGenerator,
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
) -> None:
    told = client.get(f"/recipe?digit=8&seed=1&count=5&scale=3{asked}").json()
    picture = client.get(told["url"])
    assert recipe_text_from_png(picture.content) == told["recipe"]
    assert picture.headers["cache-control"] == "public, max-age=31536000, immutable"
    monkeypatch.chdir(tmp_path)
    words = told["command"].removeprefix("python -m digit_generator ").split()
    assert cli.run([*words, "--weights", str(choosy.path)]) == 0
    (drawn,) = tmp_path.rglob("*.png")
    assert drawn.read_bytes() == picture.content


def test_health(client: TestClient, choosy: DigitGenerator) -> None:
    told = client.get("/health").json()
    assert told == {
        "status": "ok",
        "version": __version__,
        "weights_sha256": choosy.digest,
        "finish": choosy.finish_version,
        "choice_sha256": choosy.choice_digest,
    }


# Addresses


EVERY_ADDRESS = [
    "/health",
    "/digits/7.png?seed=1&count=5&scale=2",
    "/digits/7.json?count=2",
    "/digits/7.svg",
    "/numbers/24/12/2026.png",
    "/recipe?digit=7",
    "/docs",
    "/openapi.json",
]


def test_every_address_is_tried() -> None:
    """A new address must be added to EVERY_ADDRESS."""
    paths = [address.partition("?")[0] for address in EVERY_ADDRESS]
    for route in api.app.routes:
        if route.methods == {"POST"}:
            continue
        assert any(route.path_regex.fullmatch(path) for path in paths), route.path


@pytest.mark.parametrize("address", [*EVERY_ADDRESS, "/digits/10.png", "/recipe", "/digits/7.gif"])
def test_head_answers_as_get_without_a_body(client: TestClient, address: str) -> None:
    got, head = client.get(address), client.head(address)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers == got.headers
    assert int(head.headers["content-length"]) == len(got.content) > 0


def test_head_is_not_repeated_to_who_has_the_answer(client: TestClient) -> None:
    tag = client.head("/digits/7.png").headers["etag"]
    assert client.head("/digits/7.png", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("address", EVERY_ADDRESS)
def test_another_method_is_told_in_one_sentence(client: TestClient, address: str) -> None:
    path = address.partition("?")[0]
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "LOOK"):
        answer = client.request(method, address)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"
        told = f"{method} is not a method of {path!r}: expected GET or HEAD; /docs lists all addresses."
        assert answer.json() == {"detail": told}


def test_another_method_than_post_is_told_in_one_sentence(client: TestClient) -> None:
    for method in ("GET", "PUT", "OPTIONS"):
        answer = client.request(method, "/hand")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        told = f"{method} is not a method of '/hand': expected POST; /docs lists all addresses."
        assert answer.json() == {"detail": told}
    assert client.head("/hand").headers["allow"] == "POST"


class Page(HTMLParser):
    """What a browser would fetch or run for a page, where its links lead, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in ("src", "href", "srcset", "action", "data", "style") or name.startswith("on"):
                self.sources.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def test_the_documentation_needs_no_other_host_and_no_script(client: TestClient) -> None:
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert page.sources == []
    assert "script" not in page.tags
    assert "//" not in answer.text
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert len(answer.content) < 30_000


def test_the_documentation_lists_every_address_with_its_parameters_and_ranges(client: TestClient) -> None:
    page = Page(client.get("/docs").text)
    rows = [" ".join(row.split()) for row in client.get("/docs").text.split("<tr>")]
    rows = [" ".join(Page(row).text.split()) for row in rows]
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) == 7
    for path, methods in paths.items():
        assert path in page.text
        for parameter in next(iter(methods.values())).get("parameters", []):
            mine = [row for row in rows if row.startswith(parameter["name"] + " ")]
            assert mine, parameter["name"]
            assert any(parameter["description"] in row for row in mine)
            schema = parameter["schema"]
            for value in [schema[name] for name in ("minimum", "maximum") if name in schema]:
                assert any(re.search(rf"\b{value}\b", row) for row in mine), (parameter["name"], value)
    for words in (
        "a whole number from 0 to 4294967295",
        "outline, pixels or ink",
        "1 to 24 digits and signs",
    ):
        assert words in page.text
    assert "{8,64}" not in page.text


def test_every_example_of_the_documentation_is_answered(client: TestClient) -> None:
    """Wherever the API is mounted: the links are relative to the page."""
    paths = client.get("/openapi.json").json()["paths"]
    links = Page(client.get("/docs").text).links
    assert "openapi.json" in links
    answers = [client.get(urllib.parse.urljoin("/docs", link)) for link in links]
    assert {answer.status_code for answer in answers} == {200}
    assert len(links) == 1 + len([methods for methods in paths.values() if "get" in methods])
    assert 'curl --data-binary @photo.jpg "/hand"' in Page(client.get("/docs").text).text


# A hand by upload


@pytest.mark.usefixtures("patient")
def test_the_hand_of_a_picture(client: TestClient, choosy: DigitGenerator) -> None:
    photo = photo_of([7])
    written = normalized_digits(photo).pixels
    found = hand_from_digits(choosy, written, [7])
    answer = client.post("/hand?digits=7", content=photo)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "hand": found.hand.text,
        "name": found.hand.name,
        "digits": [7],
        "distances": found.distances.tolist(),
        "too_far": too_far(found, costs_of_digits(choosy, written)).tolist(),
        "weights_sha256": choosy.digest,
    }
    in_hand = choosy.variant(in_hand=found.hand).digits(4, [2])
    asked = client.get("/digits/4.json", params={"seed": 2, "hand": answer.json()["hand"]})
    assert asked.json()["pixels"] == in_hand.tolist()
    read = client.post("/hand", content=photo).json()
    assert read["digits"] == read_digits(choosy, written)


def photo_of(labels: list[int], scale: int = 8) -> bytes:
    """Placeholders, large and side by side: a picture that a person could have taken."""
    row = np.concatenate([*PlaceholderGenerator().digits(labels, range(len(labels)))], axis=1)
    return png_from_line(row, scale=scale)


def bomb() -> bytes:
    """A few bytes that say they are 25 megapixels."""
    buffer = io.BytesIO()
    Image.new("1", (5000, 5000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("address", "body", "status", "told"),
    [
        ("/hand", b"", 422, "No picture came: send one as the body of the request, such as a PNG."),
        ("/hand", b"no picture", 422, "The picture is no picture of a known format: expected one such as"),
        ("/hand", bomb(), 422, "The picture has 5000 by 5000 pixels, more than 16 megapixels: make it"),
        ("/hand", png_from_pixels(np.zeros((28, 28), np.uint8)), 422, "The picture"),
        ("/hand", photo_of([*range(9)]), 422, "The picture has 9 digits: expected 8 at most."),
        (
            "/hand?digits=12",
            photo_of([7]),
            409,
            "digits names 2, and the picture shows 1: name each of them.",
        ),
        ("/hand?digits=x", b"", 422, "digits is 'x': expected 1 to 8 digits, such as 7 or 2026."),
        ("/hand?digits=123456789", b"", 422, "digits is '123456789': expected 1 to 8 digits"),
        ("/hand?seed=1", b"", 422, "'seed' is not a parameter of this address: expected digits."),
        (
            "/hand",
            b"x" * (api.MAX_PICTURE_BYTES + 1),
            413,
            "The picture has more than 10,000,000 bytes: send a",
        ),
    ],
)
def test_a_picture_without_a_hand_is_told(
    client: TestClient, address: str, body: bytes, status: int, told: str
) -> None:
    answer = client.post(address, content=body)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(told)
    in_pieces = client.post(address, content=(body[i : i + 2**16] for i in range(0, len(body), 2**16)))
    assert in_pieces.json() == answer.json(), "no Content-Length, another answer"


def test_no_more_pictures_are_received_than_memory_holds(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_uploads", asyncio.Semaphore(0))
    answer = client.post("/hand", content=photo_of([7]))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == {"detail": "Too many pictures come at the moment: try again in 5 seconds."}


def test_a_picture_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> dict[str, object]:
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr(api, "TIMEOUT", 0.05)
    scope = {"type": "http", "method": "POST", "path": "/hand", "headers": [], "query_string": b""}
    with pytest.raises(HTTPException, match="did not come within") as raised:
        asyncio.run(api.received(Request(scope, receive)))
    assert raised.value.status_code == 408
    assert not api._uploads.locked()


# What caches are told


def test_without_weights_in_the_address_a_cache_asks_again(client: TestClient) -> None:
    first = client.get("/digits/7.png?seed=1")
    assert first.headers["cache-control"] == "public, max-age=3600"
    again = client.get("/digits/7.png?seed=1", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/digits/7.png?seed=2", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_new_weights_have_new_tags(
    client: TestClient, save_weights: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.get("/digits/7.png")
    other = save_weights(seed=1)
    monkeypatch.setattr(api, "find_weights", lambda: other)
    after = client.get("/digits/7.png", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.content != before.content


def test_an_address_is_kept_for_ever_only_if_it_says_what_weighs_finishes_and_chooses(
    client: TestClient, choosy: DigitGenerator
) -> None:
    weights, choice = f"weights={choosy.digest}", f"choice={choosy.choice_digest}"
    finish = f"finish={choosy.finish_version}"
    for settings, kept in (
        (weights, False),  # as recipes gave it before there were finish and choice
        (f"{weights}&{finish}", False),
        (f"{weights}&{choice}", False),
        (f"{weights}&raw=1", False),
        (f"{finish}&{choice}", False),
        (f"{weights}&{finish}&{choice}", True),
        (f"{weights[:20]}&{finish}&{choice[:20]}", True),
        (f"{weights}&raw=1&{choice}", True),
        (f"{weights}&{finish}&every_z=1", True),
        (f"{weights}&raw=1&every_z=1", True),
    ):
        for address in ("/digits/7.png", "/digits/7.json", "/digits/7.svg", "/numbers/7.png"):
            answer = client.get(f"{address}?{settings}")
            assert answer.status_code == 200
            assert ("immutable" in answer.headers["cache-control"]) == kept, settings


def test_another_choice_or_finish_has_other_tags_and_conflicts(
    client: TestClient, choosy: DigitGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice file is learned again while the server runs; later the package has another finish."""
    path = tmp_path / "generator.pth"
    path.write_bytes(choosy.path.read_bytes())
    choice_path(path).write_bytes(choice_path(choosy.path).read_bytes())
    monkeypatch.setattr(api, "find_weights", lambda: path)
    url = client.get("/recipe?digit=8").json()["url"]
    before = client.get(url)
    choice_path(path).write_bytes(make_choice_file(choosy, refused=0.9))
    assert client.get(url).status_code == 409
    after = client.get("/digits/8.png", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    choice_path(path).unlink()
    assert client.get("/health").json()["choice_sha256"] == ""
    told = client.get("/recipe?digit=8").json()["url"]
    assert "&every_z=1" in told
    kept = client.get(told)
    here, later = choosy.finish_version, choosy.finish_version + 1
    for module in ("generate", "recipe"):
        monkeypatch.setattr(f"digit_generator.{module}.FINISH_VERSION", later)
    answer = client.get(told)
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"finish is {here}: this server draws by {later}; leave it out."
    other = told.replace(f"finish={here}", f"finish={later}")
    assert client.get(other, headers={"If-None-Match": kept.headers["etag"]}).status_code == 200


# Mistakes


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/digits/10.png", 422, "digit is '10': expected a whole number from 0 to 9."),
        ("/digits/-1.json", 422, "digit is '-1': expected a whole number from 0 to 9."),
        ("/digits/x.svg", 422, "digit is 'x': expected a whole number from 0 to 9."),
        ("/digits/7.png?seed=-1", 422, "seed is '-1': expected a whole number from 0 to 4294967295."),
        ("/digits/7.png?seed=4294967296", 422, "seed is '4294967296': expected a whole number from 0 to"),
        ("/digits/7.png?seed=", 422, "seed is '': expected a whole number from 0 to 4294967295."),
        ("/digits/7.png?seed=4294967295&count=2", 422, "ends at 4294967296: seeds go up to 4294967295."),
        ("/digits/7.json?seed=4294967295&count=2", 422, "ends at 4294967296: seeds go up to 4294967295."),
        ("/recipe?digit=7&seed=4294967295&count=2", 422, "ends at 4294967296: seeds go up to 4294967295."),
        ("/digits/7.png?count=0", 422, "count is '0': expected a whole number from 1 to 100."),
        ("/digits/7.png?count=101", 422, "count is '101': expected a whole number from 1 to 100."),
        ("/digits/7.png?scale=11", 422, "scale is '11': expected a whole number from 1 to 10."),
        ("/digits/7.png?colour=red", 422, "'colour' is not a parameter of this address: expected seed, "),
        ("/digits/7.png?digit=8", 422, "'digit' is not a parameter of this address: expected seed, "),
        (
            "/digits/7.svg?count=2",
            422,
            "expected seed, raw, every_z, neat, weights, finish, choice, hand, variation or form.",
        ),
        ("/digits/7.svg?form=round", 422, "form is 'round': expected outline, pixels or ink."),
        ("/digits/7.png?weights=abc", 422, "weights is 'abc': expected 8 to 64 hexadecimal digits, 0-9 a-f."),
        ("/digits/7.png?raw=2", 422, "raw is '2': expected 0 or 1."),
        ("/digits/7.png?raw=yes", 422, "raw is 'yes': expected 0 or 1."),
        ("/digits/7.png?finish=-1", 422, "finish is '-1': expected a whole number from 0 to 1000."),
        ("/digits/7.json?every_z=-1", 422, "every_z is '-1': expected 0 or 1."),
        ("/digits/7.json?neat=5", 422, "neat is '5': expected a whole number from 0 to 4."),
        (
            "/digits/7.png?neat=1&every_z=1",
            409,
            "neat is 1, and every_z refuses no z: leave out one of them.",
        ),
        ("/digits/7.png?choice=abc", 422, "choice is 'abc': expected 8 to 64 hexadecimal digits, 0-9 a-f."),
        ("/digits/7.png?choice=00000000", 409, "choice is '00000000': this server draws by '"),
        ("/digits/7.png?finish=1000", 409, "finish is 1000: this server draws by "),
        ("/numbers/20.png?finish=0", 409, "finish is 0: this server draws by "),
        ("/digits/7.png?weights=00000000", 409, "weights is '00000000': this server draws by '"),
        ("/numbers/20x6.png", 422, "text is '20x6': expected 1 to 24 digits and signs "),
        (f"/numbers/{'1' * 25}.png", 422, "expected 1 to 24 digits and signs . , - : / + € $ £ % ( )."),
        ("/numbers/2026.png?count=2", 422, "'count' is not a parameter of this address: expected seed, "),
        ("/recipe", 422, "digit is missing: expected a whole number from 0 to 9."),
        (
            "/digits/7.gif",
            404,
            "'/digits/7.gif' is not an address: expected one such as /digits/7.png; /docs lists them all.",
        ),
        ("/", 404, "'/' is not an address: expected one such as /digits/7.png; /docs lists them all."),
    ],
)
def test_a_mistake_is_told_in_one_sentence(client: TestClient, address: str, status: int, words: str) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert answer.json().keys() == {"detail"}
    assert not re.search(r"pattern|[\^\\]|\{\d", answer.json()["detail"])
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize(
    "address",
    [
        f"/digits/7.png?seed={'9' * 5000}",
        f"/digits/7.png?{'s' * 5000}=1",
        f"/{'x' * 5000}",
        f"/numbers/{'1' * 5000}.png",
    ],
)
def test_what_is_given_is_told_cut_short(client: TestClient, address: str) -> None:
    assert len(client.get(address).json()["detail"]) < 250


def test_without_weights_the_server_says_what_is_missing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(api, "find_weights", lambda: tmp_path / "generator.pth")
    for address in ("/health", "/digits/7.png", "/recipe?digit=7"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("There is no trained model to draw with: ")


@pytest.mark.parametrize("address", ["/docs", "/digits/7.png", "/digits/77.png", "/nothing", "/openapi.json"])
def test_browsers_are_told_to_be_careful_with_every_answer(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


# Bounds


def test_the_largest_picture_takes_no_more_than_its_time(client: TestClient) -> None:
    start = time.perf_counter()
    answer = client.get(f"/digits/8.png?count={api.MAX_COUNT}&scale={api.MAX_SCALE}")
    assert answer.status_code == 200
    assert time.perf_counter() - start < api.TIMEOUT


def test_who_would_wait_too_long_is_told_to_come_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "TIMEOUT", 0.1)
    monkeypatch.setattr(api, "png_from_pixels", lambda *_, **__: time.sleep(0.5))
    answer = client.get("/digits/7.png")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["detail"] == "It took longer than 0.1 seconds: try again."


def test_one_of_a_kind_is_drawn_at_a_time_even_where_visitors_were_told_to_come_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, drawing, most = threading.Lock(), 0, 0

    def draw(*_: object, **__: object) -> bytes:
        nonlocal drawing, most
        with lock:
            drawing += 1
            most = max(most, drawing)
        time.sleep(0.4)
        with lock:
            drawing -= 1
        return b""

    monkeypatch.setattr(api, "TIMEOUT", 0.1)
    monkeypatch.setattr(api, "png_from_pixels", draw)
    codes = {client.get(f"/digits/7.png?seed={seed}").status_code for seed in range(6)}
    assert codes == {503}
    assert most == 1


# Turns


async def never() -> None:
    await asyncio.Event().wait()


def test_who_finds_no_place_is_refused_at_once() -> None:
    async def scene() -> None:
        lane, go = Lane(3, retry_after=7), threading.Event()

        def work() -> bytes:
            go.wait(5)
            return b"drawn"

        waiting = [asyncio.ensure_future(lane.done(work, 5, never)) for _ in range(3)]
        await asyncio.sleep(0.1)
        start = time.perf_counter()
        with pytest.raises(FullError) as refused:
            await lane.done(work, 5, never)
        assert time.perf_counter() - start < 0.05
        assert refused.value.retry_after == 7
        go.set()
        assert await asyncio.gather(*waiting) == [b"drawn"] * 3
        assert await lane.done(work, 5, never) == b"drawn", "the places are free again"

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["left", "late", "cancelled"])
def test_work_that_nobody_waits_for_is_not_begun_and_frees_its_place(how: str) -> None:
    async def scene() -> None:
        lane, go, begun = Lane(2, retry_after=1), threading.Event(), []
        first = asyncio.ensure_future(lane.done(lambda: b"%d" % go.wait(5), 5, never))

        async def leave() -> None:
            await asyncio.sleep(0.05)

        def work() -> bytes:
            begun.append(1)
            return b"drawn"

        gone = leave if how == "left" else never
        second = asyncio.ensure_future(lane.done(work, 0.2 if how == "late" else 5, gone))
        if how == "cancelled":
            await asyncio.sleep(0.05)
            second.cancel()
        error = {"left": GoneError, "late": TimeoutError, "cancelled": asyncio.CancelledError}[how]
        with pytest.raises(error):
            await second
        assert not begun
        third = asyncio.ensure_future(lane.done(lambda: b"drawn", 5, never))
        await asyncio.sleep(0.05)
        go.set()
        assert await asyncio.gather(first, third) == [b"1", b"drawn"]
        assert not begun, "nobody waits for it any more"

    asyncio.run(scene())


def test_what_is_logged_without_end_is_said_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    once = SaidOnce(60)
    passed = []
    for seconds, message in ((0, "a"), (1, "a"), (1, "b"), (59, "a"), (61, "a")):
        clock[0] = 100.0 + seconds
        passed.append(once.filter(logging.LogRecord("asyncio", 40, "", 0, message, (), None)))
    assert passed == [True, False, True, False, True]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_the_server_takes_as_many_descriptors_as_it_may() -> None:
    code = (
        "import resource as r; from digit_generator.turns import raise_descriptors\n"
        "most = min(2000, r.getrlimit(r.RLIMIT_NOFILE)[1]); r.setrlimit(r.RLIMIT_NOFILE, (50, most))\n"
        "raise_descriptors(); print(r.getrlimit(r.RLIMIT_NOFILE)[0] == most > 50)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).stdout == b"True\n"


def test_an_answer_is_drawn_once_while_it_is_kept(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, choosy: DigitGenerator
) -> None:
    drawn = []
    digits = DigitGenerator.digits
    monkeypatch.setattr(
        DigitGenerator, "digits", lambda self, *asked: drawn.append(asked) or digits(self, *asked)
    )
    addresses = ["/digits/7.png?count=5", "/digits/7.png?count=5&seed=1", "/digits/8.png?count=5"]
    addresses += ["/digits/7.json?count=5", "/digits/7.png?count=5&raw=1", "/digits/7.svg"]
    first = [client.get(address) for address in addresses]
    again = [client.get(address) for address in addresses]
    assert [answer.content for answer in again] == [answer.content for answer in first]
    assert [answer.headers for answer in again] == [answer.headers for answer in first]
    assert len({answer.content for answer in first}) == len(drawn) == len(addresses)


def test_no_more_is_kept_than_there_is_room_for() -> None:
    kept = Kept(10)
    kept.keep("one", b"1234")
    kept.keep("two", b"1234")
    assert kept.get("one") == b"1234"
    kept.keep("three", b"123")
    assert [kept.get(name) for name in ("one", "two", "three")] == [b"1234", None, b"123"], (
        "two was not asked for since"
    )
    kept.keep("one", b"12345")
    assert kept.get("three") == b"123", "the old answer takes no room"
    kept.keep("large", b"12345678901")
    assert [kept.get(name) for name in ("one", "three", "large")] == [None] * 3


def test_who_waits_at_the_same_time_is_drawn_for_together(
    choosy: DigitGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []
    digits = DigitGenerator.digits

    def drawn(self: DigitGenerator, digit: Any, seeds: Any) -> np.ndarray:
        batches.append(len(seeds))
        return digits(self, digit, seeds)

    monkeypatch.setattr(DigitGenerator, "digits", drawn)
    together, raw = Together(), choosy.variant(raw=True)
    one, two = together.ask(choosy, 7, range(5)), together.ask(choosy, 3, [9])
    other, gone = together.ask(raw, 7, range(5)), together.ask(choosy, 1, range(5))
    large = together.ask(choosy, 1, range(MOST_TOGETHER))
    together.drop(gone)
    np.testing.assert_array_equal(two.pixels(), digits(choosy, 3, [9]))
    np.testing.assert_array_equal(one.pixels(), digits(choosy, 7, range(5)))
    assert batches == [6], "nobody waits for what is gone, another generator's is not drawn, nor too much"
    np.testing.assert_array_equal(other.pixels(), digits(raw, 7, range(5)))
    assert len(large.pixels()) == MOST_TOGETHER
    assert batches == [6, 5, MOST_TOGETHER]


def test_a_mistake_of_one_is_not_the_others(choosy: DigitGenerator) -> None:
    together = Together()
    right, wrong = together.ask(choosy, 7, [1]), together.ask(choosy, 7, [-1])
    np.testing.assert_array_equal(right.pixels(), choosy.digits(7, [1]))
    with pytest.raises(ValueError, match="-1"):
        wrong.pixels()


def test_threads_that_draw_together_get_their_own_digits(choosy: DigitGenerator) -> None:
    together = Together()
    with ThreadPoolExecutor(8) as threads:
        drawn = [*threads.map(lambda n: together.ask(choosy, n % 10, [n, n + 1]).pixels(), range(60))]
    np.testing.assert_array_equal(drawn, [choosy.digits(n % 10, [n, n + 1]) for n in range(60)])


def test_an_error_of_the_work_is_its_answer() -> None:
    def fail() -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$"):
        asyncio.run(Lane(1, retry_after=1).done(fail, 5, never))


@pytest.mark.parametrize(
    ("address", "lane"),
    [
        ("/digits/7.png?count=5", "_quick"),
        ("/digits/7.json?count=20", "_quick"),
        ("/digits/7.svg", "_quick"),
        ("/digits/7.png?count=100", "_slow"),
        ("/digits/7.png?count=20&scale=10", "_slow"),
        ("/numbers/123456789012345678901234.png?scale=10", "_slow"),
    ],
)
def test_what_is_dear_stands_in_another_lane(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, address: str, lane: str
) -> None:
    full = Lane(1, retry_after=3)
    full._free.acquire()
    monkeypatch.setattr(api, lane, full)
    answer = client.get(address)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json()["detail"] == "Too many requests wait already: try again in 3 seconds."
    monkeypatch.setattr(api, {"_quick": "_slow", "_slow": "_quick"}[lane], full)
    monkeypatch.setattr(api, lane, Lane(1, retry_after=1))
    assert client.get(address).status_code == 200


def test_quick_work_does_not_stand_behind_slow_work(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(api, "write_number", lambda *_: go.wait(5))
    with ThreadPoolExecutor(20) as others:
        dear = [others.submit(client.get, f"/numbers/123{each}.png") for each in range(10, 30)]
        assert wait(dear, 5, FIRST_COMPLETED).done, "the ones without a place are answered"
        assert client.get("/digits/7.png?count=5").status_code == 200
        go.set()
    refused = [answer.result() for answer in dear if answer.exception() is None]
    assert {answer.status_code for answer in refused} == {503}
    assert all(answer.headers["retry-after"] == "5" for answer in refused)
    assert len(refused) == 20 - api.PLACES["slow"]


# Pages of other origins


def answer_to(origin: str, origins: str, method: str = "GET", **headers: str) -> str | None:
    """The origin that may read the answer to a page of `origin`, where `origins` are allowed."""
    application = FastAPI()
    application.get("/")(lambda: "x")
    api.allow_origins(application, origins)
    answer = TestClient(application).request(method, "/", headers={"Origin": origin, **headers})
    return answer.headers.get("access-control-allow-origin") if answer.status_code == 200 else None


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [("", None), ("*", "*"), ("https://a.example, https://b.example", "https://b.example")],
)
def test_other_origins_read_the_answers_only_if_named(origins: str, allowed: str | None) -> None:
    assert answer_to("https://b.example", origins) == allowed
    assert answer_to("https://c.example", origins) == (allowed if allowed == "*" else None)


@pytest.mark.parametrize(
    ("origins", "sent"),
    [
        ("https://b.example/", "https://b.example"),
        ("HTTPS://b.example", "https://b.example"),
        ("https://B.Example", "https://b.example"),
        ("https://b.example:443", "https://b.example"),
        ("http://b.example:80/", "http://b.example"),
        ("https://b.example:8443", "https://b.example:8443"),
        ("https://b.example:80", "https://b.example:80"),
        ("http://localhost:03000", "http://localhost:3000"),
        ("http://[0:0::1]:8080", "http://[::1]:8080"),
        ("https://a.example https://b.example", "https://b.example"),
        ("https://a.example/,HTTPS://B.example:443/ ,", "https://b.example"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_is_allowed_however_it_is_written(origins: str, sent: str) -> None:
    assert answer_to(sent, origins) == sent


def test_scripts_of_an_allowed_origin_may_ask_for_the_head() -> None:
    asked = {"Access-Control-Request-Method": "HEAD"}
    assert answer_to("https://b.example", "https://b.example", "OPTIONS", **asked) == "https://b.example"


@pytest.mark.parametrize(
    "origin",
    [
        "your.page",
        "localhost:3000",
        "https:/your.page",
        "https://your.page/path",
        "https://your.page?x=1",
        "https://your.page#x",
        "https://name@your.page",
        "https://your.page:99999",
        "https://your.page:port",
        "https://*.your.page",
        "https://bücher.example",
        "https://",
        "https://[::1",
        "https://[::x]",
        "'https://your.page'",
        "null",
    ],
)
def test_what_is_not_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(DigitGeneratorError) as raised:
        api.allow_origins(FastAPI(), f"https://a.example,{origin}")
    assert str(raised.value) == (
        f"{api.CORS_VARIABLE} has {origin!r}, which is not an origin: expected a scheme and a host such as"
        " https://your.page or http://localhost:3000, without a path"
    )


def test_the_server_does_not_start_with_what_is_not_an_origin(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "asgi:app", "--port", str(free_port())],
        cwd=ROOT,
        env={**os.environ, api.CORS_VARIABLE: "your.page", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"{api.CORS_VARIABLE} has 'your.page', which is not an origin: expected a scheme and a host such as"
        " https://your.page or http://localhost:3000, without a path."
    ]


# Beside the page


@contextmanager
def served(home: Path, folder: Path, *options: str) -> Iterator[tuple[str, Path]]:
    """URL and log of `uvicorn OPTIONS asgi:app`, started from `folder`, until the block is left."""
    port = free_port()
    log = home / "log"
    url = f"http://127.0.0.1:{port}"
    command = ["-m", "uvicorn", *options, "asgi:app", "--port", str(port)]
    environment = {api.CORS_VARIABLE: "https://a.example", "HOME": str(home)}
    with running(command, url, log, folder=folder, environment=environment):
        yield url, log


def test_page_api_and_health_check_stand_on_one_port(tmp_path: Path) -> None:
    with served(tmp_path, ROOT) as (url, _):
        assert b"<title>" in fetched(url)
        assert json.loads(fetched(f"{url}/api/health"))["status"] == "ok"
        told = json.loads(fetched(f"{url}/api/recipe?digit=7&seed=1&count=5"))
        assert told["url"].startswith("/api/digits/7.png?")
        picture = fetched(url + told["url"])
        ours = DigitGenerator.load(ROOT / "generator.pth")
        assert picture == sheet_from_pixels(ours.digits(7, range(1, 6)), columns=10, recipe=told["recipe"])
        request = urllib.request.Request(f"{url}/api/digits/7.svg", headers={"Origin": "https://a.example"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL and log of a server that was started from another folder than the repository."""
    home = tmp_path_factory.mktemp("elsewhere")
    with served(home, home, "--app-dir", str(ROOT)) as started:
        yield started


def test_the_server_may_be_started_from_any_folder(elsewhere: tuple[str, Path]) -> None:
    url, _ = elsewhere
    assert b"<title>" in fetched(url)
    assert json.loads(fetched(f"{url}/api/health"))["status"] == "ok"


def test_each_request_is_logged_once(elsewhere: tuple[str, Path]) -> None:
    url, log = elsewhere
    for number in range(3):
        fetched(f"{url}/api/recipe?digit={number}")
    lines = [line for line in log.read_text().splitlines() if "/api/recipe?digit=" in line]
    assert len(lines) == 3
    assert all(line.startswith("INFO: ") and line.endswith(" 200 OK") for line in lines)
    started = [line for line in log.read_text().splitlines() if "Application startup complete" in line]
    assert started == ["INFO:     Application startup complete."]


@pytest.mark.parametrize("address", EVERY_ADDRESS)
def test_over_the_network_head_has_the_length_of_get(elsewhere: tuple[str, Path], address: str) -> None:
    url = f"{elsewhere[0]}/api{address}"
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=10) as head:
        assert (head.status, head.read()) == (200, b"")
        assert int(head.headers["Content-Length"]) == len(fetched(url))


def test_addresses_of_mistakes_and_examples_are_those_of_the_server(elsewhere: tuple[str, Path]) -> None:
    url, _ = elsewhere
    for address in ("/api/numbers/2026", "/api/"):
        with pytest.raises(urllib.error.HTTPError) as raised:
            fetched(url + address)
        told = "is not an address: expected one such as /api/digits/7.png; /api/docs lists them all."
        assert json.loads(raised.value.read())["detail"] == f"{address!r} {told}"
    page = fetched(f"{url}/api/docs").decode()
    assert "/api/numbers/{text}.png" in page
    for link in Page(page).links:
        assert fetched(urllib.parse.urljoin(f"{url}/api/docs", link))


def test_the_mounts_own_address_leads_to_the_documentation(elsewhere: tuple[str, Path]) -> None:
    url, _ = elsewhere
    with urllib.request.urlopen(f"{url}/api", timeout=10) as answer:
        assert answer.url == f"{url}/api/docs"


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()
