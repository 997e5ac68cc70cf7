"""What happens to handoffs, told to a page as it happens: one server-sent event for each line of the log.

The event's id is the number of its line, so a browser that lost the connection says what it heard last, and misses
nothing. It is told that something happened, and looks for itself at what. Each line is looked up and written once,
for however many pages.
"""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

from handoffs.core.desk import Desk
from handoffs.web.board import Board, News
from handoffs.web.pages import milliseconds

PING_SECONDS = 15
"""How often a silent connection is heard from, so that both sides know of its end."""

_MANY = 500
"""Lines after which a page is told to look at everything anew, instead of line by line."""

_LOOK_SECONDS = 60

_TELL_SECONDS = 0.0002
"""About what it takes to tell one page. After a line is told, as much time is left to everything else."""


class Feed:
    """Tells pages what happens."""

    def __init__(self, desk: Desk, board: Board) -> None:
        """Take where it is looked up."""
        self._desk, self._board = desk, board
        self._written: dict[tuple[int, int], bytes] = {}
        self._listening = 0

    async def events(self, request: Request) -> EventSourceResponse:
        """Return the stream of what happens after the line that the browser knows."""
        known = request.headers.get("last-event-id") or request.query_params.get("after", "")
        # Before it is answered: who has an answer misses nothing from then on.
        await self._board.refresh()
        after = int(known) if known.isascii() and known.isdigit() and len(known) < 16 else self._board.line
        return EventSourceResponse(self._counted(after), ping=PING_SECONDS)

    async def _counted(self, after: int) -> AsyncGenerator[bytes]:
        self._listening += 1
        try:
            async with aclosing(self._stream(after)) as stream:
                async for chunk in stream:
                    yield chunk
        finally:
            self._listening -= 1

    async def _stream(self, after: int) -> AsyncGenerator[bytes]:
        board, clock, line = self._board, self._desk.clock, after
        async with self._desk.watch() as watch:
            await board.refresh()
            yield ServerSentEvent(event="clock", data=milliseconds(clock.now())).encode()
            if line > board.line:
                # It knows a line that is not there: another file has taken the store's place.
                line = board.line
                yield _resync(line)
            while True:
                news = await self._after(line)
                if news is None or len(news) >= _MANY:
                    line = board.line
                    yield _resync(line)
                elif news:
                    yield self._told(line, news)
                    line = news[-1].entry.number
                if news != []:
                    await clock.sleep(self._listening * _TELL_SECONDS)
                # A deadline that passes is no change that a store could tell of.
                due = board.next_deadline
                left = _LOOK_SECONDS if due is None else max((due - clock.now()).total_seconds(), 0.01)
                with clock.limit(min(left, _LOOK_SECONDS)):
                    await watch.changed()
                await board.refresh()

    async def _after(self, line: int) -> Sequence[News] | None:
        """Return what a page has not heard; None where that is too much."""
        news = self._board.news(line)
        if news is not None:
            return news
        upto = self._board.line
        entries = await self._desk.log(after=line, limit=_MANY)
        if len(entries) == _MANY:
            return None
        return [News(entry=entry, open=self._board.count) for entry in entries if entry.number <= upto]

    def _told(self, line: int, news: Sequence[News]) -> bytes:
        key = (line, news[-1].entry.number)
        if key not in self._written:
            if len(self._written) >= _MANY:
                self._written.clear()
            self._written[key] = b"".join(map(_written, news))
        return self._written[key]


def _resync(line: int) -> bytes:
    return ServerSentEvent(event="resync", id=str(line), data="{}").encode()


def _written(news: News) -> bytes:
    entry = news.entry
    data = {
        "id": entry.handoff_id,
        "name": entry.name,
        "by": entry.details.get("by", ""),
        "channel": entry.details.get("channel", ""),
        "open": news.open,
    }
    return ServerSentEvent(event="handoff", id=str(entry.number), data=json.dumps(data)).encode()
