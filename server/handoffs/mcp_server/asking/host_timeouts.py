"""Hosts' time-outs, learned for each session from the calls that its client cancels because of one.

Clients give the reason in `notifications/cancelled`. That call has ended, and its agent has no handoff id. Later calls
of the session return PENDING before that time-out. A call that a person interrupts teaches nothing.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TypeAlias, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context

from handoffs.core.ports import Clock
from handoffs.mcp_server.callers.lru import BoundedCache

METHOD = "notifications/cancelled"

_TIME_OUT = re.compile(r"tim(?:ed|e)[ -]?out|timeout|deadline exceeded", re.IGNORECASE)
"""Matches the reasons that the SDKs write: *timed out after 30.0s*, *Request timed out*."""

_PIPE = "pipe"

_Key: TypeAlias = tuple[str, str]
"""A session, and the id of a request in it."""


class _Call:
    __slots__ = ("dialog", "since")

    def __init__(self, since: float, *, dialog: bool) -> None:
        self.since, self.dialog = since, dialog


class TimedCall:
    """A block in which one call waits. A class: a generator would keep a frame more for each of a thousand calls."""

    __slots__ = ("_calls", "_key")

    def __init__(self, calls: BoundedCache[_Key, _Call], key: _Key) -> None:
        self._calls, self._key = calls, key

    def __enter__(self) -> None:
        """Begin: the call is in the table already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget the call. A cancelled one stays in the table: its notification comes afterwards."""
        if kind is None:
            self._calls.pop(self._key, None)


class HostTimeouts:
    """The time-outs of the sessions of one server."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing learned."""
        self._clock = clock
        self._calls: BoundedCache[_Key, _Call] = BoundedCache()
        self._lifetimes: BoundedCache[tuple[str, bool], float] = BoundedCache()

    def call(self, context: Context, *, dialog: bool) -> "TimedCall":
        """Return a block in which a call is timed, with or without a dialog of its host."""
        key = (_session_of(context.headers), str(context.request_id))
        self._calls[key] = _Call(self._clock.monotonic(), dialog=dialog)
        return TimedCall(self._calls, key)

    def most(self, context: Context, *, dialog: bool) -> float | None:
        """Return how long a call of this session may wait, in seconds; None when no time-out is known."""
        lifetime = self._lifetimes.get((_session_of(context.headers), dialog))
        # The margin covers the transport and the store; it is at most half of a very short time-out.
        return None if lifetime is None else max(lifetime - max(1.0, lifetime / 10), lifetime / 2)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Learn from a cancelled call."""
        params: Mapping[str, Any] = ctx.params or {}
        headers: object = getattr(ctx.request, "headers", None)
        session = _session_of(cast("Mapping[str, str]", headers) if isinstance(headers, Mapping) else None)
        call = self._calls.pop((session, str(params.get("requestId"))), None)
        reason = params.get("reason")
        if call is not None and session and isinstance(reason, str) and _TIME_OUT.search(reason):
            lifetime = self._clock.monotonic() - call.since
            # A time-out that counts while a dialog is open counts without a dialog, too.
            for dialog in {call.dialog, False}:
                self._lifetimes[session, dialog] = min(lifetime, self._lifetimes.get((session, dialog), lifetime))
        return await call_next(ctx)


def _session_of(headers: Mapping[str, str] | None) -> str:
    """Return the key of a session; empty for a request without a session, for which nothing is learned."""
    return _PIPE if headers is None else headers.get("mcp-session-id", "")
