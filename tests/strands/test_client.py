import base64
import os
import signal
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult
from strands import Agent

from handoffs.core.model import State
from handoffs.extras import command_to_add
from handoffs.strands import HandoffClient, HandoffPlugin, ScriptedModel, approved
from tests.acceptance.processes import Home as ServerHome
from tests.strands.programs import Home, answers, nobody


async def test_it_asks_for_a_server_on_http_as_well(home: Home) -> None:
    async with ServerHome(home.folder).http() as server:
        client = HandoffClient(url=server.url, headers=server.bearer, elicitation_callback=answers("yes"))
        agent = Agent(model=ScriptedModel([("handoff_to_user", {"message": "Go?"})], "Gone."), tools=[client])
        result = await agent.invoke_async("Go!")
        agent.cleanup()
    assert "The person answered: yes" in str(agent.messages)
    assert str(result).strip() == "Gone."


def test_the_server_is_told_the_tool_use_id(home: Home) -> None:
    with HandoffClient(env=home.env, elicitation_callback=answers("yes"), meta={"mine": 1}) as client:
        result = client.call_tool_sync("call-7", "handoff_to_user", {"message": "Go?"}, meta={"also": 2})
    assert result["toolUseId"] == "call-7"
    assert result.get("structuredContent", {})["toolUseId"] == "call-7"


def test_two_clients_of_one_program_share_a_store(home: Home) -> None:
    with (
        HandoffClient(env=home.env, elicitation_callback=nobody) as one,
        HandoffClient(env=home.env, elicitation_callback=nobody) as other,
    ):
        told = one.call_tool_sync("1", "handoff_to_user", {"message": "Done.", "breakout_of_loop": True})
        handoff_id = told.get("structuredContent", {})["handoffId"]
        home.handoffs("answer", handoff_id, "thanks")
        found = other.call_tool_sync("2", "check_handoff", {"handoff_id": handoff_id})
    assert found.get("structuredContent", {})["values"] == {"response": "thanks"}


def test_a_file_that_no_model_is_shown_is_named_and_can_be_read(home: Home) -> None:
    files = {"plan.pdf": b"%PDF-1.7 a plan", "notes.md": b"# Notes", "a [b].bin": b"\x00\x01"}
    for name, content in files.items():
        (home.folder / name).write_bytes(content)
    attached = [each for name in files for each in ("--attach", str(home.folder / name))]
    with HandoffClient(env=home.env, elicitation_callback=nobody) as client:
        told = client.call_tool_sync("1", "handoff_to_user", {"message": "Done.", "breakout_of_loop": True})
        handoff_id = told.get("structuredContent", {})["handoffId"]
        home.handoffs("answer", handoff_id, "thanks", *attached)
        found = client.call_tool_sync("2", "check_handoff", {"handoff_id": handoff_id})
        pdf, notes, other = [str(each.get("text")) for each in found["content"]][-3:]
        where = [str(each["uri"]) for each in found.get("structuredContent", {})["attachments"]]
        read = client.read_resource_sync(where[0]).contents[0]
    assert pdf == f"[The file plan.pdf (application/pdf) is not shown to you. It is at {where[0]}]"
    assert notes == "# Notes"
    assert other.startswith("[The file a [b].bin (application/octet-stream) is not shown")
    assert base64.b64decode(str(getattr(read, "blob", ""))) == files["plan.pdf"]


def test_its_server_works_in_the_programs_folder_with_its_settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in home.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home.folder)
    # It would read the keys of the terminal on which this client asks.
    monkeypatch.setenv("HANDOFFS_TERMINAL", "on")
    with HandoffClient(elicitation_callback=answers("yes")) as client:
        client.call_tool_sync("1", "handoff_to_user", {"message": "Go?"})
    [handoff] = home.kept()
    assert handoff.caller.project == os.path.realpath(home.folder)
    assert handoff.caller.client == "strands"


def test_a_call_cancelled_by_its_agent_is_pending_and_stays_open(home: Home) -> None:
    async def person(context: Any, params: Any) -> ElicitResult:
        agent.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    client = HandoffClient(env=home.env, elicitation_callback=person)
    model = ScriptedModel([("handoff_to_user", {"message": "Go?"})], "I was called again")
    agent = Agent(model=model, tools=[client], plugins=[HandoffPlugin()], callback_handler=None)
    result = agent("Go!")
    agent.cleanup()
    assert (result.stop_reason, len(model.seen)) == ("cancelled", 1)
    assert "the question stays open" in str(agent.messages)
    assert [handoff.state for handoff in home.kept()] == [State.OPEN]


def test_a_programs_own_way_with_ctrl_c_is_left_alone(home: Home) -> None:
    def own(number: int, frame: Any) -> None:
        pass

    before = signal.signal(signal.SIGINT, own)
    try:
        HandoffClient(env=home.env)
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_a_keyboard_interrupt_where_nothing_waits(home: Home) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        HandoffClient(env=home.env)
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_the_plugin_a_direct_call_returns_the_documented_result(home: Home) -> None:
    client = HandoffClient(env=home.env, elicitation_callback=answers("yes"))
    agent = Agent(model=ScriptedModel(), tools=[client], callback_handler=None)
    response = agent.tool.handoff_to_user(message="Go?")
    agent.cleanup()
    assert (response["status"], response["userInput"]) == ("SUCCESS", [{"text": "yes"}])
    assert approved(response)


def test_without_the_extra_the_import_says_how_to_install_it(home: Home) -> None:
    done = home.run("-c", "import sys; sys.modules['strands'] = None; import handoffs.strands")
    assert done.stderr.splitlines()[-1].endswith(
        f"Strands is not installed. It comes with an extra: {command_to_add('strands')}"
    )
