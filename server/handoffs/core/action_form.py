"""The form for a decision on an action: the same in every channel and on the command line.

*Deny*, with a reason, is part of the form, so channels add no decline button to it.
"""

from handoffs.core.form import DECISION, DENY, Schema

ALLOW = "allow"

ARGUMENTS, REASON, REMEMBER = "arguments", "reason", "remember"


def decision(*, allow: str = "Allow once", deny: str = "Deny") -> Schema:
    """Return the field for the decision; no channel preselects a value."""
    return {
        "type": "string",
        "title": "Decision",
        "oneOf": [{"const": ALLOW, "title": allow}, {"const": DENY, "title": deny}],
    }


def reason() -> Schema:
    """Return the field for the reason of a denial."""
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
