"""Parsers of numbers after options; their errors say which values are valid."""

import math

import typer

from handoffs.core.untrusted import inert_line


def port(written: str) -> int:
    """Return the number of a port, 0 for any free one. Raises BadParameter."""
    number = int(written) if written.isascii() and written.isdigit() and len(written) <= 5 else -1
    if not 0 <= number <= 65_535:
        raise typer.BadParameter(f"{_shown(written)} is no port. Give a whole number from 0 (any free one) to 65535.")
    return number


def seconds(written: str) -> float:
    """Return a number of seconds, 0 or more. Raises BadParameter."""
    try:
        number = float(written)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise typer.BadParameter(f"{_shown(written)} is no length of time. Give a number of seconds, 0 or more.")
    return number


def _shown(written: str) -> str:
    return repr(inert_line(written, 40))
