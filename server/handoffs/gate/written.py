"""JSON texts that the gate writes: what others sent stays as they wrote it, number by number."""

import json
from collections.abc import Mapping, Sequence

from handoffs.gate.relay.message import Number, Value


def written(value: Value) -> str:
    """Return a value as JSON; its numbers as they were sent."""
    match value:
        case Number():
            return value.text
        case dict():
            return f"{{{','.join(f'{json.dumps(name)}:{written(each)}' for name, each in mapping(value).items())}}}"
        case list():
            return f"[{','.join(map(written, sequence(value)))}]"
        case _:
            return json.dumps(value)


def mapping(value: Value) -> Mapping[str, Value]:
    """Return an object; an empty one where the value is none."""
    return value if isinstance(value, dict) else {}


def sequence(value: Value) -> Sequence[Value]:
    """Return a list; an empty one where the value is none."""
    return value if isinstance(value, list) else []


def line(value: Value) -> bytes:
    """Return a message as a line."""
    return written(value).encode() + b"\n"


def plain(value: Value) -> object:
    """Return a value with ordinary numbers, for rules and schemas; one that no double holds is the text."""
    match value:
        case Number():
            number = float(value.text)
            if number.is_integer() and abs(number) < 2**53:
                return int(number)
            return number if number not in (float("inf"), float("-inf")) else value.text
        case dict():
            return {name: plain(each) for name, each in mapping(value).items()}
        case list():
            return list(map(plain, sequence(value)))
        case _:
            return value
