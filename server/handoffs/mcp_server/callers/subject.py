"""Whose a request is. Everything that looks for the owner of a handoff asks here, anew for each request."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from handoffs.core.errors import HandoffError


class NotAuthenticated(HandoffError):
    """A request that nobody knows the caller of has come where only known ones are served."""

    def __init__(self) -> None:
        super().__init__("Nobody knows who calls, so nothing was done. Connect again, with a token.")


def subject_of_request(*, otherwise: str | None) -> str:
    """Return the subject that the request was authenticated for, or `otherwise` where nobody authenticates.

    A session of the older era runs with what its first request showed; the SDK lets no other caller into it.

    Raises:
        NotAuthenticated: There is neither.
    """
    token = get_access_token()
    subject = otherwise if token is None else token.subject
    if not subject:
        raise NotAuthenticated
    return subject


class Shown:
    """The token that a request came with, and whether that was good for as long as the request lasted."""

    __slots__ = ("lapsed", "token")

    def __init__(self, token: AccessToken) -> None:
        """Take what was good when it came."""
        self.token = token
        self.lapsed = False


shown: ContextVar[Shown | None] = ContextVar("shown", default=None)
"""Of the request that is being served."""


def has_lapsed() -> bool:
    """Say whether the request is being ended for its token, and not by its host."""
    request = shown.get()
    return request is not None and request.lapsed


def token_key(token: AccessToken) -> str:
    """Return the same for all requests that showed the same token: each has been made an object of its own for it."""
    return token.model_dump_json()


def token_of(scope: Mapping[str, Any]) -> AccessToken | None:
    """Return what an HTTP request, by its ASGI scope, was let in by; None where nothing was asked of it.

    In a session of the older era it may be another than the one that its first request showed.
    """
    user: object = scope.get("user")
    return user.access_token if isinstance(user, AuthenticatedUser) else None
