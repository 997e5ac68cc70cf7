"""Streamable HTTP in front of the gate: an ASGI application that gives each session a relay, and a server, of its own.

- Up to 2025-11-25 `initialize` begins a session, which `Mcp-Session-Id` names and which is its caller's alone. DELETE
  ends it, and so does a while without an open request.
- A session's stream that was cut goes on where its client says with GET and `Last-Event-ID`; the call goes on anyway.
- From 2026-07-28 on there are no sessions: the requests of one caller share a relay, and no two callers do.
- A body that is not one message in strict JSON is refused in words, and so is a header that says something else.

Who the caller is was found out before: by `principal`, of the ASGI scope.
"""

import json
import logging
import secrets
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

import anyio
from anyio.abc import TaskGroup
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from handoffs.gate.relay import message
from handoffs.gate.relay.front_headers import HEADER_MISMATCH, accepts, is_modern, mismatch
from handoffs.gate.relay.front_reply import Reply
from handoffs.gate.relay.front_wire import HttpFront, IdInUse
from handoffs.gate.relay.headers import LAST_EVENT_HEADER, SESSION_HEADER, VERSION_HEADER, version_of
from handoffs.gate.relay.message import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Message, Odd

Serve: TypeAlias = Callable[[HttpFront, str], Awaitable[object]]
"""Relays between a wire and a new server, for one caller, until either ends."""

IDLE_SECONDS: Final = 1_800.0
"""How long a session, or a caller's relay, without an open request is kept."""

MAX_SERVERS: Final = 256
"""How many servers run at once; one caller may have a quarter of them."""

END_SECONDS: Final = 4.0
"""How long servers may take to end when the gate does; then they are killed."""

LAST_WORDS_SECONDS: Final = 1.0
"""How long a client may take to read why its request is broken off."""

BROKEN_OFF: Final = (
    "Broken off: the token of this request is no longer good, or the gate stops. A call that waited for a person was "
    "not run; one that was sent before may have run."
)

PLACES_SINCE: Final = "2025-11-25"
"""The version of MCP from which clients take an event without data, which only names a place."""

SWEEP_SECONDS: Final = 60.0
"""How often what is too old is dropped, at least."""

MAX_BODY: Final = 4_194_304
"""Bytes of a message, as with the servers of the SDKs."""

logger = logging.getLogger(__name__)


class _Session:
    """One relay."""

    def __init__(self, subject: str, *, modern: bool) -> None:
        self.id = secrets.token_hex(16)
        self.subject, self.modern = subject, modern
        self.front = HttpFront(modern=modern)
        self.busy = 0
        """Open requests."""
        self.idle_since = anyio.current_time()
        self.over = anyio.Event()


class _Refused(Exception):
    """A request is not taken, with words for its client."""

    def __init__(
        self,
        status: int,
        words: str,
        *,
        code: int = INVALID_REQUEST,
        id: str = "null",  # noqa: A002 - JSON-RPC's word
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(words)
        self.status, self.words, self.code, self.id, self.headers = status, words, code, id, headers


class Front:
    """The application."""

    def __init__(
        self,
        serve: Serve,
        principal: Callable[[Scope], str],
        *,
        idle_seconds: float = IDLE_SECONDS,
        most: int = MAX_SERVERS,
    ) -> None:
        """Take what serves a session, and what names the caller of a request."""
        self._serve, self._principal = serve, principal
        self._idle_seconds, self._most = idle_seconds, most
        self._sessions: dict[str, _Session] = {}
        self._shared: dict[str, _Session] = {}  # from 2026-07-28 on: by caller
        self._ending: set[_Session] = set()
        self._tasks: TaskGroup | None = None
        self._closed = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve while the block lasts; every server has ended when it is left."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._sweep)
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    await self.end_all()
                self._tasks.cancel_scope.cancel()

    async def end_all(self) -> None:
        """Take no more sessions, and end all there are; what waits is answered."""
        self._closed = True
        for each in self._all():
            self._end(each)
        with anyio.move_on_after(END_SECONDS):
            for each in tuple(self._ending):
                await each.over.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        headers = Headers(scope=scope)
        try:
            match scope["method"]:
                case "POST":
                    await self._post(scope, headers, receive, send)
                case "GET" if not is_modern(headers):
                    await self._listen(scope, headers, receive, send)
                case "DELETE" if not is_modern(headers):
                    self._end(self._session(scope, headers))
                    await _reply(send, 200)
                case _:
                    allowed = b"POST" if is_modern(headers) else b"GET, POST, DELETE"
                    raise _Refused(405, "this method of HTTP is not used here", headers=[(b"allow", allowed)])
        except _Refused as refused:
            error = {"code": refused.code, "message": f"Not run: {refused.words}."}
            body = f'{{"jsonrpc":"2.0","id":{refused.id},"error":{json.dumps(error)}}}'
            await _reply(send, refused.status, body.encode(), refused.headers)

    # Messages

    async def _post(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        found = message.read_one(await _body(receive))
        if isinstance(found, Odd):
            raise _Refused(400, found.reason, code=found.code, id=found.ids[0] if len(found.ids) == 1 else "null")
        if found.id is not None and found.method is not None and not accepts(headers, "text/event-stream"):
            words = "its client must accept `application/json` and `text/event-stream`"
            raise _Refused(406, words, id=found.id.text)
        if not is_modern(headers, found):
            await self._post_in_session(scope, headers, found, receive, send)
        elif found.id is not None and found.method is not None:
            await self._ask(self._shared_of(self._principal(scope)), headers, found, receive, send)
        elif found.method is not None:
            await _reply(send, 202)  # to cancel is to close the stream; nothing else is told from here on
        else:
            raise _Refused(400, "a server of this version asks its client nothing, so there is nothing to answer")

    async def _post_in_session(
        self, scope: Scope, headers: Headers, found: Message, receive: Receive, send: Send
    ) -> None:
        if found.method == "initialize" and found.id is not None and SESSION_HEADER not in headers:
            session = self._begin(self._principal(scope), modern=False)
            self._sessions[session.id] = session
        else:
            session = self._session(scope, headers, found)
        if found.id is not None and found.method is not None:
            await self._ask(session, headers, found, receive, send)
            return
        with self._used(session):
            await session.front.tell(found.raw)
        await _reply(send, 202)

    async def _ask(self, session: _Session, headers: Headers, asked: Message, receive: Receive, send: Send) -> None:
        assert asked.id is not None
        name = asked.id.text
        if session.modern:
            self._check_modern(session, headers, asked, name)
        begins = asked.method == "initialize"
        reply = Reply(
            modern=session.modern,
            json_too=accepts(headers, "application/json"),
            log=None if begins else session.front.log,  # a client that has not begun can't come back
            places=headers.get(VERSION_HEADER, "") >= PLACES_SINCE,
        )
        if begins:
            reply.expect()  # nobody holds it
        with self._used(session):
            try:
                await session.front.ask(asked, reply)
            except IdInUse:
                raise _Refused(400, "another request of the session has this id and is not answered", id=name) from None
            named = [(SESSION_HEADER.encode(), session.id.encode())] if begins else ()
            await _give(session, reply, receive, send, headers=named)
        if session.modern and reply.gone:
            session.front.cancel(reply.sent_id)
        if begins and (reply.gone or reply.failed):
            self._end(session)  # its client knows of none

    def _check_modern(self, session: _Session, headers: Headers, asked: Message, name: str) -> None:
        if not version_of(asked):
            raise _Refused(400, "its body names no version of MCP in `_meta`", code=INVALID_PARAMS, id=name)
        if (why := mismatch(headers, asked, session.front.tools)) is not None:
            raise _Refused(400, why, code=HEADER_MISMATCH, id=name)
        if asked.method == "initialize":  # a server on stdio would begin an older session, for all of this caller
            words = "there is no `initialize` in this version of MCP"
            raise _Refused(404, words, code=METHOD_NOT_FOUND, id=name)

    async def _listen(self, scope: Scope, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        session = self._session(scope, headers)
        if not accepts(headers, "text/event-stream"):
            raise _Refused(406, "its client must accept `text/event-stream`")
        front = session.front
        after = headers.get(LAST_EVENT_HEADER)
        if after is not None:
            after = after.encode("latin-1", "replace").decode("utf-8", "replace")
        stream = front.stream if after is None else front.resumed(after)
        if stream is None:
            raise _Refused(400, f"nothing is kept of the stream that `{LAST_EVENT_HEADER}` names")
        if after is None and not stream.away:
            raise _Refused(409, "the session has a stream already")
        with self._used(session):
            await _give(session, stream, receive, send, after=after)

    # Sessions

    def _session(self, scope: Scope, headers: Mapping[str, str], found: Message | None = None) -> _Session:
        """Return the session that a request names, where it is its caller's."""
        name = found.id.text if found is not None and found.id is not None and found.method is not None else "null"
        named = headers.get(SESSION_HEADER)
        if named is None:
            raise _Refused(400, f"it names no session in `{SESSION_HEADER}`: begin one with `initialize`", id=name)
        session = self._sessions.get(named)
        if session is None or session.subject != self._principal(scope):
            raise _Refused(404, "there is no such session, or it has ended: begin one with `initialize`", id=name)
        return session

    def _shared_of(self, subject: str) -> _Session:
        if (session := self._shared.get(subject)) is None:
            session = self._shared[subject] = self._begin(subject, modern=True)
        return session

    def _begin(self, subject: str, *, modern: bool) -> _Session:
        if self._closed or self._tasks is None:
            raise _Refused(503, "the gate is about to stop", headers=[(b"retry-after", b"5")])
        own = [each for each in self._running() if each.subject == subject]
        for these, most in ((own, max(1, self._most // 4)), (self._running(), self._most)):
            if len(these) >= most:
                idle = [each for each in these if not each.busy and each not in self._ending]
                if not idle:
                    raise _Refused(429, "too many servers run already: end a session, or come back later")
                self._end(min(idle, key=lambda each: each.idle_since))
        session = _Session(subject, modern=modern)
        self._tasks.start_soon(self._run, session)
        return session

    async def _run(self, session: _Session) -> None:
        try:
            await self._serve(session.front, session.subject)
        except Exception as broken:  # noqa: BLE001 - one session's, and not the others'
            # Not in its own words, which may quote a message.
            frames = "".join(traceback.format_tb(broken.__traceback__))
            logger.error("a session has failed: %s\n%s", type(broken).__name__, frames)
        finally:
            self._forget(session)
            self._ending.discard(session)
            session.front.end()
            session.over.set()

    def _end(self, session: _Session) -> None:
        self._forget(session)
        if not session.over.is_set():
            self._ending.add(session)
            session.front.end_input()

    def _forget(self, session: _Session) -> None:
        if self._sessions.get(session.id) is session:
            del self._sessions[session.id]
        if self._shared.get(session.subject) is session:
            del self._shared[session.subject]

    def _all(self) -> list[_Session]:
        return [*self._sessions.values(), *self._shared.values()]

    def _running(self) -> list[_Session]:
        return [*self._all(), *self._ending]

    @contextmanager
    def _used(self, session: _Session) -> Generator[None]:
        session.busy += 1
        try:
            yield
        finally:
            session.busy -= 1
            session.idle_since = anyio.current_time()

    async def _sweep(self) -> None:
        while True:
            await anyio.sleep(min(self._idle_seconds / 10, SWEEP_SECONDS))
            until = anyio.current_time() - self._idle_seconds
            for each in self._all():
                if each.front.log is not None:
                    each.front.log.prune()
                if not each.busy and each.idle_since <= until:
                    self._end(each)


async def _give(
    session: _Session,
    reply: Reply,
    receive: Receive,
    send: Send,
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    after: str | None = None,
) -> None:
    """Give a connection what its stream says. A request ends with the token that it was sent under."""
    try:
        await reply.run(receive, send, headers, after=after)
    except anyio.get_cancelled_exc_class():
        if reply.id:
            if not reply.answered:
                session.front.cancel(reply.sent_id)
            with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WORDS_SECONDS):
                await reply.break_off(send, message.error(reply.id, BROKEN_OFF))
        reply.leave()
        raise


async def _body(receive: Receive) -> bytes:
    parts, size = list[bytes](), 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _Refused(400, "its client has left before it was sent")
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise _Refused(413, f"it has more than {MAX_BODY:,} bytes")
        if not event.get("more_body"):
            return b"".join(parts)


async def _reply(send: Send, status: int, body: bytes = b"", headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    own = [(b"content-length", str(len(body)).encode())] + ([(b"content-type", b"application/json")] if body else [])
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
