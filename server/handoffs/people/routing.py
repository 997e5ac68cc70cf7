"""Routing: who may decide one question, of the people that a rule names, at the moment at which it is asked.

- People who were removed, and the principal that asked, get no seat; nor does a deputy for the principal that asked.
- For a person who is away, their deputy gets a seat *for* them; where the deputy is away, too, the deputy's deputy, at
  most `MAX_CHAIN` steps on and never in a circle. The person keeps a seat, but the quorum does not rest on them.
- A group stands for its members, each on their own; a group has no deputy.
- Where those who are there can't make the quorum, the question is refused at once, with the rule's name.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from handoffs.core.deciders import Deciders, Seat
from handoffs.core.errors import QuestionRefused
from handoffs.core.person import Directory
from handoffs.core.principals import names_of, same_identity
from handoffs.people.rules import GROUP, DeciderRule

MAX_CHAIN = 5
"""How many deputies in a row stand in for each other."""


class NobodyCanDecide(QuestionRefused):
    """The people whose decision it is can't make it."""

    def __init__(self, rule: DeciderRule, asks: Collection[str] = ()) -> None:
        """Take the rule, and the people that it names in whose name is asked."""
        self.rule = rule.rule
        votes = max(rule.votes, len(rule.each), 1)
        groups = f", one from each of {', '.join(rule.each)}" if rule.each else ""
        wanted = f"{votes} votes{groups}" if votes > 1 else "a vote"
        named = ", ".join(sorted(asks)) if rule.visible == "all" else ""
        without = f"This is asked in the name of {named}, and who asks has no vote" if named else "Who asks has no vote"
        super().__init__(
            f"Nobody can decide this: the rule {rule.rule} needs {wanted}, and too few of the people that it names are "
            f"there. {without}. `handoffs people list` shows who is known."
        )


def route(rule: DeciderRule, directory: Directory, *, at: datetime, requester: str) -> Deciders:
    """Return who may decide a question that this principal asks now.

    Raises:
        NobodyCanDecide: Too few of them are there.
    """
    names = names_of(requester)
    identity = same_identity(requester)
    asks = names | {
        person.name.lower()
        for person in directory.people.values()
        if person.email.lower() in names or identity in person.identities
    }
    named = (*rule.to, *(f"{GROUP}{group}" for group in rule.each))
    deciders = Deciders(
        rule=rule.rule,
        asked_at=at,
        seats=_seats(named, directory, at, asks),
        votes=rule.votes,
        each=rule.each,
        refusals=rule.refusals,
        proof=rule.proof,
        visible=rule.visible,
        requester=asks,
        remind_seconds=rule.remind_seconds,
        escalate_seconds=rule.escalate_seconds,
        escalate_to=_seats(rule.escalate_to, directory, at, asks),
    )
    if not deciders.can_be_met:
        raise NobodyCanDecide(rule, _named_and_asking(named, directory, asks))
    return deciders


def _named_and_asking(named: Iterable[str], directory: Directory, asks: frozenset[str]) -> frozenset[str]:
    return frozenset(person for person in _persons(named, directory) if person.lower() in asks)


def _persons(named: Iterable[str], directory: Directory) -> Mapping[str, frozenset[str]]:
    """Return the people who are named, and were not removed, each with the groups that name them."""
    groups: dict[str, frozenset[str]] = {}
    for name in named:
        group = name.removeprefix(GROUP) if name.startswith(GROUP) else ""
        for person in directory.members(group) if group else (name,):
            if directory.present(person) is not None:
                groups[person] = groups.get(person, frozenset()) | ({group} - {""})
    return groups


def _seats(named: Iterable[str], directory: Directory, at: datetime, asks: frozenset[str]) -> tuple[Seat, ...]:
    seats: list[Seat] = []
    for person, through in _persons(named, directory).items():
        if person.lower() in asks:
            continue
        away = _stand_in(person, directory, at) is not None
        seats.append(Seat(person=person, groups=through, away=away))
        deputy = _deputy_of(person, directory, at, asks) if away else None
        if deputy is not None:
            seats.append(Seat(person=deputy, for_=person, groups=through))
    return tuple(seats)


def _deputy_of(person: str, directory: Directory, at: datetime, asks: frozenset[str]) -> str | None:
    """Return who is there in place of a person who is away; None where nobody is."""
    seen, current = {person}, person
    for _ in range(MAX_CHAIN):
        deputy = _stand_in(current, directory, at)
        if deputy is None:
            return current
        if deputy in seen or deputy.lower() in asks or directory.present(deputy) is None:
            return None
        seen.add(deputy)
        current = deputy
    return current if _stand_in(current, directory, at) is None else None


def _stand_in(person: str, directory: Directory, at: datetime) -> str | None:
    """Return the deputy of a person who is away now, by the absence that began last; None where they are there."""
    away = [each for each in directory.absences if each.person == person and each.covers(at)]
    return max(away, key=lambda each: each.since).deputy if away else None
