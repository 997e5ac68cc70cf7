"""Live updates of pages: one server-sent event for each line of the log.

An event's id is the number of its line, so a browser that reconnects sends the last one and misses nothing. The event
says that a handoff changed; the page then fetches it. Each line is read and encoded once for all pages. A stop of
everything has no line: it is told when it comes or is lifted, and to a page that begins to listen and may not know.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

from handoffs.core.desk import Desk
from handoffs.core.grant import Stop
from handoffs.core.person import is_of_person
from handoffs.core.standing import sees
from handoffs.core.untrusted import inert_line
from handoffs.web.board import Board, News
from handoffs.web.board_filter import BoardFilter
from handoffs.web.pages import milliseconds
from handoffs.web.seen_by import SeenBy

PING_SECONDS = 15
"""How often a silent connection gets a ping, so that both sides notice its end."""

_MAX_LINES = 500
"""How many lines a page may be behind; further behind, it is told to reload everything."""

_LOOK_SECONDS = 60

_PERSON_SECONDS = 2.0
"""How often it is looked for whether a person is still let in: no store notifies about that."""

_NOTHING = b": \r\n\r\n"

_SEND_SECONDS = 0.0002
"""About the time to send to one page. After each line, as much time is left for other work."""


Lasts = Callable[[], Awaitable[bool]]
"""Says whether who looks is still let in."""


class Feed:
    """Streams events to pages."""

    def __init__(
        self,
        desk: Desk,
        board: Board,
        seen: SeenBy,
        who: Callable[[Request], str],
        lasts: Callable[[Request], Lasts | None],
    ) -> None:
        """Take the desk, the board that caches its log, what each person sees of it, who looks, and whether they may.

        `lasts` returns what says so; None for those who can't be kept out while they look.
        """
        self._desk, self._board, self._seen, self._who, self._lasts = desk, board, seen, who, lasts
        self._written: dict[tuple[int, int], bytes] = {}
        self._listening = 0

    async def events(self, request: Request) -> EventSourceResponse:
        """Return the stream of events after the last line that the browser knows."""
        known = request.headers.get("last-event-id") or request.query_params.get("after", "")
        # Before the response: a browser that has it misses nothing from then on.
        await self._board.refresh()
        after = int(known) if known.isascii() and known.isdigit() and len(known) < 16 else self._board.line
        # A page that shows a stop hears of it in any case: it may have been lifted before it began to listen.
        shown = "stopped" in request.query_params
        wanted = BoardFilter.of(request.query_params)
        stream = self._counted(after, wanted, shown=shown, person=self._who(request), lasts=self._lasts(request))
        return EventSourceResponse(stream, ping=PING_SECONDS)

    async def _counted(
        self, after: int, wanted: BoardFilter, *, shown: bool, person: str, lasts: Lasts | None
    ) -> AsyncGenerator[bytes]:
        self._listening += 1
        try:
            async with aclosing(self._stream(after, wanted, shown=shown, person=person, lasts=lasts)) as stream:
                async for chunk in stream:
                    yield chunk
        finally:
            self._listening -= 1

    async def _stream(
        self, after: int, wanted: BoardFilter, *, shown: bool, person: str, lasts: Lasts | None
    ) -> AsyncGenerator[bytes]:
        board, clock, line = self._board, self._desk.clock, after
        stop: Stop | None = None
        longest = _LOOK_SECONDS if lasts is None else _PERSON_SECONDS
        async with self._desk.watch() as watch:
            await board.refresh()
            yield ServerSentEvent(event="clock", data=milliseconds(clock.now())).encode()
            if line > board.line:
                # The browser's last line does not exist: the store's file was replaced.
                line = board.line
                yield _resync(line)
            while True:
                if shown or board.stop != stop:
                    stop, shown = board.stop, False
                    yield _stopped(stop)
                news = await self._after(line)
                if news is None or len(news) >= _MAX_LINES:
                    line = board.line
                    yield _resync(line)
                elif news:
                    yield await self._chunk_for(person, wanted, line, news)
                    line = news[-1].entry.number
                if news != []:
                    await clock.sleep(self._listening * _SEND_SECONDS)
                # A store does not notify about a passed deadline.
                due = board.next_deadline
                left = longest if due is None else max((due - clock.now()).total_seconds(), 0.01)
                with clock.limit(min(left, longest)):
                    await watch.changed()
                if lasts is not None and not await lasts():
                    return
                await board.refresh()

    async def _after(self, line: int) -> Sequence[News] | None:
        """Return the lines that a page has not got; None when they are too many."""
        news = self._board.news(line)
        if news is not None:
            return news
        upto = self._board.line
        entries = await self._desk.log(after=line, limit=_MAX_LINES)
        if len(entries) == _MAX_LINES:
            return None
        return [News(entry=entry, open=self._board.count) for entry in entries if entry.number <= upto]

    async def _chunk_for(self, person: str, wanted: BoardFilter, line: int, news: Sequence[News]) -> bytes:
        """Return the events of these lines for one person: none about a question that they may not see.

        Of a new question that the page's filter leaves out, the page only hears that one more is open.
        """
        people = await self._seen.has_people()
        looks = wanted.narrow or (people and wanted.mine)
        if not people and not looks:
            return self._chunk(line, news)
        seen, count = {each.entry.handoff_id for each in news}, None
        if people:
            found = await self._desk.get_all(list(seen))
            seen = {each.id for each in found if sees(each.question.deciders, person)}
            count = await self._seen.count(person)
        told: list[bytes] = []
        for each in news:
            asked = each.entry.name == "opened"
            if each.entry.handoff_id in seen:
                unwanted = looks and asked and not await self._seen.wants(wanted, person, each.entry.handoff_id)
                told.append(_written(each if count is None else replace(each, open=count), unwanted=unwanted))
        return b"".join(told) or _NOTHING

    def _chunk(self, line: int, news: Sequence[News]) -> bytes:
        key = (line, news[-1].entry.number)
        if key not in self._written:
            if len(self._written) >= _MAX_LINES:
                self._written.clear()
            # Of people, a page is told nothing.
            about = [_written(each) for each in news if not is_of_person(each.entry.handoff_id)]
            self._written[key] = b"".join(about) or _NOTHING
        return self._written[key]


def _resync(line: int) -> bytes:
    return ServerSentEvent(event="resync", id=str(line), data="{}").encode()


def _stopped(stop: Stop | None) -> bytes:
    data = None if stop is None else {"by": inert_line(stop.by, 60)}
    return ServerSentEvent(event="stop", data=json.dumps(data)).encode()


def _written(news: News, *, unwanted: bool = False) -> bytes:
    entry = news.entry
    data: dict[str, object] = {
        "id": entry.handoff_id,
        "name": entry.name,
        "by": entry.details.get("by", ""),
        "channel": entry.details.get("channel", ""),
        "open": news.open,
    }
    if unwanted:
        data["unwanted"] = True
    return ServerSentEvent(event="handoff", id=str(entry.number), data=json.dumps(data)).encode()
