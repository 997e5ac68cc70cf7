"""What a running process uses, from /proc: this part of the benchmarks needs Linux."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def memory(pid: int) -> dict[str, float]:
    """Return `rss`, `pss` and `private`, in KiB: resident; shared pages divided by their users; not shared at all."""
    lines = (line.split() for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:])
    found = {words[0].rstrip(":"): float(words[1]) for words in lines}
    return {"rss": found["Rss"], "pss": found["Pss"], "private": found["Private_Clean"] + found["Private_Dirty"]}


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, all threads, in seconds.

    The scheduler's own account has nanoseconds; kernels without it leave the clock ticks of `stat`.
    """
    nanoseconds = sum(int(task.read_text().split()[0]) for task in (_PROC / str(pid) / "task").glob("*/schedstat"))
    return nanoseconds / 1e9 if nanoseconds else _ticks(pid) / _TICKS


def children(pid: int) -> set[int]:
    """Return the processes that `pid` has started and that still run."""
    return {child for child, parent in _parents() if parent == pid}


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12])


def _parents() -> Iterator[tuple[int, int]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), int(_stat(int(folder.name))[1])
            except OSError:
                continue  # it has just ended


def _stat(pid: int) -> list[str]:
    # The name, in brackets, may hold spaces; what follows it is numbered from the state on.
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
