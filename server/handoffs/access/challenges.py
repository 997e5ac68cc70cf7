"""Replies to unauthenticated requests, with more than the SDK says: scopes (for the protocol), and help (for people).

Sources: MCP 2025-11-25 authorization, "Scope challenge handling"; RFC 6750, section 3 (`scope`). A request is read
before it is refused: proxies that are still sending it (Caddy 2.6, others in Go) cut off a reply that comes earlier.
"""

import json
from collections.abc import Awaitable, Iterable, Sequence

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.access.unavailable import RETRY_SECONDS, Unavailable

UNREAD_BYTES, UNREAD_SECONDS = 65_536, 1.0
"""How much of a refused request is read, in bytes, and for how long: its sender is not trusted."""


class Challenges:
    """ASGI middleware: tells refused callers where to get a token, for which scopes; 503 if none can be checked."""

    def __init__(
        self,
        app: ASGIApp,
        scopes: Sequence[str] = (),
        *,
        way_in: str | None = None,
        unread_seconds: float = UNREAD_SECONDS,
    ) -> None:
        """Take what is served to who is let in, and what a token must be good for.

        `way_in` tells people how to get a token; None if the issuer's metadata tells clients.
        """
        self.app = app
        self.unread_seconds = unread_seconds
        self._scopes = f', scope="{" ".join(scopes)}"'.encode() if scopes else b""
        self.way_in = None if way_in is None else _Unknown(way_in)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request, or reply that a token is missing or can't be checked now."""
        return _Exchange(scope, receive, send, self).served()

    def challenged(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return the headers of a refusal, with the scopes that are needed."""
        return [
            (name, value + self._scopes if name.lower() == b"www-authenticate" else value) for name, value in headers
        ]


class _Exchange:
    """One request and its reply."""

    # It may wait for a person for hours, and there may be thousands: one small object, and no closures.
    __slots__ = ("_of", "_receive", "_refused", "_scope", "_send", "_unread")

    def __init__(self, scope: Scope, receive: Receive, send: Send, of: Challenges) -> None:
        self._scope, self._receive, self._send, self._of = scope, receive, send, of
        self._unread = scope["type"] == "http" and scope["method"] == "POST"
        self._refused = False

    async def served(self) -> None:
        try:
            await self._of.app(self._scope, self.receive, self.send)
        except Unavailable:
            await self._read_the_rest()
            await _come_again(self._send)

    def receive(self) -> Awaitable[Message]:
        # The whole request has been read, most of the time that it waits: then there is nothing to note.
        return self._noted() if self._unread else self._receive()

    async def _noted(self) -> Message:
        message = await self._receive()
        self._unread = message["type"] == "http.request" and bool(message.get("more_body"))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in {401, 403}:
            await self._read_the_rest()
            if message["status"] == 401 and self._of.way_in is not None:
                self._refused = True
                await self._of.way_in.send(self._send)
            message = {**message, "headers": self._of.challenged(message["headers"])}
        if not self._refused:
            await self._send(message)

    async def _read_the_rest(self) -> None:
        size = 0
        with anyio.move_on_after(self._of.unread_seconds):
            while self._unread and size < UNREAD_BYTES:
                size += len((await self.receive()).get("body", b""))


class _Unknown:
    """The reply to a caller without a valid token, if there is no issuer.

    Its challenge names no metadata: a host that looks for an issuer would open a browser on a page that does not
    exist.
    """

    def __init__(self, way_in: str) -> None:
        self._body = json.dumps({"error": "invalid_token", "error_description": way_in}, ensure_ascii=False).encode()
        self._headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self._body)).encode()),
            (b"www-authenticate", b'Bearer error="invalid_token"'),
        ]

    async def send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


async def _come_again(send: Send) -> None:
    said = {"error": "temporarily_unavailable", "error_description": "Tokens can't be checked at the moment."}
    body = json.dumps(said).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(RETRY_SECONDS).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
