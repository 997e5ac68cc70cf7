"""Errors as problem details (RFC 9457): what is wrong, in words, and in which field."""

import json
import math
import re
from collections.abc import Mapping, Sequence

from starlette.responses import Response

from handoffs.core.errors import (
    AlreadyEnded,
    FileChanged,
    HandoffError,
    NotFound,
    NotProved,
    QuestionRefused,
    QuotaUsedUp,
    StoreError,
)  # fmt: skip
from handoffs.core.ports import Clock

KIND = "application/problem+json"

RETRY_SECONDS = 5

_TITLES = {
    400: "The request can't be read",
    401: "The token is no longer good",
    404: "Not found",
    405: "Not allowed here",
    409: "It does not go with what is there",
    410: "It has expired",
    413: "The body is too large",
    415: "The body is no JSON",
    422: "The request does not fit",
    429: "Too many questions",
    503: "Not available now",
}

_NAMED = re.compile(r"`(message|options|form|timeout_seconds)`")
_FIELDS = {"timeout_seconds": "timeoutSeconds"}


class Problem(Exception):
    """What is wrong with a request."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str = "",
        headers: Mapping[str, str] | None = None,
        kind: str = "about:blank",
    ) -> None:
        """Take what is said; `field` is the field of the body, or the parameter, that is wrong.

        `kind` is the URI of a type of problem that a specification names.
        """
        self.status, self.detail, self.field, self.headers = status, detail, field, dict(headers or {})
        self.kind = kind
        super().__init__(detail)

    def response(self) -> Response:
        """Return it as a response."""
        said: dict[str, object] = {
            "type": self.kind,
            "title": _TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
        }
        if self.field:
            said["errors"] = [{"field": self.field, "detail": self.detail}]
        # ASCII only: half of a character, as JSON may have it, has no UTF-8.
        return Response(json.dumps(said).encode(), self.status, headers=self.headers, media_type=KIND)


def problem_of(error: HandoffError, clock: Clock) -> Problem:
    """Return what an error of the desk means to a caller."""
    match error:
        case QuestionRefused():
            named = _NAMED.search(str(error))
            field = named[1] if named is not None else "form"
            return Problem(422, str(error), field=_FIELDS.get(field, field))
        case QuotaUsedUp():
            seconds = None if error.again_at is None else (error.again_at - clock.now()).total_seconds()
            return Problem(429, str(error), headers={"retry-after": str(max(1, math.ceil(seconds or RETRY_SECONDS)))})
        case NotFound():
            return Problem(404, "There is no handoff with this id that this token has asked.")
        case AlreadyEnded() | FileChanged() | NotProved():
            return Problem(409, str(error))
        case StoreError():
            return Problem(
                503,
                "The store can't be used now. Nothing is known to have changed: try again with the same key.",
                headers={"retry-after": str(RETRY_SECONDS)},
            )
        case _:
            return Problem(422, str(error))


def unknown_fields(given: Mapping[str, object], known: Sequence[str]) -> None:
    """Return if a body has known fields alone. Raises Problem."""
    for name in given:
        if name not in known:
            raise Problem(422, f"There is no such field; there are {', '.join(known)}.", field=name[:100])
