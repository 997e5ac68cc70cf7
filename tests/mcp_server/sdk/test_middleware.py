"""Middlewares that see only what they are for."""

from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

from handoffs.mcp_server.sdk.middleware import by_method, only_with


class Request:
    """As much of a request as chooses a middleware."""

    def __init__(self, method: str, **params: object) -> None:
        self.method, self.params = method, params or None


def named(name: str) -> ServerMiddleware[Any]:
    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        return {"by": [name, *cast("dict[str, list[str]]", result)["by"]]}

    return middleware


async def served(middleware: ServerMiddleware[Any], request: Request) -> object:
    async def handler(ctx: ServerRequestContext[Any, Any]) -> HandlerResult:
        return {"by": [ctx.method]}

    return cast("dict[str, Any]", await middleware(cast("Any", request), handler))["by"]


async def test_each_sees_its_methods_and_the_first_is_outermost() -> None:
    middleware = by_method((named("a"), ("x", "y")), (named("b"), ("y",)), (named("c"), ("x", "y")))
    assert await served(middleware, Request("x")) == ["a", "c", "x"]
    assert await served(middleware, Request("y")) == ["a", "b", "c", "y"]
    assert await served(middleware, Request("z")) == ["z"]


async def test_one_for_a_parameter_sees_only_what_has_it() -> None:
    middleware = only_with("state", named("a"))
    assert await served(middleware, Request("x", state="s")) == ["a", "x"]
    assert await served(middleware, Request("x", other="s")) == ["x"]
    assert await served(middleware, Request("x")) == ["x"]
