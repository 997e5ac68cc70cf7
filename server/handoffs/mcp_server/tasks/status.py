"""What a task says of a handoff: nothing of its own. All of it follows from the handoff, its log and the task's id."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from handoffs.core.display import stamp
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, State
from handoffs.mcp_server.asking.dialog import MAX_ROUNDS
from handoffs.mcp_server.callers.bounds import Bounds
from handoffs.mcp_server.task_id import TaskId, left_undecided

TASK_CHANNEL = "tasks"
"""What the log calls a task, where it is the client that brought something through it."""

KEEP = timedelta(days=7)
"""How long after the deadline a task can still be asked about; then its id is like one that never was."""

POLL_SECONDS = (0.5, 30.0)
"""How soon a client should look again, at the least and at the most. In between it is a tenth of the task's age."""

Wire: TypeAlias = dict[str, object]
"""A JSON object as it is sent."""

CALLS_AT_ONCE = 16
"""How many calls that ask the same are told apart, for how long each has had its dialog."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialog:
    """How far the dialog of a task has come, in whatever process."""

    round: int
    """One more with every answer that did not fit."""
    dismissed: bool
    """The person closed it: not now."""
    open: bool
    """Whether the client may have it on a screen, or is to show it."""


def dialog_of(task: TaskId, log: Sequence[Entry], *, max_dialogs: int = Bounds.dialogs) -> Dialog:
    """Return how far the dialog of a task has come, by the log of its handoff."""
    own = [entry for entry in log if entry.number > task.after]
    ends = [entry.name for entry in own if left_undecided(entry)]
    shown_often = sum(map(left_undecided, log)) >= max_dialogs
    misfits = sum(entry.name == "reached" and entry.details.get("channel") == TASK_CHANNEL for entry in own)
    return Dialog(
        round=misfits + 1,
        dismissed=task.dialog and "dismissed" in ends,
        open=task.dialog and not ends and misfits < MAX_ROUNDS and not shown_often,
    )


def claimed_as(task: TaskId, log: Sequence[Entry]) -> str:
    """Return by what the store remembers that the form of a task, in its present round, was handed out.

    Clients can write any number of ids for one handoff. Of these there are only as many as the log has dialogs that
    came to nothing, and rounds; and a few for calls at once, which each have a dialog of their own.
    """
    before = max((entry.number for entry in log if entry.number <= task.after and left_undecided(entry)), default=0)
    call = str(zlib.crc32(task.tool_use.encode()) % CALLS_AT_ONCE) if task.tool_use else ""
    return replace(task, after=before, tool_use=call).key(dialog_of(task, log).round)


def is_forgotten(handoff: Handoff, now: datetime) -> bool:
    """Say whether a task of this handoff is past its time to live."""
    return now >= handoff.question.deadline + KEEP


def is_withdrawn(handoff: Handoff) -> bool:
    """Say whether the client cancelled the task. What a person withdraws is an outcome, and has a result."""
    return handoff.state is State.CANCELLED and handoff.end is not None and handoff.end.channel == TASK_CHANNEL


def describe_task(task: TaskId, handoff: Handoff, status: str, *, log: Sequence[Entry], now: datetime) -> Wire:
    """Return what every message about a task has; times in UTC, durations in milliseconds."""
    last = handoff.end.at if handoff.end is not None else max([handoff.created_at, *(entry.at for entry in log)])
    return {
        "taskId": str(task),
        "status": status,
        "createdAt": stamp(handoff.created_at),
        "lastUpdatedAt": stamp(last),
        "ttlMs": _milliseconds(handoff.question.deadline + KEEP - handoff.created_at),
        "pollIntervalMs": _milliseconds(_poll(now - handoff.created_at)),
    }


def _poll(age: timedelta) -> timedelta:
    least, most = POLL_SECONDS
    return timedelta(seconds=min(max(age.total_seconds() / 10, least), most))


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
