"""One question on the screen, as an application that can be erased completely.

Message, choices, input and key help are one prompt_toolkit application below whatever the terminal already shows. What
does not fit is scrolled in place; nothing goes to the scrollback before the question has ended.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import anyio
from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.application.current import set_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, HSplit, Layout, VerticalAlign, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from handoffs.core.form import Kind
from handoffs.terminal import render
from handoffs.terminal.form_state import FormState, InputRefused
from handoffs.terminal.request import Interrupted, Later, Outcome, Request
from handoffs.terminal.widgets import Drawn, Scrolled, window
from handoffs.terminal.wrapping import Line

STYLE = Style.from_dict(
    {
        "mark": "ansicyan",
        "asker": "bold",
        "gutter": "ansicyan",
        "label": "bold",
        "number": "ansicyan",
        "fact": "dim",
        "done": "ansigreen",
        "problem": "ansired",
        "sign": "bold",
        "strong": "bold",
        "emphasis": "italic",
        "code": "ansicyan",
    }
)

_TALLEST_INPUT = 8
_IGNORED = ("c-z", "c-l", "c-r", "c-s", "c-o", "c-q", "c-v", "f1", "insert", Keys.SIGINT)  # without a use here


class Prompt:
    """A request on a screen, from its first paint to its outcome."""

    def __init__(
        self,
        request: Request,
        *,
        source: Input,
        output: Output,
        header: Callable[[int], list[Line]],
        now: Callable[[], datetime],
        settle: float,
    ) -> None:
        self._state = FormState(request)
        self._request = request
        self._problem = request.problem
        self._settle = settle
        self._taking = False
        self._settling: asyncio.Task[None] | None = None
        self._last_key = 0.0
        self._dropped = False
        self._refused = ""  # the last refused input; Tab brings it back
        self._now = now
        self._header = header
        self._drawn: tuple[list[Line], int] = ([], 0)
        self._drawn_for: int | None = None
        self._body = Scrolled(self._draw_body)
        self._input = Buffer(multiline=True, on_text_changed=lambda _: self._set_problem(""))
        self._body_window = window(self._body)
        self._input_window = Window(
            BufferControl(self._input, include_default_input_processors=False),
            wrap_lines=True,
            height=Dimension(min=1, max=_TALLEST_INPUT),
            dont_extend_height=True,
            get_line_prefix=self._sign,
        )
        rows = [
            window(Drawn(header)),
            self._body_window,
            self._input_window,
            window(Drawn(lambda width: render.problem(self._problem, width))),
            window(Drawn(lambda width: render.keys(self._state, width) if self._taking else [[]])),
        ]
        self._app: Application[Outcome] = Application(
            layout=Layout(
                HSplit(rows, align=VerticalAlign.TOP),
                focused_element=self._body_window,
            ),
            style=STYLE,
            include_default_pygments_style=False,
            key_bindings=self._bindings(),
            input=source,
            output=output,
            erase_when_done=True,
            after_render=self._after_render,
        )

    async def run(self, shown: Callable[[], None] | None) -> Outcome:
        """Ask; when cancelled, erase the question. Raises Interrupted, and EOFError when the terminal is gone."""

        def started() -> None:
            self._app.create_background_task(self._keep_header_true())
            if shown is not None:
                shown()

        # In a task of its own: prompt_toolkit cleans up with awaits, which a cancelled scope would interrupt.
        task = asyncio.ensure_future(
            self._app.run_async(pre_run=started, set_exception_handler=False, handle_sigint=False)
        )
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await self._give_way(task)
            raise

    async def above(self, write: Callable[[], None]) -> None:
        """Call `write` to print above the prompt, from any thread and loop."""

        async def in_its_loop() -> None:
            with set_app(self._app):
                await run_in_terminal(write)

        loop = self._app.loop
        if loop is None:
            write()
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(in_its_loop(), loop))

    async def _give_way(self, task: "asyncio.Task[Outcome]") -> None:
        future = self._app.future
        if future is None:
            task.cancel()  # it has not begun, or has ended
        elif not future.done():
            future.set_result(Later())
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio logs no warning

    def _after_render(self, _: "Application[Outcome]") -> None:
        # The pause begins when the field is drawn: a busy or remote machine draws late.
        if not self._taking and self._settling is None:
            self._settling = self._app.create_background_task(self._start_taking())

    async def _start_taking(self) -> None:
        loop = asyncio.get_running_loop()
        self._last_key = loop.time()
        while (left := self._last_key + self._settle - loop.time()) > 0:  # noqa: ASYNC110 - a pause is no event
            await asyncio.sleep(left)
        self._taking, self._settling = True, None
        if self._dropped and not self._problem:
            self._problem = render.TOO_EARLY
        self._app.layout.focus(self._input_window)
        self._app.invalidate()

    async def _keep_header_true(self) -> None:
        # Painted only when its text changes: every write to a terminal disturbs a selection.
        width = self._app.output.get_size().columns
        before = self._header(width)
        while True:
            await asyncio.sleep(1)
            if (after := self._header(width)) != before:
                before = after
                self._app.invalidate()

    def _sign(self, line: int, wrapped: int) -> AnyFormattedText:
        sign = render.sign(self._state.field)
        return [("class:sign", sign if self._taking and not line and not wrapped else " " * len(sign))]

    def _draw_body(self, width: int) -> tuple[list[Line], int]:
        """Return the lines that may scroll, and the index of the current field's first line."""
        if self._drawn_for != width:  # a long message is not wrapped again for every key
            self._drawn_for = width
            above = render.formatted(self._request.message, width)
            done = render.filled(self._state, width)
            field = render.field(self._state, width)
            if field and not done:
                above += render.quoted([[]])
            above += render.earlier(self._request, now=self._now(), width=width)
            self._drawn = [*above, *done, *field], len(above)
        return self._drawn

    def _set_problem(self, problem: str) -> None:
        self._problem = problem

    def _show_field(self, problem: str = "", *, refused: str = "", meant: str = "") -> None:
        """Show the current field with an empty input, or with `meant`, and ignore keys for a moment."""
        self._drawn_for = None
        self._input.reset(Document(meant))
        self._refused = refused
        self._body.show_end()
        self._problem = problem
        self._taking = self._dropped = False
        self._app.layout.focus(self._body_window)

    def _enter(self, event: KeyPressEvent) -> None:
        before, typed = self._state.field, self._input.text
        try:
            outcome = self._state.enter(typed)
        except InputRefused as wrong:
            stays = self._state.field is before
            self._show_field(str(wrong), refused=typed if stays else "", meant=wrong.meant)
            return
        if outcome is None:
            self._show_field()
        else:
            event.app.exit(result=outcome)

    def _back(self, _: KeyPressEvent) -> None:
        if self._state.back():
            self._show_field()

    def _again(self, event: KeyPressEvent) -> None:
        if self._state.earlier is not None:
            event.app.exit(result=self._state.earlier.outcome)

    def _bring_back(self, _: KeyPressEvent) -> None:
        if not self._input.text:
            self._input.insert_text(self._refused or self._state.draft)

    def _up(self, event: KeyPressEvent) -> None:
        if self._input.document.cursor_position_row:
            self._input.cursor_up(event.arg)
        else:
            self._body.scroll(-1)

    def _down(self, event: KeyPressEvent) -> None:
        document = self._input.document
        if document.cursor_position_row < document.line_count - 1:
            self._input.cursor_down(event.arg)
        else:
            self._body.scroll(1)

    def _newline(self, _: KeyPressEvent) -> None:
        self._input.newline(copy_margin=False)

    def _page_up(self, _: KeyPressEvent) -> None:
        self._body.scroll(-self._body.page)

    def _page_down(self, _: KeyPressEvent) -> None:
        self._body.scroll(self._body.page)

    def _later(self, event: KeyPressEvent) -> None:
        event.app.exit(result=Later())

    def _interrupt(self, event: KeyPressEvent) -> None:
        event.app.exit(exception=Interrupted())

    def _too_early(self, _: KeyPressEvent) -> None:
        self._last_key, self._dropped = asyncio.get_running_loop().time(), True

    def _nothing(self, _: KeyPressEvent) -> None:
        return

    def _bindings(self) -> KeyBindings:
        taking = Condition(lambda: self._taking)
        free_text = Condition(lambda: self._state.field.kind is Kind.STRING and self._state.field.format is None)
        keys = KeyBindings()
        keys.add(Keys.Any, filter=~taking)(self._too_early)
        for ignored in _IGNORED:
            keys.add(ignored, filter=taking)(self._nothing)
        keys.add("enter", filter=taking)(self._enter)
        keys.add("escape", "enter", filter=taking & free_text)(self._newline)
        keys.add("tab", filter=taking)(self._bring_back)
        keys.add("s-tab", filter=taking)(self._back)
        keys.add("up", filter=taking)(self._up)
        keys.add("down", filter=taking)(self._down)
        keys.add("pageup", filter=taking)(self._page_up)
        keys.add("pagedown", filter=taking)(self._page_down)
        keys.add("f2", filter=taking)(self._again)
        keys.add("c-d", filter=taking)(self._later)
        keys.add("c-c")(self._interrupt)
        return keys
