"""The people who may decide: persons, their groups, their absences and deputies; and all of them at one moment.

Names are compared as they are written. A person who was removed keeps the name in the log and decides nothing; the name
is not given again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

MAX_NAME = 64
"""Characters of a person's or a group's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One person."""

    name: str
    email: str = ""
    groups: frozenset[str] = frozenset()
    handle: str = ""
    """Random bytes, hexadecimal, that stand for the person in their authenticators; they say nothing of the name."""
    added_at: datetime
    removed_at: datetime | None = None

    @property
    def present(self) -> bool:
        """Whether the person was not removed."""
        return self.removed_at is None


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
