"""What one person sees of the open questions, where rules name who decides: all but those that only others may see.

A store without people has no such rules in force: then nothing is read for this.
"""

from collections.abc import Sequence

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.core.standing import may_vote, sees
from handoffs.web.board import Board

_EVERY = 2**31


class SeenBy:
    """The open questions, as each person sees them."""

    def __init__(self, desk: Desk, board: Board) -> None:
        """Take the desk, and the board that says when the log has grown."""
        self._desk, self._board = desk, board
        self._open: tuple[int, Sequence[Handoff]] = (-1, ())

    async def has_people(self) -> bool:
        """Return whether anybody is or was known, so that a rule may name them."""
        directory = self._desk.directory
        return directory is not None and bool((await directory()).people)

    async def page(
        self, person: str, number: int, size: int, *, mine: bool = False
    ) -> tuple[int, Sequence[Handoff], int]:
        """Return the offset of a page, its questions, and how many there are: with `mine`, those open for a vote."""
        found = await self._all(person, mine=mine)
        first = min((number - 1) * size, max(len(found) - 1, 0) // size * size)
        return first, found[first : first + size], len(found)

    async def count(self, person: str) -> int:
        """Return how many open questions the person sees."""
        return len(await self._all(person, mine=False))

    async def _all(self, person: str, *, mine: bool) -> list[Handoff]:
        await self._board.refresh()
        line = self._board.line
        if self._open[0] != line:
            self._open = line, await self._desk.newest(open_only=True, limit=_EVERY)
        now = self._desk.clock.now()
        return [
            each
            for each in self._open[1]
            if sees(each.question.deciders, person) and (not mine or may_vote(each.question.deciders, person, now))
        ]
