"""What a client is told of every task of ours (SEP-2663): how long it can be read, and how often to look. Pure."""

from datetime import datetime, timedelta
from typing import Final

from handoffs.core.display import stamp
from handoffs.core.model import Handoff, State

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension of long calls (SEP-2663)."""

TASK_CHANNEL: Final = "tasks"
"""The channel of what a client did through a task."""

KEEP = timedelta(days=7)
"""How long after the deadline a task can still be read; later its id is unknown."""

POLL_SECONDS = (0.5, 30.0)
"""The least and the most seconds between two polls. In between, the interval is a tenth of the task's age."""

UNKNOWN = "There is no such task: it never was, it is past its time to live, or it is somebody else's."
"""What a client is told of an id that names no task of its own."""


def task_fields(
    task_id: str, status: str, *, created: datetime, updated: datetime, deadline: datetime, now: datetime
) -> dict[str, str | int]:
    """Return the fields that every message about a task has; times in UTC, durations in milliseconds."""
    return {
        "taskId": task_id,
        "status": status,
        "createdAt": stamp(created),
        "lastUpdatedAt": stamp(updated),
        "ttlMs": _milliseconds(deadline + KEEP - created),
        "pollIntervalMs": _milliseconds(_poll(now - created)),
    }


def is_forgotten(handoff: Handoff, now: datetime) -> bool:
    """Say whether a task of this handoff is past its time to live."""
    return now >= handoff.question.deadline + KEEP


def is_withdrawn(handoff: Handoff) -> bool:
    """Say whether the client cancelled the task. A question that a person withdraws has an outcome, and a result."""
    return handoff.state is State.CANCELLED and handoff.end is not None and handoff.end.channel == TASK_CHANNEL


def _poll(age: timedelta) -> timedelta:
    least, most = POLL_SECONDS
    return timedelta(seconds=min(max(age.total_seconds() / 10, least), most))


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
