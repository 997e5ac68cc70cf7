"""Other ids in a message, all else byte for byte: where two clients that share a server use the same one at once."""

import json
import re
from typing import Final, TypeAlias, cast

Path: TypeAlias = tuple[str, ...]
"""The keys from the outermost object to a value."""

SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
"""Where a message of a stream names the request that has opened it."""

ID: Final[Path] = ("id",)
PROGRESS_ASKED: Final[Path] = ("params", "_meta", "progressToken")
PROGRESS_TOLD: Final[Path] = ("params", "progressToken")
STREAM_TOLD: Final[Path] = ("params", "_meta", SUBSCRIPTION)
STREAM_ENDED: Final[Path] = ("result", "_meta", SUBSCRIPTION)

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)


def replaced(line: bytes, path: Path, value: str) -> bytes:
    """Return a line of JSON whose string or number at a path is another; as it is where there is none."""
    opened: list[str | None] = []  # the key that each open object or list stands under; None in a list
    key: str | None = None
    before = b""
    for found in _TOKEN.finditer(line):
        token = found[0]
        if token in {b"{", b"["}:
            opened.append(key)
            key = None
        elif token in {b"}", b"]"}:
            opened.pop()
            key = None
        elif token == b":":
            key = cast("str", json.loads(before))
        elif token == b",":
            key = None
        elif key is not None and (*opened[1:], key) == path:
            return line[: found.start()] + value.encode() + line[found.end() :]
        before = token
    return line
