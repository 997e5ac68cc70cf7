"""A receiver of webhooks of a test's own, over real HTTP: it checks each event with the package `standardwebhooks`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAAAA"
PATH_TOKEN = "t0p5ecret"


class Received:
    """What a receiver was sent, and what it answers next."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        """The id and the content of each event that it has taken, in order."""
        self.tried: list[str] = []
        """The id of each event that came, taken or not."""
        self.bodies: list[bytes] = []
        self.answers: list[int] = []
        """What it answers to the next ones, in place of 204."""
        self.always = 204
        self.slow = 0.0
        self.extra = ""
        """Further lines of its headers."""
        self.port = 0
        self.secret = SECRET
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{PATH_TOKEN}?a=b"

    @property
    def types(self) -> list[str]:
        return [event["type"].removeprefix("handoff.") for _, event in self.got]

    @property
    def once(self) -> list[str]:
        """The types without repeats, which it drops by the id."""
        return [event["type"].removeprefix("handoff.") for event in dict(self.got).values()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                self.paths.append(first.split()[1])
                event = Webhook(self.secret).verify(body, headers)
                self.tried.append(headers["webhook-id"])
                self.bodies.append(body)
                await asyncio.sleep(self.slow)
                status = self.answers.pop(0) if self.answers else self.always
                if 200 <= status < 300:
                    self.got.append((headers["webhook-id"], event))
                writer.write(f"HTTP/1.1 {status} X\r\n{self.extra}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver(given: Received | None = None) -> AsyncGenerator[Received]:
    """Run one; `given`, the one that was away, again at its port."""
    received = given or Received()
    server = await asyncio.start_server(received.serve, "127.0.0.1", received.port)
    received.port = server.sockets[0].getsockname()[1]
    try:
        yield received
    finally:
        server.close()
