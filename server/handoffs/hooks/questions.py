"""Claude Code's own questions (its tool `AskUserQuestion`): the person answers them, and approves no asking.

An *allow* without answers would tell the model that nobody chose anything. So the hook answers with the tool's input,
with the answers in it, as `approve_tool_use` does.
"""

import secrets
from collections.abc import Callable

from handoffs.channels import may_permit
from handoffs.core.action_shown import MAX_SHOWN
from handoffs.core.desk import Desk
from handoffs.core.errors import QuestionRefused
from handoffs.core.model import Caller, Declared, State
from handoffs.core.question import Asking
from handoffs.hooks import plain_words, replies, words
from handoffs.hooks.events import Heard
from handoffs.hooks.forms import Inbox, Whose
from handoffs.mcp_server.permission.claude_code import written
from handoffs.mcp_server.permission.questions import read_questions
from handoffs.os_user import current_user

OURS = "?"
"""Begins the name of such a question, behind the session: its use comes back with other arguments."""


async def answer(
    heard: Heard, origin: str, desk: Desk, inbox: Inbox, whose: Whose, *, left: Callable[[], float]
) -> str:
    """Ask, and return the reply. Raises HandoffError."""

    def denied(why: str) -> str:
        return replies.deny(heard.host, heard.name, why)

    try:
        questions = read_questions(heard.input or {})
        caller, message = (
            Caller(subject=current_user(), client=heard.host.name, project=heard.project),
            questions.message(origin),
        )
        handoff = await desk.ask(
            message=message,
            caller=caller,
            form=questions.form,
            deciders=await whose(caller, Asking(message=message, form=questions.form)),
            declared=Declared(transport="hook"),
            tool_use=f"{heard.session}:{OURS}{secrets.token_hex(8)}",
            max_message=MAX_SHOWN,
        )
    except (QuestionRefused, ValueError) as wrong:
        return denied(plain_words.not_asked(str(wrong)))
    if handoff.state is State.OPEN:
        await inbox.invite(handoff)
        handoff = await desk.wait(handoff.id, seconds=max(left() - 0.5, 0))
    if handoff.state is State.OPEN:
        return denied(plain_words.WAITING)
    await desk.check_proof(handoff)
    await desk.collect(handoff)
    if (handoff.end is None or not may_permit(handoff.end.channel)) and handoff.state is State.ANSWERED:
        return denied(words.IN_DIALOG)
    answered = questions.answered(handoff.values or {})
    if handoff.state is not State.ANSWERED or answered is None:
        return denied(words.no_permission(handoff) or words.UNANSWERED)
    return replies.allow(heard.host, heard.name, written(answered))
