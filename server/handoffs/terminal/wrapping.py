"""Wrapping of text to a given width, measured in terminal cells."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeAlias

Line: TypeAlias = list[tuple[str, str]]
"""Pieces of one line: style and text."""

_WORDS = re.compile(r" +|[^ ]+")


def cells(text: str) -> int:
    """Return how many cells a text takes on one line."""
    return _measure()(text)


def wrap(text: str, width: int) -> list[str]:
    """Return inert text in lines of at most `width` cells, broken at blanks if possible. Indents are kept."""
    width = max(width, 2)  # a wide character must fit
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, used = "", 0
        for word in _WORDS.findall(paragraph):
            size = cells(word)
            if used + size > width and line.strip() and size <= width:
                lines.append(line.rstrip())
                line, used = ("", 0) if word.isspace() else (word, size)
                continue
            if used + size > width:
                *full, word = _pieces(word, width - used, width)
                lines.append((line + full[0]).rstrip())
                lines += full[1:]
                line, used, size = "", 0, cells(word)
            line, used = line + word, used + size
        lines.append(line.rstrip())
    return lines


def cut(line: str, width: int) -> str:
    """Return one line of at most `width` cells; a longer one ends in `…`."""
    return line if cells(line) <= width else _pieces(line, max(width - 1, 0), width)[0] + "…"


def fitted(line: Line, width: int) -> list[Line]:
    """Return a styled line, split into several if it is too wide."""
    if sum(cells(text) for _, text in line) <= width:
        return [line]
    lines: list[Line] = [[]]
    used = 0
    for style, text in line:
        first, *rest = _pieces(text, width - used, width) if used + cells(text) > width else [text]
        lines[-1].append((style, first))
        lines += [[(style, piece)] for piece in rest]
        used = cells(rest[-1]) if rest else used + cells(first)
    return lines


def _pieces(word: str, first: int, width: int) -> list[str]:
    """Return a word in pieces: of at most `first` cells, then of at most `width`. There are at least two."""
    pieces, start, used, room = list[str](), 0, 0, first
    for at, char in enumerate(word):
        size = cells(char)
        if used + size > room:
            pieces.append(word[start:at])
            start, used, room = at, 0, width
        used += size
    return [*pieces, word[start:]]


@cache
def _measure() -> Callable[[str], int]:
    # Deferred: its tables load slowly, and only a shown question needs them. Measured character by character, like
    # prompt_toolkit, which places the text.
    from wcwidth import wcwidth

    widths = lru_cache(maxsize=10_000)(wcwidth)
    return lambda text: sum(max(widths(char), 0) for char in text)
