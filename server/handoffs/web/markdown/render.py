"""Agent-written Markdown as safe, static HTML: `render`.

The HTML can't run code, load anything, set styles, imitate the page around it or hide a link's target. No text is left
out: one that is nested too deep or too large is shown as written.

The text passes three independent stages. `untrusted.inert` spells out control and layout characters; `markdown-it-py`
builds its own HTML and passes none of the agent's; `nh3` keeps only what is on the list below. `code` highlights,
`images` checks images, and the page's stylesheet has these classes:

    pre.code  pre.plain  p.as-written  div.scrolled  th.left|center|right  span.host  span.unlinked  span.unloaded

Code wraps and never scrolls, so that no part of it is out of sight. Its direction is always left to right.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, table
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from handoffs.core.untrusted import inert, inert_line, inert_markup, spell_gaps
from handoffs.web.markdown import images
from handoffs.web.markdown.code import CLASSES, Allowance, highlight, highlight_css

__all__ = ["MAX_CHARACTERS", "highlight_css", "render"]

MAX_CHARACTERS = 50_000
"""The most characters of a formatted message, without its images; a longer one is shown as written."""
MAX_NESTING = 40
"""The deepest nesting of blocks; a list and its item are two. Beyond its own limit the parser silently drops text."""
MAX_SECONDS = 0.5
"""Processor time for the parsing of one message. Twenty thousand ordinary characters take thirty milliseconds."""
_CODE_SECONDS = 0.2
_URL_SHOWN = 200

_WEB = re.compile(
    r"https?://(?P<host>(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])(?::\d{1,5})?)(?:[/?#]\S*)?",
    re.IGNORECASE,
)
_MAIL = re.compile(r"mailto:(?P<host>[a-z0-9._+-]+@[a-z0-9.-]+)(?:\?\S*)?", re.IGNORECASE)

# An image's Base64 body may have millions of characters: it is taken out before parsing, and put back at the end.
_PICTURE = re.compile(r"(?<=\]\()(<?data:image/(?:png|jpe?g|gif|webp);base64,)([A-Za-z0-9+/]{200,}={0,2})")


def render(text: str) -> str:
    """Return agent-written Markdown as safe HTML blocks, to be put into an element of the page.

    Never raises for any text, and takes less than a second of processor time for a megabyte.
    """
    message = _Message()
    # nh3 takes UTF-8, so lone surrogates must be removed before it.
    source = inert_markup(message.take_out(text))
    try:
        if len(source) > MAX_CHARACTERS:
            raise _AsWritten("it is very long")
        # Again: an entity such as `&#x202E;` has become a character only now.
        html = inert(_CLEANER.clean(_MARKDOWN.render(source, {"message": message})))
    except _AsWritten as reason:
        html = f'<p class="as-written">Shown as it was written, because {reason}.</p>\n{_plain(source)}'
    return message.put_back(html)


@dataclass(kw_only=True)
class _Message:
    """The state of one message while it is rendered."""

    parsing: Allowance = field(default_factory=lambda: Allowance(MAX_SECONDS))
    colouring: Allowance = field(default_factory=lambda: Allowance(_CODE_SECONDS))
    # The mark is random, so that no agent can write the placeholder of an image.
    mark: str = field(default_factory=lambda: f"x{secrets.token_hex(12)}x")
    bodies: list[str] = field(default_factory=list[str])

    def take_out(self, text: str) -> str:
        def taken(found: re.Match[str]) -> str:
            self.bodies.append(found[2])
            return f"{found[1]}{self.mark}{len(self.bodies) - 1}x"

        return _PICTURE.sub(taken, text)

    def put_back(self, text: str) -> str:
        return self._marks.sub(lambda found: self.bodies[int(found[1])], text) if self.bodies else text

    @property
    def _marks(self) -> re.Pattern[str]:
        return re.compile(rf"{self.mark}(\d+)x")


class _AsWritten(Exception):
    """The message can't be formatted; the text says why."""


def _plain(source: str) -> str:
    return f'<pre class="plain" dir="auto">{escape(spell_gaps(source), quote=False)}</pre>\n'


# Rules of the parser


def _check_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Stop at a message that is nested too deep or takes too long; never matches."""
    if state.level >= MAX_NESTING:
        raise _AsWritten("it is nested too deep")
    _check_time(state.env)
    return False


def _check_inline(state: StateInline, silent: bool) -> bool:
    _check_time(state.env)
    return False


def _check_time(env: EnvType) -> None:
    if _message(env).parsing.spent:
        raise _AsWritten("it takes too long to format")


def _message(env: EnvType) -> _Message:
    message = env["message"]
    assert isinstance(message, _Message)
    return message


def _whole_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Match a table. If a row has more cells than the header, which would be dropped, it is shown as written."""
    before = len(state.tokens)
    matched = table(state, start, end, silent)
    if silent or not matched:
        return matched
    columns = _columns(_line(state, start))
    if any(_columns(_line(state, row)) > columns for row in range(start + 2, state.line)):
        del state.tokens[before:]
        _push_code(state, "", start, state.line)
    return True


def _columns(row: str) -> int:
    cells = escapedSplit(row.strip())
    return len(cells) - (cells[0] == "") - (len(cells) > 1 and cells[-1] == "")


_BEFORE_THE_NAMES = re.compile(r"(?:diff|index|old mode|new mode|new file|deleted file|similarity|rename|copy) ")
_MOST_BEFORE_THE_NAMES = 8
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_UNIFIED = re.compile(r"^--- .*\n\+\+\+ .*\n@@ -\d", re.MULTILINE)


def _unified_diff(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Match a unified diff without a code fence."""
    if state.is_code_block(start) or not _line(state, start).startswith(("--- ", "diff ")):
        return False
    names = start
    while names < min(end, start + _MOST_BEFORE_THE_NAMES) and _BEFORE_THE_NAMES.match(_line(state, names)):
        names += 1
    if names + 2 >= end:
        return False
    heads = [_line(state, number) for number in range(names, names + 3)]
    if not (heads[0].startswith("--- ") and heads[1].startswith("+++ ") and _HUNK.match(heads[2])):
        return False
    if silent:
        return True
    _push_code(state, "diff", start, _end_of_hunks(state, names + 2, end))
    return True


def _push_code(state: StateBlock, language: str, start: int, stop: int) -> None:
    token = state.push("fence", "code", 0)
    token.info, token.map = language, [start, stop]
    token.content = state.getLines(start, stop, state.blkIndent, True)
    state.line = stop


def _end_of_hunks(state: StateBlock, number: int, end: int) -> int:
    """Return the line after the last hunk. Its header may count wrongly, but is believed about empty lines."""
    old = new = 0
    while number < end:
        line = state.getLines(number, number + 1, state.blkIndent, False)
        if state.sCount[number] < state.blkIndent and line:
            break  # the enclosing list or quotation has ended
        if head := _HUNK.match(line):
            old, new = (int(count or 1) for count in head.groups())
        elif not line.strip():
            if old <= 0 and new <= 0:
                break
            old, new = old - 1, new - 1
        elif line[0] in "+- \\":
            old, new = old - (line[0] in "- "), new - (line[0] in "+ ")
        elif not _BEFORE_THE_NAMES.match(line):
            break
        number += 1
    return number


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


# Writing HTML


class _Page(RendererHTML):
    """Writes HTML. Each method renders the token of its name."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<{_demoted(tokens[idx].tag)}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"</{_demoted(tokens[idx].tag)}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        # A table can be wider than the page: a scrollable element must be reachable by keyboard.
        return '<div class="scrolled" role="group" aria-label="table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<th scope="col"{_aligned(tokens[idx])}>'

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<td{_aligned(tokens[idx])}>"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        code = spell_gaps(tokens[idx].content)
        language = (tokens[idx].info.split() or [""])[0]
        if not language and _UNIFIED.search(code):
            language = "diff"
        coloured = highlight(code, language, _message(env).colouring)
        return f'<pre class="code" dir="ltr"><code>{coloured}</code></pre>\n'

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return self.fence(tokens, idx, options, env)

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        url = str(tokens[idx].attrGet("href") or "")
        return f'<a href="{escape(url)}">' if _address(url) else '<span class="unlinked">'

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        opened = next(number for number in range(idx - 1, -1, -1) if tokens[number].type == "link_open")
        url = str(tokens[opened].attrGet("href") or "")
        shown = "".join(token.content for token in tokens[opened:idx] if token.type in {"text", "code_inline"}).strip()
        address = _address(url)
        if address is None:
            return f"{_aside('' if shown == url else url, 'not linked')}</span>"
        # The host is added unless the link's text already names it; any other text might name a wrong one.
        named = _address(shown) or _address(f"https://{shown}") or _address(f"mailto:{shown}")
        same = named is not None and named.lower() == address.lower()
        return "</a>" if same else f'</a><span class="host"> ({escape(address)})</span>'

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        url = str(tokens[idx].attrGet("src") or "")
        alt = self.renderInlineAsText(tokens[idx].children or [], options, env)
        if not (parts := images.split(url)):
            # A person can't read the body of a `data:` URL.
            why = _aside(url.partition(",")[0] if url.startswith("data:") else url, "not loaded")
        elif problem := images.problem(parts[0], _message(env).put_back(parts[1])):
            why = _aside(problem, "not loaded")
        else:
            return f'<img src="{escape(url)}" alt="{escape(alt)}">'
        return f'<span class="unloaded">image: {escape(alt, quote=False)}{why}</span>'


def _demoted(tag: str) -> str:
    """Return a heading's tag, two levels down: the page itself uses h1 and h2."""
    return f"h{min(int(tag[1:]) + 2, 6)}"


def _aligned(cell: Token) -> str:
    style = str(cell.attrGet("style") or "")
    return f' class="{style.removeprefix("text-align:")}"' if style else ""


def _address(url: str) -> str | None:
    """Return a link's target: host and port, or a mail address. None when it must not be linked.

    A user name or password before the host, which could look like a host, is not accepted.
    """
    found = _WEB.fullmatch(url) or _MAIL.fullmatch(url)
    return found["host"] if found else None


def _aside(words: str, what: str) -> str:
    return f" ({escape(inert_line(f'{inert_line(words, _URL_SHOWN)} {what}'), quote=False)})"


def _parser() -> MarkdownIt:
    # `breaks`: every line of the source is a line on the page, so that a list of facts is not run together.
    options = {"html": False, "linkify": False, "typographer": False, "breaks": True, "maxNesting": 2 * MAX_NESTING}
    parser = MarkdownIt("commonmark", options, renderer_cls=_Page).enable(["table", "strikethrough"])
    # Link definitions would not be shown.
    parser.disable("reference")
    # Links are checked when they are rendered, so that a refused one is still shown.
    parser.validateLink = lambda url: True
    everywhere: RuleOptionsType = {"alt": ["paragraph", "blockquote", "list"]}
    parser.block.ruler.at("table", _whole_table, {"alt": ["paragraph"]})
    parser.block.ruler.before("table", "unified_diff", _unified_diff, everywhere)
    parser.block.ruler.before("unified_diff", "check", _check_block, everywhere)
    parser.inline.ruler.before("text", "check", _check_inline)
    return parser


def _attribute_value(tag: str, attribute: str, value: str) -> str | None:
    """Return the value of an allowed attribute, or None to remove it."""
    match tag, attribute:
        case "a", "href":
            return value if _address(value) else None
        case "img", "src":
            return value if images.split(value) else None
        case "ol", "start":
            return value if value.isdecimal() else None
        case _:
            return value


_MARKDOWN = _parser()
_CLEANER = nh3.Cleaner(
    tags={
        "a", "blockquote", "br", "code", "div", "em", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre", "s",
        "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
    },
    attributes={"a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}},
    tag_attribute_values={
        "div": {"role": {"group"}, "aria-label": {"table"}, "tabindex": {"0"}},
        "pre": {"dir": {"ltr"}},
        "th": {"scope": {"col"}},
    },
    allowed_classes={
        "div": {"scrolled"},
        "pre": {"code"},
        "span": {*CLASSES, "host", "unlinked", "unloaded"},
        "td": {"left", "center", "right"},
        "th": {"left", "center", "right"},
    },
    attribute_filter=_attribute_value,
    url_schemes={"http", "https", "mailto", "data"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)  # fmt: skip
