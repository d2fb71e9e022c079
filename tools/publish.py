"""Make everything that derives from generator.pth: python -m tools.publish          or           make publish

The steps run in order, each a command that can be run by itself. A step is skipped while the files that it
reads and those that it wrote are what they were when it last ended well: `runs/publish` keeps their digests,
one file a step, and may be deleted at any time. So a run that was stopped goes on with the step where it was.

The training itself is no step: it writes generator.pth, generator.json and docs/training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from digit_generator.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
DATA_DIR = "{data}"
"""In a step's command: MNIST's folder. The files in it never change, so no step is run again for them."""
PACKAGE, EVALUATION = "digit_generator", "digit_generator/evaluation"
CLASSIC = "docs/training/classic/classic.pth"
DRAWS = tuple(
    f"{PACKAGE}/{name}.py" for name in ("weights", "generate", "bulk", "finish", "choose", "shapes", "style")
)
DIGITS = ("generator.pth", "generator.choice.safetensors", *DRAWS)
STYLED = (*DIGITS, "generator.style.json")
WRITES = tuple(f"{PACKAGE}/{name}.py" for name in ("morph", "number", "recipe", "render"))


class PublishError(Exception):
    """What stops the work, as one sentence."""


class Step(NamedTuple):
    """A command, the files that it reads, and those that it writes: patterns, from the repository on."""

    name: str
    command: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def digests(self, root: Path) -> dict[str, object]:
        """What the step is, reads and wrote; a pattern without a file counts as missing."""
        return {
            "command": list(self.command),
            "reads": {pattern: _digest(root, pattern) for pattern in self.reads},
            "writes": {pattern: _digest(root, pattern) for pattern in self.writes},
        }


STEPS = (
    Step(
        "choice",
        ("-m", "digit_generator.evaluation.choice", "generator.pth", "--data-dir", DATA_DIR),
        (
            *("generator.pth", *DRAWS),
            *(f"{EVALUATION}/{name}.py" for name in ("choice", "neat", "data")),
            *(f"{EVALUATION}/measures/{name}.py" for name in ("broken_shapes", "frechet", "neighbours")),
            *(f"{EVALUATION}/networks/{name}.py" for name in ("classifier", "judges")),
            f"{EVALUATION}/networks/judge.safetensors",
        ),
        ("generator.choice.safetensors",),
    ),
    Step(
        "style-controls",
        ("-m", "digit_generator", "style", "learn", "--weights", "generator.pth"),
        DIGITS,
        ("generator.style.json",),
    ),
    Step(
        "style-report",
        ("-m", "digit_generator.evaluation.style", "--data-dir", DATA_DIR, "--out", "docs"),
        (*STYLED, f"{PACKAGE}/number.py", f"{EVALUATION}/style.py", f"{EVALUATION}/networks/ocr.py"),
        ("docs/style.json", "docs/style.md"),
    ),
    Step(
        "lines-report",
        ("-m", "digit_generator.evaluation.lines", "--data-dir", DATA_DIR, "--out", "docs"),
        (
            *(*STYLED, f"{PACKAGE}/number.py", f"{PACKAGE}/normalize.py"),
            *(f"{EVALUATION}/{name}.py" for name in ("lines", "amounts", "protocol")),
            *(f"{EVALUATION}/networks/{name}.py" for name in ("ocr", "reader")),
        ),
        ("docs/lines.json", "docs/lines.md"),
    ),
    Step(
        "hands",
        ("-m", "digit_generator.evaluation.hands", "--data-dir", DATA_DIR, "--out", "docs"),
        (
            *(*STYLED, f"{PACKAGE}/hand.py", f"{EVALUATION}/hands.py", f"{EVALUATION}/writers.py"),
            *(f"{EVALUATION}/networks/writers.py", f"{EVALUATION}/networks/judge.safetensors"),
        ),
        ("docs/hands.json", "docs/hands.md", "docs/images/hands.png"),
    ),
    Step(
        "card",
        ("-m", "digit_generator.evaluation", "generator.pth", "--data-dir", DATA_DIR, "--out", "docs"),
        (*DIGITS, CLASSIC, f"{EVALUATION}/**/*.py", f"{EVALUATION}/networks/*.safetensors"),
        ("docs/quality.json", "docs/quality/*.png", "docs/quality/blind-key.json"),
    ),
    Step(
        "card-in-words",
        ("-m", "digit_generator.evaluation.publish"),
        (
            *("docs/quality.json", "docs/quality/by-eye.json", "docs/quality/others/*.json"),
            *(f"{EVALUATION}/{name}.py" for name in ("card", "protocol", "publish")),
        ),
        ("docs/quality.md", "README.md", "generator.json", "docs/training/classic/classic.json"),
    ),
    Step(
        "greys",
        ("-m", "digit_generator.evaluation.greys", "generator.pth", "--data-dir", DATA_DIR, "--out", "docs"),
        (
            *DIGITS,
            *(
                f"{EVALUATION}/{name}.py"
                for name in ("greys", "protocol", "measures/two_sample", "networks/classifier")
            ),
        ),
        ("docs/greys.md",),
    ),
    Step(
        "pictures",
        ("-m", "tools.make_pictures", "--data-dir", DATA_DIR),
        (*STYLED, *WRITES, "tools/make_pictures.py", "docs/training/best/*.png"),
        tuple(
            f"docs/images/{name}"
            for name in (
                *("digits.png", "examples.png", "stages.png", "learning.png", "morph.png", "morph.webp"),
                *("style.png", "number.png", "lines.png"),
            )
        ),
    ),
    Step(
        "web-weights",
        ("-m", "tools.make_web", "--data-dir", DATA_DIR),
        ("generator.pth", "generator.choice.safetensors", "tools/make_web.py"),
        ("web/*.safetensors", "web/*.bin", "web/*.png", "web/real_digits.txt"),
    ),
    Step(
        "screenshots",
        ("-m", "tools.make_screenshots"),
        (
            *(f"web/*.{kind}" for kind in ("safetensors", "bin", "js", "css", "html")),
            "tools/make_screenshots.py",
        ),
        ("docs/images/web-*.png",),
    ),
    Step(
        "reference",
        ("-m", "tools.make_api"),
        (f"{PACKAGE}/**/*.py", "tools/make_api.py", "pyproject.toml"),
        ("docs/api.md",),
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make everything that derives from generator.pth.")
    parser.add_argument("--data-dir", type=Path, default=Path("mnist"), help="MNIST's four files")
    parser.add_argument("--only", action="append", metavar="STEP", help="this step alone; may be given again")
    parser.add_argument("--list", action="store_true", help="the steps and whether each is up to date")
    options = parser.parse_args(arguments)
    try:
        steps = chosen_steps(STEPS, options.only)
        if options.list:
            for step in steps:
                print(f"{step.name:<15} {'up to date' if is_up_to_date(step, ROOT) else 'to be made'}")
            return 0
        if not (ROOT / "generator.pth").is_file():
            raise PublishError(f"{ROOT / 'generator.pth'} is missing: train it with make train.")
        publish(steps, ROOT, options.data_dir.resolve())
    except PublishError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def chosen_steps(steps: Sequence[Step], names: Sequence[str] | None) -> list[Step]:
    """All of them, or those of these names, in their own order."""
    known = [step.name for step in steps]
    for name in names or ():
        if name not in known:
            raise PublishError(f"there is no step {name!r}: name one of {', '.join(known)}.")
    return [step for step in steps if not names or step.name in names]


def publish(steps: Sequence[Step], root: Path, data_dir: Path) -> None:
    """Run the steps that are not up to date. PublishError if one fails; those before it are kept."""
    began = monotonic()
    for number, step in enumerate(steps, start=1):
        title = f"[{number}/{len(steps)}] {step.name}"
        if is_up_to_date(step, root):
            print(f"{title}: up to date", flush=True)
            continue
        print(f"{title} ...", flush=True)
        started = monotonic()
        command = [str(data_dir) if word == DATA_DIR else word for word in step.command]
        done = subprocess.run([sys.executable, *command], cwd=root, check=False)
        if done.returncode:
            raise PublishError(
                f"the step {step.name!r} ended with code {done.returncode}: mend what it says above, and run "
                "this again; what is done stays done."
            )
        missing = [pattern for pattern in step.writes if not _files(root, pattern)]
        if missing:
            raise PublishError(f"the step {step.name!r} wrote no {', '.join(missing)}.")
        path = stamp_path(step, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(step.digests(root), indent=1).encode())
        print(f"{title}: {duration(monotonic() - started)}", flush=True)
    print(f"Done in {duration(monotonic() - began)}.")


def is_up_to_date(step: Step, root: Path) -> bool:
    """Whether the step last ended well with the files that are there now."""
    try:
        stamp = json.loads(stamp_path(step, root).read_text())
    except (OSError, ValueError):
        return False
    return bool(stamp == step.digests(root))


def stamp_path(step: Step, root: Path) -> Path:
    return root / "runs" / "publish" / f"{step.name}.json"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _files(root: Path, pattern: str) -> list[Path]:
    return sorted(path for path in root.glob(pattern) if path.is_file())


def _digest(root: Path, pattern: str) -> str:
    """SHA-256 over names and contents of the files of a pattern; "" if there is none."""
    files = _files(root, pattern)
    parts = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return hashlib.sha256(repr(parts).encode()).hexdigest() if files else ""


if __name__ == "__main__":
    sys.exit(main())
