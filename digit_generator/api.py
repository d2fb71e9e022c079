"""Digits over HTTP: an ASGI application that asgi.py mounts at /api beside the page.

Every request has a limit on size and time. A bad request gets a 4xx with one sentence that says what is
wrong. The same address gives the same bytes while the weights and their choice stay; for ever with
`weights`, `finish` or `raw=1`, and `choice` or `every_z=1` in it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from html import escape
from ipaddress import IPv6Address
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digit_generator import __version__
from digit_generator.choose import NEATEST, ChoiceError
from digit_generator.errors import DigitGeneratorError
from digit_generator.generate import MAX_SEED, DigitGenerator
from digit_generator.hand import Hand, HandError, costs_of_digits, hand_from_digits, too_far
from digit_generator.normalize import PictureError, normalized_digits
from digit_generator.number import SIGNS, write_number
from digit_generator.recipe import HAND_PATTERN, Recipe
from digit_generator.render import png_from_line, png_from_pixels, sheet_from_pixels, svg_from_pixels
from digit_generator.style import HAND_VARIATION
from digit_generator.turns import QUICK, Asked, FullError, GoneError, Kept, Lane, drawing
from digit_generator.weights import WeightsError, find_weights

MAX_COUNT = 100
MAX_SCALE = 10
MAX_CHARACTERS = 24  # of a number
COLUMNS = 10  # of a sheet, at most
MAX_PICTURE_BYTES = 10_000_000  # of an uploaded picture ...
MAX_MEGAPIXELS = 16  # ... of which so many are decoded ...
MAX_WRITTEN = 8  # ... and that shows so many digits
UPLOADS = 4  # pictures that are received at a time
TIMEOUT = 5  # seconds from a request's arrival to its answer, waiting included
PLACES = {"quick": 100, "slow": 5}  # for work that is done or waits; who comes then is refused at once
KEPT_BYTES = 4 * 2**20  # of answers: 8,000 times five digits
CORS_VARIABLE = "DIGITS_CORS"
"""Environment variable: the origins whose pages may read the answers, separated by commas; * for all."""
METHODS = "GET, HEAD"  # that every address takes, but one that takes POST

_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_AN_HOUR = "public, max-age=3600"
_TOLD = 80  # characters, at most, of what came, in an error sentence
_answers = Kept(KEPT_BYTES)
_uploads = asyncio.Semaphore(UPLOADS)
_quick, _slow = Lane(PLACES["quick"], retry_after=1), Lane(PLACES["slow"], retry_after=5)

_TEXT = rf"^[0-9{re.escape(SIGNS)}]{{1,{MAX_CHARACTERS}}}$"
_DIGEST = "^[0-9a-f]{8,64}$"
_HAND = f"^{HAND_PATTERN}$"
_WRITTEN = f"^[0-9]{{1,{MAX_WRITTEN}}}$"
_IN_WORDS = {  # for people, who need not read patterns
    _TEXT: f"1 to {MAX_CHARACTERS} digits and signs {' '.join(SIGNS)}",
    _DIGEST: "8 to 64 hexadecimal digits, 0-9 a-f",
    _HAND: "the 143 characters of a hand",
    _WRITTEN: f"1 to {MAX_WRITTEN} digits, such as 7 or 2026",
}

Text = Annotated[
    str,
    InPath(
        pattern=_TEXT,
        description="What to write, such as 2026 or 24/12/2026; a slash may also be written as %2F.",
        examples=["2026"],
    ),
]
Digit = Annotated[int, InPath(ge=0, le=9, description="The digit to draw.", examples=[7])]


_SCALE = "Pixels of the picture for one of the digit's."


class Problem(BaseModel):
    """What was wrong, in one sentence."""

    detail: str = Field(examples=["count is '0': expected a whole number from 1 to 100."])


class One(BaseModel):
    """Which picture of a digit."""

    model_config = ConfigDict(extra="forbid")

    seed: int = Field(0, ge=0, le=MAX_SEED, description="Another seed draws another picture.", examples=[1])
    raw: int = Field(
        0, ge=0, le=1, description="1: the network's own pixels, not finished by MNIST's scan rule."
    )
    every_z: int = Field(0, ge=0, le=1, description="1: reject no z.")
    neat: int = Field(
        0, ge=0, le=NEATEST, description="How strictly z is chosen: 0 as it comes, the largest neat."
    )
    weights: str | None = Field(
        None,
        pattern=_DIGEST,
        description="How the SHA-256 of the weights must begin. The answer may be kept for ever if the"
        " address also says what finishes (finish, or raw=1) and what chooses (choice, or every_z=1).",
    )
    finish: int | None = Field(
        None, ge=0, le=1000, description="The version of the finish that there must be; 0 with raw=1."
    )
    choice: str | None = Field(None, pattern=_DIGEST, description="How the SHA-256 of the choice must begin.")
    hand: str | None = Field(
        None,
        pattern=_HAND,
        description="A person's hand as text, as recipes and the page's address have it. It is drawn in, and"
        " the seed decides how it varies.",
    )
    variation: float = Field(
        HAND_VARIATION, ge=0, le=1, description="With hand: how much of each digit is its seed's own."
    )

    @property
    def is_kept(self) -> bool:
        """Whether the address says all that the answer depends on."""
        finish_said = self.raw or self.finish is not None
        return bool(self.weights and finish_said and (self.every_z or self.choice))


class Many(One):
    """Which pictures of a digit: seeds one after the other."""

    count: int = Field(
        1, ge=1, le=MAX_COUNT, description="How many, with the seeds that follow.", examples=[5]
    )


class Sheet(Many):
    """Which pictures, and how large."""

    scale: int = Field(1, ge=1, le=MAX_SCALE, description=_SCALE, examples=[2])


class Outline(One):
    """Which picture, and in what form."""

    form: Literal["outline", "pixels", "ink"] = Field(
        "outline",
        description="Smooth lines, the exact pixels, or the lines in ink on paper.",
        examples=["outline"],
    )


class Number(One):
    """In which hand, and how large."""

    scale: int = Field(1, ge=1, le=MAX_SCALE, description=_SCALE, examples=[2])


class Written(BaseModel):
    """What a picture shows."""

    model_config = ConfigDict(extra="forbid")

    digits: str | None = Field(
        None,
        pattern=_WRITTEN,
        description="Which digits are written, in reading order. Without, they are read by what fits best.",
    )


class Wanted(Sheet):
    """What the recipe is for."""

    digit: int = Field(ge=0, le=9, description="The digit to draw.", examples=[7])


class Digits(BaseModel):
    """The digits as numbers."""

    digit: int
    seeds: list[int]
    weights_sha256: str
    finish: int = Field(description="Its version; 0 for the network's own pixels.")
    choice_sha256: str = Field(description="Empty where every z is taken.")
    pixels: list[list[list[int]]] = Field(description="[count, 28, 28], 0 background ... 255 ink")


class Told(BaseModel):
    """How a picture is made."""

    recipe: str = Field(description="As it stands in the text chunk of the PNG.")
    command: str = Field(description="Draws the same picture.")
    url: str = Field(description="The picture, for ever.")


class FoundHand(BaseModel):
    """A hand, and how near it comes to what was written."""

    hand: str = Field(description="For hand= of the other addresses: 143 characters.")
    name: str = Field(description="What pictures in this hand are called by.")
    digits: list[int] = Field(description="Which digits the picture shows, as told or as read.")
    distances: list[float] = Field(
        description="From each digit to what the network makes of it: root mean square, blurred, -1 to 1."
    )
    too_far: list[bool] = Field(description="Whether it is another digit than that, or none.")
    weights_sha256: str


class Health(BaseModel):
    """That the server is up and can draw."""

    status: Literal["ok"]
    version: str
    weights_sha256: str
    finish: int
    choice_sha256: str


class OriginError(DigitGeneratorError):
    """What cannot be the origin of a page; the message is one sentence for a person."""


app = FastAPI(
    title="Handwritten digits",
    version=__version__,
    description="Handwritten-style digits, drawn by a small neural network. The same digit, seed, weights,"
    " choice and finish give the same picture. HEAD answers as GET does, without a body.",
    responses={
        422: {"model": Problem, "description": "A parameter is not as expected"},
        503: {
            "model": Problem,
            "description": f"No trained model, no answer within {TIMEOUT} seconds, or too many requests:"
            " Retry-After says when to try again",
        },
    },
    docs_url=None,  # FastAPI's pages need scripts of another host
    redoc_url=None,
)


def allow_origins(application: FastAPI, origins: str) -> None:
    """Let pages of these origins, separated by commas or spaces, read the answers; none if there are none.

    An origin may end in a slash, have capital letters, and name the port that its scheme has anyway; it is
    compared as browsers send it. Raises OriginError if one of them is not an origin.
    """
    listed = [_origin(given) for given in re.split(r"[,\s]+", origins) if given]
    if listed:
        application.add_middleware(
            CORSMiddleware,
            allow_origins=listed,
            allow_methods=[*METHODS.split(", "), "POST"],
            allow_headers=["Content-Type"],
        )


_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?")
_PORTS = {"http": 80, "https": 443}


def _origin(given: str) -> str:
    """An origin as browsers send it."""
    if given == "*":
        return given
    try:
        found = _ORIGIN.fullmatch(given.lower())
        if not found or int(found[3] or 0) > 65535:
            raise ValueError
        scheme, host, port = found.groups()
        if host.startswith("["):
            host = f"[{IPv6Address(host[1:-1])}]"
    except ValueError:
        raise OriginError(
            f"{CORS_VARIABLE} has {given[:_TOLD]!r}, which is not an origin: expected a scheme and a host"
            " such as https://your.page or http://localhost:3000, without a path"
        ) from None
    other_port = f":{int(port)}" if port and int(port) != _PORTS.get(scheme) else ""
    return f"{scheme}://{host}{other_port}"


class _HeadAsGet:
    """Answers HEAD as GET is answered, without the body."""

    def __init__(self, application: ASGIApp) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self.application({**scope, "method": "GET"}, receive, send_without_body)
        else:
            await self.application(scope, receive, send)


class _WithHeaders:
    """Tells browsers to believe the media type, to show no answer in a frame, and to tell no other host."""

    def __init__(self, application: ASGIApp) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self.application(scope, receive, send_with_headers if scope["type"] == "http" else send)


_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]

app.add_middleware(_HeadAsGet)
app.add_middleware(_WithHeaders)
allow_origins(app, os.environ.get(CORS_VARIABLE, ""))


@app.get("/health")
async def health() -> Health:
    """Whether the server can draw."""
    return Health(status="ok", version=__version__, **drawn_by(current_generator()))


_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "Other weights, finish or choice"}
}
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Still what If-None-Match names"}}


@app.get(
    "/digits/{digit}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **_UNCHANGED, **_CONFLICT},
)
async def digits_as_png(request: Request, digit: Digit, asked: Annotated[Sheet, Query()]) -> Response:
    """One digit, or a sheet of them in rows of ten, as a greyscale PNG with its recipe inside."""
    generator = generator_for(asked)
    digits = drawing.ask(generator, digit, seeds_of(asked))

    def draw() -> bytes:
        pixels = digits.pixels()
        recipe = recipe_of(generator, digit, asked).to_text()
        if asked.count == 1:
            return png_from_pixels(pixels[0], scale=asked.scale, recipe=recipe)
        return sheet_from_pixels(pixels, columns=COLUMNS, scale=asked.scale, recipe=recipe)

    cost = milliseconds_of(digits=asked.count, pixels=asked.count * 900 * asked.scale**2)
    return await answered(request, generator, asked, draw, "image/png", cost, digits)


@app.get("/digits/{digit}.json", response_model=Digits, responses={**_UNCHANGED, **_CONFLICT})
async def digits_as_json(request: Request, digit: Digit, asked: Annotated[Many, Query()]) -> Response:
    """The digits as numbers."""
    generator = generator_for(asked)
    digits = drawing.ask(generator, digit, seeds_of(asked))

    def draw() -> bytes:
        pixels = digits.pixels().tolist()
        told = Digits(digit=digit, seeds=[*digits.seeds], **drawn_by(generator), pixels=pixels)
        return told.model_dump_json().encode()

    cost = milliseconds_of(digits=asked.count)
    return await answered(request, generator, asked, draw, "application/json", cost, digits)


@app.get(
    "/digits/{digit}.svg",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}}, **_UNCHANGED, **_CONFLICT},
)
async def digit_as_svg(request: Request, digit: Digit, asked: Annotated[Outline, Query()]) -> Response:
    """One digit for any size."""
    generator = generator_for(asked)
    digits = drawing.ask(generator, digit, [asked.seed])

    def draw() -> bytes:
        return svg_from_pixels(digits.pixels()[0], asked.form).encode()

    return await answered(request, generator, asked, draw, "image/svg+xml", milliseconds_of(digits=1), digits)


@app.get(
    "/numbers/{text:path}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **_UNCHANGED, **_CONFLICT},
)
async def number_as_png(request: Request, text: Text, asked: Annotated[Number, Query()]) -> Response:
    """A number in the hand of `seed`, as a greyscale PNG with its recipe inside."""
    generator = generator_for(asked)

    def draw() -> bytes:
        line = write_number(generator, text, asked.seed)
        recipe = Recipe.of(generator, text=text, seed=asked.seed, scale=asked.scale)
        return png_from_line(line.picture, scale=asked.scale, recipe=recipe.to_text())

    cost = milliseconds_of(characters=len(text), pixels=len(text) * 700 * asked.scale**2)
    return await answered(request, generator, asked, draw, "image/png", cost)


@app.post(
    "/hand",
    response_model=FoundHand,
    responses={
        409: {"model": Problem, "description": "The picture shows more or fewer digits than named"},
        408: {"model": Problem, "description": f"The picture has not come within {TIMEOUT} seconds"},
        413: {"model": Problem, "description": f"The picture has more than {MAX_PICTURE_BYTES:,} bytes"},
        422: {"model": Problem, "description": "No such picture or digits"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A PNG, JPEG or WebP of one handwritten digit, or of several by one person.",
            "content": {
                f"image/{kind}": {"schema": {"type": "string", "format": "binary"}}
                for kind in ("png", "jpeg", "webp")
            },
        }
    },
)
async def hand_of_picture(request: Request, asked: Annotated[Written, Query()]) -> Response:
    """The hand in which a picture is written. The picture is neither kept nor logged."""
    generator = current_generator()
    picture = await received(request)

    def find() -> bytes:
        written = normalized_digits(picture, most=MAX_WRITTEN, megapixels=MAX_MEGAPIXELS).pixels
        costs = costs_of_digits(generator, written)
        digits = [*map(int, asked.digits)] if asked.digits else costs.argmin(axis=1).tolist()
        if len(digits) != len(written):
            raise HTTPException(
                409, f"digits names {len(digits)}, and the picture shows {len(written)}: name each of them."
            )
        found = hand_from_digits(generator, written, digits)
        told = FoundHand(
            hand=found.hand.text,
            name=found.hand.name,
            digits=digits,
            distances=found.distances.tolist(),
            too_far=too_far(found, costs).tolist(),
            weights_sha256=generator.digest,
        )
        return told.model_dump_json().encode()

    try:
        body = await in_turn(request, find, milliseconds=QUICK)
    except (HandError, PictureError) as error:
        told = str(error)
        raise HTTPException(422, f"{told[0].upper()}{told[1:]}.") from None
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


@app.get("/recipe", responses=_CONFLICT)
async def recipe(request: Request, asked: Annotated[Wanted, Query()]) -> Told:
    """How a picture is made: by which command, and under which address it stays for ever."""
    generator = generator_for(asked)
    told = recipe_of(generator, asked.digit, asked)
    finish = f"finish={told.finish}" if told.finish else "raw=1"
    choice = f"choice={told.choice_sha256}" if told.choice_sha256 else "every_z=1"
    settings = f"seed={asked.seed}&count={asked.count}&scale={asked.scale}&weights={generator.digest}"
    settings += f"&{finish}&{choice}" + (f"&neat={told.neat}" if told.neat else "")
    settings += f"&hand={asked.hand}&variation={asked.variation}" if asked.hand else ""
    root = request.scope.get("root_path", "")
    return Told(
        recipe=told.to_text(), command=told.command(), url=f"{root}/digits/{asked.digit}.png?{settings}"
    )


# What the answers are made of


def current_generator() -> DigitGenerator:
    """The generator of the weights as they lie there now. 503 if there are none that can be drawn with."""
    try:
        return DigitGenerator.current(find_weights())
    except WeightsError as error:
        raise HTTPException(
            503, f"There is no trained model to draw with: {error}. The page draws placeholders."
        ) from None


def generator_for(asked: One) -> DigitGenerator:
    """The generator, if weights, finish and choice are those that are asked for; 409 if not, or where its
    choice is not as neat."""
    try:
        generator = current_generator().variant(
            raw=bool(asked.raw), every_z=bool(asked.every_z), neat=asked.neat
        )
    except ChoiceError as error:  # parameters that do not go together, or that these weights lack
        raise HTTPException(409, f"{error}.") from None
    here = {
        "weights": generator.digest,
        "finish": generator.finish_version,
        "choice": generator.choice_digest,
    }
    fits = {
        "weights": asked.weights is None or generator.digest.startswith(asked.weights),
        "finish": asked.finish is None or asked.finish == generator.finish_version,
        "choice": asked.choice is None or generator.choice_digest.startswith(asked.choice),
    }
    for name, fit in fits.items():
        if not fit:
            there = getattr(asked, name)
            raise HTTPException(
                409, f"{name} is {there!r}: this server draws by {here[name]!r}; leave it out."
            )
    return generator if asked.hand is None else in_hand(generator, asked.hand, asked.variation)


def in_hand(generator: DigitGenerator, text: str, variation: float) -> DigitGenerator:
    """The generator drawing in this hand. 422 where there is none, 409 where it is of other weights."""
    try:
        hand = Hand.from_text(text, variation)
    except HandError as error:
        raise HTTPException(422, f"{error}.") from None
    try:
        return generator.variant(raw=generator.raw, neat=generator.neat, in_hand=hand)
    except HandError as error:
        raise HTTPException(409, f"{error}.") from None


def drawn_by(generator: DigitGenerator) -> dict[str, Any]:
    """What its pixels depend on, as answers have it."""
    return {
        "weights_sha256": generator.digest,
        "finish": generator.finish_version,
        "choice_sha256": generator.choice_digest,
    }


def seeds_of(asked: Many) -> range:
    """The seeds that are asked for; 422 where they end beyond the last."""
    last = asked.seed + asked.count - 1
    if last > MAX_SEED:
        raise HTTPException(
            422, f"seed {asked.seed} with count {asked.count} ends at {last}: seeds go up to {MAX_SEED}."
        )
    return range(asked.seed, last + 1)


def recipe_of(generator: DigitGenerator, digit: int, asked: Sheet) -> Recipe:
    """The recipe of a sheet; 422 where the seeds end beyond the last."""
    seeds_of(asked)
    return Recipe.of(generator, digit=digit, seed=asked.seed, count=asked.count, scale=asked.scale)


async def answered(
    request: Request,
    generator: DigitGenerator,
    asked: One,
    draw: Callable[[], bytes],
    media_type: str,
    milliseconds: float,
    digits: Asked | None = None,
) -> Response:
    """What `draw` gives, in its turn, with what caches need to know; 304 for who has it already.

    503 if it is late, or at once if too much is to be done before. milliseconds: about how long it takes.
    digits: what is drawn for it together with others'. The last answers are kept.
    """
    try:
        keep = _FOR_EVER if asked.is_kept else _FOR_AN_HOUR
        without = {"weights", "finish", "choice"} | ({"hand", "variation"} if asked.hand is None else set())
        settings = "-".join(f"{value}" for value in asked.model_dump(exclude=without).values())
        drawn = f"{generator.digest[:16]}-{generator.finish_version}-{generator.choice_digest[:16]}"
        tag = f'"{drawn}-{__version__}-{settings}"'
        headers = {"Cache-Control": keep, "ETag": tag}
        known = request.headers.get("if-none-match", "").split(",")
        if tag in [name.strip().removeprefix("W/") for name in known]:
            return Response(status_code=304, headers=headers)
        key = request.scope["path"], tag
        body = _answers.get(key)
        if body is None:
            body = await in_turn(request, draw, milliseconds)
            _answers.keep(key, body)
        return Response(body, media_type=media_type, headers=headers)
    finally:
        if digits:
            drawing.drop(digits)


async def received(request: Request) -> bytes:
    """The picture that comes with a request. 413 if it is too large, 408 if it is late, and 503 if so many
    others come at the moment that their bytes would fill the memory."""
    if _uploads.locked():
        raise HTTPException(
            503, "Too many pictures come at the moment: try again in 5 seconds.", {"Retry-After": "5"}
        )
    told = f"The picture has more than {MAX_PICTURE_BYTES:,} bytes: send a smaller one."
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MAX_PICTURE_BYTES:
        raise HTTPException(413, told)
    picture = bytearray()
    try:
        async with _uploads, asyncio.timeout(TIMEOUT):
            async for part in request.stream():
                picture += part
                if len(picture) > MAX_PICTURE_BYTES:
                    raise HTTPException(413, told)
    except TimeoutError:
        raise HTTPException(
            408, f"The picture did not come within {TIMEOUT} seconds: send a smaller one."
        ) from None
    if not picture:
        raise HTTPException(422, "No picture came: send one as the body of the request, such as a PNG.")
    return bytes(picture)


async def in_turn(request: Request, work: Callable[[], bytes], milliseconds: float) -> bytes:
    """What `work` gives, in its turn. 503 if it is late, or at once if too much is to be done before."""
    lane = _quick if milliseconds < QUICK else _slow
    try:
        return await lane.done(work, TIMEOUT, lambda: _left(request))
    except FullError as error:
        raise HTTPException(
            503,
            f"Too many requests wait already: try again in {_seconds(error.retry_after)}.",
            {"Retry-After": str(error.retry_after)},
        ) from None
    except (TimeoutError, GoneError):
        raise HTTPException(
            503, f"It took longer than {TIMEOUT} seconds: try again.", {"Retry-After": "5"}
        ) from None


def milliseconds_of(*, digits: int = 0, characters: int = 0, pixels: int = 0) -> float:
    """About how long it takes to draw digits, write characters in one hand, and pack pixels into a PNG.

    Measured on a busy processor; what a character takes depends on the seed, too.
    """
    return 2 + 0.5 * digits + 5 * characters + pixels / 180_000


async def _left(request: Request) -> None:
    """Come back when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _seconds(count: int) -> str:
    return f"{count} second{'s' * (count > 1)}"


@app.exception_handler(RequestValidationError)
async def tell_mistakes(request: Request, error: RequestValidationError) -> JSONResponse:
    """The first thing that is wrong, in one sentence."""
    first = error.errors()[0]
    place, name = str(first["loc"][0]), str(first["loc"][-1])
    _, operation = _operation(request.scope["route"].path_format)
    parameters = operation.get("parameters", [])
    schemas = {each["name"]: each["schema"] for each in parameters if each["in"] == place}
    if name not in schemas:
        told = f"{name[:_TOLD]!r} is not a parameter of this address: expected {_one_of([*schemas])}"
    elif first["type"] == "missing":
        told = f"{name} is missing: expected {_expected(schemas[name])}"
    else:
        told = f"{name} is {str(first['input'])[:_TOLD]!r}: expected {_expected(schemas[name])}"
    return JSONResponse({"detail": f"{told}."}, 422)


@app.exception_handler(404)
async def tell_addresses(request: Request, error: HTTPException) -> JSONResponse:
    """That there is no such address, and where all are listed."""
    root = request.scope.get("root_path", "")
    told = f"{request.scope['path'][:_TOLD]!r} is not an address: expected one such as {root}/digits/7.png"
    return JSONResponse({"detail": f"{told}; {root}/docs lists them all."}, 404)


@app.exception_handler(405)
async def tell_methods(request: Request, error: HTTPException) -> JSONResponse:
    """That an address does not take the method, and which it takes."""
    root = request.scope.get("root_path", "")
    allowed = "POST" if (error.headers or {}).get("Allow") == "POST" else METHODS
    expected = _one_of(allowed.split(", "))
    told = (
        f"{request.method[:_TOLD]} is not a method of {request.scope['path'][:_TOLD]!r}: expected {expected}"
    )
    return JSONResponse({"detail": f"{told}; {root}/docs lists all addresses."}, 405, {"Allow": allowed})


def _operation(path: str) -> tuple[str, dict[str, Any]]:
    """The method of an address, "get" or "post", and what the OpenAPI description has of it."""
    ((method, operation),) = app.openapi()["paths"][path].items()
    return method, operation


def _expected(schema: dict[str, Any]) -> str:
    """What values a parameter takes, in words."""
    schema = schema.get("anyOf", [schema])[0]
    if "pattern" in schema:
        return _IN_WORDS[schema["pattern"]]
    if "enum" in schema:
        return _one_of(schema["enum"])
    low, high = schema["minimum"], schema["maximum"]
    if schema["type"] == "number":
        return f"a number from {low:g} to {high:g}"
    return f"{low} or {high}" if high == low + 1 else f"a whole number from {low} to {high}"


def _one_of(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


# The documentation page

_STYLE = """\
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.1rem; margin: 2.5rem 0 0 }
p { margin: .5rem 0 }
code { overflow-wrap: anywhere }
div { overflow-x: auto }
table { border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0 }
th, td { border-bottom: 1px solid #8886 }
"""


@app.get("/docs", include_in_schema=False)
async def documentation(request: Request) -> HTMLResponse:
    """Every address with its parameters, their ranges and an example: a page without scripts."""
    described, root = app.openapi(), request.scope.get("root_path", "")
    title, about = escape(described["info"]["title"]), escape(described["info"]["description"])
    sections = [_section(path, *_operation(path), root) for path in described["paths"]]
    page = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}: addresses</title>
<style>
{_STYLE}</style>
<h1>{title}</h1>
<p>{about}</p>
<p>For programs: <a href="openapi.json">{escape(root)}/openapi.json</a>, version {escape(__version__)}</p>
{"".join(sections)}</html>
"""
    # A browser fetches nothing from another host, whatever the page says.
    allowed = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'"
    return HTMLResponse(page, headers={"Content-Security-Policy": allowed})


def _section(path: str, method: str, operation: dict[str, Any], root: str) -> str:
    """An address of the documentation page, as HTML."""
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    examples = {each["name"]: each["schema"].get("examples", [None])[0] for each in parameters}
    asked = {
        each["name"]: examples[each["name"]]
        for each in parameters
        if each["in"] == "query" and examples[each["name"]] is not None
    }
    example = re.sub(r"\{(\w+)\}", lambda name: quote(str(examples[name[1]])), path)
    example += f"?{urlencode(asked)}" if asked else ""
    rows = "".join(_row(parameter) for parameter in parameters)
    head = "<tr><th>Parameter<th>In<th>Value<th>Default<th>Meaning"
    answers = [
        f"{code} ({', '.join(answer.get('content', ['no body']))}): {answer['description']}"
        for code, answer in sorted(operation["responses"].items())
    ]
    shown = f'<a href="{escape(example.lstrip("/"))}"><code>{escape(root + example)}</code></a>'
    if method == "post":
        shown = f'<code>curl --data-binary @photo.jpg "{escape(root + example)}"</code>'
    body = operation.get("requestBody", {}).get("description", "")
    return f"""\
<h2><code>{"POST " * (method == "post")}{escape(root + path)}</code></h2>
<p>{escape(operation["description"])}</p>
{f"<p>Body: {escape(body)}</p>" if body else ""}
<p>Example: {shown}</p>
{f"<div><table>{head}{rows}</table></div>" if rows else ""}
<p>Answers: {escape("; ".join(answers))}</p>
"""


def _row(parameter: dict[str, Any]) -> str:
    """A parameter of the documentation page, as a row of HTML."""
    schema = parameter["schema"]
    default = "required" if parameter["required"] else schema.get("default", "none")
    cells = [_expected(schema), default, parameter["description"]]
    where = "path" if parameter["in"] == "path" else "query"
    told = "".join(f"<td>{escape(str(cell))}" for cell in [where, *cells])
    return f"<tr><td><code>{escape(parameter['name'])}</code>{told}"
