"""Dialogs and cards that a host is to show, and has not confirmed yet.

From 2026-07-28 a call returns so that the client shows its dialog and calls again; and a card is shown once its call
has returned. The server can't know whether the host does so: a gateway may stand before a client without dialogs, a
client may die in a dialog, or declare cards and draw none. Meanwhile the inbox lists the question, and people are
notified. If the host is unknown, or a card was never opened, the inbox opens as well. A late answer still counts.
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

CONFIRM_SECONDS = 20.0
"""How long a host has before the inbox opens as well: a person at the host has answered by then."""

_SLACK_SECONDS = 0.001
"""An alarm may ring this much too early."""


class Unconfirmed:
    """The unconfirmed dialogs and cards of one server."""

    def __init__(self, desk: Desk, inbox: Inbox | None) -> None:
        """Take the desk, and the inbox that opens."""
        self._desk = desk
        self._inbox = inbox
        self._unconfirmed: BoundedCache[str, None] = BoundedCache()
        self._opening: dict[str, tuple[float, str]] = {}  # when the inbox opens, the next first; and the channel
        self._alarm: Alarm | None = None  # one for all: it would keep the call that set it
        self._given_up: BoundedCache[str, None] = BoundedCache()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, handoff: Handoff, *, opens: bool, channel: str = "") -> None:
        """Note that a host is to show it. With `opens`, the inbox opens later, unless `channel` reached a person."""
        self.confirm(handoff.id)
        self._unconfirmed[handoff.id] = None
        if opens and self._inbox is not None:
            self._opening[handoff.id] = self._desk.clock.monotonic() + CONFIRM_SECONDS, channel
            if self._alarm is None:
                self._alarm = self._desk.clock.alarm(CONFIRM_SECONDS, self._ring)

    def confirm(self, handoff_id: str) -> None:
        """Note that the host has called again: the dialog was shown."""
        self._unconfirmed.pop(handoff_id, None)
        self._opening.pop(handoff_id, None)
        self._given_up.pop(handoff_id, None)

    def is_unconfirmed(self, handoff_id: str) -> bool:
        """Say whether a host was to show it and has not called again."""
        return handoff_id in self._unconfirmed

    def give_up(self, handoff_id: str) -> None:
        """Note that the host does not show it: the same question was asked anew."""
        self.confirm(handoff_id)
        self._given_up[handoff_id] = None

    def was_given_up(self, handoff_id: str) -> bool:
        """Say whether the host was to show it, and did not."""
        return handoff_id in self._given_up

    def open_inbox(self, handoff: Handoff) -> None:
        """Open the inbox at once, beside a dialog that the host closes before a person can answer in it."""
        self._begin(handoff.id, "")

    def _ring(self) -> None:
        self._alarm = None
        now = self._desk.clock.monotonic()
        while self._opening:
            handoff_id, (due, channel) = next(iter(self._opening.items()))
            if due > now + _SLACK_SECONDS:
                self._alarm = self._desk.clock.alarm(due - now, self._ring)
                return
            del self._opening[handoff_id]
            self._begin(handoff_id, channel)

    def _begin(self, handoff_id: str, channel: str) -> None:
        if self._inbox is None:
            return
        # Outside of every task group, as the call has returned; and with an empty context, as the call's names its
        # caller.
        loop, context = asyncio.get_running_loop(), contextvars.Context()
        task = loop.create_task(self._open(self._inbox, handoff_id, channel), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, inbox: Inbox, handoff_id: str, channel: str) -> None:
        with suppress(HandoffError):  # without a store there is nothing to answer
            current = await self._desk.get(handoff_id)
            if current.state is State.OPEN and (not channel or channel not in current.reached):
                await inbox.invite(current)
