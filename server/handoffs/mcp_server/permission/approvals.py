"""Approvals of tool uses: from the arguments that Claude Code sends to the reply.

On stdio the same question from the same project is one handoff, and a late decision is collected when the agent asks
again. Over HTTP Claude Code does not send its project: the agent makes `input`, and the newer era has no roots. So a
question is joined only within one session, which is one Claude Code in one project; without sessions (from 2026-07-28)
only by the same `tool_use_id`, sent again; without an id it is never joined.

An approval is for one use, by its `tool_use_id`. It is used before the reply is sent. A use whose reply was cut off
gets the approval again when it is sent again; another use needs an approval of its own.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from mcp.server.mcpserver import Context

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import ARGUMENTS, MAX_EDITED, MAX_EDITS, action_form
from handoffs.core.action_shown import MAX_REASON, MAX_SHOWN, message_of
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyUsed, NotProved, QuestionRefused
from handoffs.core.form import Schema
from handoffs.core.model import Handoff, State
from handoffs.mcp_server.asking.dialog import has_left
from handoffs.mcp_server.callers.capabilities import MODERN
from handoffs.mcp_server.calls import Calls
from handoffs.mcp_server.permission import words
from handoffs.mcp_server.permission.claude_code import ToolUse, allow, deny, read_edit, read_tool_use, written
from handoffs.mcp_server.permission.questions import QUESTIONS, Questions, read_questions

_HOUR = 3600.0
# Claude Code's wall clock is about 28 h (MCP_TOOL_TIMEOUT; D). Its idle limit is 5 min over HTTP and 30 min on stdio,
# and is reset by progress (C), which goes only to a call that asks for it, as this one does (2.1.197, T).
PATIENCE = 27 * _HOUR
QUIET_STDIO = 29 * 60.0
QUIET_HTTP = 280.0

Asked: TypeAlias = tuple[str, Schema]
"""A message and a form."""


class Approvals:
    """Decides on the tool uses that Claude Code asks about."""

    def __init__(self, desk: Desk, calls: Calls) -> None:
        """Take the desk, and the calls that ask in the caller's name."""
        self._desk, self._calls = desk, calls

    async def decide(self, given: Mapping[str, object], context: Context) -> str:
        """Return the reply in Claude Code's format."""
        use = read_tool_use(given)
        if use is None:
            return deny(words.MALFORMED)
        if use.tool == QUESTIONS:
            return await self._decide_questions(use, context)
        try:
            wanted = written(use.input)
            shown = message_of(_action(use, wanted), again="x" * MAX_REASON, origin="x" * MAX_REASON)
        except (ValueError, RecursionError):
            return deny(words.NO_JSON)
        if len(shown) > MAX_SHOWN:
            return deny(words.too_long(len(shown)))
        return await _Asking(self._desk, self._calls, context, use).decide(wanted)

    async def _decide_questions(self, use: ToolUse, context: Context) -> str:
        try:
            questions = read_questions(use.input)
            return await _AskingQuestions(self._desk, self._calls, context, use, questions).decide("")
        except (QuestionRefused, ValueError) as wrong:
            return deny(words.cant_be_asked(str(wrong)))


class _Asking:
    """Asks about one tool use, again after each edit that can't be used."""

    def __init__(self, desk: Desk, calls: Calls, context: Context, use: ToolUse) -> None:
        self._desk, self._calls, self._context, self._use = desk, calls, context, use
        # A use without an id is this call alone.
        self._name = use.id or f"call {secrets.token_hex(8)}"
        self._asked: list[Handoff] = []

    @property
    def _action(self) -> Action | None:
        return _action(self._use, written(self._use.input))

    def _question(self, again: str) -> Asked:
        message = message_of(_action(self._use, written(self._use.input)), again=again, origin=self._origin)
        return message, action_form(editable=self._editable)

    def _result(self, handoff: Handoff, wanted: str) -> tuple[str, bool]:
        """Return the input to run with, as JSON, and whether the person edited it. Raises ValueError."""
        edit = str((handoff.values or {}).get(ARGUMENTS) or "")
        return (read_edit(edit), True) if edit.strip() else (wanted, False)

    @property
    def _origin(self) -> str:
        """A line of the message that keeps questions of two projects apart; empty on stdio.

        It shows only a digest: a session's id must not be readable on a screen.
        """
        session = _session_of(self._context)
        if session is None:
            return ""
        return f"Session `{_digest(session)}`" if session else f"Tool use `{_digest(self._name)}`"

    @property
    def _editable(self) -> bool:
        return len(written(self._use.input)) <= MAX_EDITED

    async def decide(self, wanted: str) -> str:
        """Return the reply."""
        again, round_ = "", 0
        waiting = words.WAITING if _session_of(self._context) != "" else words.WAITING_FOR_NOBODY
        while len(self._asked) <= MAX_EDITS:
            message, form = self._question(again)
            handoff = await self._calls.ask_elsewhere(
                self._context,
                message=message,
                form=form,
                action=self._action,
                hold_seconds=_patience(self._context),
                # A use that lost an approval to another use must not join the same question again.
                tool_use=self._use.id and f"{self._use.id}{'~' * round_}",
                max_message=MAX_SHOWN,
            )
            self._asked.append(handoff)
            if handoff.state is State.OPEN or await has_left(self._context):
                return deny(waiting)  # if the client has left, its next call gets the decision
            if why := words.no_approval(handoff):
                return self._denied(why)
            try:
                await self._desk.check_proof(handoff)
            except NotProved as unproved:
                return self._denied(str(unproved))
            try:
                allowed, edited = self._result(handoff, wanted)
            except ValueError as wrong:
                # Not collected yet: a repeated call after a lost connection gets here again, and joins the open
                # question.
                # The number makes two equal wrong edits different questions.
                again = f"edit {len(self._asked)} was not used, and nothing has run: {wrong}"
                continue
            if not allowed:
                return self._denied(words.UNANSWERED)
            try:
                await self._desk.use(handoff, tool_use=self._name, edited=edited)
            except AlreadyUsed:
                # Two uses asked the same at once, and the other has this approval: this one needs its own.
                self._asked, again, round_ = [], "", round_ + 1
                continue
            self._hand_over(self._asked[:-1])
            return allow(allowed)
        return self._denied(words.too_many_edits(MAX_EDITS + 1))

    def _denied(self, why: str) -> str:
        self._hand_over(self._asked)
        return deny(why)

    def _hand_over(self, handoffs: Sequence[Handoff]) -> None:
        self._calls.hand_over(*handoffs, context=self._context.request_context, tool_use=self._use.id)


class _AskingQuestions(_Asking):
    """Asks Claude Code's own questions: the person approves answers, not the asking."""

    def __init__(self, desk: Desk, calls: Calls, context: Context, use: ToolUse, questions: Questions) -> None:
        super().__init__(desk, calls, context, use)
        self._questions = questions

    @property
    def _action(self) -> Action | None:
        return None

    def _question(self, again: str) -> Asked:
        return self._questions.message(self._origin), self._questions.form

    def _result(self, handoff: Handoff, wanted: str) -> tuple[str, bool]:
        answered = self._questions.answered(handoff.values or {})
        return ("" if answered is None else written(answered), False)


def _action(use: ToolUse, arguments: str) -> Action:
    return Action(asker=Asker.HOST, server="", tool=use.tool, arguments=arguments)


def _session_of(context: Context) -> str | None:
    """Return the session of an HTTP request; empty for a request without one, None on stdio."""
    if context.headers is None:
        return None
    return context.headers.get("mcp-session-id", "") if context.protocol_version != MODERN else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def _patience(context: Context) -> float:
    meta: Mapping[str, object] = context.request_context.meta or {}
    if "progress_token" in meta:
        return PATIENCE
    return QUIET_STDIO if context.headers is None else QUIET_HTTP
