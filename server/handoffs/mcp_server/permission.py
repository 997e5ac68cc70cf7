"""Permission prompts of Claude Code: `claude -p --permission-prompt-tool mcp__handoffs__approve_tool_use …`.

Where its own rules leave a tool's use undecided, Claude Code calls this tool, which asks the person like any other
question, in the inbox or on the terminal. Nothing but an answered *allow* allows: once, and exactly what was shown or
what the person made of it. What goes in and out is Claude Code's (its documentation; #1175 of its repository): in come
`tool_name`, `input` and `tool_use_id`, out goes one text, which is JSON. It runs a tool with its *original* input when
the text has an empty `updatedInput`, so an edit must not be empty.

On stdio the same question from the same project is one, and a decision that came late is collected by who asks again.
Over HTTP nothing that Claude Code sends names its project: what `input` holds is the agent's, and there are no roots in
the newer era. So a question is joined only within one session, which is one Claude Code in one project; without
sessions (from 2026-07-28) only by the same `tool_use_id`, sent again; without that by nobody.
"""

import hashlib
import json
import logging
import re
import secrets
import traceback
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, TextContent, ToolAnnotations

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.model import Handoff, State
from handoffs.core.question import MAX_MESSAGE
from handoffs.core.untrusted import inert, inert_line
from handoffs.mcp_server import app
from handoffs.mcp_server.asking import CHANNEL, has_left
from handoffs.mcp_server.calls import Calls
from handoffs.mcp_server.declared import MODERN

logger = logging.getLogger(__name__)

NAME = "approve_tool_use"

DESCRIPTION = (
    "For Claude Code's --permission-prompt-tool, not for you: it asks the person whether a tool may run. Calling it "
    "yourself permits nothing; to ask for approval, call handoff_to_user."
)

Listed: TypeAlias = Literal["auto", "on", "off"]
"""Whom the tool is listed for: the hosts that can use it, every host, or none."""

_HOSTS = re.compile(r"claude-code", re.IGNORECASE)

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "tool_name": {"type": "string"},
        "input": {"type": "object"},
        "tool_use_id": {"type": "string"},
    },
    "required": ["tool_name", "input"],
}

MAX_EDITED = 4_000
"""Characters of an input that a person can edit; a longer one is allowed or denied as it is."""

MAX_REASON = 300
"""Characters that are kept for saying why an edit was not used."""

MAX_EDITS = 5
"""How often an edit that can't be used is asked for again."""

CLAIM_SECONDS = 86_400
"""How long it is remembered that an approval has been used."""

_HOUR = 3600.0
# Claude Code's wall clock is about 28 h (MCP_TOOL_TIMEOUT; D). Its idle limit is 5 min over HTTP and 30 min on stdio,
# and is reset by progress (C), which goes only to a call that asks for it, as this one does (2.1.197, T).
PATIENCE = 27 * _HOUR
QUIET_STDIO = 29 * 60.0
QUIET_HTTP = 280.0

ALLOW, DENY = "allow", "deny"

_OF_THE_HOST = frozenset({CHANNEL, app.CHANNEL})
"""Where the host answers, or what it shows: it holds all that an answer from there needs."""


def approval_tool(desk: Desk, calls: Calls) -> Tool:
    """Return the tool."""
    return _ApprovalTool(
        fn=_Approvals(desk, calls).decide,
        name=NAME,
        title="Approve a tool's use",
        description=DESCRIPTION,
        parameters=SCHEMA,
        fn_metadata=FuncMetadata(arg_model=ArgModelBase),
        is_async=True,
        context_kwarg=None,
        annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False),
    )


def listed_for_its_hosts() -> ServerMiddleware[Any]:
    """Return what leaves the tool out of the list of tools for hosts that can't use it."""

    async def leave_out(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        if ctx.method != "tools/list" or not isinstance(result, dict):
            return result
        client = ctx.session.client_params
        if client is None or not _HOSTS.fullmatch(client.client_info.name):
            listed = cast("list[dict[str, object]]", result["tools"])
            result["tools"] = [tool for tool in listed if tool["name"] != NAME]
        return result

    return leave_out


class _ApprovalTool(Tool):
    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult:
        try:
            decision = await self.fn(arguments, context)
        except HandoffError as error:
            decision = _deny(f"The person could not be asked, so it is not approved. {error}")
        except Exception as broken:  # noqa: BLE001 - whatever broke, it must not be read as an approval
            # Without the exception's own text, which may hold what a person wrote.
            frames = "".join(traceback.format_tb(broken.__traceback__))
            logger.error("%s failed: %s\n%s", NAME, type(broken).__name__, frames)
            decision = _deny("Handoffs failed inside; nothing was decided, so it is not approved. Tell the person.")
        # In ASCII: half a character in an input must not break the line.
        return CallToolResult(content=[TextContent(type="text", text=json.dumps(decision))])


class _Approvals:
    def __init__(self, desk: Desk, calls: Calls) -> None:
        self._desk, self._calls = desk, calls

    async def decide(self, given: Mapping[str, object], context: Context) -> dict[str, object]:
        """Return what Claude Code is to do, as it wants to be told."""
        name, tool_input = given.get("tool_name"), given.get("input")
        if not isinstance(name, str) or not name or not isinstance(tool_input, Mapping):
            return _deny("Not approved: `tool_name` must be a string and `input` an object. Nobody was asked.")
        wanted = dict(cast("Mapping[str, object]", tool_input))
        try:
            shown = _shown({"tool_name": name, "input": wanted})
        except (ValueError, RecursionError):
            return _deny("Not approved: `input` can't be shown as JSON, so nobody was asked.")
        origin = _origin(given, context)
        if len(_message(name, shown, "x" * MAX_REASON, origin)) > MAX_MESSAGE:
            return _deny(
                f"{_TOO_LONG} ({len(shown):,} characters), and nobody approves what they can't see. {_SMALLER}"
            )
        form = _form(editable=len(shown) <= MAX_EDITED)
        asked: list[Handoff] = []
        reason, tool_use = "", _tool_use(given)

        def hand_over() -> None:
            self._calls.hand_over(*asked, context=context.request_context, tool_use=tool_use)

        while len(asked) <= MAX_EDITS:
            handoff = await self._calls.ask_elsewhere(
                context,
                message=_message(name, shown, reason, origin),
                form=form,
                hold_seconds=_patience(context),
                tool_use=tool_use,
            )
            asked.append(handoff)
            waiting = WAITING if _session_of(context) != "" else WAITING_FOR_NOBODY
            if handoff.state is State.OPEN:
                return _deny(waiting)
            if await has_left(context):
                return _deny(waiting)  # nobody reads this; who calls again gets the decision
            values = handoff.values or {}
            if handoff.state is not State.ANSWERED or values.get("decision") != ALLOW:
                hand_over()
                return _deny(refusal(handoff))
            if handoff.end is None or handoff.end.channel in _OF_THE_HOST:
                # The agent has asked the very same with handoff_to_user, or has checked it, and its host, which wants
                # to know whether it may, has said yes to itself.
                hand_over()
                return _deny(IN_DIALOG)
            try:
                allowed = _edited(str(values.get("input") or ""), wanted)
            except ValueError as wrong:
                # Not collected yet: who calls again after a cut comes here again, and joins the question that is open.
                # The number keeps two edits that are wrong alike from being one question.
                reason = f"edit {len(asked)} was not used, and nothing has run: {wrong}"
                continue
            if await self._is_theirs(handoff, tool_use):
                hand_over()
                return {"behavior": ALLOW, "updatedInput": allowed}
            # The same was asked twice at once, and the other call has used this approval: it is asked for its own.
            for each in asked:
                await self._desk.collect(each)
            asked, reason = [], ""
        hand_over()
        return _deny(f"Not approved: {MAX_EDITS + 1} edits in a row could not be used. {_NEXT}")

    async def _is_theirs(self, handoff: Handoff, tool_use: str) -> bool:
        """Say whether an approval is this tool's use: it is for one, and for that one again if its answer was lost."""
        if tool_use and tool_use == handoff.handed_to:
            return True
        used, by = f"approval of {handoff.id}", f"approval of {handoff.id} for {_digest(tool_use)}"
        if await self._desk.claim(used, seconds=CLAIM_SECONDS):
            if tool_use:
                await self._desk.claim(by, seconds=CLAIM_SECONDS)
            return True
        # A key that can be had for no time at all is one that nobody holds.
        return bool(tool_use) and not await self._desk.claim(by, seconds=0)


def _deny(why: str) -> dict[str, object]:
    return {"behavior": DENY, "message": why}


_NEXT = "Do not do it in another way either: go on without it, or stop and say what is missing."

_TOO_LONG = "Not approved: the input is too long to be shown to the person"
_SMALLER = "Do it in smaller steps, or stop and say what is missing."

WAITING = (
    "Not approved: the person has not decided yet. Do not act as if they had. The question stays open for them; do "
    "what does not need it, or stop. Exactly the same use of the tool, tried again later, gets their decision."
)
"""What the agent is told when the host's patience ends first."""

WAITING_FOR_NOBODY = (
    "Not approved: the person has not decided yet. Do not act as if they had. Do what does not need it, or stop. "
    "Exactly the same use of the tool, tried again, asks them anew: what they decide now is for this use alone."
)
"""The same, where nothing tells that the next call comes from the same project."""


IN_DIALOG = (
    "Not approved: this was answered in a dialog or a card of the host, which can't approve what the host itself asks "
    "for. Use the tool again, and do not ask the person about it yourself: they are asked in the inbox or on the "
    "terminal."
)
"""What the agent is told of an approval that came from where nobody need have been."""


def refusal(handoff: Handoff) -> str:
    """Return what the agent is told of a request that ended without an approval."""
    end = handoff.end
    note = end.note if end is not None else ""
    match handoff.state:
        case State.ANSWERED:
            why = str((handoff.values or {}).get("reason") or note)
            return f"The person denied it. Do not ask for the same again. {_as_they_said(why)}"
        case State.DECLINED:
            said = _as_they_said(note)
            return f"The person declined to decide, so it is not approved. Do not ask for the same again. {said}"
        case State.CANCELLED:
            return f"The question was withdrawn; nothing was decided, so it is not approved. {_NEXT}"
        case _:
            return f"Nobody decided before the deadline. Silence is not consent: it is not approved. {_NEXT}"


def _as_they_said(why: str) -> str:
    return f'They said: "{why}" Follow that, and nothing more.' if why else _NEXT


def _message(name: str, shown: str, reason: str, origin: str = "") -> str:
    # As code only what looks like a tool's name: the rest of it is in the block.
    tool = f"`{name}`" if re.fullmatch(r"[\w.:/-]{1,100}", name, re.ASCII) else "a tool"
    again = f"Your {inert_line(reason, MAX_REASON)}\n\n" if reason else ""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"Allow {tool}, once, with exactly this input?\n\n{again}{fence}json\n{shown}\n{fence}{origin}"


def _origin(given: Mapping[str, object], context: Context) -> str:
    """Return the last line of a question: whose it is, so that no other project's question is the same.

    Of what tells them apart only a digest is shown: a session's id must not be read off a screen.
    """
    session = _session_of(context)
    if session is None:
        return ""
    if session:
        return f"\n\nSession `{_digest(session)}`"
    use = _tool_use(given)
    return f"\n\nTool use `{_digest(use) if use else secrets.token_hex(8)}`"


def _tool_use(given: Mapping[str, object]) -> str:
    """The host's own id of the use that is to be approved; empty where it gave none."""
    use = given.get("tool_use_id")
    return use if isinstance(use, str) else ""


def _session_of(context: Context) -> str | None:
    """The session that a request came in over HTTP; empty where it came in none, None on stdio."""
    if context.headers is None:
        return None
    return context.headers.get("mcp-session-id", "") if context.protocol_version != MODERN else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def _form(*, editable: bool) -> dict[str, object]:
    properties: dict[str, object] = {
        "decision": {
            "type": "string",
            "title": "Decision",
            "oneOf": [{"const": ALLOW, "title": "Allow", "description": "this once"}, {"const": DENY, "title": "Deny"}],
        },
    }
    if editable:
        properties["input"] = {
            "type": "string",
            "title": "Edited input",
            "description": "The JSON object to run it with instead. Empty: as shown.",
        }
    properties["reason"] = {
        "type": "string",
        "title": "Reason",
        "description": "What the agent is told when you deny.",
        "maxLength": 2_000,
    }
    return {"type": "object", "properties": properties, "required": ["decision"]}


def _shown(value: object) -> str:
    """JSON in which everything can be seen: what a screen would hide or act on is written as its code.

    Raises:
        ValueError: It holds what JSON can't, such as NaN.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return "".join(char if char == "\n" or inert(char) == char else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) > 0x7E else f"\\u{ord(char):04x}"


def _edited(text: str, wanted: dict[str, object]) -> dict[str, object]:
    """Return the input to run with: what the person wrote, or as it was where they wrote nothing.

    Raises:
        ValueError: What they wrote is no JSON object, or is one that would be read otherwise; says why.
    """
    if not text.strip():
        return wanted
    try:
        value = cast("object", json.loads(text, object_pairs_hook=_once, parse_constant=_refuse))
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    except json.JSONDecodeError as wrong:
        raise ValueError(f"it is no JSON ({wrong.msg}, line {wrong.lineno}, column {wrong.colno}).") from None
    if not isinstance(value, dict):
        raise ValueError("it must be the whole input, a JSON object: {…}.")
    if not value and wanted:
        raise ValueError("an empty object would run the tool with the input as shown; deny it instead.")
    return cast("dict[str, object]", value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands in it twice.")
    return made


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON.")


def _patience(context: Context) -> float:
    meta: Mapping[str, object] = context.request_context.meta or {}
    if "progress_token" in meta:
        return PATIENCE
    return QUIET_STDIO if context.headers is None else QUIET_HTTP
