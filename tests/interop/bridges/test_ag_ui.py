"""Runs of agents over AG-UI that were interrupted in one process, and go on in others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.interop.bridges.programs import Program, people, program

ALLOW, DENY = {"decision": "allow"}, {"decision": "deny", "reason": "not her"}
BOB = [["pay", {"name": "bob", "amount": 10}]]


def at(seconds: float) -> str:
    """When an interrupt expires, of the machine's clock: the program reads that, too."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture
def ag_ui(tmp_path: Path) -> Program:
    return program("ag-ui", tmp_path)


async def test_each_call_gets_its_own_decision_also_after_a_restart(ag_ui: Program) -> None:
    job: dict[str, Any] = {"kind": "pydantic"}
    assert await ag_ui.run(do="start", **job) == ["int-c0", "int-c1"]
    old = (ag_ui.home.folder / "run.json").read_bytes()
    paused = await ag_ui.run(do="resume", wait=0, **job)
    assert len(paused["paused"]) == 2
    async with people(ag_ui.home) as those:
        await those.decide({"bob": ALLOW | {"arguments": '{"name": "bob", "amount": 7}'}, "eve": DENY})
        outcome, told = await ag_ui.run(do="resume", **job)
        assert await those.count() == 2
        assert (outcome, ag_ui.paid) == ("success", ["bob 7"])
        assert "not her" in told
        assert await ag_ui.run(do="resume", **job) == [outcome, told]  # not interrupted: it is left as it is
        (ag_ui.home.folder / "run.json").write_bytes(old)
        assert await ag_ui.run(do="resume", **job) == {"gone": True}
    assert ag_ui.paid == ["bob 7"]


async def test_of_two_workers_on_one_run_one_goes_on(ag_ui: Program) -> None:
    job: dict[str, Any] = {"kind": "pydantic", "calls": BOB}
    await ag_ui.run(do="start", **job)
    await ag_ui.run(do="resume", wait=0, **job)
    async with people(ag_ui.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: ag_ui.run(do="resume", **job))
        tasks.start_soon(lambda: ag_ui.run(do="resume", **job))
        await those.decide({"bob": ALLOW})
    assert ag_ui.paid == ["bob 10"]


async def test_a_worker_that_died_at_its_tool_runs_it_again_after_a_yes(ag_ui: Program) -> None:
    job: dict[str, Any] = {"kind": "pydantic", "calls": BOB}
    await ag_ui.run(do="start", **job)
    async with people(ag_ui.home) as those:
        await ag_ui.run(do="resume", wait=0, **job)
        await those.decide({"bob": ALLOW})
        await ag_ui.run(do="resume", die=True, code=9, **job)
        paused = await ag_ui.run(do="resume", wait=0, **job)
        assert [(await those.asked("it may have run")).id] == paused["paused"]
        await those.answer("bob", **ALLOW)
        assert (await ag_ui.run(do="resume", **job))[0] == "success"
    assert ag_ui.paid == ["bob 10"]


async def test_an_edit_keeps_its_types_or_is_asked_about_again(ag_ui: Program) -> None:
    job: dict[str, Any] = {"kind": "pydantic", "calls": BOB}
    await ag_ui.run(do="start", **job)
    async with people(ag_ui.home) as those, anyio.create_task_group() as tasks:

        async def decide() -> None:
            await those.answer("bob", decision="allow", arguments='{"name": "bob", "amount": "7"}')
            await those.asked("was not used")
            await those.answer("bob", decision="allow", arguments='{"name": "bob", "amount": 7}')

        tasks.start_soon(decide)
        await ag_ui.run(do="resume", **job)
    assert ag_ui.paid == ["bob 7"]


async def test_what_expires_is_asked_until_then_and_cancelled_after(ag_ui: Program) -> None:
    ag_ui.home.extra["HANDOFFS_MIN_TIMEOUT_SECONDS"] = "1"
    job: dict[str, Any] = {"kind": "pydantic"}
    await ag_ui.run(do="start", **job)
    async with people(ag_ui.home) as those:
        ends = [{"expiresAt": at(-5)}, {"expiresAt": at(20)}]
        outcome, told = await ag_ui.run(do="resume", interrupts=ends, **job)
        assert await those.count() == 1  # the first one was not asked about
        (asked,) = await those.desk.newest(open_only=False)
        assert asked.question.deadline <= datetime.now(UTC)
    assert (outcome, ag_ui.paid) == ("success", [])
    assert told.count("Cancelled") == 2


async def test_interrupts_that_cannot_be_told_apart_or_timed_are_refused(ag_ui: Program) -> None:
    job: dict[str, Any] = {"kind": "pydantic"}
    await ag_ui.run(do="start", **job)
    same = await ag_ui.run(do="resume", interrupts=[{"id": "int-c1"}], **job)
    assert "same id" in same["wrong"]
    soon = await ag_ui.run(do="resume", interrupts=[{"expiresAt": "soon"}], **job)
    assert "is no time" in soon["wrong"]
    async with people(ag_ui.home) as those:
        assert await those.count() == 0


async def test_a_question_is_answered_by_its_schema(ag_ui: Program) -> None:
    value = {"message": "Where to?", "responseSchema": {"type": "integer"}}
    job: dict[str, Any] = {"kind": "langgraph", "value": value}
    await ag_ui.run(do="start", **job)
    async with people(ag_ui.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(those.decide, {"Where to?": {"response": 7}})
        await ag_ui.run(do="resume", **job)
    assert (ag_ui.home.folder / "got.txt").read_text() == "7\n"


async def test_a_question_that_nobody_answers_is_cancelled(ag_ui: Program) -> None:
    job: dict[str, Any] = {"kind": "langgraph", "value": "Really?"}
    await ag_ui.run(do="start", **job)
    async with people(ag_ui.home) as those, anyio.create_task_group() as tasks:

        async def decline() -> None:
            await those.desk.decline(await those.asked("Really?"), by="ada", channel="inbox")

        tasks.start_soon(decline)
        await ag_ui.run(do="resume", **job)
    assert "cancelled" in (ag_ui.home.folder / "got.txt").read_text()
