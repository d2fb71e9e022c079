"""The command line writes what it says, and tells mistakes in one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from digit_generator import (
    DigitGenerator,
    Style,
    StyleControls,
    __version__,
    cli,
    styled_digits,
    texts_from_pattern,
    write_number,
)
from digit_generator.cli.draw import generate
from digit_generator.dataset.plan import plan
from digit_generator.files import write_whole
from digit_generator.hand import Hand
from digit_generator.morph import morph
from digit_generator.placeholder import PlaceholderGenerator
from digit_generator.shapes import estimated_shapes
from digit_generator.weights import arrays_from_file

REPOSITORY = Path(__file__).resolve().parent.parent


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def draw(weights_file: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """draw(arguments) -> exit code, stdout, stderr of `generate` with the tests' weights."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["generate", "--weights", str(weights_file), *arguments])
        return code, *capsys.readouterr()

    return run


def test_five_digits_are_written_and_listed(
    draw: Callable[..., tuple[int, str, str]], generator: DigitGenerator
) -> None:
    code, out, _ = draw("7")
    assert code == 0
    assert out.splitlines() == [f"digits/digit_7_seed_{seed}.png" for seed in range(5)]
    assert sorted(path.name for path in Path("digits").iterdir()) == [
        f"digit_7_seed_{s}.png" for s in range(5)
    ]
    for seed, expected in enumerate(generator.digits(7, range(5))):
        np.testing.assert_array_equal(pixels_of(Path(f"digits/digit_7_seed_{seed}.png")), expected)


def test_count_seed_scale_and_out(
    draw: Callable[..., tuple[int, str, str]], generator: DigitGenerator
) -> None:
    code, out, _ = draw("3", "--count", "2", "--seed", "4294967294", "--scale", "3", "--out", "a/b")
    assert code == 0
    assert out.splitlines() == ["a/b/digit_3_seed_4294967294.png", "a/b/digit_3_seed_4294967295.png"]
    expected = generator.digits(3, [4294967295])[0]
    picture = pixels_of(Path("a/b/digit_3_seed_4294967295.png"))
    assert picture.shape == (84, 84)
    np.testing.assert_array_equal(picture[1::3, 1::3], expected)


def test_a_sheet_is_one_picture(draw: Callable[..., tuple[int, str, str]], generator: DigitGenerator) -> None:
    code, out, _ = draw("8", "--count", "23", "--seed", "5", "--sheet", "--out", ".")
    assert (code, out) == (0, "digit_8_seeds_5-27.png\n")
    picture = pixels_of(Path("digit_8_seeds_5-27.png"))
    assert picture.shape == (88, 298)
    np.testing.assert_array_equal(picture[60:, 60:88], generator.digits(8, [27])[0])


def test_the_same_command_writes_the_same_bytes(draw: Callable[..., tuple[int, str, str]]) -> None:
    draw("1", "--out", "a")
    draw("1", "--out", "b", "--count", "3")
    for path in Path("b").iterdir():
        assert path.read_bytes() == Path("a", path.name).read_bytes()


def test_placeholders_are_marked_and_need_no_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["generate", "7", "--placeholder", "--count", "2", "--out", "."]) == 0
    assert cli.run(["generate", "7", "--placeholder", "--sheet", "--out", "."]) == 0
    out, err = capsys.readouterr()
    names = [
        "placeholder_digit_7_seed_0.png",
        "placeholder_digit_7_seed_1.png",
        "placeholder_digit_7_seeds_0-4.png",
    ]
    assert out.splitlines() == names
    assert "These are placeholder digits, drawn by rule: no model made them." in err
    np.testing.assert_array_equal(pixels_of(Path(names[1])), PlaceholderGenerator().digits(7, [1])[0])


def test_own_weights_are_called_your_own(
    draw: Callable[..., tuple[int, str, str]], weights_file: Path
) -> None:
    assert draw("7")[2] == f"Drawn by your own weights, {weights_file}.\n"


def test_our_weights_are_not_called_your_own(
    weights_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = DigitGenerator(arrays_from_file(weights_file), path=weights_file, provenance={"seed": 0})
    monkeypatch.setattr(DigitGenerator, "load", lambda path: ours)
    assert cli.run(["generate", "7"]) == 0
    assert capsys.readouterr().err == ""


# Finished or raw, of chosen z or of every z


@pytest.mark.parametrize("flags", [[], ["--raw"], ["--every-z"], ["--raw", "--every-z"], ["--neat", "4"]])
def test_every_command_draws_what_the_flags_ask_for(
    choosy: DigitGenerator, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    neat = 4 if "--neat" in flags else 0
    drawing = choosy.variant(raw="--raw" in flags, every_z="--every-z" in flags, neat=neat)
    end = "_raw" if drawing.raw else "_neat_4" if neat else ""
    options = ["--weights", str(choosy.path), "--out", "o", *flags]
    refused = next(seed for seed in range(100) if choosy.hand_number(seed))  # so that the choice shows

    def written(*words: str) -> str:
        assert cli.run([*words, *options]) == 0
        return capsys.readouterr().out.splitlines()[0]

    assert written("generate", "8", "--count", "30") == f"o/digit_8_seed_0{end}.png"
    for seed, pixels in enumerate(drawing.digits(8, range(30))):
        np.testing.assert_array_equal(pixels_of(Path(f"o/digit_8_seed_{seed}{end}.png")), pixels)
    assert written("generate", "7", "--sheet") == f"o/digit_7_seeds_0-4{end}.png"
    assert written("generate", "7", "--count", "1", "--svg", "pixels") == f"o/digit_7_seed_0{end}.svg"
    assert written("generate", "7", "--count", "1", "--svg", "ink") == f"o/digit_7_seed_0{end}_ink.svg"

    assert written("number", "20", "--seed", str(refused)) == f"o/20_seed_{refused}{end}.png"
    line = write_number(drawing, "20", refused)
    np.testing.assert_array_equal(pixels_of(Path(f"o/20_seed_{refused}{end}.png")), line.picture)

    morphs = morph(drawing, [(3, 1), (8, 2)], frames_between=1)
    for words, ending in (("strip", f"_strip{end}.png"), ("gif", f"{end}.gif"), ("apng", f"{end}.png")):
        path = written("morph", "3:1", "8:2", "--frames", "1", "--scale", "1", "--format", words)
        assert path == f"o/morph_3-8_seeds_1-2{ending}"
        np.testing.assert_array_equal(pixels_of(Path(path))[:, :28], morphs[0])

    assert cli.run(["dataset", "40", "--format", "npz", *options, "--out", "set"]) == 0
    with np.load("set/train.npz") as arrays:
        (part,) = plan(40)
        np.testing.assert_array_equal(arrays["pixels"], drawing.digits(part.labels, part.seeds))


def test_the_choice_and_the_finish_show(choosy: DigitGenerator) -> None:
    """What the test above tells apart are different pictures."""
    variants = [
        choosy.variant(raw=raw, every_z=every_z) for raw in (False, True) for every_z in (False, True)
    ]
    seen = {variant.digits(8, range(30)).tobytes() for variant in (*variants, choosy.variant(neat=4))}
    assert len(seen) == 5
    seed = next(seed for seed in range(100) if choosy.hand_number(seed))
    assert len({write_number(variant, "20", seed).picture.tobytes() for variant in variants}) == 4


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "Missing argument 'DIGIT'"),
        ("10", "'10' is not a whole number from 0 to 9"),
        ("-1", "No such option"),
        ("seven", "'seven' is not a whole number from 0 to 9"),
        ("7.0", "'7.0' is not a whole number from 0 to 9"),
        ("7 8", "unexpected extra argument"),
        ("7 --count 0", "'0' is not a whole number from 1 to 10000"),
        ("7 --count -5", "'-5' is not a whole number from 1 to 10000"),
        ("7 --count 10001", "'10001' is not a whole number from 1 to 10000"),
        ("7 --count many", "'many' is not a whole number"),
        (f"7 --count {'9' * 5000}", "is not a whole number"),
        ("7 --seed -1", "'-1' is not a whole number from 0 to 4294967295"),
        ("7 --seed 4294967296", "'4294967296' is not a whole number from 0 to 4294967295"),
        (
            "7 --seed 4294967292",
            "--seed 4294967292 with --count 5 ends at seed 4294967296: seeds go up to 4294967295.",
        ),
        ("7 --scale 0", "'0' is not a whole number from 1 to 64"),
        ("7 --scale 65", "'65' is not a whole number from 1 to 64"),
        (
            "7 --sheet --count 100 --scale 64",
            "more than 64 million: draw fewer digits or choose a smaller scale.",
        ),
        ("7 --placeholder", "--placeholder draws without weights: leave out either it or --weights."),
        ("7 --svg outline --sheet", "leave out --sheet and --scale"),
        ("7 --svg pixels --scale 2", "leave out --sheet and --scale"),
        ("7 --svg jpeg", "'jpeg' is not one of 'outline', 'pixels', 'ink'"),
        ("7 --thickness thick", "'thick' is not a number such as 2.5 or -0.1"),
        ("7 --slant nan", "'nan' is not a number such as 2.5 or -0.1"),
        ("7 --width inf", "'inf' is not a number"),
        ("7 --placeholder --slant 0.1", "--slant is about the model: leave out either it or --placeholder."),
        ("7 --placeholder --raw", "--raw is about the model: leave out either it or --placeholder."),
        ("7 --placeholder --neat 1", "--neat is about the model: leave out either it or --placeholder."),
        ("7 --neat 5", "'5' is not a whole number from 0 to 4."),
        ("7 --neat 1 --every-z", "--every-z rejects no z, and --neat more of them: leave out one."),
        ("7 --placeholder --every-z", "--every-z is about the model: leave out either it or --placeholder."),
        ("7 --raw yes", "unexpected extra argument"),
        ("7 --slant 0.1", "generator.style.json does not exist: expected the style controls, and python -m"),
        ("7 --frobnicate", "No such option"),
        ("7 --out", "Option '--out' requires an argument"),
        ("7 --out file", "file is a file: a folder is needed there, so choose another with --out."),
        (
            "7 --out file/inside",
            "file/inside/digit_7_seed_0.png cannot be written (Not a directory): choose another",
        ),
        (
            "7 --out taken",
            "taken/digit_7_seed_0.png cannot be written (Is a directory): choose another folder",
        ),
        (f"7 --out {'x' * 300}", "cannot be written (File name too long)"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    draw: Callable[..., tuple[int, str, str]], arguments: str, words: str
) -> None:
    Path("file").touch()
    Path("taken/digit_7_seed_0.png").mkdir(parents=True)
    code, out, err = draw(*arguments.split())
    assert (code, out) == (2, "")
    *notes, sentence = err.splitlines()
    assert sentence.startswith("Error: ")
    assert words in sentence
    assert sentence.endswith(".")
    assert all(note.startswith("Drawn by your own weights") for note in notes)
    assert [*Path().rglob("*.png")] == [Path("taken/digit_7_seed_0.png")]


def test_an_unknown_command_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["draw", "7"]) == 2
    assert (
        capsys.readouterr().err == "Error: No such command 'draw'. See `python -m digit_generator --help`.\n"
    )


WAYS_OUT = (
    "train new weights with python mnist_gan_training.py, name a file with --weights FILE,"
    " or draw stand-ins with --placeholder."
)


@pytest.mark.parametrize("content", [None, b"", b"nothing of use"])
def test_missing_or_broken_weights_are_told_with_the_ways_out(
    capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is not None:
        Path("mine.pth").write_bytes(content)
    assert cli.run(["generate", "7", "--weights", "mine.pth"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"Error: mine\.pth [^\n]*" + re.escape(WAYS_OUT) + "\n", err)
    assert not Path("digits").exists()


def test_weights_that_are_nowhere_are_told_with_the_ways_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("digit_generator.weights.__file__", str(tmp_path / "digit_generator" / "weights.py"))
    assert cli.run(["generate", "7"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        f"Error: generator.pth is neither in {tmp_path} nor in {tmp_path}/digit_generator: expected"
    )
    assert err.endswith(WAYS_OUT + "\n")


# Styles and numbers, by the weights that ship


def test_a_style_is_drawn_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["generate", "7", "--count", "2", "--slant", "0.2", "--thickness", "3"]) == 0
    written = capsys.readouterr().out.splitlines()
    assert written == [f"digits/digit_7_seed_{seed}_thickness_3_slant_0.2.png" for seed in (0, 1)]
    expected = styled_digits(DigitGenerator.load(), 7, [1], Style(thickness=3, slant=0.2))[0]
    np.testing.assert_array_equal(pixels_of(Path(written[1])), expected)


def test_a_style_out_of_reach_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["generate", "7", "--thickness", "40"], ["number", "7", "--thickness", "40"]):
        assert cli.run(arguments) == 2
        assert re.fullmatch(
            r"Error: thickness 40 is out of reach[^\n]* from \d\.\d\d to \d\.\d\d pixels\.\n",
            capsys.readouterr().err,
        )
    assert not [*Path().rglob("*.png")]


def test_a_number_and_its_boxes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["number", "1/2 -3", "--seed", "4", "--scale", "2", "--out", "."]) == 0
    assert capsys.readouterr().out.splitlines() == ["1_2~-3_seed_4.png", "metadata.jsonl"]
    line = write_number(DigitGenerator.load(), "1/2 -3", 4)
    picture = pixels_of(Path("1_2~-3_seed_4.png"))
    np.testing.assert_array_equal(picture[::2, ::2], line.picture)
    (label,) = [json.loads(row) for row in Path("metadata.jsonl").read_text().splitlines()]
    assert (label["file_name"], label["text"], label["seed"]) == ("1_2~-3_seed_4.png", "1/2 -3", 4)
    assert label["characters"] == list("1/2 -3")
    assert label["boxes"] == [[2 * edge for edge in box] for _, *box in line.boxes]


def test_numbers_from_a_pattern_and_from_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["number", "--pattern", "##-##", "--count", "3", "--seed", "2"]) == 0
    assert capsys.readouterr().out == "numbers/metadata.jsonl\n"  # one line, however many pictures
    assert sorted(path.name for path in Path("numbers").glob("*.png")) == [
        f"line_seed_{seed}.png" for seed in (2, 3, 4)
    ]
    labels = [json.loads(row) for row in Path("numbers/metadata.jsonl").read_text().splitlines()]
    assert [label["text"] for label in labels] == texts_from_pattern("##-##", 3, 2)
    Path("list.txt").write_text("-7\n\n3.14\n")
    assert cli.run(["number", "--list", "list.txt", "--out", "more"]) == 0
    labels = [json.loads(row) for row in Path("more/metadata.jsonl").read_text().splitlines()]
    assert [label["text"] for label in labels] == ["-7", "3.14"]


def test_a_number_may_begin_with_a_minus(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["number", "-7"]) == 0
    assert capsys.readouterr().out.startswith("numbers/-7_seed_0.png\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give one of TEXT, --pattern and --list"),
        (["7", "--pattern", "#"], "Give one of TEXT"),
        (["x"], "'x' (character 1) cannot be written: expected digits"),
        ([""], "'' is empty"),
        (["--pattern", "12"], "has no #"),
        (["7", "--count", "0"], "'0' is not a whole number from 1 to 100000"),
        (["--list", "none.txt"], "none.txt cannot be read (No such file or directory): --list takes"),
        (["--list", "."], "cannot be read (Is a directory)"),
        (["--list", "list.txt"], "Line 2 of list.txt: 'b' (character 1) cannot be written"),
        (["--list", "empty.txt"], "empty.txt has 0 lines to write"),
        (["--list", "bytes.txt"], "bytes.txt is no text in UTF-8"),
        (["--list", "list.txt", "--count", "2"], "leave out --count"),
        (["7", "--count", "2", "--seed", "4294967295"], "seeds go up to 4294967295"),
        (["7" * 200, "--scale", "64"], "more than 64 million"),
        (
            ["7", "--out", "list.txt"],
            "list.txt is a file: a folder is needed there, so choose another with --out.",
        ),
        (["7", "--weights", "none.pth"], "none.pth does not exist"),
    ],
)
def test_a_mistake_about_numbers_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    Path("list.txt").write_text("1\nb\n")
    Path("empty.txt").write_text("\n")
    Path("bytes.txt").write_bytes(b"\xff\xfe")
    assert cli.run(["number", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert not [*Path().rglob("*.png")]


def test_style_ranges_are_those_of_the_controls(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["style", "ranges"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 11
    controls = StyleControls.load(DigitGenerator.load())
    for digit, row in enumerate(rows[1:]):
        numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", row)]
        assert numbers == [round(end, 2) for ends in controls.ranges(digit).values() for end in ends]


def test_style_learn_writes_the_file_beside_the_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the estimate in the place of what is measured, which takes longer."""
    monkeypatch.setattr(
        "digit_generator.style.measured_shapes", lambda pixels: estimated_shapes(pixels / 255)[0]
    )
    path = tmp_path / "generator.pth"
    path.write_bytes((REPOSITORY / "generator.pth").read_bytes())  # random ones draw no strokes to learn from
    assert cli.run(["style", "learn", "--weights", str(path), "--samples", "50"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path}/generator.style.json\n"
    assert "500/500" in err
    low, high = StyleControls.load(DigitGenerator.load(path)).ranges(3)["thickness"]
    assert cli.run(["generate", "3", "--weights", str(path), "--thickness", f"{(low + high) / 2:.3f}"]) == 0


def test_style_learn_without_its_extra_is_one_sentence(
    weights_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.morphology", None)
    assert cli.run(["style", "learn", "--weights", str(weights_file)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Error: measuring strokes needs scikit-image: pip install scikit-image."
    )


# Around it


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"digit-generator {__version__}\n"
    assert cli.run([]) == cli.run(["-h"]) == 0
    twice = capsys.readouterr().out
    assert twice[: len(twice) // 2] * 2 == twice
    assert cli.run(["generate", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--count", "--seed", "--out", "--weights", "--scale", "--sheet", "--placeholder"):
        assert option in text
    for words in (["generate"], ["number"], ["morph"], ["dataset"]):
        assert cli.run([*words, "--help"]) == 0
        text = capsys.readouterr().out
        assert "--raw" in text
        assert "--every-z" in text


def write_hand(generator: DigitGenerator) -> Hand:
    """my.hand, as the examples name it."""
    hand = Hand(np.zeros(100), generator.digest)
    Path("my.hand").write_bytes(hand.to_bytes())
    return hand


def test_the_examples_in_the_help_do_what_they_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = DigitGenerator.load()  # with its style file
    monkeypatch.setattr(DigitGenerator, "load", lambda path: ours)
    examples = re.findall(r"python -m digit_generator (.+)\n +(.*)", generate.help or "")
    assert len(examples) == 9
    hand = write_hand(ours)
    for command, promise in examples:
        assert cli.run(command.split()) == 0
        written = capsys.readouterr().out.splitlines()
        for path in re.findall(r"\S+\.(?:png|svg)", promise):
            assert path.replace("4f9a0c1e", hand.name) in written
        for size in re.findall(r"(\d+)x\1", promise):
            assert pixels_of(Path(written[0])).shape == (int(size), int(size))


def command(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "digit_generator", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def test_python_m_runs_it(weights_file: Path) -> None:
    process = command("generate", "7", "--count", "1", "--weights", str(weights_file))
    assert process.communicate() == (
        "digits/digit_7_seed_0.png\n",
        f"Drawn by your own weights, {weights_file}.\n",
    )
    assert process.returncode == 0
    process = command("generate", "77")
    assert "'77' is not a whole number" in process.communicate()[1]
    assert process.returncode == 2


def test_ctrl_c_stops_it_without_a_traceback(tmp_path: Path) -> None:
    process = command("generate", "7", "--placeholder", "--count", "3000", "--out", "many", "--scale", "9")
    while not Path("many").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Stopped."
    assert "Traceback" not in err
    assert all(path.name.endswith(".png") for path in Path("many").iterdir())


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    with command("generate", "7", "--placeholder", "--count", "3000") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
    assert process.returncode != 0


def test_a_full_stdout_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "digit_generator", "generate", "7", "--placeholder"],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 2
    assert "Error: standard output cannot be written (No space left on device)." in process.stderr
    assert "Traceback" not in process.stderr


def test_one_blas_thread_is_chosen_before_numpy() -> None:
    script = (
        "import os, sys; import digit_generator.__main__ as m; import threading;"
        "sys.argv = ['x', '--version'];"
        "\ntry: m.main()\nexcept SystemExit: print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    for chosen, expected in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
        result = subprocess.run(
            [sys.executable, "-c", script],
            env={**environment, **chosen, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout.splitlines()[-1] == expected


def test_labels_of_numbers_written_to_the_same_folder_are_added() -> None:
    for text in ("2026", "1/2", "1:2", "2026"):
        assert cli.run(["number", text, "--out", "n"]) == 0
    labels = [json.loads(row) for row in Path("n/metadata.jsonl").read_text().splitlines()]
    assert [label["text"] for label in labels] == ["2026", "1/2", "1:2"]
    assert sorted(label["file_name"] for label in labels) == sorted(
        path.name for path in Path("n").glob("*.png")
    )


def test_labels_of_another_program_are_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    Path("metadata.jsonl").write_text("mine")
    assert cli.run(["number", "7", "--out", "."]) == 2
    assert capsys.readouterr().err == (
        "Error: metadata.jsonl holds no lines of this program: choose another folder with --out.\n"
    )
    assert [path.name for path in Path().iterdir()] == ["metadata.jsonl"]


def test_ctrl_c_leaves_whole_pairs_and_the_next_call_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped between the third picture and its line."""
    command = ["number", "--pattern", "###", "--count", "5"]
    written: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        write_whole(path, data)
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr("digit_generator.cli.options.write_whole", write)
        assert cli.run(command) == 130
    labels = [json.loads(row) for row in Path("numbers/metadata.jsonl").read_text().splitlines()]
    assert [label["file_name"] for label in labels] == ["line_seed_0.png", "line_seed_1.png"]
    assert len([*Path("numbers").iterdir()]) == 3
    first = Path("numbers/line_seed_0.png").stat().st_mtime_ns
    assert cli.run(command) == 0
    assert Path("numbers/line_seed_0.png").stat().st_mtime_ns == first  # not drawn again
    begun = contents(Path("numbers"))
    assert cli.run([*command, "--out", "at-once"]) == 0
    assert contents(Path("at-once")) == begun


def test_a_picture_that_would_be_another_is_drawn_again() -> None:
    assert cli.run(["number", "--pattern", "##", "--count", "2"]) == 0
    once = contents(Path("numbers"))
    assert cli.run(["number", "--pattern", "##", "--count", "2", "--scale", "2"]) == 0
    twice = contents(Path("numbers"))
    assert {*once} == {*twice}
    assert all(once[name] != twice[name] for name in once)


def test_a_list_may_begin_with_a_byte_order_mark() -> None:
    Path("list.txt").write_bytes("\ufeff12\n".encode())
    assert cli.run(["number", "--list", "list.txt"]) == 0


def test_a_closed_pipe_is_told() -> None:
    words = [sys.executable, "-m", "digit_generator", "generate", "7", "--count", "300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 2
    assert told == "Error: standard output was closed before the end: what is not listed was not made.\n"


def test_style_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["style"]) == 0
    assert "learn" in capsys.readouterr().out


def test_the_help_has_no_empty_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["generate", "--help"]) == 0
    assert "None" not in capsys.readouterr().out


def test_a_picture_by_other_style_controls_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.run(["generate", "7", "--count", "1", "--thickness", "3"]) == 0
    path = capsys.readouterr().out.strip()
    assert cli.run(["recipe", path]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("digit_generator.style._WALK", 0)
    assert cli.run(["recipe", path]) == 0
    assert capsys.readouterr().err.startswith("Drawn by other style controls than those here")


def test_a_path_that_the_stream_cannot_print_does_not_end_the_work(tmp_path: Path) -> None:
    """Output redirected in a code page without the letters of the folder's name."""
    for command in (["generate", "7", "--count", "2"], ["number", "12", "--count", "2"]):
        result = subprocess.run(
            [sys.executable, "-m", "digit_generator", *command, "--out", "папка"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, b"")
        assert result.stdout.count(b"?????") == (1 if command[0] == "number" else 2)
    assert len(list((tmp_path / "папка").iterdir())) == 5


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_another_pattern_takes_no_picture_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["number", "--pattern", "###", "--count", "3"]) == 0
    before = contents(Path("numbers"))
    text = json.loads(before["metadata.jsonl"].splitlines()[0])["text"]
    capsys.readouterr()
    assert cli.run(["number", "--pattern", "##", "--count", "2"]) == 2
    assert capsys.readouterr().err == (
        f"Error: numbers/line_seed_0.png is there already, a picture of '{text}': choose another folder with "
        "--out, or another --seed.\n"
    )
    assert contents(Path("numbers")) == before
    assert cli.run(["number", "--pattern", "###", "--count", "3"]) == 0  # the same again
    assert contents(Path("numbers")) == before
    assert cli.run(["number", "--pattern", "##", "--count", "2", "--seed", "3"]) == 0
    assert len(Path("numbers/metadata.jsonl").read_text().splitlines()) == 5
    Path("numbers/line_seed_7.png").write_bytes(b"mine")
    assert cli.run(["number", "--pattern", "##", "--seed", "7"]) == 2
    assert "line_seed_7.png is there already, another picture" in capsys.readouterr().err


def test_a_run_that_was_killed_leaves_labels_and_goes_on() -> None:
    assert cli.run(["number", "--pattern", "###", "--count", "3"]) == 0
    whole = contents(Path("numbers"))
    lines = whole["metadata.jsonl"].splitlines(keepends=True)
    # Killed between the third picture and its line, and within the second line.
    Path("numbers/metadata.jsonl").write_bytes(lines[0] + lines[1][:30])
    assert cli.run(["number", "--pattern", "###", "--count", "3"]) == 0
    assert contents(Path("numbers")) == whole


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (".5", "number_.5_seed_0.png"),
        ("1" * 200, f"number_200_characters_{hashlib.sha256(b'1' * 200).hexdigest()[:16]}_seed_0.png"),
    ],
)
def test_names_are_neither_hidden_nor_too_long(text: str, name: str) -> None:
    assert cli.run(["number", text]) == 0
    assert (Path("numbers") / name).is_file()


def test_lines_are_read_as_an_imagefolder() -> None:
    """By Hugging Face's datasets, with their texts and boxes."""
    assert cli.run(["number", "--pattern", "##.##", "--count", "4"]) == 0
    lines = datasets.load_dataset("imagefolder", data_dir="numbers", split="train", cache_dir="cache")
    assert lines["text"][:] == texts_from_pattern("##.##", 4, 0)
    assert [len(boxes) for boxes in lines["boxes"]] == [5] * 4
    assert lines["characters"][0][2] == "."


@pytest.mark.parametrize("arguments", ["number 7 --sede=3", "number --sede 3 7", "generate 7 --sede 3"])
def test_a_mistyped_option_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    assert cli.run(arguments.split()) == 2
    err = capsys.readouterr().err
    assert "No such option" in err
    assert "'--sede'" in err.replace(": --sede", " '--sede'")
    assert "--seed" in err
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [("-7", "-7"), ("-7 --seed 2", "-7"), ("--slant -0.1 -7", "-7"), ("-- -7", "-7"), ("-1/2-3", "-1/2-3")],
)
def test_a_text_that_begins_with_a_minus_is_no_option(arguments: str, text: str) -> None:
    assert cli.run(["number", *arguments.split()]) == 0
    (line,) = Path("numbers/metadata.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == text
