"""How soon a question is on its way to a person's chat, and how soon a pressed button ends the wait.

The yardstick does the least of it: it is woken by the same store, and posts once to the same server.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import anyio
import httpx2

from benchmarks.plan import Plan
from benchmarks.table import Row, compared
from handoffs.channels import ntfy
from handoffs.channels.chats.courier import Courier
from handoffs.channels.chats.setup import Setup
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore

BAR = 3.0
_CALLER = Caller(subject="bench", client="bench", project="/srv/shop")
_CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"


class Service:
    """The least of an ntfy server: it notes when a message came, and streams what was pressed."""

    def __init__(self) -> None:
        self.port = 0
        self.came: asyncio.Queue[tuple[float, dict[str, object]]] = asyncio.Queue()
        self._streams: list[asyncio.StreamWriter] = []
        self._pressed = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                if head.startswith("get"):
                    writer.write(_CHUNKED)
                    self._streams.append(writer)
                    continue
                body = await reader.readexactly(int(head.split("content-length:")[1].split()[0]))
                self.came.put_nowait((time.perf_counter(), json.loads(body)))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, OSError):
            self._streams = [each for each in self._streams if each is not writer]
            writer.close()

    def press(self, code: str) -> None:
        """Stream a press."""
        self._pressed += 1
        line = json.dumps({"id": f"p{self._pressed}", "event": "message", "message": code}).encode() + b"\n"
        for each in self._streams:
            each.write(b"%x\r\n%s\r\n" % (len(line), line))

    async def said(self, *words: str) -> None:
        """Return once a message has come with all of these words."""
        while True:
            _, sent = await self.came.get()
            if all(each in str(sent.get("message")) for each in words):
                return

    async def about(self, message: str) -> tuple[float, dict[str, object]]:
        """Return the message of a question with its buttons, and when it came."""
        while True:
            at, sent = await self.came.get()
            if message in str(sent.get("message")) and sent.get("actions", True):
                return at, sent


async def run(plan: Plan) -> list[Row]:
    """Return both ratios. The clock starts before the question is stored, and when the press is streamed."""
    rounds, each = plan.pick(full=10, quick=3), plan.pick(full=30, quick=8)
    asked: list[list[float]] = []
    pressed: list[list[float]] = []
    bare: list[list[float]] = []
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        async with serving() as service:
            for number in range(rounds):
                bare.append(await _bare(Path(name) / f"bare{number}.db", service, each))
                took = await _chatted(Path(name) / f"chat{number}.db", service, each)
                asked.append([first for first, _ in took])
                pressed.append([second for _, second in took])
    return [
        compared("asked until on its way to a chat, against a bare wake-up and one post", "ms", asked, bare, bar=BAR),
        compared("pressed in a chat until the wait is over, against the same", "ms", pressed, bare, bar=BAR),
    ]


async def _bare(path: Path, service: Service, count: int) -> list[float]:
    took: list[float] = []
    clock = SystemClock()
    async with (
        SqliteStore(path) as store,
        SqliteStore(path) as other,
        httpx2.AsyncClient(base_url=service.url) as http,
        anyio.create_task_group() as tasks,
    ):
        desk = Desk(store=store, clock=clock)
        await other.ready()

        async def post() -> None:
            async with other.watch(None) as watch:
                while True:
                    await watch.changed()
                    await http.post("/", json={"message": "bare"})

        tasks.start_soon(post)
        for number in range(-3, count):
            await anyio.sleep(0.1)
            while not service.came.empty():
                service.came.get_nowait()
            begun = time.perf_counter()
            await desk.ask(message=f"Bare {number}?", caller=_CALLER)
            at, _ = await service.about("bare")
            if number >= 0:
                took.append((at - begun) * 1000)
        tasks.cancel_scope.cancel()
    return took


async def _chatted(path: Path, service: Service, count: int) -> list[tuple[float, float]]:
    took: list[tuple[float, float]] = []
    clock, sealer = SystemClock(), AesGcmSealer(lambda: ["k" * 32])
    async with SqliteStore(path) as store, SqliteStore(path) as other, anyio.create_task_group() as tasks:
        desk, served = Desk(store=store, clock=clock), Desk(store=other, clock=clock)
        courier = Courier(other.chats, served, sealer, {"ntfy": ntfy.KIND}, None, burst=0)
        setup = Setup(store.chats, sealer, clock, {"ntfy": ntfy.KIND}, courier.poke)
        await setup.add("ada", "ntfy", {"server": service.url})
        tasks.start_soon(courier.run)
        for number in range(-3, count):
            message = f"Deploy build {number}?"
            begun = time.perf_counter()
            handoff = await desk.ask(message=message, caller=_CALLER, options=["Yes", "No"])
            at, sent = await service.about(message)
            await anyio.sleep(0.05)  # it is kept as shown meanwhile
            buttons = cast("list[dict[str, str]]", sent["actions"])
            pressed = time.perf_counter()
            service.press(buttons[0]["body"])
            with anyio.fail_after(30):
                ended = await desk.wait(handoff.id, seconds=None)
            over = time.perf_counter()
            if ended.values != {"response": "Yes"}:
                raise RuntimeError(f"it ended as {ended.state}")
            if number >= 0:
                took.append(((at - begun) * 1000, (over - pressed) * 1000))
            await service.said(f"Question {handoff.id}", "Answered by")  # withdrawn: nothing of it is left to do
            await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    return took


@asynccontextmanager
async def serving() -> AsyncGenerator[Service]:
    """Run one on a port of this machine."""
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
