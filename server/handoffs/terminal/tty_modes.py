"""What a terminal device is told before and after a question. Nothing of it exists on Windows."""

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
    """Wait until this process may use the terminal: the system stops one in the background that reads from it."""
    if sys.platform == "win32":
        return
    try:
        while os.tcgetpgrp(fd) != os.getpgrp():  # noqa: ASYNC110 - nothing tells, but SIGCONT
            await anyio.sleep(0.5)
    except OSError:
        return  # not the terminal that controls this process: no job control


def has_typed(fd: int) -> bool:
    """Say whether a line was typed and not read yet."""
    return sys.platform != "win32" and bool(select.select([fd], [], [], 0)[0])


def discard_typed(fd: int) -> None:
    """Throw away what was typed and not read yet. Raises OSError where the terminal is gone."""
    if sys.platform == "win32":
        return
    import termios  # not on Windows

    with _as_os_error():
        termios.tcflush(fd, termios.TCIFLUSH)


@contextmanager
def _as_os_error() -> Generator[None]:
    # A terminal that has hung up fails in termios' own way, which is no OSError.
    import termios

    try:
        yield
    except termios.error as error:
        raise OSError(*error.args) from None


@contextmanager
def kept(source: int, output: int) -> Generator[None]:
    """Give the terminal its modes back even when the interpreter ends under a prompt, as in a daemon thread.

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
