"""The stream of one request over HTTP, or a session's own: the lines that are for it, and the connection that has it.

- Up to 2025-11-25 a stream outlives its connection: a client that was cut off comes back with `Last-Event-ID`, and gets
  what came after that event. One connection has a stream at a time, the one that came last.
- An answer goes as events, or as JSON where the server behind sent it so. From 2026-07-28 on it goes as JSON where it
  is all there is, and a stream ends with its connection.

The JSON of a message passes as it came; line ends between its tokens become spaces.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

import anyio
from starlette.types import Receive, Send

from handoffs.gate.relay.front_log import Event, EventLog, Track
from handoffs.gate.relay.lines import one_line
from handoffs.gate.relay.origin import Origin

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

PING_SECONDS: Final = 15.0
"""How often a stream in which nothing is said says that it is alive, so that no proxy cuts it."""

QUICK_SECONDS: Final = 0.05
"""How long an answer may take before anybody looks whether its client has left: most are there by then."""

BEGIN_SECONDS: Final = 0.25
"""How long the first line is waited for before a stream begins with the place where it can be resumed."""

RETRY_MS: Final = 1_000
"""How long a client waits before it comes back, where the server behind does not say."""

FULL_BYTES: Final = 1_048_576
"""What waits for a client that does not read."""

_TOGETHER = 65_536

_STATUSES = {-32700: 400, -32600: 400, -32602: 400, -32601: 404, -32020: 400, -32021: 400, -32022: 400}
_EVENTS: Headers = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class Reply:
    """One stream."""

    def __init__(
        self,
        *,
        modern: bool = False,
        stream: bool = False,
        json_too: bool = True,
        log: "EventLog[Reply] | None" = None,
        places: bool = False,
    ) -> None:
        """Begin without a line.

        A `stream` begins before the first. `modern` statuses tell an error by themselves. With a `log` it can be
        resumed; `places` says that its client takes an event without data, which only names where.
        """
        self.id = self.sent_id = ""
        """The id of the request as its client knows it, and as the server does; empty for a session's own stream."""
        self.gone = False
        """Whether nobody will read it any more."""
        self.away = stream
        """Whether it has no connection, and its client may come back."""
        self.answered = False
        """Whether the last line is there."""
        self.failed = False
        """Whether that is an error of JSON-RPC."""
        self._modern, self._stream, self._json_too = modern, stream, json_too
        self._log, self._places = log, places and log is not None
        self._track: Track[Reply] = Track(self)
        self._queue, self._size, self._told = deque[Event](), 0, 0
        self._expected = self._begins = self._closing = self._json = False
        self._begun = self._sent = False
        self._connection = object()
        self._came, self._room = anyio.Event(), anyio.Event()
        self._place = self._kept(b"", "", RETRY_MS) if self._places and not stream else None

    @property
    def is_full(self) -> bool:
        """Whether its client must read first."""
        return self._size >= FULL_BYTES and not self.gone

    # What is said

    def put(self, line: bytes, *, last: bool = False, origin: Origin | None = None) -> None:
        """Add a line; nothing comes after the `last`."""
        if self.gone or self.answered:
            return
        self._told += 1
        self.answered = self._track.ended = last
        self._add(line, origin or Origin(""))
        self._json = last and origin is not None and origin.json
        self.failed = last and _error_of(line) is not None
        self._came.set()

    def expect(self) -> None:
        """Wait for the server behind to say how it answers."""
        self._expected = True

    def begin(self, origin: Origin) -> None:
        """Be a stream of events; one that names a place and no more is passed on to a client that takes it."""
        self._begins = True
        if origin.event and self._places and not self.answered:
            place = self._place
            if place is not None and not place.sent and self._log is not None:
                self._log.rename(self._track, place, origin.event)
                place.retry = origin.retry
            else:
                self._add(b"", origin)
        self._came.set()

    def close(self) -> None:
        """End the connection: the server behind wants its client to come back."""
        if self._places and not self.away:
            self._closing = True
            self._came.set()

    def end(self) -> None:
        """Add no more."""
        self.answered = self._track.ended = True
        self._came.set()

    def leave(self) -> None:
        """Drop the connection: its client does not read it."""
        self._connection = object()
        self.away, self.gone = self._log is not None, self._log is None
        self._queue.clear()
        self._size = 0
        self._came.set()
        self._room.set()

    async def room(self) -> None:
        """Return once its client has read, or has left."""
        while self.is_full:
            self._room = anyio.Event()
            await self._room.wait()

    def _add(self, line: bytes, origin: Origin) -> None:
        event = self._kept(line, origin.event, origin.retry)
        if self.away:
            return
        self._queue.append(event)
        self._size += len(line)

    def _kept(self, line: bytes, event_id: str, retry: int | None) -> Event:
        return Event(line) if self._log is None else self._log.add(self._track, line, event_id, retry)

    # The connection

    async def run(self, receive: Receive, send: Send, headers: Headers = (), *, after: str | None = None) -> None:
        """Send what there is until the last line; return once that is sent, or the client has left.

        A connection that resumes the stream names the event `after` which it goes on, and takes the place of another.
        """
        mine = self._connection = object()
        self._came.set()  # the one before ends
        if self.away or after is not None:
            events = self._track.events if after is None else self._track.after(after)
            self._queue = deque(each for each in events if after is not None or not each.sent)
            self._size = sum(len(each.line) for each in self._queue)
        elif self._place is not None:
            self._queue.appendleft(self._place)
        begins_now = self._stream or after is not None
        self.away = self._closing = self._begun = self._sent = False
        try:
            if not begins_now and await self._until(QUICK_SECONDS, lambda: self._is_known(mine)) and self.answered:
                await self._send_all(send, headers, mine, begins_now)
                return
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, receive, mine)
                await self._send_all(send, headers, mine, begins_now)
                tasks.cancel_scope.cancel()
        finally:
            if self._connection is mine and self._log is not None:
                self.leave()

    async def break_off(self, send: Send, line: bytes) -> None:
        """Send this as the last line, where `run` was cancelled before it had sent another."""
        if self.gone or self._sent:
            return
        if not self._begun:
            await self._send_json(send, (), line)
            return
        self._sent = True
        await send({"type": "http.response.body", "body": _written(Event(line))})

    async def _watch(self, receive: Receive, mine: object) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._sent and self._connection is mine:  # else it is the end of the response that is told
            self.leave()

    async def _send_all(self, send: Send, headers: Headers, mine: object, begins_now: bool) -> None:
        if not begins_now:
            await self._first(mine)
        if self._connection is not mine:
            return
        if self.answered and self._told == 1 and self._is_json() and not begins_now:
            line = self._queue.pop().line
            self._size = 0  # else a long one would hold up all others of its caller
            self._room.set()
            await self._send_json(send, headers, line)
            return
        self._begun = True
        if (
            self.answered and not begins_now
        ):  # with its length it goes in one piece less, each of which is a system call
            body = self._taken(all_of_it=True)
            own = (b"content-length", str(len(body)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS, own, *headers]})
            self._sent = True
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS, *headers]})
        if self._stream:
            await send({"type": "http.response.body", "body": b": open\r\n\r\n", "more_body": True})
        while self._connection is mine:
            while self._queue and self._connection is mine:
                await send({"type": "http.response.body", "body": self._taken(), "more_body": True})
            if self.answered or self._closing:
                break
            if self._connection is mine and not await self._until(PING_SECONDS, lambda: self._stirs(mine)):
                await send({"type": "http.response.body", "body": b": alive\r\n\r\n", "more_body": True})
        if not self.gone:
            self._sent = self._sent or self._connection is mine
            await send({"type": "http.response.body", "body": b""})

    async def _first(self, mine: object) -> None:
        """Wait until it is known how the response begins."""

        def known() -> bool:
            return self._is_known(mine)

        if self._modern:
            await self._until(PING_SECONDS, known)
        elif not await self._until(BEGIN_SECONDS, known) and self._expected:
            await self._until(PING_SECONDS, lambda: self._begins or known())

    def _is_known(self, mine: object) -> bool:
        return bool(self._told) or self.answered or self._closing or self._connection is not mine

    def _is_json(self) -> bool:
        return self._json_too and (self._modern or self._json)

    def _stirs(self, mine: object) -> bool:
        return bool(self._queue) or self.answered or self._closing or self._connection is not mine

    async def _until(self, seconds: float, known: Callable[[], bool]) -> bool:
        if known():
            return True
        with anyio.move_on_after(seconds):
            while not known():
                self._came = anyio.Event()
                await self._came.wait()
        return known()

    async def _send_json(self, send: Send, headers: Headers, line: bytes) -> None:
        line = line.strip()
        status = _STATUSES.get(_error_of(line) or 0, 200) if self._modern else 200
        own = [(b"content-type", b"application/json"), (b"content-length", str(len(line)).encode())]
        self._begun = True
        await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
        self._sent = True
        await send({"type": "http.response.body", "body": line})

    def _taken(self, *, all_of_it: bool = False) -> bytes:
        """Return what is to be sent next: small events go together."""
        taken, size = list[bytes](), 0
        while self._queue and (size < _TOGETHER or all_of_it):
            event = self._queue.popleft()
            event.sent = True
            self._size -= len(event.line)
            taken.append(_written(event))
            size += len(taken[-1])
        self._room.set()
        return b"".join(taken)


def _written(event: Event) -> bytes:
    named = b"id: %b\r\n" % event.id.encode() if event.id else b""
    if event.retry is not None:
        named += b"retry: %d\r\n" % event.retry
    return b"%bevent: message\r\ndata: %b\r\n\r\n" % (named, one_line(event.line))


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
