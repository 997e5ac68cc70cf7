"""Retries while the store is unavailable: for a decision, or for a task that can wait without limit.

Two other retries are separate: notifications have a schedule of a few tries in a quarter of an hour
(`channels.notify`), and waiting for a process that is starting polls every few hundredths of a second.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from handoffs.core.errors import StoreUnavailable
from handoffs.core.ports import Clock

AGAIN_SECONDS = 1
"""The first pause between tries. The store itself has retried before it says that it is unavailable."""

DECISION_SECONDS = 120.0
"""For how long recording a person's decision is retried if they can't be asked to send it again."""

T = TypeVar("T")


def growing_pauses(first: float, longest: float) -> Iterator[float]:
    """Yield pauses in seconds, without end: each about twice the one before, up to `longest`.

    They vary at random, so that servers do not all come back at the same time.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - guessing it gains nothing
        pause = min(pause * 2, longest)


async def retry_while_unavailable(
    clock: Clock, work: Callable[[], Awaitable[T]], *, seconds: float | None = DECISION_SECONDS
) -> T:
    """Return what `work` returns, with retries while the store is unavailable. `seconds` limits them; None does not.

    Raises:
        StoreUnavailable: The store is still unavailable after that time.
    """
    give_up = None if seconds is None else clock.monotonic() + seconds
    while True:
        try:
            return await work()
        except StoreUnavailable:
            if give_up is not None and clock.monotonic() >= give_up:
                raise
        await clock.sleep(AGAIN_SECONDS)
