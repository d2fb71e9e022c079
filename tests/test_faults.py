"""A full disk or a kill at any write, and two at once: what is there afterwards is whole, and mends itself.

Each command runs in a process of its own whose n-th write to a file fails or kills it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.visitors import Visitor
from digit_generator.cli import run
from digit_generator.files import FolderError, locked, remove_unfinished, unfinished_path, write_whole
from tools.serving import free_port, running

ROOT = Path(__file__).parents[1]

# Counts what is written to files that are opened by Python, half of which is on the disk when it goes wrong.
FAULTY = """
import builtins, errno, io, os, signal, sys
sys.path.insert(0, sys.argv[1])
nth, fault = int(sys.argv[2]), sys.argv[3]
written = 0

class Faulty(io.FileIO):
    def write(self, data):
        global written
        written += 1
        if written == nth:
            super().write(bytes(data)[: len(data) // 2])
            if fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)

def faulty_open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *others, **named):
    if set(mode) & set("wa") and isinstance(file, (str, os.PathLike)):
        raw = io.BufferedWriter(Faulty(file, mode.replace("b", "").replace("t", "")))
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding, errors, newline)
    return plain_open(file, mode, buffering, encoding, errors, newline, *others, **named)

plain_open, io.open, builtins.open = io.open, faulty_open, faulty_open
from digit_generator.cli import run
code = run(sys.argv[4:])
if not nth:
    print("writes", written, file=sys.stderr)
sys.exit(code)
"""


def faulty(folder: Path, nth: int, fault: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FAULTY, str(ROOT), str(nth), fault, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )


def labelled(folder: Path) -> dict[str, str]:
    rows = [json.loads(row) for row in (folder / "metadata.jsonl").read_text().splitlines()]
    assert len({row["file_name"] for row in rows}) == len(rows), "a picture has two labels"
    return {row["file_name"]: row["text"] for row in rows}


def pictures(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("[!.]*.png")}


@pytest.mark.parametrize("fault", ["full", "kill"])
@pytest.mark.parametrize("nth", [1, 2, 5, 6])
def test_number_never_leaves_a_picture_without_its_label(tmp_path: Path, fault: str, nth: int) -> None:
    """Six writes: a label and a picture, three times."""
    command = ["number", "--pattern", "##", "--count", "3", "--out", "n"]
    result = faulty(tmp_path, nth, fault, command)
    folder = tmp_path / "n"
    if fault == "full":
        assert result.returncode == 2
        assert result.stderr.endswith(": choose another folder with --out.\n")
        assert "No space left on device" in result.stderr
    else:
        assert result.returncode == -9
    text = (folder / "metadata.jsonl").read_text() if (folder / "metadata.jsonl").exists() else ""
    whole = [json.loads(row)["file_name"] for row in text.split("\n")[:-1]]
    assert pictures(folder) <= {*whole}
    if fault == "full":
        assert pictures(folder) == {*whole}
        assert {path.name for path in folder.iterdir()} == pictures(folder) | (
            {"metadata.jsonl"} if whole else set()
        )
    assert len(pictures(folder)) == (nth - 1) // 2
    result = faulty(tmp_path, 0, "none", command)
    assert result.returncode == 0, result.stderr
    assert {*labelled(folder)} == pictures(folder)
    assert {path.name for path in folder.iterdir()} == pictures(folder) | {"metadata.jsonl"}


def test_those_are_all_writes_of_number(tmp_path: Path) -> None:
    result = faulty(tmp_path, 0, "none", ["number", "--pattern", "##", "--count", "3", "--out", "n"])
    assert result.stderr.splitlines()[-1] == "writes 6"


@pytest.mark.parametrize("fault", ["full", "kill"])
@pytest.mark.parametrize(("format", "nth"), [("idx", 1), ("idx", 3), ("npz", 2), ("png", 4), ("png", 8)])
def test_dataset_leaves_a_whole_set_or_none(tmp_path: Path, fault: str, format: str, nth: int) -> None:
    command = ["dataset", "6", "--format", format, "--out", "set"]
    result = faulty(tmp_path, nth, fault, command)
    assert not (tmp_path / "set").exists()
    if fault == "full":
        assert result.returncode == 2
        assert "the disk of set is full: make room" in result.stderr
        assert not [*tmp_path.iterdir()]
    else:
        assert result.returncode == -9
        assert [path.name.startswith(".set.") for path in tmp_path.iterdir()] == [True]
    assert faulty(tmp_path, 0, "none", command).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["set"], "what the killed one left is still there"


def test_two_numbers_in_one_folder_do_not_lose_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with locked(Path("n")):
        assert run(["number", "7", "--out", "n"]) == 2
    assert capsys.readouterr().err == (
        "Error: another process is writing into n: wait until it is done, or choose another folder.\n"
    )
    assert run(["number", "7", "--out", "n"]) == 0
    assert run(["number", "8", "--out", "n"]) == 0
    assert labelled(Path("n")) == {"7_seed_0.png": "7", "8_seed_0.png": "8"}


def test_a_lock_goes_with_a_process_that_is_killed(tmp_path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from digit_generator.files import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FolderError), locked(tmp_path):
            pass
        other.kill()
    with locked(tmp_path):
        pass
    assert not [*tmp_path.iterdir()]


def test_what_a_killed_process_has_begun_is_removed_and_no_other(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    left = [tmp_path / f".{name}.{host}-{gone.pid}" for name in ("set", "digit.png")]
    left += [tmp_path / f".set.{host}-{os.getpid()}"]  # of an earlier process with this number
    kept = [
        tmp_path / name for name in (f".set.{host}-{os.getppid()}", f".set.elsewhere-{gone.pid}", ".set.1")
    ]
    kept += [tmp_path / f"set.{host}-{gone.pid}", tmp_path / f".other.{host}-x", tmp_path / ".hidden"]
    for path in left + kept:
        path.mkdir()
        (path / "file").touch()
    remove_unfinished(tmp_path, "set")
    assert [path.exists() for path in left] == [False, True, False]
    remove_unfinished(tmp_path)
    assert [path.exists() for path in left] == [False] * 3
    assert all(path.exists() for path in kept)
    remove_unfinished(tmp_path / "nothing")


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "manifest.json", []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append([each.name for each in tmp_path.iterdir()]))
    write_whole(path, b"whole", synced=True)
    assert synced == [[unfinished_path(path).name]]
    assert path.read_bytes() == b"whole"


# Starts a server with at most argv[1] descriptors, which it may raise to argv[2].
FEW_DESCRIPTORS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
"""
SERVERS = {
    "page and API": """
import uvicorn
sys.argv[1:] = ["asgi:app", "--port", sys.argv[3], "--no-access-log"]
uvicorn.main()
""",
    "page": """
from streamlit.web.cli import main
sys.argv[1:] = ["run", "app.py", "--server.headless=true", "--server.fileWatcherType=none"] + [
    f"--server.port={sys.argv[3]}"
]
main()
""",
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("most", [4000, 200])
@pytest.mark.parametrize("what", SERVERS)
def test_headers_sent_by_half_do_not_stop_the_server(tmp_path: Path, what: str, most: int) -> None:
    """300 connections that send half of a header and wait, at a server with 200 descriptors.

    Where it may take more, it answers meanwhile; where not, as soon as they are gone. Its log stays small.
    """
    port, log = free_port(), tmp_path / "log"
    url = f"http://127.0.0.1:{port}"
    command = ["-c", FEW_DESCRIPTORS + SERVERS[what], "200", str(most), str(port)]
    with running(command, url, log) as server:
        asyncio.run(visit(url))  # Streamlit alone reads app.py no sooner
        with ExitStack() as held:
            for _ in range(300):
                half = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
                half.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            time.sleep(3)  # so long that it would have said again and again what it lacks
            if most > 300:
                assert is_healthy(url)
        deadline = time.monotonic() + 20
        while not is_healthy(url) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert is_healthy(url)
        assert server.poll() is None
        said = log.read_text()
        assert ("out of system resource" in said) == (most < 300)
        assert len(said) < 10_000, said


async def visit(url: str) -> None:
    await (await Visitor.open(url)).close()


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return answer.read() == b"ok"
    except OSError:
        return False
