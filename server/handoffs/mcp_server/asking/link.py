"""Links from the host to the inbox: elicitation in URL mode, in both eras.

The host shows a link and asks whether to open it. The link leads to the page of one handoff in the inbox. It signs no
person in and holds no secret. An answer given there passes neither the host nor the model, so every secret is asked for
this way, and every other question of a host with links and no forms. An accept means that the person agreed to open the
link (with some hosts not even that): it is no answer, and no proof that a person reads the page. Then the call waits.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import anyio.lowlevel
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert
from handoffs.mcp_server.asking.dialog import CHANNEL, Round, Unanswered, judge_refusal
from handoffs.mcp_server.asking.wait_registry import Wait
from handoffs.mcp_server.callers.capabilities import MODERN


async def send_while_open(
    desk: Desk, handoff: Handoff, link: str, context: Context, wait: Wait, *, is_shared: Callable[[], bool]
) -> Handoff | Unanswered | None:
    """Have the host show the link while the call is open, up to 2025-11-25; SENT when the person agreed to open it.

    The link is withdrawn when this is cancelled, and when `wait` ends: then the result is the handoff, if it ended
    elsewhere, or None, if the host's patience ended. A reply does not count once several clients share the pipe
    (`is_shared`).
    """
    asked = desk.clock.now()
    reply: ElicitResult | None = None
    # A client that refuses, or sends an invalid reply, has shown nothing.
    with wait:
        try:
            reply = await context.session.elicit_url(
                link_message(handoff), link, handoff.id, related_request_id=context.request_id
            )
        except (MCPError, ValidationError):
            reply = None
    if reply is None:
        if wait.was_ended:
            return wait.ended
        await anyio.lowlevel.checkpoint()  # if the client has disconnected, this raises: the call is cancelled
        await desk.not_shown(handoff, channel=CHANNEL, reason="the client could not show the link")
        return Unanswered.NOT_SHOWN
    if is_shared():
        await desk.not_shown(handoff, channel=CHANNEL, reason="several clients share this pipe")
        return Unanswered.NOT_SHOWN
    seconds = (desk.clock.now() - asked).total_seconds()
    return await _judge(desk, handoff, reply, seconds=seconds)


async def say_complete(handoff: Handoff, context: Context) -> None:
    """Tell a client of the older era that the handoff behind its link has ended; a disconnected client is ignored."""
    if context.protocol_version != MODERN:
        with suppress(MCPError):
            await context.session.send_elicit_complete(handoff.id, related_request_id=context.request_id)


def send_between(handoff: Handoff, link: str, *, now: datetime, number: int = 1) -> InputRequiredResult:
    """Return the result that has the client show the link and call again, from 2026-07-28."""
    params = ElicitRequestURLParams(message=link_message(handoff), url=link)
    return InputRequiredResult(
        input_requests={handoff.id: ElicitRequest(params=params)},
        request_state=Round(handoff_id=handoff.id, asked=now, number=number, link=link).dumps(),
    )


async def judge_link_round(desk: Desk, handoff: Handoff, round_: Round, context: Context) -> Handoff | Unanswered:
    """Judge the client's next call. A call without a reply is not asked again: its result tells the link."""
    reply = (context.input_responses or {}).get(handoff.id)
    if not isinstance(reply, ElicitResult):
        await desk.not_shown(handoff, channel=CHANNEL, reason="the client did not say what became of the link")
        return Unanswered.NOT_SHOWN
    seconds = (desk.clock.now() - round_.asked).total_seconds()
    return await _judge(desk, handoff, reply, seconds=seconds)


async def _judge(desk: Desk, handoff: Handoff, reply: ElicitResult, *, seconds: float) -> Handoff | Unanswered:
    if reply.action == "accept":
        return Unanswered.SENT  # its content does not count
    return await judge_refusal(desk, handoff, reply, seconds=seconds)


def link_message(handoff: Handoff) -> str:
    """Return the text beside the link: where it leads, in our words, then the agent's message, made inert."""
    what = (
        "asks you for a secret. The link opens its inbox: type it there, and "
        "neither this program nor the model sees it."
        if handoff.question.form.secret
        else "has a question for you. The link opens its inbox: answer it there."
    )
    return f"Handoffs {what}\n\n{inert(handoff.question.message)}"
