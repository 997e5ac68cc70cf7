"""A handoff as a document: `--json` prints it and the server's resources return it, with the same keys."""

from typing import cast

from handoffs.core.action import Action
from handoffs.core.display import stamp
from handoffs.core.exact_json import OddNumber
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line

TITLE_WIDTH = 100
"""Characters of a message that a list shows."""


def document(handoff: Handoff) -> dict[str, object]:
    """Return everything about a handoff that a script may need, as JSON values."""
    caller, question, answer, end = handoff.caller, handoff.question, handoff.answer, handoff.end
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
        "action": _action(question.action),
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


def _action(action: Action | None) -> dict[str, object] | None:
    if action is None:
        return None
    return {
        "server": action.server,
        "tool": action.tool,
        "arguments": {name: _exact(value) for name, value in action.values.items()},
        "digest": action.digest,
    }


def _exact(value: object) -> object:
    """Return a value as JSON can hold it: a number that readers do not agree on as the text that was sent."""
    match value:
        case OddNumber():
            return value.text
        case dict():
            return {name: _exact(each) for name, each in cast("dict[str, object]", value).items()}
        case list():
            return [_exact(each) for each in cast("list[object]", value)]
        case _:
            return value


def title(handoff: Handoff) -> str:
    """Return the first line of the message that has text, as inert text."""
    lines = (inert_line(line, TITLE_WIDTH) for line in handoff.question.message.splitlines())
    return next(filter(None, lines), "")
