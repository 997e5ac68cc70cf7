"""Several middlewares in the place of one: each sees the requests that it is for, and no other.

A middleware stays on the stack of a request for as long as that takes, and a call may wait for hours beside a thousand
others. Those that have no business with a call don't wait with it, nor does what chooses them: it is no coroutine.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

Context: TypeAlias = ServerRequestContext[Any, Any]


class Stage(NamedTuple):
    """One middleware of a server, and the requests that it is for."""

    name: str
    middleware: ServerMiddleware[Any] | None
    """None where this server has no such middleware."""
    methods: Sequence[str] = ()
    """Empty for all, which only what stands outside of the SDK's own can be."""


OF_THE_SDK = Stage("the SDK", None)
"""The middlewares that the SDK adds by itself: telemetry, and what refuses state that it can't open."""


def chain(stages: Sequence[Stage], of_the_sdk: Sequence[ServerMiddleware[Any]]) -> list[ServerMiddleware[Any]]:
    """Return the middlewares of a server, outermost first, with the SDK's own where `OF_THE_SDK` stands."""
    at = stages.index(OF_THE_SDK)
    outside = [stage.middleware for stage in stages[:at] if stage.middleware is not None]
    inside = [(stage.middleware, stage.methods) for stage in stages[at + 1 :] if stage.middleware is not None]
    return [*outside, *of_the_sdk, by_method(*inside)]


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
