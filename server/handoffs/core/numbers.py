"""Numbers as people type them, and their bounds in words: the same on a terminal, on a page and from a host."""

import re
import sys
from decimal import Decimal

from handoffs.core.sentences import say

SAFE = 2**53 - 1
"""The largest whole number that JavaScript holds exactly. Programs set it as a bound; it tells a person nothing."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MAX_EXPONENT = sys.float_info.max_10_exp


def is_finite(number: float) -> bool:
    """Return whether every program can hold this number: not NaN, not infinite, no whole number beyond a double."""
    return abs(number) <= sys.float_info.max


def read_number(typed: str, *, whole: bool) -> int | float:
    """Return the number that was typed.

    Commas are refused: some people write `1,000` for a thousand, others for one.

    Raises:
        ValueError: The text is no number, or is ambiguous. The message is for the person.
    """
    text = typed.strip().replace("\u2212", "-")
    if "," in text and re.fullmatch(r"[+-]?[\d,.']+", text):
        raise ValueError(
            say("must be a whole number without commas: 3.5 is three and a half, 1000 is a thousand")
            if whole
            else say("must be a number without commas: 3.5 is three and a half, 1000 is a thousand")
        )
    # A number with thousands of digits would take seconds to read.
    if len(text) > 400 or _NUMBER.fullmatch(text) is None:
        raise ValueError(say("must be a whole number") if whole else say("must be a number"))
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    exact = Decimal(text)
    if whole and exact == 0:
        return 0
    if whole and abs(exact.adjusted()) <= _MAX_EXPONENT and exact == exact.to_integral_value():
        return int(exact)
    return float(text)


def is_multiple(value: float, step: float) -> bool:
    """Return whether a number is a multiple of `step`, as decimals: 0.3 is a multiple of 0.1."""
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    # `%` alone rounds to 28 digits, and fails above.
    ratio = Decimal(repr(value)) / Decimal(repr(step))
    return abs(ratio) < Decimal("1e28") and ratio == ratio.to_integral_value()


def bounds_in_words(least: float | None, most: float | None, above: float | None, below: float | None) -> str:
    """Return `from 1 to 5` or `more than 0`; empty if there are no bounds that a person needs to know."""
    least, above = (None if each == -SAFE else each for each in (least, above))
    most, below = (None if each == SAFE else each for each in (most, below))
    if least is not None and above is not None:
        least, above = (None, above) if above >= least else (least, None)
    if most is not None and below is not None:
        most, below = (None, below) if below <= most else (most, None)
    if least is not None and most is not None:
        return say("from {least} to {most}", least=plain(least), most=plain(most)) if least != most else plain(least)
    low = high = ""
    if least is not None:
        low = say("{least} or more", least=plain(least))
    elif above is not None:
        low = say("more than {bound}", bound=plain(above))
    if most is not None:
        high = say("{most} or less", most=plain(most))
    elif below is not None:
        high = say("less than {bound}", bound=plain(below))
    return say("{low} and {high}", low=low, high=high) if low and high else low or high


def plain(number: float) -> str:
    """Return a number as people write it: `5`, not `5.0`."""
    return str(int(number)) if abs(number) < 1e15 and number == int(number) else str(number)
