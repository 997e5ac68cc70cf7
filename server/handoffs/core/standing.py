"""How the decision of one question stands, in words: who may decide it, who has voted, and what is still needed.

With `visible = "theirs"`, only people with a seat are told of the question and of each other.
"""

from collections.abc import Sequence
from datetime import datetime

from handoffs.core.deciders import Deciders, Vote
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
        return f"the decision of the people that the rule {deciders.rule} names"
    names = [inert_line(name, _NAME) for name in deciders.people]
    more = f" and {len(names) - MOST_NAMES} others" if len(names) > MOST_NAMES else ""
    listed = ", ".join(names[:MOST_NAMES]) + more
    return f"the decision of {listed or 'people who are no longer there'} (rule {deciders.rule})"


def votes_needed(deciders: Deciders, votes: Sequence[Vote]) -> str:
    """Return what is missing until it is decided: `2 more votes are needed, also from dba`."""
    needed = deciders.still_needed(votes)
    groups = ", ".join(inert_line(group, _NAME) for group in needed.groups)
    of = f", from the group {groups}" if len(needed.groups) == 1 else f", from each of the groups {groups}"
    more = " more" if needed.voted else ""
    counted = f"1{more} vote is" if needed.votes == 1 else f"{needed.votes}{more} votes are"
    return f"{counted} needed{of if groups else ''}"


def votes_given(deciders: Deciders, votes: Sequence[Vote]) -> tuple[str, ...]:
    """Return the votes that count, each in words: `bob for ada: yes`."""
    return tuple(map(vote_words, deciders.still_needed(votes).voted))


def vote_words(vote: Vote) -> str:
    """Return one vote in words."""
    instead = f" for {inert_line(vote.for_, _NAME)}" if vote.for_ else ""
    return f"{inert_line(vote.person, _NAME)}{instead} {'refused' if vote.refuses else 'agreed'}"


def notes_of_votes(
    deciders: Deciders | None, votes: Sequence[Vote], at: datetime, *, reader: str, ended: bool = False
) -> tuple[str, ...]:
    """Return sentences to show a `reader` beside a question: who decides, who has voted, and what is still needed."""
    if deciders is None:
        return ()
    named = sees(deciders, reader)
    whose = f"It {'was' if ended else 'is'} {who_decides(deciders, named=named)}"
    lines = [whose if ended else f"{whose}; {votes_needed(deciders, votes)}"]
    if named:
        lines += votes_given(deciders, votes)
        lines += [] if ended else filter(None, [later_words(deciders, at)])
    if not ended and not may_vote(deciders, reader, at):
        lines.append("It is not yours to decide")
    elif not ended and vote_of(deciders, votes, reader) is not None:
        lines.append("You have voted; you can change your vote until the question ends")
    return tuple(f"{line}." for line in lines)


def later_words(deciders: Deciders, at: datetime) -> str:
    """Return who may decide, too, from a later moment on; empty where nobody may, or where they may already."""
    begins = deciders.escalated_at
    if begins is None or at >= begins or not deciders.escalate_to:
        return ""
    names = ", ".join(inert_line(name, _NAME) for name in dict.fromkeys(seat.person for seat in deciders.escalate_to))
    return f"From {begins:%Y-%m-%d %H:%M} UTC on, {names} may decide, too"
