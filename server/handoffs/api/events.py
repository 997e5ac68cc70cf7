"""What becomes of a caller's questions, as server-sent events: ids and states, and nothing that anybody wrote.

An event's id is the number of its line in the log: who connects again with `Last-Event-ID` misses nothing.
"""

import json
from collections.abc import AsyncGenerator

from handoffs.core.desk import Desk
from handoffs.core.display import stamp
from handoffs.core.errors import NotFound, StoreError
from handoffs.core.events import Entry

TOLD = ("opened", "answered", "declined", "cancelled", "expired")

PING_SECONDS = 15.0
"""How often a silent stream says that it is alive."""

_LINES = 500
_MOST_KNOWN = 10_000


async def last_line(desk: Desk) -> int:
    """Return the number of the newest line of the log."""
    return (await desk.count_open()).line


async def events_of(desk: Desk, subject: str, after: int, *, ping: float = PING_SECONDS) -> AsyncGenerator[bytes]:
    """Yield the events of one caller's handoffs after a line of the log, without end."""
    own: dict[str, bool] = {}
    yield b": connected\n\n"
    async with desk.watch() as watch:
        while True:
            try:
                lines = await desk.log(after=after, limit=_LINES)
                for line in lines:
                    after = line.number
                    if line.name in TOLD and await _is_own(desk, line.handoff_id, subject, own):
                        yield written(line)
            except StoreError:  # it may be back: the stream goes on where it was
                lines = list[Entry]()
            if len(lines) == _LINES:
                continue
            yield b": alive\n\n"
            with desk.clock.limit(ping):
                await watch.changed()


def written(line: Entry) -> bytes:
    """Return a line of the log as an event."""
    said = json.dumps({"handoffId": line.handoff_id, "event": line.name, "at": stamp(line.at)})
    return f"id: {line.number}\nevent: {line.name}\ndata: {said}\n\n".encode()


async def _is_own(desk: Desk, handoff_id: str, subject: str, known: dict[str, bool]) -> bool:
    if handoff_id not in known:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        try:
            known[handoff_id] = (await desk.get(handoff_id)).caller.subject == subject
        except NotFound:  # it was pruned
            known[handoff_id] = False
    return known[handoff_id]
