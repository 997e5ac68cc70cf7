"""The headers that say again what is in a message, from 2026-07-28 on: servers refuse a message that they don't match.

They are made from the bytes that are sent, after every change, so what routes a call is what runs.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final

from handoffs.gate.relay.message import Message, Number, Value

MODERN: Final = "2026-07-28"
"""The version of MCP from which there are no sessions, and a call returns to have its client asked."""

VERSION_META: Final = "io.modelcontextprotocol/protocolVersion"

VERSION_HEADER, SESSION_HEADER, LAST_EVENT_HEADER = "mcp-protocol-version", "mcp-session-id", "last-event-id"

_NAMED = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
_MARK = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_CODED = re.compile(r"=\?base64\?.*\?=")
_TYPES = frozenset({"string", "integer", "boolean"})


def version_of(message: Message) -> str:
    """Return the version of MCP that a message names itself; empty where it names none that a header can hold."""
    version = _mapping(message.params.get("_meta")).get(VERSION_META)
    return version if isinstance(version, str) and is_plain(version) else ""


def is_plain(value: str) -> bool:
    """Say whether a header holds this as it is."""
    return bool(value) and value == value.strip() and _PLAIN.fullmatch(value) is not None


class RequestHeaders:
    """The headers of the requests of one session, which depend on the tools that its server has listed."""

    def __init__(self) -> None:
        """Know no tool."""
        self._tools: dict[str, Mapping[tuple[str, ...], str]] = {}

    def learn(self, listed: bytes) -> None:
        """Take a response to `tools/list`."""
        if not self._tools and _MARK.encode() not in listed:
            return
        tools = _mapping(Message(listed).body.get("result")).get("tools")
        for tool in tools if isinstance(tools, list) else ():
            found = _mapping(tool)
            if isinstance(name := found.get("name"), str):
                self._tools[name] = dict(_marked(found.get("inputSchema"), ()))

    def of(self, message: Message) -> dict[str, str]:
        """Return the headers of a request."""
        headers = {"mcp-method": _written(message.method or "")}
        named = message.params.get(_NAMED.get(message.method or "", ""))
        if isinstance(named, str):
            headers["mcp-name"] = _written(named)
        if message.method == "tools/call" and isinstance(named, str):
            arguments = message.params.get("arguments")
            for path, token in self._tools.get(named, {}).items():
                if (text := _text(_at(arguments, path))) is not None:
                    headers[f"mcp-param-{token}"] = _written(text)
        return headers


def _marked(schema: Value, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the arguments that a header says again, and its name."""
    left = [(path, schema)]
    while left:
        path, here = left.pop()
        found = _mapping(here)
        token = found.get(_MARK)
        if path and isinstance(token, str) and _TOKEN.fullmatch(token) and found.get("type") in _TYPES:
            yield path, token
        left += [((*path, name), each) for name, each in _mapping(found.get("properties")).items()]


def _at(arguments: Value, path: tuple[str, ...]) -> Value:
    for key in path:
        arguments = _mapping(arguments).get(key)
    return arguments


def _text(value: Value) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return value.text
    return value if isinstance(value, str) else None


def _written(value: str) -> str:
    """Return a value as a header holds it: in base64 where it would not come through."""
    if value == value.strip() and _PLAIN.fullmatch(value) and not _CODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'replace')).decode()}?="


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}
