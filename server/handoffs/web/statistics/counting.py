"""The figures of a store, cached until the log grows or the day changes."""

from collections.abc import Sequence
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
        self._counted: tuple[object, Figures] | None = None

    async def figures(self) -> Figures:
        """Return the current figures."""
        await self._board.refresh()
        now, open_now = self._desk.clock.now(), self._board.count
        key = (self._board.line, now.date())
        if self._counted is None or self._counted[0] != key:
            ended = await self._ended(since=now - timedelta(days=_DAYS))
            self._counted = key, await anyio.to_thread.run_sync(partial(figures, ended, now, open_now=open_now))
        return self._counted[1]

    async def _ended(self, *, since: datetime) -> Sequence[Outline]:
        found: list[Outline] = []
        cursor = None
        while chunk := await self._desk.outlines(ended_only=True, since=since, before=cursor, limit=_CHUNK):
            found += chunk
            if len(chunk) < _CHUNK:
                break
            cursor = chunk[-1].cursor
        return found
