"""Replies to unauthenticated requests, with more than the SDK says: scopes (for the protocol), and help (for people).

Sources: MCP 2025-11-25 authorization, "Scope challenge handling"; RFC 6750, section 3 (`scope`). A request is read
before it is refused: proxies that are still sending it (Caddy 2.6, others in Go) cut off a reply that comes earlier.
"""

import json
from collections.abc import Sequence

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
        self._app = app
        self._unread_seconds = unread_seconds
        self._scopes = f', scope="{" ".join(scopes)}"'.encode() if scopes else b""
        self._way_in = None if way_in is None else _Unknown(way_in)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or reply that a token is missing or can't be checked now."""

        unread = scope["type"] == "http" and scope["method"] == "POST"
        refused = False

        async def hear() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and message["type"] == "http.request" and bool(message.get("more_body"))
            return message

        async def read_the_rest() -> None:
            size = 0
            with anyio.move_on_after(self._unread_seconds):
                while unread and size < UNREAD_BYTES:
                    size += len((await hear()).get("body", b""))

        async def say(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in {401, 403}:
                await read_the_rest()
                if message["status"] == 401 and self._way_in is not None:
                    refused = True
                    await self._way_in.send(send)
                headers = [
                    (name, value + self._scopes if name.lower() == b"www-authenticate" else value)
                    for name, value in message["headers"]
                ]
                message = {**message, "headers": headers}
            if not refused:
                await send(message)

        try:
            await self._app(scope, hear, say)
        except Unavailable:
            await read_the_rest()
            await _come_again(send)


class _Unknown:
    """The reply to a caller without a valid token, if there is no issuer.

    Its challenge names no metadata: a host that looks for an issuer would open a browser on a page that does not
    exist.
    there.
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
