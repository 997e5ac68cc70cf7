"""What is asked about an interrupt of LangGraph, and what it is resumed with; the frameworks are in tests/interop."""

import json
from typing import Any

import pytest

from handoffs.bridges.interrupts import Tool, asked_by
from handoffs.bridges.pauses import Call, Decided, NoWayToRefuse, Question
from handoffs.client import NotAnswered, Outcome, Permission, Status
from tests.days import at

ASKED = at(9)

PAY = {"type": "object", "properties": {"amount": {"type": "integer"}}, "additionalProperties": False}
TOOLS = {"pay": Tool(description="Pay somebody.", schema=PAY)}
DENIED = Permission(allowed=False, status=Status.ANSWERED, told="Not run: the person denied it.", reason="no")
ALLOWED = Permission(allowed=True, status=Status.ANSWERED, arguments='{"amount": 1}')
EDITED = Permission(allowed=True, status=Status.ANSWERED, arguments='{"amount": 2}', edited=True)


def outcome(text: str = "", **values: Any) -> Outcome[object]:
    return Outcome(handoff_id="h_1", status=Status.ANSWERED, deadline=ASKED, text=text, values=values)


SILENCE = NotAnswered("Nobody answered.", Outcome(handoff_id="h_1", status=Status.EXPIRED, deadline=ASKED))


def batched(*allowed: str) -> Any:
    return {
        "action_requests": [{"name": "pay", "args": {"amount": 1}, "description": "Pay?"}],
        "review_configs": [{"action_name": "pay", "allowed_decisions": list(allowed)}],
    }


def decision(permission: Permission, *allowed: str) -> Any:
    asked = asked_by("i", batched(*allowed), None, TOOLS, None)
    (call,) = asked.items
    assert isinstance(call, Call)
    return asked.value(Decided(calls={call.id: permission}))


def test_a_decision_is_one_of_those_that_are_allowed() -> None:
    every = ("approve", "edit", "reject", "respond")
    edited = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 2}}}
    assert decision(ALLOWED, *every) == {"decisions": [{"type": "approve"}]}
    assert decision(EDITED, *every) == {"decisions": [edited]}
    assert decision(DENIED, *every) == {"decisions": [{"type": "reject", "message": DENIED.told}]}
    assert decision(DENIED, "approve", "respond") == {"decisions": [{"type": "respond", "message": DENIED.told}]}
    same = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 1}}}
    assert decision(ALLOWED, "edit", "reject") == {"decisions": [same]}


def test_a_refusal_that_has_no_shape_leaves_the_thread_paused() -> None:
    with pytest.raises(NoWayToRefuse, match="stays paused"):
        decision(DENIED, "approve", "edit")


@pytest.mark.parametrize(("tool", "allowed", "editable"), [("pay", "edit", True), ("pay", "approve", False)])
def test_an_edit_is_offered_where_it_is_allowed(tool: str, allowed: str, editable: bool) -> None:
    (call,) = asked_by("i", batched(allowed), None, TOOLS, None).items
    assert isinstance(call, Call)
    assert (call.editable, call.schema) == (editable, PAY)


def test_a_tool_that_only_takes_a_response_is_a_question() -> None:
    asked = asked_by("i", batched("respond"), None, TOOLS, None)
    (question,) = asked.items
    assert isinstance(question, Question)
    assert '"amount": 1' in question.message
    answered = asked.value(Decided(answers={question.id: outcome("three")}))
    assert answered == {"decisions": [{"type": "respond", "message": "three"}]}
    silent = asked.value(Decided(answers={question.id: SILENCE}))
    assert silent == {"decisions": [{"type": "respond", "message": "Nobody answered."}]}


def test_one_call_has_its_decisions_and_arguments_in_its_schema() -> None:
    schema = {
        "$defs": {
            "Reject": {"properties": {"type": {"const": "reject"}}},
            "Edit": {"properties": {"type": {"const": "edit"}, "edited_action": {"$ref": "#/$defs/Edited"}}},
            "Edited": {"properties": {"args": {"$ref": "#/$defs/pay"}}},
            "pay": PAY,
        },
        "oneOf": [{"$ref": "#/$defs/Reject"}, {"$ref": "#/$defs/Edit"}],
    }
    value = {"type": "tool_approval", "tool_call_id": "c0", "name": "pay", "args": {"amount": 1}, "description": ""}
    asked = asked_by("i", value, schema, {}, None)
    (call,) = asked.items
    assert isinstance(call, Call)
    assert call.schema is not None
    assert (call.editable, call.schema["properties"]) == (True, PAY["properties"])
    assert asked.value(Decided(calls={"i": DENIED})) == {"type": "reject", "message": DENIED.told}
    lone = asked_by("i", value, {"properties": {"type": {"const": "reject"}}}, {}, None)
    assert lone.value(Decided(calls={"i": DENIED})) == {"type": "reject", "message": DENIED.told}


def inbox(permission: Permission, **config: bool) -> Any:
    named = {f"allow_{name}": config.get(name, False) for name in ("accept", "edit", "respond", "ignore")}
    request = {"action_request": {"action": "pay", "args": {"amount": 1}}, "config": named, "description": "Pay?"}
    asked = asked_by("i", [request], None, TOOLS, None)
    return asked.value(Decided(calls={asked.items[0].id: permission}))


def test_agent_inbox_gets_a_list_of_responses_with_types_kept() -> None:
    assert inbox(ALLOWED, accept=True) == [{"type": "accept", "args": {"action": "pay", "args": {"amount": 1}}}]
    edited = inbox(EDITED, accept=True, edit=True)
    assert json.dumps(edited) == '[{"type": "edit", "args": {"action": "pay", "args": {"amount": 2}}}]'
    assert inbox(DENIED, accept=True, respond=True, ignore=True) == [{"type": "response", "args": DENIED.told}]
    assert inbox(DENIED, accept=True, ignore=True) == [{"type": "ignore", "args": None}]
    with pytest.raises(NoWayToRefuse):
        inbox(DENIED, accept=True)


def test_any_other_value_is_a_question_of_its_own_type() -> None:
    asked = asked_by("i", {"sure": "`x`"}, {"type": "boolean"}, {}, None)
    (question,) = asked.items
    assert isinstance(question, Question)
    assert question.form == {
        "type": "object",
        "properties": {"response": {"type": "boolean"}},
        "required": ["response"],
    }
    assert asked.value(Decided(answers={"i": outcome(response=False)})) is False
    with pytest.raises(NotAnswered):
        asked.value(Decided(answers={"i": SILENCE}))
    refused = asked_by("i", "Sure?", None, {}, lambda ended: {"no": str(ended)})
    assert refused.value(Decided(answers={"i": SILENCE})) == {"no": "Nobody answered."}
