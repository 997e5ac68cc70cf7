"""What the headers of a request must say so that the gate takes it: what routes a call is what runs."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers

from handoffs.gate.relay.headers import MODERN, VERSION_HEADER, RequestHeaders, version_of
from handoffs.gate.relay.message import Message

HEADER_MISMATCH: Final = -32020


def is_modern(headers: Mapping[str, str], message: Message | None = None) -> bool:
    """Say whether a request is of a version of MCP that has no sessions."""
    named = headers.get(VERSION_HEADER, "") or ("" if message is None else version_of(message))
    return named >= MODERN


def mismatch(headers: Headers, message: Message, tools: RequestHeaders) -> str | None:
    """Say in words which header of a modern request is not what its body says; None where all are.

    One that is there twice must say it twice: what stands before the gate may go by the other.
    """
    expected = {VERSION_HEADER: version_of(message), **tools.of(message)}
    for name, value in expected.items():
        given = headers.getlist(name)
        if not given:
            return f"it has no header `{name}`"
        if any(_decoded(each) != _decoded(value) for each in given):
            return f"its header `{name}` is not what its body says"
    return None


def accepts(headers: Mapping[str, str], kind: str) -> bool:
    """Say whether a client takes this media type."""
    found = {each.partition(";")[0].strip().lower() for each in headers.get("accept", "").split(",")}
    return bool(found & {kind, "*/*", f"{kind.partition('/')[0]}/*"})


def _decoded(value: str) -> bytes:
    if value.startswith("=?base64?") and value.endswith("?="):
        try:
            return base64.b64decode(value[9:-2], validate=True)
        except (binascii.Error, ValueError):
            pass
    return value.strip().encode("utf-8", "replace")
