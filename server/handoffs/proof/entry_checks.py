"""What the entries of a log show by themselves: that each is a leaf, and that those of a handoff follow each other.

Without the words and salts this is all that can be seen: the form of the leaf (`core.leaf`, RFC 8785), that the
versions of a handoff rise by one from `opened` on, and that each event is possible in the state before it
(`core.lifecycle.TABLE`). Nothing follows an end but what the table allows. Of a person, that the versions rise by one
from `personadded` on, and that a recovery was asked for, begins late enough, was not stopped, and was used in its time.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from handoffs.core import exact_json
from handoffs.core.events import EVENTS, Event, Opened
from handoffs.core.leaf import BEGAN, VERSION, fields_of
from handoffs.core.lifecycle import TABLE
from handoffs.core.model import State
from handoffs.core.person_log import ADDED, ERASED, KEY_REMOVED, PERSON_EVENTS
from handoffs.core.recovery import LEAST_DELAY

_NEXT: Mapping[tuple[bytes, bytes], bytes] = {
    (state.encode(), event.name.encode()): after.encode()
    for state, row in TABLE.items()
    for event, after in row.items()
}
_EVENTS = frozenset(event for _, event in _NEXT)
_OPEN, _OPENED = State.OPEN.encode(), Opened.name.encode()


def _object_of(names: Iterable[str], value: bytes) -> bytes:
    """Return the pattern of an object with some of these names, sorted as RFC 8785 has them, each at most once."""
    pairs = [rb'(?:"%b":%b(?:,(?=")|(?=\}))' % (name.encode(), value) + rb")?+" for name in sorted(names)]
    return rb"\{" + b"".join(pairs) + rb"\}"


def _usual(event: type[Event]) -> re.Pattern[bytes]:
    facts, words = fields_of(event)
    return re.compile(
        rb'\{"at":"[0-9T:.-]{26}Z","committed":%b,"event":"%b","facts":%b,"handoff":"([A-Za-z0-9_]+)","state":"([a-z]+)",'
        rb'"v":1,"version":([1-9][0-9]{0,15})\}'
        % (
            _object_of(words, rb'"[A-Za-z0-9_-]{43}"'),
            event.name.encode(),
            _object_of(facts, rb'(?:"[ !#-\[\]-~]*"|[1-9][0-9]*|true)'),
        )
    )


# The usual leaf of each event. A leaf of any other form is read by `json`, which takes several times as long.
_USUAL = {event.name.encode(): _usual(event).fullmatch for event in EVENTS}


@dataclass(kw_only=True, slots=True)
class _PersonSeen:
    """What the entries of one person lead to, as far as it is plain."""

    version: int = 0
    gone: bool = False
    erased: bool = False
    recovery: tuple[str, str] | None = None
    """When the one that is under way begins and ends."""
    away: bool = False

    def after(self, person: str, event: str, at: str, facts: Mapping[str, object]) -> str:
        """Record an event; return why it can't have happened, empty if it can."""
        if self.erased or (self.gone and event in _ONLY_WHILE_THERE):
            return f"{person} is gone, and {event} came after that"
        match event:
            case "personremoved" | "personerased":
                self.gone, self.erased, self.recovery, self.away = True, event == ERASED, None, False
            case "recoveryasked":
                self.recovery = str(facts.get("begins")), str(facts.get("ends"))
                if _time(self.recovery[0]) - _time(at) < LEAST_DELAY:
                    return f"a recovery of {person} begins too soon after it was asked for"
            case "recoverystopped":
                if self.recovery is None:
                    return f"a recovery of {person} is stopped that nobody asked for"
                self.recovery = None
            case "personaway":
                self.away = True
                if _time(str(facts.get("since"))) >= _time(str(facts.get("until"))):
                    return f"an absence of {person} ends before it begins"
            case "personback":
                if not self.away:
                    return f"{person} is back who was not away"
                self.away = False
            case "recovered":
                begins, ends = self.recovery or ("", "")
                self.recovery = None
                if not begins <= at < ends:
                    return f"{person} is recovered at a time at which no recovery was good"
            case _:
                pass
        return ""


def _time(written: str) -> datetime:
    return datetime.fromisoformat(written)


_ONLY_WHILE_THERE = frozenset(PERSON_EVENTS) - {ERASED, KEY_REMOVED}


class EntryChecks:
    """Checks the entries of one log, from the first on."""

    def __init__(self) -> None:
        self._handoffs: dict[bytes, tuple[int, bytes]] = {}
        """Version and state by id."""
        self._began_later = False
        """Whether the store is older than the log, so that handoffs begin in the middle."""
        self._firsts: dict[bytes, int] = {}
        """The first version of those that do."""
        self.older = 0
        """How many events were recorded before the log began."""
        self._people: dict[str, _PersonSeen] = {}

    @property
    def handoffs(self) -> int:
        """How many handoffs the log has."""
        return len(self._handoffs)

    @property
    def people(self) -> int:
        """How many people the log has."""
        return len(self._people)

    @property
    def erased_people(self) -> int:
        """How many of them were erased."""
        return sum(each.erased for each in self._people.values())

    def versions(self, handoff: str) -> tuple[int, int] | None:
        """Return the first and the last version that the log has of a handoff; None if it has none."""
        name = handoff.encode("utf-8", "replace")
        last = self._handoffs.get(name)
        return None if last is None else (self._firsts.get(name, 1), last[0])

    def check(self, index: int, entries: Sequence[bytes]) -> list[tuple[int, str]]:
        """Return index and problem of each entry with one; `index` is that of the first entry."""
        found: list[tuple[int, str]] = []
        known, usual = self._handoffs, _USUAL
        for number, entry in enumerate(entries, index):
            at = entry.find(b'"event":"') + 9
            event = entry[at : entry.find(b'"', at)]
            match = usual.get(event)
            read = None if match is None else match(entry)
            if read is None:
                problem = self._other(number, entry)
            else:
                handoff, state, written = cast("tuple[bytes, bytes, bytes]", read.groups())
                before, version = known.get(handoff), int(written)
                # The usual case first.
                if before is not None and before[0] + 1 == version and _NEXT.get((before[1], event)) == state:
                    known[handoff] = version, state
                    continue
                problem = self._follow(handoff, event, state, version)
            if problem:
                found.append((number, problem))
        return found

    def _other(self, number: int, entry: bytes) -> str:
        """Return the problem of an entry that is not in the usual form; empty if it has none."""
        try:
            read = exact_json.loads(entry)
            if exact_json.canonical(read) != entry or not isinstance(read, dict):
                return "it is not in the one form of JSON that a leaf has (RFC 8785)"
        except ValueError as wrong:
            return f"it is no leaf: {wrong}"
        leaf = cast("dict[str, object]", read)
        event, version = leaf.get("event"), leaf.get("v")
        if not isinstance(event, str) or type(version) is not int:
            return "it is no leaf: it has no event, or no version of its form"
        if version != VERSION:
            return f"it is a leaf of form {version}; this program reads form {VERSION}"
        if "handoff" not in leaf:
            if event == BEGAN:
                if number:
                    return "the log begins a second time"
                self._began_later = True
                facts = leaf.get("facts")
                older = cast("dict[str, object]", facts).get("events") if isinstance(facts, dict) else None
                if type(older) is not int:
                    return "it is no leaf: it does not say how many events are older"
                self.older = older
                return ""
            return self._of_person(leaf) if "person" in leaf else ""
        handoff, state, count = leaf["handoff"], leaf.get("state"), leaf.get("version")
        if not isinstance(handoff, str) or not isinstance(state, str) or type(count) is not int:
            return "it is no leaf: its handoff, state or version is missing"
        return self._follow(handoff.encode(), event.encode(), state.encode(), count)

    def _of_person(self, leaf: Mapping[str, object]) -> str:
        """Record what happened to a person; return why it can't follow what was before, empty if it can."""
        person, event, version, at = leaf["person"], str(leaf["event"]), leaf.get("version"), leaf.get("at")
        facts, committed = leaf.get("facts"), leaf.get("committed")
        if not isinstance(person, str) or type(version) is not int or not isinstance(at, str):
            return "it is no leaf: its person, version or time is missing"
        if not isinstance(facts, dict) or not isinstance(committed, dict):
            return "it is no leaf: its facts, or what it commits to, are missing"
        before = self._people.get(person)
        seen = self._people.setdefault(person, _PersonSeen())
        first, seen.version = seen.version + 1, version
        if event == ADDED and before is not None:
            return f"{person} is added a second time"
        if version != first:
            return f"{person} has version {version} after {first - 1}: entries are missing or not in order"
        if before is None and event != ADDED:
            return f"{person} was never added"
        try:
            return seen.after(person, event, at, cast("Mapping[str, object]", facts))
        except (ValueError, TypeError):
            return f"a time of {person} can't be read"

    def _follow(self, handoff: bytes, event: bytes, state: bytes, version: int) -> str:
        """Record an event; return why it can't follow what was before, empty if it can."""
        before = self._handoffs.get(handoff)
        self._handoffs[handoff] = version, state
        name = handoff.decode()
        if event == _OPENED:
            if before is not None:
                return f"{name} is opened a second time"
            right = (state, version) == (_OPEN, 1)
            return "" if right else f"{name} is opened as {state.decode()}, version {version}"
        if before is None:
            self._firsts[handoff] = version
            return "" if self._began_later else f"{name} was never opened: its entries before are missing"
        if version != before[0] + 1:
            return f"{name} has version {version} after {before[0]}: entries are missing or not in order"
        if event in _EVENTS and _NEXT.get((before[1], event)) != state:
            what = f"{name} is {state.decode()} by {event.decode()}"
            return f"{what}, which can't happen to one that is {before[1].decode()}"
        return ""
