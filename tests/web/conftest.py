"""A real Chromium: Debian's, which `make test` installs where it is missing and can."""

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    FileChooser,
    Page,
    async_playwright,
    expect,
)

from tests.web.serving import Opened

WAITS = 60_000
"""Milliseconds that a busy machine may take for what a page is to show or do."""

expect.set_options(timeout=WAITS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        # `make test` installs it where it can; where everything is to be checked, a skip would hide that it could not.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium here: apt-get install chromium")
    return found


# Not for the session: while an async fixture is open, no test of another module can run a loop of its own.
@pytest.fixture(scope="module")
async def browser(chromium: str, anyio_backend: str) -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        # The sandbox needs what containers do not give; the pages are our own.
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await _closed(browser.close)


async def _closed(close: Callable[[], Awaitable[None]]) -> None:
    """Close it, and go on where that never ends: Chromium may wait for a page that it was just about to load."""
    with anyio.move_on_after(10):
        await close()


def _chosen(_: FileChooser) -> None:
    """Nothing: each test takes the chooser from its own event."""


async def _seen(page: Page) -> str:
    """What the page has shown when the test failed."""
    found = "nothing"
    with anyio.move_on_after(5), suppress(Error):
        found = f"{await page.title()!r}: {(await page.locator('body').inner_text())[:2_000]}"
    return f"The page at {page.url.split('?')[0]} has shown {found}"


@pytest.fixture
def opened(browser: Browser) -> Opened:
    """A page whose errors, and whatever the policy forbade, fail the test."""

    @asynccontextmanager
    async def open_page(**options: Any) -> AsyncGenerator[Page]:
        options.setdefault("timezone_id", "Europe/Berlin")
        context: BrowserContext = await browser.new_context(**options)
        context.set_default_timeout(WAITS)
        wrong: list[str] = []

        def said(message: ConsoleMessage) -> None:
            # A server that is away, or says no, is what some tests are about.
            if message.type == "error" and "Failed to load resource" not in message.text:
                wrong.append(message.text)

        def failed(error: Error) -> None:
            wrong.append(str(error))

        context.on("console", said)
        context.on("weberror", lambda error: failed(error.error))
        page = await context.new_page()
        # From the start: a busy browser takes a key before it is told that the test, and no dialog, chooses.
        page.on("filechooser", _chosen)
        try:
            yield page
        except Exception as error:
            error.add_note(await _seen(page))
            raise
        finally:
            await _closed(context.close)
        assert wrong == []

    return open_page
