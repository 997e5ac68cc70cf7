"""Syntax highlighting of agent-written code: `highlight` for the page, `highlight_css` for its stylesheet.

The languages are a fixed list: each was tested with hostile input, and none takes long within the limits of
`highlight`. Code that is too long, too wide or too slow is shown without colours.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from io import StringIO
from types import MappingProxyType

from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType] - its options are untyped
from pygments.token import STANDARD_TYPES, Token
from pygments.token import _TokenType as TokenType  # pyright: ignore[reportPrivateUsage] - its only name

MAX_CHARACTERS = 20_000
"""The most characters of one block of code."""
MAX_WIDTH = 1_000
"""The most characters of a line, and of consecutive blanks and line ends: many expressions are quadratic in them."""
MAX_SECONDS = 0.2
"""Processor time for all the code of one message."""

_LANGUAGES = (
    "bash", "c", "console", "cpp", "css", "diff", "docker", "go", "graphql", "html", "ini", "javascript", "json",
    "kotlin", "lua", "make", "nginx", "perl", "php", "powershell", "protobuf", "python", "r", "ruby", "rust", "scala",
    "scss", "sql", "swift", "terraform", "toml", "tsx", "typescript", "xml", "yaml",
)  # fmt: skip
# Other names. Pygments' lexers for Java and C# need minutes for a page of plain words, so similar languages are used.
_ALIASES = {
    "c++": "cpp", "cc": "cpp", "cs": "cpp", "csharp": "cpp", "c#": "cpp", "dockerfile": "docker", "golang": "go",
    "h": "c", "hcl": "terraform", "hpp": "cpp", "java": "javascript", "js": "javascript", "jsonc": "json",
    "jsx": "tsx", "kt": "kotlin", "makefile": "make", "mjs": "javascript", "patch": "diff", "proto": "protobuf",
    "ps1": "powershell", "py": "python", "python3": "python", "rb": "ruby", "rs": "rust", "sh": "bash",
    "shell": "bash", "shell-session": "console", "svg": "xml", "tf": "terraform", "ts": "typescript", "udiff": "diff",
    "yml": "yaml", "zsh": "bash",
}  # fmt: skip
LANGUAGES: Mapping[str, str] = MappingProxyType({name: name for name in _LANGUAGES} | _ALIASES)
"""The language names after the backticks, and their lexers."""

CLASSES = frozenset(STANDARD_TYPES.values()) - {""}
"""Every class that `highlight` may set on a `span`."""


class Allowance:
    """A budget of processor time, in seconds, for the thread that made it."""

    def __init__(self, seconds: float) -> None:
        """Take the budget; it starts at the first check."""
        self._seconds = seconds
        self._end: float | None = None

    @property
    def spent(self) -> bool:
        """Whether it is used up. Time in which the thread did not run does not count."""
        now = time.thread_time()
        if self._end is None:
            self._end = now + self._seconds
        return now > self._end


class _TooSlow(Exception):
    """The code takes too long to highlight."""


def highlight(code: str, language: str, allowance: Allowance) -> str:
    """Return `code` as escaped HTML, with coloured spans if its language is known and it is within the limits."""
    name = LANGUAGES.get(language.lower())
    if name is None or len(code) > MAX_CHARACTERS or _wide(code) or allowance.spent:
        return escape(code, quote=False)
    html = StringIO()
    try:
        HtmlFormatter[str](nowrap=True).format(_within(allowance, _lexer(name).get_tokens(code)), html)
    except _TooSlow:
        return escape(code, quote=False)
    return html.getvalue()


def _within(allowance: Allowance, tokens: Iterable[tuple[TokenType, str]]) -> Iterator[tuple[TokenType, str]]:
    for token in tokens:
        if allowance.spent:
            raise _TooSlow
        yield token


def _wide(code: str) -> bool:
    if max(map(len, code.split("\n"))) > MAX_WIDTH:
        return True
    blanks = 0
    for line in code.split("\n"):
        blanks = 0 if line.strip() else blanks + len(line) + 1
        if blanks > MAX_WIDTH:
            return True
    return False


@cache
def _lexer(name: str) -> Lexer:
    # Nothing is stripped: the person sees every line that the agent wrote.
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


# The colours of each kind of token, light and dark: text, and for some the background. A test checks each pair against
# WCAG's 4.5 to 1.
_GROUND = ("#f6f8fa", "#151b23")
_TEXT = ("#1f2328", "#e6edf3")
_COLOURS: Mapping[TokenType, tuple[str, str]] = {
    Token.Comment: ("#59636e", "#9198a1"),
    Token.Keyword: ("#a40e26", "#ff7b72"),
    Token.Operator.Word: ("#a40e26", "#ff7b72"),
    Token.Name.Tag: ("#116329", "#7ee787"),
    Token.Name.Attribute: ("#0550ae", "#79c0ff"),
    Token.Name.Builtin: ("#953800", "#ffa657"),
    Token.Name.Class: ("#6639ba", "#d2a8ff"),
    Token.Name.Constant: ("#0550ae", "#79c0ff"),
    Token.Name.Decorator: ("#6639ba", "#d2a8ff"),
    Token.Name.Exception: ("#953800", "#ffa657"),
    Token.Name.Function: ("#6639ba", "#d2a8ff"),
    Token.Name.Variable: ("#953800", "#ffa657"),
    Token.Literal.String: ("#0a3069", "#a5d6ff"),
    Token.Literal.Number: ("#0550ae", "#79c0ff"),
    Token.Generic.Prompt: ("#59636e", "#9198a1"),
    Token.Generic.Heading: ("#0550ae", "#79c0ff"),
    Token.Generic.Subheading: ("#6639ba", "#d2a8ff"),
    Token.Generic.Inserted: ("#055d20", "#aff5b4"),
    Token.Generic.Deleted: ("#82071e", "#ffdcd7"),
}
_GROUNDS: Mapping[TokenType, tuple[str, str]] = {
    Token.Generic.Inserted: ("#dafbe1", "#033a16"),
    Token.Generic.Deleted: ("#ffebe9", "#67060c"),
}


def highlight_css(dark: bool) -> str:
    """Return the CSS rules for `pre.code`, light or dark: for a file, never inline."""
    lines = [f"pre.code {{ color: {_TEXT[dark]}; background: {_GROUND[dark]}; }}"]
    for kind, colours in _COLOURS.items():
        names = sorted(name for token, name in STANDARD_TYPES.items() if name and _nearest(token) is kind)
        ground = f" background: {_GROUNDS[kind][dark]};" if kind in _GROUNDS else ""
        lines.append(f"{', '.join(f'pre.code .{name}' for name in names)} {{ color: {colours[dark]};{ground} }}")
    return "\n".join(lines) + "\n"


def _nearest(token: TokenType) -> TokenType | None:
    """Return the kind whose colours a token gets: its own, else that of its nearest ancestor."""
    return next((kind for kind in reversed(token.split()) if kind in _COLOURS), None)
