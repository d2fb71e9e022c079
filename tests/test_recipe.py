"""A PNG tells how it was made, and the command that it names makes the same file again."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from choices import make_choice_file
from PIL import Image, PngImagePlugin

from digit_generator import DigitGenerator, cli, latents_from_seeds, pixels_from_images
from digit_generator.choose import choice_path
from digit_generator.finish import VERSION
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.recipe import Recipe, RecipeError, style_suffix
from digit_generator.render import RECIPE_CHUNK, png_from_pixels, recipe_text_from_png

DIGEST = "0123456789abcdef" * 4

RECIPES = [
    Recipe(DIGEST, digit=7, seed=3),
    Recipe(DIGEST, digit=7, seed=3, finish=VERSION, choice_sha256=DIGEST[::-1]),
    Recipe(DIGEST, digit=7, seed=3, finish=VERSION, choice_sha256=DIGEST[::-1], neat=2),
    Recipe("", digit=0, seed=2**32 - 1, scale=64, placeholder=True),
    Recipe(DIGEST, digit=7, seed=5, count=100, scale=4),
    Recipe(DIGEST, digit=7, seed=5, style={"thickness": 3.25, "slant": -0.1}, finish=VERSION),
    Recipe(DIGEST, text="-3.14", seed=8, style={"width": 12.0}, scale=2),
    Recipe(DIGEST, stops=((3, 0), (8, 5), (3, 0)), frames_between=4, animated=True, scale=8),
]

OLD, NEAT, STYLED, NUMBER = RECIPES[0], RECIPES[2], RECIPES[5], RECIPES[6]


@pytest.mark.parametrize("recipe", RECIPES)
def test_text_and_back(recipe: Recipe) -> None:
    text = recipe.to_text()
    assert Recipe.from_text(text) == recipe
    assert text.isascii()
    assert "\n" not in text


def test_a_png_carries_it_as_a_text_chunk_before_the_picture() -> None:
    pixels = np.full((28, 28), 9, np.uint8)
    png = png_from_pixels(pixels, recipe=STYLED.to_text())
    assert recipe_text_from_png(png) == STYLED.to_text()
    assert b"tEXt" + RECIPE_CHUNK.encode() + b"\0" + STYLED.to_text().encode() in png
    assert png.index(b"tEXt") < png.index(b"IDAT")
    assert recipe_text_from_png(png_from_pixels(pixels)) is None
    with Image.open(io.BytesIO(png)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        '{"digit": 7}',
        '{"weights_sha256": "abc", "digit": 7}',
        '{"weights_sha256": "", "digit": 10}',
        '{"weights_sha256": "", "digit": true}',
        '{"weights_sha256": "", "digit": "7; rm -rf /"}',
        '{"weights_sha256": "", "digit": 7, "seed": -1}',
        '{"weights_sha256": "", "digit": 7, "seed": 4294967295, "count": 2}',
        '{"weights_sha256": "", "digit": 7, "count": 1000000}',
        '{"weights_sha256": "", "digit": 7, "scale": 65}',
        '{"weights_sha256": "", "digit": 7, "finish": -1}',
        '{"weights_sha256": "", "digit": 7, "finish": 1000}',
        '{"weights_sha256": "", "digit": 7, "finish": true}',
        '{"weights_sha256": "", "digit": 7, "choice_sha256": "abc"}',
        '{"weights_sha256": "", "digit": 7, "choice_sha256": 0}',
        '{"weights_sha256": "", "digit": 7, "neat": 1}',
        f'{{"weights_sha256": "", "digit": 7, "choice_sha256": "{DIGEST}", "neat": 5}}',
        '{"weights_sha256": "", "digit": 7, "text": "7"}',
        '{"weights_sha256": ""}',
        '{"weights_sha256": "", "digit": 7, "style": {"colour": 1}}',
        '{"weights_sha256": "", "digit": 7, "style": {"slant": "$(x)"}}',
        '{"weights_sha256": "", "digit": 7, "style": {"slant": NaN}}',
        '{"weights_sha256": "", "digit": 7, "from": "the future"}',
        '{"weights_sha256": "", "text": ""}',
        '{"weights_sha256": "", "text": "1\\n2"}',
        '{"weights_sha256": "", "stops": [[3, 0]]}',
        '{"weights_sha256": "", "stops": [[3, 0], [8]]}',
        '{"weights_sha256": "", "stops": [[3, 0], [8, "0"]]}',
        '{"weights_sha256": "", "stops": [3, 8]}',
    ],
)
def test_what_is_no_recipe_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="damaged, or from a later version"):
        Recipe.from_text(text)


def test_a_command_is_quoted_for_a_shell() -> None:
    recipe = Recipe(DIGEST, text="7; rm -rf ~", seed=1)
    assert shlex.split(recipe.command())[-2:] == ["--", "7; rm -rf ~"]
    assert recipe.command().endswith("-- '7; rm -rf ~'")


def test_style_and_number_are_in_the_command() -> None:
    assert STYLED.arguments() == [
        *("generate", "7", "--count", "1", "--seed", "5"),
        *("--thickness=3.25", "--slant=-0.1", "--every-z"),
    ]
    assert NUMBER.arguments() == [
        *("number", "--seed", "8", "--width=12.0", "--scale", "2"),
        *("--raw", "--every-z", "--", "-3.14"),
    ]


def test_neat_is_in_the_command_and_in_words() -> None:
    assert NEAT.arguments()[-2:] == ["--neat", "2"]
    assert NEAT.described()["neat"] == "2 of 4"
    assert "neat" not in RECIPES[1].described()


def test_a_recipe_from_before_the_finish_is_of_raw_pixels_and_every_z() -> None:
    old = Recipe.from_text(f'{{"weights_sha256": "{DIGEST}", "digit": 7, "seed": 3}}')
    assert old.arguments()[-2:] == ["--raw", "--every-z"]
    assert old.to_text() == f'{{"weights_sha256": "{DIGEST}", "digit": 7, "seed": 3}}'


@pytest.mark.parametrize(
    ("raw", "every_z", "flags"),
    [(False, False, []), (True, False, ["--raw"]), (False, True, ["--every-z"])],
)
def test_finish_and_choice_are_in_recipe_and_command(
    choosy: DigitGenerator, raw: bool, every_z: bool, flags: list[str]
) -> None:
    recipe = Recipe.of(choosy.variant(raw=raw, every_z=every_z), digit=7)
    assert recipe.finish == (0 if raw else VERSION)
    assert recipe.choice_sha256 == ("" if every_z else choosy.choice_digest)
    assert recipe.arguments() == ["generate", "7", "--count", "1", "--seed", "0", *flags]
    told = recipe.described()
    assert told["finish"].startswith("none, " if raw else f"MNIST's scan rule, version {VERSION}")
    assert told["choice"] == ("none, every z is taken" if every_z else choosy.choice_digest)


def test_names_of_files_say_style_and_raw() -> None:
    style = {"thickness": 3.0, "slant": -0.25}
    assert style_suffix({}) == ""
    assert style_suffix(style) == "_thickness_3_slant_-0.25"
    assert style_suffix({}, raw=True) == "_raw"
    assert style_suffix(style, raw=True) == "_thickness_3_slant_-0.25_raw"


def test_who_drew_it_is_told(generator: DigitGenerator) -> None:
    assert Recipe.of(generator, digit=7).weights_sha256 == generator.digest
    assert Recipe.of(PlaceholderGenerator(), digit=7).placeholder


# On the command line


@pytest.fixture
def shell(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    choosy: DigitGenerator,
) -> Callable[..., tuple[int, str, str]]:
    """shell(words) -> exit code, stdout, stderr of the command line, in an empty folder, where the tests'
    weights, with a choice, are the program's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(DigitGenerator, "load", lambda path: choosy)
    monkeypatch.setattr("digit_generator.cli.draw.find_weights", lambda: choosy.path)

    def run(*words: str) -> tuple[int, str, str]:
        return cli.run(words), *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    "words",
    [
        "generate 7 --count 3 --seed 4",
        "generate 7 --count 1 --seed 4 --scale 5",
        "generate 7 --count 12 --seed 4 --sheet --scale 2",
        "generate 7 --count 1 --sheet",
        "generate 7 --count 12 --sheet --raw",
        "generate 7 --count 12 --sheet --every-z",
        "generate 7 --count 12 --sheet --raw --every-z",
        "number 2026 --scale 2",
        "number -7 --raw --every-z",
        "generate 7 --placeholder --count 1 --scale 3",
        "generate 7 --placeholder --count 11 --sheet",
        "morph 3 8:7 --format strip --frames 3",
        "morph 3 8 1 --format strip --frames 2 --scale 1 --seed 4",
        "morph 3 8 --format apng --frames 3",
        "morph 3 8 --format strip --frames 3 --raw --every-z",
    ],
)
def test_the_command_it_names_makes_the_same_file(
    shell: Callable[..., tuple[int, str, str]], words: str
) -> None:
    _, out, _ = shell(*words.split(), "--out", "first")
    path = Path([name for name in out.splitlines() if name.endswith(".png")][-1])
    code, out, _ = shell("recipe", str(path))
    assert code == 0
    again = out.splitlines()[-1].removeprefix("again: python -m digit_generator ")
    command, *options = shlex.split(again)
    code, out, _ = shell(command, "--out", "second", *options)  # a number comes last, behind --
    (written,) = (name for name in out.splitlines() if name.endswith(".png"))
    assert code == 0
    assert Path(written).read_bytes() == path.read_bytes()


def test_what_is_told(shell: Callable[..., tuple[int, str, str]], choosy: DigitGenerator) -> None:
    shell("generate", "7", "--count", "1", "--seed", "42", "--scale", "3")
    code, out, err = shell("recipe", "digits/digit_7_seed_42.png")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "digit: 7",
        "seed: 42",
        f"weights: {choosy.digest}",
        f"choice: {choosy.choice_digest}",
        f"finish: MNIST's scan rule, version {VERSION}",
        "scale: 3",
        "again: python -m digit_generator generate 7 --count 1 --seed 42 --scale 3",
    ]


@pytest.mark.parametrize("have_weights", [True, False])
def test_other_weights_are_asked_for(
    shell: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    have_weights: bool,
    tmp_path: Path,
) -> None:
    Path("old.png").write_bytes(png_from_pixels(np.zeros((28, 28), np.uint8), recipe=OLD.to_text()))
    if not have_weights:
        monkeypatch.setattr("digit_generator.cli.draw.find_weights", lambda: tmp_path / "none.pth")
    code, out, err = shell("recipe", "old.png")
    assert code == 0
    assert out.endswith("generate 7 --count 1 --seed 3 --raw --every-z --weights FILE\n")
    assert err == "Drawn by other weights than those here: put the name of their file for FILE.\n"


def test_a_picture_by_an_older_finish_is_told(
    shell: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("generate", "7", "--count", "1")
    for module in ("recipe", "cli.draw"):
        monkeypatch.setattr(f"digit_generator.{module}.FINISH_VERSION", VERSION + 1)
    code, out, err = shell("recipe", "digits/digit_7_seed_0.png")
    assert code == 0
    assert out.splitlines()[-1].startswith("again: python -m digit_generator generate 7 --count 1 --seed 0")
    assert err == (
        f"Finished by version {VERSION} of the scan rule, and here is version {VERSION + 1}: this command "
        "draws the outline a little differently.\n"
    )


@pytest.mark.parametrize("here", ["another", "none"])
def test_a_picture_by_another_choice_is_told(
    shell: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    choosy: DigitGenerator,
    tmp_path: Path,
    here: str,
) -> None:
    shell("generate", "7", "--count", "1")
    shell("generate", "8", "--count", "1", "--every-z")
    weights = tmp_path / "generator.pth"
    weights.write_bytes(choosy.path.read_bytes())
    if here == "another":
        choice_path(weights).write_bytes(make_choice_file(choosy, refused=0.1))
    monkeypatch.setattr("digit_generator.cli.draw.find_weights", lambda: weights)
    code, out, err = shell("recipe", "digits/digit_7_seed_0.png")
    assert (code, out.splitlines()[-1]) == (
        0,
        "again: python -m digit_generator generate 7 --count 1 --seed 0",
    )
    assert err == (
        "Drawn with another choice of z than the one here: this command may draw another picture.\n"
    )
    code, out, err = shell("recipe", "digits/digit_8_seed_0.png")  # of every z: none is needed
    assert (code, err) == (0, "")


def test_an_old_picture_is_drawn_again_byte_for_byte(
    shell: Callable[..., tuple[int, str, str]], choosy: DigitGenerator
) -> None:
    """As version 0.1.0 wrote it: the network's own pixels, the first z, and a recipe without a finish."""
    images = choosy.images(latents_from_seeds([3]), [7])
    recipe = f'{{"weights_sha256": "{choosy.digest}", "digit": 7, "seed": 3}}'
    Path("old.png").write_bytes(png_from_pixels(pixels_from_images(images)[0], recipe=recipe))
    code, out, err = shell("recipe", "old.png")
    assert (code, err) == (0, "")
    again = out.splitlines()[-1].removeprefix("again: python -m digit_generator ")
    _, out, _ = shell(*shlex.split(again))
    assert Path(out.strip()).read_bytes() == Path("old.png").read_bytes()


def test_a_number_that_begins_with_a_minus_comes_last(shell: Callable[..., tuple[int, str, str]]) -> None:
    """After --, where no option is looked for, so --weights FILE must come before it."""
    Path("a.png").write_bytes(png_from_pixels(np.zeros((28, 28), np.uint8), recipe=NUMBER.to_text()))
    assert shell("recipe", "a.png")[1].endswith("--raw --every-z --weights FILE -- -3.14\n")


def png_with(key: str, text: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text)
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read (No such file or directory): name a PNG picture."),
        (b"", "is not a PNG picture, or damaged"),
        (b"GIF89a" + bytes(100), "is not a PNG picture, or damaged"),
        (png_from_pixels(np.zeros((28, 28), np.uint8))[:20], "is not a PNG picture, or damaged"),
        (png_from_pixels(np.zeros((28, 28), np.uint8)), "carries no recipe"),
        (png_with("Software", "another program"), "carries no recipe"),
        (png_with(RECIPE_CHUNK, "7"), "the recipe in it is damaged, or from a later version"),
        (png_with(RECIPE_CHUNK, json.dumps({"weights_sha256": "", "digit": 70})), "cannot be drawn again"),
    ],
)
def test_other_files_get_a_sentence(
    shell: Callable[..., tuple[int, str, str]], content: bytes | None, words: str
) -> None:
    if content is not None:
        Path("foreign.png").write_bytes(content)
    code, out, err = shell("recipe", "foreign.png")
    assert (code, out) == (2, "")
    assert err.startswith("Error: foreign.png ")
    assert words in err
    assert err.count("\n") == 1


# The other commands of this file's pictures


def test_a_morph_is_written_and_listed(shell: Callable[..., tuple[int, str, str]]) -> None:
    for words, name, size in (
        ("morph 3 8", "morph_3-8_seed_0.gif", (224, 224)),
        ("morph 3 8:5 --format webp --scale 1", "morph_3-8_seeds_0-5.webp", (28, 28)),
        ("morph 3 8 --format strip --frames 4 --scale 1", "morph_3-8_seed_0_strip.png", (28 * 6 + 10, 28)),
        ("morph 3 8 1 --format strip --frames 4 --scale 1", "morph_3-8-1_seed_0_strip.png", (148, 88)),
        (f"morph {'3 8 ' * 7} --frames 0 --scale 1", "morph_14_stops_e19794cc.gif", (28, 28)),
    ):
        code, out, _ = shell(*words.split(), "--out", "m")
        assert (code, out) == (0, f"m/{name}\n")
        with Image.open(Path("m") / name) as picture:
            assert picture.size == size


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("morph", "Missing argument 'STOPS...'"),
        ("morph 3", "a morph needs two or more stops"),
        ("morph 3 x", "'x' is not a digit, such as 7, or a digit and a seed"),
        ("morph 3 8:4294967296", "a seed up to 4294967295, such as 7:42"),
        ("morph 3 8 --frames 2000", "make 2002 frames"),
        ("morph 3 8 --scale 64 --frames 100", "more than 64 million: draw fewer digits or choose a smaller"),
        ("dataset 0", "'0' is not a whole number from 1 to 4294967296"),
        ("dataset -5", "No such option"),
        ("dataset 5 --shares 7", "'7' is no list of different digits and their shares, such as 7:3,1:1"),
        ("dataset 5 --shares 7:1,7:2", "is no list of different digits"),
        ("dataset 5 --shares 7:0", "all shares are 0"),
        ("dataset 5 --out full", ": name another folder, which will be made."),
        ("dataset 5 --out full/file", "full/file is a file: name a folder"),
        ("dataset 10000000 --test 1", "sets of up to 10000000 digits: add --engine ray"),
        ("recipe", "Missing argument 'FILE'"),
        ("recipe full", "full cannot be read (Is a directory)"),
    ],
)
def test_mistakes_are_one_sentence(
    shell: Callable[..., tuple[int, str, str]], words: str, sentence: str
) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    code, out, err = shell(*words.split())
    assert (code, out) == (2, "")
    *_, last = err.splitlines()
    assert last.startswith("Error: ")
    assert sentence in last
    assert [*Path().rglob("*.*")] == []


def test_a_set_is_written_and_listed(shell: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = shell("dataset", "20", "--test", "10", "--shares", "1:1,7:3", "--seed", "5")
    assert code == 0
    names = [
        f"{part}-{kind}.gz"
        for part in ("t10k", "train")
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
    assert out.splitlines() == [f"digit-set/{name}" for name in [*names, "manifest.json"]]
    manifest: dict[str, Any] = json.loads(Path("digit-set/manifest.json").read_text())
    assert manifest["parts"]["train"]["count_of_digit"] == [0, 5, 0, 0, 0, 0, 0, 15, 0, 0]
    assert manifest["seed"] == 5


def test_numpys_whole_numbers_are_written_as_numbers() -> None:
    recipe = Recipe(DIGEST, digit=np.int64(7), seed=np.int64(3), scale=np.int32(2))
    assert recipe.to_text() == Recipe(DIGEST, digit=7, seed=3, scale=2).to_text()
    stops = ((np.int64(1), np.int64(2)), (np.int64(3), np.int64(4)))
    assert Recipe(DIGEST, stops=stops) == Recipe(DIGEST, stops=((1, 2), (3, 4)))
