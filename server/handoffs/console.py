"""How a command ends: its exit code, and one line on standard error where it could not do what it was asked."""

import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import cast

from handoffs.core.errors import AlreadyEnded, HandoffError, NotFound, StoreError
from handoffs.settings import SettingsError


class Exit(IntEnum):
    """What a script can tell the ends apart by."""

    DONE = 0
    ENDED = 1
    """The handoff's state does not allow it."""
    USAGE = 2
    """Wrong usage, or an answer that does not fit; nothing was recorded."""
    NOT_FOUND = 3
    STORE = 4
    OUTPUT = 74
    """It was done, but what there is to say could not be written: sysexits' EX_IOERR."""
    INTERRUPTED = 130


class OutputLost(Exception):
    """Standard output can't be written; without a message where its reader went away."""


class UsageError(Exception):
    """What was typed can't be done; the message says what can."""


def ended(work: Callable[[], object]) -> int:
    """Do the work of a command and return its exit code; say on standard error what went wrong."""
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
    if sys.stdout is None:  # closed by who started us, who thus wants to hear nothing
        return
    try:
        sys.stdout.write(text + end)
        if flush:
            sys.stdout.flush()
    except OSError as lost:
        # What is still buffered has nowhere to go, at the end of the process neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        silent = isinstance(lost, BrokenPipeError)
        raise OutputLost("" if silent else f"Standard output can't be written: {lost.strerror or lost}.") from None


def failed(message: str, code: int) -> int:
    """Say on standard error why, and return the exit code."""
    if sys.stderr is not None:
        for line in message.splitlines():
            sys.stderr.write(f"handoffs: {line}\n")
    return code


def _code(wrong: UsageError | SettingsError | HandoffError | OutputLost) -> int:
    match wrong:
        case OutputLost():
            # `| head` has seen enough, which is no error.
            return failed(str(wrong), Exit.OUTPUT) if str(wrong) else Exit.DONE
        case AlreadyEnded():
            return failed(str(wrong), Exit.ENDED)
        case NotFound():
            return failed(str(wrong), Exit.NOT_FOUND)
        case StoreError():
            return failed(str(wrong), Exit.STORE)
        case _:
            return failed(str(wrong), Exit.USAGE)


def _alone(error: BaseException) -> BaseException:
    """What a task group was ended by, where that was one thing; the wrapping says nothing to a person."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    return _alone(group.exceptions[0]) if len(group.exceptions) == 1 else group
