"""The server behind the gate over streamable HTTP: lines go in, one POST each, and lines come out.

The guarantees:

- The JSON of a message passes as it came, either way. Only line ends between tokens become spaces.
- A message is sent once. Of a request that was sent and will not be answered, the relay is told at once (`Lost`): it
  may have run. A request that the server has not taken gets an error in words.
- Headers follow the bytes that are sent. Those that the user named are in no error and in no log.
- Up to 2025-11-25 there is one session for the one in front: `Mcp-Session-Id`, the GET stream, `Last-Event-ID` where a
  stream is cut, and DELETE at the end. From 2026-07-28 on there is none, and to cancel is to close the stream.
"""

import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import anyio

from handoffs.gate.relay import message
from handoffs.gate.relay.headers import RequestHeaders
from handoffs.gate.relay.http_down import Down
from handoffs.gate.relay.http_replies import (
    CONNECT_SECONDS,
    CUT,
    NOT_SENT,
    Response,
    fitting,
    is_stream,
    kind_of,
    refusal,
    status_of,
    words_of,
)
from handoffs.gate.relay.http_request import HttpRequest
from handoffs.gate.relay.http_session import HttpSession
from handoffs.gate.relay.lines import Lines, one_line
from handoffs.gate.relay.message import Message, Odd
from handoffs.gate.relay.origin import Origin, Streams, Unheard
from handoffs.gate.relay.outline import outline
from handoffs.gate.relay.peers import Lost
from handoffs.wire import Data, Sink

DRAIN_SECONDS: Final = 1.2
"""How long answers are waited for once the client has gone. Hosts give the gate two seconds (the MCP SDKs)."""

ORDER_SECONDS: Final = 5.0
"""How long what follows waits for a notification or an answer to be taken."""

TAKEN_SECONDS: Final = 0.2
"""How long a cancellation waits for the server to have begun with its request."""

AT_ONCE: Final = 512
"""Requests that wait for the server's answer."""

MAX_RESUMED: Final = 3
"""How often a stream is taken up again without a word of the server's in between."""

_QUEUE = 256
_MAX_RETRY_SECONDS = 30.0

logger = logging.getLogger(__name__)


class HttpBehind:
    """A server at a URL."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, *, streams: Streams | None = None) -> None:
        """Take where it is, the headers of every request, and what hears of its streams. Nothing is sent yet."""
        self._streams = streams or Unheard()
        self.exit_code: int | None = None
        """What the gate ends with; None while it goes on."""
        self.reason = "was left before it answered"
        """What became of it, in words that follow *the server behind*."""
        self.idle = True
        """See `process.Behind`: `feed` ends by itself."""
        self._session = HttpSession(url, headers or {})
        self._lines, self._queue = Lines(frames=True), deque[bytes]()
        self._came, self._room = anyio.Event(), anyio.Event()
        self._stopping, self._hurry, self._gone = anyio.Event(), anyio.Event(), anyio.Event()
        self._at_once = anyio.Semaphore(AT_ONCE, fast_acquire=True)
        self._sending = True  # what comes before the session is open waits
        self._next: Callable[[], Awaitable[None]] | None = None
        self._requests: dict[str, HttpRequest] = {}
        self._made = RequestHeaders()
        self._listening: anyio.CancelScope | None = None
        self._down: Down | None = None
        self._lost: Lost | None = None

    # The relay's side

    async def feed(self, sink: Sink, lost: Lost) -> None:
        """Give what it says to the sink, until it is stopped or has ended the session."""
        self._down, self._lost = Down(sink, self._lines, self._leave), lost
        try:
            async with self._session.open():
                async with anyio.create_task_group() as self._tasks:
                    self._tasks.start_soon(self._send_all)
                    await self._stopping.wait()
                    await self._drain()
                    self._down.unshield()
                    self._tasks.cancel_scope.cancel()
                await self._session.end()
        finally:
            self.exit_code = self.exit_code or 0
            self._gone.set()

    def write_now(self, data: bytes) -> bytes:
        """Take what can be taken without waiting; return the rest."""
        if self._stopping.is_set() or len(self._queue) >= _QUEUE:
            return data
        self._queue.extend(piece.body for piece in self._lines.take(data))
        self._send_now()
        return b""

    async def write_some(self, data: Data) -> Data:
        """Take all of it once there is room; nothing is left. Raises ClosedResourceError: it has ended."""
        left = bytes(data)
        while left := self.write_now(left):
            if self._stopping.is_set():
                raise anyio.ClosedResourceError
            self._room = anyio.Event()
            await self._room.wait()
        return b""

    def rest(self) -> bytes:
        """Return nothing: what it says is passed on as it comes."""
        return b""

    async def watch(self) -> None:
        """Return once it was left."""
        await self._gone.wait()

    async def stop(self, *, at_once: bool = False) -> None:
        """Leave it, while a task feeds: wait for answers a little, `at_once` not even that, and end the session."""
        self._queue.extend(piece.body for piece in self._lines.end())
        self._send_now()
        self._leave(at_once=at_once)
        await self._gone.wait()

    def close(self) -> None:
        """Nothing is left open."""

    # What is sent

    async def _send_all(self) -> None:
        """Wait for what others wait for."""
        while True:
            if self._next is not None:
                await self._next()
                self._next = None
            self._sending = False
            self._send_now()
            self._room.set()
            if self._next is None:
                self._came = anyio.Event()
                await self._came.wait()

    def _send_now(self) -> None:
        """Send what can be sent without waiting: to wake a task for each line takes longer."""
        while self._queue and not self._sending:
            self._next = self._sent(self._queue.popleft())
            if self._next is not None:
                self._sending = True
                self._came.set()

    def _sent(self, line: bytes) -> Callable[[], Awaitable[None]] | None:
        """Send a line; return what must be waited for before the next."""
        if not (line := line.strip()):
            return None
        found = outline(line)
        if found is not None and found.is_response:
            return partial(self._in_order, line)
        read = message.read(line)
        read = Message(line) if isinstance(read, Odd) else read  # it calls nothing, or the relay would have refused it
        if found is not None:
            request = HttpRequest(found.id, read)
            self._ask(request)
            # What follows belongs to the session that it makes.
            return request.done.wait if request.method == "initialize" else None
        return partial(self._cancel if read.method == "notifications/cancelled" else self._tell, read)

    async def _tell(self, notification: Message) -> None:
        await self._in_order(notification.raw)
        if notification.method == "notifications/initialized" and self._session.id:
            if self._listening is not None:
                self._listening.cancel()
            self._listening = anyio.CancelScope()
            self._tasks.start_soon(self._listen, self._listening)

    def _ask(self, request: HttpRequest) -> None:
        self._session.asked(request.sent)
        request.modern = self._session.modern
        if (before := self._requests.get(request.id)) is not None:
            before.given_up = True
            before.scope.cancel()  # its id is another's now
        self._requests[request.id] = request
        self._tasks.start_soon(self._exchange, request)

    async def _cancel(self, cancelling: Message) -> None:
        named = message.cancelled(cancelling)
        request = None if named is None else self._requests.get(named)
        if request is not None:
            request.given_up = True
        if self._session.modern if request is None else request.modern:
            if request is not None:
                request.scope.cancel()
            return
        if request is not None:
            with anyio.move_on_after(TAKEN_SECONDS):  # a cancellation that is faster than its request does nothing
                await request.taken.wait()
        await self._in_order(cancelling.raw)

    async def _in_order(self, line: bytes) -> None:
        """POST what has no answer. It is taken before what follows is sent, but for a server that lets it wait."""
        done = anyio.Event()

        async def post() -> None:
            try:
                async with self._session.post(line) as response:
                    if response.status_code >= 300:
                        logger.warning("the server behind has refused a message: %s", status_of(response.status_code))
                    elif response.status_code == 200 and line.startswith(b"["):  # a batch has answers
                        await self._read(HttpRequest("", Message(line)), response)
            except CUT as error:
                logger.warning("a message may not have reached the server behind: %s", words_of(error))
            finally:
                done.set()

        self._tasks.start_soon(post)
        with anyio.move_on_after(ORDER_SECONDS):
            await done.wait()

    # A request

    async def _exchange(self, request: HttpRequest) -> None:
        try:
            with request.scope:
                async with self._at_once:
                    await self._post(request)
        finally:
            if self._requests.get(request.id) is request:
                del self._requests[request.id]
            request.taken.set()
            request.done.set()

    async def _post(self, request: HttpRequest) -> None:
        headers = self._made.of(request.sent) if request.modern else {}
        in_session = bool(self._session.id)
        why = "has closed the connection before it answered"
        self._streams.posted(request.id)
        try:
            async with self._session.post(request.sent.raw, headers) as response:
                request.taken.set()
                status = response.status_code
                if status >= 300:
                    await self._refused(request, response, in_session)
                    return
                if request.method == "initialize":
                    self._session.begun(response)
                if status == 202:
                    why = "has taken the request and does not answer it (202 Accepted)"
                else:
                    why = await self._read(request, response) or why
        except NOT_SENT as error:
            await self._say(request, f"the server behind {words_of(error)}")
            return
        except CUT as error:
            why = words_of(error)
        await self._resume(request, why)

    async def _read(self, request: HttpRequest, response: Response) -> str | None:
        """Pass on what a response says; return why it was no answer, where that is not that it was cut."""
        kind = kind_of(response)
        if kind == "text/event-stream":
            await self._read_events(request, response)
            return None
        if kind != "application/json":
            return "has answered with something else than JSON"
        line = one_line(await response.aread())
        if request.id and (line := fitting(response, line, request.id)) is None:
            return "has answered with something else than a response"
        await self._pass_down(request, line, Origin(request.id, json=True))
        return None

    async def _read_events(self, request: HttpRequest, response: Response) -> None:
        self._streams.begun(Origin(request.id))
        with anyio.CancelScope() as until:
            async for chunk in response.aiter_bytes():
                for data in request.events.take(chunk):
                    request.heard += 1
                    if data.strip():
                        await self._pass_down(request, one_line(data), request.origin())
                    else:
                        self._streams.begun(request.origin())
                if request.answered and until.deadline == math.inf:
                    until.deadline = anyio.current_time() + 1  # read to its end, the connection can be used again
        if request.events.last_id and not request.answered:
            self._streams.closed(request.id)

    async def _pass_down(self, request: HttpRequest, line: bytes, origin: Origin | None = None) -> None:
        found = outline(line)
        if found is not None and found.is_response and found.id == request.id:
            request.answered = True
            if request.method == "initialize":
                self._session.agreed(Message(line))
            elif request.method == "tools/list" and request.modern:
                self._made.learn(line)
        assert self._down is not None
        await self._down.write(line, origin)

    async def _refused(self, request: HttpRequest, response: Response, in_session: bool) -> None:
        """Tell of a status that is no answer. What the server says itself, as an error of JSON-RPC, comes first."""
        status = response.status_code
        said = None
        if kind_of(response) == "application/json":
            with anyio.move_on_after(CONNECT_SECONDS):
                said = fitting(response, one_line(await response.aread()), request.id)
        gone = status == 404 and in_session and not request.modern
        if said is not None and not gone:
            await self._pass_down(request, said)
        elif status >= 500:
            await self._resume(request, f"has answered {status_of(status)}")
        else:
            data: dict[str, object] = {"status": status}
            challenge = response.headers.get("www-authenticate", "")
            if challenge and not self._session.quotes_secret(challenge):
                data["wwwAuthenticate"] = challenge[:2_000]
            await self._say(request, f"the server behind {refusal(status, gone)}", data)
        if gone:
            self.exit_code, self._session.id = 1, ""
            self._leave("has ended the session")

    async def _say(self, request: HttpRequest, words: str, data: Mapping[str, object] | None = None) -> None:
        """Answer a request that the server has not taken."""
        request.answered = True
        if not request.given_up:
            assert self._down is not None
            await self._down.write(message.error(request.id, f"Not answered: {words}.", data).rstrip(b"\n"), None)

    async def _resume(self, request: HttpRequest, why: str) -> None:
        """Take up a stream that was cut before the answer; say that the request is lost where that can't be."""
        left = MAX_RESUMED if request.events.last_id and not request.modern else 0
        while not (request.answered or request.given_up) and left:
            await anyio.sleep(min(1.0 if request.events.retry is None else request.events.retry, _MAX_RETRY_SECONDS))
            heard = request.heard
            request.events.resumed()
            try:
                async with self._session.listen(request.events.last_id) as response:
                    if 400 <= response.status_code < 500:
                        break
                    if is_stream(response):
                        await self._read_events(request, response)
            except CUT:
                pass
            left = MAX_RESUMED if request.heard > heard else left - 1
        if not (request.answered or request.given_up):
            request.answered = True
            assert self._lost is not None
            try:
                await self._lost(request.id, f"the server behind {why}")
            except anyio.ClosedResourceError:
                self._leave()

    # The session

    async def _listen(self, scope: anyio.CancelScope) -> None:
        """Pass on what the server says unasked, as long as the session lasts."""
        unasked, failed = HttpRequest("", Message(b"")), 0
        with scope:
            while True:
                try:
                    async with self._session.listen(unasked.events.last_id) as response:
                        if 300 <= response.status_code < 500:
                            return  # it has none, or ends the session, which the next request hears
                        if is_stream(response):
                            failed = 0
                            await self._read_events(unasked, response)
                except CUT:
                    pass
                failed += 1
                wait, wanted = 2.0 ** min(failed - 1, 5), unasked.events.retry
                await anyio.sleep(min(wait if wanted is None else wanted, _MAX_RETRY_SECONDS))
                unasked.events.resumed()

    def _leave(self, reason: str | None = None, *, at_once: bool = True) -> None:
        self.reason = reason or self.reason
        if at_once:
            self._hurry.set()
        self._stopping.set()
        self._room.set()

    async def _drain(self) -> None:
        """Wait for answers that are under way."""
        with anyio.move_on_after(DRAIN_SECONDS):
            while not self._hurry.is_set():
                waiting = any(each.method != "subscriptions/listen" for each in self._requests.values())
                if not (waiting or self._queue or self._sending):
                    return
                await anyio.sleep(0.01)
