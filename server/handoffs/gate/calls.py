"""One call that the gate holds: what is decided on, what goes to the server, and what the client is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from handoffs.gate.client import Client
from handoffs.gate.relay.message import OURS, Message, Value
from handoffs.gate.written import line, mapping, plain, sequence, written

ROUND = f"{OURS}decision"
"""The name of our request among the input requests of a round."""

_ROUND_FIELDS = ("requestState", "inputResponses")


@dataclass(frozen=True, kw_only=True)
class HeldCall:
    """A `tools/call`, as its client sent it."""

    message: Message
    client: Client
    changed: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """The parameters that go to the server in place of those that were sent; None leaves one out."""

    @cached_property
    def tool(self) -> str:
        """The name of the tool."""
        return cast("str", self.message.params["name"])

    @cached_property
    def arguments(self) -> str:
        """The arguments as JSON, each number as it was sent."""
        return written(self._given)

    @cached_property
    def values(self) -> Mapping[str, object]:
        """The arguments with ordinary numbers."""
        return cast("Mapping[str, object]", plain(self._given))

    @property
    def _given(self) -> Mapping[str, Value]:
        return mapping(self.changed.get("arguments", self.message.params.get("arguments")))

    @property
    def meta(self) -> Mapping[str, Value]:
        """Its `_meta`."""
        return mapping(self.message.params.get("_meta"))

    @property
    def id(self) -> str:
        """The JSON of its id."""
        assert self.message.id is not None
        return self.message.id.text

    @property
    def state(self) -> str:
        """The `requestState` that it brings back; empty where it brings none."""
        state = self.message.params.get("requestState")
        return state if isinstance(state, str) else ""

    @property
    def response(self) -> Mapping[str, Value] | None:
        """The reply to our dialog, where it brings one."""
        found = mapping(self.message.params.get("inputResponses")).get(ROUND)
        return None if found is None else mapping(found)

    def for_server(self) -> bytes:
        """Return the line that goes to the server: the original bytes, where nothing of it was changed."""
        if not self.changed:
            return self.message.raw
        params = {**self.message.params, **self.changed}
        params = {name: value for name, value in params.items() if value is not None or name not in self.changed}
        return line({**self.message.body, "params": params})

    def without_round(self, *, state: str | None = None) -> "HeldCall":
        """Return the call without what was ours of a round; with the server's own `state`, where it asked by itself."""
        responses = mapping(self.message.params.get("inputResponses"))
        kept = {name: each for name, each in responses.items() if name != ROUND}
        changed: dict[str, Value] = {"requestState": state, "inputResponses": kept or None}
        return HeldCall(message=self.message, client=self.client, changed={**self.changed, **changed})

    def with_arguments(self, text: str) -> "HeldCall":
        """Return the call with other arguments, given as JSON."""
        arguments = Message(text.encode()).body
        return HeldCall(message=self.message, client=self.client, changed={**self.changed, "arguments": arguments})

    def refused(self, text: str) -> bytes:
        """Return the result that says that the call was not run, and why: an error that the model reads."""
        complete = {"resultType": "complete"} if self.client.modern else {}
        result: dict[str, Value] = {"content": [{"type": "text", "text": text}], "isError": True, **complete}
        return self.reply(result)

    def reply(self, result: Mapping[str, Value]) -> bytes:
        """Return a response to the call."""
        return f'{{"jsonrpc":"2.0","id":{self.id},"result":{written(dict(result))}}}\n'.encode()


def has_round(params: Mapping[str, Value]) -> bool:
    """Say whether a request brings back a round of anybody's."""
    return any(name in params for name in _ROUND_FIELDS)


def with_note(raw: bytes, body: Mapping[str, Value], note: str) -> bytes:
    """Return a server's result, or error, that the model reads after a note of ours; else what came."""
    if "error" in body:
        error = mapping(body["error"])
        return line({**body, "error": {**error, "message": f"{note}\n\n{error.get('message') or ''}"}})
    result = mapping(body.get("result"))
    if not result or result.get("resultType", "complete") != "complete":
        return raw
    told: dict[str, Value] = {"type": "text", "text": note}
    return line({**body, "result": {**result, "content": [told, *sequence(result.get("content"))]}})


def is_error(body: Mapping[str, Value]) -> bool:
    """Say whether a response says that the call failed."""
    return "result" not in body or mapping(body["result"]).get("isError") is True


def asks_for_input(body: Mapping[str, Value]) -> bool:
    """Say whether a response is a round of the server's own: it wants input before it goes on."""
    return mapping(body.get("result")).get("resultType") == "input_required"


def request(request_id: str, method: str, params: Mapping[str, Value]) -> bytes:
    """Return a request of ours."""
    return line({"jsonrpc": "2.0", "id": request_id, "method": method, "params": dict(params)})


def notification(method: str, params: Mapping[str, Value]) -> bytes:
    """Return a notification of ours."""
    return line({"jsonrpc": "2.0", "method": method, "params": dict(params)})


def name_of(request_id: str) -> str:
    """Return an id of ours as the JSON that comes back."""
    return json.dumps(request_id)
