"""A thousand and more connections that send half of a header and wait: does the server answer others?

    python -m benchmarks.half_open            or            ... --descriptors 4096

Both servers, `streamlit run` and uvicorn with page and API, as the Makefile starts them, on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import socket
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from benchmarks.visitors import Visitor
from tools.serving import free_port, running

SERVERS = {
    "page": ["streamlit", "run", "app.py", "--server.headless=true", "--server.fileWatcherType=none"],
    "page and API": ["uvicorn", "asgi:app", "--limit-concurrency", "4000", "--timeout-keep-alive", "5"],
}
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
START = "import resource, os, sys; most = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_NOFILE, "
START += "(min(1024, most), most)); os.execv(sys.executable, [sys.executable, '-m', *sys.argv[2:]])"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1100)
    parser.add_argument("--descriptors", type=int, default=1024, help="that a server may take")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{options.connections} half-sent headers, {options.descriptors} descriptors")
    print(f"{'health check of':16} {'before':>12} {'during':>12} {'after':>12} {'log, bytes':>12}")
    for name, command in SERVERS.items():
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name:16} {measured(command, Path(folder, 'log'), options)}", flush=True)


def measured(command: list[str], log: Path, options: argparse.Namespace) -> str:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [*command, "--server.port" if command[0] == "streamlit" else "--port", str(port)]
    with running(["-c", START, str(options.descriptors), *command], url, log):
        asyncio.run(visit(url))  # Streamlit alone reads app.py no sooner
        told = [health(url)]
        with ExitStack() as held:
            for _ in range(options.connections):
                each = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
                each.sendall(HALF)
            time.sleep(options.seconds)
            told.append(health(url))
        time.sleep(2)  # asyncio accepts again after a second
        told.append(health(url))
    return " ".join(f"{each:>12}" for each in [*told, f"{log.stat().st_size:,}"])


async def visit(url: str) -> None:
    await (await Visitor.open(url)).close()


def health(url: str) -> str:
    start = time.perf_counter()
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
            return f"{1000 * (time.perf_counter() - start):.0f} ms"
    except OSError as error:
        return str(getattr(error, "code", "no answer"))


if __name__ == "__main__":
    main()
