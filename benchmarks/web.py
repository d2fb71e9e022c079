"""The speed and the size of the page in web/, in headless Chromium, served by this machine.

    python -m benchmarks.web            or            make bench
    python -m benchmarks.web --hand     how long a hand takes, alone

Every visit has an empty cache. To be run on a quiet machine: a busy one multiplies the milliseconds. The
processor time, which is that of the page's own thread, says what is left of them where nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from playwright.sync_api import Browser, CDPSession

from tools.serving import chromium, serve_files

ROOT = Path(__file__).resolve().parents[1]

VISITS = 15
CLICKS = 40
DIGITS = 500
FRAMES = 240  # four seconds of a finger on the slider

SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}  # slow 3G
SLOW_VISITS = 3
HANDS = 10
THROTTLED = 4  # times slower, as a phone's processor

# In an init script: the time since the visit began at which five pictures are there, looked at each frame:
# those that come with the page, then those that the network has drawn.
READY = """
const five = (selector, ready) => {
    const pictures = [...document.querySelectorAll('#five ' + selector)]
    return pictures.length === 5 && pictures.every(ready) && document.styleSheets.length > 0
}
const look = () => {
    const live = five('canvas.enlarged', () => true)
    if (live || five('img.enlarged', image => image.naturalWidth)) window.seen ??= performance.now()
    live ? window.ready = performance.now() : requestAnimationFrame(look)
}
requestAnimationFrame(look)
"""
# Press the button: the five pictures are drawn when it returns. Then wait until the ten digits have followed.
CLICK = """
async () => {
    const start = performance.now()
    document.querySelector('#again').click()
    const drawn = performance.now() - start
    for (let i = 0; i < 8; i++) await new Promise(requestAnimationFrame)
    return drawn
}
"""
# Move the slider a little before each frame: the milliseconds from each frame to the next.
SLIDE = """
async count => {
    const slider = document.querySelector('#at')
    const times = []
    for (let i = 0; i < count; i++) {
        slider.value = 4 * i / count
        slider.dispatchEvent(new Event('input'))
        times.push(await new Promise(requestAnimationFrame))
    }
    return times.slice(1).map((time, i) => time - times[i])
}
"""

# Finish digits, the same ten in turn: the milliseconds of one.
FINISH = """
async count => {
    const [finish, { Network, pixelsFromImage }, { latentsFromSeed }, { fetchWeights }] = await Promise.all(
        ['finish', 'network', 'random', 'weights'].map(name => import(`./${name}.js`)))
    const network = new Network((await fetchWeights()).tensors)
    const raw = Array.from({ length: 10 }, (_, digit) =>
        pixelsFromImage(network.activations(latentsFromSeed(digit), digit).at(-1)))
    return [finish.finishedPixels, finish.edgedPixels].map(finished => {
        const start = performance.now()
        for (let i = 0; i < count; i++) finished(raw[i % 10], i % 10, i)
        return (performance.now() - start) / count
    })
}
"""

# What finds hands, on the page's own thread, which alone can be throttled.
FIND = """
async () => {
    const load = name => import(`./${name}.js`)
    const [{ Fit }, { Network }, { fetchWeights }, { sheetOfRealDigits }] =
        await Promise.all(['fit', 'network', 'weights', 'game'].map(load))
    const { Bank, fetchBank } = await load('starts')
    const { tensors, digest } = await fetchWeights()
    const fit = new Fit(new Network(tensors), new Bank(await fetchBank(digest)))
    const context = new OffscreenCanvas(840, 280).getContext('2d')
    context.drawImage(await sheetOfRealDigits(), 0, 0)
    const real = digit => context.getImageData(0, 28 * digit, 28, 28).data.filter((_, i) => i % 4 === 0)
    window.find = digit => fit.hand([{ pixels: real(digit), label: digit }])
    window.read = digit => fit.label(real(digit))
    for (let digit = 0; digit < 3; digit++) find(digit), read(digit) // until they are compiled
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="The speed and the size of the page in web/.")
    parser.add_argument("--hand", action="store_true", help="only how long a hand takes")
    if parser.parse_args().hand:
        with serve_files(ROOT / "web") as url, chromium() as browser:
            tell_hands(browser, url)
        return
    with serve_files(ROOT / "web") as url, chromium() as browser:
        first = [first_five(browser, url)[1] for _ in range(VISITS)]
        slow = [first_five(browser, url, SLOW) for _ in range(SLOW_VISITS)]
        page = browser.new_page()
        processor = page.context.new_cdp_session(page)
        processor.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(url)
        page.wait_for_selector("#tiles figure")
        opened = processor_time(processor)
        clicks = [page.evaluate(CLICK) for _ in range(CLICKS)]
        clicked = processor_time(processor)
        frames = page.evaluate(SLIDE, FRAMES)
        slid = processor_time(processor)
        finish = page.evaluate(FINISH, DIGITS)
        page.close()
        tell_hands(browser, url)
    size = sum(path.stat().st_size for path in (ROOT / "web").iterdir() if path.suffix not in (".py", ".txt"))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {size / 1e6:.1f} MB in all")
    print(f"{'medians':44} measured   at most   processor time")
    tell(f"opening to five pictures, {VISITS} visits", first, 500, opened)
    for what, times in zip(("pictures", "pictures drawn here"), zip(*slow, strict=True), strict=True):
        print(f"{f'slow 3G: five {what}, {SLOW_VISITS} visits':44} {statistics.median(times):5.0f} ms")
    tell(f"five others drawn, {CLICKS} clicks", clicks, 30, (clicked - opened) / CLICKS)
    tell(f"a frame of the morph, {FRAMES - 1} frames", frames, 1000 / 60, (slid - clicked) / FRAMES)
    for kind, milliseconds in zip(("finished", "finished in place"), finish, strict=True):
        print(f"{f'a digit {kind}, {DIGITS} times':44} {milliseconds:5.2f} ms  {2:5.0f} ms")
    print("The processor time of opening and of a click is that of the whole page: game, layers, ten digits.")


def tell_hands(browser: Browser, url: str) -> None:
    """Of the first real digit of each kind: how long it takes to find its hand, and to read it."""
    page = browser.new_page()
    processor = page.context.new_cdp_session(page)
    processor.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(url)
    page.wait_for_selector("#tiles figure")
    page.evaluate(FIND)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for rate in (1, THROTTLED):
        processor.send("Emulation.setCPUThrottlingRate", {"rate": rate})
        for what, act in (("a hand found", "find"), ("a digit read", "read")):
            times, before = [], processor_time(processor)
            for digit in range(HANDS):
                times.append(
                    page.evaluate(
                        f"digit => {{ const start = performance.now(); {act}(digit);"
                        " return performance.now() - start }",
                        digit,
                    )
                )
            computed = (processor_time(processor) - before) / HANDS
            tell(f"{what}, throttled {rate} times, {HANDS} digits", times, 1000, computed)
    page.close()


def tell(what: str, times: list[float], most: float, processor: float) -> None:
    print(f"{what:44} {statistics.median(times):5.0f} ms  {most:5.0f} ms  {processor:8.0f} ms")


def first_five(browser: Browser, url: str, network: dict[str, float] | None = None) -> tuple[float, float]:
    """Milliseconds from opening the page, with an empty cache, until five pictures are there, and live."""
    context = browser.new_context(bypass_csp=True)  # which forbids what wait_for_function does
    context.add_init_script(READY)
    page = context.new_page()
    if network:
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", network)
    page.goto(url, wait_until="commit")
    times = page.wait_for_function("window.ready && [window.seen, window.ready]", timeout=120_000)
    seen, ready = times.json_value()
    context.close()
    return float(seen), float(ready)


def processor_time(session: CDPSession) -> float:
    """Milliseconds that the page's own thread has computed for since it was made."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(1000 * metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


if __name__ == "__main__":
    main()
