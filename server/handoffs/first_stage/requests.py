"""The requests that a snapshot answers, and their keys: everything that the real server's reply depends on."""

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple, cast

from handoffs.first_stage.front import CLIENT_META, VERSION_META

LISTS = frozenset({"tools/list", "prompts/list", "resources/templates/list"})
PING = "ping"

MAX_CHARS = 16_384
"""The most characters of a request that is parsed. A client's first requests have some hundred."""

_META = frozenset({VERSION_META, CLIENT_META, "io.modelcontextprotocol/clientCapabilities"})


class Request(NamedTuple):
    """A request that a snapshot may answer."""

    id: str | int
    key: str


class Requests:
    """The requests of one pipe so far, as later replies depend on them."""

    def __init__(self) -> None:
        """Begin with a pipe without messages."""
        self._session: str | None = None  # the parameters of `initialize`
        self._initialized = False

    def next(self, text: str) -> Request | None:
        """Take the next message; return it if a snapshot may answer it, else None."""
        message = _parsed(text)
        if message is None:
            return None
        method, params, request_id = message.get("method"), message.get("params", {}), message.get("id")
        if method == "notifications/initialized":
            self._initialized = self._session is not None
        if isinstance(request_id, bool) or not isinstance(request_id, str | int) or not isinstance(params, dict):
            return None
        if not message.keys() <= {"jsonrpc", "id", "method", "params"} or message.get("jsonrpc") != "2.0":
            return None
        parts = self._depends_on(method, cast("dict[str, object]", params))
        return None if parts is None else Request(request_id, _digest(parts))

    def _depends_on(self, method: object, params: dict[str, object]) -> list[object] | None:
        """Return what the reply depends on; None if it must come from the real server."""
        if method == "initialize":
            if self._session is not None:
                return None  # another client on the same pipe
            self._session = json.dumps(params, sort_keys=True)
            return [method, params]
        meta = params.get("_meta")
        if isinstance(meta, Mapping) and VERSION_META in meta:
            if not params.keys() <= {"_meta"} or not cast("Mapping[str, object]", meta).keys() <= _META:
                return None
            return [method, params] if method == "server/discover" or method in LISTS else None
        if self._session is None or params:
            return None
        if method == PING:
            return [PING]
        return [method, self._session] if self._initialized and method in LISTS else None


def ping_key() -> str:
    """Return the key of a ping. Every server answers it with an empty result."""
    return _digest([PING])


def _parsed(text: str) -> dict[str, object] | None:
    if len(text) > MAX_CHARS:
        return None
    try:
        message = cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", message) if isinstance(message, dict) else None


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
