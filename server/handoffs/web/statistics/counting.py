"""The figures of this store, counted again only when the log has grown."""

from datetime import timedelta
from functools import partial

import anyio.to_thread

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.web.board import Board
from handoffs.web.history import every
from handoffs.web.statistics.charts import Figures, figures

_DAYS = 62
"""How far back is looked: what is counted ended in the last 30 days, and by default nothing stays open for longer."""


class Counting:
    """The figures, as they were at a line of the log and on a day."""

    def __init__(self, desk: Desk, board: Board) -> None:
        """Take where to look; nothing is counted yet."""
        self._desk, self._board = desk, board
        self._counted: tuple[object, Figures] | None = None

    async def figures(self) -> Figures:
        """Return the figures as they are now."""
        opened = await self._board.newest()
        now = self._desk.clock.now()
        key = (self._board.line, now.date())
        if self._counted is None or self._counted[0] != key:
            since = now - timedelta(days=_DAYS)
            handoffs: list[Handoff] = [handoff for handoff in opened if handoff.created_at < since]
            async for handoff in every(self._desk):
                if handoff.created_at < since:
                    break
                handoffs.append(handoff)
            self._counted = key, await anyio.to_thread.run_sync(partial(figures, handoffs, now))
        return self._counted[1]
