"""The ASGI stack of `gate --http`: the layers of `stack.py`, without the SDK's server in their middle.

Outside of it are `Probes` and `StartupGate`, as there.
"""

from collections.abc import Callable
from functools import partial

from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from handoffs.access.admission import Admission
from handoffs.mcp_server.token_expiry import TokenExpiry
from handoffs.serving.stack import made


def gate_app(
    front: ASGIApp,
    *,
    security: TransportSecuritySettings,
    admission: Admission | None,
    challenges: Callable[[ASGIApp], ASGIApp],
    expiry: TokenExpiry | None,
) -> Starlette:
    """Return the application that serves `front` to callers who are let in; without an `admission`, to everybody.

    `challenges` rewrites refusals, and `expiry` ends requests with their tokens: also calls that wait for a person.
    """
    if admission is None or expiry is None:
        return Starlette(routes=[Route("/mcp", _Reachable(front, security))])
    auth = admission.auth
    served = _Reachable(expiry.before(front, methods=("GET", "POST")), security)
    resource = auth.resource_server_url
    metadata = None if resource is None else build_resource_metadata_url(resource)
    routes = [Route("/mcp", RequireAuthMiddleware(served, auth.required_scopes or [], metadata))]
    if resource is not None:
        routes += create_protected_resource_routes(
            resource_url=resource, authorization_servers=[auth.issuer_url], scopes_supported=auth.required_scopes
        )
    authentication = Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(admission.verifier))
    app = Starlette(routes=routes, middleware=[authentication])
    # Outermost: rewrites the refusals of authentication, and answers 503 when no token can be checked.
    app.add_middleware(partial(made, challenges))
    return app


class _Reachable:
    """Refuses the names of Host and Origin that this server does not have, against DNS rebinding."""

    def __init__(self, app: ASGIApp, settings: TransportSecuritySettings) -> None:
        self._app, self._security = app, TransportSecurityMiddleware(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = await self._security.validate_request(Request(scope), is_post=scope["method"] == "POST")
        await (self._app if refused is None else refused)(scope, receive, send)
