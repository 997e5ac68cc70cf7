"""Several middlewares in the place of one: each sees the requests that it is for, and no other.

A middleware stays on the stack of a request for as long as that takes, and a call may wait for hours beside a thousand
others. Those that have no business with a call don't wait with it, nor does what chooses them: it is no coroutine.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

Context: TypeAlias = ServerRequestContext[Any, Any]


def by_method(*each: tuple[ServerMiddleware[Any], Sequence[str]]) -> ServerMiddleware[Any]:
    """Return a middleware that hands each request to those for its method, the first of them outermost."""
    of: dict[str, list[ServerMiddleware[Any]]] = {}
    for middleware, methods in reversed(each):
        for method in methods:
            of.setdefault(method, []).append(middleware)

    def chosen(ctx: Context, call_next: CallNext) -> Awaitable[HandlerResult]:
        for middleware in of.get(ctx.method, ()):
            call_next = partial(_serve, middleware, call_next)
        return call_next(ctx)

    return _as_middleware(chosen)


def only_with(name: str, middleware: ServerMiddleware[Any]) -> ServerMiddleware[Any]:
    """Return a middleware that sees only the requests that have a parameter of this name."""

    def chosen(ctx: Context, call_next: CallNext) -> Awaitable[HandlerResult]:
        return middleware(ctx, call_next) if ctx.params and name in ctx.params else call_next(ctx)

    return _as_middleware(chosen)


def _serve(middleware: ServerMiddleware[Any], call_next: CallNext, ctx: Context) -> Awaitable[HandlerResult]:
    return middleware(ctx, call_next)


def _as_middleware(chosen: Callable[[Context, CallNext], Awaitable[HandlerResult]]) -> ServerMiddleware[Any]:
    # The SDK awaits what a middleware returns; that it must come of an `async def` is only how it is written there.
    return cast("ServerMiddleware[Any]", chosen)
