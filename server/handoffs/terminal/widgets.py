"""Widgets that show rendered lines: unchanged, or scrolled when they do not fit."""

from collections.abc import Callable
from functools import partial

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout import UIContent, UIControl, Window
from prompt_toolkit.layout.controls import GetLinePrefixCallable

from handoffs.terminal.wrapping import Line, cut


class Drawn(UIControl):
    """Lines rendered for the current width."""

    def __init__(self, draw: Callable[[int], list[Line]]) -> None:
        """Show the lines that `draw` returns for a width."""
        self._draw = draw

    def preferred_height(
        self, width: int, max_available_height: int, wrap_lines: bool, get_line_prefix: GetLinePrefixCallable | None
    ) -> int:
        return len(self._draw(width))

    def create_content(self, width: int, height: int) -> UIContent:
        return _content(self._draw(width))


class Scrolled(UIControl):
    """Scrollable lines, with the number of lines above and below."""

    def __init__(self, draw: Callable[[int], tuple[list[Line], int]]) -> None:
        """Show what `draw` returns for a width: the lines, and where their end begins, which stays visible."""
        self._draw = draw
        self._top = 0
        self._to_end = False
        self.page = 1
        """The lines of a page, less one that stays visible."""

    def preferred_height(
        self, width: int, max_available_height: int, wrap_lines: bool, get_line_prefix: GetLinePrefixCallable | None
    ) -> int:
        return len(self._draw(width)[0])

    def create_content(self, width: int, height: int) -> UIContent:
        lines, end_at = self._draw(width)
        if len(lines) <= height:
            self._top, self._to_end = 0, False
            return _content(lines)
        # The end stays visible unless it takes more than half of the height.
        end = lines[end_at:] if len(lines) - end_at <= height // 2 else []
        body, room = lines[: len(lines) - len(end)], max(height - 1 - len(end), 1)
        if self._to_end:
            self._top, self._to_end = end_at, False
        self._top = max(0, min(self._top, len(body) - room))
        self.page = max(room - 1, 1)
        below = len(body) - room - self._top
        parts = [f"↓ {below} more lines" if below else "", f"↑ {self._top} above" if self._top else ""]
        told = cut(" · ".join(filter(None, parts)) + " (arrows, Page Up, Page Down)", width)
        row: Line = [("label" if below else "fact", told)]
        return _content([*body[self._top : self._top + room], row, *end][:height])

    def is_focusable(self) -> bool:
        return True

    def scroll(self, lines: int) -> None:
        """Scroll by a number of lines; drawing keeps it within bounds."""
        self._top = max(self._top + lines, 0)

    def show_end(self) -> None:
        """Scroll to the end."""
        self._to_end = True


def window(control: UIControl) -> Window:
    """Return a window that is as high as its content."""
    return Window(control, dont_extend_height=True, always_hide_cursor=True)


def _content(lines: list[Line]) -> UIContent:
    return UIContent(get_line=partial(_line, lines), line_count=len(lines), show_cursor=False)


def _line(lines: list[Line], at: int) -> StyleAndTextTuples:
    return [(f"class:{style}" if style else "", text) for style, text in lines[at]]
