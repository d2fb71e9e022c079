"""The API draws what the package draws, tells every mistake, keeps its bounds, and stands beside the page."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import anyio
import hypothesis
import numpy as np
import pytest
import schemathesis
from choices import make_choice_file
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from digit_generator import DigitGenerator, __version__, api, cli
from digit_generator.choose import choice_path
from digit_generator.number import write_number
from digit_generator.recipe import Recipe
from digit_generator.render import (
    png_from_line,
    png_from_pixels,
    recipe_text_from_png,
    sheet_from_pixels,
    svg_from_pixels,
)
from tools.serving import free_port, wait_until_healthy

ROOT = Path(__file__).parents[1]
schema = schemathesis.openapi.from_asgi("/openapi.json", api.app)


@pytest.fixture(autouse=True)
def ours(choosy: DigitGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API draws by the tests' weights, with a choice."""
    monkeypatch.setattr(api, "find_weights", lambda: choosy.path)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(api.app) as client:
        yield client


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


# Each way to draw, as an address asks for it and as the generator is told.
WAYS = [
    ("", {}),
    ("&raw=1", {"raw": True}),
    ("&every_z=1", {"every_z": True}),
    ("&raw=1&every_z=1", {"raw": True, "every_z": True}),
]


@pytest.mark.parametrize(("asked", "variant"), WAYS, ids=str)
def test_raw_pixels_and_every_z_are_drawn_if_asked_for(
    client: TestClient, choosy: DigitGenerator, asked: str, variant: dict[str, bool]
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
    assert len({str(answer.json()["pixels"]) for answer in answers}) == 4
    assert len({answer.headers["etag"] for answer in answers}) == 4


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
        ("/digits/10.png", 422, "digit is '10': Input should be less than or equal to 9."),
        ("/digits/-1.json", 422, "digit is '-1': Input should be greater than or equal to 0."),
        ("/digits/x.svg", 422, "digit is 'x': Input should be a valid integer"),
        ("/digits/7.png?seed=-1", 422, "seed is '-1': Input should be greater than or equal to 0."),
        ("/digits/7.png?seed=4294967296", 422, "seed is '4294967296': Input should be less than"),
        ("/digits/7.png?seed=4294967295&count=2", 422, "ends at 4294967296: seeds go up to 4294967295."),
        ("/digits/7.json?seed=4294967295&count=2", 422, "ends at 4294967296: seeds go up to 4294967295."),
        ("/recipe?digit=7&seed=4294967295&count=2", 422, "ends at 4294967296: seeds go up to 4294967295."),
        ("/digits/7.png?count=0", 422, "count is '0': Input should be greater than or equal to 1."),
        ("/digits/7.png?count=101", 422, "count is '101': Input should be less than or equal to 100."),
        ("/digits/7.png?scale=11", 422, "scale is '11': Input should be less than or equal to 10."),
        ("/digits/7.png?colour=red", 422, "colour is 'red': Extra inputs are not permitted."),
        ("/digits/7.svg?count=2", 422, "count is '2': Extra inputs are not permitted."),
        ("/digits/7.svg?form=round", 422, "form is 'round': Input should be 'outline' or 'pixels'."),
        ("/digits/7.png?weights=abc", 422, "weights is 'abc': String should match pattern"),
        ("/digits/7.png?raw=2", 422, "raw is '2': Input should be less than or equal to 1."),
        ("/digits/7.png?raw=yes", 422, "raw is 'yes': Input should be a valid integer"),
        ("/digits/7.json?every_z=-1", 422, "every_z is '-1': Input should be greater than or equal to 0."),
        ("/digits/7.png?choice=abc", 422, "choice is 'abc': String should match pattern"),
        ("/digits/7.png?choice=00000000", 409, "choice is '00000000': this server draws by '"),
        ("/digits/7.png?finish=1000", 409, "finish is 1000: this server draws by "),
        ("/numbers/20.png?finish=0", 409, "finish is 0: this server draws by "),
        ("/digits/7.png?weights=00000000", 409, "weights is '00000000': this server draws by '"),
        ("/numbers/20x6.png", 422, "text is '20x6': String should match pattern"),
        (f"/numbers/{'1' * 25}.png", 422, "String should match pattern"),
        ("/numbers/2026.png?count=2", 422, "count is '2': Extra inputs are not permitted."),
        ("/recipe", 422, "digit: Field required."),
        ("/digits/7.gif", 404, "Not Found"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(client: TestClient, address: str, status: int, words: str) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert "cache-control" not in answer.headers


def test_what_is_given_is_told_cut_short(client: TestClient) -> None:
    assert len(client.get(f"/digits/7.png?seed={'9' * 5000}").json()["detail"]) < 200


def test_without_weights_the_server_says_what_is_missing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(api, "find_weights", lambda: tmp_path / "generator.pth")
    for address in ("/health", "/digits/7.png", "/recipe?digit=7"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("There is no trained model to draw with: ")


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


def test_at_most_two_draw_at_a_time() -> None:
    assert api._limiter.total_tokens == api.THREADS
    assert isinstance(api._limiter, anyio.CapacityLimiter)


def test_nor_do_more_where_visitors_were_told_to_come_again(
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
    assert most <= api.THREADS


# Pages of other origins


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [("", None), ("*", "*"), ("https://a.example, https://b.example", "https://b.example")],
)
def test_other_origins_read_the_answers_only_if_named(origins: str, allowed: str | None) -> None:
    application = FastAPI()
    application.get("/")(lambda: "x")
    api.allow_origins(application, origins)
    answer = TestClient(application).get("/", headers={"Origin": "https://b.example"})
    assert answer.headers.get("access-control-allow-origin") == allowed


# Beside the page


def test_page_api_and_health_check_stand_on_one_port(tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "asgi:app", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, api.CORS_VARIABLE: "https://a.example", "HOME": str(tmp_path)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, process, log)
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
    finally:
        process.terminate()
        process.wait(timeout=20)


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()
