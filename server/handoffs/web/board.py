"""The number and the pages of the open handoffs, never older than the newest line of the log.

No handoff is kept that no page shows: how many are open, and each page, is asked of the store. The log says when to ask
again, which costs one look: one for all who ask at the same time, however many they are.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

import anyio

from handoffs.core.desk import Desk
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, OpenCount

_CHUNK = 1000
_KEPT = 1000
"""Lines of the log that are kept for those who have read up to a moment ago."""
_PAGES = 20
"""Pages that are kept until the log goes on: most people look at the first."""


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
        self._counted = OpenCount(handoffs=0, next_deadline=None, line=0)
        self._last: Entry | None = None
        self._recent: deque[News] = deque(maxlen=_KEPT)
        self._before = 0  # the line before the first of these
        self._pages: dict[tuple[int, int, int], Sequence[Handoff]] = {}
        self._loaded = False
        self._looking: anyio.Event | None = None
        self._begun = 0
        self._done = 0

    @property
    def line(self) -> int:
        """The number of the last line of the log that it knows."""
        return self._counted.line

    @property
    def count(self) -> int:
        """How many are open."""
        return self._counted.handoffs

    @property
    def next_deadline(self) -> datetime | None:
        """When the next of them expires."""
        return self._counted.next_deadline

    async def page(self, number: int, size: int) -> tuple[int, Sequence[Handoff]]:
        """Return where a page of the open ones begins, newest first, and what is on it; past the end, the last page."""
        await self.refresh()
        first = min((number - 1) * size, max(self.count - 1, 0) // size * size)
        key = (self.line, first, size)
        page = self._pages.get(key)
        if page is None:
            page = await self._desk.newest(open_only=True, skip=first, limit=size)
            if first and not page:
                # All that were to be there have ended since they were counted.
                await self.refresh()
                if self.line != key[0]:
                    return await self.page(number, size)
            if len(self._pages) >= _PAGES:
                self._pages.clear()
            self._pages[key] = page
        return first, page

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
            await (self._catch_up() if self._loaded else self._load())
            self._done = look
        finally:
            # One that failed, or was cancelled, is nobody else's: whoever waits looks for itself.
            self._looking = None
            ended.set()

    async def _load(self) -> None:
        counted = await self._desk.count_open()
        self._last = next(iter(await self._lines(counted.line - 1, counted.line)), None)
        self._counted = counted
        self._recent.clear()
        self._pages.clear()
        self._before = counted.line
        self._loaded = True

    async def _catch_up(self) -> None:
        last = self._last
        entries = await self._desk.log(after=max(self.line - 1, 0), limit=2)
        if last is None:
            fresh = bool(entries)
        elif not entries or entries[0] != last:
            # The line that was the last is not there: somebody put another file in the store's place.
            await self._load()
            return
        else:
            fresh = len(entries) > 1
        if not fresh:
            return
        counted = await self._desk.count_open()
        self._learn(counted, await self._lines(self.line, counted.line))

    async def _lines(self, after: int, upto: int) -> Sequence[Entry]:
        """Return the lines after one up to another; what has come since is left for the next look."""
        found: list[Entry] = []
        while after < upto:
            entries = await self._desk.log(after=max(after, 0), limit=_CHUNK)
            found += (entry for entry in entries if entry.number <= upto)
            after = entries[-1].number if entries else upto
        return found

    def _learn(self, counted: OpenCount, entries: Sequence[Entry]) -> None:
        # All at once: who is cancelled before has seen none of these lines.
        news: list[News] = []
        still_open = counted.handoffs
        for entry in reversed(entries):
            news.append(News(entry=entry, open=still_open))
            still_open -= (entry.name == "opened") - (entry.name in ENDS)
        for each in reversed(news):
            if len(self._recent) == _KEPT:
                self._before = self._recent[0].entry.number
            self._recent.append(each)
        self._last = entries[-1] if entries else self._last
        self._counted = counted
        self._pages.clear()


ENDS = frozenset({"answered", "declined", "cancelled", "expired"})
"""The names of the events that end a handoff."""
