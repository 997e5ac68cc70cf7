"""The client's end of a relay whose client speaks HTTP: each POST brings a line, and each line goes to its request.

Up to 2025-11-25 a wire is one session's. A line of a server over HTTP goes to the request on whose stream it came. Of
all else, what the server asks goes to the request that came last, other notifications to the session's own stream
(GET); each goes the other way where that is not open, and waits for the stream where neither is.

From 2026-07-28 on a wire is shared by all clients of one caller, who know nothing of each other. Where two of them use
the same id, or the same token for progress, at once, the later one is sent to the server under another, and what comes
for it is given back under its own. All else passes byte for byte.
"""

import asyncio
import itertools
import json
import secrets
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import anyio

from handoffs.gate.relay import message
from handoffs.gate.relay.front_ids import (
    ID,
    PROGRESS_ASKED,
    PROGRESS_TOLD,
    STREAM_ENDED,
    STREAM_TOLD,
    SUBSCRIPTION,
    replaced,
)
from handoffs.gate.relay.front_log import EventLog
from handoffs.gate.relay.front_reply import Reply
from handoffs.gate.relay.headers import RequestHeaders
from handoffs.gate.relay.lines import Lines
from handoffs.gate.relay.message import Message, Number, Value
from handoffs.gate.relay.origin import ORIGIN, Origin
from handoffs.gate.relay.outline import outline
from handoffs.wire import Data, Sink

READ_SECONDS: Final = 30.0
"""How long everybody on a wire waits for a client that does not read."""

MAX_CANCELLED: Final = 8_192
"""Ids of cancelled requests, and their tokens for progress, that are not used again; the oldest are, then."""

_QUEUE = 256
_LOG = "io.modelcontextprotocol/logLevel"


class _Request:
    """A request that the relay has."""

    __slots__ = ("id", "logs", "method", "progress", "reply", "sent_id", "sent_progress")

    def __init__(self, sent: Message, reply: Reply) -> None:
        assert sent.id is not None
        meta = _mapping(sent.params.get("_meta"))
        self.reply, self.method = reply, sent.method
        self.id = self.sent_id = sent.id.text
        self.progress = self.sent_progress = _token(meta.get("progressToken"))
        self.logs = _LOG in meta


class IdInUse(Exception):
    """A session has a request of this id already."""


class HttpFront:
    """One wire (`wire.Wire`)."""

    def __init__(self, *, modern: bool) -> None:
        """Begin without a request."""
        self.modern = modern
        self.tools = RequestHeaders()
        """The tools that the server has listed to a client."""
        self.ended = False
        """Whether it takes no more."""
        self._lines, self._down = deque[bytes](), Lines(frames=False)
        self._sink: Sink | None = None  # while nothing is being sent
        self._sent: asyncio.Future[Coroutine[Any, Any, None] | None] | None = None
        self._came, self._room = anyio.Event(), anyio.Event()
        self._requests: dict[str, _Request] = {}  # by the id that the server knows; the newest last
        self._cancelled: dict[str, None] = {}  # ids, and tokens for progress
        self._unread: set[Reply] = set()  # those that were full when a line was added
        self.log: EventLog[Reply] | None = None if modern else EventLog()
        """What a client whose stream was cut may come back for."""
        self.stream = Reply(stream=True, log=self.log)
        """Gets what answers no request."""
        self._name, self._numbers = secrets.token_hex(8), itertools.count(1)

    # The clients' side

    async def ask(self, sent: Message, reply: Reply) -> None:
        """Send a request whose answer goes to the reply.

        Raises:
            IdInUse: The session's client waits for an answer with this id.
        """
        request = _Request(sent, reply)
        line = sent.raw
        if request.id in self._requests and not self.modern:
            raise IdInUse
        if request.id in self._requests or request.id in self._cancelled:
            request.sent_id = self._new()
            line = replaced(line, ID, request.sent_id)
        if self.modern and request.progress and self._is_told(request.progress):
            request.sent_progress = self._new()
            line = replaced(line, PROGRESS_ASKED, request.sent_progress)
        self._requests[request.sent_id] = request
        reply.id, reply.sent_id = request.id, request.sent_id
        try:
            await self.tell(line)
        except anyio.get_cancelled_exc_class():
            self._requests.pop(request.sent_id, None)  # it was not sent
            raise

    async def tell(self, line: bytes) -> None:
        """Send what has no answer."""
        while len(self._lines) >= _QUEUE and not self.ended:
            self._room = anyio.Event()
            await self._room.wait()
        self._send(line + b"\n")

    def cancel(self, sent_id: str) -> None:
        """Have a request ended, which was sent under this id: its client waits no more."""
        if (request := self._requests.pop(sent_id, None)) is None:
            return
        # An answer may be on its way still, and must not be taken for another's.
        self._cancelled[sent_id] = self._cancelled[_of_progress(request.sent_progress)] = None
        while len(self._cancelled) > MAX_CANCELLED:
            del self._cancelled[next(iter(self._cancelled))]
        if not self.ended:
            told = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%b}}\n'
            self._send(told % sent_id.encode())

    def resumed(self, event_id: str) -> Reply | None:
        """Return the stream that an event belongs to; None where nothing of it is kept."""
        track = None if self.log is None else self.log.find(event_id)
        return None if track is None else track.stream

    def end_input(self) -> None:
        """Send nothing more: the session is to end."""
        self.ended = True
        self._came.set()
        self._room.set()
        if self._sent is not None and not self._sent.done():
            self._sent.set_result(None)

    def end(self) -> None:
        """Answer what the relay, which has ended, did not."""
        self.end_input()
        for line in (piece.raw for piece in self._down.end()):
            self._route(line)
        for request in list(self._requests.values()):
            request.reply.put(message.error(request.id, "Not answered: the session has ended."), last=True)
        self._requests.clear()
        self.stream.end()

    # What the server behind says of its streams

    def posted(self, request: str) -> None:
        """See `origin.Streams`."""
        if (found := self._requests.get(request)) is not None:
            found.reply.expect()

    def begun(self, origin: Origin) -> None:
        """See `origin.Streams`."""
        if (found := self._requests.get(origin.request)) is not None and not self.modern:
            found.reply.begin(origin)

    def closed(self, request: str) -> None:
        """See `origin.Streams`."""
        if (found := self._requests.get(request)) is not None:
            found.reply.close()

    # The relay's side

    async def read(self) -> bytes:
        """See `wire.Wire`."""
        while not self._lines and not self.ended:
            self._came = anyio.Event()
            await self._came.wait()
        self._room.set()
        return self._lines.popleft() if self._lines else b""

    async def feed(self, sink: Sink) -> None:
        """See `wire.Wire`."""
        while True:
            while self._lines:
                self._room.set()
                if (rest := sink(self._lines.popleft())) is not None:
                    await rest
            if self.ended:
                return
            # As in `wire.PipeWire`: to wake a task for each line takes longer than to relay it.
            self._sent = asyncio.get_running_loop().create_future()
            self._sink = sink
            try:
                rest = await self._sent
            finally:
                self._sink = None
            if rest is not None:
                await rest

    def _send(self, line: bytes) -> None:
        if self._sink is None or self._sent is None or self._sent.done():
            self._lines.append(line)
            self._came.set()
            return
        try:
            rest = self._sink(line)
        except Exception as error:  # noqa: BLE001 - it is the relay's
            self._sent.set_exception(error)
            return
        if rest is not None:
            self._sent.set_result(rest)

    def write_now(self, data: bytes) -> bytes:
        """See `wire.Wire`."""
        if self._full() is not None:
            return data
        for piece in self._down.take(data):
            self._route(piece.raw)
        return b""

    async def write(self, data: bytes) -> None:
        """See `wire.Wire`."""
        await self.write_some(data)

    async def write_some(self, data: Data) -> Data:
        """See `wire.Wire`; nothing is left. A client that does not read is left after a while: others wait for it."""
        while (full := self._full()) is not None:
            with anyio.move_on_after(READ_SECONDS):
                await full.room()
            if full.is_full:
                full.leave()
        return self.write_now(bytes(data))

    def _full(self) -> Reply | None:
        for each in tuple(self._unread):
            if each.is_full:
                return each
            self._unread.discard(each)
        return None

    def _put(self, reply: Reply, line: bytes, *, last: bool = False) -> None:
        reply.put(line, last=last, origin=ORIGIN.get())
        if reply.is_full:
            self._unread.add(reply)

    # Whom a line is for

    def _route(self, line: bytes) -> None:
        if not line.strip():
            return
        found = outline(line)
        if found is not None and found.is_response:
            self._answer(found.id, line)
        elif self.modern:
            if found is None:  # from 2026-07-28 on a server has no requests of its own
                self._tell_modern(line)
        else:
            self._put(self._of_session(line, is_request=found is not None), line)

    def _answer(self, sent_id: str, line: bytes) -> None:
        request = self._requests.pop(sent_id, None)
        if request is None:
            return
        if request.method == "tools/list":
            self.tools.learn(line)
        if request.sent_id != request.id:
            line = replaced(line, ID, request.id)
            if request.method == "subscriptions/listen":
                line = replaced(line, STREAM_ENDED, request.id)
        self._put(request.reply, line, last=True)

    def _of_session(self, line: bytes, *, is_request: bool) -> Reply:
        """Return where a request or a notification of the server's goes."""
        origin = ORIGIN.get()
        request = None if origin is None else self._requests.get(origin.request)
        if request is None and not is_request and b"progressToken" in line:
            token = _token(Message(line).params.get("progressToken"))
            request = self._of_progress(token) if token else None
        if request is not None and not request.reply.gone:
            return request.reply
        here = [each.reply for each in self._requests.values() if not each.reply.gone]
        read = [each for each in here if not each.away][-1:]
        stream = [] if self.stream.away else [self.stream]
        unasked = origin is not None and not origin.request
        first = read + stream if is_request and not unasked else stream + read
        return (first or (here[-1:] if is_request else []) or [self.stream])[0]

    def _tell_modern(self, line: bytes) -> None:
        params = Message(line).params
        if (token := _token(params.get("progressToken"))) and (request := self._of_progress(token)) is not None:
            if request.sent_progress != request.progress:
                line = replaced(line, PROGRESS_TOLD, request.progress)
            self._put(request.reply, line)
            return
        stream = _token(_mapping(params.get("_meta")).get(SUBSCRIPTION))
        if stream:
            if (request := self._requests.get(stream)) is not None:
                if request.sent_id != request.id:
                    line = replaced(line, STREAM_TOLD, request.id)
                self._put(request.reply, line)
            return
        # A log on a pipe does not say which request it belongs to. All of them are the same caller's.
        for request in self._requests.values():
            if request.logs:
                self._put(request.reply, line)

    def _of_progress(self, token: str) -> _Request | None:
        return next((each for each in self._requests.values() if each.sent_progress == token), None)

    def _is_told(self, token: str) -> bool:
        return self._of_progress(token) is not None or _of_progress(token) in self._cancelled

    def _new(self) -> str:
        return f'"{self._name}-{next(self._numbers)}"'


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


def _of_progress(token: str) -> str:
    return f"progress {token}"


def _token(value: Value) -> str:
    """Return the JSON of a token; empty for what is none."""
    if isinstance(value, Number):
        return value.text
    return json.dumps(value) if isinstance(value, str) else ""
