"""Printing, and the exit codes of commands. Imports nothing else of the package, so that a command can start fast."""

import os
import sys
from enum import IntEnum


class Exit(IntEnum):
    """The exit codes, for scripts."""

    DONE = 0
    ENDED = 1
    """The state of the handoff, or of a person, does not allow it."""
    USAGE = 2
    """Wrong usage, or an answer that does not fit; nothing was recorded."""
    NOT_FOUND = 3
    STORE = 4
    OTHER = 5
    """`ask` and `wait`: the answer is another than the expected one."""
    DECLINED = 6
    CANCELLED = 7
    EXPIRED = 8
    OPEN = 9
    """`ask` and `wait`: nobody has decided yet, and the question is still open."""
    FILES = 10
    """`ask` and `wait`: it was answered, but a file of the answer is lost, or can't be written."""
    OUTPUT = 74
    """The work was done, but its output could not be written: EX_IOERR of sysexits."""
    INTERRUPTED = 130
    TERMINATED = 143


class OutputLost(Exception):
    """Standard output can't be written. The message is empty if its reader has closed it."""


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


def spell_what_cant_be_printed() -> None:
    """Have characters spelled out that the encoding of standard output or error lacks: no command fails on them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def failed(message: str, code: int) -> int:
    """Print the message on standard error, and return the exit code."""
    if sys.stderr is not None:
        for line in message.splitlines():
            sys.stderr.write(f"handoffs: {line}\n")
    return code
