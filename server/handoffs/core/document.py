"""A handoff as a document: `--json` prints it and the server's resources return it, with the same keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from handoffs.core.action import Action
from handoffs.core.attachment import listed
from handoffs.core.display import stamp
from handoffs.core.exact_json import OddNumber
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line

if TYPE_CHECKING:  # only a question with a rule needs them
    from handoffs.core.deciders import Deciders, Vote

TITLE_WIDTH = 100
"""Characters of a message that a list shows."""


def redacted(handoff: Handoff) -> Handoff:
    """Return the handoff with the secrets of its action masked in message and answer; the action itself is exact."""
    action, message = handoff.question.action, handoff.question.message
    if action is None:
        return handoff
    from handoffs.core.masking import masked_answer, masked_message  # for actions alone: a waiting server has few

    values = None if handoff.values is None else masked_answer(action, handoff.values)
    return replace(handoff, question=replace(handoff.question, message=masked_message(action, message)), values=values)


def document(handoff: Handoff, *, secrets: bool = False, reader: str = "") -> dict[str, object]:
    """Return everything about a handoff that a script may need, as JSON values.

    The secrets of an action are masked, unless the caller wants `secrets`. Where only those who decide may know each
    other, a `reader` who has no vote reads no names.
    """
    shown = handoff if secrets else redacted(handoff)
    caller, question, answer, end = shown.caller, shown.question, shown.answer, shown.end
    return {
        "id": handoff.id,
        "state": handoff.state.value,
        "message": question.message,
        "form": question.form.schema,
        "createdAt": stamp(handoff.created_at),
        "deadline": stamp(question.deadline),
        "caller": {"subject": caller.subject, "client": caller.client, "project": caller.project},
        "answer": None
        if answer is None
        else {
            "values": dict(answer.values),
            "by": answer.by,
            "at": stamp(answer.at),
            "channel": answer.channel,
            "note": answer.note,
            "other": answer.other,
            "attachments": listed(answer.attachments),
        },
        "action": _action(question.action, secrets=secrets),
        "deciders": None if question.deciders is None else _deciders(question.deciders, handoff.votes, reader),
        "earlier": handoff.earlier or None,
        "end": None if end is None else {"by": end.by, "at": stamp(end.at), "channel": end.channel, "note": end.note},
    }


def summary(handoff: Handoff) -> dict[str, object]:
    """Return the entry of a handoff in a list."""
    return {
        "id": handoff.id,
        "title": title(handoff),
        "createdAt": stamp(handoff.created_at),
        "deadline": stamp(handoff.question.deadline),
        "client": handoff.caller.client,
        "project": handoff.caller.project,
        "action": _action(handoff.question.action),
    }


def _action(action: Action | None, *, secrets: bool = False) -> dict[str, object] | None:
    if action is None:
        return None
    from handoffs.core.masking import masked  # as above

    return {
        "server": action.server,
        "tool": action.tool,
        "arguments": exact_values(action.values if secrets else masked(action).values),
        "digest": action.digest,
    }


def _deciders(deciders: "Deciders", votes: "Sequence[Vote]", reader: str) -> dict[str, object]:
    from handoffs.core.standing import sees  # only for a question with a rule

    named, needed, begins = sees(deciders, reader), deciders.still_needed(votes), deciders.escalated_at
    return {
        "rule": deciders.rule,
        "visible": deciders.visible,
        "proof": deciders.proof or None,
        "people": list(deciders.people) if named else None,
        "each": list(deciders.each),
        "votes": [
            {
                "by": vote.person,
                "for": vote.for_ or None,
                "at": stamp(vote.at),
                "channel": vote.channel,
                "refuses": vote.refuses,
            }
            for vote in needed.voted
        ]
        if named
        else None,
        "needed": {"votes": needed.votes, "groups": list(needed.groups)},
        "othersFrom": None if begins is None or not deciders.escalate_to else stamp(begins),
    }


def exact_values(values: Mapping[str, object]) -> dict[str, object]:
    """Return values as JSON can hold them: a number that readers do not agree on as the text that was sent."""
    return {name: _exact(each) for name, each in values.items()}


def _exact(value: object) -> object:
    match value:
        case OddNumber():
            return value.text
        case dict():
            return exact_values(cast("dict[str, object]", value))
        case list():
            return [_exact(each) for each in cast("list[object]", value)]
        case _:
            return value


def title(handoff: Handoff) -> str:
    """Return the first line of the message that has text, as inert text."""
    lines = (inert_line(line, TITLE_WIDTH) for line in handoff.question.message.splitlines())
    return next(filter(None, lines), "")
