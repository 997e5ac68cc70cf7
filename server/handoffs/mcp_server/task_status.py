"""What a task says of a handoff: nothing of its own. All of it follows from the handoff, its log and the task's id."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from handoffs.core.events import Entry
from handoffs.core.lifecycle import stamp
from handoffs.core.model import ID_PREFIX, Handoff, State
from handoffs.mcp_server.asking import CHANNEL, MAX_ROUNDS

TASK_CHANNEL = "tasks"
"""What the log calls a task, where it is the client that brought something through it."""

KEEP = timedelta(days=7)
"""How long after the deadline a task can still be asked about; then its id is like one that never was."""

POLL_SECONDS = (0.5, 30.0)
"""How soon a client should look again, at the least and at the most. In between it is a tenth of the task's age."""

Wire: TypeAlias = dict[str, object]
"""A JSON object as it is sent."""

MAX_DIALOGS = 100
"""How many dialogs about one question may come to nothing before tasks show no more; it stays open elsewhere."""

CALLS_AT_ONCE = 16
"""How many calls that ask the same are told apart, for how long each has had its dialog."""

_TASK_ID = re.compile(
    rf"(?P<handoff>{ID_PREFIX}[0-9A-Za-z]{{1,60}})(\.(?P<after>[0-9]{{1,18}})|(?P<quiet>\.w))?(~(?P<tool>[\w-]{{1,64}}))?",
    re.ASCII,
)
_TOOL_USE = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskId:
    """What a client holds of one call. As text it is the handoff's id, and what is particular to the call."""

    handoff_id: str
    after: int = 0
    """Lines of the log up to this one are of earlier calls: what a dialog came to there is not asked of this one."""
    dialog: bool = True
    """Whether it may show a dialog; not where the person has put the question off and the agent only checks."""
    tool_use: str = ""
    """The caller's own id of the call, to be in its result; a task is asked about without it."""

    @classmethod
    def of_call(cls, handoff: Handoff, log: Sequence[Entry], *, again: bool, tool_use: str | None) -> "TaskId":
        """Return the id for a call that just came; not `again` for one that must not show what was put off."""
        put_off = [entry.number for entry in log if _left_undecided(entry)]
        return cls(
            handoff_id=handoff.id,
            after=put_off[-1] if put_off and again else 0,
            dialog=again,
            tool_use=tool_use if tool_use is not None and _TOOL_USE.fullmatch(tool_use) else "",
        )

    @classmethod
    def loads(cls, text: str) -> "TaskId | None":
        """Return what `str` wrote, or None for anything else."""
        found = _TASK_ID.fullmatch(text)
        if found is None:
            return None
        return cls(
            handoff_id=found["handoff"],
            after=int(found["after"] or 0),
            dialog=found["quiet"] is None,
            tool_use=found["tool"] or "",
        )

    def __str__(self) -> str:
        """Return it as the client holds it."""
        mode = "" if self.dialog else ".w"
        after = f".{self.after}" if self.after and self.dialog else ""
        return f"{self.handoff_id}{after}{mode}{f'~{self.tool_use}' if self.tool_use else ''}"

    def key(self, round_: int) -> str:
        """Return the key of the request for input in this round; it begins with the handoff's id."""
        return str(self) if round_ == 1 else f"{self}/{round_}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What a call gives that has no result yet: the question is stored, and the client is to have a task for it."""

    task: TaskId


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialog:
    """How far the dialog of a task has come, in whatever process."""

    round: int
    """One more with every answer that did not fit."""
    dismissed: bool
    """The person closed it: not now."""
    open: bool
    """Whether the client may have it on a screen, or is to show it."""


def dialog_of(task: TaskId, log: Sequence[Entry]) -> Dialog:
    """Return how far the dialog of a task has come, by the log of its handoff."""
    own = [entry for entry in log if entry.number > task.after]
    ends = [entry.name for entry in own if _left_undecided(entry)]
    shown_often = sum(map(_left_undecided, log)) >= MAX_DIALOGS
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
    before = max((entry.number for entry in log if entry.number <= task.after and _left_undecided(entry)), default=0)
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


def _left_undecided(entry: Entry) -> bool:
    return entry.name in {"dismissed", "notshown"} and entry.details.get("channel") == CHANNEL


def _poll(age: timedelta) -> timedelta:
    least, most = POLL_SECONDS
    return timedelta(seconds=min(max(age.total_seconds() / 10, least), most))


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
