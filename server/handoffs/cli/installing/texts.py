"""The interface of the three formats: reading and editing a configuration as text, and the reasons for refusing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Keys from the top of a document."""


class Unreadable(Exception):
    """The text is not valid in its format, or can't be changed safely; says where and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """Where a value stands in a text."""

    start: int
    end: int
    items: tuple[tuple[int, int], ...] | None = None
    """Where each item of a list stands; None for everything else."""
    block: bool = False
    """Whether it is a list of YAML with a dash before each item."""


class Text(Protocol):
    """One format. Every edit returns a new text, which is otherwise equal byte for byte."""

    def read(self, text: str) -> Mapping[str, object]:
        """Return the document as plain values, by another parser than the one that edits. Raises Unreadable."""
        ...

    def put(self, text: str, path: Path, value: object) -> str:
        """Return the text with `value` at `path`; what holds it is made where it is missing. Raises Unreadable."""
        ...

    def cut(self, text: str, path: Path) -> str:
        """Return the text without what is at `path`; what held it stays, empty. Raises Unreadable."""
        ...

    def find(self, text: str, path: Path) -> Value | None:
        """Return where the value at `path` stands, or None. Raises Unreadable."""
        ...

    def beside(self, text: str, path: Path, key: str, words: Sequence[str]) -> str:
        """Return the text with a list at `key`, right behind the value at `path`. Raises Unreadable.

        Its `words` are written in this format already.
        """
        ...

    def whole(self, text: str, path: Path) -> tuple[int, int]:
        """Return where all that is written of the mapping at `path` stands. Raises Unreadable: not in one place."""
        ...

    def written(self, text: str, path: Path, value: Mapping[str, object]) -> str:
        """Return a mapping as it can stand there in its place, in the form of the one that stands there."""
        ...

    def fitted(self, text: str, path: Path, written: str) -> str:
        """Return a mapping that was written for this place as it fits there now: a host may have moved the place."""
        ...

    def word(self, value: str) -> str:
        """Return a string as it is written in this format, on one line."""
        ...

    def snippet(self, path: Path, value: object) -> str:
        """Return a whole document with nothing but `value` at `path`, for a person to copy."""
        ...


def newline(text: str) -> str:
    """Return the line end that a text uses: that of its first line."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def line_start(text: str, position: int) -> int:
    """Return where the line of a position begins."""
    return text.rfind("\n", 0, position) + 1


def indent(text: str, position: int) -> str:
    """Return the white space that the line of a position begins with."""
    start = line_start(text, position)
    line = text[start:position]
    return line[: len(line) - len(line.lstrip(" \t"))]
