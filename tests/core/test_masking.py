"""Secrets in the arguments of an action: found by schema, name and rule, and masked where nobody decides."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import ARGUMENTS, action_form
from handoffs.core.action_shown import message_of
from handoffs.core.document import document, redacted, summary
from handoffs.core.form import Form
from handoffs.core.masking import MASK, MAX_DEPTH, masked, masked_edit, masked_message, without_secrets
from handoffs.core.model import Caller, End, Handoff, Question, State
from handoffs.core.remembering import conditions_of
from handoffs.core.schema import parse
from handoffs.terminal.request import Request
from tests.days import at

HUSH = "hush-4711"
"""What must not be seen."""


def action(arguments: dict[str, Any], schema: dict[str, Any] | None = None, *masks: str) -> Action:
    """A call that a gate holds."""
    definition = json.dumps({"name": "pay", "description": "Pays.", "inputSchema": schema or {}})
    return Action(
        asker=Asker.GATE,
        server="shop",
        tool="pay",
        arguments=json.dumps(arguments),
        definition=definition,
        masked=masks,
    )


def found(arguments: dict[str, Any], schema: dict[str, Any] | None = None, *masks: str) -> list[str]:
    return list(masked(action(arguments, schema, *masks)).secrets)


def held(act: Action, **values: str) -> Handoff:
    """A question about it, answered where there are values."""
    form: Form = parse(action_form(editable=True, conditions=[*conditions_of(act)]))
    asked = Handoff(
        id="h_" + "a" * 20,
        caller=Caller(subject="ada"),
        question=Question(message=message_of(act), form=form, deadline=at(12) + timedelta(hours=1), action=act),
        created_at=at(12),
        fingerprint="f" * 64,
    )
    if not values:
        return asked
    return replace(asked, state=State.ANSWERED, values=values, end=End(at=at(13), by="ada", channel="inbox"))


@pytest.mark.parametrize(
    "said",
    [
        {"type": "string", "format": "password"},
        {"type": "string", "writeOnly": True},
        {"x-handoffs-secret": True},
        {"anyOf": [{"type": "string", "format": "password"}, {"type": "null"}]},
        {"$ref": "#/$defs/Hidden"},
        {"allOf": [{"$ref": "#/$defs/Hidden"}]},
        {"title": "Your password"},
    ],
)
def test_a_schema_says_what_is_secret(said: dict[str, Any]) -> None:
    hidden = {"type": "string", "writeOnly": True}
    schema = {"properties": {"q": said, "n": {"type": "string"}}, "$defs": {"Hidden": hidden}}
    assert found({"q": HUSH, "n": "seen"}, schema) == ["q"]
    nested = {"properties": {"in": {"type": "object", "properties": {"q": said}}}, "$defs": {"Hidden": hidden}}
    assert found({"in": {"q": HUSH}, "q": "seen"}, nested) == ["in.q"]
    listed = {"properties": {"in": {"items": {"properties": {"q": said}}}}, "$defs": {"Hidden": hidden}}
    assert found({"in": [{"q": HUSH}, {"q": HUSH}]}, listed) == ["in.q"]


def test_a_list_of_secrets_keeps_its_length() -> None:
    schema = {"properties": {"codes": {"items": {"format": "password"}}}}
    assert masked(action({"codes": [HUSH, HUSH]}, schema)).values == {"codes": [MASK, MASK]}


@pytest.mark.parametrize("name", ["password", "api_key", "apiKey", "token", "accessToken", "client_secret", "ssh_key"])
def test_a_name_that_sounds_like_a_secret_is_one(name: str) -> None:
    assert found({name: HUSH}) == [name]
    assert found({"deep": [{"in": {name: HUSH}}]}) == [f"deep.in.{name}"]
    assert found({name: {"value": HUSH}}) == [name]


@pytest.mark.parametrize(
    "shown",
    [{"max_tokens": 100}, {"page_token": "abc"}, {"primary_key": "id"}, {"has_password": True}, {"token": None}],
)
def test_what_only_speaks_of_secrets_is_shown(shown: dict[str, Any]) -> None:
    assert found(shown) == []


@pytest.mark.parametrize(
    ("mask", "paths"),
    [
        ("q", ["q"]),
        ("auth.*", ["auth.user", "auth.more"]),
        ("auth.more.q", ["auth.more.q"]),
        ("*.q", ["auth.more.q", "rows.q"]),
        ("rows", ["rows"]),
        ("?", ["q"]),
        ("nothing", []),
    ],
)
def test_a_rule_names_paths(mask: str, paths: list[str]) -> None:
    given = {"q": HUSH, "auth": {"user": "u", "more": {"q": HUSH}}, "rows": [{"q": HUSH}]}
    assert found(given, None, mask) == paths


@pytest.mark.parametrize("name", ["auth.config", ".", "a..b", ""])
def test_an_argument_that_holds_a_secret_is_known_by_its_whole_name(name: str) -> None:
    held = masked(action({name: {"password": HUSH}, "auth": 1, "a": 2}))
    assert held.names == {name}
    assert held.values[name] == {"password": MASK}


def test_what_a_rule_names_is_masked_whatever_it_is() -> None:
    assert masked(action({"a": True, "b": None, "c": 7}, None, "a", "b", "c")).values == dict.fromkeys("abc", MASK)


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"properties": {"next": {"$ref": "#/$defs/Node"}, "q": {"format": "password"}}, "$ref": "#/$defs/Node"}
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": node}}
    assert found({"next": {"next": {"q": HUSH, "n": 1}}}, schema) == ["next.next.q"]
    assert found({"q": HUSH}, {"properties": {"q": {"$ref": "http://elsewhere/#/q"}}}) == []


def test_what_is_too_deep_to_look_at_is_masked() -> None:
    deep: object = HUSH
    for _ in range(MAX_DEPTH + 1):
        deep = {"in": deep}
    assert HUSH not in json.dumps(masked(action({"in": deep})).values)
    deep = HUSH
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    assert HUSH not in json.dumps(masked(action({"in": deep})).values)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_secret_of_any_shape_is_seen_nowhere_and_the_rest_stays(value: object) -> None:
    shown = masked(action({"token": {"x": value, "y": HUSH}, "kept": [1, "two", None]})).values
    assert shown == {"token": MASK, "kept": [1, "two", None]}


def test_an_odd_number_beside_a_secret_stays_as_it_was_sent() -> None:
    act = replace(action({}), arguments='{"n": 12345678901234567890, "token": "hush-4711"}')
    assert '"n": 12345678901234567890' in masked_message(act, message_of(act))
    described: Any = document(held(act))["action"]
    assert described["arguments"] == {"n": "12345678901234567890", "token": MASK}


def test_without_secrets_all_is_as_it_was() -> None:
    act = action({"id": 7, "sql": "DELETE\nFROM orders"})
    assert without_secrets(act) is act
    assert masked_message(act, message_of(act)) == message_of(act)
    assert redacted(held(act)).question.message == message_of(act)


@pytest.mark.parametrize("asker", Asker)
def test_the_message_is_masked_and_keeps_what_we_said(asker: Asker) -> None:
    act = replace(action({"token": f"{HUSH}\nmore", "note": "one\ntwo", "id": 7}), asker=asker)
    message = message_of(act, again="change 1 was not used", origin="It may have run.")
    shown = masked_message(act, message)
    assert HUSH in message
    assert HUSH not in shown
    for said in (MASK, "change 1 was not used", "It may have run.", "one\ntwo", '"id": 7'):
        assert said in shown


def test_of_a_message_of_another_version_the_first_line_is_shown() -> None:
    act = action({"token": HUSH})
    assert masked_message(act, f"May it run?\n\n{HUSH}") == "Allow `pay` of `shop` with exactly these arguments?"


def test_edited_arguments_are_masked_too() -> None:
    act = action({"token": "a"}, None, "note")
    assert json.loads(masked_edit(act, json.dumps({"token": HUSH, "note": HUSH, "id": 8}))) == {
        "token": MASK,
        "note": MASK,
        "id": 8,
    }
    assert masked_edit(act, '{"id":  8}') == '{"id":  8}'
    assert masked_edit(act, f'{{"token": "{HUSH}"') == MASK


def test_json_masks_action_message_and_answer_and_keeps_the_digest() -> None:
    act = action({"token": HUSH, "id": 7})
    handoff = held(act, decision="allow", **{ARGUMENTS: json.dumps({"token": HUSH, "id": 8})})
    told: Any = document(handoff)
    assert HUSH not in json.dumps([told, summary(handoff)])
    assert told["action"] == {
        "server": "shop",
        "tool": "pay",
        "arguments": {"token": MASK, "id": 7},
        "digest": act.digest,
    }
    assert json.loads(told["answer"]["values"]["arguments"]) == {"token": MASK, "id": 8}
    whole: Any = document(handoff, secrets=True)
    assert whole["action"]["arguments"] == {"token": HUSH, "id": 7}
    assert HUSH in whole["message"]
    assert handoff.question.action is act  # what runs


def test_a_secret_is_no_condition_of_a_permission() -> None:
    act = action({"q": HUSH, "path": "/srv/a"}, {"properties": {"q": {"format": "password"}}})
    assert [*conditions_of(act)] == ["path is /srv/a", "path begins with /srv/"]


def test_who_decides_on_a_terminal_sees_what_runs() -> None:
    assert HUSH in Request.of(held(action({"token": HUSH}))).message


SECRET: dict[str, Any] = {"type": "string", "writeOnly": True}


@pytest.mark.parametrize(
    "schema",
    [
        {"patternProperties": {"^x-": SECRET}},
        {"properties": {"x-a": {"type": "string"}}, "patternProperties": {"a$": SECRET}},
        {"patternProperties": {"(": SECRET}},  # what can't be read may mean it
        {"unevaluatedProperties": SECRET},
        {"dependentSchemas": {"x-a": {"properties": {"x-a": SECRET}}}},
        {"if": {"properties": {"x-a": SECRET}}},
        {"properties": {"x-a": {"$ref": "#/properties/b/anyOf/1"}, "b": {"anyOf": [{}, SECRET]}}},
        {"properties": {"x-a": {"$ref": "#/$defs/My%20key"}}, "$defs": {"My key": SECRET}},
        {"properties": {"x-a": {"$ref": "#key"}}, "$defs": {"k": {"$anchor": "key", **SECRET}}},
        {"properties": {"x-a": {"$dynamicRef": "#key"}}, "$defs": {"k": {"$dynamicAnchor": "key", **SECRET}}},
        {"properties": {"x-a": {"$ref": "key"}}, "$defs": {"k": {"$id": "key", **SECRET}}},
        {
            "$id": "https://example.com/pay",
            "properties": {"x-a": {"$ref": "https://example.com/pay#/$defs/k"}},
            "$defs": {"k": SECRET},
        },
    ],
)
def test_a_schema_names_a_secret_in_every_way_that_schemas_have(schema: dict[str, Any]) -> None:
    assert masked(action({"x-a": HUSH}, schema)).values == {"x-a": MASK}


@pytest.mark.parametrize(
    "schema",
    [{"contains": SECRET}, {"unevaluatedItems": SECRET}, {"items": [True], "additionalItems": SECRET}],
)
def test_a_schema_names_a_secret_in_a_list(schema: dict[str, Any]) -> None:
    assert masked(action({"a": [HUSH]}, {"properties": {"a": schema}})).values == {"a": [MASK]}


@pytest.mark.parametrize("name", ["Authorization", "proxy_authorization", "Cookie", "password2", "TOKEN1"])
def test_a_header_or_a_numbered_name_is_a_secret(name: str) -> None:
    assert masked(action({"headers": {name: HUSH}})).values == {"headers": {name: MASK}}
