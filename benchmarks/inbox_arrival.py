"""How soon a new handoff is on the page: a real agent's call, a real Chromium that has the inbox open."""

import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp import Client
from playwright.async_api import Route, async_playwright

from benchmarks import inbox_process, servers
from benchmarks.clients import OLDER, client
from benchmarks.plan import Plan
from benchmarks.table import Row, percentile

MEDIAN_BAR_MS = 100.0

# Tells of a card two frames after it came: the first draws it, and the second is not called before that was done.
_TELL = """() => new MutationObserver((changes) => {
  for (const change of changes) for (const card of change.addedNodes)
    if (card.id) requestAnimationFrame(() => requestAnimationFrame(() => window.drawn(card.id)));
}).observe(document.getElementById("list"), { childList: true })"""


async def run(plan: Plan) -> list[Row]:
    """Return the median. The clock starts before the agent calls, and stops when the browser has drawn the question.

    Raises:
        RuntimeError: There is no Chromium.
    """
    count, warm_up = plan.pick(full=100, quick=15), 5
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        server = servers.handoffs(Path(name))
        async with (
            inbox_process.inbox(server) as inbox,
            inbox_process.person(inbox) as person,
            _watching(inbox, person) as drawn,
            client(server.stdio(), OLDER, person=None) as connected,
        ):
            took = [await _arrive(connected, person, drawn, number) for number in range(warm_up + count)][warm_up:]
    details = {"samples": count, "p99 in ms": percentile(took, 99)}
    ours = percentile(took, 50)
    what = "asked until it is drawn in Chromium, median"
    return [Row(what=what, unit="ms", ours=ours, bar=MEDIAN_BAR_MS, details=details)]


@asynccontextmanager
async def _watching(
    inbox: inbox_process.Inbox, person: httpx.AsyncClient
) -> AsyncGenerator[ObjectReceiveStream[tuple[str, float]]]:
    """Keep the inbox open in a browser; give the ids that it draws, each with the time at which we heard of it."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise RuntimeError("there is no Chromium: apt-get install chromium")
    send, receive = anyio.create_memory_object_stream[tuple[str, float]](1000)
    async with send, receive, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            context = await browser.new_context()
            for cookie in person.cookies.jar:
                await context.add_cookies([{"name": cookie.name, "value": cookie.value or "", "url": inbox.url}])
            page = await context.new_page()
            await page.expose_function("drawn", _teller(send))
            # The session is the client's, too, which signs nothing: the page must not bind it to its own key.
            await page.route("**/key", _refuse)
            async with page.expect_response(lambda response: "/events" in response.url):
                await page.goto(inbox.url)
            await page.evaluate(_TELL)
            yield receive
        finally:
            await browser.close()


async def _refuse(route: Route) -> None:
    await route.abort()


def _teller(send: ObjectSendStream[tuple[str, float]]) -> Callable[[str], Awaitable[None]]:
    """Return what the page calls when it has drawn a card."""

    async def drawn(handoff_id: str) -> None:
        await send.send((handoff_id, time.perf_counter()))

    return drawn


async def _arrive(
    connected: Client, person: httpx.AsyncClient, drawn: ObjectReceiveStream[tuple[str, float]], number: int
) -> float:
    """Ask, and decline once it is drawn; return the milliseconds in between."""
    ended = anyio.Event()

    async def ask() -> None:
        result = await connected.call_tool("handoff_to_user", {"message": f"May I **deploy** build {number}?"})
        while (content := result.structured_content or {}).get("status") == "PENDING":
            result = await connected.call_tool("check_handoff", {"handoff_id": content["handoffId"]})
        ended.set()

    begun = seen = 0.0
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            begun = time.perf_counter()
            tasks.start_soon(ask)
            handoff_id, seen = await drawn.receive()
            csrf = inbox_process.token_of((await person.get(f"/h/{handoff_id}")).text)
            reply = await person.post(f"/h/{handoff_id}/decline", data={"csrf": csrf})
            if reply.status_code != 303:
                raise RuntimeError(f"declining was answered with {reply.status_code}")
            await ended.wait()
    return (seen - begun) * 1000
