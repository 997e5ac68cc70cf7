"""Waiting with a call open, for the host's dialog and every other channel, until the host's patience ends."""

from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Protocol

import anyio
from mcp.server.mcpserver import Context

from handoffs.asking.plan import Plan, Way
from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError, StoreUnavailable
from handoffs.core.model import Handoff
from handoffs.hosts import host_named
from handoffs.mcp_server.asking.dialog import CHANNEL, Unanswered, ask_while_open
from handoffs.mcp_server.asking.host_timeouts import HostTimeouts
from handoffs.mcp_server.asking.link import send_while_open
from handoffs.mcp_server.asking.pace import PACE, Pace
from handoffs.mcp_server.asking.progress import Progress
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.asking.wait_registry import Wait, WaitRegistry
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.capabilities import client_of
from handoffs.mcp_server.callers.fair_share import Slots
from handoffs.mcp_server.callers.joining import Joining
from handoffs.mcp_server.callers.lru import BoundedCache
from handoffs.mcp_server.callers.subject import has_lapsed

LEAVING_SECONDS = 1.0
"""How long a call that its host has ended may take to record that."""

MAX_PER_SESSION = 90
"""How many calls of one HTTP session wait at once. A client's pool has 100 connections, and every reply needs one."""


class Inbox(Protocol):
    """The inbox that shows a question when no dialog does."""

    async def invite(self, handoff: Handoff) -> str | None:
        """Open the inbox at a handoff and return its address, which signs no person in; None without an inbox.

        May take seconds; never raises.
        """
        ...


class Waiting:
    """The waiting calls of one server."""

    def __init__(
        self,
        desk: Desk,
        *,
        hold_seconds: float | None,
        host_seconds: float | None = None,
        inbox: Inbox | None,
        draining: Shutdown,
        joining: Joining,
        bounds: Bounds = BOUNDS,
        pace: Pace = PACE,
    ) -> None:
        """Take the parts. A `hold_seconds` of None takes the host's patience; `draining` ends every wait.

        `host_seconds` is the host's own limit on a call, where it is known.
        """
        self._joining = joining
        self._desk = desk
        self._hold_seconds, self._host_seconds = hold_seconds, host_seconds
        self._inbox = inbox
        self._bounds, self._pace = bounds, pace
        self._registry = WaitRegistry(desk, draining, pace)
        self.timeouts = HostTimeouts(desk.clock)
        """The time-outs that the clients of each session have shown."""
        self._per_session: Counter[str | None] = Counter()
        self._per_caller = Slots()
        self._calls: Counter[str] = Counter()  # waiting calls by handoff, where calls of several people may wait
        self.sent: BoundedCache[str, None] = BoundedCache()
        """The handoffs whose person has agreed to open the inbox: a call that only checks does not send them again."""

    def slot(self, handoff: Handoff, session: str | None) -> "WaitingSlot":
        """Acquire a waiting slot, limited per session and per caller. The block gets False when none is free.

        A `session` of None has no limit: stdio has no pool of connections. A call that the host ends inside is recorded
        in the log, with how long it had waited; the question stays open.
        """
        most = self._bounds.waiting
        return WaitingSlot(self._desk, self._per_session, self._per_caller, handoff, session, most=most)

    def anywhere(self, handoff: Handoff, report: Progress, chosen: Plan) -> Awaitable[Handoff | Unanswered | None]:
        """Carry out the plan; return its verdict, or the ended handoff, or None when the patience ended.

        Behind a gateway, calls of several people may wait for one question; people are told how many do.
        """
        anywhere = self._among_others if handoff.through_gateway else self._anywhere
        return anywhere(handoff, report, chosen)

    async def _among_others(self, handoff: Handoff, report: Progress, chosen: Plan) -> Handoff | Unanswered | None:
        self._calls[handoff.id] += 1
        verdict = None
        try:
            if self._calls[handoff.id] > 1:
                await self._tell_calls(handoff)
            verdict = await self._anywhere(handoff, report, chosen)
            return verdict
        finally:
            self._calls[handoff.id] -= 1
            if not self._calls[handoff.id]:
                del self._calls[handoff.id]
            elif not isinstance(verdict, Handoff):
                with anyio.move_on_after(LEAVING_SECONDS, shield=True):
                    await self._tell_calls(handoff)

    async def _tell_calls(self, handoff: Handoff) -> None:
        with suppress(HandoffError):  # the question stays open without it
            await self._desk.joined(handoff, calls=self._calls[handoff.id])

    async def _anywhere(self, handoff: Handoff, report: Progress, chosen: Plan) -> Handoff | Unanswered | None:
        verdict: Handoff | Unanswered | None = Unanswered.NOT_SHOWN
        context = report.context
        is_shared = partial(self._joining.is_shared, context)
        if chosen.way is Way.FORM:
            wait = self._beside_dialog(report)
            with self.timeouts.call(context, dialog=True):
                verdict = await ask_while_open(self._desk, handoff, context, wait, is_shared=is_shared)
            report.not_shown = verdict is Unanswered.NOT_SHOWN
        elif chosen.way is Way.LINK and report.link is not None:
            wait = self._beside_dialog(report)
            with self.timeouts.call(context, dialog=True):
                verdict = await send_while_open(self._desk, handoff, report.link, context, wait, is_shared=is_shared)
            if verdict is Unanswered.SENT:
                report.sent = True
                self.sent[handoff.id] = None
        if verdict is Unanswered.SENT or (verdict is Unanswered.NOT_SHOWN and not chosen.card):
            seconds = self.patience(context, dialog=False)
            with self.timeouts.call(context, dialog=False):
                return await self.elsewhere(handoff, report, invite=chosen.invite, seconds=seconds)
        return verdict

    def _beside_dialog(self, report: Progress) -> Wait:
        channel = None if CHANNEL in report.handoff.reached else CHANNEL
        return self._registry.wait(report, seconds=self.patience(report.context, dialog=True), channel=channel)

    async def elsewhere(
        self, handoff: Handoff, report: Progress, *, invite: bool, seconds: float | None = None
    ) -> Handoff | None:
        """Return the handoff once it has ended, or None after `seconds`.

        With `invite`, the inbox shows it meanwhile.
        """
        wait = self._registry.wait(report, seconds=seconds)
        if not invite or self._inbox is None or report.link is not None:
            with wait:
                await anyio.sleep_forever()
            return wait.ended
        broken: HandoffError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._invite, self._inbox, handoff, report)
            try:
                with wait:
                    await anyio.sleep_forever()
            except HandoffError as error:
                broken = error  # raised below: the task group would wrap it in an exception group
            tasks.cancel_scope.cancel()
        if broken is not None:
            raise broken
        return wait.ended

    async def _invite(self, inbox: Inbox, handoff: Handoff, report: Progress) -> None:
        report.link = await inbox.invite(handoff)
        if report.link is not None:
            await report.send()  # at once, for a person who watches the host's screen

    async def last_look(self, handoff: Handoff) -> Handoff:
        """Return the handoff as it is when the wait has ended; as it was, if the store is unavailable."""
        with suppress(StoreUnavailable), anyio.move_on_after(self._pace.last_look):
            return await self._desk.get(handoff.id)
        return handoff

    def patience(self, context: Context, *, dialog: bool) -> float:
        """Return how long a call may wait, in seconds: by the setting, or by its host, or by its client's time-outs."""
        seconds = self._hold_seconds
        if seconds is None:
            patience = host_named(client_of(context)).patience("stdio" if context.headers is None else "http")
            seconds = patience.dialog if dialog else patience.quiet
            if self._host_seconds is not None and not dialog:  # its limit is another one while a dialog is open
                seconds = max(seconds, self._host_seconds - margin(self._host_seconds))
        shown = self.timeouts.most(context, dialog=dialog)
        return seconds if shown is None else min(seconds, shown)


def margin(seconds: float) -> float:
    """Return how long before a host's time-out a call returns, in seconds."""
    return max(10.0, seconds / 60)


class WaitingSlot:
    """A block in which a call waits with a slot; the block gets whether a slot was free."""

    __slots__ = ("_desk", "_handoff", "_most", "_per_caller", "_per_session", "_session", "_since")

    def __init__(
        self,
        desk: Desk,
        per_session: Counter[str | None],
        per_caller: Slots,
        handoff: Handoff,
        session: str | None,
        *,
        most: int,
    ) -> None:
        """Take the counts of waiting calls by session and by caller, and how many may wait of all callers."""
        self._most = most
        self._desk, self._handoff, self._session = desk, handoff, session
        self._per_session, self._per_caller = per_session, per_caller
        self._since = desk.clock.now()

    async def __aenter__(self) -> bool:
        """Acquire the slot, and say whether one was free."""
        if self._session is None:
            return True
        subject = self._handoff.caller.subject
        if self._per_session[self._session] >= MAX_PER_SESSION or not self._per_caller.acquire(
            subject, most=self._most
        ):
            self._session = None
            return False
        self._per_session[self._session] += 1
        return True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the slot, and record a call that its host has ended."""
        try:
            if isinstance(error, anyio.get_cancelled_exc_class()) and not has_lapsed():
                # When a pipe was closed the process is ending, and the store may be closed before this.
                with anyio.move_on_after(LEAVING_SECONDS, shield=True), suppress(HandoffError):
                    seconds = (self._desk.clock.now() - self._since).total_seconds()
                    await self._desk.left(self._handoff, seconds=seconds)
        finally:
            if self._session is not None:
                self._per_caller.release(self._handoff.caller.subject)
                self._per_session[self._session] -= 1
                if not self._per_session[self._session]:
                    del self._per_session[self._session]
