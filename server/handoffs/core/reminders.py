"""When a person is told that a question waits: once it is open, and again as its deadline comes nearer.

Only when, and in which order: who sends is settled by the log (`events.Reminded`), how by a channel.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from handoffs.core.model import Handoff, State

GRACE = timedelta(seconds=20)
"""Who sits at the host has answered by then, and is not told twice."""


class Stage(StrEnum):
    """A moment in the life of an open handoff at which somebody is told of it, in their order."""

    OPENED = "opened"
    HALF = "half"
    ESCALATED = "escalated"
    """Somebody else is told: those who were have not answered."""
    LAST = "last"


_FRACTIONS = {Stage.HALF: 0.5, Stage.ESCALATED: 0.75, Stage.LAST: 0.9}
_TELLING = (Stage.OPENED, Stage.HALF, Stage.LAST)  # the same people; a later one says all that an earlier one does


def due(handoff: Handoff, stage: Stage) -> datetime:
    """Return when a stage comes, which may be after the deadline where that is near."""
    if stage is Stage.OPENED:
        # A breakout is no dialog's to answer, and who asked may be gone in a moment.
        return handoff.created_at if handoff.question.breakout_of_loop else handoff.created_at + GRACE
    return handoff.created_at + (handoff.question.deadline - handoff.created_at) * _FRACTIONS[stage]


def stages(handoff: Handoff, now: datetime) -> tuple[Stage, ...]:
    """Return the stages that are due and that nobody has claimed.

    Of several for the same people only the latest: whoever was late to look, or came back after a restart, tells them
    once. So there are two at the most, and none for what has ended.
    """
    return tuple(stage for stage in _ahead(handoff) if due(handoff, stage) <= now and not _outrun(handoff, stage, now))


def next_due(handoff: Handoff, now: datetime) -> datetime | None:
    """Return the moment after `now` at which `stages` has something new to say; None where it never will."""
    moments = (due(handoff, stage) for stage in _ahead(handoff))
    return min((at for at in moments if now < at < handoff.question.deadline), default=None)


def _ahead(handoff: Handoff) -> tuple[Stage, ...]:
    """The stages that can still be claimed: of an open handoff those that nobody has, and none that was passed over."""
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
