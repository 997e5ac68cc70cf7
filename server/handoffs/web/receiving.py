"""Reading the forms that pages send, with limits on their size."""

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

CHANNEL = "inbox"
"""The channel of what is decided on a page."""

MAX_BODY = 1_048_576
"""The most bytes of a form."""

_MAX_NAMES = 1_000


class Unreadable(Exception):
    """The request has no valid form; `status` is the HTTP status of the response."""

    def __init__(self, status: int, said: str) -> None:
        self.status = status
        super().__init__(said)


async def posted_form(request: Request) -> Mapping[str, list[str]]:
    """Return a form that has the CSRF token of its session, without that token.

    Raises:
        Unreadable: It is too large, of another type, malformed, or has no token or another session's.
    """
    form = await any_form(request)
    token = "".join(form.pop("csrf", [])).encode(errors="replace")
    if not hmac.compare_digest(token, str(request.state.csrf).encode()):
        raise Unreadable(403, "This page is older than your sign-in: load it again. Nothing was recorded.")
    return form


async def any_form(request: Request) -> dict[str, list[str]]:
    """Return a form without a check of the sender. Raises Unreadable: too large, of another type, or malformed."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Unreadable(415, "Send a form: application/x-www-form-urlencoded.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Unreadable(413, "This is too large: an answer takes one megabyte at the most. Nothing was recorded.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_NAMES, errors="strict", encoding="utf-8"
        )
    except ValueError:  # or UnicodeDecodeError, a subclass
        raise Unreadable(400, "This is no form that can be read. Nothing was recorded.") from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form
