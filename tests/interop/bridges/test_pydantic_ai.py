"""Runs of Pydantic AI, paused in one process, and resumed in others."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.interop.bridges.programs import Program, people, program

ALLOW, DENY = {"decision": "allow"}, {"decision": "deny", "reason": "not her"}


@pytest.fixture
def pydantic_ai(tmp_path: Path) -> Program:
    return program("pydantic-ai", tmp_path)


async def test_each_call_gets_its_own_decision_also_after_a_restart(pydantic_ai: Program) -> None:
    assert await pydantic_ai.run(do="start") == 2
    paused = await pydantic_ai.run(do="resume", wait=0)
    assert len(paused["paused"]) == 2
    async with people(pydantic_ai.home) as those, anyio.create_task_group() as tasks:

        async def decide() -> None:
            await those.answer("bob", **ALLOW, arguments='{"name": "bob", "amount": "7"}')
            await those.asked("nothing has run")  # a text is no integer: the person is told, and not the model
            await those.answer("nothing has run", **ALLOW, arguments='{"name": "bob", "amount": 7}')
            await those.answer("eve", **DENY)

        tasks.start_soon(decide)
        done = await pydantic_ai.run(do="resume")
        assert await those.count() == 3
    assert pydantic_ai.paid == ["bob 7"]
    paid, refused = done.split(" | ")
    assert paid == "paid bob 7"
    assert "not her" in refused
    assert await pydantic_ai.run(do="resume") == {"gone": True}


async def test_of_two_workers_on_one_pause_one_goes_on(pydantic_ai: Program) -> None:
    await pydantic_ai.run(do="start")
    found: list[Any] = []

    async def work() -> None:
        found.append(await pydantic_ai.run(do="resume", slow=1))

    async with people(pydantic_ai.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        tasks.start_soon(work)
        await those.decide({"bob": ALLOW, "eve": ALLOW})
    assert sorted(map(str, found)) == ["paid bob 10 | paid eve 20", "{'gone': True}"]
    assert pydantic_ai.paid == ["bob 10", "eve 20"]


async def test_a_worker_that_died_at_its_tool_runs_it_again_after_a_yes(pydantic_ai: Program) -> None:
    calls = [["pay", {"name": "bob", "amount": 10}]]
    await pydantic_ai.run(do="start", calls=calls)
    async with people(pydantic_ai.home) as those:
        await pydantic_ai.run(do="resume", calls=calls, wait=0)
        await those.decide({"bob": ALLOW})
        await pydantic_ai.run(do="resume", calls=calls, die=True, code=9)
        async with anyio.create_task_group() as tasks:

            async def decide() -> None:
                await those.asked("it may have run")
                await those.decide({"bob": ALLOW})

            tasks.start_soon(decide)
            assert await pydantic_ai.run(do="resume", calls=calls) == "paid bob 10"
    assert pydantic_ai.paid == ["bob 10"]
