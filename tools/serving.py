"""The pages on a free port, and Chromium to look at them, for the browser tests and the benchmarks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
START_TIMEOUT = 60  # seconds
NAMES = ("chromium", "chromium-browser", "google-chrome")
SHELL = "chromium-headless-shell"


@dataclass(frozen=True)
class Server:
    """A Streamlit server that is running."""

    url: str
    pid: int


def copy_page(folder: Path) -> Path:
    """The files that the page consists of, without a model, in `folder`."""
    for name in (".streamlit", "digit_generator", "screens"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("docs/training/best", "docs/quality"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "web").mkdir()
    for name in ("app.py", "docs/quality.json", "web/real_digits.png"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@contextmanager
def serve(folder: Path, script: str = "app.py") -> Iterator[Server]:
    """`streamlit run script` in `folder`, as `make run` starts it, until the block is left."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = {"port": port, "address": "127.0.0.1", "headless": "true", "fileWatcherType": "none"}
    command = ["-m", "streamlit", "run", script]
    command += [f"--server.{name}={value}" for name, value in options.items()]
    # No settings but those of the page and of the Makefile.
    environment = {"HOME": str(folder), "MALLOC_ARENA_MAX": "2"}
    with running(command, url, folder / "server.log", folder=folder, environment=environment) as process:
        yield Server(url, process.pid)


@contextmanager
def running(
    command: Sequence[str], url: str, log: Path, *, folder: Path = ROOT, environment: Mapping[str, str] = {}
) -> Iterator[subprocess.Popen[bytes]]:
    """The server that `python COMMAND` is in `folder`, from when it answers at `url` until the block is left.

    log: gets what the server says. environment: what is added to that of this process.
    """
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_healthy(url, process, log)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server did not start within {START_TIMEOUT} seconds:\n{log.read_text()}")


class _Files(SimpleHTTPRequestHandler):
    """What `python -m http.server` answers with, without its lines on stderr."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_files(folder: Path) -> Iterator[str]:
    """The files of `folder` under the URL that is given, until the block is left."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chromium(*, shell: bool = False, beside: Browser | None = None) -> Iterator[Browser]:
    """Chromium without a window, until the block is left. FileNotFoundError where there is none.

    shell: rather its headless shell, which opens pages in half of the processor's time, where that is
    installed. beside: another one that is open; Playwright is started once.
    """
    from playwright.sync_api import sync_playwright

    names = [SHELL, *NAMES] if shell else NAMES
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not path or not shutil.which(path):
        raise FileNotFoundError(
            f"Chromium was not found ({path or ', '.join(names)}): install Debian's package chromium, "
            "or set CHROMIUM to the path of a Chromium or Chrome"
        )
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--force-color-profile=srgb"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with ExitStack() as stack:
        kind = beside.browser_type if beside else stack.enter_context(sync_playwright()).chromium
        browser = kind.launch(executable_path=path, args=arguments + quiet)
        yield browser
        browser.close()
