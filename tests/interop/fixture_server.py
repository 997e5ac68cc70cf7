"""A server for the conformance suite: our way of asking, under the names that the suite calls.

The suite can't call `handoff_to_user`: it wants tools, forms and keys of its own choice. So this server has those, and
asks through what `handoff_to_user` asks through: a desk over a SQLite file, `ask_while_open` up to 2025-11-25,
`ask_between` and `judge` from 2026-07-28, and state that is sealed with a key of ours. What Handoffs does not do
(images, sampling, ...) is not imitated here: `expected-failures.yml` lists it.

    python -m tests.interop.fixture_server FOLDER
"""

import socket
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult, TextContent
from starlette.applications import Starlette

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, Handoff
from handoffs.mcp_server.asking.dialog import Round, ask_between, ask_while_open, judge
from handoffs.mcp_server.asking.progress import Progress
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.asking.wait_registry import WaitRegistry
from handoffs.mcp_server.callers.capabilities import FORM, MODERN, declared_by, host_dialog_of
from handoffs.store.sqlite.store import SqliteStore
from tests.interop.tasks_fixture import TaskTools, Worker

KEY = "k" * 32
TEXT: dict[str, object] = {"type": "string"}
FLAG: dict[str, object] = {"type": "boolean"}
CALLER = Caller(subject="ada", client="conformance", project="")

Fields: TypeAlias = dict[str, dict[str, object]]

FORMS: dict[str, Fields] = {
    "test_elicitation_sep1034_defaults": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
    "test_elicitation_sep1330_enums": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {
            "type": "string",
            "oneOf": [{"const": "value1", "title": "First Option"}, {"const": "value2", "title": "Second Option"}],
        },
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {
            "type": "array",
            "items": {
                "anyOf": [{"const": "value1", "title": "First Choice"}, {"const": "value2", "title": "Second Choice"}]
            },
        },
    },
}


async def ask(desk: Desk, context: Context, key: str, message: str, fields: Fields) -> Handoff | InputRequiredResult:
    """Ask for these fields, all of them required; the suite finds the question under `key`.

    Raises:
        MCPError: Nobody answered.
    """
    if FORM not in declared_by(context).abilities:
        raise MCPError(-32600, "This client shows no forms.")
    handoff = await _opened(desk, context, message, fields)
    if context.protocol_version != MODERN:
        wait = WaitRegistry(desk, Shutdown()).wait(Progress(handoff, context), seconds=None)
        verdict = await ask_while_open(desk, handoff, context, wait, is_shared=lambda: False)
        if not isinstance(verdict, Handoff):
            raise MCPError(-32603, "Nobody answered.")
        return verdict
    reply = (context.input_responses or {}).get(key)
    if isinstance(reply, ElicitResult):
        seconds = (desk.clock.now() - handoff.created_at).total_seconds()
        verdict = await judge(desk, handoff, reply, host_dialog_of(context), seconds=seconds)
        if isinstance(verdict, Handoff):
            return verdict
    asked = ask_between(handoff, host_dialog_of(context), asked=desk.clock.now())
    [request] = (asked.input_requests or {}).values()
    return InputRequiredResult(input_requests={key: request}, request_state=asked.request_state)


async def _opened(desk: Desk, context: Context, message: str, fields: Fields) -> Handoff:
    if context.request_state is not None:
        handoff = await desk.get(Round.loads(context.request_state).handoff_id)
        if handoff.question.message == message:
            return handoff
    form = {"type": "object", "properties": fields, "required": list(fields)}
    return await desk.ask(message=message, caller=CALLER, form=form)


def told(outcome: Handoff | InputRequiredResult, context: Context) -> CallToolResult | InputRequiredResult:
    """Return the outcome as the suite wants it: a text."""
    if isinstance(outcome, InputRequiredResult):
        return outcome
    values = outcome.answer.values if outcome.answer is not None else None
    # The suite looks for these words where the state came back; a state that is not ours does not get as far as this.
    state = "" if context.request_state is None else " state-ok"
    return CallToolResult(content=[TextContent(type="text", text=f"{outcome.state.value}: {values}{state}")])


def build(desk: Desk) -> MCPServer:
    """Return the server with everything that the suite calls and we have."""
    tasks = TaskTools(desk, CALLER, partial(ask, desk))
    server = MCPServer(
        "handoffs-conformance",
        version="1",
        log_level="CRITICAL",
        tools=tasks.published(),
        extensions=[tasks],
        request_state_security=RequestStateSecurity(keys=[KEY], ttl=60),
    )

    @server.tool(description="Greet")
    async def greet(name: str) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=f"Hello, {name}!")])

    @server.tool(description="Ask for a name and an address")
    async def test_elicitation(message: str, context: Context) -> CallToolResult | InputRequiredResult:
        return told(await ask(desk, context, "user", message, {"username": TEXT, "email": TEXT}), context)

    def asking(name: str, key: str, message: str, fields: Fields) -> None:
        async def call(context: Context) -> CallToolResult | InputRequiredResult:
            return told(await ask(desk, context, key, message, fields), context)

        server.tool(name, description=message)(call)

    for name, fields in FORMS.items():
        asking(name, "form", f"Please fill in {name}", fields)
    asking("test_input_required_result_elicitation", "user_name", "What is your name?", {"name": TEXT})
    asking("test_input_required_result_request_state", "confirm", "Please confirm", {"ok": FLAG})
    asking("test_input_required_result_tampered_state", "confirm", "Please confirm it untouched", {"ok": FLAG})

    @server.tool(description="Ask two things, one after the other")
    async def test_input_required_result_multi_round(context: Context) -> CallToolResult | InputRequiredResult:
        if "step2" not in (context.input_responses or {}):
            first = await ask(desk, context, "step1", "Step 1: What is your name?", {"name": TEXT})
            if isinstance(first, InputRequiredResult):
                return first
        return told(await ask(desk, context, "step2", "Step 2: What is your favorite color?", {"color": TEXT}), context)

    @server.prompt(description="A prompt that asks first")
    async def test_input_required_result_prompt(context: Context) -> str | InputRequiredResult:
        outcome = await ask(desk, context, "user_context", "What context should the prompt use?", {"context": TEXT})
        return outcome if isinstance(outcome, InputRequiredResult) else f"Use {outcome.state.value}."

    return server


class Hurried(SystemClock):
    """A clock by which two seconds pass between two looks: the suite answers at once, which no person can."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        return super().now() + timedelta(seconds=2 * self._looks)


async def serve(folder: Path) -> None:
    """Serve on a free port of this machine, which is said on standard error, until a signal."""
    async with SqliteStore(folder / "handoffs.db") as store:
        desk = Desk(store=store, clock=Hurried(), channels=[Worker()])
        app = build(desk).streamable_http_app()
        async with desk.presenting():
            await listen(app)


async def listen(app: Starlette) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)  # noqa: T201
        # As the SDK's servers read where nothing else is installed: httptools leaves the blanks after a header's value.
        await uvicorn.Server(uvicorn.Config(app, http="h11", log_config=None)).serve(sockets=[listener])


if __name__ == "__main__":
    anyio.run(serve, Path(sys.argv[1]))
