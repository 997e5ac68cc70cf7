"""Records of deliveries: an outcome was handed to the agent once it was written to the wire.

A process that is killed between an answer and its writing has recorded nothing, so the next identical call gets the
answer. The record is made in the background, after the reply; at the end of the input, before the process ends. Until
then the same question of the same caller waits, so that it does not get the same outcome again.

- On a pipe `Deliveries.sent` is told of each message that was written.
- Over HTTP the middleware `Written` reads the body of the response to each request.
- Other transports (in memory) can't be observed; there an outcome counts as delivered when a call returns it.
"""

import asyncio
import contextvars
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import anyio
from mcp.server.context import ServerRequestContext
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.model import Caller, Handoff, State
from handoffs.core.retry import retry_while_unavailable
from handoffs.first_stage.front import answered
from handoffs.mcp_server.sdk.spans import note_decision

logger = logging.getLogger(__name__)

FINISH_SECONDS = 5.0
"""How long a process waits at its end for the store to record deliveries."""

MAX_EXPECTED = 10_000
"""How many outcomes of one pipe may be expected. A cancelled call leaves one; the oldest are dropped."""

_SCOPE = "handoffs.expected"
_ANSWER = re.compile(rb'(?:\A|\ndata: )\s*\{"jsonrpc":\s?"2\.0",\s?"id":\s?(?:"(?:[^"\\]|\\.)*"|-?\d+),\s?"result":')


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Expected:
    """An outcome that is not written yet."""

    handoff: Handoff
    tool_use: str
    marks: tuple[str, ...]
    """Texts that identify the notification with the outcome; empty when the reply to the request has it."""

    def is_in(self, text: str) -> bool:
        return bool(self.marks) and all(mark in text for mark in self.marks)


class _Response:
    """One HTTP response, and the outcomes that it is to contain."""

    # A request may wait for a person for hours, and there may be thousands: no frame of its own, one small object.
    __slots__ = ("_look", "_receive", "_send", "expected")

    def __init__(self, receive: Receive, send: Send, look: "Callable[[_Response, Message], None]") -> None:
        self._receive, self._send, self._look = receive, send, look
        self.expected: Sequence[_Expected] = ()

    async def send(self, message: Message) -> None:
        # The server drops what is sent to a disconnected client, without an error.
        counts = bool(self.expected) and message["type"] == "http.response.body" and not await self._is_gone()
        await self._send(message)
        if counts:
            self._look(self, message)

    async def _is_gone(self) -> bool:
        """Say whether the client has hung up, before the end of the response, which the server takes for the same.

        The request was read whole, so there is nothing else to receive.
        """
        message: Message | None = None
        with anyio.CancelScope() as at_once:
            at_once.cancel()
            message = await self._receive()
        return message is not None and message["type"] == "http.disconnect"


class Deliveries:
    """Records the deliveries of one server."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk; nothing runs until an outcome was written."""
        self._desk = desk
        self._piped = False
        self._on_pipe: dict[str | int, list[_Expected]] = {}
        self._notified: list[_Expected] = []
        self._unrecorded: dict[_Expected, anyio.Event] = {}
        self._recording: asyncio.Task[None] | None = None

    def expect(
        self,
        *handoffs: Handoff,
        context: ServerRequestContext[Any, Any],
        tool_use: str | None,
        marks: tuple[str, ...] = (),
    ) -> None:
        """Expect that the reply to this request hands these outcomes over, once it is written.

        With `marks`, the first notification that contains all of them does.
        """
        expected = [
            _Expected(handoff=handoff, tool_use=tool_use or "", marks=marks)
            for handoff in handoffs
            if handoff.state is not State.OPEN and handoff.collected_at is None
        ]
        for each in expected:
            note_decision(each.handoff)
        request: object = context.request
        response: object = request.scope.get(_SCOPE) if isinstance(request, Request) else None
        if isinstance(response, _Response):
            response.expected = [*response.expected, *expected]
        elif not self._piped or context.request_id is None:
            for each in expected:
                self._wrote(each)
        elif marks:
            self._notified.extend(expected)
        else:
            # This replaces the outcomes of an earlier, cancelled request with the same id.
            self._on_pipe.pop(context.request_id, None)
            self._on_pipe[context.request_id] = expected
            if len(self._on_pipe) > MAX_EXPECTED:
                del self._on_pipe[next(iter(self._on_pipe))]

    def use_pipe(self) -> None:
        """Expect calls of `sent` for what goes through this server's pipe."""
        self._piped = True

    def sent(self, text: str) -> None:
        """Take a message that was written to the pipe just now."""
        if self._on_pipe and (request_id := answered(text)) is not None:
            for expected in self._on_pipe.pop(request_id, ()):
                self._wrote(expected)
        if self._notified:
            self._notified = [each for each in self._notified if not self._wrote_if(each, text)]

    async def settled(self, caller: Caller, message: str) -> None:
        """Return when all deliveries of this question to this caller so far are recorded.

        The message tells it from others: they get no outcome that it could get, so they don't wait.
        """
        for expected, recorded in list(self._unrecorded.items()):
            if expected.handoff.caller == caller and expected.handoff.question.message == message:
                await recorded.wait()

    async def finish(self) -> None:
        """Record the remaining deliveries before the process ends, if the store is available."""
        with anyio.move_on_after(FINISH_SECONDS, shield=True):
            for recorded in list(self._unrecorded.values()):
                await recorded.wait()

    def wrapped(self, app: ASGIApp) -> "Written":
        """Return an ASGI application with `Written` before it."""
        return Written(app, self._wrote, self._wrote_if)

    def _wrote_if(self, expected: _Expected, text: str) -> bool:
        if not expected.is_in(text):
            return False
        self._wrote(expected)
        return True

    def _wrote(self, expected: _Expected) -> None:
        self._unrecorded[expected] = anyio.Event()
        if self._recording is None:
            # Outside of every task group, as it outlives the call; and with an empty context, as the call's names its
            # caller.
            loop, context = asyncio.get_running_loop(), contextvars.Context()
            self._recording = loop.create_task(self._record(), name="handoffs: record deliveries", context=context)

    async def _record(self) -> None:
        try:
            while self._unrecorded:
                expected, recorded = next(iter(self._unrecorded.items()))
                collect = partial(self._desk.collect, expected.handoff, tool_use=expected.tool_use)
                try:
                    await retry_while_unavailable(self._desk.clock, collect)
                except HandoffError as error:
                    logger.warning("%s was handed over, which is not recorded: %s", expected.handoff.id, error)
                finally:
                    recorded.set()
                    del self._unrecorded[expected]
        finally:
            self._recording = None


class Written:
    """ASGI middleware that sees which outcomes were written, in responses of both eras."""

    def __init__(
        self, app: ASGIApp, wrote: Callable[[_Expected], None], wrote_if: Callable[[_Expected, str], bool]
    ) -> None:
        """Take the app, and the functions to call for a written outcome."""
        self._app, self._wrote, self._wrote_if = app, wrote, wrote_if

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        response = scope[_SCOPE] = _Response(receive, send, self._look)
        return self._app(scope, receive, response.send)

    def _look(self, response: _Response, message: Message) -> None:
        body = cast("bytes", message.get("body", b""))
        # This does not wait for the end of the body: a client may close its stream as soon as it has read the answer,
        # and the stream of a cancelled call ends without an answer.
        whole = _ANSWER.search(body) is not None
        left: list[_Expected] = []
        for expected in response.expected:
            if expected.marks:
                with suppress(UnicodeDecodeError):
                    if self._wrote_if(expected, body.decode()):
                        continue
                left.append(expected)
            elif whole:
                self._wrote(expected)
            else:
                left.append(expected)
        response.expected = left
