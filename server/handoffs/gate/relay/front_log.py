"""The events of one session that a client may ask for again with `Last-Event-ID`, after its stream was cut.

A server can't know what a client has read: what was written to a connection that is dead counts as sent. So each event
is kept for a while, sent or not, up to a bound; the oldest go first. All of it goes with the session.
"""

import itertools
import secrets
import time
from collections import deque
from typing import Final, Generic, TypeVar

KEPT_BYTES: Final = 4_194_304
"""What is kept of a session; also the longest answer that a resumed stream can give."""

KEPT_SECONDS: Final = 300.0
"""How long an event is kept."""

MAX_IDS: Final = 1_024
"""Ids of a stream by which it is found, where fewer of its events are kept."""

_OVERHEAD = 256

StreamT = TypeVar("StreamT")


class Event:
    """One event of a stream."""

    __slots__ = ("at", "id", "line", "retry", "sent")

    def __init__(self, line: bytes, id: str = "", retry: int | None = None) -> None:  # noqa: A002 - the field's name
        self.line, self.id, self.retry = line, id, retry
        self.at = time.monotonic()
        self.sent = False


class Track(Generic[StreamT]):
    """What is kept of one stream."""

    def __init__(self, stream: StreamT) -> None:
        self.stream = stream
        self.events = deque[Event]()
        self.ids = deque[str]()
        """Also of events that are not kept any more: a client that names one gets all that is."""
        self.ended = False

    def after(self, event_id: str) -> list[Event]:
        """Return what came after this event."""
        events = list(self.events)
        at = next((index for index, each in enumerate(events) if each.id == event_id), -1)
        return events[at + 1 :]


class EventLog(Generic[StreamT]):
    """The events of one session."""

    def __init__(self, *, most: int = KEPT_BYTES, seconds: float = KEPT_SECONDS) -> None:
        """Begin empty."""
        self._most, self._seconds = most, seconds
        self._size = 0
        self._order = deque[Track[StreamT]]()  # the track of each event, the oldest first
        self._ids = dict[str, Track[StreamT]]()
        self._name, self._numbers = secrets.token_hex(8), itertools.count(1)

    def add(self, track: Track[StreamT], line: bytes, id: str, retry: int | None) -> Event:  # noqa: A002
        """Keep an event. It gets an id of our own where it has none, or one that another event of the session has."""
        event = Event(line, retry=retry)
        self._name_event(track, event, id)
        track.events.append(event)
        self._order.append(track)
        self._size += len(line) + _OVERHEAD
        self.prune()
        return event

    def rename(self, track: Track[StreamT], event: Event, id: str) -> None:  # noqa: A002
        """Give an event that was not sent the id that the server has for it."""
        self._ids.pop(event.id, None)
        if event.id in track.ids:
            track.ids.remove(event.id)
        self._name_event(track, event, id)

    def find(self, event_id: str) -> Track[StreamT] | None:
        """Return the stream that an event belongs to; None where nothing of it is kept."""
        self.prune()
        return self._ids.get(event_id)

    def prune(self) -> None:
        """Drop what is too old, or too much."""
        until = time.monotonic() - self._seconds
        while self._order and (self._size > self._most or self._order[0].events[0].at < until):
            track = self._order.popleft()
            self._size -= len(track.events.popleft().line) + _OVERHEAD
            if track.ended and not track.events:
                for each in track.ids:
                    self._ids.pop(each, None)
                track.ids.clear()

    def _name_event(self, track: Track[StreamT], event: Event, id: str) -> None:  # noqa: A002
        event.id = id if id and id not in self._ids else f"{self._name}-{next(self._numbers)}"
        self._ids[event.id] = track
        track.ids.append(event.id)
        # That of an event that is kept stays: a client may come back behind any of them.
        if len(track.ids) > max(MAX_IDS, len(track.events) + 1):
            self._ids.pop(track.ids.popleft(), None)
