import pytest
from strands import Agent, tool

from handoffs.strands import ScriptedModel, last_result


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_a_script_is_played_turn_by_turn_and_then_says_that_it_is_over() -> None:
    model = ScriptedModel([("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})], lambda seen: last_result(seen))
    agent = Agent(model=model, tools=[add], callback_handler=None)
    assert str(agent("Add!")).strip() == "7"
    assert str(agent("Again!")).strip() == "The script is over."
    assert [len(messages) for messages in model.seen] == [1, 3, 5]


def test_what_the_model_saw_is_kept_as_it_was_at_that_call() -> None:
    model = ScriptedModel("one", "two")
    agent = Agent(model=model, callback_handler=None)
    agent("first")
    agent.messages.clear()
    agent("second")
    assert model.seen[0][0]["content"] == [{"text": "first"}]


def test_the_last_result_of_a_conversation_without_any_is_empty() -> None:
    assert last_result([]) == ""
    assert last_result([{"role": "user", "content": [{"text": "hello"}]}]) == ""


def test_a_script_has_no_structured_output() -> None:
    with pytest.raises(NotImplementedError, match="tool call"):
        ScriptedModel().structured_output(dict, [])  # type: ignore[type-var]
