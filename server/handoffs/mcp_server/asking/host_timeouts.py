"""How long the calls of one session live, as far as its client has shown: by cancelling one because its time was up.

Clients say so in `notifications/cancelled`. The call is gone by then, and its agent was told of a time-out and of no
id. From then on this session's calls return PENDING sooner than that. A person who interrupts an agent teaches nothing.
"""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context

from handoffs.core.ports import Clock
from handoffs.mcp_server.callers.lru import BoundedCache

METHOD = "notifications/cancelled"

_TIME_OUT = re.compile(r"tim(?:ed|e)[ -]?out|timeout|deadline exceeded", re.IGNORECASE)
"""What the SDKs write as the reason: *timed out after 30.0s*, *Request timed out*."""

_PIPE = "pipe"


class _Call:
    __slots__ = ("dialog", "since")

    def __init__(self, since: float, *, dialog: bool) -> None:
        self.since, self.dialog = since, dialog


class HostTimeouts:
    """What the sessions of one server have shown."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing learned."""
        self._clock = clock
        self._calls: BoundedCache[tuple[str, str], _Call] = BoundedCache()
        self._lived: BoundedCache[tuple[str, bool], float] = BoundedCache()

    @contextmanager
    def call(self, context: Context, *, dialog: bool) -> Generator[None]:
        """Give a block in which a call waits, with or without a dialog of its host."""
        key = (_session_of(context.headers), str(context.request_id))
        self._calls[key] = _Call(self._clock.monotonic(), dialog=dialog)
        yield
        # One that is cancelled stays: the word that it was comes afterwards.
        self._calls.pop(key, None)

    def most(self, context: Context, *, dialog: bool) -> float | None:
        """Return how long a call of this session may wait; None where it has shown nothing."""
        lived = self._lived.get((_session_of(context.headers), dialog))
        # As much before the end as the way takes, and the store; of a very short life half.
        return None if lived is None else max(lived - max(1.0, lived / 10), lived / 2)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Learn from a call that was cancelled."""
        params: Mapping[str, Any] = ctx.params or {}
        headers: object = getattr(ctx.request, "headers", None)
        session = _session_of(cast("Mapping[str, str]", headers) if isinstance(headers, Mapping) else None)
        call = self._calls.pop((session, str(params.get("requestId"))), None)
        reason = params.get("reason")
        if call is not None and session and isinstance(reason, str) and _TIME_OUT.search(reason):
            lived = self._clock.monotonic() - call.since
            # A clock that runs while a dialog is open runs without one, too.
            for dialog in {call.dialog, False}:
                self._lived[session, dialog] = min(lived, self._lived.get((session, dialog), lived))
        return await call_next(ctx)


def _session_of(headers: Mapping[str, str] | None) -> str:
    """Return what tells a session apart; empty where there is none, and nothing can be learned for it."""
    return _PIPE if headers is None else headers.get("mcp-session-id", "")
