"""Parts of what services answer: JSON of others, of which nothing is taken for granted."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

Part = Mapping[str, object]


def parsed(text: object) -> Part:
    """Return the JSON object that a text holds; an empty one for anything else."""
    try:
        return as_part(cast("object", json.loads(text)) if isinstance(text, str | bytes) else None)
    except (ValueError, RecursionError):
        return {}


def as_part(value: object) -> Part:
    """Return a value that is an object; an empty one for anything else."""
    return cast("Part", value) if isinstance(value, Mapping) else {}


def part(whole: Part, name: str) -> Part:
    """Return an object inside of an object."""
    return as_part(whole.get(name))


def items(value: object) -> Sequence[object]:
    """Return a value that is a list; an empty one for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text(whole: Part, name: str) -> str | None:
    """Return a text inside of an object; None where there is none."""
    found = whole.get(name)
    return found if isinstance(found, str) else None


def number(whole: Part, name: str) -> int | None:
    """Return a whole number inside of an object; None where there is none."""
    found = whole.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
