"""What is erased of a person in a handoff, so that the log can still be verified afterwards.

The person's name gives way to their mark, `erased: p_…`; the answer, the note and the secrets that they gave go, and
their signatures with them. Where the answer goes, the digests of what was voted for become others, since an answer can
be guessed from its digest, and so can it from the others' signatures: those go, too.

Each line that says any of this loses its salt: nobody can tell any more whether a guess at a name is right. What is
left of such a line is committed to anew, with a new salt, in the line `erased`, so it still can't be changed: that line
names it by its place among the lines of the handoff, `3=COMMITMENT 5=COMMITMENT`. The new salt stands in place of the
old one, after a dash.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from handoffs.core.deciders import Deciders, Seat, Vote
from handoffs.core.errors import PersonRefused
from handoffs.core.events import Answered, Entry, Erased, Voted
from handoffs.core.leaf import commitment, committed_in, new_salt, words_of
from handoffs.core.leaves import Lined
from handoffs.core.model import End, Handoff, State
from handoffs.core.person import Person, mark_of
from handoffs.core.rewriting import Rewrite, Rewritten, RewrittenLine
from handoffs.core.storable import storable
from handoffs.proof.recorded import Recorded, recorded

ERASED_SALT = "-"
"""What the salt of a line begins with that has lost words."""

ERASED_PROOF = "erased"
"""Stands for a signature that was erased."""

PATIENCE = timedelta(hours=24)
"""How long an answer waits for its agent before it may be erased."""

_REST = "rest"
_NAMES = ("by", "for_")


def rewrite_at(at: datetime) -> Rewrite:
    """Return what says what is erased of a person in a handoff at this moment."""

    def rewrite(person: Person, handoff: Handoff, lines: Sequence[Lined]) -> Rewritten | None:
        return _Erasing(person, handoff, lines).rewritten(at)

    return rewrite


def rests(entries: Sequence[Entry]) -> dict[int, str]:
    """Return what the lines of a handoff commit to that is left of others, by their place, from 1 on."""
    found: dict[int, str] = {}
    for entry in entries:
        if entry.name == Erased.name:
            for pair in entry.details.get("lines", "").split():
                place, _, committed = pair.partition("=")
                found[int(place)] = committed
    return found


def rest_differs(each: Recorded, salt: str, committed: str | None) -> bool:
    """Say whether what is left of a line is not what `rests` has of it."""
    try:
        return committed is None or _rest(each, bytes.fromhex(salt.removeprefix(ERASED_SALT))) != committed
    except ValueError:
        return True


def concerns(name: str, handoff: Handoff, entries: Sequence[Entry]) -> bool:
    """Say whether a person of this name is in a handoff: decides it, has voted, ended it, or did something with it."""
    of, end = handoff.question.deciders, handoff.end
    return (
        (of is not None and (name in of.everyone_named or name.lower() in of.requester))
        or any(name in (vote.person, vote.for_) for vote in handoff.votes)
        or (end is not None and end.by == name)
        or any(entry.details.get(each) == name for entry in entries for each in _NAMES)
    )


class _Erasing:
    def __init__(self, person: Person, handoff: Handoff, lines: Sequence[Lined]) -> None:
        self._person, self._name, self._mark = person, storable(person.name), mark_of(person.id)
        self._handoff, self._lines = handoff, lines
        self._entries = [each.entry for each in lines]
        self._ended_it = handoff.end is not None and handoff.end.by == self._name
        # Guesses at an answer must not be possible with what is left.
        self._answer_goes = self._ended_it and handoff.values is not None
        self._blind = secrets.token_bytes(32)

    def rewritten(self, at: datetime) -> Rewritten | None:
        handoff = self._handoff
        if not concerns(self._name, handoff, self._entries):
            return None
        if handoff.state is State.OPEN:
            raise PersonRefused(
                f"{handoff.id} is open and names {self._person.name}: wait until it has ended, or withdraw it with "
                f"`handoffs cancel {handoff.id}`. Nothing was erased."
            )
        end = handoff.end
        if self._ended_it and handoff.collected_at is None and end is not None and at - end.at < PATIENCE:
            raise PersonRefused(
                f"{handoff.id} was decided by {self._person.name} less than a day ago, and its agent has not received "
                "that yet: try again when it has, or tomorrow. Nothing was erased."
            )
        after = self._after()
        entries = [replace(entry, details=self._details(entry.details)) for entry in self._entries]
        places = [place for place, line in enumerate(self._lines, 1) if self._says_it(place, line)]
        events = dict(enumerate(recorded(after, entries), 1))
        left: list[str] = []
        lines: list[RewrittenLine] = []
        for place in places:
            line, salt = self._lines[place - 1], new_salt()
            if line.leaf is not None:
                left.append(f"{place}={_rest(events[place], salt)}")
            details = json.dumps(dict(entries[place - 1].details), separators=(",", ":"))
            kept = "" if line.leaf is None else f"{ERASED_SALT}{salt.hex()}"
            lines.append(RewrittenLine(number=line.entry.number, details=details, salt=kept))
        event = Erased(at=at, person=self._person.id, lines=" ".join(left))
        return Rewritten(after=replace(after, version=handoff.version + 1), event=event, lines=lines)

    def _after(self) -> Handoff:
        handoff = self._handoff
        votes = tuple(map(self._vote, handoff.votes))
        of = handoff.question.deciders
        question = handoff.question if of is None else replace(handoff.question, deciders=self._deciders(of))
        after = replace(handoff, votes=votes, question=question)
        if not self._ended_it or handoff.end is None:
            return after
        end = End(at=handoff.end.at, by=self._mark, channel=handoff.end.channel, note="")
        return replace(after, end=end, values=None, other="", sealed={}, attachments=())

    def _says_it(self, place: int, line: Lined) -> bool:
        """Say whether a line says anything that is erased."""
        entry, handoff, of = line.entry, self._handoff, self._handoff.question.deciders
        if any(entry.details.get(each) == self._name for each in _NAMES):
            return True
        if entry.name == "opened":
            return of is not None and self._deciders(of) != of
        if entry.name == Voted.name:
            # Who had been removed by then is committed to, and kept nowhere: it may be the person.
            gone = line.leaf is not None and "gone" in committed_in(line.leaf.text.encode())
            return self._answer_goes or (gone and of is not None and self._name in of.everyone_named)
        return self._ended_it and entry.name == Answered.name and handoff.values is not None

    def _vote(self, vote: Vote) -> Vote:
        theirs = self._name in (vote.person, vote.for_)
        proof = ERASED_PROOF if vote.proof and (theirs or self._answer_goes) else vote.proof
        return replace(
            vote,
            person=self._renamed(vote.person),
            for_=self._renamed(vote.for_),
            digest=self._digest(vote.digest),
            proof=proof,
        )

    def _details(self, details: Mapping[str, str]) -> dict[str, str]:
        told = {name: self._renamed(text) if name in _NAMES else text for name, text in details.items()}
        if told.get("digest"):
            told["digest"] = self._digest(told["digest"])
        return told

    def _digest(self, digest: str) -> str:
        """Return another digest, the same for the same one, of which nothing can be guessed."""
        return sha256(self._blind + digest.encode()).hexdigest() if digest and self._answer_goes else digest

    def _deciders(self, of: Deciders) -> Deciders:
        lower = self._name.lower()
        requester = frozenset(self._mark if each == lower else each for each in of.requester)
        return replace(
            of,
            seats=tuple(map(self._seat, of.seats)),
            escalate_to=tuple(map(self._seat, of.escalate_to)),
            requester=requester,
        )

    def _seat(self, seat: Seat) -> Seat:
        return replace(seat, person=self._renamed(seat.person), for_=self._renamed(seat.for_))

    def _renamed(self, name: str) -> str:
        return self._mark if name == self._name else name


def _rest(each: Recorded, salt: bytes) -> str:
    """Return the commitment to the words that are left of an event."""
    words = {name: word for name, word in words_of(each.after, each.event).items() if name not in each.unkept}
    return commitment(_REST, json.dumps(words, sort_keys=True, separators=(",", ":")), salt)
