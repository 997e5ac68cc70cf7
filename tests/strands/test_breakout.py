from collections.abc import Sequence
from typing import Any

import pytest
from strands import Agent, tool

from handoffs.strands import HandoffClient, HandoffPlugin, ScriptedModel
from tests.strands.programs import Home, answers, nobody, results, text_of

HAND_OVER = ("handoff_to_user", {"message": "Deployed. Over to you.", "breakout_of_loop": True})


class Deletions:
    """A dangerous tool, and what it did."""

    def __init__(self) -> None:
        self.done: list[str] = []

    @tool
    def delete_file(self, name: str) -> str:
        """Delete a file."""
        self.done.append(name)
        return f"{name} was deleted"


DELETE = ("delete_file", {"name": "a.txt"})


def test_a_breakout_ends_the_loop_after_exactly_that_model_call(home: Home) -> None:
    model = ScriptedModel([HAND_OVER], "I was called again")
    with home.agent(person=nobody, model=model) as agent:
        result = agent("Deploy!")
    assert len(model.seen) == 1
    assert result.stop_reason == "cancelled"
    assert str(result).strip() == "Deployed. Over to you."


def test_the_handoff_of_a_breakout_is_in_the_results_state(home: Home) -> None:
    with home.agent([HAND_OVER], person=nobody) as agent:
        handoff = agent("Deploy!").state["handoff"]
    assert handoff["status"] == "SUCCESS"
    assert handoff["content"] == [{"text": "Deployed. Over to you."}]
    assert handoff["userInput"] == [{"text": ""}]
    assert str(handoff["toolUseId"]).startswith("tooluse_scripted_")
    assert handoff["handoffId"] in [kept.id for kept in home.kept()]


@pytest.mark.parametrize("calls", [[HAND_OVER, DELETE], [DELETE, HAND_OVER], [DELETE, HAND_OVER, DELETE]])
def test_what_the_model_asked_for_beside_a_breakout_does_not_run(home: Home, calls: Sequence[Any]) -> None:
    deletions = Deletions()
    model = ScriptedModel(calls, "I was called again")
    with home.agent(person=nobody, model=model, tools=[deletions.delete_file]) as agent:
        result = agent("Finish!")
        history = results(agent)
    assert deletions.done == []
    assert (result.stop_reason, len(model.seen)) == ("cancelled", 1)
    assert [r["status"] for r in history] == ["success" if call is HAND_OVER else "error" for call in calls]
    assert all("Not run" in text_of(r) for r in history if r["status"] == "error")


def test_a_question_beside_a_breakout_is_not_asked(home: Home) -> None:
    question = ("handoff_to_user", {"message": "And what about the rest?"})
    with home.agent([question, HAND_OVER], person=nobody) as agent:
        assert agent("Finish!").stop_reason == "cancelled"


def test_other_tools_run_beside_a_question_that_is_no_breakout(home: Home) -> None:
    deletions = Deletions()
    question = ("handoff_to_user", {"message": "Which region?"})
    with home.agent([question, DELETE], "Done.", person=answers("eu"), tools=[deletions.delete_file]) as agent:
        result = agent("Go!")
    assert deletions.done == ["a.txt"]
    assert (result.stop_reason, "handoff" in result.state) == ("end_turn", False)


def test_a_breakout_that_could_not_be_delivered_does_not_end_the_loop(home: Home) -> None:
    wrong = ("handoff_to_user", {"message": "", "breakout_of_loop": True})
    model = ScriptedModel([wrong, DELETE], lambda messages: "I see that it failed.")
    deletions = Deletions()
    with home.agent(person=nobody, model=model, tools=[deletions.delete_file]) as agent:
        result = agent("Finish!")
    assert (result.stop_reason, str(result).strip()) == ("end_turn", "I see that it failed.")
    assert "handoff" not in result.state
    assert deletions.done == []


def test_a_breakout_that_the_person_has_sent_back_is_for_the_model_to_read(home: Home) -> None:
    with home.agent([HAND_OVER], person=nobody) as agent:
        handoff = agent("Deploy!").state["handoff"]
    home.handoffs("decline", handoff["handoffId"])
    with home.agent([HAND_OVER], "I see.", person=nobody) as agent:
        result = agent("Deploy!")
        (given,) = results(agent)
    assert (result.stop_reason, "handoff" in result.state) == ("end_turn", False)
    assert "declined" in text_of(given)


def test_a_breakouts_history_is_legal_and_the_agent_can_be_called_again(home: Home) -> None:
    model = ScriptedModel([HAND_OVER, DELETE], "Gladly.")
    with home.agent(person=nobody, model=model, tools=[Deletions().delete_file]) as agent:
        agent("Deploy!")
        again = agent("Once more, please.")
        messages = model.seen[1]
    assert (again.stop_reason, str(again).strip()) == ("end_turn", "Gladly.")
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant", "user"]
    asked = [b["toolUse"]["toolUseId"] for b in messages[1]["content"] if "toolUse" in b]
    given = [b["toolResult"]["toolUseId"] for b in messages[2]["content"] if "toolResult" in b]
    assert asked == given


def test_a_breakout_is_known_under_a_prefix_and_as_a_word(home: Home) -> None:
    client = HandoffClient(env=home.env, elicitation_callback=nobody, prefix="human")
    deletions = Deletions()
    hand_over = ("human_handoff_to_user", {"message": "Over to you.", "breakout_of_loop": "true"})
    agent = Agent(
        model=ScriptedModel([DELETE, hand_over]),
        tools=[client, deletions.delete_file],
        plugins=[HandoffPlugin()],
        callback_handler=None,
    )
    assert agent("Finish!").stop_reason == "cancelled"
    assert deletions.done == []
    agent.cleanup()


def test_a_models_own_call_gives_the_model_the_answer(home: Home) -> None:
    model = ScriptedModel([("handoff_to_user", {"message": "Which region?"})], "Thank you.")
    with home.agent(person=answers("eu-north1"), model=model) as agent:
        result = agent("Deploy!")
        (given,) = results(agent)
    assert (result.stop_reason, given["status"]) == ("end_turn", "success")
    assert "eu-north1" in text_of(given)
