"""A real gate over a store of a test's own, the shop behind it, and the people who decide."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitResult, TextContent

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home

SHOP = Path(__file__).with_name("shop.py")
RULES = ("--allow", "read_*", "--deny", "format_*")

READ_SECONDS = 1.2
"""How long a person looks at a dialog: a faster one is not believed."""


@dataclass
class Shop:
    """A shop, and the gate before it."""

    home: Home

    @property
    def journal(self) -> Path:
        return self.home.folder / "journal"

    @property
    def done(self) -> list[str]:
        """What the server really did."""
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    @asynccontextmanager
    async def client(
        self, era: str, dialog: Any = None, *, rules: tuple[str, ...] = RULES, name: str = "test-host"
    ) -> AsyncGenerator[Client]:
        args = ("gate", "--name", "shop", *rules, "--", sys.executable, str(SHOP), str(self.journal))
        async with self.home.stdio(era, dialog, args=args, name=name) as client:
            yield client

    @asynccontextmanager
    async def desk(self) -> AsyncGenerator[Desk]:
        """The desk over the same store."""
        async with SqliteStore(self.home.store) as store:
            yield Desk(store=store, clock=SystemClock())

    async def answered(self, desk: Desk, values: dict[str, object]) -> Handoff:
        """Answer the one question that is open, or will be."""
        return await desk.answer(await waiting(desk), values, by="ada", channel="inbox")


async def waiting(desk: Desk, *, but: tuple[str, ...] = ()) -> Handoff:
    """The one question that is open, or will be, and is none of these."""
    async with desk.watch() as watch:
        while True:
            found = [each for each in await desk.newest(open_only=True) if each.id not in but]
            if found:
                [only] = found
                return only
            await watch.changed()


class Person:
    """Sits before the host's dialog, and answers as told."""

    def __init__(self, *contents: dict[str, Any] | str, seconds: float = READ_SECONDS) -> None:
        self.contents, self.seconds = list(contents), seconds
        self.shown: list[ElicitRequestFormParams] = []

    async def __call__(self, context: object, params: object) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.shown.append(params)
        await anyio.sleep(self.seconds)
        content = self.contents.pop(0)
        if isinstance(content, str):
            return ElicitResult(action=content)  # type: ignore[arg-type]
        return ElicitResult(action="accept", content=content)


def text_of(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


ALLOW: dict[str, object] = {"decision": "allow"}
DENY: dict[str, object] = {"decision": "deny", "reason": "not that one"}
