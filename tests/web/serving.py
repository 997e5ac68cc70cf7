"""The inbox on a real port, over a store of the test's own, with a second desk on it as another process has one."""

import json
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import anyio
import httpx
import uvicorn

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk, Limits
from handoffs.core.model import Caller, Handoff, State
from handoffs.core.ports import Clock
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn, sign_in_link

CLAUDE = Caller(subject="ada", client="claude-code", project="/srv/shop")
HOSTS = ("127.0.0.1", "localhost")


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@dataclass
class Inbox:
    folder: Path
    desk: Desk
    """Another than the one behind the pages."""
    sign_in: SignIn
    url: str = "http://127.0.0.1"
    seen: list[None] = field(default_factory=list)

    def link(self, after: str = "/") -> str:
        return sign_in_link(self.url, self.sign_in.make_code(), after)

    def pressed(self, after: str = "/") -> tuple[str, dict[str, str]]:
        """Where the button sends to that a new link shows, and what."""
        return pressed(self.link(after))

    async def ask(self, message: str = "Deploy?", **arguments: Any) -> Handoff:
        arguments.setdefault("caller", CLAUDE)
        return await self.desk.ask(message=message, **arguments)


def pressed(link: str) -> tuple[str, dict[str, str]]:
    """Where the button sends to that a sign-in link shows, and what."""
    address, _, query = link.partition("?")
    return address, dict(parse_qsl(query))


def app_of(folder: Path, desk: Desk, sign_in: SignIn, seen: list[None] | None = None) -> Any:
    noted: list[None] = [] if seen is None else seen
    return build_inbox(desk, sign_in=sign_in, by="ada", hosts=HOSTS, on_seen=lambda: noted.append(None))


@asynccontextmanager
async def made(
    folder: Path, *, clock: Clock | None = None, limits: Limits | None = None
) -> AsyncGenerator[tuple[Inbox, Any]]:
    """The inbox as an application, not yet on a port."""
    used = clock or SystemClock()
    async with SqliteStore(folder / "handoffs.db") as store, SqliteStore(folder / "handoffs.db") as other:
        sign_in = SignIn(folder / "inbox", used.now)
        sealer = AesGcmSealer(lambda: ["k" * 32])
        inbox = Inbox(folder, Desk(store=other, clock=used, limits=limits, sealer=sealer, local="ada"), sign_in)
        desk = Desk(store=store, clock=used, sealer=sealer, local="ada", directory=store.people.directory)
        yield inbox, app_of(folder, desk, sign_in, inbox.seen)


@asynccontextmanager
async def serving(folder: Path, *, port: int = 0, limits: Limits | None = None) -> AsyncGenerator[Inbox]:
    """The inbox on a port of 127.0.0.1."""
    async with made(folder, limits=limits) as (inbox, app):
        async with on_port(app, port) as listening:
            inbox.url = f"http://127.0.0.1:{listening}"
            yield inbox


@asynccontextmanager
async def on_port(app: Any, port: int = 0) -> AsyncGenerator[int]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        server = Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_serve, server, listener)
            with anyio.fail_after(120):
                await server.listening.wait()
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True


async def _serve(server: Server, listener: socket.socket) -> None:
    # A server that is cancelled leaves its listener to the loop; of a test that fails the next ones would suffer.
    with anyio.CancelScope(shield=True):
        await server.serve([listener])


class Opened(Protocol):
    """Opens a page in a browser of its own, signed in to nothing."""

    def __call__(self, **options: Any) -> Any: ...


@dataclass
class Page:
    """A signed-in browser without script, for what the server says."""

    http: httpx.AsyncClient
    inbox: Inbox

    async def sign_in(self, page_key: str = "") -> None:
        address, form = self.inbox.pressed()
        reply = await self.http.post(address, data=form | {"key": page_key})
        assert reply.status_code == 303, reply.text

    async def csrf(self) -> str:
        page = (await self.http.get("/")).text
        return page.split('name="csrf" value="')[1].split('"')[0]

    async def post(self, path: str, *, script: bool = False, **form: Any) -> httpx.Response:
        data = {"csrf": await self.csrf()} | form.pop("data", {}) | form
        headers = {"accept": "application/json"} if script else {}
        return await self.http.post(path, data=data, headers=headers)


@asynccontextmanager
async def signed_in(folder: Path, *, clock: Clock | None = None) -> AsyncGenerator[Page]:
    """The pages, straight to the application."""
    async with made(folder, clock=clock) as (inbox, app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=inbox.url) as http:
            page = Page(http, inbox)
            await page.sign_in()
            yield page


async def stays_open(page: Page, handoff_id: str) -> bool:
    """Whether nothing has been recorded of it."""
    handoff = await page.inbox.desk.get(handoff_id)
    return handoff.state is State.OPEN and handoff.values is None


def main(folder: str, port: str) -> None:
    """Serve as a process of its own, to be killed; prints the port once it listens."""

    async def serve() -> None:
        async with serving(Path(folder), port=int(port)) as inbox:
            sys.stdout.write(json.dumps({"url": inbox.url}) + "\n")
            sys.stdout.flush()
            await anyio.sleep_forever()

    anyio.run(serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
