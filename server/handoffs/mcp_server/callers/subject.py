"""The subject of a request. All code that checks the owner of a handoff asks here, for each request anew."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from handoffs.core.errors import HandoffError


class NotAuthenticated(HandoffError):
    """A request without a known caller has come to a server that requires one."""

    def __init__(self) -> None:
        super().__init__("The caller is not known, so nothing was done. Connect again, with a token.")


def subject_of_request(*, otherwise: str | None) -> str:
    """Return the subject that the request was authenticated for, or `otherwise` if requests are not authenticated.

    A session of the older era keeps the subject of its first request; the SDK lets no other caller into it.

    Raises:
        NotAuthenticated: There is neither.
    """
    token = get_access_token()
    subject = otherwise if token is None else token.subject
    if not subject:
        raise NotAuthenticated
    return subject


class Shown:
    """The token of a request, and whether it lapsed while the request was served."""

    __slots__ = ("lapsed", "token")

    def __init__(self, token: AccessToken) -> None:
        """Take the token that was valid when the request arrived."""
        self.token = token
        self.lapsed = False


shown: ContextVar[Shown | None] = ContextVar("shown", default=None)
"""The token of the request that is being served."""


def has_lapsed() -> bool:
    """Say whether the request ends because its token lapsed, and not because its host ended it."""
    request = shown.get()
    return request is not None and request.lapsed


def token_key(token: AccessToken) -> str:
    """Return a key that is equal for equal tokens: each request has a token object of its own."""
    return token.model_dump_json()


def token_of(scope: Mapping[str, Any]) -> AccessToken | None:
    """Return the token that authenticated an HTTP request, by its ASGI scope; None if none was required.

    In a session of the older era it may differ from the token of the first request.
    """
    user: object = scope.get("user")
    return user.access_token if isinstance(user, AuthenticatedUser) else None
