"""Flows of CrewAI that wait for feedback, paused in one process and resumed in others."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.interop.bridges.programs import Program, people, program

YES_OR_NO = {"options": ["publish", "reject"]}


@pytest.fixture
def crewai(tmp_path: Path) -> Program:
    return program("crewai", tmp_path)


def got(crewai: Program) -> list[Any]:
    """The feedback that the flow's next step read."""
    path = crewai.home.folder / "got.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_a_flow_reads_the_persons_own_words_also_after_a_restart(crewai: Program) -> None:
    assert await crewai.run(do="start") == "paused"
    paused = await crewai.run(do="resume", wait=0)
    async with people(crewai.home) as those:
        asked = await those.asked("Publish this?")
        assert [asked.id] == paused["paused"]
        assert '"euros": 1200' in asked.question.message
        await those.answer("Publish this?", response="120 euros, not 1200")
        assert await crewai.run(do="resume") == "Done."
        assert await those.count() == 1
    assert got(crewai) == ["120 euros, not 1200"]
    assert await crewai.run(do="resume") is None  # no longer paused: it is left as it is


async def test_what_is_written_beside_the_options_is_none_of_them(crewai: Program) -> None:
    await crewai.run(do="start", metadata=YES_OR_NO)
    async with people(crewai.home) as those, anyio.create_task_group() as tasks:

        async def decide() -> None:
            asked = await those.asked("Publish this?")
            await those.desk.answer(asked, {}, other="publish", by="ada", channel="inbox")

        tasks.start_soon(decide)
        await crewai.run(do="resume", metadata=YES_OR_NO)
    assert got(crewai) == ["None of these: publish"]


async def test_a_flow_with_emit_is_not_paused_for_a_model_to_decide(crewai: Program) -> None:
    assert "Leave `emit` out" in (await crewai.run(do="start", emit=["approved", "rejected"]))["wrong"]


async def test_of_two_workers_on_one_flow_one_goes_on(crewai: Program) -> None:
    await crewai.run(do="start")
    await crewai.run(do="resume", wait=0)
    found: list[Any] = []

    async def work() -> None:
        found.append(await crewai.run(do="resume"))

    async with people(crewai.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        tasks.start_soon(work)
        await those.answer("Publish this?", response="yes")
    assert got(crewai) == ["yes"]
    assert sorted(map(str, found)) == ["Done.", "None"]


async def test_a_worker_that_died_after_the_feedback_leaves_none_to_give_again(crewai: Program) -> None:
    await crewai.run(do="start")
    await crewai.run(do="resume", wait=0)
    async with people(crewai.home) as those:
        await those.answer("Publish this?", response="yes")
        await crewai.run(do="resume", die=True, code=9)
        assert await crewai.run(do="resume") is None  # CrewAI took the feedback, and the step after it was cut off
    assert got(crewai) == []


async def test_silence_leaves_the_flow_paused_and_no_empty_text_stands_for_it(crewai: Program) -> None:
    crewai.home.extra["HANDOFFS_MIN_TIMEOUT_SECONDS"] = "1"
    await crewai.run(do="start")
    assert await crewai.run(do="resume", timeout=1) == {"ended": "Expired"}
    assert "stays paused" in (await crewai.run(do="resume", timeout=1, unanswered=" "))["wrong"]
    assert got(crewai) == []
    assert await crewai.run(do="resume", timeout=1, unanswered="Nobody decided: no.") == "Done."
    assert got(crewai) == ["Nobody decided: no."]
