"""The calls of the two tools, from arguments to result."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ContentBlock, InputRequiredResult

from handoffs.asking.plan import How, Plan, Situation, Way, plan, plan_after
from handoffs.core.action import Action
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, Declared, Handoff, State
from handoffs.core.question import MAX_MESSAGE, Asking
from handoffs.core.retry import retry_while_unavailable
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.asking.dialog import (
    CHANNEL,
    OF_THE_DIALOG,
    Round,
    Unanswered,
    ask_between,
    came_too_late,
    judge_round,
)
from handoffs.mcp_server.asking.host_timeouts import HostTimeouts
from handoffs.mcp_server.asking.link import judge_link_round, say_complete, send_between
from handoffs.mcp_server.asking.pace import PACE, Pace
from handoffs.mcp_server.asking.progress import Progress
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.asking.unconfirmed import CONFIRM_SECONDS, Unconfirmed
from handoffs.mcp_server.asking.waiting import Inbox, Waiting
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.capabilities import (
    CARD,
    CARD_CHANNEL,
    FORM,
    LONG,
    MODERN,
    URL,
    client_of,
    declared_by,
    host_dialog_of,
)
from handoffs.mcp_server.callers.joining import Joining
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.sdk.spans import WaitSpan, note_call
from handoffs.mcp_server.task_id import Begun, TaskId
from handoffs.mcp_server.tool import Outcome, RequestContext
from handoffs.mcp_server.words import Pending, Status

if TYPE_CHECKING:  # only a rule that names people needs it
    from handoffs.core.deciders import Deciders

WhoseQuestion: TypeAlias = Callable[[Caller, Asking], Awaitable["Deciders | None"]]
"""Returns who may decide what a caller asks now; None for everybody who is reached. Raises QuestionRefused."""


class Calls:
    """Carries out the two tools."""

    def __init__(
        self,
        desk: Desk,
        *,
        own: OwnHandoffs,
        hold_seconds: float | None,
        host_seconds: float | None = None,
        inbox: Inbox | None,
        deliveries: Deliveries,
        joining: Joining,
        cards: bool = False,
        draining: Shutdown | None = None,
        whose: WhoseQuestion | None = None,
        bounds: Bounds = BOUNDS,
        pace: Pace = PACE,
    ) -> None:
        """Take the parts; with `cards`, hosts that can show a card in the chat are given one.

        `own` is the caller's view. `deliveries` records which outcomes were handed over, `joining` says whose questions
        a call may join, `draining` ends waiting calls, and `whose` says who decides a caller's questions.
        """
        self._desk, self._whose = desk, whose
        self._cards = cards
        self._own = own
        self._hold_seconds = hold_seconds
        self._inbox = inbox
        self._deliveries = deliveries
        self._joining = joining
        self._waiting = Waiting(
            desk,
            hold_seconds=hold_seconds,
            host_seconds=host_seconds,
            inbox=inbox,
            draining=draining or Shutdown(),
            joining=joining,
            bounds=bounds,
            pace=pace,
        )
        self._unconfirmed = Unconfirmed(desk, inbox)

    @property
    def timeouts(self) -> HostTimeouts:
        """The time-outs that the clients of each session have shown by cancelling calls."""
        return self._waiting.timeouts

    async def handoff_to_user(self, given: Mapping[str, object], context: Context) -> Outcome:
        """Ask, or join the same question asked before; return its outcome, or PENDING when the host's patience ends."""
        declared = self._own.declared_by(context)
        if context.request_state is not None:
            return await self._next_round(context, declared, card=self._shows_cards(declared, context))
        note_call(tools.tool_use_of(context) or "")
        arguments = tools.read_arguments(given)
        caller = self._own.caller(context)
        await self._deliveries.settled(caller, arguments.message)
        handoff = await self._desk.ask(
            message=arguments.message,
            caller=caller,
            options=arguments.options,
            form=arguments.form,
            breakout_of_loop=arguments.breakout_of_loop,
            timeout_seconds=arguments.timeout_seconds,
            declared=declared,
            session=self._joining.session_of(context),
            tool_use=tools.tool_use_of(context) or "",
            deciders=None if self._whose is None else await self._whose(caller, arguments.asking),
            files=True,
        )
        if arguments.breakout_of_loop and handoff.state is State.OPEN:
            # The agent is to stop: the call returns soon with the link, and no dialog is shown.
            invited = None if handoff.question.deciders is not None else self._inbox
            link = None if invited is None else await invited.invite(handoff)
            guidance = words.describe_breakout(shown=self._desk.has_channels, link=link)
            return _result(handoff, Status.SUCCESS, guidance, context)
        return await self._outcome(handoff, context, declared, card=self._shows_cards(declared, context))

    async def check_handoff(self, given: Mapping[str, object], context: Context) -> Outcome:
        """Return the outcome of a handoff of this caller, or PENDING when the host's patience ends."""
        declared = self._own.declared_by(context)
        if context.request_state is not None:
            return await self._next_round(context, declared)
        handoff_id = tools.read_handoff_id(given)
        handoff = await self._own.get(handoff_id)
        self._desk.present(handoff, again=False)
        # A person who said "not now" is not asked again because the agent checks.
        put_off = handoff.state is State.OPEN and await self._desk.was_dismissed(handoff, channel=CHANNEL)
        return await self._outcome(handoff, context, declared, put_off=put_off, polling=True)

    def hand_over(self, *handoffs: Handoff, context: RequestContext, tool_use: str | None) -> None:
        """Expect that the reply to this request hands these outcomes to the agent, once it is written."""
        self._deliveries.expect(*handoffs, context=context, tool_use=tool_use)

    async def ask_elsewhere(
        self,
        context: Context,
        *,
        message: str,
        form: Mapping[str, object],
        hold_seconds: float,
        tool_use: str = "",
        max_message: int = MAX_MESSAGE,
        action: Action | None = None,
    ) -> Handoff:
        """Ask, or join, without the host's dialog; return the handoff as it is after `hold_seconds` at most.

        The outcome does not count as handed over yet. For `tool_use` see `Desk.ask`. Raises QuestionRefused.
        """
        caller = self._own.caller(context)
        await self._deliveries.settled(caller, message)
        handoff = await self._desk.ask(
            message=message,
            caller=caller,
            form=form,
            declared=declared_by(context),
            session=self._joining.session_of(context),
            tool_use=tool_use,
            max_message=max_message,
            action=action,
        )
        if handoff.state is not State.OPEN:
            return handoff
        hold = hold_seconds if self._hold_seconds is None else self._hold_seconds
        async with self._waiting.slot(handoff, self._session(context)) as free:
            seconds = hold if free else 0
            span = WaitSpan(handoff, dialog=False)
            try:
                await self._waiting.elsewhere(handoff, Progress(handoff, context), invite=True, seconds=seconds)
                handoff = await self._desk.get(handoff.id)
                span.came(handoff)
            finally:
                span.end()
        return handoff

    async def _next_round(self, context: Context, declared: Declared, *, card: bool = False) -> Outcome:
        round_ = Round.loads(context.request_state or "")
        # The person's answer is in this request and nowhere else, so an unavailable store is retried.
        handoff = await retry_while_unavailable(self._desk.clock, partial(self._own.get, round_.handoff_id))
        was_open = handoff.state is State.OPEN
        self._unconfirmed.confirm(handoff.id)
        if round_.link and was_open:
            verdict = await judge_link_round(self._desk, handoff, round_, context)
        else:
            verdict = await judge_round(self._desk, handoff, round_, context)
        if isinstance(verdict, InputRequiredResult):
            return self._sent(handoff, context, verdict)
        if isinstance(verdict, Handoff):
            decided_here = was_open and verdict.end is not None and verdict.end.channel in OF_THE_DIALOG
            late = not (decided_here or round_.link) and came_too_late(verdict, context)
            # The client may have kept the dialog, or this state, for days.
            earlier = words.is_earlier(verdict, now=self._desk.clock.now())
            return await self._ended(verdict, context, earlier=earlier, late=late)
        if verdict is Unanswered.DISMISSED:
            return self._pending(handoff, context, Pending.DISMISSED, round_.link or None)
        sent, link = verdict is Unanswered.SENT, round_.link or None
        if sent:
            self._waiting.sent[handoff.id] = None
        chosen = plan_after(replace(self._situation(handoff, context, declared), sent=sent, cards=card))
        match chosen.how:
            case How.TASK:
                return await self._begun(handoff, context, again=False)
            case How.CARD:
                return self._in_card(handoff, context, link)
            case _:
                return await self._wait(handoff, context, chosen, link=link, sent=sent)

    async def _outcome(
        self,
        handoff: Handoff,
        context: Context,
        declared: Declared,
        *,
        put_off: bool = False,
        polling: bool = False,
        card: bool = False,
    ) -> Outcome:
        """Return the outcome, or ask the person as `asking.plan` says."""
        if handoff.state is not State.OPEN:
            return await self._ended(handoff, context, earlier=True)
        if not polling and self._unconfirmed.is_unconfirmed(handoff.id):
            # An agent that asks anew does not wait for its dialog: the dialog was never shown, or the agent left it.
            await self._desk.not_shown(handoff, channel=CHANNEL, reason="asked anew, and the dialog never came back")
            self._unconfirmed.give_up(handoff.id)
        it = replace(self._situation(handoff, context, declared), put_off=put_off, polling=polling, cards=card)
        chosen, link = plan(it), None
        while chosen.how is How.INVITE:
            link = await self._inbox.invite(handoff) if self._inbox is not None else None
            it = replace(it, page=link is not None)
            chosen = plan(it)
        match chosen.how:
            case How.TASK:
                return await self._begun(handoff, context, again=chosen.invite)
            case How.ROUND if chosen.way is Way.LINK and link is not None:
                return self._sent(handoff, context, send_between(handoff, link, now=self._desk.clock.now()))
            case How.ROUND:
                asked = ask_between(handoff, host_dialog_of(context), asked=self._desk.clock.now())
                return self._sent(handoff, context, asked)
            case How.CARD:
                return self._in_card(handoff, context, link)
            case How.UNSEEN:
                return self._pending(handoff, context, Pending.UNSEEN)
            case _:
                return await self._wait(handoff, context, chosen, link=link, sent=it.sent)

    def _situation(self, handoff: Handoff, context: Context, declared: Declared) -> Situation:
        """Return what the plan depends on: the call, its host and its question."""
        dialog, form = host_dialog_of(context), handoff.question.form
        return Situation(
            breakout=handoff.question.breakout_of_loop,
            others=handoff.question.deciders is not None,
            secret=form.secret,
            drawn=dialog.draws(form),
            forms=FORM in declared.abilities,
            links=URL in declared.abilities and dialog.host.shows_links,
            tasks=_gets_task(declared, context),
            rounds=context.protocol_version == MODERN,
            lost=self._unconfirmed.was_given_up(handoff.id),
            sent=handoff.id in self._waiting.sent,
            inbox=self._inbox is not None,
            channels=self._desk.has_channels,
        )

    async def _begun(self, handoff: Handoff, context: Context, *, again: bool) -> Begun:
        log = await self._desk.history(handoff.id)
        return Begun(task=TaskId.of_call(handoff, log, again=again, tool_use=tools.tool_use_of(context)))

    async def _wait(
        self, handoff: Handoff, context: Context, chosen: Plan, *, link: str | None = None, sent: bool = False
    ) -> CallToolResult:
        """Wait with the call open, for the dialog (if there is one) and for every other channel."""
        report = Progress(handoff, context, link=link, sent=sent)
        known = self._hold_seconds is None  # a person who sets it knows the host
        if (
            chosen.way is Way.FORM
            and chosen.invite
            and known
            and self._waiting.patience(context, dialog=True) < CONFIRM_SECONDS
        ):
            self._unconfirmed.open_inbox(handoff)
        async with self._waiting.slot(handoff, self._session(context)) as free:
            if not free:
                return self._pending(handoff, context, Pending.CROWDED)
            span = WaitSpan(handoff, dialog=chosen.way is Way.FORM)
            try:
                verdict = await self._waiting.anywhere(handoff, report, chosen)
                span.came(verdict if isinstance(verdict, Handoff) else handoff)
            finally:
                span.end()
        if verdict is Unanswered.DISMISSED:
            return self._pending(handoff, context, Pending.DISMISSED, report.link)
        # A decision in the last moment of the host's patience still counts.
        handoff = verdict if isinstance(verdict, Handoff) else await self._waiting.last_look(handoff)
        if handoff.state is not State.OPEN:
            if chosen.way is Way.LINK:
                await say_complete(handoff, context)
            return await self._ended(handoff, context)
        if verdict is Unanswered.NOT_SHOWN:
            return self._in_card(handoff, context)
        seen = set(handoff.reached) - ({CHANNEL} if report.not_shown else set())
        why = Pending.SENT if report.sent else Pending.CLOCK if seen else Pending.UNSEEN
        return self._pending(handoff, context, why, report.link)

    async def _ended(
        self, handoff: Handoff, context: Context, *, earlier: bool = False, late: bool = False
    ) -> CallToolResult:
        await self._desk.check_proof(handoff)
        guidance = words.describe(handoff, now=self._desk.clock.now(), earlier=earlier, late=late)
        status = words.STATUS_OF[handoff.state]
        self._waiting.sent.pop(handoff.id, None)
        self._unconfirmed.confirm(handoff.id)
        files: Sequence[ContentBlock] = ()
        if handoff.attachments:
            from handoffs.mcp_server.files import blocks_of  # few answers have files

            files = await blocks_of(self._desk, handoff, over_http=context.headers is not None)
        self.hand_over(handoff, context=context.request_context, tool_use=tools.tool_use_of(context))
        return _result(handoff, status, guidance, context, files)

    def _shows_cards(self, declared: Declared, context: Context) -> bool:
        return self._cards and CARD in declared.abilities and host_dialog_of(context).host.draws_cards

    def _in_card(self, handoff: Handoff, context: Context, link: str | None = None) -> CallToolResult:
        """Have the host show its card. The inbox opens as well if the card is not opened."""
        self._unconfirmed.add(handoff, opens=True, channel=CARD_CHANNEL)
        return self._pending(handoff, context, Pending.CARD, link)

    def _sent(self, handoff: Handoff, context: Context, asked: InputRequiredResult) -> InputRequiredResult:
        """Have the client show its dialog and call again."""
        if not self._unconfirmed.is_unconfirmed(handoff.id):
            opens = host_dialog_of(context).host.opens_inbox
            self._unconfirmed.add(handoff, opens=opens)
        return asked

    def _pending(self, handoff: Handoff, context: Context, why: Pending, link: str | None = None) -> CallToolResult:
        prefixed = host_dialog_of(context).host.is_shared
        guidance = words.describe_pending(handoff, why, link, prefixed=prefixed)
        return _result(handoff, Status.PENDING, guidance, context)

    def _session(self, context: Context) -> str | None:
        """The session or client that shares a pool of connections; None on stdio, which has no pool."""
        if context.headers is None:
            return None
        return context.headers.get("mcp-session-id") or f"client {self._own.subject} {client_of(context)}"


def _gets_task(declared: Declared, context: Context) -> bool:
    """Say whether a call returns a task: its client supports tasks, and its agent waits for them."""
    return LONG in declared.abilities and host_dialog_of(context).host.task


def _result(
    handoff: Handoff, status: Status, guidance: str, context: Context, files: Sequence[ContentBlock] = ()
) -> CallToolResult:
    once = host_dialog_of(context).host.gives_both
    return tools.result(handoff, status, guidance, tool_use=tools.tool_use_of(context), once=once, files=files)
