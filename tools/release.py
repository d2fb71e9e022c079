"""Make a release: python -m tools.release            or            make release

Checks that the version and the changelog agree and that the generated documentation is up to date, builds the
source distribution and from it the wheel into dist/, and draws with the wheel in a fresh environment. Nothing
is uploaded: the commands that publish are printed at the end.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from digit_generator import DigitGenerator, __version__

ROOT = Path(__file__).resolve().parents[1]

DRAW = """
from digit_generator import DigitGenerator
print(DigitGenerator.load().digits(7, range(5)).tobytes().hex())
"""


class ReleaseError(Exception):
    """What stops a release, as one sentence."""


def main() -> None:
    try:
        check_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)
        check_committed("before the documentation is made again")
        call(sys.executable, "-m", "tools.make_api")
        call(sys.executable, "-m", "digit_generator.evaluation.publish")
        check_committed("after the documentation was made again: commit it")
        sdist, wheel = build()
        try_in_a_fresh_environment(wheel)
    except ReleaseError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"\nReady: {sdist.relative_to(ROOT)}, {wheel.relative_to(ROOT)}. To publish:")
    print(f"    git tag v{__version__} && git push origin v{__version__}")
    print("    python -m twine upload dist/*")


def check_changelog(changelog: str, version: str) -> None:
    """ReleaseError unless the newest entry is this version with its date: "## 1.2.3 (2026-01-31)"."""
    newest = next((line for line in changelog.splitlines() if line.startswith("## ")), "")
    if not re.fullmatch(rf"## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", newest):
        raise ReleaseError(
            f"CHANGELOG.md's newest entry is {newest!r}: expected '## {version} (YYYY-MM-DD)', since "
            f"digit_generator.__version__ is {version!r}; change whichever is wrong."
        )


def check_committed(when: str) -> None:
    changed = call("git", "status", "--porcelain").split("\n")[0]
    if changed:
        raise ReleaseError(f"{changed.split(maxsplit=1)[1]} is not committed, {when}.")


def build() -> tuple[Path, Path]:
    """The source distribution and the wheel that is built from it, alone in dist/."""
    for old in (ROOT / "dist").glob("digit_generator-*"):
        old.unlink()
    call(sys.executable, "-m", "build", "--outdir", "dist")
    (sdist,) = (ROOT / "dist").glob("*.tar.gz")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    call(sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel))
    return sdist, wheel


def try_in_a_fresh_environment(wheel: Path) -> None:
    """ReleaseError unless the installed wheel draws the digits that the repository draws."""
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder, "venv", "bin", "python"))
        call(sys.executable, "-m", "venv", str(Path(folder, "venv")))
        call(python, "-m", "pip", "install", "--quiet", str(wheel), folder=folder)
        drawn = call(python, "-c", DRAW, folder=folder).strip()
    if bytes.fromhex(drawn) != DigitGenerator.load(ROOT / "generator.pth").digits(7, range(5)).tobytes():
        raise ReleaseError(f"{wheel.name}, installed, draws other digits than the repository.")


def call(*command: str, folder: str | Path = ROOT) -> str:
    """What a command prints; ReleaseError with its last lines if it fails."""
    print("+", " ".join(command).replace("\n", " "), flush=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise ReleaseError(f"{' '.join(command)} failed:\n{said}")
    return done.stdout


if __name__ == "__main__":
    main()
