"""Dialogs of a server on the terminal, withdrawn when they are decided elsewhere.

A client of 2026-07-28 is asked between two calls, and its server can't withdraw the dialog. So this client polls while
its prompt is open: the request's key is the handoff's id, and `check_handoff` returns the state.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import cast

import anyio
from mcp import ClientSession
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
)

from handoffs.core.action_form import is_action_form, with_titles
from handoffs.core.errors import QuestionRefused
from handoffs.core.ids import ID_PREFIX
from handoffs.core.schema import parse
from handoffs.strands.interrupts import Wait, press_ctrl_c
from handoffs.terminal import Filled, Interrupted, Later, NoTerminal, Outcome, Refused, Request, Terminal, open_terminal

READING_SECONDS = 1.1
"""A faster reply does not count as a person's, so a person's reply is delayed until then."""

LOOK_SECONDS = 1.0
"""How often an open prompt polls whether its question was decided elsewhere."""

current_wait: ContextVar[Wait | None] = ContextVar("current_wait", default=None)
"""The wait of the current call."""

_ARGUMENTS = "handoffs/arguments"
"""Where a form says what a held call runs with, as JSON."""

# A yes is no answer: the person opens the link in a browser, and answers there.
_OPENED = {
    "type": "object",
    "properties": {"opened": {"type": "boolean", "title": "Open that address in your browser. Done?"}},
    "required": ["opened"],
}


async def terminal_elicitation(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
    """Ask the person in this program's terminal; the `elicitation_callback` of a `HandoffClient`.

    A refusal is a decline, *not now* (Ctrl-D, or the end of piped input) a cancel. Ctrl-C ends the waits of the whole
    program.
    """
    handoff_id = _handoff_id(context)
    wait = current_wait.get()
    if wait is not None:
        wait.handoff_id = handoff_id
    return await ask_in_terminal(params, handoff_id or "", context.session)


async def ask_in_terminal(
    params: ElicitRequestParams, handoff_id: str = "", session: ClientSession | None = None
) -> ElicitResult | ErrorData:
    """Ask the person, and return their reply. With id and session, the prompt goes away once it is decided elsewhere.

    Without them, whoever cancels this call withdraws it.
    """
    try:
        request = _request(params, handoff_id)
    except QuestionRefused as refused:
        return ErrorData(code=INVALID_PARAMS, message=str(refused))
    asked = anyio.current_time()
    try:
        async with open_terminal() as terminal:
            outcome = await _ask(terminal, request, session)
    except NoTerminal:
        # At once, which says that nobody saw it: the server then waits for an answer from elsewhere.
        return ElicitResult(action="cancel")
    except Interrupted:
        press_ctrl_c()
        outcome = Later()  # the call is being cancelled; this is for a server that hears of it first
    match outcome:
        case Filled(values=values) if isinstance(params, ElicitRequestFormParams):
            await anyio.sleep_until(asked + READING_SECONDS)
            return ElicitResult(action="accept", content=dict(values))
        case Filled(values=values) if values.get("opened") is True:
            return ElicitResult(action="accept")
        case None:
            return ElicitResult(action="cancel")
        case _:
            await anyio.sleep_until(asked + READING_SECONDS)
    if isinstance(outcome, Refused):
        # The protocol has no place for the reason; our server reads it here.
        return ElicitResult(action="decline", _meta={"handoffs/note": outcome.note} if outcome.note else None)
    return ElicitResult(action="cancel")


async def _ask(terminal: Terminal, request: Request, session: ClientSession | None) -> Outcome | None:
    """Return the person's outcome, or None if the question ended elsewhere first."""
    if not request.handoff_id or session is None:
        return await terminal.ask(request)
    ends: list[Outcome | Interrupted] = []
    status = ""

    async def ask() -> None:
        try:
            ends.append(await terminal.ask(request))
        except Interrupted as interrupted:
            ends.append(interrupted)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        if status := await _ended(session, request.handoff_id):
            tasks.cancel_scope.cancel()
    if not ends:
        await terminal.tell("The time is up." if status == "TIMEOUT" else "This was decided elsewhere.")
        return None
    if isinstance(ends[0], Interrupted):
        raise ends[0]
    return ends[0]


async def _ended(session: ClientSession, handoff_id: str) -> str:
    """Return the handoff's status once it has ended; empty if the server can't be asked."""
    while True:
        await anyio.sleep(LOOK_SECONDS)
        try:
            result = await session.call_tool(
                "check_handoff", {"handoff_id": handoff_id}, allow_input_required=True, allow_claimed=True
            )
        except MCPError:
            return ""  # it is gone or knows no handoffs; the prompt does without
        # An open one would be asked about once more, or be a task: that is no result, and the prompt is open already.
        if isinstance(result, CallToolResult):
            content = cast("Mapping[str, object]", result.structured_content or {})
            if content.get("status") != "PENDING":
                return "" if result.is_error else str(content.get("status"))


def _request(params: ElicitRequestParams, handoff_id: str) -> Request:
    if isinstance(params, ElicitRequestFormParams):
        form = parse(params.requested_schema)
        if not is_action_form(form):
            return Request(message=params.message, form=form, handoff_id=handoff_id)
        # The gate says what the call runs with, so that the person can edit it.
        arguments = cast("Mapping[str, object]", params.meta or {}).get(_ARGUMENTS)
        return Request(
            message=params.message,
            form=with_titles(form),
            handoff_id=handoff_id,
            decides=True,
            arguments=arguments if isinstance(arguments, str) else "",
        )
    return Request(message=f"{params.message}\n\n{params.url}", form=parse(_OPENED), handoff_id=handoff_id)


def _handoff_id(context: ClientRequestContext) -> str | None:
    """Return the handoff's id from the request's key, if it has one."""
    key = context.request_id
    if not isinstance(key, str) or not key.startswith(ID_PREFIX):
        return None
    # Of a task's form the key says more, after it: which call it is, and which round.
    return re.split(r"[./~]", key, maxsplit=1)[0]
