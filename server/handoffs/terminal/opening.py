"""Choosing the terminal to ask on."""

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TextIO

from handoffs.terminal.piped import Piped
from handoffs.terminal.request import NoTerminal, Terminal


def is_console() -> bool:
    """Say whether this process was started on a terminal and reads from it."""
    return _is_tty(sys.stdin)


@asynccontextmanager
async def open_terminal(*, device: bool = False, output: TextIO | None = None) -> AsyncGenerator[Terminal]:
    """Open a terminal to ask a person on.

    This is the console if the standard input is a terminal, else lines from it: from a pipe, a file, or nothing. The
    question is shown on `output`, by default the standard output; if that is no terminal, on another one if there is
    one.

    Args:
        device: Take the terminal that controls this process (`/dev/tty`) and leave its standard streams alone.
        output: The stream that the question is shown on, without `device`.

    Raises:
        NoTerminal: With `device`, when the process has no terminal.
    """
    with ExitStack() as stack:
        yield _device(stack) if device else _standard(stack, output)


@contextmanager
def prints_above() -> Generator[None]:
    """Print and log above a prompt on the console, instead of across it, while the block lasts.

    Enter it before logging is set up, since logging keeps the streams that it finds.
    """
    if not is_console():
        yield
        return
    # Deferred: prompt_toolkit, which only a console needs.
    from prompt_toolkit.patch_stdout import patch_stdout

    with patch_stdout(raw=True):
        yield


def _standard(stack: ExitStack, output: TextIO | None) -> Terminal:
    if not _is_tty(sys.stdin) or sys.stdin is None:
        return Piped(sys.stdin, output or sys.stdout)
    screens = [stream for stream in (output, sys.stdout, sys.stderr) if stream is not None and _is_tty(stream)]
    if screens:
        return _on(sys.stdin, screens[0])
    try:
        return _device(stack)
    except NoTerminal:
        return Piped(sys.stdin, output or sys.stdout)


def _device(stack: ExitStack) -> Terminal:
    try:
        source = stack.enter_context(_opened(reading=True))
        output = stack.enter_context(_opened(reading=False))
    except OSError as error:
        raise NoTerminal(
            f"This process has no terminal to ask on ({error}). Start it from one, or set HANDOFFS_TERMINAL=off."
        ) from None
    return _on(source, output)


def _opened(*, reading: bool) -> TextIO:
    return Path(_device_name(reading=reading)).open("r" if reading else "w", encoding="utf-8")


def _device_name(*, reading: bool) -> str:
    if sys.platform == "win32":
        return "CONIN$" if reading else "CONOUT$"
    if sys.platform == "darwin" and os.isatty(2):
        return os.ttyname(2)  # kqueue can't poll /dev/tty, but can poll the device behind it
    return "/dev/tty"


def _on(source: TextIO, output: TextIO) -> Terminal:
    if os.environ.get("TERM", "").casefold() in {"dumb", "unknown"}:
        return Piped(source, output)
    # Deferred: imports prompt_toolkit, which only a shown question needs.
    from handoffs.terminal.screen import Screen

    return Screen(source, output)


def _is_tty(stream: TextIO | None) -> bool:
    try:
        return stream is not None and not stream.closed and stream.isatty()
    except ValueError:  # closed in the meantime
        return False
