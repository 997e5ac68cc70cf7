"""A client that sends what it likes, before a real gate and a server by hand."""

import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.acceptance.processes import HANDOFFS, Home

STUB = Path(__file__).with_name("stub.py")
MODERN = "2026-07-28"


class Wire:
    """The client's end of a gate on stdio."""

    def __init__(self, process: Process, journal: Path) -> None:
        assert process.stdout is not None
        self.process, self.journal = process, journal
        self._lines = BufferedByteReceiveStream(process.stdout)
        self.read: list[dict[str, Any]] = []
        """All that was read, in order."""

    @property
    def got(self) -> list[dict[str, Any]]:
        """What the server has read that is JSON."""
        return received(self.journal)

    @property
    def ran(self) -> list[str]:
        """The tools that the server was told to run."""
        return [each["params"]["name"] for each in self.got if each.get("method") == "tools/call"]

    async def send(self, *messages: dict[str, Any] | bytes) -> None:
        """Send messages, or bytes, at once."""
        assert self.process.stdin is not None
        lines = [
            each if isinstance(each, bytes) else json.dumps({"jsonrpc": "2.0", **each}).encode() + b"\n"
            for each in messages
        ]
        await self.process.stdin.send(b"".join(lines))

    async def next(self, fits: Callable[[dict[str, Any]], object] = lambda _: True) -> dict[str, Any]:
        """Return the next message that fits."""
        while True:
            message = json.loads(await self._lines.receive_until(b"\n", 10_000_000))
            self.read.append(message)
            if fits(message):
                return message

    async def receive(self) -> bytes:
        """Return bytes as they come. Raises EndOfStream."""
        return await self._lines.receive(10_000_000)

    async def reply(self, number: int | str) -> dict[str, Any]:
        """Return the next response to a request."""
        return await self.next(lambda each: each.get("id") == number and "method" not in each)

    async def begin(self, **abilities: object) -> dict[str, Any]:
        """Begin a session of the older era; return what the server says of itself."""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": abilities,
            "clientInfo": {"name": "wire-host", "version": "1"},
        }
        await self.send({"id": "begin", "method": "initialize", "params": params})
        found = await self.reply("begin")
        await self.send({"method": "notifications/initialized"})
        return found["result"]


def received(journal: Path) -> list[dict[str, Any]]:
    """What the stubs with this journal have read that is JSON."""
    found: list[dict[str, Any]] = []
    for line in journal.read_text().splitlines() if journal.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def call(number: int | str, name: str = "pay", arguments: object = None, **params: object) -> dict[str, Any]:
    """A call of a tool, as a message."""
    return {"id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments or {}, **params}}


def modern(name: str = "wire-host", **abilities: object) -> dict[str, object]:
    """The `_meta` of a request of the newer era."""
    prefix = "io.modelcontextprotocol"
    return {
        f"{prefix}/protocolVersion": MODERN,
        f"{prefix}/clientInfo": {"name": name, "version": "1"},
        f"{prefix}/clientCapabilities": abilities,
    }


@asynccontextmanager
async def wire(
    home: Home,
    *rules: str,
    tools: list[list[dict[str, Any]]] | None = None,
    server: list[str] | None = None,
    url: str = "",
    seconds: float = 60,
) -> AsyncGenerator[Wire]:
    """A gate with these rules before the stub, or before what is at a URL."""
    journal = home.folder / "journal"
    command = [sys.executable, str(STUB), str(journal)]
    if tools is not None:
        (home.folder / "tools.json").write_text(json.dumps(tools))
        command.append(str(home.folder / "tools.json"))
    gate = [*HANDOFFS, "gate", "--name", "stub", *rules, *(("--url", url) if url else ("--", *(server or command)))]
    with anyio.fail_after(seconds):
        async with await anyio.open_process(gate, env=home.env, cwd=home.folder, stderr=None) as process:
            try:
                yield Wire(process, journal)
            finally:
                with suppress(ProcessLookupError):
                    process.terminate()
