"""How a waiter hears of changes, engine by engine."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from handoffs.core.events import Reached
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Store, Watch
from handoffs.store.watches import MAX_HEARD
from tests.core.strategies import ASKED
from tests.store.conftest import Place
from tests.store.processes import other_process
from tests.store.samples import LATER, LONG_AGO, answered, sample


async def open_new(store: Store, number: int = 0) -> Handoff:
    return await store.open(sample(f"Question {number}"), collect_after=LONG_AGO)


class Waiter:
    """Waits on a watch and counts how often it was woken."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.woken = 0

    async def run(self) -> None:
        while True:
            await self.watch.changed()
            self.woken += 1


async def test_a_waiter_hears_of_a_change_in_its_own_process(store: Store) -> None:
    handoff = await open_new(store)
    with anyio.fail_after(120):
        async with store.watch(handoff.id) as watch, anyio.create_task_group() as tasks:
            tasks.start_soon(store.record, handoff.id, answered())
            await watch.changed()
            assert (await store.get(handoff.id)).state is State.ANSWERED


async def test_a_waiter_hears_of_a_change_by_another_process(store: Store, place: Place) -> None:
    handoff = await open_new(store)
    async with other_process(*place.command("answer", handoff.id)) as other, store.watch(handoff.id) as watch:
        await other.go()
        with anyio.fail_after(120):
            while (await store.get(handoff.id)).state is State.OPEN:
                await watch.changed()


async def test_another_process_hears_of_a_change_in_this_one(store: Store, place: Place) -> None:
    handoff = await open_new(store)
    async with other_process(*place.command("wait", handoff.id)) as other:
        await other.go()
        assert await other.says() == "waiting"
        await store.record(handoff.id, answered())
        with anyio.fail_after(120):
            assert await other.says() == "answered"


async def test_a_change_between_registering_and_waiting_is_not_missed(store: Store, same_store: Store) -> None:
    for number, writer in enumerate((store, same_store)):
        handoff = await open_new(store, number)
        with anyio.fail_after(120):
            async with store.watch(handoff.id) as watch:
                await writer.record(handoff.id, answered())
                await watch.changed()


async def test_a_change_while_the_waiter_reads_is_not_missed(store: Store) -> None:
    handoff = await open_new(store)
    with anyio.fail_after(120):
        async with store.watch(handoff.id) as watch:
            await store.record(handoff.id, Reached(at=LATER, channel="inbox"))
            await watch.changed()
            await store.record(handoff.id, answered())
            await watch.changed()


async def test_a_waiter_that_has_heard_of_a_change_sleeps_until_the_next(store: Store) -> None:
    handoff = await open_new(store)
    with anyio.fail_after(120):
        async with store.watch(handoff.id) as watch, anyio.create_task_group() as tasks:
            waiter = Waiter(watch)
            tasks.start_soon(waiter.run)
            await store.record(handoff.id, answered())
            await anyio.wait_all_tasks_blocked()
            assert waiter.woken > 0
            tasks.cancel_scope.cancel()


async def test_a_waiter_that_gave_up_misses_nothing_when_it_waits_again(store: Store) -> None:
    handoff = await open_new(store)
    with anyio.fail_after(120):
        async with store.watch(handoff.id) as watch:
            with anyio.CancelScope() as gives_up:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(watch.changed)
                    await anyio.wait_all_tasks_blocked()
                    gives_up.cancel()
            await store.record(handoff.id, answered())
            await watch.changed()


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_only_those_whose_handoff_changed_are_woken(store: Store, same_store: Store, elsewhere: bool) -> None:
    first, second = await open_new(store, 1), await open_new(store, 2)
    writer = same_store if elsewhere else store
    with anyio.fail_after(120):
        async with (
            store.watch(first.id) as of_first,
            store.watch(second.id) as of_second,
            store.watch() as of_all,
            anyio.create_task_group() as tasks,
        ):
            sleeper = Waiter(of_first)
            tasks.start_soon(sleeper.run)
            await writer.record(second.id, answered())
            await of_second.changed()
            await of_all.changed()
            await checkpoint()
            assert sleeper.woken == 0
            tasks.cancel_scope.cancel()


async def test_a_watch_on_all_hears_of_new_handoffs(store: Store, same_store: Store) -> None:
    with anyio.fail_after(120):
        async with store.watch() as watch:
            for number, writer in enumerate((store, same_store)):
                await open_new(writer, number)
                await watch.changed()


async def test_a_watch_on_all_names_what_changed_since_it_was_last_asked(store: Store, same_store: Store) -> None:
    handoffs = [await open_new(store, number) for number in range(3)]
    with anyio.fail_after(120):
        async with store.watch() as watch:
            for writer, handoff in zip((store, same_store), handoffs, strict=False):
                await writer.record(handoff.id, answered())
                while handoff.id not in (heard := await watch.changed() or ()):
                    pass
                assert handoffs[2].id not in heard


async def test_a_watch_that_was_not_asked_for_long_names_nothing_and_means_all(store: Store) -> None:
    with anyio.fail_after(60):
        async with store.watch() as watch:
            for number in range(MAX_HEARD + 1):
                await open_new(store, number)
            assert await watch.changed() is None
            last = await open_new(store, MAX_HEARD + 1)
            while last.id not in (heard := await watch.changed() or {}):
                pass  # the news of some before it came later
            assert len(heard) <= MAX_HEARD


async def test_one_answer_wakes_one_of_ten_thousand_waiters(store: Store) -> None:
    handoff = await open_new(store)
    waiters: list[Waiter] = []

    async def wait(handoff_id: str) -> None:
        async with store.watch(handoff_id) as watch:
            waiters.append(Waiter(watch))
            await waiters[-1].run()

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks, store.watch(handoff.id) as watch:
            for number in range(10_000):
                tasks.start_soon(wait, f"h_{number}")
            while len(waiters) < 10_000:
                await checkpoint()
            await store.record(handoff.id, answered())
            await watch.changed()
            await checkpoint()
            assert sum(waiter.woken for waiter in waiters) == 0
            tasks.cancel_scope.cancel()


async def test_many_changes_at_once_wake_everybody_concerned(store: Store, place: Place) -> None:
    # More of them, and faster, than the buffer of a socket holds.
    handoffs = [await open_new(store, number) for number in range(200)]

    async def wait(handoff: Handoff) -> None:
        async with store.watch(handoff.id) as watch:
            ready.append(handoff.id)
            while (await store.get(handoff.id)).state is State.OPEN:
                await watch.changed()

    ready: list[str] = []
    async with other_process(*place.command("answer", *(handoff.id for handoff in handoffs))) as other:
        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for handoff in handoffs:
                    tasks.start_soon(wait, handoff)
                while len(ready) < len(handoffs):
                    await checkpoint()
                await other.go()


async def test_a_cancelled_caller_leaves_a_whole_change_of_which_others_hear(store: Store) -> None:
    handoff = await open_new(store)
    with anyio.fail_after(120):
        async with store.watch(handoff.id) as watch:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(store.record, handoff.id, answered())
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
            await watch.changed()
    assert (await store.get(handoff.id)).state is State.ANSWERED
    assert [line.name for line in await store.log()] == ["opened", "answered"]


async def test_whenever_callers_are_cancelled_each_change_is_whole_or_not_at_all(
    store: Store, same_store: Store
) -> None:
    handoffs = [sample(f"Question {number}", at=ASKED) for number in range(60)]
    for number, handoff in enumerate(handoffs):
        # From before the transaction has begun until after it has ended.
        with anyio.move_on_after(number * 0.00002):
            await store.open(handoff, collect_after=LONG_AGO)
            await store.record(handoff.id, answered())
    # Nothing is left open or locked: another program can write at once.
    with anyio.fail_after(120):
        await same_store.open(sample("The last one"), collect_after=LONG_AGO)
        lines = await store.log()
    for handoff in handoffs:
        names = [line.name for line in lines if line.handoff_id == handoff.id]
        assert names in ([], ["opened"], ["opened", "answered"])
        if names:
            assert (await store.get(handoff.id)).version == len(names)
