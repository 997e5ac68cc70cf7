"""The interface of the three formats: reading and editing a configuration as text, and the reasons for refusing."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Keys from the top of a document."""


class Unreadable(Exception):
    """The text is not valid in its format, or can't be changed safely; says where and why."""


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
