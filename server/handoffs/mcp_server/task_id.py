"""The id of a task: the handoff's id, and the state of one call. The client holds it; the server stores nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from handoffs.core.events import Entry
from handoffs.core.ids import ID_PREFIX
from handoffs.core.model import Handoff
from handoffs.mcp_server.asking.dialog import CHANNEL

_TASK_ID = re.compile(
    rf"(?P<handoff>{ID_PREFIX}[0-9A-Za-z]{{1,60}})(\.(?P<after>[0-9]{{1,18}})|(?P<quiet>\.w))?(~(?P<tool>[\w-]{{1,64}}))?",
    re.ASCII,
)
_TOOL_USE = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskId:
    """The id of one call's task. As text: the handoff's id, then the state of the call."""

    handoff_id: str
    after: int = 0
    """Log entries up to this number belong to earlier calls; their dialogs do not count for this one."""
    dialog: bool = True
    """Whether it may show a dialog. False when the person has put the question off and the agent only checks."""
    tool_use: str = ""
    """The caller's own id of the call, which its result repeats; requests about a task don't carry it."""

    @classmethod
    def of_call(cls, handoff: Handoff, log: Sequence[Entry], *, again: bool, tool_use: str | None) -> "TaskId":
        """Return the id for a new call. Without `again`, the call must not show a question that was put off."""
        put_off = [entry.number for entry in log if left_undecided(entry)]
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
    """The outcome of a call that returns a task: the question is stored, and has no result yet."""

    task: TaskId


def left_undecided(entry: Entry) -> bool:
    return entry.name in {"dismissed", "notshown"} and entry.details.get("channel") == CHANNEL
