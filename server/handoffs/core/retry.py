"""Trying again what a store that is away for a while could not do: a decision, or what waits for as long as it takes.

Two things stay apart. Notifications have a schedule of their own, of a few tries over a quarter of an hour
(`channels.notify`); and what waits for a process that is just starting looks every few hundredths of a second.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from handoffs.core.errors import StoreUnavailable
from handoffs.core.ports import Clock

AGAIN_SECONDS = 1
"""After how long it is tried again: a store has tried for a while itself before it says that it is away."""

DECISION_SECONDS = 120.0
"""How long a decision that a person has made is tried to be kept, where they can't be asked to send it again."""

T = TypeVar("T")


def growing_pauses(first: float, longest: float) -> Iterator[float]:
    """Yield pauses without end, in seconds: each is about twice the one before, until they are as long as `longest`.

    No two servers keep step, so that they do not all come back at once.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - nobody gains by guessing it
        pause = min(pause * 2, longest)


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
