"""One call that the gate holds: what is decided on, what goes to the server, and what the client is told."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

from handoffs.gate.client import Client
from handoffs.gate.relay.message import OURS, Message, Number, Value
from handoffs.gate.task import Task
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
    name: str = field(default_factory=lambda: f"c_{secrets.token_hex(8)}")
    """What the log calls it, once it is sent."""
    task: Task | None = None
    """The task that it may become."""

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
    def as_task(self) -> Task | None:
        """The task that it has become; None while its client waits for a response."""
        return self.task if self.task is not None and self.task.id else None

    @property
    def id(self) -> str:
        """The JSON of its id; one of ours once its client was answered with a task."""
        if (task := self.as_task) is not None:
            return name_of(task.request)
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
        task = self.as_task
        if not self.changed and task is None:
            return self.message.raw
        params = {**self.message.params, **self.changed}
        params = {name: value for name, value in params.items() if value is not None or name not in self.changed}
        if task is None:
            return line({**self.message.body, "params": params})
        # Of a task nobody is told progress: what its client asked for ended with the response.
        params["_meta"] = {name: each for name, each in self.meta.items() if name != "progressToken"}
        return line({**self.message.body, "id": task.request, "params": params})

    def without_round(self, *, state: str | None = None) -> "HeldCall":
        """Return the call without what was ours of a round; with the server's own `state`, where it asked by itself."""
        responses = mapping(self.message.params.get("inputResponses"))
        kept = {name: each for name, each in responses.items() if name != ROUND}
        changed: dict[str, Value] = {"requestState": state, "inputResponses": kept or None}
        return replace(self, changed={**self.changed, **changed})

    def with_arguments(self, text: str) -> "HeldCall":
        """Return the call with other arguments, given as JSON."""
        arguments = Message(text.encode()).body
        return replace(self, changed={**self.changed, "arguments": arguments})

    def with_input(self, state: Value, responses: Mapping[str, Value]) -> "HeldCall":
        """Return the call with what its server wants before it goes on."""
        return replace(self, changed={**self.changed, "requestState": state, "inputResponses": responses})

    def refused(self, text: str) -> bytes:
        """Return the result that says that the call was not run, and why: an error that the model reads."""
        complete = {"resultType": "complete"} if self.client.modern else {}
        result: dict[str, Value] = {"content": [{"type": "text", "text": text}], "isError": True, **complete}
        return self.reply(result)

    def reply(self, result: Mapping[str, Value]) -> bytes:
        """Return a response to the call."""
        return response(self.id, result)


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


def begins_task(body: Mapping[str, Value]) -> str:
    """Return the id of the task that a response brings in place of a result; empty where it brings none."""
    result = mapping(body.get("result"))
    named = result.get("taskId")
    return named if result.get("resultType") == "task" and isinstance(named, str) else ""


def response(id: str, result: Mapping[str, Value]) -> bytes:  # noqa: A002 - JSON-RPC's word
    """Return a response of ours to the request whose id has this JSON."""
    return f'{{"jsonrpc":"2.0","id":{id},"result":{written(dict(result))}}}\n'.encode()


def failure(id: str, code: int, message: str, data: Value = None) -> bytes:  # noqa: A002 - JSON-RPC's word
    """Return an error of ours in place of a response."""
    error: dict[str, Value] = {"code": Number(str(code)), "message": message}
    told = error if data is None else {**error, "data": data}
    return f'{{"jsonrpc":"2.0","id":{id},"error":{written(told)}}}\n'.encode()


def protocol_meta(meta: Mapping[str, Value]) -> dict[str, Value]:
    """Return what each request of a client of 2026-07-28 says of it, for a request of ours in its place."""
    return {name: each for name, each in meta.items() if name.startswith("io.modelcontextprotocol/")}


def request(request_id: str, method: str, params: Mapping[str, Value]) -> bytes:
    """Return a request of ours."""
    return line({"jsonrpc": "2.0", "id": request_id, "method": method, "params": dict(params)})


def notification(method: str, params: Mapping[str, Value]) -> bytes:
    """Return a notification of ours."""
    return line({"jsonrpc": "2.0", "method": method, "params": dict(params)})


def name_of(request_id: str) -> str:
    """Return an id of ours as the JSON that comes back."""
    return json.dumps(request_id)
