"""What is said to who is not let in, where the SDK says less than the protocol, or a person, would have it.

Sources: MCP 2025-11-25 authorization, "Scope challenge handling"; RFC 6750, section 3 (`scope`). And a request is read
before it is refused: proxies that are still sending it (Caddy 2.6, as Go's do) cut off the answer that comes before.
"""

import json
from collections.abc import Sequence

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.access.unavailable import RETRY_SECONDS, Unavailable

UNREAD_BYTES, UNREAD_SECONDS = 65_536, 1.0
"""How much is read of a request that is refused, and for how long: who sends more is a stranger still."""


class Challenges:
    """ASGI middleware: says where a token is to be had, and for which scopes, and 503 where none can be checked."""

    def __init__(
        self,
        app: ASGIApp,
        scopes: Sequence[str] = (),
        *,
        way_in: str | None = None,
        unread_seconds: float = UNREAD_SECONDS,
    ) -> None:
        """Take what is served to who is let in, and what a token must be good for.

        `way_in` says, to a person, how a caller comes by a token; None where the issuer's metadata says it to clients.
        """
        self._app = app
        self._unread_seconds = unread_seconds
        self._scopes = f', scope="{" ".join(scopes)}"'.encode() if scopes else b""
        self._way_in = None if way_in is None else _Unknown(way_in)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or say what is missing, or that it is to come again."""

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
    """The answer to a caller who shows no good token, where no issuer has one for them.

    Its challenge names no metadata: a host that is sent looking for an issuer opens a browser on a page that is not
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
