"""The figures of a store, cached until the log grows or the day changes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import anyio.to_thread

from handoffs.core.desk import Desk
from handoffs.core.model import Outline
from handoffs.web.board import Board
from handoffs.web.statistics.charts import Figures, figures

_DAYS = 62
"""How far back handoffs are read: those that ended in the last 30 days, and by default none is open for longer."""

_CHUNK = 5_000


class Counting:
    """Counts the figures, and caches them by the log's last line and the day."""

    def __init__(self, desk: Desk, board: Board) -> None:
        """Take the desk and the board; nothing is counted yet."""
        self._desk, self._board = desk, board
        self._key: object = None
        self._read: Sequence[Outline] = ()
        self._counted: dict[frozenset[str], Figures] = {}

    async def figures(self, person: str, *, open_now: int) -> Figures:
        """Return the current figures of what a person sees; of open questions they see `open_now`."""
        await self._board.refresh()
        now = self._desk.clock.now()
        key = (self._board.line, now.date())
        if self._key != key:
            self._read = await self._ended(since=now - timedelta(days=_DAYS))
            self._key, self._counted = key, {}
        # Those who see the same share what was counted: most often everybody sees all.
        hidden = frozenset(each.id for each in self._read if each.only is not None and person not in each.only)
        found = self._counted.get(hidden)
        if found is None:
            ended = [each for each in self._read if each.id not in hidden]
            found = await anyio.to_thread.run_sync(partial(figures, ended, now, open_now=open_now))
            if self._key == key:
                self._counted[hidden] = found
        return replace(found, open_now=open_now)

    async def _ended(self, *, since: datetime) -> Sequence[Outline]:
        found: list[Outline] = []
        cursor = None
        while chunk := await self._desk.outlines(ended_only=True, since=since, before=cursor, limit=_CHUNK):
            found += chunk
            if len(chunk) < _CHUNK:
                break
            cursor = chunk[-1].cursor
        return found
