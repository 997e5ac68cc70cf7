"""The inbox as a process of its own, and somebody who is signed in to it."""

import re
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

import anyio
import anyio.abc
import httpx
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.servers import Server

_LINK = re.compile(r"http://localhost:(\d+)/sign-in\?\S+")
_CARD = re.compile(r'action="/h/(h_\w+)/answer"')
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """An inbox that serves."""

    link: str
    """Signs one browser in, once."""
    port: int

    @property
    def url(self) -> str:
        """Its first page."""
        return f"http://localhost:{self.port}/"


@asynccontextmanager
async def inbox(server: Server, *, seconds: float = 30) -> AsyncGenerator[Inbox]:
    """Run `handoffs inbox` on the store of `server` while the block lasts.

    Raises:
        RuntimeError: It ended without a link to sign in with.
    """
    environ = server.environ | {"DISPLAY": "", "WAYLAND_DISPLAY": "", "PYTHONUNBUFFERED": "1"}
    command = [server.command[0], "inbox", "--no-browser"]
    process = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=None, env=environ)
    try:
        assert process.stdout is not None
        lines = BufferedByteReceiveStream(process.stdout)
        said = ""
        with anyio.fail_after(seconds):
            while not (link := _LINK.search(said)):
                try:
                    said += (await lines.receive_until(b"\n", 10_000)).decode() + "\n"
                except anyio.IncompleteRead:
                    raise RuntimeError(f"`handoffs inbox` ended: {said or 'no word'}") from None
        yield Inbox(link=link[0], port=int(link[1]))
    finally:
        await _end(process)


@asynccontextmanager
async def person(inbox: Inbox) -> AsyncGenerator[httpx.AsyncClient]:
    """Give an HTTP client with a session of the inbox; it keeps its connection, as a browser does."""
    async with httpx.AsyncClient(base_url=inbox.url, timeout=30, trust_env=False) as client:
        # The link shows a button: what only looks at it uses nothing up.
        address, _, query = inbox.link.partition("?")
        entered = await client.post(address, data=dict(parse_qsl(query)))
        if entered.status_code != 303:
            raise RuntimeError(f"signing in was answered with {entered.status_code}")
        yield client


def cookie_of(person: httpx.AsyncClient) -> str:
    """Return the header by which the inbox knows them."""
    return "; ".join(f"{name}={value}" for name, value in person.cookies.items())


def token_of(page: str) -> str:
    """Return the token that a write needs, from a page with a question on it."""
    found = _TOKEN.search(page)
    if found is None:
        raise RuntimeError("there is no question on the page")
    return found[1]


def cards_of(page: str) -> list[str]:
    """Return the ids of the questions that a page has a form for."""
    return _CARD.findall(page)


async def _end(process: anyio.abc.Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(5):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
