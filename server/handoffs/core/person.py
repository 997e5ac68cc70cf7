"""The people who may decide: persons, their groups, their absences and deputies; and all of them at one moment.

Names are compared as they are written. A person who was removed keeps the name in the log and decides nothing; the name
is not given again, in upper or lower case.
"""

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from handoffs.core.errors import PersonNotFound, PersonRefused
from handoffs.core.identity import Identity, same_email
from handoffs.core.untrusted import folded, inert_line

MAX_NAME = 64
"""Characters of a person's or a group's name."""

PERSON_PREFIX = "p_"
"""What the number of a person begins with."""

_EMAIL = re.compile(r"[^\s@,<>]+@[^\s@,<>]+")
_MAX_EMAIL = 254


def is_of_person(handoff_id: str) -> bool:
    """Say whether what a line of the log is about is a person, and no handoff."""
    return handoff_id.startswith(PERSON_PREFIX)


def new_person_id() -> str:
    """Return a new random number of a person."""
    return f"{PERSON_PREFIX}{secrets.token_hex(11)}"


def mark_of(person_id: str) -> str:
    """Return what stands in place of the name of a person who was erased. No name has a colon."""
    return f"erased: {person_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One person."""

    name: str
    email: str = ""
    groups: frozenset[str] = frozenset()
    identities: frozenset[str] = frozenset()
    """The principals in whose name their agents ask over HTTP, see `principals.identity_of`."""
    handle: str = ""
    """Random bytes, hexadecimal, that stand for the person in their authenticators; they say nothing of the name."""
    added_at: datetime
    removed_at: datetime | None = None
    id: str = field(default_factory=new_person_id)
    """The person's number: it stands for them in the log, and says nothing of the name."""
    erased: str = field(default="", repr=False)
    """Of a person who was erased, what recognises the name (`person_erasure`), so that it is not given again."""

    @property
    def present(self) -> bool:
        """Whether the person was not removed."""
        return self.removed_at is None

    @property
    def folded(self) -> str:
        """The name as it is compared when one is given: without case."""
        return folded(self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Absence:
    """A time in which a person's deputy decides in their place: from `since` on, and no more at `until`."""

    person: str
    deputy: str
    since: datetime
    until: datetime

    def covers(self, at: datetime) -> bool:
        """Return whether the person is away at this moment."""
        return self.since <= at < self.until


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """All people and absences, as they are at one moment."""

    people: Mapping[str, Person] = field(default_factory=dict[str, Person])
    """By name, also those who were removed."""
    absences: tuple[Absence, ...] = ()

    def present(self, name: str) -> Person | None:
        """Return the person of this name; None where there is none, or they were removed."""
        person = self.people.get(name)
        return person if person is not None and person.present else None

    def members(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's members who were not removed, in order."""
        return tuple(sorted(each.name for each in self.people.values() if each.present and group in each.groups))

    def named(self, name: str) -> Person:
        """Return the person of this name, who was not removed.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed.
        """
        person = self.people.get(name)
        if person is None:
            alike = [each.name for each in self.people.values() if each.present and each.folded == folded(name)]
            meant = f" The name is written {alike[0]}." if alike else " `handoffs people list` shows all."
            raise PersonNotFound(f"There is no person {inert_line(name, MAX_NAME)}.{meant}")
        if person.erased:
            raise PersonRefused(f"{person.id} was erased: nothing is kept of them any more.")
        if not person.present:
            raise PersonRefused(f"{name} was removed. `handoffs people list` shows who is there.")
        return person

    def to_erase(self, name: str) -> Person:
        """Return the person of this name, or with this number, who may have been removed.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were erased before.
        """
        person = self.people.get(name)
        if person is not None and not person.erased:
            return person
        if any(each.erased and name in (each.name, each.id) for each in self.people.values()):
            raise PersonRefused(f"{inert_line(name, MAX_NAME)} was erased before: nothing is kept any more.")
        return self.named(name)

    def identified(self, identity: Identity) -> Person | None:
        """Return the person whom a proxy or a provider names, also one who was removed; None where it is none of them.

        A person who is there comes before one who was removed: a name is given once, an address may be given again.

        Raises:
            PersonRefused: It names several.
        """
        named = [
            each
            for each in self.people.values()
            if each.name == identity.login or same_email(each.email, identity.email)
        ]
        found = [each for each in named if each.present] or named[:1]
        if len(found) > 1:
            names = ", ".join(sorted(each.name for each in found))
            raise PersonRefused(
                f"{inert_line(identity.shown, 100)} stands for several people here: {names}. Whoever runs this inbox "
                "gives each an email address of their own, with `handoffs people set`."
            )
        return found[0] if found else None

    def stranger(self, identity: Identity) -> str:
        """Return the name under which somebody who is none of the people acts. It is never a person's name."""
        taken = {each.folded for each in self.people.values()}
        # A person's name has no colon.
        return f"stranger: {identity.shown}" if folded(identity.shown) in taken else identity.shown

    def told_as(self, name: str, *, of: Person) -> str:
        """Return what a line about a person has of who did it: of another person the number, so that none has a name.

        A line keeps its words until its own person is erased.
        """
        others = (each.id for each in self.people.values() if each.folded == folded(name) and each.id != of.id)
        return next(others, name)

    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Return the members of every group, in order."""
        names = {group for each in self.people.values() if each.present for group in each.groups}
        return {group: self.members(group) for group in sorted(names)}

    def check_absence(self, absence: Absence) -> tuple[Person, Person]:
        """Check that an absence can be added, in place of the person's earlier one; return the person and the deputy.

        Raises:
            PersonNotFound: The person or the deputy is unknown.
            PersonRefused: Either was removed, it ends before it begins, or nobody would be left to decide: the deputy
                is the person, or is away at the same time with a deputy who leads back to the person.
        """
        both = self.named(absence.person), self.named(absence.deputy)
        if absence.until <= absence.since:
            raise PersonRefused("The absence ends before it begins: give a later --until.")
        if absence.deputy == absence.person:
            raise PersonRefused(f"{absence.person} can't be their own deputy: name somebody else.")
        by_person = {each.person: each for each in self.absences} | {absence.person: absence}
        chain, since, until = [absence.person], absence.since, absence.until
        while (name := by_person[chain[-1]].deputy) not in chain:
            chain.append(name)
            after = by_person.get(name)
            if after is None:
                return both
            # Only while all of them are away at once does a deputy pass decisions on.
            since, until = max(since, after.since), min(until, after.until)
            if since >= until:
                return both
        circle = ", ".join(f"{one} by {other}" for one, other in zip(chain, [*chain[1:], name], strict=True))
        raise PersonRefused(
            f"The deputies would lead in a circle while all are away: {circle}. Name a deputy who is there."
        )


def checked_name(written: str, what: str = "name") -> str:
    """Return the name of a person or a group. Raises ValueError, for the person who wrote it."""
    if not 1 <= len(written) <= MAX_NAME:
        raise ValueError(f"A {what} has 1 to {MAX_NAME} characters.")
    if written != written.strip():
        raise ValueError(f"A {what} begins and ends with no blank: {inert_line(written)}.")
    if unicodedata.normalize("NFC", written) != written:
        raise ValueError(f"Write {inert_line(written)} with composed letters (Unicode NFC).")
    if inert_line(written) != written:
        raise ValueError(f"A {what} has no invisible characters, and no two blanks in a row: {inert_line(written)}.")
    # A colon marks the subject of a token, a slash the parts of a path, and a comma separates names.
    if found := [each for each in "/,:" if each in written]:
        raise ValueError(f"A {what} has no {found[0]} in it, as {written} has: write it without.")
    if written[0] in "@-":
        raise ValueError(f"A {what} does not begin with {written[0]}, as {written} does: write it without.")
    return written


def checked_email(written: str) -> str:
    """Return an email address; an empty one stands for none. Raises ValueError, for the person who wrote it."""
    if written and not (len(written) <= _MAX_EMAIL and _EMAIL.fullmatch(written) and inert_line(written) == written):
        raise ValueError(f"{inert_line(written, _MAX_EMAIL)} is no email address, such as ada@example.com.")
    return written


def name_taken(name: str, there: Person) -> PersonRefused:
    """Return the refusal of a name that `there` has, or had."""
    if there.present:
        return PersonRefused(f"There is {there.name} already. Choose another name than {name}.")
    return PersonRefused(
        f"{there.name} was removed, and a name is given once: the log must not mean two people by it. Choose another."
    )


def name_erased(name: str) -> PersonRefused:
    """Return the refusal of the name of a person who was erased."""
    return PersonRefused(
        f"{name} is the name of a person who was erased, and a name is given once: copies of the log may still have "
        "it. Choose another."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonChange:
    """What changes of a person."""

    email: str | None = None
    """None: the same one."""
    join: frozenset[str] = frozenset()
    leave: frozenset[str] = frozenset()
    identify: frozenset[str] = frozenset()
    """Principals that are the person's from now on."""
    disown: frozenset[str] = frozenset()

    def of(self, person: Person) -> Person:
        """Return the person as they are then."""
        return replace(
            person,
            email=person.email if self.email is None else self.email,
            groups=frozenset((person.groups | self.join) - self.leave),
            identities=frozenset((person.identities | self.identify) - self.disown),
        )


def new_handle() -> str:
    """Return a new random handle."""
    return secrets.token_hex(32)
