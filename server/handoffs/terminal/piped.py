"""Questions without a screen: the same texts as lines, and one line of input for each field.

For pipes, files, a closed input, and terminals that can't place a cursor.
"""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

import anyio

from handoffs.core.form import Field
from handoffs.core.untrusted import inert_line
from handoffs.terminal import render, tty_modes
from handoffs.terminal.form_state import FormState, InputRefused
from handoffs.terminal.line_reader import LONGEST, Threaded, Watched
from handoffs.terminal.queue import PROMPT_QUEUE
from handoffs.terminal.request import SETTLE, Later, Outcome, Request, utc_now
from handoffs.terminal.wrapping import Line, cut

_UNWRAPPED = 1_000_000  # cells: no wrapping without a terminal


class Piped:
    """A terminal of lines. A wrong line is refused with the reason, and the next line is read; the end is `Later`."""

    def __init__(
        self,
        stdin: TextIO | None,
        stdout: TextIO | None,
        *,
        now: Callable[[], datetime] = utc_now,
        settle: float = SETTLE,
    ) -> None:
        """Read from `stdin` and show on `stdout`; either may be closed or None, as in a process without console."""
        fd = _fd(stdin)
        self._lines = None if fd is None else Threaded(fd) if sys.platform == "win32" else Watched(fd)
        self._out, self._now, self._settle = stdout, now, settle
        self._typed = fd is not None and os.isatty(fd)

    async def ask(self, request: Request, *, shown: Callable[[], None] | None = None) -> Outcome:
        """Ask, and return the outcome of the lines. See `Terminal.ask`; Ctrl-C is a signal here."""
        async with PROMPT_QUEUE.turn():
            if self._typed and self._lines is not None:
                await tty_modes.in_foreground(self._lines.fd)
                tty_modes.discard_typed(self._lines.fd)
                self._lines.drop_begun()
            waiting = max(request.waiting, PROMPT_QUEUE.behind)
            self._show(lambda width: render.header(request, now=self._now(), waiting=waiting, width=width))
            self._show(lambda width: render.message(request.message, width))
            self._show(lambda width: render.earlier(request, now=self._now(), width=width))
            self._show(lambda width: render.problem(request.problem, width))
            if shown is not None:
                shown()
            try:
                outcome = await self._filled(FormState(request))
            except OSError:
                return Later()  # the terminal is gone
            except anyio.get_cancelled_exc_class():
                self._write("\n– no longer asked\n")
                raise
            self._write(render.receipt(request, outcome, self._width()) + "\n")
            return outcome

    async def tell(self, text: str) -> None:
        """Show a notice."""
        self._show(lambda width: render.notice(text, width))

    async def _filled(self, state: FormState) -> Outcome:
        shown: Field | None = None
        while True:
            if shown is not state.field:
                shown = state.field
                self._show(lambda width: render.field(state, width))
            await self._settled()
            self._write(render.sign(state.field))
            line = None if self._lines is None else await self._lines.next()
            if line is None:
                self._write("\n")
                return Later()
            try:
                outcome = state.enter(self._text(line))
            except InputRefused as wrong:
                problem = str(wrong)
                self._show(lambda width, problem=problem: render.problem(problem, width))
                continue
            if outcome is not None:
                return outcome

    async def _settled(self) -> None:
        """On a terminal, drop input typed before the field was shown or right after: it was not meant for it.

        A pipe or a file has lines for this question, so its input is kept.
        """
        if not self._typed or self._lines is None:
            return
        dropped, quiet = False, False
        while not quiet:
            await anyio.sleep(self._settle)
            quiet = not tty_modes.has_typed(self._lines.fd)
            dropped = dropped or not quiet
            tty_modes.discard_typed(self._lines.fd)
        self._lines.drop_begun()
        if dropped:
            self._show(lambda width: render.problem(render.TOO_EARLY, width))

    def _text(self, line: bytes) -> str:
        text = line.removesuffix(b"\r").decode(errors="surrogateescape")
        if not self._typed:
            self._write(render.plain([[("", cut(inert_line(text[:1000]), 200))]]))
        if len(line) > LONGEST:
            raise InputRefused(f"That is longer than {LONGEST} bytes.")
        return text

    def _show(self, draw: Callable[[int], list[Line]]) -> None:
        self._write(render.plain(draw(self._width())))

    def _width(self) -> int:
        fd = _fd(self._out)
        try:
            return os.get_terminal_size(fd).columns or 80 if fd is not None and os.isatty(fd) else _UNWRAPPED
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        if self._out is None or self._out.closed:
            return
        # Characters that the stream's encoding lacks are replaced.
        encoding = self._out.encoding or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


def _fd(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None or stream.closed else stream.fileno()
    except (OSError, ValueError):  # a stream without a descriptor, as in a notebook
        return None
