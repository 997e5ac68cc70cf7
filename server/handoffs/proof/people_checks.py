"""What a store says of its people and their keys, against the lines of the log about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from handoffs.core.leaf import stamp
from handoffs.core.leaves import Lined
from handoffs.core.passkey import Passkey
from handoffs.core.people import People
from handoffs.core.person import Absence, Directory, Person
from handoffs.core.person_log import PersonEvent, ToldKey, leaf_differs, told_by, written_groups
from handoffs.core.recovery import Recovery
from handoffs.proof.growing import LoggedStore

_TRIES = 3
_PAGE = 200


class PeopledStore(LoggedStore, Protocol):
    """A store with the leaves of its events, and its people."""

    @property
    def people(self) -> People:
        """The people, and what signs them in."""
        ...


@dataclass(kw_only=True, slots=True)
class Checked:
    """What was found."""

    people: int = 0
    erased: list[str] = field(default_factory=list[str])
    """The numbers of those who were erased."""
    numbers: frozenset[str] = frozenset()
    """Those of all people."""
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Number of the person, and what is wrong."""


async def check_people(store: PeopledStore) -> Checked:
    """Return how the people of a store differ from their lines. Raises StoreError: it can't be used."""
    checked = await _check(store)
    for _ in range(_TRIES - 1):
        if not checked.problems:
            break
        checked = await _check(store)  # somebody may have changed people between two reads
    return checked


def person_differences(lines: Sequence[Lined], *, erased: bool = False) -> list[str]:
    """Return in words how the lines of a person differ from their leaves."""
    found: list[str] = []
    for version, line in enumerate(lines, 1):
        entry, leaf = line.entry, line.leaf
        try:
            event = PersonEvent.of(entry)
            if leaf is None:
                found.append(f"line {entry.number} has no leaf: it was added by hand.")
            elif not leaf.salt and not erased:
                found.append(f"line {entry.number}: its salt is gone, and the person was not erased.")
            elif differ := leaf_differs(
                leaf.text, event, version=version, salt=bytes.fromhex(leaf.salt) if leaf.salt else None
            ):
                found.append(f"line {entry.number} ({entry.name}): {', '.join(differ)} is not what the log has.")
        except ValueError as wrong:
            found.append(f"line {entry.number}: {wrong}.")
    return found


async def _check(store: PeopledStore) -> Checked:
    directory = await store.people.directory()
    people = list(directory.people.values())
    absences = {each.person: each for each in directory.absences}
    keys: dict[str, list[Passkey]] = {}
    for key in await store.people.every_key():
        keys.setdefault(key.person, []).append(key)
    recoveries = {each.person: each for each in await store.people.every_recovery()}
    checked = Checked(people=len(people), numbers=frozenset(each.id for each in people))
    for first in range(0, len(people), _PAGE):
        page = people[first : first + _PAGE]
        lines: dict[str, list[Lined]] = {each.id: [] for each in page}
        for line in await store.leaves.lines(list(lines)):
            lines[line.entry.handoff_id].append(line)
        for person in page:
            if person.erased:
                checked.erased.append(person.id)
            found = person_differences(lines[person.id], erased=bool(person.erased))
            away = absences.get(person.name)
            found = found or _compared(
                person,
                lines[person.id],
                keys.pop(person.name, []),
                recoveries.pop(person.name, None),
                None if away is None else _absence(away, directory),
            )
            checked.problems += [(person.id, each) for each in found]
            keys.pop(person.name, None)
    checked.problems += [("passkeys", f"there is one of {name}, who is none of the people.") for name in sorted(keys)]
    return checked


def _compared(
    person: Person,
    lines: Sequence[Lined],
    keys: Sequence[Passkey],
    recovery: Recovery | None,
    absence: tuple[str, str, str] | None,
) -> list[str]:
    """Return in words what a store says of a person that the lines do not lead to."""
    try:
        told = told_by([PersonEvent.of(each.entry) for each in lines])
    except ValueError as wrong:
        return [f"{person.name}: {wrong}."]
    said: Mapping[str, tuple[object, object]] = {
        "that they were erased": (bool(person.erased), told.erased),
        "whether they were removed": (person.present, told.present),
        "their name": ("" if person.erased else person.name, told.name),
        "their email address": (person.email, told.email),
        "their groups": (written_groups(person.groups), told.groups or "[]"),
        "their identities": (written_groups(person.identities), told.identities or "[]"),
        "their passkeys": (_keys_fit(keys, told.keys), True),
        "their recovery": (_recovery(recovery), told.recovery),
        "whether they are away": (absence, told.absence),
    }
    return [
        f"{person.name}: {name}: it is not what the lines lead to." for name, (kept, led) in said.items() if kept != led
    ]


def _keys_fit(keys: Sequence[Passkey], told: Mapping[str, ToldKey]) -> bool:
    return {each.credential_id for each in keys} == set(told) and all(
        _key_fits(each, told[each.credential_id]) for each in keys
    )


def _key_fits(key: Passkey, told: ToldKey) -> bool:
    """Say whether a passkey is the one that the lines say, and counted as long: its times say what it may sign."""
    if key.public_key.hex() != told.public_key or not _within(key.active_from, told.active_from):
        return False
    if key.removed_at is None or told.removed is None:
        return key.removed_at is None and told.removed is None
    return _within(key.removed_at, told.removed)


def _within(at: datetime, times: tuple[str, str]) -> bool:
    return times[0] <= stamp(at) <= times[1]


def _absence(absence: Absence, directory: Directory) -> tuple[str, str, str]:
    deputy = directory.people.get(absence.deputy)
    return "" if deputy is None else deputy.id, stamp(absence.since), stamp(absence.until)


def _recovery(recovery: Recovery | None) -> tuple[str, str] | None:
    if recovery is None or recovery.used_at is not None or recovery.stopped_at is not None:
        return None
    return stamp(recovery.begins_at), stamp(recovery.ends_at)
