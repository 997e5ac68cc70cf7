"""Handoffs and the log as JSON, for scripts. ASCII only, so that an agent's text can't control a terminal."""

import json
from collections.abc import Sequence
from typing import cast

from handoffs.core.display import stamp
from handoffs.core.document import document as described
from handoffs.core.events import Entry
from handoffs.core.model import Handoff
from handoffs.core.person import is_of_person


def array(handoffs: Sequence[Handoff], *, reader: str) -> str:
    """Return handoffs as one JSON array."""
    return json.dumps([described(handoff, reader=reader) for handoff in handoffs], indent=2)


def document(handoff: Handoff, *, secrets: bool = False, reader: str, paths: Sequence[str] = ()) -> str:
    """Return a handoff as one JSON object; `secrets` of an action are masked, unless they are wanted.

    `paths` are those at which the files of its answer were saved: each gets its `path`.
    """
    shown = described(handoff, secrets=secrets, reader=reader)
    if paths:
        answer = cast("dict[str, object]", shown["answer"])
        files = cast("list[dict[str, object]]", answer["attachments"])
        answer["attachments"] = [each | {"path": path} for each, path in zip(files, paths, strict=True)]
    return json.dumps(shown, indent=2)


def line(entry: Entry) -> str:
    """Return a line of the log as one line of JSON."""
    return json.dumps(
        {
            "number": entry.number,
            "at": stamp(entry.at),
            ("person" if is_of_person(entry.handoff_id) else "handoffId"): entry.handoff_id,
            "event": entry.name,
            "details": dict(entry.details),
        }
    )
