"""A handoff as a document: `--json` prints it and the server's resources return it, with the same keys."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from handoffs.core.action import Action
from handoffs.core.display import stamp
from handoffs.core.exact_json import OddNumber
from handoffs.core.masking import masked, masked_answer, masked_message
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line

TITLE_WIDTH = 100
"""Characters of a message that a list shows."""


def redacted(handoff: Handoff) -> Handoff:
    """Return the handoff with the secrets of its action masked in message and answer; the action itself is exact."""
    action, message = handoff.question.action, handoff.question.message
    if action is None:
        return handoff
    values = None if handoff.values is None else masked_answer(action, handoff.values)
    return replace(handoff, question=replace(handoff.question, message=masked_message(action, message)), values=values)


def document(handoff: Handoff, *, secrets: bool = False) -> dict[str, object]:
    """Return everything about a handoff that a script may need, as JSON values.

    The secrets of an action are masked, unless the caller wants `secrets`.
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
        },
        "action": _action(question.action, secrets=secrets),
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
    return {
        "server": action.server,
        "tool": action.tool,
        "arguments": exact_values(action.values if secrets else masked(action).values),
        "digest": action.digest,
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
