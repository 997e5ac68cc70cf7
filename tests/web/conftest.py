"""A real Chromium: Debian's, which `make test` installs where it is missing and can."""

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, async_playwright

from tests.web.serving import Opened


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


@pytest.fixture
def opened(browser: Browser) -> Opened:
    """A page whose errors, and whatever the policy forbade, fail the test."""

    @asynccontextmanager
    async def open_page(**options: Any) -> AsyncGenerator[Page]:
        options.setdefault("timezone_id", "Europe/Berlin")
        context: BrowserContext = await browser.new_context(**options)
        context.set_default_timeout(10_000)
        wrong: list[str] = []

        def said(message: ConsoleMessage) -> None:
            # A server that is away, or says no, is what some tests are about.
            if message.type == "error" and "Failed to load resource" not in message.text:
                wrong.append(message.text)

        def failed(error: Error) -> None:
            wrong.append(str(error))

        context.on("console", said)
        context.on("weberror", lambda error: failed(error.error))
        try:
            yield await context.new_page()
        finally:
            await _closed(context.close)
        assert wrong == []

    return open_page
