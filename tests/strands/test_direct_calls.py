import json
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult
from strands import Agent
from strands.session import FileSessionManager

from handoffs.strands import HandoffClient, HandoffPlugin, ScriptedModel, approved
from tests.strands.programs import Home, answers, kill_servers, nobody, results, text_of

LEGAL = {"toolUseId", "status", "content"}


def test_a_direct_call_returns_the_documented_result(home: Home) -> None:
    with home.agent(person=answers("yes")) as agent:
        response = agent.tool.handoff_to_user(message="Format the drive?", breakout_of_loop=False)
    tool_use_id, handoff_id = response.pop("toolUseId"), response.pop("handoffId")
    assert response.pop("answeredAt").endswith("Z")
    assert response.pop("answeredBy")
    assert response == {
        "content": [{"text": "Format the drive?"}],
        "userInput": [{"text": "yes"}],
        "status": "SUCCESS",
        "values": {"response": "yes"},
        "channel": "script",
        "breakoutOfLoop": False,
        "guidance": "The person answered: yes",
    }
    assert tool_use_id.startswith("tooluse_handoff_to_user_")
    assert handoff_id.startswith("h_")


def test_a_direct_calls_history_is_legal_and_tells_the_model_the_answer(home: Home) -> None:
    model = ScriptedModel("I know.")
    with home.agent(person=answers("eu-north1"), model=model) as agent:
        response = agent.tool.handoff_to_user(message="Which region?")
        agent("Go on")
    (result,) = [b["toolResult"] for m in model.seen[0] for b in m["content"] if "toolResult" in b]
    assert set(result) == LEGAL
    assert result["status"] == "success"
    assert result["toolUseId"] == response["toolUseId"]
    assert "eu-north1" in text_of(dict(result))
    uses = [b["toolUse"] for m in model.seen[0] for b in m["content"] if "toolUse" in b]
    assert [use["toolUseId"] for use in uses] == [result["toolUseId"]]


def test_a_session_keeps_the_legal_history_of_a_direct_call(home: Home) -> None:
    session = FileSessionManager(session_id="s", storage_dir=str(home.folder / "sessions"))
    with home.agent(person=answers("eu-north1"), session_manager=session) as agent:
        agent.tool.handoff_to_user(message="Which region?")
    kept = [json.loads(path.read_text())["message"] for path in sorted(home.folder.rglob("message_*.json"))]
    (result,) = [b["toolResult"] for m in kept for b in m["content"] if "toolResult" in b]
    assert set(result) == LEGAL
    assert "eu-north1" in text_of(result)


def test_a_direct_call_that_is_not_recorded_has_the_documented_result_too(home: Home) -> None:
    with home.agent(person=answers("yes"), record_direct_tool_call=False) as agent:
        response = agent.tool.handoff_to_user(message="Format the drive?")
        assert agent.messages == []
    assert approved(response)
    assert response["userInput"] == [{"text": "yes"}]


def test_the_values_of_a_form_keep_their_types(home: Home) -> None:
    async def person(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"people": 3, "coffee": True}, _meta={"handoffs/script": True})

    form = {"type": "object", "properties": {"people": {"type": "integer"}, "coffee": {"type": "boolean"}}}
    with home.agent(person=person) as agent:
        response = agent.tool.handoff_to_user(message="Who comes?", form=form)
    assert response["values"] == {"people": 3, "coffee": True}
    assert response["userInput"] == [{"text": "3"}, {"text": "yes"}]


def test_a_direct_breakout_is_delivered_at_once_and_the_agent_stays_usable(home: Home) -> None:
    with home.agent("Here I am.", person=nobody) as agent:
        response = agent.tool.handoff_to_user(message="All done.", breakout_of_loop=True)
        after = agent("Still there?")
    assert (response["status"], response["userInput"], response["breakoutOfLoop"]) == ("SUCCESS", [{"text": ""}], True)
    assert not approved(response)
    assert (after.stop_reason, str(after).strip()) == ("end_turn", "Here I am.")


@pytest.mark.parametrize(("action", "status"), [("decline", "DECLINED"), ("cancel", "PENDING")])
def test_an_unanswered_call_has_a_status_of_its_own_and_no_approval(home: Home, action: str, status: str) -> None:
    async def person(context: Any, params: Any) -> ElicitResult:
        await anyio.sleep(1.2)  # a refusal within a second is no person's
        return ElicitResult(action=action)  # type: ignore[arg-type]

    with home.agent(person=person) as agent:
        response = agent.tool.handoff_to_user(message="Delete it?")
        (result,) = results(agent)
    assert (response["status"], response["userInput"]) == (status, [{"text": ""}])
    assert not approved(response)
    assert text_of(result) == response["guidance"]


def test_a_question_that_can_not_be_asked_is_an_error_that_says_why(home: Home) -> None:
    with home.agent(person=nobody) as agent:
        response = agent.tool.handoff_to_user(message="Which?", options=["only one"])
        (result,) = results(agent)
    assert response["status"] == "ERROR"
    assert response["content"] == [{"text": "Which?"}]
    assert "options" in response["guidance"]
    assert (set(result), result["status"]) == (LEGAL, "error")
    assert not approved(response)


def test_a_server_killed_while_it_asks_gives_an_error_and_no_approval(home: Home) -> None:
    async def person(context: Any, params: Any) -> ElicitResult:
        kill_servers()
        return ElicitResult(action="accept", content={"response": "yes"}, _meta={"handoffs/script": True})

    with home.agent(person=person) as agent:
        response = agent.tool.handoff_to_user(message="Delete it?")
        (result,) = results(agent)
    assert (response["status"], response["userInput"]) == ("ERROR", [{"text": ""}])
    assert not approved(response)
    assert result["status"] == "error"


def test_a_pending_handoff_is_collected_later_by_check_handoff(home: Home) -> None:
    async def person(context: Any, params: Any) -> ElicitResult:
        await anyio.sleep(1.2)  # a refusal within a second is no person's
        return ElicitResult(action="cancel")

    with home.agent(person=person) as agent:
        pending = agent.tool.handoff_to_user(message="Which region?")
        home.handoffs("answer", pending["handoffId"], "eu-north1")
        response = agent.tool.check_handoff(handoff_id=pending["handoffId"])
    assert (pending["status"], response["status"]) == ("PENDING", "SUCCESS")
    assert response["values"] == {"response": "eu-north1"}


def test_the_plugin_knows_the_tools_under_a_prefix(home: Home) -> None:
    client = HandoffClient(env=home.env, elicitation_callback=answers("yes"), prefix="human")
    agent = Agent(model=ScriptedModel(), tools=[client], plugins=[HandoffPlugin()], callback_handler=None)
    response = agent.tool.human_handoff_to_user(message="Go?")
    assert approved(response)
    agent.cleanup()
