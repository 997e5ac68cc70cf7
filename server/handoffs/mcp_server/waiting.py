"""Waiting with a call open: for the host's own dialog and whatever else answers, as far as its patience goes."""

from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Protocol

import anyio
from mcp.server.mcpserver import Context

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.model import Handoff, State
from handoffs.mcp_server.asking import CHANNEL, READING_SECONDS, Unanswered, ask_while_open
from handoffs.mcp_server.by_link import Way, send_while_open
from handoffs.mcp_server.declared import client_of
from handoffs.mcp_server.draining import Draining
from handoffs.mcp_server.hosts import host_named
from handoffs.mcp_server.recent import Recent
from handoffs.mcp_server.report import Report

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


class Waiting:
    """The calls of one server that wait."""

    def __init__(self, desk: Desk, *, hold_seconds: float | None, inbox: Inbox | None, draining: Draining) -> None:
        """Take the parts; `hold_seconds` of None goes by the host, and `draining` ends every wait."""
        self._desk = desk
        self._draining = draining
        self._hold_seconds = hold_seconds
        self._inbox = inbox
        self._held: Counter[str | None] = Counter()
        self.sent: Recent[str, None] = Recent()
        """Those whose person has agreed to open the inbox: a call that only checks does not send them there again."""

    @asynccontextmanager
    async def place(self, handoff: Handoff, session: str | None) -> AsyncGenerator[bool]:
        """Give a call a place among those of its session that wait, and say whether one was free.

        A `session` of None has no end of places: stdio has no pool of connections that could run dry. What the host
        ends inside is noted in the log, with how long it had waited; the question stays open.
        """
        free = session is None or self._held[session] < MAX_HELD
        counts = session is not None and free
        if counts:
            self._held[session] += 1
        try:
            async with self._noting_who_leaves(handoff):
                yield free
        finally:
            if counts:
                self._held[session] -= 1
                self._held += Counter()  # drops those that hold nothing

    @contextmanager
    def within(self, seconds: float) -> Generator[None]:
        """Give a block that is left, without an error, after `seconds`, or when the server is about to stop."""
        with self._draining.wait(), self._desk.clock.limit(seconds):
            yield

    async def anywhere(
        self, handoff: Handoff, report: Report, *, way: Way, invite: bool, card: bool
    ) -> Handoff | Unanswered | None:
        """Return what asking the host's `way` came to, or who was faster elsewhere; None when the patience ended.

        With `invite`, the inbox is to show what no dialog shows; with `card`, a card does, once the call has returned.
        """
        verdict: Handoff | Unanswered | None = Unanswered.NOT_SHOWN
        if way is Way.FORM:
            verdict = await self._ask_in_dialog(handoff, report)
        elif way is Way.LINK and report.link is not None:
            verdict = await self._send_to_inbox(handoff, report, report.link)
        if verdict is Unanswered.SENT or (verdict is Unanswered.NOT_SHOWN and not card):
            with self.within(self._patience(report.context, dialog=False)):
                return await self.elsewhere(handoff, report, invite=invite)
            return None
        return verdict

    async def _ask_in_dialog(self, handoff: Handoff, report: Report) -> Handoff | Unanswered | None:
        """Return what the host's dialog came to, or who was faster; None when the host's patience ended."""
        with self.within(self._patience(report.context, dialog=True)):
            elsewhere = partial(self._wait_beside_dialog, handoff, report)
            return await ask_while_open(self._desk, handoff, report.context, elsewhere)
        return None

    async def _send_to_inbox(self, handoff: Handoff, report: Report, link: str) -> Handoff | Unanswered | None:
        """Return what the host's link to the inbox came to, or who was faster; None when its patience ended."""
        with self.within(self._patience(report.context, dialog=True)):
            elsewhere = partial(self._wait_beside_dialog, handoff, report)
            verdict = await send_while_open(self._desk, handoff, link, report.context, elsewhere)
            if verdict is Unanswered.SENT:
                report.sent = True
                self.sent[handoff.id] = None
            return verdict
        return None

    async def _wait_beside_dialog(self, handoff: Handoff, report: Report) -> Handoff:
        if CHANNEL not in handoff.reached:
            handoff = await self._desk.wait(handoff.id, seconds=READING_SECONDS)
            # A dialog that is still there after this long is on a screen.
            await self._desk.reached(handoff, channel=CHANNEL)
        return await self._wait(handoff, report)

    async def elsewhere(self, handoff: Handoff, report: Report, *, invite: bool) -> Handoff:
        """Return the handoff once it has ended; with `invite`, the inbox is to show it meanwhile."""
        if not invite or self._inbox is None or report.link is not None:
            return await self._wait(handoff, report)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._invite, self._inbox, handoff, report)
            handoff = await self._wait(handoff, report)
            tasks.cancel_scope.cancel()
        return handoff

    async def _invite(self, inbox: Inbox, handoff: Handoff, report: Report) -> None:
        report.link = await inbox.invite(handoff)
        if report.link is not None:
            await report.send()  # at once, for a person who watches the host's screen

    async def _wait(self, handoff: Handoff, report: Report) -> Handoff:
        """Return the handoff once it has ended, by whatever means; say every ten seconds that the call is alive."""
        while True:
            handoff = await self._desk.wait(handoff.id, seconds=PROGRESS_SECONDS)
            if handoff.state is not State.OPEN:
                return handoff
            await report.send()

    def _patience(self, context: Context, *, dialog: bool) -> float:
        if self._hold_seconds is not None:
            return self._hold_seconds
        host = host_named(client_of(context))
        return host.dialog if dialog else host.quiet

    @asynccontextmanager
    async def _noting_who_leaves(self, handoff: Handoff) -> AsyncGenerator[None]:
        since = self._desk.clock.now()
        try:
            yield
        except anyio.get_cancelled_exc_class():
            # On a pipe that was closed the whole process is ending, and the store may be closed before this.
            with anyio.move_on_after(LEAVING_SECONDS, shield=True), suppress(HandoffError):
                await self._desk.left(handoff, seconds=(self._desk.clock.now() - since).total_seconds())
            raise
