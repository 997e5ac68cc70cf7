"""The ids of the gate's tasks, which a client brings back with `tasks/get`, `tasks/update` and `tasks/cancel`.

An id names the question, and the call in its log, and is sealed for one caller: one that was changed, or is another
caller's, names nothing. Whoever was not told an id can't make it.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, NamedTuple

from handoffs.gate.relay.message import OURS
from handoffs.signing import opened, seal

TASK: Final = f"{OURS}task."
"""Begins each id of a task."""

_PURPOSE = b"handoffs gate task 1"


class TaskName(NamedTuple):
    """What an id names."""

    handoff_id: str
    """The question that the call waited for first."""
    call: str
    """The call, as the log knows it."""


class TaskIds:
    """Makes and opens the ids of one gate."""

    def __init__(self, keys: Sequence[bytes | str]) -> None:
        """Take the keys: the first seals, all open."""
        given = [key.encode() if isinstance(key, str) else key for key in keys]
        self._keys = [hmac.digest(key, _PURPOSE, hashlib.sha256) for key in given]

    def make(self, name: TaskName, caller: str) -> str:
        """Return the id of a task, good for this caller."""
        text = ".".join(name)
        return f"{TASK}{text}.{seal(self._keys[0], caller, text).hex()}"

    def open(self, task_id: str, caller: str) -> TaskName | None:
        """Return what an id names; None where it is none of ours, or another caller's."""
        if not task_id.startswith(TASK):
            return None
        text = opened(task_id.removeprefix(TASK), self._keys, caller, written=bytes.hex)
        return None if text is None else TaskName(*text.split("."))
