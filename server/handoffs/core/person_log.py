"""The lines of the log about people: who was added, changed, removed or erased, their keys, recoveries and absences.

A line about a person has the person's number (`Person.id`) where others have a handoff's id, and its own leaf:

    {"at":"2026-11-22T19:35:00.000000Z","committed":{"credential":"…","name":"…","public_key":"…"},"event":"keyadded",
     "facts":{},"person":"p_…","v":1,"version":2}

`version` counts the lines of the person, from 1 on. `facts` are plain, and are times and numbers of people only;
everything else is committed to as in the leaf of an event, see `core.leaf`. All of it stands in the line itself, so a
line is verified without anything else; carried out in order, the lines say what people, keys and absences the store
should have.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from json.encoder import encode_basestring
from typing import cast

from handoffs.core import exact_json
from handoffs.core.events import Entry
from handoffs.core.leaf import SALT_BYTES, VERSION, commitment, stamp
from handoffs.core.passkey import Passkey
from handoffs.core.person import Absence, Person
from handoffs.core.recovery import Recovery
from handoffs.core.storable import storable

ADDED = "personadded"
CHANGED = "personchanged"
REMOVED = "personremoved"
ERASED = "personerased"
KEY_ADDED = "keyadded"
KEY_REMOVED = "keyremoved"
RECOVERY_ASKED = "recoveryasked"
RECOVERY_STOPPED = "recoverystopped"
RECOVERED = "recovered"
AWAY = "personaway"
BACK = "personback"

PERSON_EVENTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ADDED: ((), ("email", "groups", "identities", "name")),
    CHANGED: ((), ("email", "groups", "identities", "name")),
    REMOVED: ((), ("name",)),
    ERASED: ((), ()),
    KEY_ADDED: ((), ("active_from", "added_with", "credential", "name", "public_key")),
    KEY_REMOVED: ((), ("credential", "name")),
    RECOVERY_ASKED: (("begins", "ends"), ("by", "name")),
    RECOVERY_STOPPED: ((), ("by", "name")),
    RECOVERED: ((), ("credential", "name", "public_key")),
    # The deputy by their number: their name would be words of one person in a line of another.
    AWAY: (("deputy", "since", "until"), ("name",)),
    BACK: ((), ("name",)),
}
"""The names of the facts and of the words of each, sorted. What is empty is left out of its leaf."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonEvent:
    """One thing that happened to a person of the store."""

    person: str
    """The person's number."""
    name: str
    """A key of `PERSON_EVENTS`."""
    at: datetime
    details: Mapping[str, str]
    """Facts and words, as text."""

    @classmethod
    def of(cls, entry: Entry) -> "PersonEvent":
        """Return the event of a line of the log. Raises ValueError: this program does not know it."""
        if entry.name not in PERSON_EVENTS:
            raise ValueError(f"line {entry.number} has the event {entry.name!r}, which this program does not know")
        return cls(person=entry.handoff_id, name=entry.name, at=entry.at, details=entry.details)

    @property
    def words(self) -> dict[str, str]:
        """What its leaf commits to, by field, each as the text that stands in the commitment."""
        names = PERSON_EVENTS[self.name][1]
        return {each: _text(self.details[each]) for each in names if self.details.get(each)}

    @property
    def without_words(self) -> dict[str, str]:
        """The details that stand plainly in its leaf."""
        return {each: self.details[each] for each in PERSON_EVENTS[self.name][0] if self.details.get(each)}


def person_leaf(event: PersonEvent, *, version: int, salt: bytes) -> bytes:
    """Return the leaf of an event, which is the line number `version` of its person."""
    committed = ",".join(f'"{name}":"{commitment(name, word, salt)}"' for name, word in event.words.items())
    facts = ",".join(f'"{name}":{_text(text)}' for name, text in event.without_words.items())
    return (
        f'{{"at":"{stamp(event.at)}","committed":{{{committed}}},"event":"{event.name}","facts":{{{facts}}},'
        f'"person":{_text(event.person)},"v":{VERSION},"version":{version}}}'
    ).encode()


def leaf_differs(leaf: str, event: PersonEvent, *, version: int, salt: bytes | None) -> list[str]:
    """Return the names of what a leaf has otherwise, sorted; without a salt, only what stands plainly is compared.

    Raises:
        ValueError: The text is no leaf of a person.
    """
    read = exact_json.loads(leaf.encode())
    if not isinstance(read, dict):
        raise ValueError("it is no JSON object")
    kept = cast("dict[str, object]", read)
    told = json.loads(person_leaf(event, version=version, salt=salt or bytes(SALT_BYTES)))
    found = {name for name in ("at", "event", "facts", "person", "v", "version") if kept.get(name) != told[name]}
    if salt is None:
        found |= set(event.words)  # nothing opens the commitments, so the words should be gone, too
    elif kept.get("committed") != told["committed"]:
        found.add("its words")
    return sorted(found)


# What is recorded


def added(person: Person) -> PersonEvent:
    """Return that a person was added."""
    return PersonEvent(person=person.id, name=ADDED, at=person.added_at, details=_told(person))


def changed(person: Person, at: datetime) -> PersonEvent:
    """Return that a person's email address, groups or identities were changed, to these."""
    return PersonEvent(person=person.id, name=CHANGED, at=at, details=_told(person))


def removed(person: Person, at: datetime) -> PersonEvent:
    """Return that a person was removed."""
    return PersonEvent(person=person.id, name=REMOVED, at=at, details={"name": storable(person.name)})


def erased(person: Person, at: datetime) -> PersonEvent:
    """Return that what was kept of a person was erased."""
    return PersonEvent(person=person.id, name=ERASED, at=at, details={})


def key_added(person: Person, key: Passkey) -> PersonEvent:
    """Return that a passkey was added."""
    details = _key(person, key) | {"active_from": stamp(key.active_from)}
    if key.added_with:
        details["added_with"] = key.added_with
    return PersonEvent(person=person.id, name=KEY_ADDED, at=key.added_at, details=details)


def key_removed(person: Person, credential_id: str, at: datetime) -> PersonEvent:
    """Return that a passkey was removed."""
    details = {"credential": storable(credential_id), "name": storable(person.name)}
    return PersonEvent(person=person.id, name=KEY_REMOVED, at=at, details=details)


def recovery_asked(person: Person, recovery: Recovery) -> PersonEvent:
    """Return that a recovery was asked for."""
    details = {
        "begins": stamp(recovery.begins_at),
        "ends": stamp(recovery.ends_at),
        "by": storable(recovery.asked_by),
        "name": storable(person.name),
    }
    return PersonEvent(person=person.id, name=RECOVERY_ASKED, at=recovery.asked_at, details=details)


def recovery_stopped(person: Person, *, by: str, at: datetime) -> PersonEvent:
    """Return that a recovery was stopped."""
    return PersonEvent(person=person.id, name=RECOVERY_STOPPED, at=at, details=_by(person, by))


def recovered(person: Person, key: Passkey, at: datetime) -> PersonEvent:
    """Return that a recovery was used: this passkey has taken the place of all earlier ones."""
    return PersonEvent(person=person.id, name=RECOVERED, at=at, details=_key(person, key))


def gone_away(person: Person, absence: Absence, *, deputy: Person, at: datetime) -> PersonEvent:
    """Return that an absence was kept, in place of an earlier one."""
    details = {"deputy": deputy.id, "name": storable(person.name)}
    times = {"since": stamp(absence.since), "until": stamp(absence.until)}
    return PersonEvent(person=person.id, name=AWAY, at=at, details=details | times)


def come_back(person: Person, at: datetime) -> PersonEvent:
    """Return that an absence was ended."""
    return PersonEvent(person=person.id, name=BACK, at=at, details={"name": storable(person.name)})


# What it leads to


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldKey:
    """What the lines say of a passkey. Times as in leaves: the earliest and the latest that fit."""

    public_key: str
    """In hexadecimal digits."""
    active_from: tuple[str, str]
    removed: tuple[str, str] | None = None

    def removed_at(self, at: datetime) -> "ToldKey":
        """Return the key as it is after a line at this moment says that it was removed."""
        if self.removed is not None:
            return self
        # Lines that an upgrade wrote are at a whole second, after the removal.
        when = (stamp(at), stamp(at)) if at.microsecond else ("", stamp(at + timedelta(seconds=1)))
        return replace(self, removed=when)


@dataclass(kw_only=True, slots=True)
class Told:
    """What the lines of one person say of them."""

    name: str = ""
    email: str = ""
    groups: str = ""
    """As JSON."""
    identities: str = ""
    """As JSON."""
    present: bool = True
    erased: bool = False
    keys: dict[str, ToldKey]
    """By credential id."""
    recovery: tuple[str, str] | None = None
    """When the one that is under way begins and ends."""
    absence: tuple[str, str, str] | None = None
    """The deputy's number, and when it begins and ends."""


def told_by(events: Iterable[PersonEvent]) -> Told:
    """Return what events in order lead to. Raises ValueError: they can't have happened."""
    told: Told | None = None
    for event in events:
        details = event.details
        if event.name == ADDED:
            if told is not None:
                raise ValueError("they were added a second time")
            told = Told(keys={})
        if told is None:
            raise ValueError("they were never added")
        if told.erased:
            raise ValueError(f"{event.name} came after they were erased")
        match event.name:
            case "personadded" | "personchanged":  # the names above: a pattern takes no constant
                told.name, told.email = details.get("name", ""), details.get("email", "")
                told.groups, told.identities = details.get("groups", ""), details.get("identities", "")
            case "personremoved":
                told.present, told.recovery, told.absence = False, None, None
            case "personerased":
                told = Told(keys={}, present=False, erased=True)
            case "keyadded":
                active = details.get("active_from", "")
                told.keys[details.get("credential", "")] = ToldKey(
                    public_key=details.get("public_key", ""), active_from=(active, active)
                )
            case "keyremoved":
                credential = details.get("credential", "")
                if credential in told.keys:
                    told.keys[credential] = told.keys[credential].removed_at(event.at)
            case "recoveryasked":
                told.recovery = details.get("begins", ""), details.get("ends", "")
            case "recoverystopped":
                told.recovery = None
            case "personaway":
                told.absence = details.get("deputy", ""), details.get("since", ""), details.get("until", "")
            case "personback":
                told.absence = None
            case _:
                begins, ends = told.recovery or ("", "")
                if not begins <= stamp(event.at) < ends:
                    raise ValueError("they were recovered at a time at which no recovery was good")
                told.keys = {each: key.removed_at(event.at) for each, key in told.keys.items()}
                told.keys[details.get("credential", "")] = ToldKey(
                    public_key=details.get("public_key", ""), active_from=(begins, stamp(event.at))
                )
                told.recovery = None
    if told is None:
        raise ValueError("they have no line in the log")
    return told


def _told(person: Person) -> dict[str, str]:
    return {
        "email": storable(person.email),
        "groups": written_groups(person.groups),
        "identities": written_groups(person.identities),
        "name": storable(person.name),
    }


def written_groups(groups: Iterable[str]) -> str:
    """Return groups, or identities, as lines have them."""
    return json.dumps(sorted(groups), separators=(",", ":"))


def _by(person: Person, by: str) -> dict[str, str]:
    return {"by": storable(by), "name": storable(person.name)}


def _key(person: Person, key: Passkey) -> dict[str, str]:
    return {
        "credential": storable(key.credential_id),
        "name": storable(person.name),
        "public_key": key.public_key.hex(),
    }


def _text(text: str) -> str:
    return encode_basestring(storable(text))
