"""What a person fills in to decide on an action: the same form in every channel and on the command line.

There is one way to say no in it, *Deny* with a reason; a form that holds its own no needs no other beside it.
"""

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


def action_form(*, editable: bool) -> Schema:
    """Return the form that allows an action, as it is or edited, or denies it."""
    properties: Schema = {DECISION: decision()}
    if editable:
        properties[ARGUMENTS] = {
            "type": "string",
            "title": "Edited arguments",
            "description": "The JSON object to run it with instead. Empty: as shown.",
        }
    properties[REASON] = reason()
    return {"type": "object", "properties": properties, "required": [DECISION]}
