"""The chain of middlewares: each sees only the requests that it handles.

A middleware stays on the stack of its request, and a thousand calls may wait for hours. So a middleware is skipped for
methods that it does not handle, and the function that chooses them is no coroutine: a waiting call carries no extra
frame.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

Context: TypeAlias = ServerRequestContext[Any, Any]


class Stage(NamedTuple):
    """One middleware of a server, and the methods that it handles."""

    name: str
    middleware: ServerMiddleware[Any] | None
    """None when this server does not need it."""
    methods: Sequence[str] = ()
    """Empty for all methods, which is possible only outside of the SDK's middlewares."""


OF_THE_SDK = Stage("the SDK", None)
"""The middlewares that the SDK adds itself: telemetry, and the one that refuses state it can't open."""


def chain(stages: Sequence[Stage], of_the_sdk: Sequence[ServerMiddleware[Any]]) -> list[ServerMiddleware[Any]]:
    """Return the middlewares of a server, outermost first, with the SDK's own where `OF_THE_SDK` stands."""
    at = stages.index(OF_THE_SDK)
    outside = [stage.middleware for stage in stages[:at] if stage.middleware is not None]
    inside = [(stage.middleware, stage.methods) for stage in stages[at + 1 :] if stage.middleware is not None]
    return [*outside, *of_the_sdk, by_method(*inside)]


def by_method(*each: tuple[ServerMiddleware[Any], Sequence[str]]) -> ServerMiddleware[Any]:
    """Return a middleware that passes each request through those for its method, the first outermost."""
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
    return only_when(lambda ctx: bool(ctx.params) and name in ctx.params, middleware)


def only_when(right: Callable[[Context], bool], middleware: ServerMiddleware[Any]) -> ServerMiddleware[Any]:
    """Return a middleware that sees only the requests of which `right` says so."""

    def chosen(ctx: Context, call_next: CallNext) -> Awaitable[HandlerResult]:
        return middleware(ctx, call_next) if right(ctx) else call_next(ctx)

    return _as_middleware(chosen)


def _serve(middleware: ServerMiddleware[Any], call_next: CallNext, ctx: Context) -> Awaitable[HandlerResult]:
    return middleware(ctx, call_next)


def _as_middleware(chosen: Callable[[Context, CallNext], Awaitable[HandlerResult]]) -> ServerMiddleware[Any]:
    # The SDK only awaits what a middleware returns; its type demands an `async def` without need.
    return cast("ServerMiddleware[Any]", chosen)
