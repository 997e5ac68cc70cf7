"""The same answer to the same question: what a person gave a short while before, to be given with one click.

Its agent may never have received it, and asks anew. Nothing is given without the person, and nothing that is for one
time only: no permission, and no secret.
"""

from dataclasses import dataclass

from handoffs.core.errors import AnswerRefused
from handoffs.core.form import Value
from handoffs.core.model import Handoff, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What was answered, to be answered again: values, or what the person said instead of picking an option."""

    values: dict[str, Value]
    other: str


def repeatable(handoff: Handoff, earlier: Handoff | None) -> bool:
    """Say whether an open question can be answered like the `earlier` one it names."""
    if earlier is None or earlier.id != handoff.earlier or earlier.state is not State.ANSWERED:
        return False
    form = handoff.question.form
    return not form.secret and not form.has_own_no


def said_again(handoff: Handoff, earlier: Handoff | None) -> Said:
    """Return the earlier answer, checked against the form of the question that is open now.

    Raises:
        AnswerRefused: There is none that may be given again, or it does not fit any more.
    """
    if earlier is None or not repeatable(handoff, earlier):
        raise AnswerRefused({"": "there is no earlier answer that can be given again: answer anew"})
    if earlier.other:
        return Said(values={}, other=earlier.other)
    return Said(values=handoff.question.form.check(dict(earlier.values or {})), other="")
