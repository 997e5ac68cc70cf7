"""The list of tools, made once for all who ask: from 2026-07-28 that is every call of a tool over HTTP.

There the SDK's transport lists the tools before each call, to learn which arguments its headers must repeat; and to
make and check the list costs as much as the call itself.
"""

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

from handoffs.mcp_server.callers.capabilities import MODERN


def made_once() -> ServerMiddleware[Any]:
    """Return what keeps the list of a server whose tools never change; what is left out for whom stands before it."""
    kept: dict[str, Any] | None = None

    async def listed(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        nonlocal kept
        # In the older era there is a handshake first, and a request for a page (`cursor`) is the SDK's to judge.
        if ctx.protocol_version != MODERN or set(ctx.params or {}) - {"_meta"}:
            return await call_next(ctx)
        if kept is None:
            result = await call_next(ctx)
            if not isinstance(result, dict):
                return result
            kept = result
        return {**kept, "tools": list(kept["tools"])}

    return listed
