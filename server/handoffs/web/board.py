"""A cache of the open handoffs, their number and their pages, kept up to date by the log.

Only handoffs of shown pages are cached: the store gives the number and each page. The log shows when to read again,
which costs one read for all requests at the same time.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

import anyio

from handoffs.core.desk import Desk
from handoffs.core.events import Entry
from handoffs.core.grant import Stop
from handoffs.core.model import Handoff, OpenCount

_CHUNK = 1000
_MAX_RECENT = 1000
"""How many recent lines of the log are cached, for streams that are slightly behind."""
_MAX_PAGES = 20
"""How many pages are cached until the log grows: most people look at the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """A line of the log, and how many handoffs were open after it."""

    entry: Entry
    open: int


class Board:
    """The open handoffs of a store. Every use reads the log first."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk; nothing is read yet."""
        self._desk = desk
        self._counted = OpenCount(handoffs=0, next_deadline=None, line=0)
        self._last: Entry | None = None
        self._recent: deque[News] = deque(maxlen=_MAX_RECENT)
        self._before = 0  # the line before the first recent one
        self._pages: dict[tuple[int, int, int], Sequence[Handoff]] = {}
        self._stop: Stop | None = None
        self._loaded = False
        self._loads = 0
        self._looking: anyio.Event | None = None
        self._begun = 0
        self._done = 0

    @property
    def line(self) -> int:
        """The number of the last known line of the log."""
        return self._counted.line

    @property
    def loads(self) -> int:
        """How often everything was read anew: lines from before are another log's."""
        return self._loads

    @property
    def count(self) -> int:
        """How many handoffs are open."""
        return self._counted.handoffs

    @property
    def stop(self) -> Stop | None:
        """The stop of everything that stands, if any."""
        return self._stop

    @property
    def next_deadline(self) -> datetime | None:
        """When the next open handoff expires."""
        return self._counted.next_deadline

    async def page(self, number: int, size: int) -> tuple[int, Sequence[Handoff]]:
        """Return the offset of a page of open handoffs, newest first, and its handoffs; past the end, the last page."""
        await self.refresh()
        first = min((number - 1) * size, max(self.count - 1, 0) // size * size)
        key = (self.line, first, size)
        page = self._pages.get(key)
        if page is None:
            page = await self._desk.newest(open_only=True, skip=first, limit=size)
            if first and not page:
                # All handoffs of this page have ended since they were counted.
                await self.refresh()
                if self.line != key[0]:
                    return await self.page(number, size)
            if len(self._pages) >= _MAX_PAGES:
                self._pages.clear()
            self._pages[key] = page
        return first, page

    def news(self, after: int) -> Sequence[News] | None:
        """Return the lines after this one, in order; None when some are no longer cached."""
        if after < self._before:
            return None
        return list(reversed([*takewhile(lambda news: news.entry.number > after, reversed(self._recent))]))

    async def refresh(self) -> None:
        """Catch up with the log, at least to its end at the time of the call."""
        needed = self._begun + 1  # a read that begins after this call
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
            self._stop = await self._desk.permissions.stopped()
            self._done = look
        finally:
            # If it failed or was cancelled, each waiting call reads itself.
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
        self._loads += 1

    async def _catch_up(self) -> None:
        last = self._last
        entries = await self._desk.log(after=max(self.line - 1, 0), limit=2)
        if last is None:
            fresh = bool(entries)
        elif not entries or entries[0] != last:
            # The last known line is gone: the store's file was replaced.
            await self._load()
            return
        else:
            fresh = len(entries) > 1
        if fresh:
            # To count all that is open costs more than to read the few lines since.
            entries = await self._lines(self.line)
            self._learn(entries, await self._desk.next_deadline())

    async def _lines(self, after: int, upto: int | None = None) -> Sequence[Entry]:
        """Return the lines after one: up to another, or to the newest. Later ones are left for the next read."""
        found: list[Entry] = []
        while upto is None or after < upto:
            entries = await self._desk.log(after=max(after, 0), limit=_CHUNK)
            found += (entry for entry in entries if upto is None or entry.number <= upto)
            if len(entries) < _CHUNK:
                break
            after = entries[-1].number
        return found

    def _learn(self, entries: Sequence[Entry], next_deadline: datetime | None) -> None:
        # Without an await: a cancellation can't leave some of these lines unseen.
        count = self.count
        for entry in entries:
            count += (entry.name == "opened") - (entry.name in ENDS)
            if len(self._recent) == _MAX_RECENT:
                self._before = self._recent[0].entry.number
            self._recent.append(News(entry=entry, open=count))
        if entries:
            self._last = entries[-1]
            self._counted = OpenCount(handoffs=count, next_deadline=next_deadline, line=entries[-1].number)
            self._pages.clear()


ENDS = frozenset({"answered", "declined", "cancelled", "expired"})
"""The names of the events that end a handoff."""
