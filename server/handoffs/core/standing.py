"""How the decision of one question stands, in words: who may decide it, who has voted, and what is still needed.

With `visible = "theirs"`, only people with a seat are told of the question and of each other.
"""

from collections.abc import Sequence
from datetime import datetime

from handoffs.core.deciders import Deciders, Vote
from handoffs.core.sentences import say, say_n
from handoffs.core.untrusted import inert_line

MOST_NAMES = 12
"""How many people are named in a line."""

_NAME = 60


def sees(deciders: Deciders | None, person: str) -> bool:
    """Return whether a person may see the question, and who decides it."""
    return deciders is None or deciders.visible == "all" or person in deciders.people


def may_vote(deciders: Deciders | None, person: str, at: datetime) -> bool:
    """Return whether a person may decide the question now."""
    return deciders is None or deciders.seat_of(person, at) is not None


def vote_of(deciders: Deciders, votes: Sequence[Vote], person: str) -> Vote | None:
    """Return the vote of a person that counts now; None where they have none."""
    return next((vote for vote in deciders.still_needed(votes).voted if vote.person == person), None)


def who_decides(deciders: Deciders, *, named: bool | None = None) -> str:
    """Return whose decision it is: `the decision of ada, bob (rule gate.toml:3)`.

    People are `named` where everybody may know them, unless the caller knows better.
    """
    if not (deciders.visible == "all" if named is None else named):
        return say("the decision of the people that the rule {rule} names", rule=deciders.rule)
    names = [inert_line(name, _NAME) for name in deciders.people]
    listed = ", ".join(names[:MOST_NAMES]) or say("people who are no longer there")
    if len(names) > MOST_NAMES:
        listed = say("{names} and {count} others", names=listed, count=len(names) - MOST_NAMES)
    return say("the decision of {names} (rule {rule})", names=listed, rule=deciders.rule)


def votes_needed(deciders: Deciders, votes: Sequence[Vote]) -> str:
    """Return what is missing until it is decided: `2 more votes are needed, also from dba`."""
    needed = deciders.still_needed(votes)
    groups = ", ".join(inert_line(group, _NAME) for group in needed.groups)
    counted = (
        say_n("{count} more vote is needed", "{count} more votes are needed", needed.votes)
        if needed.voted
        else say_n("{count} vote is needed", "{count} votes are needed", needed.votes)
    )
    if not groups:
        return counted
    if len(needed.groups) == 1:
        return say("{votes}, from the group {group}", votes=counted, group=groups)
    return say("{votes}, from each of the groups {groups}", votes=counted, groups=groups)


def votes_given(deciders: Deciders, votes: Sequence[Vote]) -> tuple[str, ...]:
    """Return the votes that count, each in words: `bob for ada: yes`."""
    return tuple(map(vote_words, deciders.still_needed(votes).voted))


def vote_words(vote: Vote) -> str:
    """Return one vote in words."""
    who = inert_line(vote.person, _NAME)
    if vote.for_:
        who = say("{deputy} for {person}", deputy=who, person=inert_line(vote.for_, _NAME))
    return say("{who} refused", who=who) if vote.refuses else say("{who} agreed", who=who)


def notes_of_votes(
    deciders: Deciders | None, votes: Sequence[Vote], at: datetime, *, reader: str, ended: bool = False
) -> tuple[str, ...]:
    """Return sentences to show a `reader` beside a question: who decides, who has voted, and what is still needed."""
    if deciders is None:
        return ()
    named = sees(deciders, reader)
    whose = who_decides(deciders, named=named)
    needed = "" if ended else votes_needed(deciders, votes)
    lines = [
        say("It was {whose}", whose=whose) if ended else say("It is {whose}; {needed}", whose=whose, needed=needed)
    ]
    if named:
        lines += votes_given(deciders, votes)
        lines += [] if ended else filter(None, [later_words(deciders, at)])
    if not ended and not may_vote(deciders, reader, at):
        lines.append(say("It is not yours to decide"))
    elif not ended and vote_of(deciders, votes, reader) is not None:
        lines.append(say("You have voted; you can change your vote until the question ends"))
    return tuple(say("{line}.", line=line) for line in lines)


def later_words(deciders: Deciders, at: datetime) -> str:
    """Return who may decide, too, from a later moment on; empty where nobody may, or where they may already."""
    begins = deciders.escalated_at
    if begins is None or at >= begins or not deciders.escalate_to:
        return ""
    names = ", ".join(inert_line(name, _NAME) for name in dict.fromkeys(seat.person for seat in deciders.escalate_to))
    return say("From {time} UTC on, {names} may decide, too", time=f"{begins:%Y-%m-%d %H:%M}", names=names)
