"""A question where there is no screen to draw on: the same words as lines, and one line of answer for each field.

For pipes, files, nothing at all, and terminals that can't place a cursor.
"""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

import anyio

from handoffs.core.untrusted import inert_line
from handoffs.terminal import modes, paper
from handoffs.terminal.filling import Filling
from handoffs.terminal.lines import LONGEST, Threaded, Watched
from handoffs.terminal.sheet import Later, Outcome, Sheet, utc_now
from handoffs.terminal.turns import TURNS

_UNWRAPPED = 1_000_000  # cells: where no terminal wraps, nothing has to be


class Piped:
    """A terminal made of lines. A wrong line is refused with the reason and the next one tried; no more is `Later`."""

    def __init__(self, stdin: TextIO | None, stdout: TextIO | None, *, now: Callable[[], datetime] = utc_now) -> None:
        """Read from `stdin` and show on `stdout`; either may be closed or None, as in a process without console."""
        fd = _fd(stdin)
        self._lines = None if fd is None else Threaded(fd) if sys.platform == "win32" else Watched(fd)
        self._out, self._now = stdout, now
        self._typed = fd is not None and os.isatty(fd)

    async def ask(self, sheet: Sheet, *, shown: Callable[[], None] | None = None) -> Outcome:
        """Ask, and return what the lines say. See `Terminal.ask`; Ctrl-C is a signal here, as everywhere."""
        async with TURNS.turn():
            if self._typed and self._lines is not None:
                await modes.in_foreground(self._lines.fd)
                modes.discard_typed(self._lines.fd)
                self._lines.drop_begun()
            waiting = max(sheet.waiting, TURNS.behind)
            self._show(lambda width: paper.header(sheet, now=self._now(), waiting=waiting, width=width))
            self._show(lambda width: paper.message(sheet, width))
            self._show(lambda width: paper.problem(sheet.problem, width))
            if shown is not None:
                shown()
            try:
                outcome = await self._filled(Filling(sheet.form))
            except anyio.get_cancelled_exc_class():
                self._write("\n– no longer asked\n")
                raise
            self._write(paper.receipt(sheet, outcome, self._width()) + "\n")
            return outcome

    async def tell(self, text: str) -> None:
        """Show a notice."""
        self._show(lambda width: paper.notice(text, width))

    async def _filled(self, filling: Filling) -> Outcome:
        number = 0
        while True:
            if number != filling.number:
                number = filling.number
                self._show(lambda width: paper.field(filling, width))
            self._write(paper.sign(filling.field))
            line = None if self._lines is None else await self._lines.next()
            if line is None:
                self._write("\n")
                return Later()
            try:
                outcome = filling.enter(self._text(line))
            except ValueError as wrong:
                problem = str(wrong)
                self._show(lambda width, problem=problem: paper.problem(problem, width))
                continue
            if outcome is not None:
                return outcome

    def _text(self, line: bytes) -> str:
        text = line.removesuffix(b"\r").decode(errors="surrogateescape")
        if not self._typed:
            self._write(paper.plain([[("", paper.cut(inert_line(text), 200))]]))
        if len(line) > LONGEST:
            raise ValueError(f"That is longer than {LONGEST} bytes.")
        return text

    def _show(self, draw: Callable[[int], list[paper.Line]]) -> None:
        self._write(paper.plain(draw(self._width())))

    def _width(self) -> int:
        fd = _fd(self._out)
        try:
            return os.get_terminal_size(fd).columns or 80 if fd is not None and os.isatty(fd) else _UNWRAPPED
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        if self._out is None or self._out.closed:
            return
        # A stream of another encoding shows what it can.
        encoding = self._out.encoding or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


def _fd(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None or stream.closed else stream.fileno()
    except (OSError, ValueError):  # a stand-in that has no descriptor, as in a notebook
        return None
