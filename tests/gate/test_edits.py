"""What a person made of a call's arguments."""

import json
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from handoffs.core.action import Action, Asker
from handoffs.gate.calls import with_note
from handoffs.gate.edits import checked
from handoffs.gate.relay.message import Message


def action(schema: dict[str, Any]) -> Action:
    definition = json.dumps({"name": "pay", "inputSchema": schema})
    return Action(asker=Asker.GATE, server="s", tool="pay", arguments='{"n":1}', definition=definition)


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"n":1,"n":2}', '{"n":12345678901234567890}', '{"n":NaN}', '{"n":"\\ud800"}', '{"n":"\ud800"}',
     '{"n":' + "[" * 100_000],
)  # fmt: skip
def test_what_readers_do_not_read_alike_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|twice|number|nested|form"):
        checked(text, action({"type": "object"}))


def test_a_number_that_was_sent_so_stays_beside_a_change() -> None:
    sent = replace(action({"type": "object"}), arguments='{"big":12345678901234567890,"n":1}')
    assert checked('{"big":12345678901234567890,"n":2}', sent) == '{"big":12345678901234567890,"n":2}'
    with pytest.raises(ValueError, match="number"):
        checked('{"big":12345678901234567891,"n":2}', sent)


def test_bounds_beyond_a_double_are_checked() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**63 - 1}}}
    assert checked('{"n": 7}', action(schema)) == '{"n": 7}'
    with pytest.raises(ValueError, match="n: "):
        checked('{"n": "7"}', action(schema))


SLOW = r"^(\w+\s?)*$"
LONG = "aaaaaaaaa aaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaaaa!"
TREE: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)}


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        pytest.param({"a": LONG}, {"properties": {"a": {"pattern": SLOW}}}, id="pattern"),
        pytest.param({LONG: 1}, {"patternProperties": {SLOW: {}}}, id="pattern of names"),
        pytest.param({LONG: 1}, {"patternProperties": {SLOW: {}}, "additionalProperties": False}, id="others"),
        pytest.param({LONG: 1}, {"unevaluatedProperties": False, "patternProperties": {SLOW: {}}}, id="unevaluated"),
        pytest.param({LONG: 1}, {"propertyNames": {"pattern": SLOW}}, id="names"),
        pytest.param(
            {"a": "x"},
            {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**TREE, "d30": {"type": "integer"}}},
            id="tree",
        ),
        pytest.param(
            {"a": "x"},
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/$defs/d0"}},
                "$defs": {**TREE, "d30": {"type": "integer"}},
            },
            id="tree in a dialect of its own",
        ),
    ],
)
def test_no_schema_holds_the_gate_up(values: dict[str, Any], schema: dict[str, Any]) -> None:
    begun = time.monotonic()
    with suppress(ValueError):
        checked(json.dumps(values), action(schema))
    assert time.monotonic() - begun < 5


def test_names_beside_those_of_the_schema_are_checked() -> None:
    schema: dict[str, Any] = {
        "properties": {"n": {}},
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert checked('{"n": 1, "x-a": 2}', action(schema)) is not None
    for text, said in (('{"x-a": "2"}', "x-a: "), ('{"y": 1}', "not allowed"), ('{"y": 1, "n": 1}', "not allowed")):
        with pytest.raises(ValueError, match=said):
            checked(text, action(schema))
    with pytest.raises(ValueError, match="y: "):
        checked('{"y": "1"}', action({"additionalProperties": {"type": "integer"}}))
    with pytest.raises(ValueError, match="unexpected"):
        checked('{"y": "1"}', action({"unevaluatedProperties": False}))


def test_a_schema_that_leads_elsewhere_is_fetched_from_nowhere() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base's
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/schema.json"
        with pytest.raises(ValueError, match="schema can't be read"):
            checked('{"n": 7}', action({"$ref": address}))
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []


def test_an_error_of_a_changed_call_says_that_it_was_changed() -> None:
    raw = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no order 8","data":{"n":1.50}}}\n'
    told = json.loads(with_note(raw, Message(raw).body, "A person changed this call."))
    assert told["error"]["message"] == "A person changed this call.\n\nno order 8"
    assert told["error"]["code"] == -32602
    assert told["error"]["data"] == {"n": 1.5}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"token": {"type": "integer"}}}, "token: the schema's `type` refuses it"),
        ({"additionalProperties": False}, "the arguments: the schema's `additionalProperties` refuses it"),
        ({"not": {}}, "the arguments: the schema's `not` refuses it"),
    ],
)
def test_what_is_said_of_a_wrong_edit_quotes_no_secret(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        checked('{"token": "hush"}', action(schema))
    assert str(refused.value) == said


def test_what_is_said_of_a_wrong_edit_quotes_no_secret_argument() -> None:
    held = replace(action({"properties": {"x": {"type": "object"}}}), arguments='{"x": {"password": "hush"}}')
    with pytest.raises(ValueError, match=r"^x: the schema's `type` refuses it$"):
        checked('{"x": "hush"}', held)


def test_a_name_with_a_dot_hides_its_secret_in_a_refusal_too() -> None:
    schema = {"properties": {"auth.config": {"properties": {"password": {"type": "integer"}}}}}
    with pytest.raises(ValueError, match=r"^auth\.config/password: the schema's `type` refuses it$"):
        checked('{"auth.config": {"password": "hush"}}', action(schema))
