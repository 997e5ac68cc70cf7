"""Strands completes handoffs as MCP tasks: they outlive every time-out of a request, and every wait that was ended."""

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import anyio
import pytest
from mcp import StdioServerParameters, stdio_client
from mcp.types import ElicitResult
from strands.tools.mcp import MCPClient, TasksConfig

from handoffs.core.model import State
from handoffs.strands import HandoffClient
from tests.strands.programs import Home, answers
from tests.waiting import until_there

REQUEST_SECONDS = 2
CONFIG = TasksConfig(poll_timeout=timedelta(days=30), request_timeout=timedelta(seconds=REQUEST_SECONDS))


@contextmanager
def somebody_answers(home: Home, value: str, *, after: float) -> Generator[None]:
    """A person who opens another terminal some seconds after the question has come, and answers there."""

    def answer() -> None:
        found = until_there(lambda: home.kept(open_only=True))
        time.sleep(after)
        home.handoffs("answer", found[0].id, value)

    person = threading.Thread(target=answer)
    person.start()
    try:
        yield
    finally:
        person.join(60)


async def on_the_phone(context: Any, params: Any) -> ElicitResult:
    """A dialog that does not come to anything before the call was ended."""
    await anyio.sleep_forever()
    raise AssertionError


def test_a_handoff_outlives_every_time_out_of_a_request(home: Home) -> None:
    async def slow(context: Any, params: Any) -> ElicitResult:
        await anyio.sleep(REQUEST_SECONDS + 1)
        return ElicitResult(action="accept", content={"response": "at last"})

    with HandoffClient(env=home.env, elicitation_callback=slow, tasks_config=CONFIG) as client:
        asked = time.monotonic()
        result = client.call_tool_sync("call-7", "handoff_to_user", {"message": "Go?"})
    assert time.monotonic() - asked > REQUEST_SECONDS
    assert result["status"] == "success"
    assert result["content"] == [{"text": "The person answered: at last"}]
    structured = result.get("structuredContent", {})
    assert (structured["status"], structured["toolUseId"], structured["channel"]) == (
        "SUCCESS",
        "call-7",
        "elicitation",
    )
    [handoff] = home.kept()
    assert handoff.collected_at is not None


def test_plain_strands_without_a_dialog_is_answered_by_another_process(home: Home) -> None:
    parameters = StdioServerParameters(command=sys.executable, args=["-m", "handoffs", "serve"], env=home.env)
    with (
        MCPClient(lambda: stdio_client(parameters), tasks_config=CONFIG) as client,  # pyright: ignore
        somebody_answers(home, "from elsewhere", after=REQUEST_SECONDS + 1),
    ):
        # Here nothing shows the question: the agent is told to tell the person, and then waits.
        told = client.call_tool_sync("1", "handoff_to_user", {"message": "Go?"}).get("structuredContent", {})
        assert told["status"] == "PENDING"
        asked = time.monotonic()
        result = client.call_tool_sync("2", "check_handoff", {"handoff_id": told["handoffId"]})
    assert time.monotonic() - asked > REQUEST_SECONDS
    assert result.get("structuredContent", {})["values"] == {"response": "from elsewhere"}
    assert result["status"] == "success"


def test_a_wait_that_ran_out_leaves_the_question_open(home: Home) -> None:
    with HandoffClient(env=home.env, elicitation_callback=on_the_phone) as client:
        result = client.call_tool_sync("1", "handoff_to_user", {"message": "Go?"}, timedelta(seconds=2))
        assert result["status"] == "error"
        assert [handoff.state for handoff in home.kept()] == [State.OPEN]
        home.handoffs("answer", home.kept()[0].id, "later")
        again = client.call_tool_sync("2", "handoff_to_user", {"message": "Go?"})
    assert again.get("structuredContent", {})["values"] == {"response": "later"}


@pytest.mark.parametrize("config", [None, CONFIG])
def test_the_result_has_the_same_shape_with_tasks_and_without(home: Home, config: TasksConfig | None) -> None:
    with HandoffClient(env=home.env, elicitation_callback=answers("yes"), tasks_config=config) as client:
        result = client.call_tool_sync("call-7", "handoff_to_user", {"message": "Go?"})
    [handoff] = home.kept()
    structured = result.get("structuredContent", {})
    assert structured.pop("answeredAt")
    assert structured == {
        "content": [{"text": "Go?"}],
        "userInput": [{"text": "yes"}],
        "status": "SUCCESS",
        "toolUseId": "call-7",
        "handoffId": handoff.id,
        "values": {"response": "yes"},
        "answeredBy": handoff.caller.subject,
        "channel": "script",
        "breakoutOfLoop": False,
        "guidance": "The person answered: yes",
    }
