"""In which order a request passes the parts of the server, over HTTP and within it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings

from handoffs.access.challenges import Challenges
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.sdk.http_sessions import Sessions
from handoffs.mcp_server.sdk.stdio import StdioServer
from handoffs.mcp_server.server import build_server
from handoffs.mcp_server.token_expiry import TokenExpiry
from handoffs.serving.stack import mcp_app
from tests.mcp_server.host import Table, table
from tests.mcp_server.signed_in import NameIsToken


class AllGood:
    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        return ()


def server_of(here: Table, expiry: TokenExpiry | None) -> StdioServer:
    auth = AuthSettings.model_validate({"issuer_url": "http://server", "resource_server_url": None})
    return build_server(
        here.desk, subject="ada", project="", keys=["k" * 32], state_seconds=60, draining=Shutdown(), expiry=expiry,
        auth=auth, token_verifier=NameIsToken(), card=lambda: cast("Any", None),
    )  # fmt: skip


async def test_the_middlewares_of_the_server_stand_in_this_order(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        expiry = TokenExpiry(AllGood(), here.clock)
        server = server_of(here, expiry)
    assert [stage.name for stage in server.stages] == [
        "token expiry", "keys", "trace context", "the SDK", "shutdown", "tasks", "subscriptions", "duplicate ids",
        "joining", "timeouts", "cards", "permission", "tools", "open handoffs", "files",
    ]  # fmt: skip
    assert all(stage.middleware is not None for stage in server.stages if stage.name != "the SDK")
    outermost, _, _, *of_the_sdk, _ = server.middleware
    assert outermost is expiry
    assert [type(each).__name__ for each in of_the_sdk] == ["OpenTelemetryMiddleware", "RequestStateBoundary"]


async def test_the_parts_of_the_application_over_http_stand_in_this_order(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        expiry = TokenExpiry(AllGood(), here.clock)
        server = server_of(here, expiry)
        made = mcp_app(server, challenges=Challenges, expiry=expiry)
    assert [layer.name for layer in made.layers] == ["challenges", "deliveries", "the SDK", "sessions", "token expiry"]
    # As Starlette will build it: ours outermost, the SDK's authentication within.
    built: Any = made.app.build_middleware_stack()
    names = list[str]()
    while (built := getattr(built, "app", None) or getattr(built, "_app", None)) is not None:
        names.append(type(built).__name__)
    assert names[:4] == ["Challenges", "Written", "AuthenticationMiddleware", "AuthContextMiddleware"]
    assert isinstance(server.session_manager.asgi_app.app, Sessions)


async def test_a_server_that_asks_for_no_token_has_no_part_for_tokens(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        made = mcp_app(server_of(here, None))
    assert [layer.name for layer in made.layers if layer.before is None] == ["challenges", "the SDK", "token expiry"]
