"""An earlier answer to the same question, which a person can give again with one click.

The agent may never have received that answer, and asks again. The person has to confirm it. Permissions and secrets
are never given again: they hold for one time only. Nor are answers with files: their files are the
other question's.
"""

from dataclasses import dataclass

from handoffs.core.errors import AnswerRefused
from handoffs.core.form import Value
from handoffs.core.model import Handoff, State
from handoffs.core.sentences import say


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerInput:
    """An answer as it was entered: values, or the person's own words in place of an option (`other`)."""

    values: dict[str, Value]
    other: str


def repeatable(handoff: Handoff, earlier: Handoff | None) -> bool:
    """Return whether an open question can be answered like the `earlier` handoff that it names."""
    if earlier is None or earlier.id != handoff.earlier or earlier.state is not State.ANSWERED:
        return False
    form = handoff.question.form
    return not form.secret and not form.has_own_no and not earlier.attachments


def earlier_answer(handoff: Handoff, earlier: Handoff | None) -> AnswerInput:
    """Return the earlier answer, checked against the form of the open question.

    Raises:
        AnswerRefused: No earlier answer may be given again, or it no longer fits the form.
    """
    if earlier is None or not repeatable(handoff, earlier):
        raise AnswerRefused({"": say("there is no earlier answer that can be given again: answer anew")})
    if earlier.other:
        return AnswerInput(values={}, other=earlier.other)
    return AnswerInput(values=handoff.question.form.check(dict(earlier.values or {})), other="")
