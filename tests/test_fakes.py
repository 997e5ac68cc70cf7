"""The stand-ins do what they say."""

import anyio

from tests.fakes import FakeClock


async def test_a_limited_block_ends_when_the_clock_is_put_forward_past_it() -> None:
    clock = FakeClock()
    ended: list[float] = []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        ended.append(seconds)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleep, 10)
            tasks.start_soon(sleep, 20)
            await anyio.wait_all_tasks_blocked()
            clock.forward(10)
            await anyio.wait_all_tasks_blocked()
            assert ended == [10]
            clock.forward(10)
    assert ended == [10, 20]
    assert clock.waiting == 0


async def test_a_block_without_a_limit_is_not_ended_and_one_of_no_time_is() -> None:
    clock = FakeClock()
    with clock.limit(0):
        await anyio.sleep_forever()
    with clock.limit(None):
        clock.forward(1e9)
        await anyio.lowlevel.checkpoint()
        done = True
    assert done


def test_an_alarm_rings_once_when_it_is_due_unless_it_is_cancelled() -> None:
    clock = FakeClock()
    rung: list[float] = []
    for seconds in (10, 20, 30):
        clock.alarm(seconds, lambda: rung.append(clock.monotonic()))
    clock.alarm(10, lambda: rung.append(-1)).cancel()
    assert clock.waiting == 3
    for _ in range(2):
        clock.forward(10)
    assert rung == [10, 20]
    assert clock.waiting == 1
