"""A process that erases a person is killed at any moment: all of it is done, or nothing, and the log is whole."""

import random
from time import monotonic

import anyio

from handoffs.store import OpenStore
from tests.store.backends import BACKENDS
from tests.store.conftest import Place, place, store
from tests.store.processes import other_processes
from tests.store.test_erasing import answer, everything, people_of
from tests.store.test_leaves import problems

__all__ = ["place", "store"]

ANSWERS, TIMES = 60, 8


async def test_an_erasure_that_is_killed_is_done_or_is_not(place: Place, store: OpenStore) -> None:
    whole, *others = [f"person{number}" for number in range(TIMES + 1)]
    await people_of(store, whole, *others)
    for number in range(ANSWERS):
        await answer(store, f"{number}?", by=[whole, *others][number % (TIMES + 1)])
    commands = [(place.backend, place.address, "erase", each) for each in (whole, *others)]
    async with other_processes(*commands) as (first, *workers):
        began = monotonic()
        await first.go()
        assert await first.said_until_done() == []
        longest = monotonic() - began
        for name, worker in zip(others, workers, strict=True):
            before = await store.log()
            await worker.go()
            await anyio.sleep(random.uniform(0, longest))
            await worker.kill()
            # Who opens the store next finds it whole.
            async with BACKENDS[place.backend].connect(place.address) as after:
                assert await problems(after) == []
                if name in (await after.people.directory()).people:
                    assert await after.log() == before
    left = (await store.people.directory()).people
    there = await everything(place, store)
    assert [name for name in (whole, *others) if f'"{name}"' in there or f"{name}@" in there] == [
        name for name in (whole, *others) if name in left
    ]
    assert await problems(store) == []
