"""Make README's pictures of the page in web/, as a visitor finds it: python -m tools.make_screenshots

The digits are those of seeds 0 to 4, uncurated. Needs Chromium and Playwright: pip install -e ".[browser]"
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.serving import ROOT, chromium, serve_files

WIDTH, HEIGHT = 1100, 1250
MARGIN = 20  # below the first section


def main() -> None:
    parser = argparse.ArgumentParser(description="Make README's pictures of the page in web/.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="where the pictures go")
    out = parser.parse_args().out
    with serve_files(ROOT / "web") as url, chromium() as browser:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
            page.goto(url)
            page.wait_for_selector("#tiles figure", timeout=120_000)  # a busy machine takes its time
            bottom = page.locator("#draw").evaluate("each => each.getBoundingClientRect().bottom")
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": min(HEIGHT, round(bottom) + MARGIN)}
            page.screenshot(path=out / f"web-{scheme}.png", clip=clip)
            print(out / f"web-{scheme}.png")


if __name__ == "__main__":
    main()
