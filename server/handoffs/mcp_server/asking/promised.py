"""Questions that were handed to a host to show, and from which nothing has come back yet.

From 2026-07-28 a call returns so that the client shows its dialog and calls again; and a card is shown once its call
has returned. Whether the host does so nobody tells us: a gateway may stand before a client without dialogs, a client
may die in one, or declare cards and draw none. The inbox lists the question all the while, and people are notified.
Where nothing is known of the host, or a card was never opened, the inbox opens as well. A late answer still counts.
"""

import asyncio
import contextvars
from contextlib import suppress

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Alarm
from handoffs.mcp_server.asking.waiting import Inbox
from handoffs.mcp_server.callers.lru import BoundedCache

OUT_SECONDS = 20.0
"""How long a host has before the inbox opens beside it: who sits at the host has answered by then."""


class Promised:
    """What is out, of one server."""

    def __init__(self, desk: Desk, inbox: Inbox | None) -> None:
        """Take where the questions are, and where people find them."""
        self._desk = desk
        self._inbox = inbox
        self._out: BoundedCache[str, Alarm] = BoundedCache()
        self._lost: BoundedCache[str, None] = BoundedCache()
        self._tasks: set[asyncio.Task[None]] = set()

    def went(self, handoff: Handoff, *, opens: bool, channel: str = "") -> None:
        """Note that a host is to show it; in a while the inbox opens, where it `opens` and no `channel` has it."""
        self.came(handoff.id)

        def ring() -> None:
            if opens:
                self._begin(handoff, channel)

        self._out[handoff.id] = self._desk.clock.alarm(OUT_SECONDS, ring)

    def came(self, handoff_id: str) -> None:
        """Note that the host has called again."""
        if (alarm := self._out.pop(handoff_id, None)) is not None:
            alarm.cancel()
        self._lost.pop(handoff_id, None)

    def is_out(self, handoff_id: str) -> bool:
        """Say whether a host is to show it, and has not called again."""
        return handoff_id in self._out

    def lose(self, handoff_id: str) -> None:
        """Believe no longer that the host shows it: the same was asked anew."""
        self.came(handoff_id)
        self._lost[handoff_id] = None

    def is_lost(self, handoff_id: str) -> bool:
        """Say whether the host was given it to show, and did not."""
        return handoff_id in self._lost

    def beside(self, handoff: Handoff) -> None:
        """Open the inbox at once, beside a dialog that will be gone before anybody has answered in it."""
        self._begin(handoff, "")

    def _begin(self, handoff: Handoff, channel: str) -> None:
        if self._inbox is None:
            return
        # In nobody's task group, as the call has returned; nor in its context, which says whose it was.
        loop, context = asyncio.get_running_loop(), contextvars.Context()
        task = loop.create_task(self._open(self._inbox, handoff, channel), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, inbox: Inbox, handoff: Handoff, channel: str) -> None:
        with suppress(HandoffError):  # without a store there is nothing to answer
            current = await self._desk.get(handoff.id)
            if current.state is State.OPEN and (not channel or channel not in current.reached):
                await inbox.invite(current)
