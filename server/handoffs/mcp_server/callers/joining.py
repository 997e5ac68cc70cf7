"""The questions that a call may join: its caller's in other sessions only if one person is behind the client.

Behind a gateway many people look like one caller. A question or answer of one of them must not reach another's agent
because both asked in the same words. So a client that is a gateway, or that has a library's name which any program may
carry, joins only open questions of its own pipe or session. It gets an ended question, or one of another session, only
by the handoff's id, which can't be guessed, or as the same tool use, sent again. No list names them.

`HANDOFFS_JOIN=off` does the same for every client.
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
    """Say whether several people's agents may be behind a client's name."""
    return not client or host_named(client).is_shared


class Joining:
    """Says which questions a call may join, on one server."""

    def __init__(self, front: Front, *, everyone: bool = True) -> None:
        """Take the front of the pipe, and whether `everyone` but gateways may join across sessions."""
        self._front, self._everyone = front, everyone
        self._pipe = secrets.token_hex(16)

    def is_shared(self, context: Context) -> bool:
        """Say whether several clients share the pipe of this call, so that no dialog is private."""
        return self._front.shared and context.headers is None

    def session_of(self, context: Context) -> str:
        """Return the `Handoff.session` for a question of this call; empty when all calls of its caller may join it."""
        if self.is_shared(context):
            return f"{GATEWAY}{secrets.token_hex(16)}"
        isolation = self._isolation(context.request_context)
        if isolation is None:
            return ""
        if context.headers is None:
            return f"{isolation}{self._pipe}"
        named = context.headers.get("mcp-session-id", "") if context.protocol_version != MODERN else ""
        # A session's id is a credential: the store gets its digest.
        digest = hashlib.sha256(named.encode(errors="replace")).hexdigest()[:32]
        return f"{isolation}{digest if named else secrets.token_hex(16)}"

    @property
    def lists(self) -> bool:
        """Whether the request that is being served may list its caller's handoffs."""
        return not _apart.get()

    async def note(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a request of `LISTING`, and note whether it may list: a middleware."""
        shared = self._front.shared and getattr(ctx.request, "headers", None) is None
        token = _apart.set(shared or self._isolation(ctx) is not None)
        try:
            return await call_next(ctx)
        finally:
            _apart.reset(token)

    def _isolation(self, ctx: ServerRequestContext[Any, Any]) -> str | None:
        """Return the prefix of a session that others can't join; None when the client may join across sessions."""
        client = ctx.session.client_params
        if is_gateway(client.client_info.name if client is not None else ""):
            return GATEWAY
        return None if self._everyone else APART
