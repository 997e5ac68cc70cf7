"""What a request to `serve --http` passes, outermost first, and why it stands there.

Before all of this stand `Probes`, which answers whoever may not call, and `Entrance`, which serves before there is
anything to serve with: both are there when the server starts, and the rest once its store is.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.types import ASGIApp

from handoffs.mcp_server.sdk.http_sessions import IDLE_SECONDS, Sessions, sessions_before
from handoffs.mcp_server.sdk.stdio import StdioServer
from handoffs.mcp_server.token_expiry import TokenExpiry


class Layer(NamedTuple):
    """One part of the stack."""

    name: str
    before: Callable[[ASGIApp], ASGIApp] | None
    """Returns an application with this part before it; None where this server has no such part."""


OF_THE_SDK = Layer("the SDK", None)
"""Its authentication, its routes and the limit of a request's body, which it makes by itself."""


class McpApp(NamedTuple):
    """MCP over HTTP, as an application."""

    app: Starlette
    sessions: Sessions | None
    """Whoever serves the application runs its `sweep`; None where the SDK ends idle sessions by itself."""
    layers: tuple[Layer, ...]


def mcp_app(
    server: StdioServer,
    *,
    security: TransportSecuritySettings | None = None,
    challenges: Callable[[ASGIApp], ASGIApp] | None = None,
    expiry: TokenExpiry | None = None,
    idle_seconds: float = IDLE_SECONDS,
) -> McpApp:
    """Return the application of a server that is not serving yet.

    `challenges` stands before the SDK's refusals, and `expiry` ends streams with their tokens.
    """
    sessions: list[Sessions] = []

    def knowing_sessions(app: ASGIApp) -> ASGIApp:
        made = sessions_before(app, server.session_manager, idle_seconds=idle_seconds)
        if made is None:
            return app
        sessions.append(made)
        return made

    layers = (
        # Rewrites what the SDK's authentication answers, and says 503 where no token can be checked.
        Layer("challenges", challenges),
        # Sees each response as it is written, whichever route gave it: what is on the wire is handed over.
        Layer("deliveries", None if server.deliveries is None else server.deliveries.wrapped),
        OF_THE_SDK,
        # Counts a session as in use until its request is over, however that ends: so outside of what ends requests.
        Layer("sessions", knowing_sessions),
        # Needs the token that authentication found. Next to what serves a stream, whose end it must be.
        Layer("token expiry", None if expiry is None else expiry.before),
    )
    app = server.streamable_http_app(transport_security=security)
    at = layers.index(OF_THE_SDK)
    for layer in reversed(layers[:at]):
        if layer.before is not None:
            app.add_middleware(partial(_made, layer.before))
    limited = server.session_manager.asgi_app
    for layer in reversed(layers[at + 1 :]):
        if layer.before is not None:
            limited.app = layer.before(limited.app)
    return McpApp(app, sessions[0] if sessions else None, layers)


def _made(before: Callable[[ASGIApp], ASGIApp], app: ASGIApp) -> ASGIApp:
    return before(app)
