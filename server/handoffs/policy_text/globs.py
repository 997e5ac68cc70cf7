"""Globs over the names of servers and tools: `*` is any text, `?` any one character, the rest stands for itself.

Globs are indexed by the text before their first wildcard, so a name is compared with the few that can match it.
`covers` is exact: it walks both globs at once, as finite automata.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

ALLOWED = "a name with * for any text and ? for any one character, or a list of such names"

_OTHER = "\0"
"""Any character that stands in neither of two globs."""


class Globs(Generic[T]):
    """Values under pairs of globs, one for the server and one for the tool, in the order in which they were added."""

    def __init__(self) -> None:
        self._by_prefix: dict[str, list[tuple[int, str, str, re.Pattern[str], re.Pattern[str], T]]] = {}
        self._count = 0
        self._longest = 0

    def add(self, server: str, tool: str, value: T) -> None:
        """Add a value."""
        start = prefix(tool)
        self._longest = max(self._longest, len(start))
        under = self._by_prefix.setdefault(start, [])
        under.append((self._count, server, tool, compiled(server), compiled(tool), value))
        self._count += 1

    def matching(self, server: str, tool: str) -> list[T]:
        """Return the values whose globs match these names, in order."""
        found = [
            (number, value)
            for number, _, _, servers, tools, value in self._sharing(tool)
            if servers.fullmatch(server) and tools.fullmatch(tool)
        ]
        return [value for _, value in sorted(found, key=lambda each: each[0])]

    def covering(self, server: str, tool: str) -> T | None:
        """Return the first value whose globs match every name that these globs match; None if there is none."""
        # One name that these globs match rules out nearly all others, at a hundredth of the cost.
        one_server, one_tool = _sample(server), _sample(tool)
        found = [
            (number, value)
            for number, wide_server, wide_tool, servers, tools, value in self._sharing(prefix(tool))
            if tools.fullmatch(one_tool)
            and servers.fullmatch(one_server)
            and covers(wide_tool, tool)
            and covers(wide_server, server)
        ]
        return min(found, key=lambda each: each[0])[1] if found else None

    def _sharing(self, text: str) -> Iterator[tuple[int, str, str, re.Pattern[str], re.Pattern[str], T]]:
        for end in range(min(len(text), self._longest) + 1):
            yield from self._by_prefix.get(text[:end], ())


def problem_of(glob: str) -> str | None:
    """Return what is wrong with a glob, None if nothing is: what other tools read as a pattern is no glob here."""
    if not glob:
        return "an empty name matches nothing"
    if strange := sorted(set(glob) & set("[]{}")):
        return f"{glob!r} has {strange[0]!r}, which is no wildcard here"
    return None


def prefix(glob: str) -> str:
    """Return the text before the first wildcard."""
    return re.split(r"[*?]", glob, maxsplit=1)[0]


def compiled(glob: str) -> re.Pattern[str]:
    """Return the regular expression that matches what the glob matches."""
    # Possessive and atomic groups keep the time linear in the name: the first place that fits a literal part is as good
    # as any later one, but for the last part, which has to end the name.
    *parts, last = [
        "".join("." if char == "?" else re.escape(char) for char in part) for part in re.split(r"\*+", glob)
    ]
    if not parts:
        return re.compile(last, re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in parts[1:] if part)
    return re.compile(f"{parts[0]}{middle}.*{last}", re.DOTALL)


def covers(wide: str, narrow: str) -> bool:
    """Say whether `wide` matches every name that `narrow` matches."""
    letters = (set(wide + narrow) - set("*?")) | {_OTHER}
    seen: set[tuple[int, frozenset[int]]] = set()
    waiting = [(0, _skipped(wide, {0}))]
    while waiting:
        state = at, among = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        if not among or (at == len(narrow) and len(wide) not in among):
            return False
        waiting += _next(wide, narrow, at, among, letters)
    return True


def _sample(glob: str) -> str:
    return glob.replace("*", _OTHER).replace("?", _OTHER)


def _next(
    wide: str, narrow: str, at: int, among: frozenset[int], letters: set[str]
) -> Sequence[tuple[int, frozenset[int]]]:
    if at == len(narrow):
        return []
    match narrow[at]:
        case "*":
            return [(at + 1, among), *((at, _stepped(wide, among, letter)) for letter in letters)]
        case "?":
            return [(at + 1, _stepped(wide, among, letter)) for letter in letters]
        case letter:
            return [(at + 1, _stepped(wide, among, letter))]


def _stepped(glob: str, among: frozenset[int], letter: str) -> frozenset[int]:
    after: set[int] = set()
    for at in among:
        if at < len(glob) and glob[at] == "*":
            after.add(at)
        elif at < len(glob) and glob[at] in ("?", letter):
            after.add(at + 1)
    return _skipped(glob, after)


def _skipped(glob: str, among: set[int]) -> frozenset[int]:
    """The positions, and those behind a `*`, which may be empty."""
    reached = set(among)
    for at in range(min(among, default=0), len(glob)):
        if at in reached and glob[at] == "*":
            reached.add(at + 1)
    return frozenset(reached)
