"""Watching only: a call that would be asked about passes, and a file says what the policy does with each.

The file has a line of JSON for each call: what a policy is made of, and no value of an argument. Who deletes the file
deletes all of it. A file that has grown to `MAX_BYTES` becomes the earlier one, in place of the one before.

The lines are written by one thread, in the order of the calls: a slow disk holds up no call. When the process ends, it
waits for them.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from handoffs.gate.policy import Policy
from handoffs.gate.policy_model import Call, Decision, Verdict

logger = logging.getLogger(__name__)

FILE = "watched.jsonl"
"""The name of the file in the data folder."""

MAX_BYTES = 10_000_000
MAX_WAITING = 10_000
"""The most lines that wait for the disk; calls beyond that are not noted."""
MAX_ARGUMENTS, MAX_NAME = 30, 100
"""Names of arguments that a line has, and their characters."""


class WatchingPolicy(Policy):
    """Notes what another policy says, and allows what it would ask about."""

    def __init__(self, policy: Callable[[], Policy], file: Path) -> None:
        """Take what gives the policy in force, and the file; it is made with the first call."""
        super().__init__()
        self._policy, self._file = policy, file
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="handoffs: watched calls")
        self._given = self._written = 0  # each changed by one thread alone

    def decide(self, call: Call) -> Verdict:
        """Return that the call is allowed, unless a rule denies it: nobody has to be asked for that."""
        found = self._policy().decide(call)
        self._note(call.tool[:MAX_NAME], _line(call, found))
        if found.decision is Decision.DENY:
            return found
        return Verdict(decision=Decision.ALLOW, rule="--watch-only", pin=False)

    def close(self) -> None:
        """Write what is left. Later calls raise RuntimeError."""
        self._writer.shutdown()

    def _note(self, tool: str, line: bytes) -> None:
        if self._given - self._written >= MAX_WAITING:
            logger.warning("a call of %s is not noted: the disk does not keep up", tool)
            return
        self._given += 1
        self._writer.submit(self._write, tool, line)

    def _write(self, tool: str, line: bytes) -> None:
        try:
            _append(self._file, line)
        except OSError as error:  # watching must not stop what it watches
            logger.warning("a call of %s is not noted: %s", tool, error)
        finally:
            self._written += 1


@dataclass(kw_only=True, slots=True)
class Watched:
    """What was noted of one tool."""

    calls: int = 0
    decisions: set[str] = field(default_factory=set[str])
    read_only: bool = True
    """Whether it called itself read-only in every call."""
    arguments: set[str] = field(default_factory=set[str])


def watched(file: Path) -> dict[tuple[str, str], Watched]:
    """Return what was noted, by server and tool; lines that can't be read are left out. Raises OSError."""
    found: dict[tuple[str, str], Watched] = {}
    for path in (_earlier(file), file):
        for line in _lines(path):
            server, tool = line.get("server"), line.get("tool")
            if not isinstance(server, str) or not isinstance(tool, str):
                continue
            each = found.setdefault((server, tool), Watched())
            each.calls += 1
            each.decisions.add(str(line.get("decision")))
            each.read_only = each.read_only and line.get("readOnly") is True
            names = line.get("arguments")
            each.arguments.update(cast("dict[str, object]", names) if isinstance(names, dict) else ())
    return found


def _line(call: Call, verdict: Verdict) -> bytes:
    shown = list(call.arguments.items())[:MAX_ARGUMENTS]
    noted = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "server": call.server,
        "tool": call.tool[: 10 * MAX_NAME],
        "decision": verdict.decision.value,
        "rule": verdict.rule,
        "readOnly": call.annotations.get("readOnlyHint") is True,
        "destructive": call.annotations.get("destructiveHint") is True,
        "arguments": {name[:MAX_NAME]: len(json.dumps(value)) for name, value in shown},
    }
    return json.dumps(noted).encode() + b"\n"


def _append(file: Path, line: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > MAX_BYTES:
        file.replace(_earlier(file))
    # One write: the lines of several gates do not mix.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _earlier(file: Path) -> Path:
    return file.with_suffix(".earlier.jsonl")


def _lines(path: Path) -> Iterator[dict[str, object]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                read: object = json.loads(line)
            except ValueError:
                continue
            if isinstance(read, dict):
                yield cast("dict[str, object]", read)
