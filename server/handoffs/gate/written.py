"""JSON texts that the gate writes: what others sent stays as they wrote it, number by number."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from handoffs.core.exact_json import read_number
from handoffs.gate.relay.message import Number, Value


class _Text(NamedTuple):
    """What is written as it is."""

    text: str


_END_OBJECT, _END_LIST = _Text("}"), _Text("]")


def written(value: Value) -> str:
    """Return a value as JSON; its numbers as they were sent. Any depth that was read is written."""
    parts: list[str] = []
    left: list[Value | _Text] = [value]
    while left:
        each = left.pop()
        match each:
            case _Text():
                parts.append(each.text)
            case Number():
                parts.append(each.text)
            case dict():
                parts.append("{")
                left.append(_END_OBJECT)
                for at, (name, inner) in reversed([*enumerate(mapping(each).items())]):
                    left += (inner, _Text(f"{',' if at else ''}{json.dumps(name)}:"))
            case list():
                parts.append("[")
                left.append(_END_LIST)
                for at, inner in reversed([*enumerate(sequence(each))]):
                    left += (inner, _Text("," if at else ""))
            case _:
                parts.append(json.dumps(each))
    return "".join(parts)


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
    """Return a value with ordinary numbers, for rules and schemas; one that no double holds is an `OddNumber`."""
    match value:
        case Number():
            return read_number(value.text)
        case dict():
            return {name: plain(each) for name, each in mapping(value).items()}
        case list():
            return list(map(plain, sequence(value)))
        case _:
            return value
