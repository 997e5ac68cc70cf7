"""The open handoffs, in memory, and never older than the last line of the log.

A page with thousands of them must not be read from the store each time it is shown. The log says what has changed
since, which costs one look.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice

import anyio

from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, State

_EVERY = 2**31
_CHUNK = 1000


class Board:
    """What is open. Every use looks into the log first."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk; nothing is read yet."""
        self._desk = desk
        self._open: dict[str, Handoff] = {}
        self._last: Entry | None = None
        self._loaded = False
        self._lock = anyio.Lock()

    @property
    def line(self) -> int:
        """The number of the last line of the log that it knows."""
        return self._last.number if self._last else 0

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def next_deadline(self) -> datetime | None:
        """When the next of them expires."""
        return min((handoff.question.deadline for handoff in self._open.values()), default=None)

    async def newest(self) -> Sequence[Handoff]:
        """Return every open handoff, newest first."""
        await self.refresh()
        return list(reversed(self._open.values()))

    async def page(self, number: int, size: int) -> tuple[int, Sequence[Handoff]]:
        """Return where a page of the open ones begins, newest first, and what is on it; past the end, the last page."""
        await self.refresh()
        first = min((number - 1) * size, max(len(self._open) - 1, 0) // size * size)
        return first, list(islice(reversed(self._open.values()), first, first + size))

    async def refresh(self) -> None:
        """Catch up with the log."""
        async with self._lock:
            if not self._loaded:
                await self._load()
            while entries := await self._news():
                for entry in entries:
                    await self._apply(entry)

    async def _news(self) -> Sequence[Entry]:
        entries = await self._desk.log(after=max(self.line - 1, 0), limit=_CHUNK)
        if self._last is None:
            return entries
        if not entries or entries[0] != self._last:
            # The line that was the last is not there: somebody put another file in the store's place.
            await self._load()
            return []
        return entries[1:]

    async def _load(self) -> None:
        last = await last_line(self._desk)
        handoffs = await self._desk.newest(open_only=True, limit=_EVERY)
        self._open = {handoff.id: handoff for handoff in reversed(handoffs)}
        self._last = last
        self._loaded = True

    async def _apply(self, entry: Entry) -> None:
        if entry.name == "opened" and entry.handoff_id not in self._open:
            with suppress(NotFound):
                handoff = await self._desk.get(entry.handoff_id)
                if handoff.state is State.OPEN:
                    self._open[handoff.id] = handoff
        elif entry.name in ENDS:
            self._open.pop(entry.handoff_id, None)
        self._last = entry  # last of all: who is cancelled before has not seen this line


ENDS = frozenset({"answered", "declined", "cancelled", "expired"})
"""The names of the events that end a handoff."""


async def last_line(desk: Desk) -> Entry | None:
    """Return the last line of the log, found by asking what comes after a number: some thirty looks, however long."""

    async def after(number: int) -> Entry | None:
        return next(iter(await desk.log(after=number, limit=1)), None)

    last, step = await after(0), 1
    if last is None:
        return None
    # Ever larger steps while there is something, then ever smaller ones: nothing comes after `last.number + step`.
    while found := await after(last.number + step):
        last, step = found, step * 2
    while step:
        step //= 2
        last = await after(last.number + step) or last
    return last
