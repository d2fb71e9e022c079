"""The speed and the memory of the page beside an empty Streamlit page, in headless Chromium.

    python -m benchmarks.page            or            make bench

The two are served and visited in turn, in one run, with the same settings, each visit with an empty cache.
To be run on a quiet machine: on a busy one the ratios still say something, the milliseconds do not.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser

from tools.serving import Server, chromium, copy_page, serve

ROOT = Path(__file__).resolve().parents[1]

VISITS = 15  # to each page
CLICKS = 40

# In an init script: the time since the visit began at which a condition holds, looked at once per frame.
READY = """
const look = () => CONDITION ? window.ready = performance.now() : requestAnimationFrame(look)
requestAnimationFrame(look)
"""
HEADING = "document.querySelector('h1')"
ENLARGED = "[...document.querySelectorAll('.pictures .enlarged')]"
FIVE = f"(images => images.length === 5 && images.every(image => image.complete))({ENLARGED})"

# Press the button and wait until all five pictures are other ones and decoded: milliseconds.
CLICK = f"""
async () => {{
    const images = () => {ENLARGED}
    const old = new Set(images().map(image => image.src))
    const start = performance.now()
    document.querySelector('.st-key-generate button').click()
    while (images().length !== 5 || images().some(image => old.has(image.src)))
        await new Promise(requestAnimationFrame)
    await Promise.all(images().map(image => image.decode()))
    return performance.now() - start
}}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        served = make_page(Path(folder) / "page"), make_empty_page(Path(folder) / "empty")
        with serve(served[0]) as page, serve(served[1]) as empty, chromium() as browser:
            first = {page: [], empty: []}
            for _ in range(VISITS):
                first[empty].append(first_paint(browser, empty, HEADING))
                first[page].append(first_paint(browser, page, FIVE))
            clicks = click_times(browser, page)
            start = cold_start(browser, served[0])
            report(first[page], first[empty], clicks, memory(page), memory(empty), start)


def make_page(folder: Path) -> Path:
    copy_page(folder)
    for path in ROOT.glob("generator.*"):  # the weights, and what lies beside them
        shutil.copy(path, folder)
    return folder


def make_empty_page(folder: Path) -> Path:
    """One heading, so that there is something to see, with the settings of the page."""
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    (folder / "app.py").write_text('import streamlit as st\n\nst.title("Empty", anchor=False)\n')
    return folder


def first_paint(browser: Browser, server: Server, condition: str) -> float:
    """Milliseconds from opening the page, with an empty cache, until the condition holds."""
    context = browser.new_context()
    context.add_init_script(READY.replace("CONDITION", condition))
    page = context.new_page()
    page.goto(server.url)
    milliseconds = page.wait_for_function("window.ready").json_value()
    context.close()
    return float(milliseconds)


def cold_start(browser: Browser, folder: Path) -> float:
    """Seconds from starting a server until a visitor sees five pictures."""
    start = time.perf_counter()
    with serve(folder) as server:
        first_paint(browser, server, FIVE)
        return time.perf_counter() - start


def click_times(browser: Browser, server: Server) -> list[float]:
    """Milliseconds from each click on the button until five new pictures are decoded."""
    page = browser.new_page()
    page.goto(server.url)
    page.wait_for_function(FIVE)
    page.wait_for_selector(".st-key-generate button")
    times = []
    for _ in range(CLICKS):
        page.wait_for_selector(".stApp[data-test-script-state=notRunning]")
        times.append(float(page.evaluate(CLICK)))
    return times


def memory(server: Server) -> float:
    """Megabytes of memory that the server's process holds (VmRSS, from Linux's /proc)."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def report(
    first_page: list[float],
    first_empty: list[float],
    clicks: list[float],
    page_mb: float,
    empty_mb: float,
    start: float,
) -> None:
    five, heading, click = map(statistics.median, (first_page, first_empty, clicks))
    slow = statistics.quantiles(clicks, n=20)[-1]
    print(f"{'median of ' + str(VISITS) + ' visits, ' + str(CLICKS) + ' clicks':44} measured   at most")
    print(f"{'an empty page: its heading':44} {heading:5.0f} ms")
    print(f"{'this page: its first five pictures':44} {five:5.0f} ms")
    print(f"{'as a multiple':44} {five / heading:8.2f}  {1.3:8.2f}")
    print(f"{'a click to five other pictures':44} {click:5.0f} ms  {200:5.0f} ms")
    print(f"{'one click in twenty takes longer than':44} {slow:5.0f} ms")
    print(f"{'memory of an empty page':44} {empty_mb:5.0f} MB")
    print(f"{'memory of this page':44} {page_mb:5.0f} MB")
    print(f"{'more than an empty page':44} {page_mb - empty_mb:5.0f} MB  {35:5.0f} MB")
    print(f"{'starting the server to five pictures, once':44} {start:5.1f} s   {10:5.0f} s")


if __name__ == "__main__":
    main()
