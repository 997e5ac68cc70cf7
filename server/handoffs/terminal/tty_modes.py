"""The modes of a terminal device, set before a question and restored after it. Not on Windows."""

import atexit
import os
import select
import sys
from collections.abc import Generator
from contextlib import contextmanager

import anyio

# Bracketed paste off; wrapping on, cursor shown, no colours.
_USUAL = b"\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[0m\r\n"


async def in_foreground(fd: int) -> None:
    """Wait until this process is in the foreground: the system stops a background process that reads."""
    if sys.platform == "win32":
        return
    try:
        while os.tcgetpgrp(fd) != os.getpgrp():  # noqa: ASYNC110 - no event but SIGCONT
            await anyio.sleep(0.5)
    except OSError:
        return  # not the controlling terminal: no job control


def has_typed(fd: int) -> bool:
    """Say whether there is typed input that was not read yet."""
    return sys.platform != "win32" and bool(select.select([fd], [], [], 0)[0])


def discard_typed(fd: int) -> None:
    """Discard typed input that was not read yet. Raises OSError when the terminal is gone."""
    if sys.platform == "win32":
        return
    import termios  # not on Windows

    with _as_os_error():
        termios.tcflush(fd, termios.TCIFLUSH)


@contextmanager
def _as_os_error() -> Generator[None]:
    # termios raises its own error for a terminal that has hung up, which is no OSError.
    import termios

    try:
        yield
    except termios.error as error:
        raise OSError(*error.args) from None


@contextmanager
def restored(source: int, output: int) -> Generator[None]:
    """Restore the terminal's modes, also when the interpreter exits during a prompt in a daemon thread.

    Raises:
        OSError: The terminal is gone.
    """
    if sys.platform == "win32":
        yield
        return
    import termios  # not on Windows

    with _as_os_error():
        before = termios.tcgetattr(source)

    def restore() -> None:
        termios.tcsetattr(source, termios.TCSANOW, before)
        os.write(output, _USUAL)

    atexit.register(restore)
    try:
        yield
    finally:
        atexit.unregister(restore)


@contextmanager
def unseen(fd: int) -> Generator[None]:
    """Let the terminal not show what is typed, and discard what was typed before.

    Raises:
        OSError: The terminal is gone.
    """
    if sys.platform == "win32":
        yield
        return
    import termios  # not on Windows

    with _as_os_error():
        before, hidden = termios.tcgetattr(fd), termios.tcgetattr(fd)
        hidden[3] = (hidden[3] | termios.ICANON | termios.ISIG) & ~termios.ECHO
        termios.tcsetattr(fd, termios.TCSAFLUSH, hidden)
    try:
        yield
    finally:
        with _as_os_error():
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)
