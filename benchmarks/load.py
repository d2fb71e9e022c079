"""The page and the API under load, and the memory that they take, beside an empty page in the same run.

    python -m benchmarks.load            or            make bench-load

Three parts, all on this machine: clicks of many visitors, in turn with those on an empty page; memory of
visitors on all pages, where a server above 512 MB is killed; and a client that asks the API for the dearest
things over many connections, beside one that wants five digits. On a busy machine the ratios still say
something, the milliseconds do not.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.page import make_page
from benchmarks.visitors import Visitor, figures, pressing
from tools.serving import Server, free_port, running, serve

MEGABYTES = 512  # a server above it is killed, as small hosts do
PAGES = ("", "number", "morph", "game", "dataset", "learn")
STYLED = "digit=3&seed={seed}&thickness=3&slant=0.2&width=14"
FIVE = "/api/digits/7.png?count=5&seed="
HEALTH = "/api/health"
DEAREST = "/api/numbers/123456789012345678901234.png?scale=10&seed="
_seeds = itertools.count(step=5)  # no answer is kept of any
EMPTY = 'import streamlit as st\n\nst.title("Empty", anchor=False)\nst.button("Generate")\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of a round")
    parser.add_argument("--rounds", type=int, default=3, help="of clicks, page and empty page in turn")
    options = parser.parse_args()
    print(
        f"load of the machine before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors"
    )
    with tempfile.TemporaryDirectory() as folder:
        page, empty = make_page(Path(folder, "page")), Path(folder, "empty")
        empty.mkdir()
        (empty / "app.py").write_text(EMPTY)
        (empty / ".streamlit").symlink_to(page / ".streamlit")
        with serve(page) as page_server, serve(empty) as empty_server:
            for visitors in (50, 200):
                asyncio.run(clicks(page_server, empty_server, visitors, options.seconds, options.rounds))
            asyncio.run(disturbed(page_server, options.seconds))
        with serve(page) as page_server, watched(page_server.pid) as peak:
            asyncio.run(everywhere(page_server, peak))
    with api_server() as url:
        asyncio.run(overload(url, options.seconds))


# Clicks


async def clicks(page: Server, empty: Server, visitors: int, seconds: float, rounds: int) -> None:
    """Everybody presses Generate as soon as the last answer is there."""
    print(f"\n{visitors} visitors press the button   clicks/s      p50      p95")
    for number in range(rounds):
        for name, server in (("an empty page", empty), ("this page", page)):
            opened = await asyncio.gather(*(Visitor.open(server.url) for _ in range(visitors)))
            times = await asyncio.gather(*(pressing(each, "Generate", seconds) for each in opened))
            told = figures([*itertools.chain(*times)], seconds)
            print(
                f"{number + 1}. {name:25} {told['rate']:10.1f} {told['p50']:6.0f} ms {told['p95']:5.0f} ms",
                flush=True,
            )
            await asyncio.gather(*(each.close() for each in opened))


async def disturbed(page: Server, seconds: float) -> None:
    """One visitor's clicks while others do what takes long."""
    one, seeds = await Visitor.open(page.url), iter(range(10**6))

    async def another(name: str, query: str) -> None:
        visitor = await Visitor.open(page.url, name, query.format(seed=next(seeds)))
        await visitor.close()

    print("\none visitor's clicks while           median      longest")
    for what, count, name, query in (
        ("nobody does anything", 0, "", ""),
        ("1 draws in a style", 1, "", STYLED),
        ("20 draw in styles", 20, "", STYLED),
        ("20 morph", 20, "morph", "seed={seed}&frames=60"),
    ):
        others = asyncio.gather(*(another(name, query) for _ in range(count)))
        times: list[float] = []
        while not times or (not others.done() if count else sum(times) < seconds):
            times.append(await one.press("Generate"))
        await others
        middle = sorted(times)[len(times) // 2]
        print(f"{what:34} {1000 * middle:6.0f} ms {1000 * max(times):9.0f} ms", flush=True)
    await one.close()


# Memory


def megabytes(pid: int) -> float:
    """Of memory that a process holds (VmRSS, from Linux's /proc); 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The largest memory so far, in a list of one; a process above MEGABYTES is killed."""
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            peak[0] = max(peak[0], megabytes(pid))
            if peak[0] > MEGABYTES:
                os.kill(pid, 9)
                print(f"killed at {peak[0]:.0f} MB")
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


async def everywhere(server: Server, peak: list[float]) -> None:
    """More and more visitors, each of whom opens every page and a morph of 60 frames."""
    print("\nmemory                               now       most")
    seeds = iter(range(10**6))

    async def visit() -> Visitor:
        visitor = await Visitor.open(server.url)
        for name in (*PAGES, "morph"):
            await visitor.close()
            visitor = await Visitor.open(server.url, name, f"seed={next(seeds)}&frames=60")
        return visitor

    for count in (1, 20, 40):
        try:
            opened = await asyncio.gather(*(visit() for _ in range(count)))
        except Exception as error:
            print(f"{count} visitors on all pages: {type(error).__name__}")
            return
        now = megabytes(server.pid)
        print(f"{count:2} visitors on all pages {now:15.0f} MB {peak[0]:6.0f} MB", flush=True)
        await asyncio.gather(*(each.close() for each in opened))


# The API


@contextmanager
def api_server() -> Iterator[str]:
    """Page and API on one port, as `make serve` starts them."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "uvicorn", "asgi:app", "--port", str(port), "--no-access-log"]
        with running(command, url, Path(folder, "log"), environment={"MALLOC_ARENA_MAX": "2"}):
            yield url


async def asking(port: int, address: str, until: float, statuses: Counter[int], times: list[float]) -> None:
    """Ask again and again over one connection; for another seed each time, where the address ends in `=`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        seed = str(next(_seeds)) if address.endswith("=") else ""
        request = f"GET {address}{seed} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        start = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
        status = int(head.split()[1])
        statuses[status] += 1
        if status == 200:
            times.append(time.perf_counter() - start)
    writer.close()


async def overload(url: str, seconds: float) -> None:
    """Five digits alone, beside the health check, and while somebody asks for the dearest."""
    port = int(url.rpartition(":")[2])
    print("\nthe API, requests of              answers/s      p50      p95      200      503")

    async def many(address: str, connections: int, until: float) -> tuple[Counter[int], list[float]]:
        statuses: Counter[int] = Counter()
        times: list[float] = []
        await asyncio.gather(
            *(asking(port, address, until, statuses, times) for _ in range(connections)),
            return_exceptions=True,
        )
        return statuses, times

    def tell(what: str, statuses: Counter[int], times: list[float]) -> None:
        told = figures(times or [float("inf")], seconds)
        print(
            f"{what:32} {len(times) / seconds:10.1f} {told['p50']:6.0f} ms {told['p95']:5.0f} ms"
            f" {statuses[200]:8} {statuses[503]:8}",
            flush=True,
        )

    for what, address in (("the health check, 8 connections", HEALTH), ("five digits, 8 connections", FIVE)):
        tell(what, *await many(address, 8, time.perf_counter() + seconds))
    for dear in (0, 32, 64):
        until = time.perf_counter() + seconds
        dearest, five = await asyncio.gather(many(DEAREST, dear, until), many(FIVE, 1, until))
        tell(f"five digits, 1, beside {dear} dear", *five)
        if dear:
            tell(f"the dear ones, {dear} connections", *dearest)


if __name__ == "__main__":
    main()
