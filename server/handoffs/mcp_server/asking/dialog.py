"""The host's own dialog, in both eras of the protocol, raced against every other channel.

`asking.judge` says what one reply of a dialog means, and is the same in both eras. Then the eras differ. Up to
2025-11-25 the server asks while the call is open (`elicitation/create`), so the dialog is a task that is cancelled when
the question ends elsewhere. From 2026-07-28 the call returns `input_required` and the client calls again with the
reply; the server keeps nothing in between, and the dialog can't be withdrawn.

The dialog here is a form. Secrets are never asked for in a form: see `link`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from typing import TypeAlias, cast

import anyio.lowlevel
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError
from starlette.requests import Request

from handoffs.asking import judge as judging
from handoffs.asking.host_dialog import HostDialog
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, AnswerRefused
from handoffs.core.model import SCRIPT, Handoff, State
from handoffs.core.retry import retry_while_unavailable
from handoffs.core.untrusted import inert
from handoffs.mcp_server.asking.wait_registry import Wait
from handoffs.mcp_server.callers.capabilities import MODERN, host_dialog_of, shows_forms

CHANNEL = "elicitation"

OF_THE_DIALOG = frozenset({CHANNEL, SCRIPT})
"""The channels of answers that came by the host's dialog. Neither can approve a tool's use."""

NOTE_META = "handoffs/note"
"""Where in the `_meta` of a decline a client may say why."""

SCRIPT_META = "handoffs/script"
"""Where in the `_meta` of a reply a client says, by true, that no person gave it: a test, a benchmark, a script."""

MAX_ROUNDS = 8
"""How often one call asks again because the answer does not fit. The SDKs' clients give up at 10 rounds."""


class Unanswered(Enum):
    """How a dialog can end without an answer."""

    NOT_SHOWN = auto()
    """The person did not see it; the other channels go on."""
    DISMISSED = auto()
    """The person closed it: not now."""
    SENT = auto()
    """The host's link sent the person to the inbox, where they may be answering."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Misfit:
    """An answer that does not fit the form: ask again, with the reason."""

    reason: str


Verdict: TypeAlias = Handoff | Unanswered | Misfit
"""An ended handoff is the outcome, also when it was decided elsewhere."""


async def judge(desk: Desk, handoff: Handoff, reply: ElicitResult, dialog: HostDialog, *, seconds: float) -> Verdict:
    """Record what the person decided in a dialog, and return the verdict: see `asking.judge`."""
    read, question = read_reply(reply), handoff.question
    meaning = judging.judge(question.form, read, dialog, seconds=seconds, takes_other=question.takes_other)
    try:
        if not isinstance(meaning, judging.Filled):
            return await carry_out(desk, handoff, meaning, channel=_channel(read))
        by, channel = handoff.caller.subject, _channel(read)
        answer = partial(desk.answer, handoff, meaning.values, by=by, channel=channel, other=meaning.other)
        return await retry_while_unavailable(desk.clock, answer)
    except AnswerRefused as misfit:
        return Misfit(reason=str(misfit))
    except AlreadyEnded:
        return await desk.get(handoff.id)


async def judge_refusal(desk: Desk, handoff: Handoff, reply: ElicitResult, *, seconds: float) -> Handoff | Unanswered:
    """Record a decline or cancel, of a form or a link, and return the verdict, as `judge` does."""
    read = read_reply(reply)
    try:
        return await carry_out(desk, handoff, judging.judge_refusal(read, seconds=seconds), channel=_channel(read))
    except AlreadyEnded:
        return await desk.get(handoff.id)


async def carry_out(
    desk: Desk,
    handoff: Handoff,
    meaning: judging.NotShown | judging.Dismissed | judging.Refused,
    *,
    channel: str,
) -> Handoff | Unanswered:
    """Record what a reply without an answer means. Raises AlreadyEnded."""
    match meaning:
        case judging.NotShown(reason):
            await desk.not_shown(handoff, channel=CHANNEL, reason=reason)
            return Unanswered.NOT_SHOWN
        case judging.Dismissed():
            await desk.dismissed(handoff, channel=CHANNEL)
            return Unanswered.DISMISSED
        case judging.Refused(note):
            decline = partial(desk.decline, handoff, by=handoff.caller.subject, channel=channel, note=note)
            return await retry_while_unavailable(desk.clock, decline)


def read_reply(reply: ElicitResult) -> judging.Reply:
    """Return a client's reply in the form that `asking.judge` takes. Only our own client sends a note, in `_meta`."""
    meta = reply.meta or {}
    note = meta.get(NOTE_META)
    return judging.Reply(
        action=reply.action,
        content=reply.content or {},
        note=note if isinstance(note, str) else "",
        script=meta.get(SCRIPT_META) is True,
    )


def _channel(reply: judging.Reply) -> str:
    """Return the channel of a reply."""
    return SCRIPT if reply.script else CHANNEL


# Up to 2025-11-25


async def ask_while_open(
    desk: Desk, handoff: Handoff, context: Context, wait: Wait, *, is_shared: Callable[[], bool]
) -> Handoff | Unanswered | None:
    """Show the host's dialog while the call is open, and again for an answer that does not fit.

    The dialog is withdrawn when this is cancelled, and when `wait` ends: then the result is the handoff, if it ended
    elsewhere, or None, if the host's patience ended. A reply does not count once several clients share the pipe
    (`is_shared`).
    """
    reason, dialog = "", host_dialog_of(context)
    asked = desk.clock.now()
    for _ in range(MAX_ROUNDS):
        reply: ElicitResult | None = None
        # A client that refuses, or sends an invalid reply, has shown nothing.
        with wait:
            try:
                # Without the id the form goes to the session's own stream, which need not be alive.
                reply = await context.session.elicit_form(
                    _message(handoff, reason),
                    dialog.schema(handoff.question.form),
                    related_request_id=context.request_id,
                )
            except (MCPError, ValidationError):
                reply = None
        if reply is None:
            if wait.was_ended:
                return wait.ended
            await anyio.lowlevel.checkpoint()  # if the client has disconnected, this raises: the call is cancelled
            await desk.not_shown(handoff, channel=CHANNEL, reason="the client could not show it")
            return Unanswered.NOT_SHOWN
        if is_shared():
            await desk.not_shown(handoff, channel=CHANNEL, reason="several clients share this pipe")
            return Unanswered.NOT_SHOWN
        seconds = (desk.clock.now() - asked).total_seconds()
        verdict = await judge(desk, handoff, reply, dialog, seconds=seconds)
        if not isinstance(verdict, Misfit):
            return verdict
        reason = verdict.reason
    await desk.not_shown(handoff, channel=CHANNEL, reason=f"{MAX_ROUNDS} answers that do not fit")
    return Unanswered.NOT_SHOWN


async def has_left(context: Context) -> bool:
    """Say whether the client has hung up, so that the outcome reaches no agent.

    Up to 2025-11-25 a client that drops its HTTP connection does not end the call. Its agent asks again, and must then
    get the answer that came meanwhile.
    """
    if context.protocol_version == MODERN:
        return False
    request: object = context.request_context.request
    return isinstance(request, Request) and await request.is_disconnected()


# From 2026-07-28


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """The state that the client carries between two rounds. The SDK seals it, so that a client can't change it."""

    handoff_id: str
    asked: datetime
    """When the first round of the call was sent."""
    number: int
    link: str = ""
    """Where the client sent the person, in place of a form."""

    def dumps(self) -> str:
        """Return it as text."""
        return json.dumps([self.handoff_id, self.asked.timestamp(), self.number, self.link])

    @classmethod
    def loads(cls, text: str) -> "Round":
        """Return what `dumps` wrote."""
        # A state of an earlier version, from before an update, has no link.
        handoff_id, asked, number, *link = cast("tuple[str, float, int, str]", tuple(json.loads(text)))
        return cls(handoff_id=handoff_id, asked=datetime.fromtimestamp(asked, UTC), number=number, link="".join(link))


def ask_between(
    handoff: Handoff, dialog: HostDialog, *, asked: datetime, number: int = 1, reason: str = ""
) -> InputRequiredResult:
    """Return the result that has the client show its dialog and call again. The request's key is the handoff's id.

    `asked` is when the first round was sent.
    """
    schema = dialog.schema(handoff.question.form)
    params = ElicitRequestFormParams(message=_message(handoff, reason), requested_schema=schema)
    return InputRequiredResult(
        input_requests={handoff.id: ElicitRequest(params=params)},
        request_state=Round(handoff_id=handoff.id, asked=asked, number=number).dumps(),
    )


async def judge_round(
    desk: Desk, handoff: Handoff, round_: Round, context: Context
) -> Handoff | Unanswered | InputRequiredResult:
    """Judge the client's next call about the same question: return the outcome, or another round."""
    if handoff.state is not State.OPEN:
        return handoff
    reply = (context.input_responses or {}).get(handoff.id)
    reason, dialog = "", host_dialog_of(context)
    if isinstance(reply, ElicitResult):
        seconds = (desk.clock.now() - round_.asked).total_seconds()
        verdict = await judge(desk, handoff, reply, dialog, seconds=seconds)
        if not isinstance(verdict, Misfit):
            return verdict
        reason = verdict.reason
    if round_.number >= MAX_ROUNDS:
        await desk.not_shown(handoff, channel=CHANNEL, reason=f"{MAX_ROUNDS} rounds without an answer that fits")
        return Unanswered.NOT_SHOWN
    if not shows_forms(context.client_capabilities) or not dialog.draws(
        handoff.question.form
    ):  # the capabilities may differ with each request
        await desk.not_shown(handoff, channel=CHANNEL, reason="the client shows no forms any more")
        return Unanswered.NOT_SHOWN
    return ask_between(handoff, dialog, asked=round_.asked, number=round_.number + 1, reason=reason)


def came_too_late(ended: Handoff, context: Context) -> bool:
    """Say whether the client's dialog was filled in after the handoff was decided otherwise.

    A client whose server was killed sends the same answer again; then its own answer is the outcome.
    """
    reply = (context.input_responses or {}).get(ended.id)
    if not isinstance(reply, ElicitResult) or reply.action != "accept":
        return False
    own = ended.end is not None and ended.end.channel in OF_THE_DIALOG and reply.content == ended.values
    return not own


def _message(handoff: Handoff, reason: str) -> str:
    message = inert(handoff.question.message)
    return f"That answer does not fit: {inert(reason)}\n\n{message}" if reason else message
