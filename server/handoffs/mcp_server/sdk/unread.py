"""Requests that the SDK can't read: it drops such a line without a word, and its client would wait for ever."""

import json
import re
from typing import cast

from mcp.types import jsonrpc_message_adapter

_DEEP = 100
"""From so many brackets on, a line may be nested deeper than the SDK reads."""

# Half of a character, and numbers that are none: all else that JSON readers disagree on is read by both.
_ODD = re.compile(r"\\u[dD][89a-fA-F]|NaN|Infinity|\d{400}")

_WORDS = (
    "This request can't be read, so nothing was done: it holds half of a character (a lone surrogate), a number that "
    "is none, or is nested too deeply. Send valid JSON in Unicode."
)


def unread(line: str) -> str | None:
    """Return the error that answers a request which the SDK would drop; None for all other lines."""
    if _ODD.search(line) is None and line.count("[") + line.count("{") < _DEEP:
        return None
    try:
        jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return _refused(line)
    return None


def _refused(line: str) -> str | None:
    try:
        request = cast("object", json.loads(line, parse_int=_whole))
    except (ValueError, RecursionError):
        return None  # whose answer it would be is not known
    if not isinstance(request, dict):
        return None
    found = cast("dict[str, object]", request)
    name = found.get("id")
    if not isinstance(found.get("method"), str) or isinstance(name, bool) or not isinstance(name, int | str):
        return None
    return json.dumps({"jsonrpc": "2.0", "id": name, "error": {"code": -32700, "message": _WORDS}})


def _whole(digits: str) -> int:
    return int(digits) if len(digits) < _DEEP else 0  # Python reads no number of thousands of digits
