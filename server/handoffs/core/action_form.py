"""The form for a decision on an action: the same in every channel and on the command line.

*Deny*, with a reason, is part of the form, so channels add no decline button to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from handoffs.core.form import DECISION, DENY, Form, Schema

ALLOW = "allow"

ARGUMENTS, REASON, REMEMBER, CONDITIONS, USES = "arguments", "reason", "remember", "conditions", "uses"

SCOPE, SESSION = "scope", "session"
"""The field that says for how long what is asked for is granted, and its value for the rest of the session."""

MAX_EDITED = 4_000
"""Characters of arguments that a person can edit; longer ones are allowed or denied as they are."""

MAX_EDITS = 5
"""How often a person is asked again whose change can't be used."""

MAX_USES = 1000
"""The most uses that a permission can be limited to."""


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


def action_form(
    *,
    editable: bool,
    remember: Mapping[str, str] | None = None,
    conditions: Sequence[str] = (),
    scoped: bool = False,
) -> Schema:
    """Return the form that allows an action, as it is or edited, or denies it.

    `remember` is what may be remembered, by value, with what a person reads of each; it is never picked beforehand.
    `conditions` are those that it can be limited by, as a person reads them. Where it is `scoped`, a grant lasts for
    the agent's turn, and the person can let it last for the session.
    """
    properties: Schema = {DECISION: decision(allow="Allow" if remember else "Allow once")}
    if editable:
        properties[ARGUMENTS] = {
            "type": "string",
            "title": "Edited arguments",
            "description": "The JSON object to run it with instead. Empty: as shown.",
        }
    if scoped:
        properties[SCOPE] = {
            "type": "string",
            "title": "Granted for",
            "description": "Nothing picked: this turn alone.",
            "oneOf": [{"const": "turn", "title": "This turn"}, {"const": SESSION, "title": "The rest of the session"}],
        }
    if remember:
        properties[REMEMBER] = {
            "type": "string",
            "title": "Remember",
            "description": "Nothing picked: this call alone.",
            "oneOf": [{"const": value, "title": title} for value, title in remember.items()],
        }
        if conditions:
            properties[CONDITIONS] = {
                "type": "array",
                "title": "Only where",
                "description": "Limits what is remembered of this tool to calls for which all of these hold.",
                "items": {"type": "string", "enum": list(conditions)},
            }
        properties[USES] = {
            "type": "integer",
            "title": "Uses",
            "description": "How many later calls it allows. Empty: any number.",
            "minimum": 1,
            "maximum": MAX_USES,
        }
    properties[REASON] = reason()
    return {"type": "object", "properties": properties, "required": [DECISION]}


def is_action_form(form: Form) -> bool:
    """Say whether a form decides on an action and asks for nothing else, the decision first.

    A form of another server's may be like it: only where each field can be left out but the decision is it one of ours.
    """
    fields = {field.name: field for field in form.fields}
    decision = form.fields[0] if form.fields else None
    return (
        decision is not None
        and decision.name == DECISION
        and {choice.value for choice in decision.choices} == {ALLOW, DENY}
        and REASON in fields
        and {*fields} <= {DECISION, ARGUMENTS, REASON, SCOPE, REMEMBER, CONDITIONS, USES}
        and [field.name for field in form.fields if field.required] == [DECISION]
    )


def with_titles(form: Form) -> Form:
    """Return the form of an action's question whose own choices are shown by their titles alone.

    Their values are words of ours, which tell a person nothing. The choices of an agent keep theirs.
    """
    return replace(
        form,
        fields=tuple(
            replace(field, choices=tuple(replace(choice, titled=True) for choice in field.choices))
            if field.name in (DECISION, SCOPE, REMEMBER)
            else field
            for field in form.fields
        ),
    )
