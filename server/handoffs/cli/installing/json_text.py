"""Edits of JSON, and of JSON with comments, as text: one member is added, changed or removed, the rest is unchanged.

The standard library parses the whole text; the scanner here looks only into the objects on the path to our entry and
skips all others, so that a configuration of many megabytes costs little more than reading it. The result is verified by
parsing it again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, cast

import regex as re  # Python's own, in early versions of 3.11, matches a possessive `*+` wrongly

from handoffs.cli.installing.texts import Path, Unreadable, Value, indent, line_start, newline

_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_COMMENT = r"//[^\n\r]*|/\*(?s:.*?)\*/"
_SPACE = re.compile(r"[ \t\r\n]+")
_KEY = re.compile(_STRING)
_SCALAR = re.compile(rf"{_STRING}|[^\s{{}}\[\]:,\"/]+")
_COMMENTS = re.compile(_COMMENT)
_OUTSIDE = re.compile(rf"{_STRING}|(?P<comment>{_COMMENT})")
_TRAILING = re.compile(rf"{_STRING}|(?P<comma>,)(?=[ \t\r\n]*[}}\]])")
_BRACKETS = re.compile(rf"{_STRING}|{_COMMENT}|(?P<bracket>[{{}}\[\]])")
_TOKENS = re.compile(rf"(?P<string>{_STRING})|{_COMMENT}|(?P<mark>[{{}}\[\]:,])")
_REST_OF_LINE = re.compile(r"(?:[ \t]|/\*[^\n]*?\*/)*(?://[^\n\r]*)?(?=\r?\n)")

_WHY = {
    "Expecting property name": "a key in double quotes is expected",
    "Illegal trailing comma": "a key in double quotes is expected",
    "Expecting ':'": "a colon is missing",
    "Expecting ','": "a comma is missing",
    "Expecting value": "this is not a JSON value",
    "Extra data": "something follows the end",
}
"""The standard library's messages, in our words."""


@dataclass(slots=True)
class _Node:
    start: int
    end: int
    members: "list[_Member] | None" = None
    """Of an object that was looked into; None for everything else."""


@dataclass(slots=True)
class _Member:
    key: str
    start: int
    value: _Node
    comma: int | None = None
    """Where the comma after it is."""


class _Twice(Exception):
    """A key is there twice."""


@dataclass(slots=True)
class _Scanner:
    """Finds the objects on a path; skips all others."""

    text: str
    at: int = 0

    def space(self) -> None:
        while True:
            if found := _SPACE.match(self.text, self.at) or _COMMENTS.match(self.text, self.at):
                self.at = found.end()
            else:
                return

    def char(self) -> str:
        """Return the next character that is no blank, without taking it."""
        self.space()
        return self.text[self.at : self.at + 1]

    def value(self) -> _Node:
        """Skip a value, and return where it is."""
        opens, start = self.char(), self.at
        if opens not in {"{", "["}:
            found = _SCALAR.match(self.text, start)
            if found is None:
                raise wrong(self.text, start, "this is not a JSON value")
            self.at = found.end()
            return _Node(start, self.at)
        depth = 0
        for found in _BRACKETS.finditer(self.text, start):
            bracket = found["bracket"]
            if bracket is not None:
                depth += 1 if bracket in "{[" else -1
                if depth == 0:
                    self.at = found.end()
                    return _Node(start, self.at)
        raise wrong(self.text, len(self.text), "it ends too early")

    def items(self) -> Iterator[tuple[int, int]]:
        """Yield where each item of a list is."""
        self.at += 1
        while self.char() != "]":
            item = self.value()
            yield item.start, item.end
            if self.char() == ",":
                self.at += 1

    def object(self) -> _Node:
        """Look into an object, and return where it and its members are."""
        node = _Node(self.at, self.at, [])
        members = cast("list[_Member]", node.members)
        self.at += 1
        while self.char() != "}":
            found = _KEY.match(self.text, self.at)
            if found is None:
                raise wrong(self.text, self.at, "a key in double quotes is expected")
            self.at = found.end()
            if self.char() != ":":
                raise wrong(self.text, self.at, "a colon is missing")
            self.at += 1
            members.append(_Member(cast("str", json.loads(found[0])), found.start(), self.value()))
            if self.char() == ",":
                members[-1].comma = self.at
                self.at += 1
            elif self.char() != "}":
                raise wrong(self.text, self.at, "a comma is missing")
        self.at += 1
        node.end = self.at
        return node


class JsonText:
    """JSON as hosts write it; with `comments`, comments and commas after the last item are allowed."""

    def __init__(self, *, comments: bool) -> None:
        self._comments = comments

    def read(self, text: str) -> Mapping[str, object]:
        """Return the document; an empty text is an empty one. Raises Unreadable."""
        if not text.strip(" \t\r\n"):
            return {}
        plain = _blanked(text) if self._comments else text
        try:
            document: object = json.loads(plain, object_pairs_hook=_once, parse_constant=_no_constant)
        except _Twice:
            raise wrong(text, _second(text), "the same key is there twice") from None
        except json.JSONDecodeError as refused:
            self._explain(text, refused)
        except RecursionError:
            raise Unreadable("it is nested too deeply") from None
        except ValueError as refused:
            raise Unreadable(f"this is not JSON ({refused})") from None
        if not isinstance(document, dict):
            raise Unreadable("its top level is not an object")
        return cast("dict[str, object]", document)

    def put(self, text: str, path: Path, value: object) -> str:
        """Return the text with `value` at `path`."""
        if not text.strip(" \t\r\n"):
            return self.snippet(path, value)
        depth, node, place = 0, None, _Scanner(text)
        for depth, key in enumerate(path):
            if place.char() != "{":
                raise Unreadable(f"{'.'.join(path[:depth]) or 'its top level'} is not an object")
            node = place.object()
            member = next((member for member in node.members or () if member.key == key), None)
            if member is None:
                for missing in reversed(path[depth + 1 :]):
                    value = {missing: value}
                return _insert(text, node, key, value)
            node = member.value
            place.at = node.start
        assert node is not None
        return text[: node.start] + _dump(text, value, indent(text, node.start)) + text[node.end :]

    def cut(self, text: str, path: Path) -> str:
        """Return the text without what is at `path`."""
        place = _Scanner(text)
        for key in path[:-1]:
            place.char()
            node = place.object()
            place.at = next(member.value.start for member in node.members or () if member.key == key)
        place.char()
        return _delete(text, place.object(), path[-1])

    def find(self, text: str, path: Path) -> Value | None:
        """Return where the value at `path` stands."""
        member = _member(text, path)
        if member is None:
            return None
        start = member.value.start
        items = tuple(_Scanner(text, start).items()) if text[start] == "[" else None
        return Value(start=start, end=member.value.end, items=items)

    def beside(self, text: str, path: Path, key: str, words: Sequence[str]) -> str:
        """Return the text with a list right behind the value at `path`."""
        member = _member(text, path)
        assert member is not None
        alone = not text[line_start(text, member.start) : member.start].strip(" \t")
        gap = newline(text) + indent(text, member.start) if alone else " "
        end = member.value.end
        return f"{text[:end]},{gap}{self.word(key)}: [{', '.join(words)}]{text[end:]}"

    def whole(self, text: str, path: Path) -> tuple[int, int]:
        """Return where the object at `path` stands."""
        member = _member(text, path)
        assert member is not None
        return member.value.start, member.value.end

    def written(self, text: str, path: Path, value: Mapping[str, object]) -> str:
        """Return an object in the place of the one at `path`: on one line where that is, else with a line a member."""
        start, end = self.whole(text, path)
        members = [f"{self.word(key)}: {json.dumps(each, ensure_ascii=False)}" for key, each in value.items()]
        if "\n" not in text[start:end]:
            return f"{{{', '.join(members)}}}"
        gap = newline(text) + indent(text, start)
        return "{" + ",".join(gap + _step(text) + each for each in members) + gap + "}"

    def fitted(self, text: str, path: Path, written: str) -> str:
        """Return it as it is."""
        return written

    def word(self, value: str) -> str:
        """Return a string as JSON."""
        return json.dumps(value, ensure_ascii=False)

    def snippet(self, path: Path, value: object) -> str:
        """Return a document of its own."""
        for key in reversed(path):
            value = {key: value}
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"

    def _explain(self, text: str, refused: json.JSONDecodeError) -> NoReturn:
        at = refused.pos
        if not self._comments and text.startswith(("//", "/*"), at):
            raise wrong(text, at, "there is a comment, which this host can't read") from None
        if not text[at:].strip(" \t\r\n"):
            raise wrong(text, at, "it ends too early") from None
        why = next((ours for theirs, ours in _WHY.items() if refused.msg.startswith(theirs)), "this is not JSON")
        if why == "a comma is missing" and text[at - 1].isalnum() and text[at].isalnum():
            why = "this is not a JSON value"  # 01
        raise wrong(text, at, why) from None


def _member(text: str, path: Path) -> _Member | None:
    place = _Scanner(text)
    member: _Member | None = None
    for key in path:
        if place.char() != "{":
            return None
        member = next((each for each in place.object().members or () if each.key == key), None)
        if member is None:
            return None
        place.at = member.value.start
    return member


def wrong(text: str, at: int, why: str) -> Unreadable:
    """Return the refusal, with the line of a position."""
    return Unreadable(f"line {text.count(chr(10), 0, at) + 1}: {why}")


def _once(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Twice
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value")


def _blanked(text: str) -> str:
    """Return the text with blanks in the place of comments and of commas after the last item: nothing moves."""
    plain = _replaced(text, ((found.start(), found.end()) for found in _OUTSIDE.finditer(text) if found["comment"]))
    commas = (found.start() for found in _TRAILING.finditer(plain) if found["comma"])
    return _replaced(plain, ((at, at + 1) for at in commas if _before(plain, at) not in {"{", "[", ",", ":"}))


def _before(text: str, at: int) -> str:
    """Return the character before a position, without blanks."""
    while at and text[at - 1] in " \t\r\n":
        at -= 1
    return text[at - 1 : at]


def _replaced(text: str, places: Iterator[tuple[int, int]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end in places:
        pieces += text[at:start], re.sub(r"[^\r\n]", " ", text[start:end])
        at = end
    return "".join((*pieces, text[at:])) if pieces else text


def _second(text: str) -> int:
    """Return where a key is there for the second time in its object."""
    seen: list[set[str]] = [set()]
    last: re.Match[str] | None = None
    for found in _TOKENS.finditer(text):
        match found["mark"]:
            case "{" | "[":
                seen.append(set())
            case "}" | "]":
                seen.pop()
            case ":" if last is not None:
                key = cast("str", json.loads(last[0]))
                if key in seen[-1]:
                    return last.start()
                seen[-1].add(key)
            case _:
                pass
        last = found if found["string"] else None
    return 0


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
