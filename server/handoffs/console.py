"""The end of a command: its exit code, and one line on standard error if it failed."""

from collections.abc import Callable
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
from handoffs.printing import Exit, OutputLost, failed, print_out
from handoffs.settings import SettingsError

__all__ = ["Exit", "OutputLost", "UsageError", "ended", "failed", "print_out"]


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
        return code_of(wrong)
    except BaseExceptionGroup as group:
        wrong = _alone(group)
        if not isinstance(wrong, UsageError | SettingsError | HandoffError | OutputLost):
            raise
        return code_of(wrong)
    return Exit.DONE


def code_of(wrong: UsageError | SettingsError | HandoffError | OutputLost) -> int:
    """Print what went wrong on standard error, and return the exit code."""
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
