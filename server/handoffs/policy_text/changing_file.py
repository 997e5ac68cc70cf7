"""A policy file that may change while a process runs: a change counts from the next use on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from handoffs.policy_text.tables import PolicyError, read_text

T = TypeVar("T")

_SETTLED_NS = 2_000_000_000
"""A file that was written within this time may change again without a new time or size, so its text is compared."""


class ChangingFile(Generic[T]):
    """What a file says, as `read` reads it. A change that can't be used leaves what it said before in force."""

    def __init__(self, path: Path, read: Callable[[str, Path], T]) -> None:
        """Load it.

        Raises:
            PolicyError: It can't be used.
        """
        self.path = path
        self.problem = ""
        """Why the file, as it is now, is not in force; empty if it is."""
        self._read_text = read
        self._seen = _signature(path)
        self._text: str = read_text(path)
        self._value = read(self._text, path)

    def current(self) -> T:
        """Return what is in force."""
        seen = _signature(self.path)
        if seen != self._seen or _is_fresh(seen):
            self._read()
            self._seen = seen
        return self._value

    def _read(self) -> None:
        try:
            text = read_text(self.path)
            if text != self._text or self.problem:
                self._value = self._read_text(text, self.path)
            self._text, self.problem = text, ""
        except PolicyError as error:
            self.problem = str(error)


def _signature(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when the file does; taken before it is read, so that a change in between is seen later."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_fresh(signature: tuple[int, int, int] | None) -> bool:
    return signature is not None and abs(time.time_ns() - signature[0]) < _SETTLED_NS
