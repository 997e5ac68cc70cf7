"""How the open calls of a server are looked after: all of them by one task, and none of them forgotten."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from mcp.server.mcpserver import Context

from handoffs.core.errors import StoreError
from handoffs.core.model import Caller, Handoff, State
from handoffs.mcp_server.asking.progress import Progress
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.asking.wait_registry import LINGER_SECONDS, Wait, WaitRegistry
from tests.mcp_server.host import Table, table
from tests.waiting import until

ADA = Caller(subject="ada", client="test", project="/shop")
WHOSE = ContextVar("WHOSE", default="nobody")


class Host:
    """Calls that wait, and what their hosts are told; it takes no word while it is `stuck`."""

    def __init__(self, here: Table, draining: Shutdown, stuck: frozenset[str]) -> None:
        self.here, self.stuck = here, stuck
        self.lookout = WaitRegistry(here.desk, draining)
        self.told: list[tuple[str, str]] = []
        self.over: dict[str, Wait] = {}

    async def ask(self, message: str, **arguments: Any) -> Handoff:
        return await self.here.desk.ask(message=message, caller=ADA, **arguments)

    async def call(self, handoff: Handoff, seconds: float | None = None, channel: str | None = None) -> None:
        """Wait as a call does."""
        WHOSE.set("ada")
        wait = self.lookout.wait(Told(handoff, self), seconds=seconds, channel=channel)
        with wait:
            await anyio.sleep_forever()
        self.over[handoff.question.message] = wait


class Told(Progress):
    """What one call's host is told."""

    def __init__(self, handoff: Handoff, host: Host) -> None:
        super().__init__(handoff, cast("Context", None))
        self._host = host

    async def send(self) -> None:
        self._host.told.append((self.handoff.question.message, WHOSE.get()))
        if self.handoff.question.message in self._host.stuck:
            await anyio.sleep_forever()


@asynccontextmanager
async def a_host(
    folder: Path, *, draining: Shutdown | None = None, stuck: frozenset[str] = frozenset()
) -> AsyncGenerator[Host]:
    async with table(folder) as here:
        with anyio.fail_after(120):
            yield Host(here, draining or Shutdown(), stuck)


async def test_calls_that_wait_have_no_task_beside_them(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        handoffs = [await host.ask(f"{number}?") for number in range(50)]
        calls.start_soon(host.call, handoffs[0])
        await until(lambda: host.here.clock.waiting)
        before = len(asyncio.all_tasks())
        for handoff in handoffs[1:]:
            calls.start_soon(host.call, handoff)
        await until(lambda: host.here.clock.waiting == len(handoffs))
        for handoff in handoffs:  # and by the time all are answered, all have been looked at
            await host.here.desk.decline(handoff, by="bob", channel="inbox")
            if handoff is handoffs[25]:
                assert len(asyncio.all_tasks()) <= before + 49 + 8
        await until(lambda: len(host.over) == len(handoffs))
    assert all(wait.ended is not None and wait.ended.state is State.DECLINED for wait in host.over.values())


async def test_an_outcome_ends_every_call_that_waits_for_it_and_no_other(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        one, other = await host.ask("one"), await host.ask("other")
        ended: list[Wait] = []

        async def join() -> None:
            await host.call(one)
            ended.append(host.over["one"])

        for _ in range(2):
            calls.start_soon(join)
        calls.start_soon(host.call, other)
        await until(lambda: host.here.clock.waiting == 3)
        await host.here.desk.decline(one, by="bob", channel="inbox")
        await until(lambda: len(ended) == 2)
        assert "other" not in host.over
        calls.cancel_scope.cancel()


async def test_what_ended_before_anybody_looked_after_it_is_noticed(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        calls.start_soon(host.call, await host.ask("waits"))
        early, late = await host.ask("early"), await host.ask("late")
        await host.here.desk.decline(early, by="bob", channel="inbox")
        await host.call(early)  # nobody had looked yet
        await host.here.desk.decline(late, by="bob", channel="inbox")
        await host.call(late)  # somebody had, for another
        calls.cancel_scope.cancel()
    assert [cast("Handoff", wait.ended).state for wait in host.over.values()] == [State.DECLINED] * 2


async def test_a_deadline_ends_a_call_at_once(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        calls.start_soon(host.call, await host.ask("x", timeout_seconds=32))
        await until(lambda: host.here.clock.waiting)
        for seconds in (10, 10, 10, 2):
            host.here.clock.forward(seconds)
        await until(lambda: host.over)
    assert cast("Handoff", host.over["x"].ended).state is State.EXPIRED


async def test_where_patience_ends_the_call_is_left_without_an_outcome(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        handoff = await host.ask("x")
        calls.start_soon(host.call, handoff, 45)
        await until(lambda: host.here.clock.waiting)
        for seconds in (10, 10, 10, 10, 4):
            host.here.clock.forward(seconds)
        await anyio.wait_all_tasks_blocked()
        assert not host.over
        host.here.clock.forward(1)
        await until(lambda: host.over)
        await host.call(handoff, 0)  # none at all
    assert host.over["x"].was_ended
    assert host.over["x"].ended is None


async def test_a_dialog_has_reached_somebody_once_it_can_have_been_read(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        calls.start_soon(host.call, await host.ask("x"), 45, "elicitation")
        await until(lambda: host.here.clock.waiting)
        host.here.clock.forward(0.9)
        await anyio.sleep(0.05)
        assert await host.here.names() == ["opened"]
        host.here.clock.forward(0.1)
        await until(host.here.names, lambda found: found == ["opened", "reached"])
        assert host.told == []
        host.here.clock.forward(10)
        await until(lambda: host.told)
        calls.cancel_scope.cancel()


async def test_a_host_that_takes_no_word_gets_no_second_and_delays_no_other(tmp_path: Path) -> None:
    stuck = frozenset(f"stuck {number}" for number in range(20))
    async with a_host(tmp_path, stuck=stuck) as host, anyio.create_task_group() as calls:
        for message in (*sorted(stuck), "quick"):
            calls.start_soon(host.call, await host.ask(message))
        await until(lambda: host.here.clock.waiting == len(stuck) + 1)
        for times in (1, 2, 3):
            host.here.clock.forward(10)
            await until(lambda n=times: host.told.count(("quick", "nobody")) == n)
            await anyio.wait_all_tasks_blocked()  # it has been sent, too
        await until(lambda: len(host.told) == len(stuck) + 3)
        for handoff in await host.here.desk.newest(open_only=True):
            await host.here.desk.decline(handoff, by="bob", channel="inbox")
        await until(lambda: len(host.over) == len(stuck) + 1)
    assert {whose for _, whose in host.told} == {"nobody"}  # who happened to call first lends nobody their name


async def test_nothing_runs_on_when_nobody_waits(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        names = {task.get_name() for task in asyncio.all_tasks()}
        for times in range(2):
            handoff = await host.ask(f"{times}?")
            async with anyio.create_task_group() as calls:
                calls.start_soon(host.call, handoff)
                await until(lambda: host.here.clock.waiting)
                calls.cancel_scope.cancel()
            host.here.clock.forward(LINGER_SECONDS)
            await until(lambda: "handoffs: look after calls" not in {each.get_name() for each in asyncio.all_tasks()})
        assert host.here.clock.waiting == 0
        assert "handoffs: look after calls" not in names


async def test_a_new_question_of_a_registry_that_listens_is_not_read_again(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        first = await host.ask("first?")
        calls.start_soon(host.call, first)
        await until(lambda: host.here.clock.waiting)
        await host.here.desk.decline(first, by="bob", channel="inbox")
        await until(lambda: "first?" in host.over)
        read: list[str] = []
        get = host.here.desk.get

        async def counting(handoff_id: str) -> Handoff:
            read.append(handoff_id)
            return await get(handoff_id)

        host.here.desk.get = counting  # how often it is read is the point
        host.here.clock.forward(0.5)
        second = await host.ask("second?")
        calls.start_soon(host.call, second)
        await until(lambda: host.here.clock.waiting == 2)  # with what ends the registry's lingering
        await anyio.wait_all_tasks_blocked()
        assert read == []
        await host.here.desk.decline(second, by="bob", channel="inbox")
        await until(lambda: "second?" in host.over)
        assert read == [second.id]


async def test_what_ended_before_its_call_waited_ends_it_at_once(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as calls:
        calls.start_soon(host.call, await host.ask("first?"))
        await until(lambda: host.here.clock.waiting)
        host.here.clock.forward(0.5)
        second = await host.ask("second?")
        await host.here.desk.decline(second, by="bob", channel="inbox")
        await anyio.wait_all_tasks_blocked()
        await host.call(second)
        assert host.over["second?"].ended is not None
        calls.cancel_scope.cancel()


async def test_draining_ends_every_call_and_lets_none_begin(tmp_path: Path) -> None:
    draining = Shutdown()
    async with a_host(tmp_path, draining=draining) as host:
        async with anyio.create_task_group() as calls:
            for message in ("one", "two"):
                calls.start_soon(host.call, await host.ask(message))
            await until(lambda: host.here.clock.waiting == 2)
            draining.begin()
        await host.call(await host.ask("late"))
    assert [(wait.was_ended, wait.ended) for wait in host.over.values()] == [(True, None)] * 3


async def test_a_store_that_can_no_longer_be_read_ends_a_call_with_what_is_wrong(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host, anyio.create_task_group() as closing:
        handoff = await host.ask("x")

        async def close() -> None:
            await until(lambda: host.here.clock.waiting)
            await host.here.store.aclose()

        closing.start_soon(close)
        with pytest.raises(StoreError):
            await host.call(handoff)


async def test_a_store_that_cant_be_watched_ends_a_call_too(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        handoff = await host.ask("x")
        await host.here.store.aclose()
        for _ in range(2):
            with pytest.raises(StoreError):
                await host.call(handoff)
