"""The tools of the server behind, as it lists them: asked for by the gate itself, since no client need ask."""

import json
import logging
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import anyio

from handoffs.core.untrusted import inert_line
from handoffs.gate.calls import protocol_meta, request
from handoffs.gate.client import Client
from handoffs.gate.relay.message import Message, Value
from handoffs.gate.told import Told
from handoffs.gate.written import mapping, sequence, written

MAX_PAGES = 200
"""A server that goes on for longer lists the same page again and again."""

LIST_SECONDS = 30.0
"""How long a server may take for one page."""

STALE_SECONDS = 60.0
"""How long a list counts where nobody need be told of a change: from 2026-07-28 on, a server tells those who listen."""

logger = logging.getLogger(__name__)

_WORST: Mapping[str, object] = {"readOnlyHint": False, "destructiveHint": True}


class Definitions:
    """The definitions of one session's tools."""

    def __init__(
        self,
        send: Callable[[str, bytes], Awaitable[Message | None]],
        seen: Callable[[Mapping[str, str], Mapping[str, str]], Awaitable[None]],
        *,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        """Take what sends a request of ours to the server, and returns the response; None where none came.

        `seen` is called with the definitions by tool, as JSON, before anybody is told of them, and with those that the
        client was told otherwise.
        """
        self._send, self._seen = send, seen
        self._tools: dict[str, str] = {}
        self._described: dict[str, Mapping[str, object]] = {}
        self._twice: set[str] = set()
        self._told = Told()
        self._differing: dict[str, str] = {}  # as the client was told, and the gate was not
        self._warned: set[str] = set()
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

    def told(self, asked: Message, answer: Message) -> None:
        """Hear what the client is told of the tools."""
        self._told.note(asked, answer)
        # Where it differs, the gate asks again: most often the server has changed its list and not said so.
        if not self.known or self._told.differing(self._tools, self._twice) != self._differing:
            self.forget()

    def of(self, tool: str) -> str:
        """Return the definition of a tool as JSON, as the client was told where that is another.

        It is empty where the server lists none, or two of this name.
        """
        return "" if tool in self._twice else self._differing.get(tool, self._tools.get(tool, ""))

    def described(self, tool: str) -> Mapping[str, object]:
        """Return the definition of a tool as values; empty where the server lists none, or two of this name."""
        definition = self.of(tool)
        if definition and tool not in self._described:
            read = cast("Mapping[str, object]", json.loads(definition))
            # What a server says of a tool in two ways, it does not say: where rules look at that alone, they ask.
            self._described[tool] = read if tool not in self._differing else {**read, "annotations": _WORST}
        return self._described[tool] if definition else {}

    async def load(self, client: Client, meta: Mapping[str, Value]) -> None:
        """Ask the server, where it has not listed its tools since the last change."""
        async with self._loading:
            if not self.known:
                changes = self._changes  # one that comes meanwhile is not in this list: the next call asks again
                stale_at = anyio.current_time() + self._stale_seconds if client.modern else math.inf
                tools = await self._listed(client, meta)
                # Of two tools of one name nobody knows which is meant: that is no definition, and another than before.
                differing = self._told.differing(tools, self._twice)
                self._warn(differing)
                listed = {tool: "" if tool in self._twice else each for tool, each in tools.items()}
                await self._seen(listed, differing)
                self._tools, self._differing, self._described = tools, differing, {}
                self._seen_changes, self._stale_at = changes, stale_at

    def _warn(self, differing: Mapping[str, str]) -> None:
        for tool in differing.keys() - self._warned:
            self._warned.add(tool)
            logger.warning("the server gives its client another definition of %s than the gate", inert_line(tool, 100))

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
                name = str(uuid.uuid4())  # no client can guess it, and a server sees no difference at first sight
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
