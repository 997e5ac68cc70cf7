"""A program's own store, and people who decide in it as the inbox does."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import anyio

from handoffs.client import Asking, open_asking
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.settings import Settings
from handoffs.store.sqlite.store import SqliteStore
from tests.waiting import until

T = TypeVar("T")

Deciding: TypeAlias = Callable[[Desk], Coroutine[Any, Any, object]]
"""A person who decides at a desk."""

YES_NO = ("yes", "no")


@asynccontextmanager
async def asks(folder: Path, **settings: object) -> AsyncGenerator[Asking]:
    """What asks over the store of this folder, as the program `deploy.py` does."""
    given = Settings.model_validate(
        {"store": str(folder / "handoffs.db"), "inbox": "off", "min_timeout_seconds": 1, **settings}
    )
    async with open_asking(given, client="deploy.py", project=folder) as asking:
        yield asking


@asynccontextmanager
async def desk_of(folder: Path) -> AsyncGenerator[Desk]:
    """The desk over the same store, of another process as it were."""
    async with SqliteStore(folder / "handoffs.db") as store:
        yield Desk(store=store, clock=SystemClock())


async def opened(desk: Desk, *, but: Collection[str] = ()) -> Handoff:
    """The question that is open, or will be; not one of `but`."""

    async def first() -> Handoff | None:
        found = await desk.newest(open_only=True)
        return next((each for each in found if each.id not in but), None)

    return await until(first)


async def answer(desk: Desk, *, but: Collection[str] = (), **values: object) -> Handoff:
    """Answer the question that is open, or will be."""
    return await desk.answer(await opened(desk, but=but), values, by="ada", channel="inbox")


async def with_a_person(ask: Callable[[], Awaitable[T]], desk: Desk, then: Deciding | None) -> T:
    """Return what asking returns, while a person decides."""
    found: list[T] = []
    async with anyio.create_task_group() as tasks:
        if then is not None:
            tasks.start_soon(then, desk)
        found.append(await ask())
    return found[0]
