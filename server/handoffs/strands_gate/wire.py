"""A wire inside the process: the gate's `Holding` holds an agent's calls as it holds those of a client on stdio.

It is both ends of it. To `Holding`, each call of a tool is a `tools/call` of a client named `strands`, and the tools
are what a server behind lists; a call that goes on to that server is one that the agent may run. So a call in an agent
goes through the same policy, permissions and questions, with the same words, as one through `handoffs gate`.

Everything here runs in the gate's thread.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

import anyio
from anyio.abc import TaskGroup
from mcp.types import ElicitRequestFormParams, ElicitResult

from handoffs.gate import words
from handoffs.gate.holding import Holding
from handoffs.gate.relay.message import Message, Odd, id_of, read
from handoffs.strands.asking import ask_in_terminal

CLIENT = "strands"
"""The name of the client; it is one of the host table."""

PROTOCOL = "2025-11-25"
"""Of the older era, a dialog is a request while the call is held, and is withdrawn when somebody decides elsewhere."""

CUT_OFF = "the agent no longer waits for its result"


@dataclass(frozen=True)
class Run:
    """The call may run, once."""

    arguments: dict[str, Any] | None = None
    """What a person made of the arguments; None where they were not changed."""


@dataclass(frozen=True)
class Refused:
    """The call is not to run; the agent is told why."""

    text: str


@dataclass(frozen=True, kw_only=True)
class AgentCall:
    """One call of a tool, as an agent makes it."""

    id: str
    """Of this call alone: another try of the same tool use is another call."""
    tool: str
    arguments: str
    """As JSON."""
    tools: str
    """The definitions of all tools of its server, as JSON."""
    state: str = ""
    """What `Wire.interrupted` returned, where the tool is called again after it has asked for input."""

    @property
    def line(self) -> bytes:
        """Return it as a message."""
        state = f',"requestState":{json.dumps(self.state)}' if self.state else ""
        params = f'{{"name":{json.dumps(self.tool)},"arguments":{self.arguments}{state}}}'
        return f'{{"jsonrpc":"2.0","id":"{self.id}","method":"tools/call","params":{params}}}\n'.encode()


class Wire:
    """Both ends of one session: the tools of one server, in one agent. It is the `Ends` of its `Holding`."""

    def __init__(self, holding: Holding, *, dialog: bool) -> None:
        """Take what holds the calls; with `dialog`, it asks in this program's terminal, too."""
        self._holding, self._dialog = holding, dialog
        self.ready = anyio.Event()
        """Set once it serves."""
        self._tools = "[]"
        self._pending: dict[str, tuple[asyncio.Future[Run | Refused], AgentCall]] = {}
        self._dialogs: dict[str, anyio.CancelScope] = {}
        self._tasks: TaskGroup | None = None

    async def serve(self) -> None:
        """Hold calls until this is cancelled; what is held then is not run, and its question stays open."""
        async with self._holding.serving(self), anyio.create_task_group() as self._tasks:
            abilities: dict[str, object] = {"elicitation": {"form": {}}} if self._dialog else {}
            info = {"name": CLIENT, "version": version("strands-agents")}
            params = {"protocolVersion": PROTOCOL, "capabilities": abilities, "clientInfo": info}
            first = {"jsonrpc": "2.0", "id": "begin", "method": "initialize", "params": params}
            self._holding.from_client(_message(json.dumps(first).encode()))
            self.ready.set()
            try:
                await anyio.sleep_forever()
            finally:
                for id_ in [*self._pending]:
                    self._settle(id_, Refused(words.WAITING))

    # The agent's side

    async def decide(self, call: AgentCall) -> Run | Refused:
        """Return what becomes of a call, once that is decided."""
        message = read(call.line)
        if isinstance(message, Odd):
            return Refused(f"Not run: {message.reason}.")
        if call.tools != self._tools:
            self._tools = call.tools
            self._holding.tools_changed()
        future: asyncio.Future[Run | Refused] = asyncio.get_running_loop().create_future()
        self._pending[_text(call.id)] = future, call
        if not self._holding.from_client(message):
            self._settle(_text(call.id), Run())
        try:
            return await future
        except asyncio.CancelledError:
            self.given_up(call)
            raise

    def finished(self, call: AgentCall, *, is_error: bool) -> list[str]:
        """Note that a call has a result; return what its agent is told before it."""
        result = {"content": list[object](), "isError": is_error}
        return _texts(self._from_server(call, result))

    def interrupted(self, call: AgentCall) -> str:
        """Note that the tool wants input before it goes on; return the state for its next call.

        That call needs no approval of its own. The state is empty where none was needed in the first place.
        """
        body = self._from_server(call, {"resultType": "input_required", "inputRequests": {}})
        return str(body.get("requestState") or "")

    def cut_off(self, call: AgentCall, reason: str) -> list[str]:
        """Note that a call may have run, and that its result will never come; return what its agent is told."""
        if _text(call.id) not in self._holding.watching:
            return []
        assert self._tasks is not None
        self._tasks.start_soon(self._holding.lost, _text(call.id), reason)
        return [words.INTERRUPTED]

    def given_up(self, call: AgentCall) -> None:
        """Note that the agent waits for a call no more: a question about it stays open, and what runs may have run."""
        id_ = _text(call.id)
        if id_ not in self._pending:  # it may run since just now, or its end was told before
            self.cut_off(call, CUT_OFF)
            return
        self._settle(id_, Refused(words.WAITING))
        told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call.id}}
        self._holding.from_client(_message(json.dumps(told).encode()))

    # The side of `Holding`

    async def to_client(self, line: bytes) -> None:
        """Take a line for the agent: what it is told of a call, or a dialog."""
        body = cast("dict[str, Any]", json.loads(line))
        match body.get("method"):
            case None:
                self._settle(_text(body["id"]), Refused("\n\n".join(_texts(body.get("result")))))
            case "elicitation/create":
                assert self._tasks is not None
                self._tasks.start_soon(self._ask, body["id"], body["params"])
            case "notifications/cancelled":
                if (scope := self._dialogs.get(body["params"]["requestId"])) is not None:
                    scope.cancel()
            case _:
                pass  # progress

    async def to_server(self, line: bytes) -> None:
        """Take a line for the server: a call that may run, or that its tools be listed."""
        body = cast("dict[str, Any]", json.loads(line))
        match body.get("method"):
            case "tools/list":
                result = f'{{"jsonrpc":"2.0","id":{_text(body["id"])},"result":{{"tools":{self._tools}}}}}'
                self._holding.from_server(_message(result.encode(), _text(body["id"])))
            case "tools/call":
                self._let_run(_text(body["id"]), body["params"].get("arguments") or {})
            case _:
                pass  # a cancellation: who gave up the call knows

    def _let_run(self, id_: str, arguments: dict[str, Any]) -> None:
        found = self._pending.get(id_)
        # Compared as texts: to Python, 1 and true are the same.
        edited = found is not None and json.dumps(arguments) != json.dumps(json.loads(found[1].arguments))
        if not self._settle(id_, Run(arguments if edited else None)):
            # Its agent gave it up while the approval was used up.
            assert self._tasks is not None
            self._tasks.start_soon(self._holding.lost, id_, CUT_OFF)

    def _settle(self, id_: str, decision: Run | Refused) -> bool:
        """Answer a call that waits; say whether it did."""
        found = self._pending.pop(id_, None)
        if found is None or found[0].done():
            return False
        found[0].set_result(decision)
        return True

    def _from_server(self, call: AgentCall, result: Mapping[str, object]) -> Mapping[str, Any]:
        """Have `Holding` see a result; return what it makes of it, empty where it does not wait for it."""
        id_ = _text(call.id)
        if id_ not in self._holding.watching:
            return {}
        line = f'{{"jsonrpc":"2.0","id":{id_},"result":{json.dumps(result)}}}\n'.encode()
        made = self._holding.from_server(_message(line, id_))
        return {} if made is None else cast("Mapping[str, Any]", json.loads(made)["result"])

    async def _ask(self, name: str, params: Mapping[str, Any]) -> None:
        """Show a dialog in the terminal, and give `Holding` the reply."""
        with anyio.CancelScope() as scope:
            self._dialogs[name] = scope
            try:
                answer = await ask_in_terminal(ElicitRequestFormParams.model_validate(params))
            except Exception as broken:  # noqa: BLE001 - a dialog that failed was seen by nobody; others can still answer
                told: dict[str, Any] = {"error": {"code": -32603, "message": type(broken).__name__}}
            else:
                kind = "result" if isinstance(answer, ElicitResult) else "error"
                told = {kind: answer.model_dump(mode="json", by_alias=True, exclude_none=True)}
            reply = json.dumps({"jsonrpc": "2.0", "id": name, **told}).encode()
            self._holding.from_client(_message(reply, _text(name)))
        del self._dialogs[name]


def _text(id_: str) -> str:
    return json.dumps(id_)


def _texts(result: Mapping[str, Any] | None) -> list[str]:
    return [part["text"] for part in (result or {}).get("content") or ()]


def _message(line: bytes, id_: str | None = None) -> Message:
    if id_ is not None:
        return Message(line, id=id_of(id_))
    made = read(line)
    assert isinstance(made, Message)  # the line is our own
    return made
