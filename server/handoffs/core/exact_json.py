"""JSON that every reader reads alike, and what of a text is not.

Two programs that read the same bytes must run the same call. So a name that stands twice in an object is refused: one
reader takes the first, another the last. A number that a double can't hold is read by one exactly and by another as
its neighbour; it is kept as the text that was sent, as an `OddNumber`.
"""

import json
import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import cast

_EXACT = 2**53
"""Up to here every whole number is a double of its own."""


class OddNumber(float):
    """A number that readers do not agree on; as a float it is what most of them take it for."""

    text: str
    """As it was sent."""

    @classmethod
    def of(cls, text: str) -> "OddNumber":
        """Return the number that this text says."""
        made = cls(text)
        made.text = text
        return made


def loads(text: str | bytes) -> object:
    """Return the value of a JSON text; a number that a double can't hold is an `OddNumber`.

    Raises:
        ValueError: It is no JSON, holds a name twice, or is nested too deeply; says which.
    """
    try:
        return cast(
            "object",
            json.loads(
                text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=read_number, parse_int=read_number
            ),
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as wrong:
        raise ValueError(f"it is no JSON ({wrong.msg}, line {wrong.lineno}, column {wrong.colno})") from None
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8") from None


def dumps(value: object, *, ascii: bool = True) -> str:  # noqa: A002 - as in `json`, which says `ensure_ascii`
    """Return a value as JSON, in ASCII alone or as text, with each `OddNumber` as it was sent."""
    match value:
        case OddNumber():
            return value.text
        case dict():
            pairs = cast("dict[str, object]", value).items()
            named = (f"{json.dumps(name, ensure_ascii=ascii)}: {dumps(each, ascii=ascii)}" for name, each in pairs)
            return "{" + ", ".join(named) + "}"
        case list():
            return "[" + ", ".join(dumps(each, ascii=ascii) for each in cast("list[object]", value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=ascii)


def canonical(value: object) -> bytes:
    """Return the one form of a JSON value (RFC 8785); each `OddNumber` follows as it was sent, after a NUL.

    Raises:
        ValueError: It holds half of a character, or is nested too deeply.
    """
    import rfc8785  # only where a call is decided on

    odd: list[str] = []
    try:
        whole = rfc8785.dumps(_plain(value, odd))  # pyright: ignore[reportArgumentType] - JSON, as far as JSON was read
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as wrong:
        raise ValueError(f"it can't be written in one form: {wrong}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return b"\0".join((whole, *(text.encode() for text in odd)))


def canonical_with(some: bytes, last: bytes) -> bytes:
    """Return what `canonical` returns of a list, made of its form without the last value, and of that value's form."""
    (start, *odd), (end, *more) = some.split(b"\0"), last.split(b"\0")
    comma = b"" if start == b"[]" else b","
    return b"\0".join((start[:-1] + comma + end + b"]", *odd, *more))


def odd_numbers(value: object) -> Iterator[OddNumber]:
    """Return the odd numbers in a value, in order."""
    match value:
        case OddNumber():
            yield value
        case dict():
            for each in cast("dict[str, object]", value).values():
                yield from odd_numbers(each)
        case list():
            for each in cast("list[object]", value):
                yield from odd_numbers(each)
        case _:
            pass


def read_number(literal: str) -> int | float:
    """Return a number as every reader reads it, or an `OddNumber`."""
    number = float(literal)
    if math.isinf(number) or not _is(number, literal):
        return OddNumber.of(literal)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _plain(value: object, odd: list[str]) -> object:
    """Return the value with 0 in place of each odd number, which is noted."""
    match value:
        case OddNumber():
            odd.append(value.text)
            return 0
        case dict():
            pairs = cast("dict[str, object]", value)
            return {name: _plain(pairs[name], odd) for name in sorted(pairs)}
        case list():
            return [_plain(each, odd) for each in cast("list[object]", value)]
        case _:
            return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands in it twice")
    return made


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _is(number: float, literal: str) -> bool:
    if number == 0:  # also for an underflow, whose exponent may be too large to compare
        return not any(digit in "123456789" for digit in literal.lower().partition("e")[0])
    try:
        return Decimal(repr(number)) == Decimal(literal)
    except InvalidOperation:
        return False
