"""A real terminal: prepared for a question, used by `app.Prompt`, and restored afterwards."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, TextIO

from prompt_toolkit.input import create_input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from handoffs.terminal import render, tty_modes
from handoffs.terminal.app import Prompt
from handoffs.terminal.queue import PROMPT_QUEUE
from handoffs.terminal.request import SETTLE, Later, Outcome, Request, utc_now
from handoffs.terminal.wrapping import Line


class Screen:
    """A terminal that can place a cursor. It works in any thread that runs an asyncio loop."""

    # Shared by the process, like the queue: a notice of one screen is shown above the prompt of another.
    _showing: ClassVar[Prompt | None] = None

    def __init__(
        self, stdin: TextIO, stdout: TextIO, *, now: Callable[[], datetime] = utc_now, settle: float = SETTLE
    ) -> None:
        """Ask on `stdin` and `stdout`, which must both be terminals."""
        self._stdin, self._now, self._settle = stdin, now, settle
        self._output = create_output(stdout)
        if isinstance(self._output, Vt100_Output):
            # A terminal answers a query for its cursor position as typed input; a late answer would reach the next
            # reader.
            self._output.enable_cpr = False

    async def ask(self, request: Request, *, shown: Callable[[], None] | None = None) -> Outcome:
        """Ask, and return the outcome; `Later` when the terminal is gone. See `Terminal.ask`."""
        async with PROMPT_QUEUE.turn():
            try:
                await tty_modes.in_foreground(self._stdin.fileno())
                outcome = await self._prompt(request, shown)
                self._write(render.receipt(request, outcome, self._output.get_size().columns - 1) + "\n")
            except (EOFError, OSError):
                return Later()  # hung up: nothing was decided
            return outcome

    async def _prompt(self, request: Request, shown: Callable[[], None] | None) -> Outcome:
        if not self._stdin.isatty():
            raise EOFError  # the terminal is gone
        # Created for each question: an input that has reached its end stays there.
        source = create_input(self._stdin)
        prompt = Prompt(
            request,
            source=source,
            output=self._output,
            header=self._header(request),
            now=self._now,
            settle=self._settle,
        )
        with tty_modes.restored(self._stdin.fileno(), self._output.fileno()):
            self._start_line()
            clear_typeahead(source)
            tty_modes.discard_typed(source.fileno())
            Screen._showing = prompt
            try:
                return await prompt.run(shown)
            finally:
                Screen._showing = None
                clear_typeahead(source)

    async def tell(self, text: str) -> None:
        """Show a notice. See `Terminal.tell`."""

        def write() -> None:
            self._write(render.plain(render.notice(text, self._output.get_size().columns)))

        prompt = Screen._showing
        if prompt is None:
            write()
        else:
            await prompt.above(write)

    def _header(self, request: Request) -> Callable[[int], list[Line]]:
        return lambda width: render.header(
            request, now=self._now(), waiting=max(request.waiting, PROMPT_QUEUE.behind), width=width
        )

    def _start_line(self) -> None:
        # A row of blanks wraps to the next row unless the cursor was at the start of its row.
        self._write(" " * self._output.get_size().columns + "\r")

    def _write(self, text: str) -> None:
        self._output.write_raw(text)
        self._output.flush()
