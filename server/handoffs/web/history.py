"""The history of handoffs, newest first: search, filters and pages."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from handoffs.core.desk import Desk
from handoffs.core.model import Cursor, Handoff, Outline, State
from handoffs.core.sentences import say
from handoffs.core.standing import sees
from handoffs.core.untrusted import folded

PAGE = 50
LOOK = 20_000
"""How many handoffs one search reads; then it reports how far it came, and offers to continue."""

_CHUNK = 500
_STATES: Mapping[str, frozenset[State]] = {
    "ended": frozenset(State) - {State.OPEN},
    **{state.value: frozenset({state}) for state in State},
    "any": frozenset(State),
}

STATES: Mapping[str, str] = {
    "ended": say("All that ended"),
    "open": say("Open"),
    "answered": say("Answered"),
    "declined": say("Declined"),
    "cancelled": say("Cancelled"),
    "expired": say("Expired"),
    "any": say("Everything"),
}
"""The values of `state`, and what a person reads of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """The terms of a search; empty texts match everything."""

    text: str = ""
    state: str = "ended"
    client: str = ""
    channel: str = ""
    before: datetime | None = None
    """Only handoffs that were asked before this."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Search":
        """Return the search in an address's query; invalid parts are ignored."""
        state = query.get("state", "")
        return cls(
            text=query.get("q", "").strip(),
            state=state if state in _STATES else "ended",
            client=query.get("client", "").strip(),
            channel=query.get("channel", "").strip(),
            before=_moment(query.get("before", "")),
        )

    @property
    def narrow(self) -> bool:
        """Whether it excludes other handoffs than open ones."""
        return bool(self.text or self.client or self.channel or self.state not in ("ended", "any"))

    def query(self, before: datetime | None = None) -> dict[str, str]:
        """Return the query of the same search, continued from `before`."""
        parts = {"q": self.text, "state": self.state, "client": self.client, "channel": self.channel}
        kept = {name: value for name, value in parts.items() if value and (name, value) != ("state", "ended")}
        return kept if before is None else kept | {"before": str(_micros(before))}

    def finds(self, outline: Outline) -> bool:
        """Say whether a handoff matches.

        Not in SQL: no engine folds case and composes letters (NFC) as `folded` does, and engines differ.
        """
        through = outline.reached if outline.state is State.OPEN else (outline.ended_through,)
        return (
            outline.state in _STATES[self.state]
            and (not self.client or folded(self.client) in folded(outline.client or outline.subject))
            and (not self.channel or any(folded(self.channel) in folded(each) for each in through))
            and (not self.text or _has_words(outline.message, self.text))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One page of a search."""

    handoffs: Sequence[Handoff]
    older: datetime | None
    """Where the next page begins; None on the last page."""
    looked_to: datetime | None
    """Set when the search stopped before the page was full: all handoffs newer than this were read."""
    clients: list[str]
    channels: list[str]


def _has_words(message: str, words: str) -> bool:
    looked_in = folded(message)
    return all(word in looked_in for word in folded(words).split())


async def find(desk: Desk, search: Search, *, person: str = "", size: int = PAGE, look: int = LOOK) -> Found:
    """Return the newest matching handoffs that a person may see: a page of them, or those among the first `look`."""
    found: list[str] = []
    clients: set[str] = set()
    channels: set[str] = set()
    older = looked_to = None
    looked, last = 0, None
    async with aclosing(_outlines(desk, before=search.before)) as outlines:
        async for outline in outlines:
            # A page ends between two different times, so that no handoff is on two pages or on none.
            if last is not None and outline.created_at != last:
                if len(found) >= size:
                    older = last
                    break
                if looked >= look:
                    older = looked_to = last
                    break
            looked, last = looked + 1, outline.created_at
            if outline.only is not None and person not in outline.only:
                continue
            clients.add(outline.client or outline.subject)
            channels.add(outline.ended_through)
            if search.finds(outline):
                found.append(outline.id)
    return Found(
        handoffs=[each for each in await desk.get_all(found) if sees(each.question.deciders, person)],
        older=older,
        looked_to=looked_to,
        clients=sorted(clients - {""}),
        channels=sorted(channels - {""}),
    )


async def _outlines(desk: Desk, *, before: datetime | None) -> AsyncGenerator[Outline]:
    """Yield the outline of every handoff that was asked before a moment, newest first."""
    cursor = None if before is None else Cursor(created_at=before)
    while chunk := await desk.outlines(ended_only=False, before=cursor, limit=_CHUNK):
        for outline in chunk:
            yield outline
        if len(chunk) < _CHUNK:
            return
        cursor = chunk[-1].cursor


def _micros(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def _moment(written: str) -> datetime | None:
    if not (written.isascii() and written.isdigit() and len(written) <= 17):
        return None
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(written))
    except OverflowError:
        return None
