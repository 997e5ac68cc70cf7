"""The formats of a text: the words that tell a person what to enter, and the check."""

import re
from collections.abc import Callable
from datetime import date

from handoffs.core.moments import is_moment
from handoffs.core.sentences import say

HIDDEN = "password"
"""The format of a secret text: it is typed into the inbox, sealed, and never shown."""

DATE_TIME = "date-time"

_EMAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\".]+(\.[^\s@<>\".]+)+")


def _is_uri(text: str) -> bool:
    from urllib.parse import urlsplit  # most forms ask for no address

    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and not any(c.isspace() for c in text)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


FORMATS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "email": (say("an e-mail address, like ada@example.org"), lambda text: _EMAIL.fullmatch(text) is not None),
    "uri": (say("an address with its scheme, like https://example.org/page"), _is_uri),
    "date": (say("a date, like 2026-11-22"), _is_date),
    DATE_TIME: (say("a date and time, like 2026-11-22T19:30:00Z"), is_moment),
    HIDDEN: (say("a secret: it is kept sealed, and the agent never sees it"), lambda _: True),
}
