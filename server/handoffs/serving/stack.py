"""The ASGI stack of `serve --http`: its layers, outermost first, and the reason for their order.

Outside of it are `Probes`, which needs no authentication, and `StartupGate`, which answers before the store is
available. Both exist when the server starts; the layers are built once the store is available.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from handoffs.mcp_server.sdk.http_sessions import IDLE_SECONDS, MAX_IDLE, Sessions, sessions_before
from handoffs.mcp_server.sdk.stdio import StdioServer
from handoffs.mcp_server.token_expiry import TokenExpiry


class Layer(NamedTuple):
    """One layer of the stack."""

    name: str
    before: Callable[[ASGIApp], ASGIApp] | None
    """Wraps an application in this layer; None when this server does not need it."""


OF_THE_SDK = Layer("the SDK", None)
"""The SDK's own authentication, routes and body limit."""


class McpApp(NamedTuple):
    """MCP over HTTP, as an application."""

    app: Starlette
    sessions: Sessions | None
    """The caller runs its `sweep` while the app is served; None if the SDK ends idle sessions itself."""
    layers: tuple[Layer, ...]


class AtFirstRequest:
    """An application that is made when it is first asked for something."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        """Take what makes it."""
        self._make = make
        self._app: ASGIApp | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request. No coroutine, so a request that waits has no frame here."""
        self._app = self._app or self._make()
        return self._app(scope, receive, send)


def mcp_app(
    server: StdioServer,
    *,
    security: TransportSecuritySettings | None = None,
    challenges: Callable[[ASGIApp], ASGIApp] | None = None,
    expiry: TokenExpiry | None = None,
    api: ASGIApp | None = None,
    idle_seconds: float = IDLE_SECONDS,
    most_idle: int = MAX_IDLE,
) -> McpApp:
    """Return the application of a server that does not serve yet.

    `api` is served below `/v1`, behind the outer layers. `challenges` rewrites the SDK's refusals, and `expiry` ends
    streams with their tokens.
    """
    sessions: list[Sessions] = []

    def ending_idle_sessions(app: ASGIApp) -> ASGIApp:
        made = sessions_before(app, server.session_manager, idle_seconds=idle_seconds, most_idle=most_idle)
        if made is None:
            return app
        sessions.append(made)
        return made

    layers = (
        # Rewrites the answers of the SDK's authentication, and answers 503 when no token can be checked.
        Layer("challenges", challenges),
        # Sees each response of every route as it is written: an outcome on the wire is handed over.
        Layer("deliveries", None if server.deliveries is None else server.deliveries.wrapped),
        OF_THE_SDK,
        # Counts a session as in use until its request ends in any way: so outside of the layer that ends requests.
        Layer("sessions", ending_idle_sessions),
        # Needs the token that authentication found. Innermost, since it must end streams directly.
        Layer("token expiry", None if expiry is None else expiry.before),
    )
    app = server.streamable_http_app(transport_security=security)
    at = layers.index(OF_THE_SDK)
    for layer in reversed(layers[:at]):
        if layer.before is not None:
            app.add_middleware(partial(made, layer.before))
    limited = server.session_manager.asgi_app
    if api is not None:
        below = Mount("/v1", app=api)
        below.path_regex = re.compile(below.path_regex.pattern, re.DOTALL)  # also a path with a line break in it
        app.router.routes.append(below)
    for layer in reversed(layers[at + 1 :]):
        if layer.before is not None:
            limited.app = layer.before(limited.app)
    return McpApp(app, sessions[0] if sessions else None, layers)


def made(before: Callable[[ASGIApp], ASGIApp], app: ASGIApp) -> ASGIApp:
    """Return a layer before `app`, as Starlette wants middlewares to be made: inside of its answers to errors."""
    return before(app)
