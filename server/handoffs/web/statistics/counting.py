"""The figures of this store, counted again only when the log has grown."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import anyio.to_thread

from handoffs.core.desk import Desk
from handoffs.core.model import Outline
from handoffs.web.board import Board
from handoffs.web.statistics.charts import Figures, figures

_DAYS = 62
"""How far back is looked: what is counted ended in the last 30 days, and by default nothing stays open for longer."""

_CHUNK = 5_000


class Counting:
    """The figures, as they were at a line of the log and on a day."""

    def __init__(self, desk: Desk, board: Board) -> None:
        """Take where to look; nothing is counted yet."""
        self._desk, self._board = desk, board
        self._counted: tuple[object, Figures] | None = None

    async def figures(self) -> Figures:
        """Return the figures as they are now."""
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
