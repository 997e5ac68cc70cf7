"""Trying again what a store that is away for a while could not do."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from handoffs.core.errors import StoreUnavailable
from handoffs.core.ports import Clock

AGAIN_SECONDS = 1
"""After how long it is tried again: a store has tried for a while itself before it says that it is away."""

DECISION_SECONDS = 120.0
"""How long a decision that a person has made is tried to be kept, where they can't be asked to send it again."""

T = TypeVar("T")


async def retry_while_unavailable(
    clock: Clock, work: Callable[[], Awaitable[T]], *, seconds: float | None = DECISION_SECONDS
) -> T:
    """Return what `work` returns, trying again while the store is away; None tries for as long as it takes.

    Raises:
        StoreUnavailable: It still is after so many seconds.
    """
    give_up = None if seconds is None else clock.monotonic() + seconds
    while True:
        try:
            return await work()
        except StoreUnavailable:
            if give_up is not None and clock.monotonic() >= give_up:
                raise
        await clock.sleep(AGAIN_SECONDS)
