"""What a person fills in to decide on an action: the same form in every channel and on the command line.

There is one way to say no in it, *Deny* with a reason; a form that holds its own no needs no other beside it.
"""

from collections.abc import Mapping

from handoffs.core.form import DECISION, DENY, Schema

ALLOW = "allow"

ARGUMENTS, REASON, REMEMBER = "arguments", "reason", "remember"


def decision(*, allow: str = "Allow once", deny: str = "Deny") -> Schema:
    """Return the field that decides; no channel has it picked before the person does."""
    return {
        "type": "string",
        "title": "Decision",
        "oneOf": [{"const": ALLOW, "title": allow}, {"const": DENY, "title": deny}],
    }


def reason() -> Schema:
    """Return the field for why not."""
    return {
        "type": "string",
        "title": "Reason",
        "description": "What the agent is told when you deny.",
        "maxLength": 2_000,
    }


def action_form(*, editable: bool, remember: Mapping[str, str] | None = None) -> Schema:
    """Return the form that allows an action, as it is or edited, or denies it.

    `remember` is what may be remembered, by value, with what a person reads of each; it is never picked beforehand.
    """
    properties: Schema = {DECISION: decision(allow="Allow" if remember else "Allow once")}
    if editable:
        properties[ARGUMENTS] = {
            "type": "string",
            "title": "Edited arguments",
            "description": "The JSON object to run it with instead. Empty: as shown.",
        }
    if remember:
        properties[REMEMBER] = {
            "type": "string",
            "title": "Remember",
            "description": "Nothing picked: this call alone.",
            "oneOf": [{"const": value, "title": title} for value, title in remember.items()],
        }
    properties[REASON] = reason()
    return {"type": "object", "properties": properties, "required": [DECISION]}
