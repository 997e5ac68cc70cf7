"""Handoffs and the log as JSON, for scripts. ASCII only, so that what an agent wrote can't act on a terminal."""

import json
from collections.abc import Sequence

from handoffs.core.events import Entry
from handoffs.core.lifecycle import stamp
from handoffs.core.model import Handoff


def array(handoffs: Sequence[Handoff]) -> str:
    """Return handoffs as one JSON array."""
    return json.dumps([_document(handoff) for handoff in handoffs], indent=2)


def document(handoff: Handoff) -> str:
    """Return a handoff as one JSON object."""
    return json.dumps(_document(handoff), indent=2)


def line(entry: Entry) -> str:
    """Return a line of the log as one line of JSON."""
    return json.dumps(
        {
            "number": entry.number,
            "at": stamp(entry.at),
            "handoffId": entry.handoff_id,
            "event": entry.name,
            "details": dict(entry.details),
        }
    )


def _document(handoff: Handoff) -> dict[str, object]:
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
        },
        "end": None if end is None else {"by": end.by, "at": stamp(end.at), "channel": end.channel, "note": end.note},
    }
