"""Agent-written Markdown as styled lines for a terminal: `rendered`.

No text is left out: if the parser would drop some, or a table is too wide to draw, the source is shown as written. No
part of it becomes a link, a colour that the agent chooses, or a control sequence: the output is text with style names
of our own. Struck-out text keeps its signs, as many terminals can't strike out, and would show the opposite.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from io import StringIO

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from rich import box
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from handoffs.core.untrusted import inert_markup, spell_gaps
from handoffs.terminal.wrapping import Line, cells, fitted, wrap

MAX_SECONDS = 0.5
"""Processor time for the parsing of one message. Twenty thousand ordinary characters take thirty milliseconds."""

_SIGNS = "*_`#>|-+=~:[]()<!\"'\\"
"""The characters that Markdown may consume as syntax."""

_STRONG, _EMPHASIS, _CODE = Style(bold=True), Style(italic=True), Style(color="cyan")


def rendered(text: str, width: int) -> list[Line]:
    """Return agent-written Markdown as lines of at most `width` cells."""
    # Blanks pad the cells of tables, so gaps are spelled out after parsing.
    source = inert_markup(text).strip("\n")
    width = max(width, 2)
    try:
        tokens = _parser().parse(source, {"until": time.process_time() + MAX_SECONDS})
        drawn = _Writer(tokens, source).blocks(width)
        lines = _trimmed([fit for line in drawn for fit in fitted(line, width)])
    except _AsWritten:
        return _as_written(source, width)
    missing = _counted(source) - _counted("".join(text for line in lines for _, text in line))
    return _as_written(source, width) if missing else lines


class _AsWritten(Exception):
    """The text can't be formatted."""


def _as_written(source: str, width: int) -> list[Line]:
    return [[("", line)] for line in wrap(spell_gaps(source), width)]


def _counted(text: str, signs: str = _SIGNS) -> Counter[str]:
    """Count the characters that are not Markdown syntax."""
    return Counter(char for char in text if char not in signs and not char.isspace())


def _trimmed(lines: list[Line]) -> list[Line]:
    while lines and not lines[-1]:
        lines.pop()
    return lines


class _Writer:
    """Draws tokens, block by block."""

    def __init__(self, tokens: Sequence[Token], source: str) -> None:
        self._tokens = iter(tokens)
        self._source = source.split("\n")
        self._console = Console(file=StringIO(), color_system=None, legacy_windows=False, _environ={})

    def blocks(self, width: int, until: str = "", *, tight: bool = False) -> Iterator[Line]:
        """Yield the lines of the blocks before the token of type `until`, with an empty line between two blocks."""
        first = True
        for token in self._tokens:
            if token.type == until:
                return
            if not first and not tight:
                yield []
            first = False
            yield from self._block(token, width)

    def _block(self, token: Token, width: int) -> Iterator[Line]:
        match token.type:
            case "paragraph_open":
                yield from self._paragraph("paragraph_close", width)
            case "heading_open":
                for line in self._paragraph("heading_close", width):
                    yield [(",".join(filter(None, ("strong", style))), text) for style, text in line]
            case "bullet_list_open" | "ordered_list_open":
                yield from self._list(token.type.replace("open", "close"), width)
            case "blockquote_open":
                for line in self.blocks(max(width - 2, 2), "blockquote_close"):
                    yield [("fact", "▌ "), *line]
            case "fence" | "code_block":
                yield from self._code(token, width)
            case "table_open":
                yield from self._table(token, width)
            case "hr":
                yield [("fact", "─" * min(width, 40))]
            case _:
                raise _AsWritten

    def _paragraph(self, close: str, width: int) -> Iterator[Line]:
        for token in self._tokens:
            if token.type == close:
                return
            yield from self._drawn(_inline(token.children or []), width)

    def _list(self, close: str, width: int) -> Iterator[Line]:
        for token in self._tokens:
            if token.type == close:
                return
            sign = f"{token.info}{token.markup} " if token.info else "• "
            for at, line in enumerate(self.blocks(max(width - len(sign), 2), "list_item_close", tight=True)):
                yield [("", " " * len(sign) if at else sign), *line]

    def _code(self, token: Token, width: int) -> Iterator[Line]:
        if token.info.strip():
            yield [("fact", token.info.strip())]
        for line in spell_gaps(token.content.rstrip("\n")).split("\n"):
            for at, piece in enumerate(wrap(line, width - 2)):
                # A continued line is marked: in code it differs from a new line.
                yield [("fact", "↳ " if at else "  "), ("code", piece)]

    def _table(self, table: Token, width: int) -> Iterator[Line]:
        rows: list[list[Text]] = []
        written = ""
        aligned: list[str] = []
        for token in self._tokens:
            match token.type:
                case "table_close":
                    break
                case "tr_open":
                    rows.append([])
                case "th_open" | "td_open":
                    if len(rows) == 1:
                        aligned.append(str(token.attrGet("style") or "").removeprefix("text-align:"))
                case "inline":
                    written += token.content
                    rows[-1].append(_inline(token.children or []))
                case _:
                    pass
        # The parser drops a cell beyond the header's columns.
        first, last = table.map or (0, 0)
        lines = "".join([self._source[first], *self._source[first + 2 : last]])
        if _counted(lines, "|\\") - _counted(written, "|\\"):
            raise _AsWritten
        head, *body = rows
        natural = sum(
            max((cells(row[at].plain) for row in rows if at < len(row)), default=0) + 3 for at in range(len(head))
        )
        drawn = Table(box=box.SQUARE, show_lines=natural + 1 > width, header_style=_STRONG, show_edge=True)
        for cell, side in zip(head, aligned, strict=True):
            justify = side if side in {"left", "right", "center"} else "left"
            drawn.add_column(cell, overflow="fold", justify=justify)  # pyright: ignore[reportArgumentType]
        for row in body:
            drawn.add_row(*row)
        yield from self._drawn(drawn, width)

    def _drawn(self, what: Text | Table, width: int) -> Iterator[Line]:
        options = self._console.options.update_width(width)
        for segments in self._console.render_lines(what, options, pad=False):
            line = [
                (_look(segment.style), segment.text) for segment in segments if segment.text and not segment.control
            ]
            yield line if "".join(text for _, text in line).strip() else []


def _inline(tokens: Sequence[Token]) -> Text:
    """Return the text of a paragraph or a cell, with its styles."""
    text = Text(overflow="fold", no_wrap=False, end="")
    looks: list[Style] = []
    link = ""
    for token in tokens:
        style = Style.combine(looks) if looks else ""
        match token.type:
            case "text":
                text.append(spell_gaps(token.content), style)
            case "code_inline":
                text.append(spell_gaps(token.content), _CODE)
            case "softbreak" | "hardbreak":
                text.append("\n")
            case "strong_open":
                looks.append(_STRONG)
            case "em_open":
                looks.append(_EMPHASIS)
            case "strong_close" | "em_close":
                looks.pop()
            case "link_open":
                link = " ".join(filter(None, (str(token.attrGet("href") or ""), str(token.attrGet("title") or ""))))
                if token.markup == "autolink":
                    link = ""  # its text is its address
            case "link_close":
                text.append(f" ({link})" if link else "")
            case _:
                raise _AsWritten
    return text


def _look(style: Style | None) -> str:
    if style is None:
        return ""
    looks = [name for name, has in (("strong", style.bold), ("emphasis", style.italic), ("code", style.color)) if has]
    return ",".join(looks)


def _check_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    _check_time(float(state.env["until"]))
    return False


def _check_inline(state: StateInline, silent: bool) -> bool:
    _check_time(float(state.env["until"]))
    return False


def _check_time(until: float) -> None:
    if time.process_time() > until:
        raise _AsWritten


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False}).enable("table")
    # Link definitions would not be seen, images can't be shown, and an entity becomes a character that is not made
    # inert: all three are shown as written.
    parser.disable(["reference", "image", "entity"])
    parser.validateLink = lambda url: True
    parser.normalizeLink = lambda url: url
    parser.normalizeLinkText = lambda link: link
    parser.block.ruler.before("table", "check", _check_block, {"alt": ["paragraph", "blockquote", "list"]})
    parser.inline.ruler.before("text", "check", _check_inline)
    return parser
