"""JSON, and JSON with comments, changed as text: one member goes in, changes or comes out, the rest stays as it is.

The scanner keeps positions and is strict: what the grammar does not allow is refused with its line. `read` parses with
the standard library instead, so that a mistake in the one shows in the other.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from handoffs.cli.installing.texts import Path, Unreadable, indent, line_start, newline

_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_COMMENT = r"//[^\n\r]*|/\*(?s:.*?)\*/"
_TOKEN = re.compile(rf"(?P<string>{_STRING})|(?P<mark>[{{}}\[\]:,])|(?P<scalar>[^\s{{}}\[\]:,\"/]+)")
_SPACE = re.compile(r"[ \t\r\n]+")
_COMMENTS = re.compile(_COMMENT)
_REST_OF_LINE = re.compile(r"(?:[ \t]|/\*[^\n]*?\*/)*(?://[^\n\r]*)?(?=\r?\n)")
_DEPTH = 100


@dataclass(slots=True)
class _Node:
    start: int
    end: int = 0
    members: "list[_Member] | None" = None
    """Of an object; None for everything else."""


@dataclass(slots=True)
class _Member:
    key: str
    start: int
    value: _Node
    comma: int | None = None
    """Where the comma after it is."""


@dataclass(slots=True)
class _Scanner:
    text: str
    comments: bool
    at: int = 0
    depth: int = field(default=0)

    def document(self) -> _Node:
        node = self.value()
        self.space()
        if self.at < len(self.text):
            raise self.wrong("something follows the end")
        return node

    def space(self) -> None:
        while True:
            if blank := _SPACE.match(self.text, self.at):
                self.at = blank.end()
            elif comment := _COMMENTS.match(self.text, self.at):
                if not self.comments:
                    raise self.wrong("there is a comment, which this host can't read")
                self.at = comment.end()
            else:
                return

    def wrong(self, why: str, at: int | None = None) -> Unreadable:
        line = self.text.count("\n", 0, self.at if at is None else at) + 1
        return Unreadable(f"line {line}: {why}")

    def word(self) -> tuple[str, int]:
        self.space()
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            raise self.wrong("it ends too early" if self.at >= len(self.text) else "this is not JSON")
        self.at = found.end()
        return found[0], found.start()

    def value(self) -> _Node:
        word, start = self.word()
        node = _Node(start)
        self.depth += 1
        if self.depth > _DEPTH:
            raise self.wrong("it is nested too deeply")
        if word == "{":
            node.members = self.members()
        elif word == "[":
            self.items()
        elif word in {"}", "]", ":", ","}:
            raise self.wrong(f"a value is missing before {word}", start)
        elif not word.startswith('"') and not re.fullmatch(
            r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null", word
        ):
            raise self.wrong("this is not a JSON value", start)
        self.depth -= 1
        node.end = self.at
        return node

    def members(self) -> list[_Member]:
        members: list[_Member] = []
        keys: set[str] = set()
        while True:
            word, start = self.word()
            if word == "}" and (not members or self.comments):
                return members
            if not word.startswith('"'):
                raise self.wrong("a key in double quotes is expected", start)
            key = cast("str", json.loads(word))
            if key in keys:
                raise self.wrong("the same key is there twice", start)
            keys.add(key)
            colon, at = self.word()
            if colon != ":":
                raise self.wrong("a colon is missing", at)
            members.append(_Member(key, start, self.value()))
            word, at = self.word()
            if word == "}":
                return members
            if word != ",":
                raise self.wrong("a comma is missing", at)
            members[-1].comma = at

    def items(self) -> None:
        first = True
        while True:
            self.space()
            if self.text.startswith("]", self.at) and (first or self.comments):
                self.at += 1
                return
            self.value()
            first = False
            word, at = self.word()
            if word == "]":
                return
            if word != ",":
                raise self.wrong("a comma is missing", at)


class JsonText:
    """JSON as hosts write it; with `comments`, comments and commas after the last item are allowed."""

    def __init__(self, *, comments: bool) -> None:
        self._comments = comments

    def read(self, text: str) -> Mapping[str, object]:
        """Return the document; an empty text is an empty one. Raises Unreadable."""
        if not text.strip(" \t\r\n"):
            return {}
        self._scan(text)
        plain = re.sub(rf"({_STRING})|{_COMMENT}", lambda found: found[1] or " ", text) if self._comments else text
        if self._comments:
            plain = re.sub(rf"({_STRING})|,(?=\s*[}}\]])", lambda found: found[1] or "", plain)
        try:
            document: object = json.loads(plain)
        except (ValueError, RecursionError) as wrong:
            raise Unreadable(f"this is not JSON ({wrong})") from None
        if not isinstance(document, dict):
            raise Unreadable("its top level is not an object")
        return cast("dict[str, object]", document)

    def put(self, text: str, path: Path, value: object) -> str:
        """Return the text with `value` at `path`."""
        if not text.strip(" \t\r\n"):
            return self.snippet(path, value)
        node = self._scan(text)
        for depth, key in enumerate(path):
            if node.members is None:
                raise Unreadable(f"{'.'.join(path[:depth]) or 'its top level'} is not an object")
            member = next((member for member in node.members if member.key == key), None)
            if member is None:
                for missing in reversed(path[depth + 1 :]):
                    value = {missing: value}
                return _insert(text, node, key, value)
            node = member.value
        return text[: node.start] + _dump(text, value, indent(text, node.start)) + text[node.end :]

    def cut(self, text: str, path: Path) -> str:
        """Return the text without what is at `path`."""
        node = self._scan(text)
        for key in path[:-1]:
            node = next(member.value for member in node.members or () if member.key == key)
        return _delete(text, node, path[-1])

    def snippet(self, path: Path, value: object) -> str:
        """Return a document of its own."""
        for key in reversed(path):
            value = {key: value}
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"

    def _scan(self, text: str) -> _Node:
        return _Scanner(text, self._comments).document()


def _dump(text: str, value: object, base: str) -> str:
    """Return a value as the text around it is written: over several lines, in its step, with its line ends."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    end = newline(text)
    step = _step(text)
    return json.dumps(value, indent=step, ensure_ascii=False).replace("\n", end + base)


def _step(text: str) -> str:
    """Return what one level is indented by."""
    found = re.search(r"\{[ \t]*(?://[^\n]*)?\r?\n(?:[ \t]*(?://[^\n]*)?\r?\n)*([ \t]+)\"", text)
    return found[1] if found is not None and indent(text, found.start()) == "" else "  "


def _insert(text: str, node: _Node, key: str, value: object) -> str:
    members = node.members or []
    close = node.end - 1
    base = indent(text, node.start)
    if not members:
        return _fill(text, node.start + 1, close, base, key, value)
    last = members[-1]
    if "\n" not in text[node.start : members[0].start]:  # all on one line
        entry = f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        if last.comma is not None:
            return text[: last.comma + 1] + entry + "," + text[last.comma + 1 :]
        return text[: last.value.end] + "," + entry + text[last.value.end :]
    inner = indent(text, last.start) if not text[line_start(text, last.start) : last.start].strip() else base + "  "
    entry = f"{newline(text)}{inner}{json.dumps(key)}: {_dump(text, value, inner)}"
    after = last.value.end if last.comma is None else last.comma + 1
    # A comment behind the last value stays behind it.
    rest = _REST_OF_LINE.match(text, after)
    where = rest.end() if rest is not None else after
    if last.comma is not None:
        return text[:where] + entry + "," + text[where:]
    return text[: last.value.end] + "," + text[last.value.end : where] + entry + text[where:]


def _fill(text: str, start: int, close: int, base: str, key: str, value: object) -> str:
    """Put the first member in. What was between the braces can be told afterwards, so that `_delete` restores it."""
    end = newline(text)
    inner = base + _step(text)
    within = text[start:close]
    entry = f"{json.dumps(key)}: {_dump(text, value, inner)}"
    if within == "":
        return f"{text[:start]}{end}{inner}{entry}{end}{base}{text[close:]}"
    if within == end + base:
        return f"{text[:start]}{entry}{text[start:]}"
    # Before what was there: a comment on the brace's own line is then behind our entry.
    return f"{text[:start]}{end}{inner}{entry}{text[start:]}"


def _delete(text: str, node: _Node, key: str) -> str:
    members = node.members or []
    index = next(index for index, member in enumerate(members) if member.key == key)
    member = members[index]
    start = len(text[: member.start].rstrip(" \t"))
    if text[start - 1] == "\n":  # the line end before it is the one that `_insert` wrote
        start -= 2 if text[start - 2] == "\r" else 1
    end = member.value.end if member.comma is None else member.comma + 1
    if "//" in text[line_start(text, start) : start] and not re.match(r"[ \t]*\r?\n", text[end:]):
        start = member.start  # what follows would become part of the comment
    if len(members) == 1:
        close = node.end - 1
        rest = text[end:close]
        # As `_fill` leaves it where there was nothing between the braces.
        alone = start == node.start + 1 < member.start and rest == newline(text) + indent(text, node.start)
        return text[:start] + ("" if alone else rest) + text[close:]
    if index == len(members) - 1 and member.comma is None:
        comma = members[index - 1].comma
        assert comma is not None
        return text[:comma] + text[comma + 1 : start] + text[end:]
    return text[:start] + text[end:]
