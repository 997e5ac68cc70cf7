"""Draw the icons from the mark of the pages: `uv run python packaging/draw_icons.py`. Needs Chromium.

Writes the icon of the bundle, and prints the small one that `icons.py` holds, for when the mark changes.
"""

import base64
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
MARK = ROOT / "server/handoffs/web/static/favicon.svg"
BUNDLE_ICON = ROOT / "packaging/mcpb/icon.png"
BUNDLE_SIZE, SMALL_SIZE = 512, 48
"""Pixels: what Claude Desktop asks for, and what a list of servers has room for."""


def draw(page: Page, size: int) -> bytes:
    """Return the mark as a square PNG on nothing."""
    mark = base64.b64encode(MARK.read_bytes()).decode()
    page.set_viewport_size({"width": size, "height": size})
    page.set_content(
        f"<style>*{{margin:0}}img{{display:block}}</style><img width={size} height={size} "
        f'src="data:image/svg+xml;base64,{mark}">'
    )
    return page.screenshot(omit_background=True)


def main() -> None:
    """Draw both."""
    with sync_playwright() as playwright:
        # What is drawn is our own file, so root, who has no sandbox, may draw it.
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        BUNDLE_ICON.write_bytes(draw(page, BUNDLE_SIZE))
        print(base64.b64encode(draw(page, SMALL_SIZE)).decode())  # noqa: T201
        browser.close()


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


if __name__ == "__main__":
    main()
