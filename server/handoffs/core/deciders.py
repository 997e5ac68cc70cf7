"""Who may decide one question, and how many of them it takes.

- A vote counts for a person, once, however often and for whomever they vote. A deputy votes *for* the person who is
  away; that person's own vote takes the place of it.
- A vote counts for one content: the values that were voted for. A vote for other values voids the earlier ones.
- The principal that asked has no seat, whatever the seats say.
- Seats are given when the question is routed. Those of `escalate_to` count from `escalate_seconds` on, by time alone.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, cast

from handoffs.core.attachment import Attachment, listed

Proof: TypeAlias = Literal["", "passkey"]
Visible: TypeAlias = Literal["all", "theirs"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """One person who may vote."""

    person: str
    for_: str = ""
    """Whose deputy they are; empty for a person in their own right."""
    groups: frozenset[str] = frozenset()
    """The groups through which they count."""
    away: bool = False
    """They were away when the question was routed: they may decide, but the quorum does not rest on them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """What one person said."""

    person: str
    for_: str = ""
    channel: str = ""
    at: datetime
    digest: str = ""
    """The content that they voted for, see `content_digest`; empty for a refusal."""
    proof: str = field(default="", repr=False)
    """The assertion of the person's passkey, as `decision.Assertion.dumps` writes it; empty where none is demanded."""

    @property
    def refuses(self) -> bool:
        """Whether the person refused."""
        return not self.digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """What is missing until a question is decided."""

    votes: int
    """How many more persons, at the least."""
    groups: tuple[str, ...]
    """The groups of `each` without a vote."""
    voted: tuple[Vote, ...]
    """The votes that count, refusals also."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deciders:
    """Who may decide one question, and how."""

    rule: str
    """The rule that says so: `gate.toml:12`."""
    asked_at: datetime
    seats: tuple[Seat, ...]
    votes: int = 1
    each: tuple[str, ...] = ()
    """Groups: one vote from a member of each, by different persons."""
    refusals: int = 1
    """How many refusals end it."""
    proof: Proof = ""
    visible: Visible = "all"
    requester: frozenset[str] = frozenset()
    """The names of the principal that asked, in lower case."""
    remind_seconds: float | None = None
    escalate_seconds: float | None = None
    escalate_to: tuple[Seat, ...] = ()
    """Others who may decide after that time, too."""

    @property
    def takes_several(self) -> bool:
        """Whether it takes the votes of several persons."""
        return len(self.each) + self.votes > 1

    def seat_of(self, name: str, at: datetime) -> Seat | None:
        """Return the seat of a person at this moment, their own before one as a deputy; None where they have none."""
        found = [seat for seat in self._seats(at) if seat.person == name]
        return min(found, key=lambda seat: bool(seat.for_), default=None)

    def met_by(self, votes: Sequence[Vote], digest: str | None = None) -> bool:
        """Return whether these votes decide the question: by this content, or by any one."""
        standing = self._standing(votes)
        wanted = {vote.digest for vote in standing if not vote.refuses} if digest is None else {digest} - {""}
        return any(self._enough([vote for vote in standing if vote.digest == each], standing) for each in wanted)

    def refused_by(self, votes: Sequence[Vote]) -> bool:
        """Return whether so many refused that the question has ended."""
        return sum(vote.refuses for vote in self._standing(votes)) >= self.refusals

    def with_vote(self, votes: Sequence[Vote], vote: Vote) -> tuple[Vote, ...]:
        """Return the votes after one more: each person once, and all approvals of one content."""
        kept = [
            each
            for each in self._standing(votes)
            if vote.person not in (each.person, each.for_)
            and (vote.refuses or each.refuses or each.digest == vote.digest)
        ]
        return (*kept, vote)

    def without(self, gone: Collection[str]) -> "Deciders":
        """Return the same, where these people and their deputies have no seat."""
        if not gone:
            return self
        return replace(self, seats=_left(self.seats, gone), escalate_to=_left(self.escalate_to, gone))

    def still_needed(self, votes: Sequence[Vote]) -> Needed:
        """Return what is missing after these votes."""
        standing = self._standing(votes)
        approving = [vote for vote in standing if not vote.refuses]
        empty = _unfilled(self.each, self._groups(approving, standing))
        return Needed(votes=max(self.votes - len(approving), len(empty), 0), groups=empty, voted=tuple(standing))

    @property
    def people(self) -> tuple[str, ...]:
        """The names of all who have or will have a seat, in order."""
        return tuple(sorted({seat.person for seat in self._seats(None)}))

    @property
    def everyone(self) -> frozenset[str]:
        """The names in all seats, also of those whose deputy has one."""
        return frozenset(name for seat in self._seats(None) for name in (seat.person, seat.for_) if name)

    @property
    def everyone_named(self) -> frozenset[str]:
        """The names in all seats, also in those of the requester, who may not use them."""
        return frozenset(name for seat in (*self.seats, *self.escalate_to) for name in (seat.person, seat.for_) if name)

    @property
    def can_be_met(self) -> bool:
        """Whether those who were not away when it was routed are enough."""
        groups: dict[str, frozenset[str]] = {}
        for seat in self._seats(None):
            if not seat.away:
                groups[seat.person] = groups.get(seat.person, frozenset()) | seat.groups
        return len(groups) >= max(self.votes, 1) and not _unfilled(self.each, groups)

    @property
    def escalated_at(self) -> datetime | None:
        """When others may decide, too; None where there are none."""
        return None if self.escalate_seconds is None else self.asked_at + timedelta(seconds=self.escalate_seconds)

    def _seats(self, at: datetime | None) -> list[Seat]:
        """Return the seats at this moment; all that there will be for None."""
        begins = self.escalated_at
        later = begins is not None and (at is None or at >= begins)
        seats = (*self.seats, *self.escalate_to) if later else self.seats
        return [seat for seat in seats if self.requester.isdisjoint((seat.person.lower(), seat.for_.lower()))]

    def _standing(self, votes: Sequence[Vote]) -> list[Vote]:
        """Return the votes that count: the last of each person with a seat, of a person and their deputy one."""
        last = {
            vote.person: vote
            for vote in votes
            if any(seat.person == vote.person and seat.for_ == vote.for_ for seat in self._seats(vote.at))
        }
        stood_for: set[str] = set()
        standing: list[Vote] = []
        for vote in last.values():
            if vote.for_ and (vote.for_ in last or vote.for_ in stood_for):
                continue
            stood_for.add(vote.for_)
            standing.append(vote)
        return standing

    def _enough(self, approving: Sequence[Vote], standing: Sequence[Vote]) -> bool:
        groups = self._groups(approving, standing)
        return len(groups) >= max(self.votes, 1) and not _unfilled(self.each, groups)

    def _groups(self, approving: Sequence[Vote], standing: Sequence[Vote]) -> dict[str, frozenset[str]]:
        """Return the groups through which each voter counts; a deputy not through somebody who has voted."""
        voted = {vote.person for vote in standing}
        return {
            vote.person: frozenset(
                group
                for seat in self._seats(vote.at)
                if seat.person == vote.person and seat.for_ not in voted
                for group in seat.groups
            )
            for vote in approving
        }

    def dumps(self) -> str:
        """Return it as text for a store."""
        kept: dict[str, object] = {
            "rule": self.rule,
            "asked_at": _micros(self.asked_at),
            "seats": [_seat_values(seat) for seat in self.seats],
            "votes": self.votes,
            "each": self.each,
            "refusals": self.refusals,
            "proof": self.proof,
            "visible": self.visible,
            "requester": sorted(self.requester),
            "remind": self.remind_seconds,
            "escalate": self.escalate_seconds,
            "escalate_to": [_seat_values(seat) for seat in self.escalate_to],
        }
        return json.dumps(kept, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> "Deciders":
        """Return what `dumps` wrote. Raises ValueError."""
        try:
            kept = json.loads(text)
            return cls(
                rule=str(kept["rule"]),
                asked_at=_moment(kept["asked_at"]),
                seats=tuple(map(_seat, kept["seats"])),
                votes=int(kept["votes"]),
                each=tuple(map(str, kept["each"])),
                refusals=int(kept["refusals"]),
                # What is not known here demands what nobody here can give.
                proof="passkey" if kept["proof"] else "",
                visible="all" if kept["visible"] == "all" else "theirs",
                requester=frozenset(map(str, kept["requester"])),
                remind_seconds=kept["remind"],
                escalate_seconds=kept["escalate"],
                escalate_to=tuple(map(_seat, kept["escalate_to"])),
            )
        except (KeyError, TypeError, OverflowError) as wrong:
            raise ValueError(f"these deciders can't be read: {wrong!r}") from wrong


def content_digest(
    fingerprint: str, values: Mapping[str, object], other: str = "", attachments: Sequence[Attachment] = ()
) -> str:
    """Return a digest that is equal for the same answer to the same question, as 64 hexadecimal digits."""
    files = [listed(attachments)] if attachments else []  # without any, the digest is that of earlier versions
    whole = [fingerprint, {name: values[name] for name in sorted(values)}, other, *files]
    return hashlib.sha256(json.dumps(whole, separators=(",", ":")).encode()).hexdigest()


def dump_votes(votes: Sequence[Vote]) -> str:
    """Return votes as text for a store."""
    kept = [
        [vote.person, vote.for_, vote.channel, _micros(vote.at), vote.digest, *([vote.proof] if vote.proof else [])]
        for vote in votes
    ]
    return json.dumps(kept, separators=(",", ":"))


def load_votes(text: str) -> tuple[Vote, ...]:
    """Return what `dump_votes` wrote. Raises ValueError."""
    kept = cast("list[tuple[str, str, str, int, str] | tuple[str, str, str, int, str, str]]", json.loads(text))
    return tuple(
        Vote(person=person, for_=for_, channel=channel, at=_moment(at), digest=digest, proof="".join(proof))
        for person, for_, channel, at, digest, *proof in kept
    )


def _left(seats: Sequence[Seat], gone: Collection[str]) -> tuple[Seat, ...]:
    return tuple(seat for seat in seats if seat.person not in gone and seat.for_ not in gone)


def _unfilled(each: Sequence[str], groups: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return the groups that no person is left for, when every person stands for one group."""
    taken: dict[str, str] = {}  # the group that a person stands for

    def fill(group: str, tried: set[str]) -> bool:
        for person in sorted(groups):
            if group not in groups[person] or person in tried:
                continue
            tried.add(person)
            if person not in taken or fill(taken[person], tried):
                taken[person] = group
                return True
        return False

    return tuple(group for group in each if not fill(group, set()))


def _seat_values(seat: Seat) -> list[object]:
    return [seat.person, seat.for_, sorted(seat.groups), int(seat.away)]


def _seat(kept: tuple[str, str, list[str], int]) -> Seat:
    person, for_, groups, away = kept
    return Seat(person=str(person), for_=str(for_), groups=frozenset(map(str, groups)), away=bool(away))


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _moment(stored: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stored)
