"""What a person made of a call's arguments."""

import json
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


def test_bounds_beyond_a_double_are_checked() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**63 - 1}}}
    assert checked('{"n": 7}', action(schema)) == '{"n": 7}'
    with pytest.raises(ValueError, match="n: "):
        checked('{"n": "7"}', action(schema))


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
