"""The status of a task. It follows from the handoff, its log and the task's id; a task has no state of its own."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from handoffs.asking.task_fields import TASK_CHANNEL, task_fields
from handoffs.core.events import Entry
from handoffs.core.model import Handoff
from handoffs.mcp_server.asking.dialog import MAX_ROUNDS
from handoffs.mcp_server.callers.bounds import Bounds
from handoffs.mcp_server.task_id import TaskId, left_undecided

Wire: TypeAlias = dict[str, object]
"""A JSON object as it is sent."""

CALLS_AT_ONCE = 16
"""How many calls that ask the same are told apart when the time of each one's dialog is recorded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialog:
    """The progress of a task's dialog, over all processes."""

    round: int
    """One more with every answer that did not fit."""
    dismissed: bool
    """The person closed it: not now."""
    open: bool
    """Whether the client may have it on a screen, or is to show it."""


def dialog_of(task: TaskId, log: Sequence[Entry], *, max_dialogs: int = Bounds.dialogs) -> Dialog:
    """Return the progress of a task's dialog, by the log of its handoff."""
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
    """Return the key by which the store records that a task's form was handed out, in its current round.

    Clients can make any number of ids for one handoff. The number of keys is limited: one for each undecided dialog and
    round in the log, times a few for concurrent calls, which each have a dialog of their own.
    """
    before = max((entry.number for entry in log if entry.number <= task.after and left_undecided(entry)), default=0)
    call = str(zlib.crc32(task.tool_use.encode()) % CALLS_AT_ONCE) if task.tool_use else ""
    return replace(task, after=before, tool_use=call).key(dialog_of(task, log).round)


def describe_task(task: TaskId, handoff: Handoff, status: str, *, log: Sequence[Entry], now: datetime) -> Wire:
    """Return the fields that every message about a task has; times in UTC, durations in milliseconds."""
    last = handoff.end.at if handoff.end is not None else max([handoff.created_at, *(entry.at for entry in log)])
    fields = task_fields(
        str(task), status, created=handoff.created_at, updated=last, deadline=handoff.question.deadline, now=now
    )
    return {**fields}
