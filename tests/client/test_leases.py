"""Work that one process does, of all that use the store."""

from pathlib import Path

import anyio
import pytest

from handoffs.client.leases import Leases
from tests.client.people import desk_of
from tests.waiting import until


async def test_of_two_that_want_to_work_one_does_at_a_time(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as desk, desk_of(tmp_path) as other:
        at_work, most = 0, 0

        async def work() -> None:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            await anyio.sleep(0.1)
            at_work -= 1

        async with anyio.create_task_group() as tasks:
            for each in (desk, other, desk, other):
                tasks.start_soon(Leases(each).alone, "thread 1", work)
        assert most == 1


async def test_another_name_is_other_work(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as desk:
        leases = Leases(desk)

        async def inner() -> str:
            return "both"

        async def outer() -> str:
            return await leases.alone("thread 2", inner)

        assert await leases.alone("thread 1", outer) == "both"


async def test_a_lease_lasts_as_long_as_the_work(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as desk, desk_of(tmp_path) as other:
        done: list[str] = []

        async def long() -> None:
            await anyio.sleep(2)  # several times what the lease lasts
            done.append("long")

        async def short() -> None:
            done.append("short")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Leases(desk, seconds=0.5).alone, "thread 1", long)
            await anyio.sleep(0.2)
            tasks.start_soon(Leases(other, seconds=0.5).alone, "thread 1", short)
        assert done == ["long", "short"]


async def test_work_that_fails_or_is_cancelled_returns_the_lease(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as desk:
        leases = Leases(desk)

        async def fail() -> None:
            raise ValueError("no")

        async def work() -> str:
            return "done"

        with pytest.raises(ValueError, match="no"):
            await leases.alone("thread 1", fail)
        with anyio.move_on_after(0.1):
            await leases.alone("thread 1", anyio.sleep_forever)
        with anyio.fail_after(120):
            assert await leases.alone("thread 1", work) == "done"


async def test_the_lease_of_a_process_that_died_ends(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as desk:
        assert await desk.lease("other", seconds=600) is not None
        assert await desk.lease("other", seconds=600) is None
        assert await desk.lease("lease", seconds=0.5) is not None

        async def free() -> bool:
            return await desk.lease("lease", seconds=9) is not None

        assert await until(free)


async def test_a_mark_is_set_once_and_stays(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as desk:
        assert not await Leases(desk).marked("run 1")
        assert not await Leases(desk).marked("run 1")  # to look sets nothing
        assert await Leases(desk).mark("run 1")
    async with desk_of(tmp_path) as desk:
        assert await Leases(desk).marked("run 1")
        assert not await Leases(desk).mark("run 1")
        assert await Leases(desk).mark("run 2")
