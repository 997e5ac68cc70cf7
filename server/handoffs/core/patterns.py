"""Regular expressions of JSON schema (ECMA-262), matched against what a person enters, within bounds.

Agents write them. A pattern that backtracks without end must not stop the server: each match has a time limit, which
Python's own `re` lacks. Syntax with another meaning there (`$`, `\\d`) is translated.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Protocol, cast

MAX_PATTERN = 1_000
"""The most characters of a pattern. Zod's longest, for a date and time, has 300."""

SECONDS = 0.2


class TooSlow(ValueError):
    """A pattern takes too long on this text."""


class _Compiled(Protocol):
    def search(self, string: str, *, timeout: float) -> object: ...


_IN_CLASS = {"d": "0-9", "w": "A-Za-z0-9_"}
_OUTSIDE = {"d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]"}


def readable(pattern: str) -> bool:
    """Return whether this pattern can be used: short enough, and valid."""
    try:
        _compiled(pattern)
    except ValueError:
        return False
    return True


def matches(pattern: str, text: str) -> bool:
    """Return whether the pattern is found in the text. Raises TooSlow."""
    try:
        return _compiled(pattern).search(text, timeout=SECONDS) is not None
    except TimeoutError:
        raise TooSlow(pattern) from None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> _Compiled:
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"longer than {MAX_PATTERN} characters")
    # Deferred: few forms have patterns.
    module = import_module("regex")
    try:
        return cast("Callable[[str], _Compiled]", module.compile)(_translated(pattern))
    except (cast("type[Exception]", module.error), OverflowError, RecursionError) as wrong:
        raise ValueError(str(wrong)) from None


def _translated(pattern: str) -> str:
    out: list[str] = []
    inside = False
    for piece in cast("list[str]", re.findall(r"\\.|.", pattern, re.DOTALL)):
        if piece[0] == "\\" and len(piece) == 2:
            out.append((_IN_CLASS if inside else _OUTSIDE).get(piece[1]) or piece)
            continue
        if not inside and piece == "$":
            piece = r"\Z"  # elsewhere also before a line feed at the end
        if piece == "[" and inside:
            piece = r"\["
        inside = piece == "[" or (inside and piece != "]")
        out.append(piece)
    return "".join(out)
