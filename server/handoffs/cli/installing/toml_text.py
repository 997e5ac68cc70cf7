"""Edits of TOML as text: one table is added, changed or removed, the rest is unchanged.

A statement ends at a line's end outside of brackets and strings. The standard library parses headers and keys, only
where they may be ours. An entry that is not a table of its own (inline, or with dots) can be removed, not changed.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import regex as re  # Python's own, in early versions of 3.11, matches a possessive `*+` wrongly

from handoffs.cli.installing.texts import Path, Unreadable, Value, newline

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = re.compile(rf"\s*{_NAME}[ \t]*\.")
_KEYS = re.compile(rf"{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*")
_NAMES = re.compile(_NAME)
_BLANKS = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*+")
_BARE_VALUE = re.compile(r"[^,\]}#\r\n]+")
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


@dataclass(frozen=True, slots=True)
class _Found:
    """A key and its value."""

    key: tuple[int, int]
    value: tuple[int, int]
    line_end: int
    """Where the next statement begins; -1 in an inline table."""


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

    def find(self, text: str, path: Path) -> Value | None:
        """Return where the value at `path` stands; a table of its own stands nowhere."""
        found = _find(text, path)
        if found is None:
            return None
        start, end = found.value
        return Value(start=start, end=end, items=tuple(_items(text, start)) if text[start] == "[" else None)

    def beside(self, text: str, path: Path, key: str, words: Sequence[str]) -> str:
        """Return the text with a list right behind the value at `path`."""
        found = _find(text, path)
        assert found is not None
        start, stop = found.key
        *_, last = _NAMES.finditer(text, start, stop)
        member = f"{text[start : last.start()]}{_key(key)} = [{', '.join(words)}]"
        end = found.line_end
        if end < 0:
            return f"{text[: found.value[1]]}, {member}{text[found.value[1] :]}"
        line = text[text.rfind("\n", 0, start) + 1 : start] + member
        gap = newline(text)
        return f"{text[:end]}{line}{gap}{text[end:]}" if text[end - 1] == "\n" else f"{text}{gap}{line}"

    def whole(self, text: str, path: Path) -> tuple[int, int]:
        """Return where the table at `path` and those below it stand, without the last line's end."""
        if (found := _find(text, path)) is not None:
            return found.value
        each = [statement for statement in _statements(text, path) if not statement.blank]
        mine = [index for index, statement in enumerate(each) if statement.within(path)]
        if mine != list(range(mine[0], mine[-1] + 1)):
            raise Unreadable("it is written in several places of the file")
        start, end = each[mine[0]].start, each[mine[-1]].end
        return start, start + len(text[start:end].rstrip("\r\n"))

    def written(self, text: str, path: Path, value: Mapping[str, object]) -> str:
        """Return a table in the place of the one at `path`: inline, with dots, or with a header."""
        if _find(text, path) is not None:
            return _value(value)
        first = next(each for each in _statements(text, path) if each.within(path))
        if first.header:
            lines = "".join(self._table(path, value)).rstrip("\n")
        else:
            name = ".".join(map(_key, path[len(first.table) :]))
            lines = "\n".join(f"{name}.{_key(key)} = {_value(each)}" for key, each in value.items())
        return lines.replace("\n", newline(text))

    def fitted(self, text: str, path: Path, written: str) -> str:
        """Return it as it is."""
        return written

    def word(self, value: str) -> str:
        """Return a string in TOML."""
        return _value(value)

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


def _find(text: str, path: Path) -> _Found | None:
    for statement in _statements(text, path):
        table = statement.table
        if statement.blank or statement.header or path[: len(table)] != table:
            continue
        found, _ = _walk(text, statement.start, path[len(table) :], statement.end)
        if found is not None:
            return found
    return None


def _walk(text: str, at: int, path: Path, line_end: int) -> tuple[_Found | None, int]:
    """Look at one key and its value, and return what is at `path` in it, and where the value ends."""
    start = _after_blanks(text, at)
    keys = _KEYS.match(text, start)
    if keys is None:
        raise Unreadable("it is written in a way that can't be changed safely")
    value = _after_blanks(text, text.index("=", keys.end()) + 1)
    end = _value_end(text, value)
    names = tuple(_name(each[0]) for each in _NAMES.finditer(keys[0]))
    if path[: len(names)] != names:
        return None, end
    deeper = path[len(names) :]
    if not deeper:
        return _Found((start, keys.end()), (value, end), line_end), end
    if text[value] == "{":
        at = _after_blanks(text, value + 1)
        while text[at] != "}":
            found, at = _walk(text, at, deeper, -1)
            if found is not None:
                return found, end
            at = _after_comma(text, at)
    return None, end


def _items(text: str, start: int) -> Iterator[tuple[int, int]]:
    at = _after_blanks(text, start + 1)
    while text[at] != "]":
        end = _value_end(text, at)
        yield at, end
        at = _after_comma(text, end)


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()


def _after_comma(text: str, at: int) -> int:
    at = _after_blanks(text, at)
    return _after_blanks(text, at + 1) if text[at] == "," else at


def _value_end(text: str, start: int) -> int:
    if text[start] in "[{":
        depth = 0
        for found in _PIECES.finditer(text, start):
            depth += 1 if found["opens"] else -1 if found["closes"] else 0
            if depth == 0:
                return found.end()
    found = (_PIECES if text[start] in "\"'" else _BARE_VALUE).match(text, start)
    if found is None:
        raise Unreadable("it is written in a way that can't be changed safely")
    return start + len(found[0].rstrip())


def _name(written: str) -> str:
    match written[0]:
        case "'":
            return written[1:-1]
        case '"':
            return str(_parsed(f"name = {written}")["name"])
        case _:
            return written
