"""The format of Claude Code's permission requests, and of the replies.

The format is Claude Code's (its documentation; #1175 of its repository): it sends `tool_name`, `input` and
`tool_use_id`, and gets one text, which is JSON. It runs a tool with its *original* input when the text has an empty
`updatedInput`, so an edit must not be empty. It parses the text as JavaScript does: a number that a double can't hold
would change, so an edit with such a number is refused, and every other edit is sent byte by byte.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from handoffs.core import exact_json

_JSON_BLANKS = " \t\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolUse:
    """One use of a tool that Claude Code wants permission for."""

    tool: str
    input: Mapping[str, object]
    id: str = ""
    """The model's id for this use; empty where none was sent."""


def read_tool_use(given: Mapping[str, object]) -> ToolUse | None:
    """Return the tool use that the arguments of a call describe; None when they are not valid."""
    tool, tool_input, use = given.get("tool_name"), given.get("input"), given.get("tool_use_id")
    if not isinstance(tool, str) or not tool or not isinstance(tool_input, Mapping):
        return None
    return ToolUse(
        tool=tool, input=dict(cast("Mapping[str, object]", tool_input)), id=use if isinstance(use, str) else ""
    )


def deny(why: str) -> str:
    """Return the reply that keeps the tool from running; the model is told `why`."""
    return json.dumps({"behavior": "deny", "message": why})


def allow(tool_input: str) -> str:
    """Return the reply that lets the tool run with this input, given as JSON."""
    return f'{{"behavior": "allow", "updatedInput": {tool_input}}}'


def written(value: object) -> str:
    """Return an input as JSON, in ASCII: a lone surrogate in it must not break the connection."""
    return json.dumps(value, allow_nan=False)


def read_edit(text: str) -> str:
    """Return a person's edit as the input to run with: the JSON object itself, byte by byte.

    Raises:
        ValueError: It is no JSON object, or Claude Code would read other values than were written; says why.
    """
    try:
        value = exact_json.loads(text)
    except ValueError as wrong:
        raise ValueError(f"{wrong}.") from None
    if (odd := next(exact_json.odd_numbers(value), None)) is not None:
        shown = odd.text if len(odd.text) <= 40 else f"{odd.text[:39]}…"
        raise ValueError(f"the number {shown} would become {float(odd)!r}: write it as a text, or with fewer digits.")
    if not isinstance(value, dict):
        raise ValueError("it must be the whole input, a JSON object: {…}.")
    if not value:
        raise ValueError("an empty object would run the tool with the input as shown; deny it instead.")
    return text.strip(_JSON_BLANKS)
