"""The id of a task: the handoff, and what is particular to one call of it. The client holds it, and we keep nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from handoffs.core.events import Entry
from handoffs.core.model import ID_PREFIX, Handoff
from handoffs.mcp_server.asking.dialog import CHANNEL

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
    """What a call gives that has no result yet: the question is stored, and the client is to have a task for it."""

    task: TaskId


def left_undecided(entry: Entry) -> bool:
    return entry.name in {"dismissed", "notshown"} and entry.details.get("channel") == CHANNEL
