"""What happens to handoffs, told to a page as it happens: one server-sent event for each line of the log.

The event's id is the number of its line, so a browser that lost the connection says what it heard last, and misses
nothing. It is told that something happened, and looks for itself at what.
"""

import json
from collections.abc import AsyncGenerator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

from handoffs.core.desk import Desk
from handoffs.core.events import Entry
from handoffs.web.board import Board

PING_SECONDS = 15
"""How often a silent connection is heard from, so that both sides know of its end."""

_MANY = 500
"""Lines after which a page is told to look at everything anew, instead of line by line."""

_LOOK_SECONDS = 60


async def events(request: Request, desk: Desk, board: Board) -> EventSourceResponse:
    """Return the stream of what happens after the line that the browser knows."""
    known = request.headers.get("last-event-id") or request.query_params.get("after", "")
    # Before it is answered: who has an answer misses nothing from then on.
    await board.refresh()
    after = int(known) if known.isascii() and known.isdigit() and len(known) < 16 else board.line
    return EventSourceResponse(_stream(desk, board, after), ping=PING_SECONDS)


async def _stream(desk: Desk, board: Board, after: int) -> AsyncGenerator[ServerSentEvent]:
    async with desk.watch() as watch:
        await board.refresh()
        line = after
        if line > board.line:
            # It knows a line that is not there: another file has taken the store's place.
            line = board.line
            yield _resync(line)
        while True:
            entries = await desk.log(after=line, limit=_MANY)
            await board.refresh()
            if len(entries) == _MANY:
                line = board.line
                yield _resync(line)
                continue
            for entry in entries:
                line = entry.number
                yield _told(entry, board.count)
            if not entries:
                # A deadline that passes is no change that a store could tell of.
                due = board.next_deadline
                left = _LOOK_SECONDS if due is None else max((due - desk.clock.now()).total_seconds(), 0.01)
                with desk.clock.limit(min(left, _LOOK_SECONDS)):
                    await watch.changed()


def _told(entry: Entry, count: int) -> ServerSentEvent:
    data = {
        "id": entry.handoff_id,
        "name": entry.name,
        "by": entry.details.get("by", ""),
        "channel": entry.details.get("channel", ""),
        "open": count,
    }
    return ServerSentEvent(event="handoff", id=str(entry.number), data=json.dumps(data))


def _resync(line: int) -> ServerSentEvent:
    return ServerSentEvent(event="resync", id=str(line), data="{}")
