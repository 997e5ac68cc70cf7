"""A real terminal: prepares it for a question, hands it to `prompt`, and leaves it as it was."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, TextIO

from prompt_toolkit.input import create_input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from handoffs.terminal import render, tty_modes
from handoffs.terminal.app import Prompt
from handoffs.terminal.queue import TURNS
from handoffs.terminal.request import SETTLE, Later, Outcome, Sheet, utc_now
from handoffs.terminal.wrapping import Line


class Screen:
    """A terminal that can place a cursor. Works in any thread that runs an asyncio loop."""

    # Of the process, like the turns: a notice from one of several screens goes above the prompt of another.
    _showing: ClassVar[Prompt | None] = None

    def __init__(
        self, stdin: TextIO, stdout: TextIO, *, now: Callable[[], datetime] = utc_now, settle: float = SETTLE
    ) -> None:
        """Ask on `stdin` and `stdout`, which must both be terminals."""
        self._stdin, self._now, self._settle = stdin, now, settle
        self._output = create_output(stdout)
        if isinstance(self._output, Vt100_Output):
            # Asked where its cursor is, a terminal answers as if typed; an answer that comes late would end up in
            # whatever reads next.
            self._output.enable_cpr = False

    async def ask(self, sheet: Sheet, *, shown: Callable[[], None] | None = None) -> Outcome:
        """Ask, and return what the person did; a terminal that has gone is `Later`. See `Terminal.ask`."""
        async with TURNS.turn():
            try:
                await tty_modes.in_foreground(self._stdin.fileno())
                outcome = await self._prompt(sheet, shown)
                self._write(render.receipt(sheet, outcome, self._output.get_size().columns - 1) + "\n")
            except (EOFError, OSError):
                return Later()  # hung up: nobody is there any more, and nothing was decided
            return outcome

    async def _prompt(self, sheet: Sheet, shown: Callable[[], None] | None) -> Outcome:
        if not self._stdin.isatty():
            raise EOFError  # it was one, and has gone
        # Made here and not with the screen: once at its end, an input stays there.
        source = create_input(self._stdin)
        prompt = Prompt(
            sheet,
            source=source,
            output=self._output,
            header=self._header(sheet),
            now=self._now,
            settle=self._settle,
        )
        with tty_modes.kept(self._stdin.fileno(), self._output.fileno()):
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

    def _header(self, sheet: Sheet) -> Callable[[int], list[Line]]:
        return lambda width: render.header(
            sheet, now=self._now(), waiting=max(sheet.waiting, TURNS.behind), width=width
        )

    def _start_line(self) -> None:
        # Blanks for a whole row wrap to the next one unless the cursor was at the start of its row.
        self._write(" " * self._output.get_size().columns + "\r")

    def _write(self, text: str) -> None:
        self._output.write_raw(text)
        self._output.flush()
