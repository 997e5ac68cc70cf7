"""The tools of the server behind, as it lists them: asked for by the gate itself, since no client need ask."""

import itertools
import json
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import anyio

from handoffs.gate.calls import protocol_meta, request
from handoffs.gate.client import Client
from handoffs.gate.relay.message import OURS, Message, Value
from handoffs.gate.written import mapping, sequence, written

MAX_PAGES = 200
"""A server that goes on for longer lists the same page again and again."""

LIST_SECONDS = 30.0
"""How long a server may take for one page."""

STALE_SECONDS = 60.0
"""How long a list counts where nobody need be told of a change: from 2026-07-28 on, a server tells those who listen."""


class Definitions:
    """The definitions of one session's tools."""

    def __init__(
        self,
        send: Callable[[str, bytes], Awaitable[Message | None]],
        seen: Callable[[Mapping[str, str]], Awaitable[None]],
        *,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        """Take what sends a request of ours to the server, and returns the response; None where none came.

        `seen` is called with the definitions by tool, as JSON, before anybody is told of them.
        """
        self._send, self._seen = send, seen
        self._tools: dict[str, str] = {}
        self._described: dict[str, Mapping[str, object]] = {}
        self._twice: set[str] = set()
        self._token = secrets.token_hex(16)  # in the ids of its requests, which no client shall guess
        self._numbers = itertools.count(1)
        self._loading = anyio.Lock()
        self._changes, self._seen_changes = 1, 0  # of the list, and of the one that is known
        self._stale_seconds, self._stale_at = stale_seconds, math.inf

    @property
    def known(self) -> bool:
        """Whether the server has listed its tools, and they need not be listed again."""
        return self._changes == self._seen_changes and anyio.current_time() < self._stale_at

    def forget(self) -> None:
        """Ask again when a definition is needed next: the server says that its list has changed."""
        self._changes += 1

    def of(self, tool: str) -> str:
        """Return the definition of a tool as JSON; empty where the server lists none, or two of this name."""
        return "" if tool in self._twice else self._tools.get(tool, "")

    def described(self, tool: str) -> Mapping[str, object]:
        """Return the definition of a tool as values; empty where the server lists none, or two of this name."""
        definition = self.of(tool)
        if definition and tool not in self._described:
            self._described[tool] = cast("Mapping[str, object]", json.loads(definition))
        return self._described[tool] if definition else {}

    async def load(self, client: Client, meta: Mapping[str, Value]) -> None:
        """Ask the server, where it has not listed its tools since the last change."""
        async with self._loading:
            if not self.known:
                changes = self._changes  # one that comes meanwhile is not in this list: the next call asks again
                stale_at = anyio.current_time() + self._stale_seconds if client.modern else math.inf
                tools = await self._listed(client, meta)
                # Of two tools of one name nobody knows which is meant: that is no definition, and another than before.
                await self._seen({tool: "" if tool in self._twice else each for tool, each in tools.items()})
                self._tools, self._described, self._seen_changes, self._stale_at = tools, {}, changes, stale_at

    async def _listed(self, client: Client, meta: Mapping[str, Value]) -> dict[str, str]:
        tools: dict[str, str] = {}
        twice: set[str] = set()
        cursors: set[str] = set()
        params: dict[str, Value] = {}
        if client.modern:
            params["_meta"] = protocol_meta(meta)
        for _ in range(MAX_PAGES):
            response = None
            with anyio.move_on_after(LIST_SECONDS):
                name = f"{OURS}{self._token} list {next(self._numbers)}"
                response = await self._send(name, request(name, "tools/list", params))
            if response is None or "result" not in response.body:
                break  # it has no tools, or can't say: every call of one is then of a tool that is not listed
            result = mapping(response.body["result"])
            for each in sequence(result.get("tools")):
                if isinstance(found := mapping(each).get("name"), str):
                    if found in tools:
                        twice.add(found)
                    tools[found] = written(each)
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str) or cursor in cursors:
                break
            cursors.add(cursor)
            params = {**params, "cursor": cursor}
        self._twice = twice
        return tools
