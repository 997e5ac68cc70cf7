"""What the tools do: a call, from its arguments to its result."""

from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from itertools import count
from typing import Protocol, TypeAlias

import anyio
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError, NotFound
from handoffs.core.model import Caller, Handoff, State
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.asking import (
    CHANNEL,
    READING_SECONDS,
    Round,
    Unanswered,
    ask_between,
    ask_while_open,
    has_left,
    judge_round,
    was_accepted,
)
from handoffs.mcp_server.declared import FORM, MODERN, client_of, declared_by
from handoffs.mcp_server.hosts import host_named
from handoffs.mcp_server.words import Pending, Status

Outcome: TypeAlias = CallToolResult | InputRequiredResult
"""What a call gives: a result, or (from 2026-07-28) the request to show a dialog and call again."""

PROGRESS_SECONDS = 10
"""How often a waiting call says that it is alive: some hosts give up on one that is silent for a minute."""

LEAVING_SECONDS = 1.0
"""How long a call that its host has ended takes to note that."""

MAX_HELD = 90
"""How many calls of one HTTP session wait at once. A client's pool has 100 connections, and every answer needs one."""


class Inbox(Protocol):
    """Where a person finds what no dialog shows them."""

    async def invite(self, handoff: Handoff) -> str | None:
        """Have it show the handoff, and return the address there, which signs nobody in; None where there is none.

        May take seconds; never raises.
        """
        ...


class Calls:
    """What the two tools do."""

    def __init__(
        self, desk: Desk, *, subject: str, project: str, hold_seconds: float | None, inbox: Inbox | None
    ) -> None:
        self._desk = desk
        self._subject = subject
        self._project = project
        self._hold_seconds = hold_seconds
        self._inbox = inbox
        self._held: Counter[str] = Counter()

    async def handoff_to_user(self, given: Mapping[str, object], context: Context) -> Outcome:
        """Ask, or join the same question asked before, and give its outcome as far as the host's patience goes."""
        if context.request_state is not None:
            return await self._next_round(context)
        arguments = tools.read_arguments(given)
        handoff = await self._desk.ask(
            message=arguments.message,
            caller=self._caller(context),
            options=arguments.options,
            form=arguments.form,
            breakout_of_loop=arguments.breakout_of_loop,
            timeout_seconds=arguments.timeout_seconds,
            declared=declared_by(context),
        )
        if arguments.breakout_of_loop and handoff.state is State.OPEN:
            # The agent is to stop: nobody waits long for the address, and a dialog would not have shown it.
            link = await self._inbox.invite(handoff) if self._inbox is not None else None
            guidance = words.describe_breakout(shown=self._desk.has_channels, link=link)
            return tools.result(handoff, Status.SUCCESS, guidance, tool_use=tools.tool_use_of(context))
        return await self._outcome(handoff, context)

    async def check_handoff(self, given: Mapping[str, object], context: Context) -> Outcome:
        """Give the outcome of a handoff of this caller, waiting as far as the host's patience goes."""
        if context.request_state is not None:
            return await self._next_round(context)
        handoff_id = tools.read_handoff_id(given)
        handoff = await self.owned(handoff_id)
        self._desk.present(handoff, again=False)
        # Who said "not now" is not asked the same again because the agent is impatient.
        put_off = handoff.state is State.OPEN and await self._desk.was_dismissed(handoff, channel=CHANNEL)
        return await self._outcome(handoff, context, again=not put_off)

    async def owned(self, handoff_id: str) -> Handoff:
        """Return a handoff of this caller by its whole id. Raises NotFound, also where it is somebody else's."""
        handoff = await self._desk.get(handoff_id)
        if handoff.caller.subject != self._subject:
            raise NotFound(handoff_id)
        return handoff

    async def _next_round(self, context: Context) -> Outcome:
        played = Round.loads(context.request_state or "")
        handoff = await self._desk.get(played.handoff_id)
        was_open = handoff.state is State.OPEN
        verdict = await judge_round(self._desk, handoff, played, context)
        if isinstance(verdict, InputRequiredResult):
            return verdict
        if isinstance(verdict, Handoff):
            decided_here = was_open and verdict.end is not None and verdict.end.channel == CHANNEL
            return await self._ended(verdict, context, late=not decided_here and was_accepted(handoff, context))
        if verdict is Unanswered.DISMISSED:
            return self._pending(handoff, context, Pending.DISMISSED)
        return await self._hold(handoff, context, dialog=False)

    async def _outcome(self, handoff: Handoff, context: Context, *, again: bool = True) -> Outcome:
        """Give the outcome, or have the person asked in the best way that this host has; not `again` if put off."""
        if handoff.state is not State.OPEN:
            return await self._ended(handoff, context, earlier=True)
        dialog = FORM in declared_by(context).abilities and again and not handoff.question.breakout_of_loop
        if dialog and context.protocol_version == MODERN:
            return ask_between(handoff, now=self._desk.clock.now())
        return await self._hold(handoff, context, dialog=dialog, invite=again)

    async def _hold(self, handoff: Handoff, context: Context, *, dialog: bool, invite: bool = True) -> CallToolResult:
        """Wait with the call open: for the dialog, where there is one, and for whatever else answers.

        With `invite`, the inbox is to show what no dialog shows.
        """
        report = _Report(handoff, context)
        async with self._noting_who_leaves(handoff):
            with self._place(context) as free:
                if not free:
                    return self._pending(handoff, context, Pending.CROWDED)
                verdict = await self._wait_anywhere(handoff, report, dialog=dialog, invite=invite)
        if verdict is Unanswered.DISMISSED:
            return self._pending(handoff, context, Pending.DISMISSED)
        # What happened in the last moment of the host's patience still counts.
        handoff = verdict if isinstance(verdict, Handoff) else await self._desk.get(handoff.id)
        if handoff.state is not State.OPEN:
            return await self._ended(handoff, context)
        return self._pending(handoff, context, Pending.CLOCK if handoff.reached else Pending.UNSEEN, report.link)

    async def _wait_anywhere(
        self, handoff: Handoff, report: "_Report", *, dialog: bool, invite: bool
    ) -> Handoff | Unanswered | None:
        verdict = await self._ask_in_dialog(handoff, report) if dialog else Unanswered.NOT_SHOWN
        if verdict is Unanswered.NOT_SHOWN:
            with self._desk.clock.limit(self._patience(report.context, dialog=False)):
                return await self._wait_elsewhere(handoff, report, invite=invite)
            return None
        return verdict

    async def _ask_in_dialog(self, handoff: Handoff, report: "_Report") -> Handoff | Unanswered | None:
        """Return what the host's dialog came to, or who was faster; None when the host's patience ended."""
        with self._desk.clock.limit(self._patience(report.context, dialog=True)):
            elsewhere = partial(self._wait_beside_dialog, handoff, report)
            return await ask_while_open(self._desk, handoff, report.context, elsewhere)
        return None

    async def _wait_beside_dialog(self, handoff: Handoff, report: "_Report") -> Handoff:
        if CHANNEL not in handoff.reached:
            handoff = await self._desk.wait(handoff.id, seconds=READING_SECONDS)
            # A dialog that is still there after this long is on a screen.
            await self._desk.reached(handoff, channel=CHANNEL)
        return await self._wait(handoff, report)

    async def _wait_elsewhere(self, handoff: Handoff, report: "_Report", *, invite: bool) -> Handoff:
        if not invite or self._inbox is None:
            return await self._wait(handoff, report)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._invite, self._inbox, handoff, report)
            handoff = await self._wait(handoff, report)
            tasks.cancel_scope.cancel()
        return handoff

    async def _invite(self, inbox: Inbox, handoff: Handoff, report: "_Report") -> None:
        report.link = await inbox.invite(handoff)
        if report.link is not None:
            await report.send()  # at once, for a person who watches the host's screen

    async def _wait(self, handoff: Handoff, report: "_Report") -> Handoff:
        """Return the handoff once it has ended, by whatever means; say every ten seconds that the call is alive."""
        while True:
            handoff = await self._desk.wait(handoff.id, seconds=PROGRESS_SECONDS)
            if handoff.state is not State.OPEN:
                return handoff
            await report.send()

    async def _ended(
        self, handoff: Handoff, context: Context, *, earlier: bool = False, late: bool = False
    ) -> CallToolResult:
        guidance = words.describe(handoff, now=self._desk.clock.now(), earlier=earlier, late=late)
        status = words.STATUS_OF[handoff.state]
        if not await has_left(context):
            await self._desk.collect(handoff)
        return tools.result(handoff, status, guidance, tool_use=tools.tool_use_of(context))

    def _pending(self, handoff: Handoff, context: Context, why: Pending, link: str | None = None) -> CallToolResult:
        guidance = words.describe_pending(handoff, why, link)
        return tools.result(handoff, Status.PENDING, guidance, tool_use=tools.tool_use_of(context))

    def _caller(self, context: Context) -> Caller:
        # Over HTTP the server's own folder says nothing about where the agent works.
        project = "" if context.headers is not None else self._project
        return Caller(subject=self._subject, client=client_of(context), project=project)

    def _patience(self, context: Context, *, dialog: bool) -> float:
        if self._hold_seconds is not None:
            return self._hold_seconds
        host = host_named(client_of(context))
        return host.dialog if dialog else host.quiet

    @asynccontextmanager
    async def _noting_who_leaves(self, handoff: Handoff) -> AsyncGenerator[None]:
        """Keep in the log how long the host had waited when it ends the call; the question stays open."""
        since = self._desk.clock.now()
        try:
            yield
        except anyio.get_cancelled_exc_class():
            # On a pipe that was closed the whole process is ending, and the store may be closed before this.
            with anyio.move_on_after(LEAVING_SECONDS, shield=True), suppress(HandoffError):
                await self._desk.left(handoff, seconds=(self._desk.clock.now() - since).total_seconds())
            raise

    @contextmanager
    def _place(self, context: Context) -> Generator[bool]:
        """Give the call a place among those of its session that wait, and say whether one was free."""
        if context.headers is None:
            yield True  # stdio has no pool of connections that could run dry
            return
        session = context.headers.get("mcp-session-id") or f"client {client_of(context)}"
        free = self._held[session] < MAX_HELD
        if not free:
            yield False
            return
        self._held[session] += 1
        try:
            yield True
        finally:
            self._held[session] -= 1
            if not self._held[session]:
                del self._held[session]


class _Report:
    """What a host may show of one waiting call."""

    def __init__(self, handoff: Handoff, context: Context) -> None:
        self.context = context
        self.link: str | None = None
        """Where the inbox shows the question, once that is known."""
        self._handoff = handoff
        self._numbers = count(1)

    async def send(self) -> None:
        text = words.describe_progress(self._handoff, self.link)
        await self.context.report_progress(next(self._numbers), None, text)
