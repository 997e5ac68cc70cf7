"""What a line is and which id it has, mostly without parsing it: a result may have a megabyte.

For the gate's bookkeeping of what waits for a reply, not for decisions: a line that can't be told apart is none. The
official SDKs write the id first (Python, Go, Rust) or last (TypeScript); where a line does neither, it is parsed.
"""

import json
import re
from typing import NamedTuple, cast

_ID = rb'("[^"\\]*(?:\\.[^"\\]*)*"|-?\d+)'
_FIRST = re.compile(rb'\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*' + _ID + rb'\s*,\s*"(method|result|error)"\s*:')
_LAST = re.compile(rb'[,{]\s*"id"\s*:\s*' + _ID + rb"\s*\}\s*\Z")
_NOTIFICATION = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"method"\s*:\s*"notifications/')
_BEGINS = re.compile(rb'\s*\{\s*"(method|result|error)"\s*:')
_TAIL = 512


class Outline(NamedTuple):
    """A request or a response."""

    id: str
    """Its JSON, as in `message.Id.text`."""
    is_response: bool


def outline(line: bytes) -> Outline | None:
    """Return what a line is; None where it is neither request nor response."""
    if (first := _FIRST.match(line)) is not None:
        return Outline(_text(first[1]), first[2] != b"method")
    if _NOTIFICATION.match(line):
        return None
    begins = _BEGINS.match(line)
    if begins is not None and (last := _LAST.search(line, max(0, len(line) - _TAIL))) is not None:
        return Outline(_text(last[1]), begins[1] != b"method")
    return _parsed(line) if b'"id"' in line else None


def is_whole(text: bytes) -> bool:
    """Say whether a text that no newline ends is a message or a batch, and not only the beginning of one."""
    try:
        value = cast("object", json.JSONDecoder(strict=False).decode(text.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict | list)


def begins_response(head: bytes) -> str | None:
    """Return the id of the request that a line answers, where its beginning says so."""
    first = _FIRST.match(head)
    return None if first is None or first[2] == b"method" else _text(first[1])


def _parsed(line: bytes) -> Outline | None:
    try:
        value = cast("object", json.loads(line))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    found = cast("dict[str, object]", value)
    made = found.get("id")
    if isinstance(made, bool) or not isinstance(made, str | int):
        return None
    return Outline(json.dumps(made), "method" not in found)


def _text(token: bytes) -> str:
    if b"\\" not in token and token.isascii():
        return token.decode()
    try:
        return json.dumps(json.loads(token))
    except ValueError:
        return token.decode("ascii", "replace")
