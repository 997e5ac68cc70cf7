"""Edits of TOML as text: one table is added, changed or removed, the rest is unchanged.

A statement ends at a line's end outside of brackets and strings. The standard library parses headers and keys, only
where they may be ours. An entry that is not a table of its own (inline, or with dots) can be removed, not changed.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import regex as re  # Python's own, in early versions of 3.11, matches a possessive `*+` wrongly

from handoffs.cli.installing.texts import Path, Unreadable, newline

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = re.compile(rf"\s*{_NAME}[ \t]*\.")
_PIECES = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*+"{3,5}|' + r"'''(?:[^']|'(?!''))*+'{3,5}|" + r'"(?:[^\\"\n]|\\.)*+"|' + r"'[^'\n]*'|"
    r"(?P<comment>#[^\n]*)|(?P<opens>[\[{])|(?P<closes>[\]}])|(?P<end>\n)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Statement:
    start: int
    end: int
    table: Path
    """The table that it is in, or that it opens."""
    keys: Path
    """Where its value stands in the table; nothing for a header, a comment or a blank line."""
    header: bool
    blank: bool
    dotted: bool = False
    """Whether its key is several, with dots between."""

    def within(self, path: Path) -> bool:
        whole = self.table + self.keys
        return not self.blank and whole[: len(path)] == path


class TomlText:
    """TOML as people and Codex write it."""

    def read(self, text: str) -> Mapping[str, object]:
        """Return the document. Raises Unreadable."""
        try:
            return cast("dict[str, object]", tomllib.loads(text))
        except (ValueError, RecursionError) as wrong:
            raise Unreadable(f"this is not TOML ({wrong})") from None

    def put(self, text: str, path: Path, value: object) -> str:
        """Return the text with `value` at `path`: a table is appended, a value of a table replaced or added."""
        end, is_table = newline(text), isinstance(value, dict)
        if is_table and not self._has_table(text, path[:-1]):
            # No line end at the end means none afterwards: what was there can then be told when it is taken out.
            block = "".join(self._table(path, cast("dict[str, object]", value))).replace("\n", end)
            if not text:
                return block
            if text.endswith("\n"):
                return text + end + block
            return text + end + end + block.removesuffix(end)
        table, key = path[:-1], path[-1]
        inside = [each for each in _statements(text, path) if each.table == table and not each.blank]
        if not table and not inside:
            return f"{_key(key)} = {_value(value)}{end}{text}"
        if table and (not inside or not inside[0].header):
            return self._put_deeper(text, path, value)
        line = f"{_key(key)} = {_value(value)}"
        same = next((statement for statement in inside if statement.keys[:1] == (key,)), None)
        if same is None:
            # Behind the last value that is there; a comment that belongs to the next table stays with it.
            at = inside[-1].end
            if text[at - 1] != "\n":
                return f"{text[:at]}{end}{line}{text[at:]}"
            return f"{text[:at]}{line}{end}{text[at:]}"
        if same.dotted:
            raise Unreadable(f"{'.'.join(path)} is written with dots; change it by hand")
        old = text[same.start : same.end]
        tail = old[len(old.rstrip("\r\n")) :]
        lead = old[: len(old) - len(old.lstrip(" \t"))]
        comment = re.fullmatch(r"""(?:[^#"']|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')*?([ \t]*#.*)?""", old.rstrip("\r\n"))
        kept = comment[1] or "" if comment is not None else ""
        return text[: same.start] + lead + line + kept + tail + text[same.end :]

    def _has_table(self, text: str, path: Path) -> bool:
        return bool(path) and any(each.header and each.table == path for each in _statements(text, path))

    def _put_deeper(self, text: str, path: Path, value: object) -> str:
        """Put a value into a table that is no table of its own: it is inline in the one above, or not there yet."""
        *above, name = path[:-1]
        whole = self.read(text)
        for key in path[:-1]:
            deeper = whole.get(key)
            whole = cast("dict[str, object]", deeper) if isinstance(deeper, dict) else {}
        mine = [each for each in _statements(text, path[:-1]) if each.table == (*above,) and each.keys[:1] == (name,)]
        inline = bool(mine) and not mine[0].dotted
        if not self._has_table(text, (*above,)) or (whole and not inline):
            table = ".".join(path[:-1])
            raise Unreadable(f"{table} is not written as a table of its own; take it out, and add it again")
        return self.put(text, path[:-1], {**whole, path[-1]: value})

    def cut(self, text: str, path: Path) -> str:
        """Return the text without the tables and values at and below `path`."""
        mine = False
        pieces: list[str] = []
        for statement in _statements(text, path):
            # A comment between two of our lines is within our table; behind the last, it belongs to what follows.
            piece = text[statement.start : statement.end]
            if statement.blank:
                pieces.append(piece)
                continue
            if statement.within(path):
                if mine:
                    _drop_lines(pieces)
                elif statement.header and pieces and pieces[-1].strip(" \t\r\n") == "":
                    pieces.pop()  # the blank line before our table
                pieces.append("")
                mine = True
                continue
            mine = False
            pieces.append(piece)
        left = "".join(pieces)
        return left if text.endswith("\n") or not left.endswith("\n") else left.removesuffix("\n").removesuffix("\r")

    def snippet(self, path: Path, value: object) -> str:
        """Return a document of its own."""
        return "".join(self._table(path, cast("dict[str, object]", value)))

    def _table(self, path: Path, value: Mapping[str, object]) -> Iterator[str]:
        yield f"[{'.'.join(map(_key, path))}]\n"
        for key, item in value.items():
            yield f"{_key(key)} = {_value(item)}\n"


def _drop_lines(pieces: list[str]) -> None:
    """Take out what stands between two of our own lines."""
    while pieces and pieces[-1] != "":
        pieces.pop()


def _statements(text: str, path: Path) -> Iterator[_Statement]:
    """Yield the statements of a text; of those that can't be at or below `path` the keys are not looked at."""
    table: Path = ()
    for start, end in _spans(text):
        written = text[start:end]
        bare = written.strip()
        if not bare or (bare.startswith("#") and "\n" not in bare):
            yield _Statement(start, end, table, (), header=False, blank=True)
        elif bare.startswith("["):
            table = _single(_parsed(written))
            yield _Statement(start, end, table, (), header=True, blank=False)
        elif table[: len(path)] == path[: len(table)]:
            keys, dotted = _single(_parsed(written)), _DOTTED.match(written) is not None
            yield _Statement(start, end, table, keys, header=False, blank=False, dotted=dotted)
        else:
            yield _Statement(start, end, table, (), header=False, blank=False)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each statement begins and ends, its line's end included."""
    start = depth = 0
    for found in _PIECES.finditer(text):
        if found["opens"]:
            depth += 1
        elif found["closes"]:
            depth -= 1
        elif found["end"] and depth <= 0:
            yield start, found.end()
            start = found.end()
            depth = 0
    if start < len(text):
        yield start, len(text)


def _parsed(written: str) -> Mapping[str, object]:
    try:
        return cast("dict[str, object]", tomllib.loads(written))
    except ValueError as wrong:
        raise Unreadable(f"it is written in a way that can't be changed safely ({wrong})") from None


def _single(parsed: Mapping[str, object]) -> Path:
    """Return the keys down to the first value that is not a table of one."""
    path: list[str] = []
    node: object = parsed
    while True:
        if isinstance(node, list) and len(cast("list[object]", node)) == 1:
            node = cast("list[object]", node)[0]
        if not isinstance(node, dict) or len(cast("dict[str, object]", node)) != 1:
            return tuple(path)
        ((key, node),) = cast("dict[str, object]", node).items()
        path.append(key)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: object) -> str:
    """Return a value in TOML: JSON's strings, numbers, booleans and lists are TOML's too, but for DEL."""
    if isinstance(value, dict):
        members = (f"{_key(key)} = {_value(item)}" for key, item in cast("dict[str, object]", value).items())
        return f"{{ {', '.join(members)} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
