"""Tasks of a remote agent over A2A, which wait for people; the agent is a server of a2a-sdk, over HTTP."""

import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.interop.bridges.programs import Program, people, program
from tests.waiting import until

PAY = {"text": "Pay this?", "data": {"to": "bob", "amount": 7, "share": 0.5}}


@dataclass(frozen=True)
class Remote:
    """A remote agent, and the program that has a task with it."""

    program: Program
    url: str

    async def run(self, *, code: int = 0, **job: Any) -> Any:
        return await self.program.run(code=code, url=self.url, **job)

    @property
    def got(self) -> list[Any]:
        """The messages that it was sent."""
        path = self.program.home.folder / "got.txt"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def texts(self) -> list[str]:
        return [each["parts"][0]["text"] for each in self.got]


@pytest.fixture
def a2a(tmp_path: Path) -> Program:
    return program("a2a", tmp_path)


@asynccontextmanager
async def remote(a2a: Program, *asks: dict[str, Any], **more: Any) -> AsyncGenerator[Remote]:
    """Serve an agent that asks this, and begin a task with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = json.dumps({"port": port, "asks": asks, **more})
    command = [a2a.python, str(a2a.path.with_name("a2a_server.py")), job]
    async with await anyio.open_process(command, cwd=a2a.home.folder, env=a2a.env, stdout=None, stderr=None) as server:

        async def answers() -> bool:
            try:
                await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            except OSError:
                return False
            return True

        try:
            await until(answers, seconds=100)
            found = Remote(a2a, f"http://127.0.0.1:{port}/")
            await found.run(do="start", **more)
            yield found
        finally:
            server.terminate()


@pytest.mark.parametrize("streaming", [True, False])
async def test_an_answer_is_the_next_message_also_after_a_restart(a2a: Program, streaming: bool) -> None:
    async with remote(a2a, PAY, {"text": "And eve?"}, streaming=streaming) as agent, people(a2a.home) as those:
        paused = await agent.run(do="resume", wait=0, streaming=streaming)
        asked = await those.asked("Pay this?")
        assert [asked.id] == paused["paused"]
        assert '"amount": 7,' in asked.question.message  # and not 7.0
        assert '"share": 0.5' in asked.question.message
        assert '"Payer" asks' in asked.question.message
        await those.answer("Pay this?", response="yes")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(those.decide, {"And eve?": {"response": "no, never"}})
            assert await agent.run(do="resume", streaming=streaming) == "TASK_STATE_COMPLETED"
        assert await those.count() == 2
        assert await agent.run(do="resume") == "TASK_STATE_COMPLETED"  # it waits no more: it is left as it is
        assert agent.texts == ["yes", "no, never"]
        assert {each["taskId"] for each in agent.got} == {(a2a.home.folder / "task.txt").read_text()}


async def test_of_two_workers_one_sends_the_answer(a2a: Program) -> None:
    async with remote(a2a, PAY) as agent, people(a2a.home) as those:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: agent.run(do="resume"))
            tasks.start_soon(lambda: agent.run(do="resume"))
            await those.decide({"Pay this?": {"response": "yes"}})
        assert agent.texts == ["yes"]


async def test_a_cancelled_task_withdraws_its_question(a2a: Program) -> None:
    async with remote(a2a, PAY) as agent, people(a2a.home) as those:
        async with anyio.create_task_group() as tasks:
            found: list[Any] = []

            async def work() -> None:
                found.append(await agent.run(do="resume", look=0.2))

            tasks.start_soon(work)
            asked = await those.asked("Pay this?")
            assert await agent.run(do="cancel") == "TASK_STATE_CANCELED"
        assert found == ["TASK_STATE_CANCELED"]
        assert (await those.desk.get(asked.id)).state.value == "cancelled"
        assert agent.got == []


async def test_an_answer_to_one_message_is_none_to_the_next_in_the_same_words(a2a: Program) -> None:
    async with remote(a2a, PAY, PAY) as agent, people(a2a.home) as those:
        await agent.run(do="resume", wait=0)
        await those.answer("Pay this?", response="yes")
        paused = await agent.run(do="resume", wait=0)
        assert len(paused["paused"]) == 1
        assert await those.count() == 2
        assert agent.texts == ["yes"]


@pytest.mark.parametrize("die", ["before", "after"])
async def test_a_worker_that_died_as_it_sent_sends_nothing_twice(a2a: Program, die: str) -> None:
    async with remote(a2a, PAY) as agent, people(a2a.home) as those:
        await agent.run(do="resume", wait=0)
        await those.answer("Pay this?", response="yes")
        await agent.run(do="resume", die=die, code=9)
        if die == "before":
            paused = await agent.run(do="resume", wait=0)
            again = await those.asked("You answered this before")
            assert [again.id] == paused["paused"]
            await those.answer("You answered this before", response="yes")
        assert await agent.run(do="resume") == "TASK_STATE_COMPLETED"
        assert agent.texts == ["yes"]


async def test_silence_leaves_the_task_as_it_is_or_is_said(a2a: Program) -> None:
    a2a.home.extra["HANDOFFS_MIN_TIMEOUT_SECONDS"] = "1"
    async with remote(a2a, PAY) as agent, people(a2a.home):
        assert await agent.run(do="resume", timeout=1) == {"ended": "Expired"}
        assert agent.got == []
        assert await agent.run(do="resume", timeout=1, unanswered="Nobody decided: no.") == "TASK_STATE_COMPLETED"
        assert agent.texts == ["Nobody decided: no."]


async def test_a_wish_for_a_sign_in_asks_for_no_secret(a2a: Program) -> None:
    async with remote(a2a, {"text": "Sign in at https://login.example", "auth": True}) as agent:
        async with people(a2a.home) as those, anyio.create_task_group() as tasks:

            async def decide() -> None:
                asked = await those.asked("Sign in")
                assert "no password" in asked.question.message
                await those.answer("Sign in", response="I have signed in")

            tasks.start_soon(decide)
            assert await agent.run(do="resume") == "TASK_STATE_COMPLETED"
        assert agent.texts == ["I have signed in"]


async def test_a_form_is_answered_with_data_of_its_types(a2a: Program) -> None:
    form = {"type": "object", "properties": {"amount": {"type": "integer"}, "sure": {"type": "boolean"}}}
    async with remote(a2a, PAY) as agent, people(a2a.home) as those, anyio.create_task_group() as tasks:
        tasks.start_soon(those.decide, {"How much?": {"amount": 7, "sure": False}})
        assert await agent.run(do="resume", form=form) == "TASK_STATE_COMPLETED"
        assert agent.got[0]["parts"] == [{"data": {"amount": 7, "sure": False}}]


async def test_numbers_that_came_rounded_are_said_to_be(a2a: Program) -> None:
    async with remote(a2a, {"text": "Pay this?", "data": {"account": 9007199254740993}}) as agent:
        async with people(a2a.home) as those:
            await agent.run(do="resume", wait=0)
            assert "rounded" in (await those.asked("Pay this?")).question.message
