"""Printing and the end of a command: its exit code, and one line on standard error if it failed."""

import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import cast

from handoffs.core.errors import (
    AlreadyEnded,
    HandoffError,
    NotFound,
    NotTheirDecision,
    PersonNotFound,
    PersonRefused,
    StoreError,
)
from handoffs.settings import SettingsError


class Exit(IntEnum):
    """The exit codes, for scripts."""

    DONE = 0
    ENDED = 1
    """The state of the handoff, or of a person, does not allow it."""
    USAGE = 2
    """Wrong usage, or an answer that does not fit; nothing was recorded."""
    NOT_FOUND = 3
    STORE = 4
    OUTPUT = 74
    """The work was done, but its output could not be written: EX_IOERR of sysexits."""
    INTERRUPTED = 130


class OutputLost(Exception):
    """Standard output can't be written. The message is empty if its reader has closed it."""


class UsageError(Exception):
    """The command line is wrong; the message says what to write instead."""


def ended(work: Callable[[], object]) -> int:
    """Do the work of a command, report an error on standard error, and return the exit code."""
    try:
        work()
        print_out("", end="")
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except (UsageError, SettingsError, HandoffError, OutputLost) as wrong:
        return _code(wrong)
    except BaseExceptionGroup as group:
        wrong = _alone(group)
        if not isinstance(wrong, UsageError | SettingsError | HandoffError | OutputLost):
            raise
        return _code(wrong)
    return Exit.DONE


def print_out(text: str, *, end: str = "\n", flush: bool = True) -> None:
    """Print on standard output. Raises OutputLost."""
    if sys.stdout is None:  # closed by the parent process, which wants no output
        return
    try:
        sys.stdout.write(text + end)
        if flush:
            sys.stdout.flush()
    except OSError as lost:
        # Discards the buffer: it can't be written at the end of the process, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        silent = isinstance(lost, BrokenPipeError)
        raise OutputLost("" if silent else f"Standard output can't be written: {lost.strerror or lost}.") from None


def failed(message: str, code: int) -> int:
    """Print the message on standard error, and return the exit code."""
    if sys.stderr is not None:
        for line in message.splitlines():
            sys.stderr.write(f"handoffs: {line}\n")
    return code


def _code(wrong: UsageError | SettingsError | HandoffError | OutputLost) -> int:
    match wrong:
        case OutputLost():
            # `| head` has read enough, which is no error.
            return failed(str(wrong), Exit.OUTPUT) if str(wrong) else Exit.DONE
        case NotTheirDecision():
            return failed(f"Nothing was recorded: {wrong}.", Exit.ENDED)
        case AlreadyEnded() | PersonRefused():
            return failed(str(wrong), Exit.ENDED)
        case NotFound() | PersonNotFound():
            return failed(str(wrong), Exit.NOT_FOUND)
        case StoreError():
            return failed(str(wrong), Exit.STORE)
        case _:
            return failed(str(wrong), Exit.USAGE)


def _alone(error: BaseException) -> BaseException:
    """Return the only error in a task group's exception group: the group says nothing to a person."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    return _alone(group.exceptions[0]) if len(group.exceptions) == 1 else group
