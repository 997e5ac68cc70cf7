"""A cache of every open handoff, for what looks at all of them: a search, and what each person sees.

It is filled at the first use. Then the lines of the log say which handoffs to read again.
"""

from dataclasses import dataclass

import anyio

from handoffs.core.desk import Desk
from handoffs.core.model import Cursor, Handoff, State
from handoffs.core.untrusted import folded
from handoffs.web.asker import asker, folder
from handoffs.web.board import Board

_CHUNK = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenQuestion:
    """An open handoff, and its words as a search compares them."""

    handoff: Handoff
    words: str


class OpenQuestions:
    """Every open handoff of a store, newest first."""

    def __init__(self, desk: Desk, board: Board) -> None:
        """Take the desk, and the board that has the lines of its log."""
        self._desk, self._board = desk, board
        self._read: tuple[int, int] | None = None
        self._found: dict[str, OpenQuestion] = {}
        self._reading = anyio.Lock()

    async def all(self) -> list[OpenQuestion]:
        """Return every open handoff, as of the call or later."""
        return list((await self._current()).values())

    async def get(self, handoff_id: str) -> OpenQuestion | None:
        """Return an open handoff; None where it is not open."""
        return (await self._current()).get(handoff_id)

    async def _current(self) -> dict[str, OpenQuestion]:
        await self._board.refresh()
        async with self._reading:
            now = self._board.loads, self._board.line
            if self._read != now:
                changed = self._changed(now)
                self._found = await (self._all() if changed is None else self._after(changed))
                self._read = now
            return self._found

    def _changed(self, now: tuple[int, int]) -> list[str] | None:
        """Return the handoffs that have lines since the last read; None where all must be read."""
        if self._read is None or self._read[0] != now[0]:
            return None
        news = self._board.news(self._read[1])
        return None if news is None else list(dict.fromkeys(each.entry.handoff_id for each in news))

    async def _all(self) -> dict[str, OpenQuestion]:
        found: dict[str, OpenQuestion] = {}
        cursor = None
        while chunk := await self._desk.newest(open_only=True, before=cursor, limit=_CHUNK):
            found |= {each.id: _read(each) for each in chunk}
            if len(chunk) < _CHUNK:
                break
            cursor = Cursor(created_at=chunk[-1].created_at, id=chunk[-1].id)
        return found

    async def _after(self, changed: list[str]) -> dict[str, OpenQuestion]:
        found = dict(self._found)
        again = {each.id: each for each in await self._desk.get_all(changed)}
        fresh: list[OpenQuestion] = []
        for handoff_id in changed:
            handoff = again.get(handoff_id)
            if handoff is None or handoff.state is not State.OPEN:
                found.pop(handoff_id, None)
            elif handoff_id in found:
                found[handoff_id] = OpenQuestion(handoff=handoff, words=found[handoff_id].words)
            else:
                fresh.append(_read(handoff))
        if not fresh:
            return found
        in_order = sorted([*found.values(), *fresh], key=lambda each: _age(each.handoff), reverse=True)
        return {each.handoff.id: each for each in in_order}


def _age(handoff: Handoff) -> tuple[float, str]:
    return handoff.created_at.timestamp(), handoff.id


def _read(handoff: Handoff) -> OpenQuestion:
    action, caller = handoff.question.action, handoff.caller
    parts = [handoff.question.message, asker(caller), folder(caller)]
    parts += [] if action is None else [action.tool, action.server]
    return OpenQuestion(handoff=handoff, words=folded("\n".join(parts)))
