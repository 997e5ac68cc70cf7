"""Takes trace context away that is no text, before the SDK reads it: in mcp 2.1, `baggage: 5` ends the call."""

from dataclasses import replace
from typing import cast

from mcp.server.context import CallNext, HandlerResult
from mcp.types import RequestParamsMeta

from handoffs.mcp_server.sdk.middleware import Context

KEYS = ("traceparent", "tracestate", "baggage")
"""The keys of SEP-414, which W3C Trace Context and Baggage name."""


def has_odd_context(ctx: Context) -> bool:
    """Say whether a request has trace context that no program of a trace can have written."""
    meta = cast("dict[str, object]", ctx.meta or {})
    return any(name in meta and not isinstance(meta[name], str) for name in KEYS)


async def without_odd_context(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Serve the request without it."""
    meta = cast("dict[str, object]", ctx.meta or {})
    kept = {name: value for name, value in meta.items() if name not in KEYS or isinstance(value, str)}
    return await call_next(replace(ctx, meta=cast("RequestParamsMeta", kept)))
