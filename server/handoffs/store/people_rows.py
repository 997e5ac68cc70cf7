"""How people, absences, passkeys and sessions are written as rows, and read back as equal values."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias, cast

from handoffs.core.display import in_words
from handoffs.core.errors import PersonRefused
from handoffs.core.events import Entry
from handoffs.core.inbox_session import Session
from handoffs.core.invitation import Invitation
from handoffs.core.leaf import new_salt
from handoffs.core.passkey import Passkey
from handoffs.core.person import Absence, Directory, Person, name_erased, name_taken
from handoffs.core.person_erasure import recognised
from handoffs.core.person_log import PersonEvent, person_leaf
from handoffs.core.recovery import LEAST_DELAY, Recovery
from handoffs.core.storable import storable
from handoffs.store.values import Cell, Unreadable, micros, moment

Bytes: TypeAlias = Cell | bytes
"""A cell of a table that has keys in it."""

# In the order of `encode_person` and `decode_directory`.
PERSON = ("folded", "name", "email", "member_of", "handle", "added_at", "removed_at", "identities", "id", "erased")
"""The columns of a person."""

ABSENCE = ("person", "deputy", "starts", "ends")
"""The columns of an absence."""

# In the order of `encode_key` and `decode_key`.
PASSKEY = (
    "credential_id", "person", "public_key", "sign_count", "label", "added_at", "added_with", "active_from",
    "last_used_at", "removed_at",
)  # fmt: skip
"""The columns of a passkey."""

INVITATION = ("person", "expires_at", "used_at")
"""The columns of an invitation, without its digest."""

# In the order of `encode_recovery` and `decode_recovery`.
RECOVERY = ("person", "asked_by", "asked_at", "begins_at", "ends_at", "used_at", "stopped_at", "digest")
"""The columns of a recovery; the digest of its link comes last."""

SESSION = ("id", "person", "agent", "started_at", "seen_at", "page_key")
"""The columns of a session, without its digest."""

_PersonRow: TypeAlias = tuple[
    str, str, str, str, str, int, int | None, str, str, str,
    str | None, int | None, int | None,
]  # fmt: skip


def encode_person(person: Person) -> tuple[Cell, ...]:
    """Return a person as a row of `PERSON`."""
    return (
        *map(storable, (person.folded, person.name, person.email)),
        encode_groups(person.groups),
        storable(person.handle),
        micros(person.added_at),
        _stored(person.removed_at),
        encode_groups(person.identities),
        storable(person.id),
        person.erased,
    )


def encode_groups(groups: Iterable[str]) -> str:
    """Return groups, or identities, as they are stored."""
    return json.dumps(sorted(groups), separators=(",", ":"))


def everybody(people: str, absences: str) -> str:
    """Return the query for all people and absences, as rows for `decode_directory`; one statement: one moment."""
    columns = ", ".join(f"p.{name}" for name in PERSON)
    return f"""SELECT {columns}, a.deputy, a.starts, a.ends FROM {people} p
        LEFT JOIN {absences} a ON a.person = p.name ORDER BY p.folded"""  # noqa: S608


def decode_directory(rows: Iterable[tuple[object, ...]]) -> Directory:
    """Return the directory of the rows of `everybody`. Raises Unreadable."""
    people: dict[str, Person] = {}
    absences: list[Absence] = []
    for row in rows:
        _, name, email, groups, handle, added_at, removed_at, ids, number, erased, deputy, starts, ends = cast(
            "_PersonRow", row
        )
        try:
            people[name] = Person(
                name=name,
                email=email,
                groups=frozenset(cast("list[str]", json.loads(groups))),
                handle=handle,
                added_at=moment(added_at),
                removed_at=_moment(removed_at),
                identities=frozenset(cast("list[str]", json.loads(ids))),
                id=number,
                erased=erased,
            )
            if deputy is not None and starts is not None and ends is not None:
                absences.append(Absence(person=name, deputy=deputy, since=moment(starts), until=moment(ends)))
        except (ValueError, TypeError, OverflowError) as wrong:
            raise Unreadable(f"the row of the person {name} can't be read: {wrong}") from wrong
    return Directory(people=people, absences=tuple(absences))


def check_name(person: Person, directory: Directory) -> None:
    """Check that a name can be given. It takes tens of milliseconds where people were erased.

    Raises:
        PersonRefused: It was given before, in upper or lower case.
    """
    for there in directory.people.values():
        if there.folded == person.folded:
            raise name_taken(person.name, there)
    if recognised(person.folded, (each.erased for each in directory.people.values())):
        raise name_erased(person.name)


def check_recovery(recovery: Recovery, there: Sequence[Recovery]) -> None:
    """Check that a recovery can be kept. Raises PersonRefused."""
    if recovery.begins_at - recovery.asked_at < LEAST_DELAY:
        raise PersonRefused(f"A recovery begins {in_words(LEAST_DELAY, least=2)} after it is asked for, or later.")
    if any(each.under_way(recovery.asked_at) for each in there):
        raise PersonRefused(f"A recovery of {recovery.person} is under way. To begin anew, stop it first: --stop.")


def encode_absence(absence: Absence) -> tuple[Cell, ...]:
    """Return an absence as a row of `ABSENCE`."""
    return storable(absence.person), storable(absence.deputy), micros(absence.since), micros(absence.until)


def encode_key(key: Passkey) -> tuple[Bytes, ...]:
    """Return a passkey as a row of `PASSKEY`."""
    return (
        storable(key.credential_id),
        storable(key.person),
        key.public_key,
        key.sign_count,
        storable(key.label),
        micros(key.added_at),
        storable(key.added_with),
        micros(key.active_from),
        _stored(key.last_used_at),
        _stored(key.removed_at),
    )


def decode_key(row: tuple[object, ...]) -> Passkey:
    """Return the passkey that a row of `PASSKEY` holds. Raises Unreadable."""
    credential_id, person, public_key, sign_count, label, added_at, added_with, active_from, used_at, removed_at = cast(
        "tuple[str, str, bytes, int, str, int, str, int, int | None, int | None]", row
    )
    try:
        return Passkey(
            credential_id=credential_id,
            person=person,
            public_key=bytes(public_key),
            sign_count=sign_count,
            label=label,
            added_at=moment(added_at),
            added_with=added_with,
            active_from=moment(active_from),
            last_used_at=_moment(used_at),
            removed_at=_moment(removed_at),
        )
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the row of passkey {credential_id} can't be read: {wrong}") from wrong


def decode_invitation(row: tuple[object, ...]) -> Invitation:
    """Return the invitation that a row of `INVITATION` holds. Raises Unreadable."""
    person, expires_at, used_at = cast("tuple[str, int, int | None]", row)
    try:
        return Invitation(person=person, expires_at=moment(expires_at), used_at=_moment(used_at))
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the row of an invitation of {person} can't be read: {wrong}") from wrong


def encode_recovery(recovery: Recovery, digest: str) -> tuple[Cell, ...]:
    """Return a recovery as a row of `RECOVERY`."""
    return (
        *map(storable, (recovery.person, recovery.asked_by)),
        *map(_stored, (recovery.asked_at, recovery.begins_at, recovery.ends_at)),
        *map(_stored, (recovery.used_at, recovery.stopped_at)),
        storable(digest),
    )


def decode_recovery(row: tuple[object, ...]) -> Recovery:
    """Return the recovery that a row of `RECOVERY` holds. Raises Unreadable."""
    person, by, asked_at, begins_at, ends_at, used_at, stopped_at, _ = cast(
        "tuple[str, str, int, int, int, int | None, int | None, str]", row
    )
    try:
        return Recovery(
            person=person,
            asked_by=by,
            asked_at=moment(asked_at),
            begins_at=moment(begins_at),
            ends_at=moment(ends_at),
            used_at=_moment(used_at),
            stopped_at=_moment(stopped_at),
        )
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the row of a recovery of {person} can't be read: {wrong}") from wrong


def encode_line(event: PersonEvent, version: int) -> tuple[Cell, ...]:
    """Return what happened to a person as a line of the log without its number, as `rows.encode_event` does."""
    salt = new_salt()
    return (
        storable(event.person),
        event.name,
        micros(event.at),
        json.dumps({name: text for name, text in event.details.items() if text}, separators=(",", ":")),
        person_leaf(event, version=version, salt=salt).decode(),
        salt.hex(),
    )


def words_gone(entries: Iterable[Entry]) -> list[tuple[int, str]]:
    """Return the lines of a person by number, with the details that are left when the words are gone."""
    return [(each.number, json.dumps(PersonEvent.of(each).without_words, separators=(",", ":"))) for each in entries]


def encode_session(session: Session) -> tuple[Cell, ...]:
    """Return a session as a row of `SESSION`."""
    return (
        *map(storable, (session.id, session.person, session.agent)),
        micros(session.started_at),
        micros(session.seen_at),
        storable(session.page_key),
    )


def decode_session(row: tuple[object, ...]) -> Session:
    """Return the session that a row of `SESSION` holds. Raises Unreadable."""
    session_id, person, agent, started_at, seen_at, page_key = cast("tuple[str, str, str, int, int, str]", row)
    try:
        return Session(
            id=session_id,
            person=person,
            agent=agent,
            started_at=moment(started_at),
            seen_at=moment(seen_at),
            page_key=page_key,
        )
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the row of session {session_id} can't be read: {wrong}") from wrong


def _stored(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment(stored: int | None) -> datetime | None:
    return None if stored is None else moment(stored)
