"""The list of tools, made once for all requests: from 2026-07-28 every tool call over HTTP needs it.

The SDK's transport lists the tools before each call, to learn which arguments its headers must repeat; making and
checking the list costs as much as the call itself.
"""

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

from handoffs.mcp_server.callers.capabilities import MODERN


def made_once() -> ServerMiddleware[Any]:
    """Return a middleware that caches the list of tools, which never changes; stages outside of it remove tools."""
    kept: dict[str, Any] | None = None

    async def listed(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        nonlocal kept
        # The older era has a handshake first; and the SDK judges requests for a page (`cursor`).
        if ctx.protocol_version != MODERN or set(ctx.params or {}) - {"_meta"}:
            return await call_next(ctx)
        if kept is None:
            result = await call_next(ctx)
            if not isinstance(result, dict):
                return result
            kept = result
        return {**kept, "tools": list(kept["tools"])}

    return listed
