"""What stands before many servers: a proxy that sends each request to the next one, and a caller that is sent anywhere.

No stickiness, as the simplest load balancer has none: the caller keeps nothing but what the protocol gives it.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from tests.acceptance.processes import SCRIPT

VERSION = "2026-07-28"
HEAD = 65_536


class RoundRobin:
    """Sends each request to the next of its servers, past those that refuse the connection."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._places = [(host, int(port)) for host, port in (re.findall(r"//([^:/]+):(\d+)/", url)[0] for url in urls)]
        self._turn = 0
        self.url = ""
        self.sent: list[int] = []
        """Which server each request went to."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            # One request for each connection, or the client's pool would stick to a server.
            kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            kept.insert(1, b"Connection: close")
            back, forth = await self._connected()
            forth.write(b"\r\n".join(kept))
            onward = asyncio.create_task(_pour(reader, forth))
            await _pour(back, writer)
            onward.cancel()
            forth.close()
        writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self._places:
            number = self._turn % len(self._places)
            self._turn += 1
            with suppress(OSError):
                streams = await asyncio.open_connection(*self._places[number])
                self.sent.append(number)
                return streams
        raise ConnectionRefusedError


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(HEAD):
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def round_robin(*urls: str) -> AsyncGenerator[RoundRobin]:
    """A proxy before servers at these URLs."""
    proxy = RoundRobin(urls)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=HEAD)
    port = server.sockets[0].getsockname()[1]
    proxy.url = f"http://127.0.0.1:{port}/mcp"
    try:
        yield proxy
    finally:
        server.close()


class Caller:
    """A client of the newer era, one request at a time, that sends a request again when its connection broke."""

    def __init__(self, http: httpx.AsyncClient, *, dialog: bool = False, tasks: bool = False) -> None:
        self._http = http
        capabilities: dict[str, Any] = {"elicitation": {}} if dialog else {}
        if tasks:
            capabilities["extensions"] = {"io.modelcontextprotocol/tasks": {}}
        self._meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "inspector-cli", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        self.broken = 0
        """How often a connection broke."""

    async def send(self, url: str, method: str, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """The whole response to a request, sent until one came; `name` is the tool, or the task."""
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": method,
            "mcp-name": name,
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": self._meta}}
        while True:
            with suppress(httpx.TransportError):
                got = await self._http.post(url, json=body, headers=headers)
                if (found := _response(got.text)) is not None:
                    return found
            self.broken += 1
            await asyncio.sleep(0.05)

    async def call(self, url: str, tool: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The same, of a tool."""
        return await self.send(url, "tools/call", tool, {"name": tool, "arguments": arguments, **more})

    async def hand_off(
        self, url: str, message: str, answer: Callable[[str], str] | None = None, *, patient: bool = False
    ) -> dict[str, Any]:
        """What a handoff comes to; a dialog that is asked for is filled in with the `answer` to its message.

        One who is `patient` checks until somebody has decided.
        """
        arguments = {"message": message}
        got = (await self.call(url, "handoff_to_user", arguments))["result"]
        while got["resultType"] == "input_required" and answer is not None:
            [(key, request)] = got["inputRequests"].items()
            content = {"response": answer(request["params"]["message"])}
            filled = {"action": "accept", "content": content, "_meta": SCRIPT}
            state = got["requestState"]
            again = await self.call(url, "handoff_to_user", arguments, inputResponses={key: filled}, requestState=state)
            got = again["result"]
        while got["structuredContent"]["status"] == "PENDING" and patient:
            found = {"handoff_id": got["structuredContent"]["handoffId"]}
            got = (await self.call(url, "check_handoff", found))["result"]
        return dict(got["structuredContent"])


def _response(text: str) -> dict[str, Any] | None:
    """The response in a body, which is JSON or a stream of events; None where it was cut."""
    lines = [text] if text.startswith("{") else [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    for line in lines:
        with suppress(ValueError):
            found = json.loads(line)
            if "result" in found or "error" in found:
                return dict(found)
    return None
