"""The way in to `handoffs serve --http`: closed until calls can be served, and quiet before the server may close."""

import json

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

START_SECONDS = 2
"""How long a request waits for a server that is just starting."""

QUIET_SECONDS = 0.25
"""How long no request must have come before the server closes: a client may ask about what it was told."""


class Entrance:
    """The application before there is one, and how many of its requests are open."""

    def __init__(self) -> None:
        """Begin closed."""
        self.holds = True
        """Whether a request waits a moment for it to open."""
        self._app: ASGIApp | None = None
        self._opened = anyio.Event()
        self._open = 0
        self._changed = anyio.Event()

    def open(self, app: ASGIApp) -> None:
        """Have `app` serve from now on."""
        self._app = app
        self._opened.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; where nothing can yet, soon, have it come again."""
        if scope["type"] != "http":
            if self._app is not None:
                await self._app(scope, receive, send)
            return
        # A GET is a stream that lasts as long as its client.
        counts = scope["method"] != "GET"
        self._count(counts)
        try:
            if self._app is None and self.holds:
                with anyio.move_on_after(START_SECONDS):
                    await self._opened.wait()
            app = self._app or come_again
            if counts:
                await app(scope, receive, send)
                return
            stream = _Stream(send)
            await app(scope, receive, stream)
            await stream.end()
        finally:
            self._count(-counts)

    async def quiet(self) -> None:
        """Return when nothing is open that its client waits for, and nothing new has come for a moment."""
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
    """Where a response to a GET goes. What ends streams for the server's sake leaves them without their last piece."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def __call__(self, message: Message) -> None:
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def come_again(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, in the words of the protocol, that who may call can't be known yet."""
    said = "Handoffs can't use its store yet, and can't know who may call; nothing was asked. Call again in a moment."
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": said}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", b"5"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
