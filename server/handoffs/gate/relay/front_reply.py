"""The response to one request over HTTP: the lines that are for it, as JSON where the answer is all, else as events.

The JSON of a message passes as it came; line ends between its tokens become spaces.
"""

import json
from collections import deque
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import anyio
from starlette.types import Receive, Send

from handoffs.gate.relay.lines import one_line

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

PING_SECONDS: Final = 15.0
"""How often a stream in which nothing is said says that it is alive, so that no proxy cuts it."""

FULL_BYTES: Final = 1_048_576
"""What is kept for a client that does not read."""

_STATUSES = {-32700: 400, -32600: 400, -32602: 400, -32601: 404, -32020: 400, -32021: 400, -32022: 400}
_EVENTS: Headers = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class Reply:
    """What one request, or a session's own stream (GET), gets."""

    def __init__(self, *, modern: bool = False, stream: bool = False, json_too: bool = True) -> None:
        """Begin without a line; a `stream` begins before the first. `modern` statuses tell an error by themselves."""
        self.gone = False
        """Whether its client has left."""
        self.answered = False
        """Whether the last line is there."""
        self.failed = False
        """Whether that is an error of JSON-RPC."""
        self._modern, self._stream, self._json_too = modern, stream, json_too
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._begun = self._sent = False
        self._came, self._room = anyio.Event(), anyio.Event()

    @property
    def is_full(self) -> bool:
        """Whether its client must read first."""
        return self._size >= FULL_BYTES and not self.gone

    def put(self, line: bytes, *, last: bool = False) -> None:
        """Add a line; nothing comes after the `last`."""
        if self.gone or self.answered:
            return
        self._lines.append(line)
        self._size += len(line)
        self.answered = last
        self.failed = last and _error_of(line) is not None
        self._came.set()

    def end(self) -> None:
        """Add no more."""
        self.answered = True
        self._came.set()

    def leave(self) -> None:
        """Drop what is kept: nobody reads it."""
        self.gone = True
        self._lines.clear()
        self._size = 0
        self._came.set()
        self._room.set()

    async def room(self) -> None:
        """Return once its client has read, or has left."""
        while self.is_full:
            self._room = anyio.Event()
            await self._room.wait()

    async def run(self, receive: Receive, send: Send, headers: Headers = ()) -> None:
        """Send what there is until the last line; return once that is sent, or the client has left."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, receive)
            await self._send_all(send, headers)
            tasks.cancel_scope.cancel()

    async def break_off(self, send: Send, line: bytes) -> None:
        """Send this as the last line, where `run` was cancelled before it had sent another."""
        if self.gone or self._sent:
            return
        if not self._begun:
            self._lines = deque([line])
            await self._send_json(send, ())
            return
        self._sent = True
        await send({"type": "http.response.body", "body": _event(line)})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._sent:  # else it is the end of the response that is told
            self.leave()

    async def _send_all(self, send: Send, headers: Headers) -> None:
        if not self._stream:
            with anyio.move_on_after(PING_SECONDS):
                await self._come()
        if self.gone:
            return
        if self.answered and len(self._lines) == 1 and self._json_too:
            await self._send_json(send, headers)
            return
        self._begun = True
        await send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS, *headers]})
        if self._stream:
            await send({"type": "http.response.body", "body": b": open\r\n\r\n", "more_body": True})
        while not self.gone:
            while self._lines:
                await send({"type": "http.response.body", "body": _event(self._taken()), "more_body": True})
            if self.answered:
                break
            waited = True
            with anyio.move_on_after(PING_SECONDS):
                await self._come()
                waited = False
            if waited:
                await send({"type": "http.response.body", "body": b": alive\r\n\r\n", "more_body": True})
        if not self.gone:
            self._sent = True
            await send({"type": "http.response.body", "body": b""})

    async def _send_json(self, send: Send, headers: Headers) -> None:
        line = self._taken().strip()
        status = _STATUSES.get(_error_of(line) or 0, 200) if self._modern else 200
        own = [(b"content-type", b"application/json"), (b"content-length", str(len(line)).encode())]
        self._begun = True
        await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
        self._sent = True
        await send({"type": "http.response.body", "body": line})

    async def _come(self) -> None:
        while not (self._lines or self.answered or self.gone):
            self._came = anyio.Event()
            await self._came.wait()

    def _taken(self) -> bytes:
        line = self._lines.popleft()
        self._size -= len(line)
        self._room.set()
        return line


def _event(line: bytes) -> bytes:
    return b"event: message\r\ndata: %b\r\n\r\n" % one_line(line)


def _error_of(line: bytes) -> int | None:
    """Return the code of a response that is an error; None where it is a result."""
    if b'"error"' not in line:
        return None
    try:
        error = cast("dict[str, object]", json.loads(line)).get("error")
    except (ValueError, RecursionError):
        return None
    code = cast("dict[str, object]", error).get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None
