"""The effect of events on a handoff, computed before anything is written: the same for every engine."""

from collections.abc import Sequence
from dataclasses import dataclass

from handoffs.core.errors import AlreadyEnded, HandoffError
from handoffs.core.events import Event
from handoffs.core.lifecycle import advance, steps
from handoffs.core.model import Handoff


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """The changes to write in one transaction, and the result for the caller."""

    before: Handoff
    after: Handoff
    events: Sequence[Event]
    """The events in order: the lines of the log. Empty if nothing changes."""
    states: Sequence[Handoff]
    """The handoff after each of the events."""
    late: AlreadyEnded | None
    """Raised after the commit: the expiry must be recorded first."""

    def outcome(self) -> Handoff:
        """Return the handoff after the change, or raise if another outcome was first."""
        if self.late is not None:
            raise self.late
        return self.after


def transition_of(before: Handoff, events: Sequence[Event]) -> Transition:
    """Return the transition that these events cause.

    Raises:
        AlreadyReminded: Another process has claimed this stage.
        AlreadyUsed: Another tool use has the approval.
        ValueError: An event can't happen in this state.
    """
    after, happened, states, late = before, list[Event](), list[Handoff](), None
    for step in (step for event in events for step in steps(after, event)):
        try:
            after = advance(after, step)
        except AlreadyEnded as error:
            late = error
            break
        happened.append(step)
        states.append(after)
    return Transition(before=before, after=after, events=happened, states=states, late=late)


def expected(known: Handoff, events: Sequence[Event]) -> Transition | None:
    """Return the transition if the handoff is still as `known`; None if it has to be read first."""
    try:
        guess = transition_of(known, events)
    except (HandoffError, ValueError):
        return None
    return guess if guess.events else None
