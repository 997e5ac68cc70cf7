"""Reading the forms that pages send, with limits on their size."""

import hmac
import json
from collections.abc import Mapping
from typing import cast
from urllib.parse import parse_qsl

from starlette.requests import Request

from handoffs.core.attachment import BOUNDS, MAX_BYTES
from handoffs.core.sentences import say

CHANNEL = "inbox"
"""The channel of what is decided on a page."""

NOTHING, NO_QUESTION = say("There is nothing here."), say("There is no such question in this inbox.")

MAX_BODY = 1_048_576
"""The most bytes of a form."""

MAX_UPLOAD = MAX_BODY + MAX_BYTES
"""The most bytes of a form with files."""

_MAX_DISCARDED = 33_554_432  # so that whoever sends a form that is too large reads why

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
    check_token(request, "".join(form.pop("csrf", [])))
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
    check_token(request, text_in(posted, "csrf"))


def check_token(request: Request, token: str) -> None:
    """Check the CSRF token of a form. Raises Unreadable: it is none, or another session's."""
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


def is_upload(request: Request) -> bool:
    """Say whether a request posts a form with files to where one is taken: what a person says to a question."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "multipart/form-data" and request.url.path.startswith("/h/")


async def body_of(request: Request) -> bytearray:
    """Return what was posted. Raises Unreadable: too large; of that, no more is kept than is taken."""
    upload = is_upload(request)
    most, body, gone = MAX_UPLOAD if upload else MAX_BODY, bytearray(), 0
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            gone += len(body)
            body = bytearray()
            most = 0
            if gone > _MAX_DISCARDED:
                break
    if gone and upload:
        raise Unreadable(413, say("This is too large: an answer takes {bounds}. Nothing was recorded.", bounds=BOUNDS))
    if gone:
        raise Unreadable(413, say("This is too large: an answer takes one megabyte at the most. Nothing was recorded."))
    return body
