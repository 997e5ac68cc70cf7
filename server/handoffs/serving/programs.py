"""The interface for programs on `serve --http`: behind the same tokens, names and limits as MCP."""

from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.auth.routes import build_resource_metadata_url
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.types import ASGIApp

from handoffs.access.admission import Admission
from handoffs.api.app import Api, Lapsing
from handoffs.assembly import current_user, limits_of, seal_keys
from handoffs.core.desk import Desk
from handoffs.mcp_server.token_expiry import TokenExpiry
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.serving.whose import WhoseDecision
from handoffs.settings import POLICY, Settings, config_file

METHODS = ("GET", "POST")


def programs_app(
    settings: Settings,
    desk: Desk,
    admission: Admission | None,
    *,
    security: TransportSecuritySettings,
    expiry: TokenExpiry | None,
) -> ASGIApp:
    """Return the application below `/v1`; without an `admission`, the user of this machine asks."""
    app: ASGIApp = Api(
        desk,
        subject=current_user() if admission is None else None,
        keys=seal_keys(settings),
        limits=limits_of(settings),
        inbox=InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url),
        whose=WhoseDecision(config_file().with_name(POLICY), desk),
        checked=TransportSecurityMiddleware(security).validate_request,
    )
    if expiry is not None:
        app = Lapsing(expiry.before(app, methods=METHODS))
    if admission is None:
        return app
    resource = admission.auth.resource_server_url
    metadata = None if resource is None else build_resource_metadata_url(resource)
    return RequireAuthMiddleware(app, admission.auth.required_scopes or [], metadata)
