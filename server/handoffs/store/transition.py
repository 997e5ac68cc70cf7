"""What events make of a handoff, before anything of it is written: the same for every engine."""

from collections.abc import Sequence
from dataclasses import dataclass

from handoffs.core.errors import AlreadyEnded, HandoffError
from handoffs.core.events import Event
from handoffs.core.lifecycle import advance, steps
from handoffs.core.model import Handoff


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """What is to be written in one transaction, and what the caller hears once it is."""

    before: Handoff
    after: Handoff
    events: Sequence[Event]
    """What happens, in order: the lines of the log. None where nothing changes."""
    late: AlreadyEnded | None
    """Raised after the commit: what the deadline did before must stay."""

    def outcome(self) -> Handoff:
        """Return the handoff as it was left, or raise that another outcome was first."""
        if self.late is not None:
            raise self.late
        return self.after


def happen(before: Handoff, events: Sequence[Event]) -> Happening:
    """Return what these events do to a handoff.

    Raises:
        AlreadyReminded: Another process has claimed this stage.
        AlreadyUsed: The approval is another tool use's.
        ValueError: One of them can't happen at all.
    """
    after, happened, late = before, list[Event](), None
    for step in (step for event in events for step in steps(after, event)):
        try:
            after = advance(after, step)
        except AlreadyEnded as error:
            late = error
            break
        happened.append(step)
    return Happening(before=before, after=after, events=happened, late=late)


def expected(known: Handoff, events: Sequence[Event]) -> Happening | None:
    """Return what events do to a handoff if it still is as it was; None where that must be looked at."""
    try:
        guess = happen(known, events)
    except (HandoffError, ValueError):
        return None
    return guess if guess.events else None
