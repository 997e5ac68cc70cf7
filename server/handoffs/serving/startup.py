"""The start and end of `serve --http`: requests wait until the server is up, and drain before it closes."""

import json

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

START_SECONDS = 2
"""How long a request waits while the server starts."""

QUIET_SECONDS = 0.25
"""How long the server must be without requests before it closes: a client may send a follow-up."""


class StartupGate:
    """The outer ASGI app: holds requests until the server is up, and counts those that are open."""

    def __init__(self) -> None:
        """Begin without an app."""
        self.waits = True
        """Whether a request waits a moment for the app."""
        self._app: ASGIApp | None = None
        self._opened = anyio.Event()
        self._open = 0
        self._changed = anyio.Event()

    def open(self, app: ASGIApp) -> None:
        """Serve requests with `app` from now on."""
        self._app = app
        self._opened.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; without an app after a moment, answer 503."""
        if scope["type"] != "http":
            if self._app is not None:
                await self._app(scope, receive, send)
            return
        # A GET is a stream that lasts as long as its client.
        counts = scope["method"] != "GET"
        self._count(counts)
        try:
            if self._app is None and self.waits:
                with anyio.move_on_after(START_SECONDS):
                    await self._opened.wait()
            app = self._app or refuse_until_started
            if counts:
                await app(scope, receive, send)
                return
            stream = _Stream(send)
            await app(scope, receive, stream)
            await stream.end()
        finally:
            self._count(-counts)

    async def quiet(self) -> None:
        """Return when no request except streams (GET) is open, and none has arrived for a moment."""
        while True:
            self._changed = anyio.Event()
            with anyio.move_on_after(None if self._open else QUIET_SECONDS):
                await self._changed.wait()
                continue
            return

    def _count(self, more: int) -> None:
        self._open += more
        if more:
            self._changed.set()


class _Stream:
    """The `send` of a GET. A stream that the server ends has no last chunk; `end` adds it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def __call__(self, message: Message) -> None:
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def refuse_until_started(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 503 with a JSON-RPC error: callers can't be authenticated before the store is available."""
    said = "Handoffs can't use its store yet, and can't know who may call; nothing was asked. Call again in a moment."
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": said}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", b"5"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
