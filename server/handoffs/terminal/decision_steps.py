"""The steps of a decision on an action at a prompt: allow or deny first, then only what belongs to that.

The form stays as it is stored; the steps are a choice of its fields, and one question of the prompt's own.
"""

from collections.abc import Mapping

from handoffs.core.action_form import ALLOW, ARGUMENTS, CONDITIONS, REASON, REMEMBER, SCOPE, USES
from handoffs.core.choices import Choice
from handoffs.core.form import DECISION, DENY, Field, Form, Kind, Value
from handoffs.core.remembering import CHOICES, takes_conditions

MORE = " more"
"""The name of the prompt's own question. No field of a form begins with a blank."""


def more_of(form: Form) -> Field | None:
    """Return the question of what else belongs to an *allow*; None where the form has nothing else."""
    names = {field.name for field in form.fields}
    ways = [
        (ARGUMENTS, "Change the arguments"),
        (SCOPE, "Grant it for longer than this turn"),
        (REMEMBER, "Remember it for later calls"),
    ]
    choices = tuple(Choice(value=name, title=title, titled=True) for name, title in ways if name in names)
    return Field(name=MORE, kind=Kind.CHOICES, title="Anything else?", choices=choices) if choices else None


def steps_of(form: Form, values: Mapping[str, Value]) -> tuple[Field, ...]:
    """Return the fields that are asked for, given the values so far. More may follow from the value of the last."""
    fields = {field.name: field for field in form.fields}
    decision, more = values.get(DECISION), more_of(form)
    names = [REASON] if decision == DENY else []
    if decision != ALLOW or more is None:
        return (fields[DECISION], *(fields[name] for name in names))
    picked, remembered = values.get(MORE), values.get(REMEMBER)
    wanted = picked if isinstance(picked, list) else []
    names = [each for each in (ARGUMENTS, SCOPE) if each in wanted]
    if REMEMBER in wanted:
        names.append(REMEMBER)
        if isinstance(remembered, str):
            whole_tool = remembered in CHOICES and takes_conditions([remembered])
            names += [CONDITIONS, USES] if whole_tool else [USES]
    return (fields[DECISION], more, *(fields[name] for name in names if name in fields))
