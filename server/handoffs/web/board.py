"""The open handoffs, in memory, and never older than the last line of the log.

A page with thousands of them must not be read from the store each time it is shown. The log says what has changed
since, which costs one look: one for all who ask at the same time, however many they are.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

import anyio

from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, State

_EVERY = 2**31
_CHUNK = 1000
_KEPT = 1000
"""Lines of the log that are kept for those who have read up to a moment ago."""


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """A line of the log, and how many were open after it."""

    entry: Entry
    open: int


class Board:
    """What is open. Every use looks into the log first."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk; nothing is read yet."""
        self._desk = desk
        self._open: dict[str, Handoff] = {}
        self._last: Entry | None = None
        self._recent: deque[News] = deque()
        self._before = 0  # the line before the first of these
        self._deadline: datetime | None = None
        self._loaded = False
        self._looking: anyio.Event | None = None
        self._begun = 0
        self._done = 0

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
        if self._deadline is None:
            self._deadline = min((handoff.question.deadline for handoff in self._open.values()), default=None)
        return self._deadline

    async def newest(self) -> Sequence[Handoff]:
        """Return every open handoff, newest first."""
        await self.refresh()
        return list(reversed(self._open.values()))

    async def page(self, number: int, size: int) -> tuple[int, Sequence[Handoff]]:
        """Return where a page of the open ones begins, newest first, and what is on it; past the end, the last page."""
        await self.refresh()
        first = min((number - 1) * size, max(len(self._open) - 1, 0) // size * size)
        return first, list(islice(reversed(self._open.values()), first, first + size))

    def news(self, after: int) -> Sequence[News] | None:
        """Return the lines after this one that it knows, in order; None where it has let some of them go."""
        if after < self._before:
            return None
        return list(reversed([*takewhile(lambda news: news.entry.number > after, reversed(self._recent))]))

    async def refresh(self) -> None:
        """Catch up with the log. Whoever calls sees what was in it before the call."""
        needed = self._begun + 1  # a look that begins from now on
        while self._done < needed:
            if self._looking is None:
                await self._look()
            else:
                await self._looking.wait()

    async def _look(self) -> None:
        self._looking = ended = anyio.Event()
        self._begun += 1
        look = self._begun
        try:
            if not self._loaded:
                await self._load()
            while entries := await self._news():
                for entry in entries:
                    await self._apply(entry)
            self._done = look
        finally:
            # One that failed, or was cancelled, is nobody else's: whoever waits looks for itself.
            self._looking = None
            ended.set()

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
        self._recent.clear()
        self._before, self._deadline = self.line, None
        self._loaded = True

    async def _apply(self, entry: Entry) -> None:
        if entry.name == "opened" and entry.handoff_id not in self._open:
            with suppress(NotFound):
                handoff = await self._desk.get(entry.handoff_id)
                if handoff.state is State.OPEN:
                    self._open[handoff.id] = handoff
        elif entry.name in ENDS:
            self._open.pop(entry.handoff_id, None)
        # Last of all: who is cancelled before has not seen this line.
        self._last, self._deadline = entry, None
        self._recent.append(News(entry=entry, open=len(self._open)))
        if len(self._recent) > _KEPT:
            self._before = self._recent.popleft().entry.number


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
