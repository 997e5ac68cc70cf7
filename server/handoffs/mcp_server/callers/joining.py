"""Which questions of its caller a call may join: those of other sessions only where one person is behind the client.

Behind a gateway many people look like one caller. What one of them asked or was told must not reach another's agent by
the same words. So a client that is a gateway, or a library's name that any program carries, is kept to its own pipe or
session: there an identical call joins what is open. What has ended, and what other sessions asked, such a client gets
by the handoff's id, which can't be guessed, or as the same tool use, sent again. No list names it.

`HANDOFFS_JOIN=off` keeps every client so.
"""

import hashlib
import secrets
from contextvars import ContextVar
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context

from handoffs.core.model import APART, GATEWAY
from handoffs.first_stage.front import Front
from handoffs.hosts import host_named
from handoffs.mcp_server.callers.capabilities import MODERN

LISTING = ("resources/list", "resources/read", "completion/complete")
"""The methods that can name a caller's handoffs."""

_apart: ContextVar[bool] = ContextVar("apart", default=False)


def is_gateway(client: str) -> bool:
    """Say whether agents of several people may stand behind a client's name."""
    return not client or host_named(client).is_shared


class Joining:
    """Who may join what, on one server."""

    def __init__(self, front: Front, *, everyone: bool = True) -> None:
        """Take what has come through the pipe, and whether `everyone` but gateways may join across sessions."""
        self._front, self._everyone = front, everyone
        self._pipe = secrets.token_hex(16)

    def is_shared(self, context: Context) -> bool:
        """Say whether several clients have begun a session on the pipe of this call, so that no dialog is private."""
        return self._front.shared and context.headers is None

    def session_of(self, context: Context) -> str:
        """Return what `Handoff.session` a question of this call has; empty where all of its caller may join it."""
        if self.is_shared(context):
            return f"{GATEWAY}{secrets.token_hex(16)}"
        kept = self._kept(context.request_context)
        if kept is None:
            return ""
        if context.headers is None:
            return f"{kept}{self._pipe}"
        named = context.headers.get("mcp-session-id", "") if context.protocol_version != MODERN else ""
        # A session's id lets in whoever knows it: the store has a digest.
        digest = hashlib.sha256(named.encode(errors="replace")).hexdigest()[:32]
        return f"{kept}{digest if named else secrets.token_hex(16)}"

    @property
    def lists(self) -> bool:
        """Whether the request that is being served may be told which handoffs its caller has."""
        return not _apart.get()

    async def note(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve one of `LISTING`: the middleware that `lists` rests on."""
        shared = self._front.shared and getattr(ctx.request, "headers", None) is None
        token = _apart.set(shared or self._kept(ctx) is not None)
        try:
            return await call_next(ctx)
        finally:
            _apart.reset(token)

    def _kept(self, ctx: ServerRequestContext[Any, Any]) -> str | None:
        """Return the kind of session that the client of a request is kept to; None for none."""
        client = ctx.session.client_params
        if is_gateway(client.client_info.name if client is not None else ""):
            return GATEWAY
        return None if self._everyone else APART
