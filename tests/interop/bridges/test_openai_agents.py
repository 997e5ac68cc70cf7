"""Runs of the OpenAI Agents SDK, paused in one process, and resumed in others."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.interop.bridges.programs import Program, people, program
from tests.interop.openai_stub import Call, serve_openai

ALLOW, DENY = {"decision": "allow"}, {"decision": "deny", "reason": "pay her 5"}
BOB: Call = ("pay", {"name": "bob", "amount": 10})
EVE: Call = ("pay", {"name": "eve", "amount": 20})


@pytest.fixture
def openai_agents(tmp_path: Path) -> Program:
    return program("openai-agents", tmp_path)


async def test_each_call_gets_its_own_decision_also_after_a_restart(openai_agents: Program) -> None:
    with serve_openai([BOB, EVE], "Done.") as stub:
        assert await openai_agents.run(do="start", model=stub.base) == 2
        paused = await openai_agents.run(do="resume", model=stub.base, wait=0)
        assert len(paused["paused"]) == 2
        async with people(openai_agents.home) as those:
            asked = await those.asked("eve")
            assert [each.name for each in asked.question.form.fields] == ["decision", "reason"]  # no edits
            await those.decide({"bob": ALLOW, "eve": DENY})
            assert await openai_agents.run(do="resume", model=stub.base) == "Done."
            assert await those.count() == 2
        paid, refused = stub.tool_results()
        assert paid == "paid bob 10"
        assert "pay her 5" in refused
        assert openai_agents.paid == ["bob 10"]
        assert await openai_agents.run(do="resume", model=stub.base) == {"gone": True}
    assert openai_agents.paid == ["bob 10"]


async def test_of_two_workers_on_one_pause_one_goes_on(openai_agents: Program) -> None:
    found: list[Any] = []
    with serve_openai([BOB], "Done.") as stub:
        await openai_agents.run(do="start", model=stub.base)

        async def work() -> None:
            found.append(await openai_agents.run(do="resume", model=stub.base, slow=1))

        async with people(openai_agents.home) as those, anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            tasks.start_soon(work)
            await those.decide({"bob": ALLOW})
    assert sorted(map(str, found)) == ["Done.", "{'gone': True}"]
    assert openai_agents.paid == ["bob 10"]


async def test_a_worker_that_died_at_its_tool_runs_it_again_after_a_yes(openai_agents: Program) -> None:
    with serve_openai([BOB], [EVE], "Done.") as stub:
        await openai_agents.run(do="start", model=stub.base)
        async with people(openai_agents.home) as those:
            await openai_agents.run(do="resume", model=stub.base, wait=0)
            await those.decide({"bob": ALLOW})
            await openai_agents.run(do="resume", model=stub.base, die=True, code=9)
            async with anyio.create_task_group() as tasks:

                async def decide() -> None:
                    await those.asked("it may have run")
                    await those.decide({"bob": ALLOW, "eve": DENY})

                tasks.start_soon(decide)
                # It is paused once more, by the second call, and goes on with that, too.
                assert await openai_agents.run(do="resume", model=stub.base) == "Done."
    assert openai_agents.paid == ["bob 10"]
