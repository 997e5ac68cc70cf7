"""Reading the forms that pages send, with limits on their size."""

import hmac
import json
from collections.abc import Mapping
from typing import cast
from urllib.parse import parse_qsl

from starlette.requests import Request

from handoffs.core.sentences import say

CHANNEL = "inbox"
"""The channel of what is decided on a page."""

NOTHING, NO_QUESTION = say("There is nothing here."), say("There is no such question in this inbox.")

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
    _check_token(request, "".join(form.pop("csrf", [])))
    return form


async def posted_json(request: Request) -> Mapping[str, object]:
    """Return the JSON object that a script sent, without a check of the sender. Raises Unreadable."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Unreadable(415, say("Send JSON: application/json."))
    try:
        posted: object = json.loads(await body_of(request))
    except (ValueError, RecursionError):
        posted = None
    if not isinstance(posted, dict):
        raise Unreadable(400, say("This can't be read. Nothing was recorded."))
    return cast("Mapping[str, object]", posted)


def text_in(posted: Mapping[str, object], name: str) -> str:
    """Return a text of a JSON object; empty where it is none."""
    text = posted.get(name)
    return text if isinstance(text, str) else ""


def check_csrf(request: Request, posted: Mapping[str, object]) -> None:
    """Check that a JSON object has the CSRF token of its session. Raises Unreadable: it has none, or another's."""
    _check_token(request, text_in(posted, "csrf"))


def _check_token(request: Request, token: str) -> None:
    if not hmac.compare_digest(token.encode(errors="replace"), str(request.state.csrf).encode()):
        raise Unreadable(403, say("This page is older than your sign-in: load it again. Nothing was recorded."))


async def any_form(request: Request) -> dict[str, list[str]]:
    """Return a form without a check of the sender. Raises Unreadable: too large, of another type, or malformed."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Unreadable(415, say("Send a form: application/x-www-form-urlencoded."))
    body = await body_of(request)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_NAMES, errors="strict", encoding="utf-8"
        )
    except ValueError:  # or UnicodeDecodeError, a subclass
        raise Unreadable(400, say("This is no form that can be read. Nothing was recorded.")) from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


async def body_of(request: Request) -> bytearray:
    """Return what was posted. Raises Unreadable: too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Unreadable(
                413, say("This is too large: an answer takes one megabyte at the most. Nothing was recorded.")
            )
    return body
