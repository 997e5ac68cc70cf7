"""The times at which a person is told that a question waits: once it is open, and again as its deadline comes nearer.

A rule that names who decides may have times of its own for the reminder and for when others are told.

This module says when, and in which order. The log (`events.Reminded`) decides which process sends, a channel how.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from handoffs.core.model import Handoff, State

GRACE = timedelta(seconds=20)
"""A person who sits at the host has answered within this time, and need not be told."""


class Stage(StrEnum):
    """A moment in the life of an open handoff at which people are told of it, in order."""

    OPENED = "opened"
    HALF = "half"
    ESCALATED = "escalated"
    """Other people are told, because the first ones have not answered."""
    LAST = "last"


_FRACTIONS = {Stage.HALF: 0.5, Stage.ESCALATED: 0.75, Stage.LAST: 0.9}
_TELLING = (Stage.OPENED, Stage.HALF, Stage.LAST)  # sent to the same people; a later one replaces an earlier one


def due(handoff: Handoff, stage: Stage) -> datetime:
    """Return when a stage is due. That may be after the deadline, if the deadline is near."""
    deciders = handoff.question.deciders
    if stage is Stage.OPENED:
        # A dialog can't answer a breakout, and its asker may be gone at once; nor one that others decide.
        at_once = handoff.question.breakout_of_loop or deciders is not None
        return handoff.created_at if at_once else handoff.created_at + GRACE
    if deciders is not None and stage is Stage.HALF and deciders.remind_seconds is not None:
        return handoff.created_at + timedelta(seconds=deciders.remind_seconds)
    if deciders is not None and stage is Stage.ESCALATED and deciders.escalated_at is not None:
        return deciders.escalated_at  # from then on others may decide, too
    return handoff.created_at + (handoff.question.deadline - handoff.created_at) * _FRACTIONS[stage]


def stages(handoff: Handoff, now: datetime) -> tuple[Stage, ...]:
    """Return the stages that are due and not yet claimed.

    Of several stages for the same people, only the latest is returned, so that a process that was late or restarted
    tells them once. So there are at most two, and none for a handoff that has ended.
    """
    return tuple(stage for stage in _ahead(handoff) if due(handoff, stage) <= now and not _outrun(handoff, stage, now))


def next_due(handoff: Handoff, now: datetime) -> datetime | None:
    """Return the next moment after `now` at which `stages` changes; None if it never will."""
    moments = (due(handoff, stage) for stage in _ahead(handoff))
    return min((at for at in moments if now < at < handoff.question.deadline), default=None)


def _ahead(handoff: Handoff) -> tuple[Stage, ...]:
    """Return the stages that can still be claimed: none that is claimed, passed over, or of an ended handoff."""
    if handoff.state is not State.OPEN:
        return ()
    return tuple(
        stage
        for stage in Stage
        if stage not in handoff.reminded and not any(later in handoff.reminded for later in _later(stage))
    )


def _outrun(handoff: Handoff, stage: Stage, now: datetime) -> bool:
    return handoff.overdue(now) or any(due(handoff, later) <= now for later in _later(stage))


def _later(stage: Stage) -> tuple[Stage, ...]:
    return _TELLING[_TELLING.index(stage) + 1 :] if stage in _TELLING else ()
