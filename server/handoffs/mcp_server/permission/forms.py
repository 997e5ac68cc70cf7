"""The forms for a decision on a tool's use.

*Deny*, with a reason, is part of the form, so channels add no decline button to it.
"""

from handoffs.core.form import DECISION, DENY, Schema

ALLOW = "allow"

EDIT, REASON = "input", "reason"


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


def approval_form(*, editable: bool) -> Schema:
    """Return the form that allows a use, as it is or edited, or denies it."""
    properties: Schema = {DECISION: decision()}
    if editable:
        properties[EDIT] = {
            "type": "string",
            "title": "Edited input",
            "description": "The JSON object to run it with instead. Empty: as shown.",
        }
    properties[REASON] = reason()
    return {"type": "object", "properties": properties, "required": [DECISION]}
