"""Handoffs and lines of the log as rows, written and read back as equal values.

Times are whole microseconds since 1970 in UTC; structured values are JSON. A form is stored as its schema, and parsed
again when it is read.
"""

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, cast

from handoffs.core.action import Action
from handoffs.core.action_form import with_titles
from handoffs.core.attachment import Attachment, listed
from handoffs.core.errors import QuestionRefused
from handoffs.core.events import Entry, Event, details_of, name_of
from handoffs.core.form import Form, Value
from handoffs.core.leaf import leaf_of, new_salt
from handoffs.core.model import Caller, Cursor, End, Handoff, OpenCount, Outline, Question, State
from handoffs.core.schema import parse
from handoffs.core.storable import storable
from handoffs.store.values import Cell, Unreadable, micros, moment

if TYPE_CHECKING:  # only a question with a rule needs it
    from handoffs.core.deciders import Deciders, Vote

# The order of `encode` and `decode`.
COLUMNS = (
    "id", "fingerprint", "subject", "client", "project", "message", "form", "breakout", "deadline", "created_at",
    "state", "version", "answer", "ended_at", "ended_by", "ended_through", "note", "collected_at", "reached",
    "reminded", "sealed", "other", "calls", "handed_to", "session", "tool_use", "earlier", "action",
    "action_digest", "deciders", "votes", "attachments",
    "files",
)  # fmt: skip
CHANGING = (*COLUMNS[COLUMNS.index("state") : COLUMNS.index("session")], "votes", "attachments")
"""The columns that events change; the others never change."""

_Row: TypeAlias = tuple[
    str, str, str, str, str, str, str, int, int, int,
    str, int, str | None, int | None, str | None, str | None, str | None, int | None, str,
    str, str, str, int, str, str, str, str, str, str, str, str, str, int,
]  # fmt: skip
_OutlineRow: TypeAlias = tuple[str, str, str, str, int, str, int | None, str | None, str, str]

OUTLINE = (
    "id", "subject", "client", "message", "created_at", "state", "ended_at", "ended_through", "reached", "deciders",
)  # fmt: skip
"""The columns of an outline."""

_FOREVER = 2**63 - 1
"""Later than any stored time."""


def encode(handoff: Handoff) -> tuple[Cell, ...]:
    """Return the handoff as a row of `COLUMNS`. Its form is kept for when it is read back, which is soon."""
    caller, question = handoff.caller, handoff.question
    form = _json(question.form.schema)
    _keep(form, question.form, of_action=question.action is not None)
    *changing, votes, attachments = encode_changing(handoff)
    return (
        storable(handoff.id),
        storable(handoff.fingerprint),
        storable(caller.subject),
        storable(caller.client),
        storable(caller.project),
        storable(question.message),
        form,
        int(question.breakout_of_loop),
        micros(question.deadline),
        micros(handoff.created_at),
        *changing,
        storable(handoff.session),
        storable(handoff.tool_use),
        handoff.earlier,
        *(("", "") if question.action is None else (question.action.dumps(), question.action.digest)),
        "" if question.deciders is None else question.deciders.dumps(),
        votes,
        attachments,
        int(question.files),
    )


def question_size(handoff: Handoff) -> int:
    """Return the bytes that the question takes in a store."""
    message, form = storable(handoff.question.message), _json(handoff.question.form.schema)
    return len(message.encode()) + len(form.encode())


def encode_changing(handoff: Handoff) -> tuple[Cell, ...]:
    """Return the columns of a handoff that events change, as a row of `CHANGING`."""
    end = handoff.end
    return (
        handoff.state.value,
        handoff.version,
        None if handoff.values is None else _json(dict(handoff.values)),
        *((None,) * 4 if end is None else (micros(end.at), *map(storable, (end.by, end.channel, end.note)))),
        None if handoff.collected_at is None else micros(handoff.collected_at),
        _json(handoff.reached) if handoff.reached else "[]",
        _json(handoff.reminded) if handoff.reminded else "[]",
        _json(dict(handoff.sealed)) if handoff.sealed else "{}",
        storable(handoff.other),
        handoff.calls,
        storable(handoff.handed_to),
        _votes_written(handoff.votes) if handoff.votes else "[]",
        _json(listed(handoff.attachments)) if handoff.attachments else "[]",
    )


def decode(row: tuple[object, ...]) -> Handoff:
    """Return the handoff of a row of `COLUMNS`. Raises Unreadable."""
    try:
        return _decode(cast("_Row", row))
    except (ValueError, TypeError, OverflowError, QuestionRefused) as wrong:
        raise Unreadable(f"the row of handoff {row[0]} can't be read: {wrong}") from wrong


def _decode(row: _Row) -> Handoff:
    (
        handoff_id, fingerprint, subject, client, project, message, form, breakout, deadline, created_at,
        state, version, answer, ended_at, ended_by, ended_through, note, collected_at, reached,
        reminded, sealed, other, calls, handed_to, session, tool_use, earlier, action, _,
        deciders, votes, attachments, files,
    ) = row  # fmt: skip
    end = None
    if ended_at is not None:
        end = End(at=moment(ended_at), by=ended_by or "", channel=ended_through or "", note=note or "")
    return Handoff(
        id=handoff_id,
        caller=Caller(subject=subject, client=client, project=project),
        question=Question(
            message=message,
            form=_form(form, of_action=bool(action)),
            deadline=moment(deadline),
            breakout_of_loop=bool(breakout),
            action=Action.loads(action) if action else None,
            deciders=_deciders(deciders) if deciders else None,
            files=bool(files),
        ),
        created_at=moment(created_at),
        fingerprint=fingerprint,
        state=State(state),
        version=version,
        values=None if answer is None else cast("dict[str, Value]", json.loads(answer)),
        end=end,
        collected_at=None if collected_at is None else moment(collected_at),
        reached=() if reached == "[]" else tuple(cast("list[str]", json.loads(reached))),
        reminded=() if reminded == "[]" else tuple(cast("list[str]", json.loads(reminded))),
        sealed={} if sealed == "{}" else cast("dict[str, str]", json.loads(sealed)),
        other=other,
        calls=calls,
        handed_to=handed_to,
        session=session,
        tool_use=tool_use,
        earlier=earlier,
        votes=() if votes == "[]" else _votes(votes),
        attachments=()
        if attachments == "[]"
        else tuple(map(Attachment.read, cast("list[object]", json.loads(attachments)))),
    )


def decode_outline(row: tuple[object, ...]) -> Outline:
    """Return the outline of a row of `OUTLINE`. Raises Unreadable."""
    handoff_id, subject, client, message, created_at, state, ended_at, through, reached, whose = cast(
        "_OutlineRow", row
    )
    try:
        return Outline(
            id=handoff_id,
            subject=subject,
            client=client,
            message=message,
            created_at=moment(created_at),
            state=State(state),
            ended_at=None if ended_at is None else moment(ended_at),
            ended_through=through or "",
            reached=tuple(cast("list[str]", json.loads(reached))),
            only=_only(whose),
        )
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the row of handoff {handoff_id} can't be read: {wrong}") from wrong


def _only(whose: str) -> frozenset[str] | None:
    if not whose:
        return None
    deciders = _deciders(whose)
    return frozenset(deciders.people) if deciders.visible == "theirs" else None


def decode_deadline(row: tuple[object, ...]) -> datetime | None:
    """Return the deadline of a row, which may have none."""
    (deadline,) = cast("tuple[int | None]", row)
    return None if deadline is None else moment(deadline)


def decode_open_count(row: tuple[object, ...]) -> OpenCount:
    """Return the count of a row: number, first deadline and newest line."""
    handoffs, deadline, line = cast("tuple[int, int | None, int]", row)
    return OpenCount(handoffs=handoffs, next_deadline=decode_deadline((deadline,)), line=line)


def encode_cursor(cursor: Cursor | None) -> tuple[int, str]:
    """Return a cursor as a time and an id; for None, a time after all handoffs."""
    return (_FOREVER, "") if cursor is None else (micros(cursor.created_at), storable(cursor.id))


def encode_event(handoff_after: Handoff, event: Event) -> tuple[Cell, ...]:
    """Return an event as a line of the log without its number: handoff, name, time, details, leaf, salt."""
    salt = new_salt()
    return (
        storable(handoff_after.id),
        name_of(event),
        micros(event.at),
        _json(details_of(event)),
        leaf_of(handoff_after, event, salt=salt).decode(),
        salt.hex(),
    )


def decode_event(row: tuple[object, ...]) -> Entry:
    """Return the line of the log of a row: number, handoff, name, time, details. Raises Unreadable."""
    number, handoff_id, name, at, details = cast("tuple[int, str, str, int, str]", row)
    try:
        told = cast("Mapping[str, str]", json.loads(details))
        return Entry(number=number, handoff_id=handoff_id, name=name, at=moment(at), details=told)
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"line {number} of the log can't be read: {wrong}") from wrong


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _deciders(text: str) -> "Deciders":
    from handoffs.core.deciders import Deciders

    return Deciders.loads(text)


def _votes(text: str) -> "tuple[Vote, ...]":
    from handoffs.core.deciders import load_votes

    return load_votes(text)


def _votes_written(votes: "tuple[Vote, ...]") -> str:
    from handoffs.core.deciders import dump_votes

    return dump_votes(votes)


# Reads are frequent, and most questions share a few forms; the form of a held call is its own, and is read again at
# once. Forms are frozen, so handoffs can share them.
_MOST_FORMS = 256
_forms: dict[tuple[str, bool], Form] = {}
_keeping = threading.Lock()


def _form(schema: str, *, of_action: bool) -> Form:
    found = _forms.get((schema, of_action))
    if found is None:
        found = parse(cast("Mapping[str, object]", json.loads(schema)), accepted=True)
        found = with_titles(found) if of_action else found
        _keep(schema, found, of_action=of_action)
    return found


def _keep(schema: str, form: Form, *, of_action: bool) -> None:
    with _keeping:  # rows are read and written by several threads
        if len(_forms) >= _MOST_FORMS:
            del _forms[next(iter(_forms))]
        _forms[schema, of_action] = form
