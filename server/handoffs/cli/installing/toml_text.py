"""TOML changed as text: one table goes in, changes or comes out, the rest stays as it is.

A statement is as many lines as the standard library's parser needs to accept them; that is all the grammar there is
here. What is written in another way than as a table of its own (inline, with dots) can be taken out, not changed.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from handoffs.cli.installing.texts import Path, Unreadable, newline

_BARE = re.compile(r"[A-Za-z0-9_-]+")


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
        self.read(text)
        end = newline(text)
        if isinstance(value, dict):
            # No line end at the end means none afterwards: what was there can then be told when it is taken out.
            block = "".join(self._table(path, cast("dict[str, object]", value))).replace("\n", end)
            if not text:
                return block
            if text.endswith("\n"):
                return text + end + block
            return text + end + end + block.removesuffix(end)
        table, key = path[:-1], path[-1]
        inside = [statement for statement in _statements(text) if statement.table == table and not statement.blank]
        if not table and not inside:
            return f"{_key(key)} = {_value(value)}{end}{text}"
        if table and (not inside or not inside[0].header):
            raise Unreadable(f"{'.'.join(table)} is not written as a table of its own; take it out, and add it again")
        line = f"{_key(key)} = {_value(value)}"
        same = next((statement for statement in inside if statement.keys[:1] == (key,)), None)
        if same is None:
            # Behind the last value that is there; a comment that belongs to the next table stays with it.
            at = inside[-1].end
            if text[at - 1] != "\n":
                return f"{text[:at]}{end}{line}{text[at:]}"
            return f"{text[:at]}{line}{end}{text[at:]}"
        if same.keys != (key,):
            raise Unreadable(f"{'.'.join(path)} is written with dots; change it by hand")
        old = text[same.start : same.end]
        tail = old[len(old.rstrip("\r\n")) :]
        lead = old[: len(old) - len(old.lstrip(" \t"))]
        comment = re.fullmatch(r"""(?:[^#"']|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')*?([ \t]*#.*)?""", old.rstrip("\r\n"))
        kept = comment[1] or "" if comment is not None else ""
        return text[: same.start] + lead + line + kept + tail + text[same.end :]

    def cut(self, text: str, path: Path) -> str:
        """Return the text without the tables and values at and below `path`."""
        mine = False
        pieces: list[str] = []
        for statement in _statements(text):
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


def _statements(text: str) -> Iterator[_Statement]:
    table: Path = ()
    start = 0
    at = 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        at += len(line)
        written = text[start:at]
        try:
            parsed = cast("dict[str, object]", tomllib.loads(written))
        except ValueError:
            continue  # it goes on in the next line
        header = written.lstrip(" \t").startswith("[")
        keys = _single(parsed)
        if header:
            table, keys = keys, ()
        yield _Statement(start, at, table, keys, header, blank=not parsed)
        start = at


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
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
