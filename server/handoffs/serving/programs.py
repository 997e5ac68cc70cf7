"""The interface for programs on `serve --http`: behind the same tokens, names and limits as MCP."""

from collections.abc import Mapping

from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.auth.routes import build_resource_metadata_url
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.types import ASGIApp

from handoffs.access.admission import Admission
from handoffs.access.issuer import Issuer
from handoffs.access.signed import Refused, verified
from handoffs.access.unavailable import Unavailable
from handoffs.api.access_requests.binding import KeysUnavailable, NotVerified
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
    base: str,
) -> ASGIApp:
    """Return the application below `/v1` of the server at `base`.

    Without an `admission`, the user of this machine asks.
    """
    point = settings.decision_point
    app: ASGIApp = Api(
        desk,
        subject=current_user() if admission is None else None,
        keys=seal_keys(settings),
        limits=limits_of(settings),
        inbox=InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url),
        whose=WhoseDecision(config_file().with_name(POLICY), desk),
        checked=TransportSecurityMiddleware(security).validate_request,
        base=base,
        point=None if point is None else _DecisionPoint(Issuer(point, desk.clock, decision_point=True)),
    )
    if expiry is not None:
        app = Lapsing(expiry.before(app, methods=METHODS))
    if admission is None:
        return app
    resource = admission.auth.resource_server_url
    metadata = None if resource is None else build_resource_metadata_url(resource)
    return RequireAuthMiddleware(app, admission.auth.required_scopes or [], metadata)


class _DecisionPoint:
    """The decision point that the settings name, with the keys that it publishes."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    @property
    def url(self) -> str:
        return self._issuer.url

    async def claims(self, token: str, *, audience: str) -> Mapping[str, object]:
        try:
            signed = await verified(token, self._issuer, audience=audience, require=["iss", "aud"], check_times=False)
        except Refused as why:
            raise NotVerified(str(why)) from None
        except Unavailable as away:  # the reason is in the log
            raise KeysUnavailable from away
        return signed.claims
