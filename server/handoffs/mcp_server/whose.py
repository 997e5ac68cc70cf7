"""Whose a request is. Everything that looks for the owner of a handoff asks here, anew for each request."""

from mcp.server.auth.middleware.auth_context import get_access_token

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
