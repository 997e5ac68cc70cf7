"""The events of a handoff as a store recorded them, with the words, which the lines of the log do not have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

from handoffs.core.deciders import Vote
from handoffs.core.events import EVENTS, Answered, Entry, Event
from handoffs.core.lifecycle import TABLE
from handoffs.core.model import Handoff, State

_BY_NAME = {event.name: event for event in EVENTS}
_MOST_LINES = 100_000
_TRIES = 10


class LinedStore(Protocol):
    """A store with the lines of its handoffs."""

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff by its whole id. Raises NotFound."""
        ...

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return lines of the audit log."""
        ...

    async def content(self, handoff_id: str, number: int) -> bytes | None:
        """Return the bytes of a file of an answer."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """One event of a handoff."""

    number: int
    event: Event
    after: Handoff
    """The handoff with the state and version after it; in all else as it is now."""
    unkept: frozenset[str]
    """Fields of the event that the store does not keep."""


async def lined(store: LinedStore, handoff: Handoff) -> tuple[Handoff, Sequence[Entry]]:
    """Return a handoff as it is now, and its lines, of one moment: each line is one version.

    Where they never go together, somebody has changed one of them by hand: then they are returned as they are.

    Raises:
        NotFound: It was removed meanwhile.
        StoreError: The store can't be used.
    """
    for _ in range(_TRIES):
        entries = await store.log(handoff_id=handoff.id, limit=_MOST_LINES)
        if len(entries) == handoff.version:
            break
        handoff = await store.get(handoff.id)
    else:
        entries = await store.log(handoff_id=handoff.id, limit=_MOST_LINES)
    return handoff, entries


async def with_kept_files(store: LinedStore, handoff: Handoff) -> Handoff:
    """Return a handoff that says of its files what their bytes are, so that bytes that were changed are found."""
    if not handoff.attachments:
        return handoff
    kept = [each.after(await store.content(handoff.id, at)) for at, each in enumerate(handoff.attachments, 1)]
    return replace(handoff, attachments=tuple(kept))


async def lined_with_files(store: LinedStore, handoff: Handoff) -> tuple[Handoff, Sequence[Entry]]:
    """Return what `lined` returns, with files as `with_kept_files` has them; of one moment, also during an erasure."""
    for _ in range(_TRIES):
        handoff, entries = await lined(store, handoff)
        kept = await with_kept_files(store, handoff)
        if kept == handoff or (await store.get(handoff.id)).version == handoff.version:
            return kept, entries
    return await lined(store, handoff)


def recorded(handoff: Handoff, entries: Sequence[Entry]) -> Iterator[Recorded]:
    """Yield the events of a handoff from all its lines of the log.

    Raises:
        ValueError: The lines are not those of a handoff.
    """
    state = State.OPEN
    for version, entry in enumerate(entries, 1):
        kind = _BY_NAME.get(entry.name)
        if kind is None:
            raise ValueError(f"line {entry.number} has the event {entry.name!r}, which this program does not know")
        event, unkept = _event(kind, entry, handoff)
        if version > 1:
            after = TABLE[state].get(kind)
            if after is None:
                raise ValueError(f"line {entry.number}: {entry.name} can't happen to what is {state.value}")
            state = after
        yield Recorded(
            number=entry.number, event=event, after=replace(handoff, state=state, version=version), unkept=unkept
        )


def _event(kind: type[Event], entry: Entry, handoff: Handoff) -> tuple[Event, frozenset[str]]:
    told: dict[str, object] = dict(entry.details)
    names = {each.name for each in fields(kind)}
    if "calls" in names:
        told["calls"] = int(entry.details.get("calls", "0"))
    if "note" in names:
        told["note"] = "" if handoff.end is None else handoff.end.note
    if kind is Answered:
        told |= {"values": handoff.values or {}, "sealed": handoff.sealed, "other": handoff.other}
        told["attachments"] = handoff.attachments
    unkept: set[str] = set()
    if "proof" in names:
        vote = _vote(handoff, entry)
        told["proof"] = "" if vote is None else vote.proof
        unkept = {"gone"} if vote is not None else {"gone", "proof"}  # who were removed; a vote that ended since
    empty = {each.name: "" for each in fields(kind) if each.name not in told and each.type in {"str", str}}
    known = {name: value for name, value in (empty | told).items() if name in names}
    return kind(at=entry.at, **known), frozenset(unkept)  # pyright: ignore[reportArgumentType,reportUnknownVariableType]


def _vote(handoff: Handoff, entry: Entry) -> Vote | None:
    by, for_ = entry.details.get("by", ""), entry.details.get("for_", "")
    return next((each for each in handoff.votes if (each.person, each.for_, each.at) == (by, for_, entry.at)), None)
