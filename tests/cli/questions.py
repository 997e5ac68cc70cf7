"""Questions that an agent has asked, in the store of a user's home; and what became of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import anyio

from handoffs.assembly import open_desk
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, Handoff
from handoffs.settings import Settings
from tests.acceptance.processes import Home

T = TypeVar("T")

CLAUDE = Caller(subject="ada", client="claude-code", project="/srv/shop")


@asynccontextmanager
async def desk_of(home: Home) -> AsyncGenerator[Desk]:
    async with open_desk(
        Settings(store=home.folder / "handoffs.db", quota_per_minute=10_000, quota_open=10_000)
    ) as desk:
        yield desk


def with_desk(home: Home, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do something at the desk of this home, from a test that is not async itself."""

    async def main() -> T:
        async with desk_of(home) as desk:
            return await work(desk)

    return anyio.run(main)


def asked(home: Home, message: str = "Deploy?", **arguments: Any) -> str:
    """Ask, and return the id."""

    async def ask(desk: Desk) -> str:
        arguments.setdefault("caller", CLAUDE)
        return (await desk.ask(message=message, **arguments)).id

    return with_desk(home, ask)


def kept(home: Home, handoff_id: str) -> Handoff:
    """The handoff as it is in the store."""
    return with_desk(home, lambda desk: desk.get(handoff_id))


def events(home: Home, handoff_id: str) -> list[str]:
    """What happened to it, by name."""
    return [entry.name for entry in with_desk(home, partial(_log, handoff_id))]


async def _log(handoff_id: str, desk: Desk) -> Any:
    return await desk.log(handoff_id=handoff_id)
