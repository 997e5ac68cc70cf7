"""Strands agents: paused in one process and resumed in others, and agents that ask while a call waits."""

import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.acceptance.processes import Home
from tests.interop.bridges.programs import Program, people

ALLOW, DENY = {"decision": "allow"}, {"decision": "deny", "reason": "not her"}
BOB = [["pay", {"name": "bob", "amount": 10}]]
SEVEN = ALLOW | {"arguments": '{"name": "bob", "amount": 7}'}


@pytest.fixture
def strands(tmp_path: Path) -> Program:
    return Program(sys.executable, Path(__file__).with_name("strands_agent.py"), Home(tmp_path))


@pytest.mark.parametrize("kept", ["file", "snapshot"])
async def test_each_call_gets_its_own_decision_also_after_a_restart(strands: Program, kept: str) -> None:
    assert len(await strands.run(do="start", kept=kept)) == 2
    paused = await strands.run(do="resume", kept=kept, wait=0)
    assert len(paused["paused"]) == 2
    async with people(strands.home) as those:
        await those.decide({"bob": SEVEN, "eve": DENY})
        ended, bob, eve = await strands.run(do="resume", kept=kept)
        assert await those.count() == 2
    assert (ended, strands.paid) == ("end_turn", ["bob 7"])
    assert bob[1] == "success"
    assert "A person changed this call" in bob[0]
    assert '"amount": 7' in bob[0]
    assert eve[1] == "error"
    assert "not her" in eve[0]
    assert await strands.run(do="resume", kept=kept) is None  # no longer paused: it is left as it is
    assert strands.paid == ["bob 7"]


@pytest.mark.parametrize("kept", ["file", "snapshot"])
async def test_of_two_workers_on_one_pause_one_goes_on(strands: Program, kept: str) -> None:
    await strands.run(do="start", kept=kept)
    await strands.run(do="resume", kept=kept, wait=0)
    found: list[Any] = []

    async def work() -> None:
        found.append(await strands.run(do="resume", kept=kept, slow=1))

    async with people(strands.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        tasks.start_soon(work)
        await those.decide({"bob": ALLOW, "eve": ALLOW})
    assert strands.paid == ["bob 10", "eve 20"]
    done, other = sorted(found, key=lambda each: isinstance(each, list), reverse=True)
    assert done[0] == "end_turn"
    assert other in ({"gone": True}, None)  # it came after


@pytest.mark.parametrize("kept", ["file", "snapshot"])
async def test_an_agent_built_before_another_went_on_does_not(strands: Program, kept: str) -> None:
    await strands.run(do="start", kept=kept, calls=BOB)
    await strands.run(do="resume", kept=kept, wait=0)
    async with people(strands.home) as those:
        await those.decide({"bob": ALLOW})
    assert await strands.run(do="stale", kept=kept) == {"gone": True}
    assert strands.paid == ["bob 10"]


async def test_a_worker_that_died_at_its_tool_runs_it_again_after_a_yes(strands: Program) -> None:
    await strands.run(do="start", calls=BOB)
    async with people(strands.home) as those:
        await strands.run(do="resume", wait=0)
        await those.decide({"bob": ALLOW})
        await strands.run(do="resume", die=True, code=9)
        paused = await strands.run(do="resume", wait=0)
        again = await those.asked("it may have run")
        assert [again.id] == paused["paused"]
        await those.answer("bob", **ALLOW)
        assert (await strands.run(do="resume"))[0] == "end_turn"
    assert strands.paid == ["bob 10"]


async def test_silence_and_withdrawal_are_refusals_in_words(strands: Program) -> None:
    await strands.run(do="start")
    strands.home.extra["HANDOFFS_MIN_TIMEOUT_SECONDS"] = "1"
    async with people(strands.home) as those, anyio.create_task_group() as tasks:

        async def withdraw() -> None:
            await those.desk.cancel(await those.asked("eve"), by="ada", channel="inbox")

        tasks.start_soon(withdraw)
        _, bob, eve = await strands.run(do="resume", timeout=20)
    assert strands.paid == []
    assert "Silence is not consent" in bob[0]
    assert "withdrawn" in eve[0]


async def test_the_same_interrupt_ids_in_another_session_are_asked_anew(strands: Program) -> None:
    one, two = [await strands.run(do="start", calls=BOB, fixed=True, session=name) for name in "ab"]
    assert one == two
    async with people(strands.home) as those:
        await strands.run(do="resume", session="a", wait=0)
        await those.decide({"bob": ALLOW})
        await strands.run(do="resume", session="a")
        paused = await strands.run(do="resume", session="b", wait=0)
        assert len(paused["paused"]) == 1
    assert strands.paid == ["bob 10"]


async def test_an_edit_that_does_not_fit_the_tool_is_asked_about_again(strands: Program) -> None:
    await strands.run(do="start", calls=BOB)
    async with people(strands.home) as those, anyio.create_task_group() as tasks:

        async def decide() -> None:
            await those.answer("bob", decision="allow", arguments='{"name": "bob", "amount": "7"}')
            await those.asked("was not used")
            await those.answer("bob", decision="allow", arguments='{"name": "bob", "amount": 7}')

        tasks.start_soon(decide)
        await strands.run(do="resume")
    assert strands.paid == ["bob 7"]


async def test_a_call_that_was_changed_after_a_yes_does_not_run(strands: Program) -> None:
    for do in ("resume", "ask"):
        if do == "resume":
            await strands.run(do="start", calls=BOB)
        async with people(strands.home) as those, anyio.create_task_group() as tasks:
            tasks.start_soon(those.decide, {"bob": ALLOW})
            told = (await strands.run(do=do, calls=BOB, change=True, session=do if do == "ask" else "s"))[-1][0]
        assert "not the call that a person allowed" in told
    assert strands.paid == []


async def test_interrupts_of_tools_are_questions_with_their_answers(strands: Program) -> None:
    job: Any = {"calls": [["choose", {}], ["handoff_to_user", {"message": "Which way?"}]]}
    await strands.run(do="start", **job)
    async with people(strands.home) as those:
        async with anyio.create_task_group() as tasks:

            async def decline() -> None:
                await those.desk.decline(await those.asked("Which way?"), by="ada", channel="inbox")
                await those.answer("which", response="b")

            tasks.start_soon(decline)
            assert await strands.run(do="resume", **job) == {"ended": "Declined"}
        _, choice, way = await strands.run(do="resume", unanswered="nobody says", **job)
        assert await those.count() == 2
    assert choice[0] == "chosen: b"
    assert "nobody says" in way[0]


async def test_approvals_ask_while_the_call_waits(strands: Program) -> None:
    async with people(strands.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(those.decide, {"bob": SEVEN, "eve": DENY})
        bob, eve = await strands.run(do="ask")
    assert strands.paid == ["bob 7"]
    assert "A person changed this call" in bob[0]
    assert eve[1] == "error"
    assert "not her" in eve[0]


async def test_approvals_join_the_question_of_a_process_that_was_killed(strands: Program) -> None:
    async with people(strands.home) as those:
        with anyio.move_on_after(200):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_killed, strands)
                asked = await those.asked("bob")
                tasks.cancel_scope.cancel()
        assert strands.paid == []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(those.decide, {"bob": ALLOW})
            ((told, _),) = await strands.run(do="ask", calls=BOB, session="another")
        assert await those.count() == 1
        assert asked.id == (await those.desk.newest(open_only=False))[0].id
    assert (told, strands.paid) == ("paid bob 10", ["bob 10"])


async def _killed(strands: Program) -> None:
    await strands.run(do="ask", calls=BOB)


async def test_approvals_that_wait_no_longer_leave_the_question_open(strands: Program) -> None:
    ((told, status),) = await strands.run(do="ask", calls=BOB, wait=0)
    assert status == "error"
    assert "Not run" in told
    assert strands.paid == []


async def test_approvals_say_what_is_missing_without_their_hooks(strands: Program) -> None:
    assert "hooks" in (await strands.run(do="ask", calls=BOB, hooked=False))["wrong"]
    assert strands.paid == []


async def test_a_snapshot_that_the_program_keeps_goes_on_once(strands: Program) -> None:
    await strands.run(do="start", kept="own", calls=BOB)
    old = (strands.home.folder / "snapshot.json").read_bytes()
    await strands.run(do="resume", kept="own", wait=0)
    async with people(strands.home) as those:
        await those.decide({"bob": ALLOW})
        assert (await strands.run(do="resume", kept="own"))[0] == "end_turn"
        assert await strands.run(do="resume", kept="own") is None
        (strands.home.folder / "snapshot.json").write_bytes(old)
        assert await strands.run(do="resume", kept="own") == {"gone": True}
    assert strands.paid == ["bob 10"]


async def test_calls_of_an_agent_inside_a_tool_are_asked_about(strands: Program) -> None:
    async with people(strands.home) as those, anyio.create_task_group() as tasks:
        asked: list[Any] = []

        async def decide() -> None:
            asked.append(await those.asked("bob"))
            await those.decide({"bob": ALLOW, "eve": DENY})

        tasks.start_soon(decide)
        ended, told = await strands.run(do="nested", kept="own", nested=True)
    assert [each.name for each in asked[0].question.form.fields] == ["decision", "reason"]  # no edits
    assert (ended, strands.paid) == ("end_turn", ["bob 10"])
    assert "Done." in told[0]
