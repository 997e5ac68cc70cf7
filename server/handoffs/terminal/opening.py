"""Which terminal there is to ask on."""

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
    """Open where a person can be asked.

    The console of this process where its standard input is a terminal, else lines from whatever that is: a pipe, a
    file, nothing. The question is shown on `output`, by default the standard output; where that is no terminal but
    another one is at hand, there.

    Args:
        device: Take the terminal that controls this process (`/dev/tty`) and leave its standard streams alone.
        output: Where the question is shown if it is no matter of the device.

    Raises:
        NoTerminal: `device`, and there is none.
    """
    with ExitStack() as stack:
        yield _device(stack) if device else _standard(stack, output)


@contextmanager
def prints_above() -> Generator[None]:
    """Have what this process prints and logs meanwhile appear above a prompt on its console, instead of across it.

    To be entered before logging is set up, which keeps the streams that it finds.
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
        return os.ttyname(2)  # its kqueue can't watch /dev/tty, but can watch the device behind it
    return "/dev/tty"


def _on(source: TextIO, output: TextIO) -> Terminal:
    if os.environ.get("TERM", "").casefold() in {"dumb", "unknown"}:
        return Piped(source, output)
    # Deferred: prompt_toolkit, which only a question that is really shown needs.
    from handoffs.terminal.screen import Screen

    return Screen(source, output)


def _is_tty(stream: TextIO | None) -> bool:
    try:
        return stream is not None and not stream.closed and stream.isatty()
    except ValueError:  # closed at the other end of the same moment
        return False
