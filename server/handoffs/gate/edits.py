"""What a person made of a call's arguments: read, and checked against the tool's own schema."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import cast

from handoffs.core import exact_json
from handoffs.core.action import Action
from handoffs.core.masking import masked
from handoffs.core.untrusted import inert_line
from handoffs.gate.schema_check import wrong_in

MAX_SAID = 300
"""Characters of what is wrong with an edit."""


def checked(text: str, action: Action) -> str | None:
    """Return the arguments to run with, as JSON; None where the person left them as they were.

    Raises:
        ValueError: They are no JSON object that every reader reads alike, or don't fit the tool; says why.
    """
    if not text.strip():
        return None
    values = exact_json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("it must be all of the arguments, a JSON object: {…}")
    sent = {each.text for each in exact_json.odd_numbers(action.values)}
    if any(each.text not in sent for each in exact_json.odd_numbers(cast("object", values))):
        raise ValueError("it holds a number that programs read in different ways: write fewer digits, or a text")
    exact_json.canonical(cast("object", values))
    schema = action.described.get("inputSchema")
    if isinstance(schema, Mapping):
        # Also what held a secret before: a person who edits may have written it elsewhere in the same argument.
        secret = masked(action).names | masked(replace(action, arguments=text)).names
        _check(cast("Mapping[str, object]", values), cast("Mapping[str, object]", schema), secret)
    return text.strip()


def _check(values: Mapping[str, object], schema: Mapping[str, object], secret: Collection[str]) -> None:
    try:
        wrong = wrong_in(values, schema)
    except Exception as broken:  # noqa: BLE001 - whatever a server's schema does to the validator, nothing runs
        raise ValueError(f"the tool's schema can't be read ({type(broken).__name__}): allow it unchanged") from None
    if wrong is not None:
        place = "/".join(map(str, wrong.path)) or "the arguments"
        said = inert_line(wrong.words, MAX_SAID)
        if secret and (not wrong.path or str(wrong.path[0]) in secret):
            said = f"the schema's `{inert_line(wrong.keyword, 40)}` refuses it"  # the message quotes the value
        raise ValueError(f"{inert_line(place, 60)}: {said}")
