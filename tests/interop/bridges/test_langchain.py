"""LangChain's agents and LangGraph's threads, paused in one process, and resumed in others."""

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.interop.bridges.programs import Program, people, program

ALLOW, DENY = {"decision": "allow"}, {"decision": "deny", "reason": "not her"}


@pytest.fixture
def langchain(tmp_path: Path) -> Program:
    return program("langchain", tmp_path)


@pytest.mark.parametrize(("kind", "loop"), [("batched", False), ("per_call", True)])
async def test_each_call_gets_its_own_decision_also_after_a_restart(langchain: Program, kind: str, loop: bool) -> None:
    job: dict[str, Any] = {"kind": kind, "async": loop}
    await langchain.run(do="start", **job)
    paused = await langchain.run(do="resume", wait=0, **job)
    assert len(paused["paused"]) == 2
    async with people(langchain.home) as those:
        await those.decide({"bob": ALLOW | {"arguments": '{"name": "bob", "amount": 7}'}, "eve": DENY})
        done = await langchain.run(do="resume", **job)
        assert await those.count() == 2
    assert langchain.paid == ["bob 7"]
    refused, paid = sorted(each for each in done if each[0] == "tool")
    if "paid" in refused[1]:
        refused, paid = paid, refused
    assert (refused[2], paid[2]) == ("error", "success")
    assert "not her" in refused[1]
    assert "bob" in paid[1]
    assert done[-1] == ["ai", "Done."]
    assert await langchain.run(do="resume", **job) == done  # no longer paused: it is left as it is


@pytest.mark.parametrize("kind", ["batched", "per_call"])
async def test_of_two_workers_on_one_pause_one_goes_on(langchain: Program, kind: str) -> None:
    await langchain.run(do="start", kind=kind)
    found: list[Any] = []

    async def work() -> None:
        found.append(await langchain.run(do="resume", kind=kind, slow=1))

    async with people(langchain.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        tasks.start_soon(work)
        await those.decide({"bob": ALLOW, "eve": ALLOW})
    assert langchain.paid == ["bob 10", "eve 20"]
    # The other waits for it; one that comes while the thread runs already is given what it holds then.
    assert max(found, key=len)[-1] == ["ai", "Done."]


async def test_a_worker_that_died_at_its_tool_runs_it_again_after_a_yes(langchain: Program) -> None:
    calls = [["pay", {"name": "bob", "amount": 10}]]
    await langchain.run(do="start", kind="per_call", calls=calls)
    async with people(langchain.home) as those:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(those.decide, {"bob": ALLOW})
            await langchain.run(do="resume", kind="per_call", calls=calls, die=True, code=9)
        paused = await langchain.run(do="resume", kind="per_call", calls=calls, wait=0)
        again = await those.asked("it may have run")
        assert [again.id] == paused["paused"]
        await those.answer("bob", **ALLOW)
        await langchain.run(do="resume", kind="per_call", calls=calls)
    assert langchain.paid == ["bob 10"]


async def test_silence_and_withdrawal_are_refusals_in_words(langchain: Program) -> None:
    await langchain.run(do="start", kind="batched")
    langchain.home.extra["HANDOFFS_MIN_TIMEOUT_SECONDS"] = "1"
    async with people(langchain.home) as those, anyio.create_task_group() as tasks:

        async def withdraw() -> None:
            await those.desk.cancel(await those.asked("eve"), by="ada", channel="inbox")

        tasks.start_soon(withdraw)
        done = await langchain.run(do="resume", kind="batched", timeout=40)
    assert langchain.paid == []
    told = "\n".join(each[1] for each in done)
    assert "Silence is not consent" in told
    assert "withdrawn" in told


async def test_plain_interrupts_and_agent_inbox_get_what_they_want(langchain: Program) -> None:
    config = {"allow_accept": True, "allow_edit": True, "allow_respond": True, "allow_ignore": True}
    inbox = [{"action_request": {"action": "pay", "args": {"name": "zoe"}}, "config": config, "description": "Pay?"}]
    job: dict[str, Any] = {
        "kind": "plain",
        "interrupts": [["Where to?", "none"], [{"really": "yes?"}, "bool"], [inbox, "none"]],
    }
    assert await langchain.run(do="start", **job) == 3
    async with people(langchain.home) as those, anyio.create_task_group() as tasks:
        decisions = {"Where to?": {"response": "here"}, "really": {"response": False}, "zoe": DENY}
        tasks.start_soon(those.decide, decisions)
        where, really, (human,) = await langchain.run(do="resume", **job)
        assert await those.count() == 3
    assert (where, really) == ("here", False)
    assert human["type"] == "response"
    assert re.search("not her", human["args"])


async def test_a_plain_interrupt_that_nobody_answers_stays_paused(langchain: Program) -> None:
    job: dict[str, Any] = {"kind": "plain", "interrupts": [["Really?", "none"]]}
    await langchain.run(do="start", **job)
    async with people(langchain.home) as those, anyio.create_task_group() as tasks:

        async def decline() -> None:
            await those.desk.decline(await those.asked("Really?"), by="ada", channel="inbox")

        tasks.start_soon(decline)
        assert await langchain.run(do="resume", **job) == {"ended": "Declined"}
    assert await langchain.run(do="resume", unanswered=False, **job) == [False]
