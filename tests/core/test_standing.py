"""What people read about a question that others decide."""

from dataclasses import replace
from datetime import timedelta

from handoffs.core.deciders import Deciders, Seat, Vote
from handoffs.core.standing import may_vote, notes_of_votes, sees
from tests.days import at

NOON = at(12)
SEATS = (
    Seat(person="ada", groups=frozenset({"dba"})),
    Seat(person="bob", groups=frozenset({"dba", "security"})),
    Seat(person="cyd", for_="ada", groups=frozenset({"dba"})),
)
RULE = Deciders(rule="gate.toml:3", asked_at=NOON, seats=SEATS, each=("dba", "security"))
YES = Vote(person="cyd", for_="ada", at=NOON, digest="1")


def notes(of: Deciders, *votes: Vote, reader: str = "ada", ended: bool = False) -> tuple[str, ...]:
    return notes_of_votes(of, votes, NOON, reader=reader, ended=ended)


def test_who_decides_who_has_voted_and_who_is_needed() -> None:
    assert notes(RULE) == (
        "It is the decision of ada, bob, cyd (rule gate.toml:3); 2 votes are needed, from each of the groups "
        "dba, security.",
    )
    assert notes(RULE, YES, reader="cyd") == (
        "It is the decision of ada, bob, cyd (rule gate.toml:3); 1 more vote is needed, from the group security.",
        "cyd for ada agreed.",
        "You have voted; you can change your vote until the question ends.",
    )
    assert notes(RULE, YES, ended=True) == (
        "It was the decision of ada, bob, cyd (rule gate.toml:3).",
        "cyd for ada agreed.",
    )


def test_who_has_no_vote_reads_no_names_that_only_theirs_see() -> None:
    theirs = replace(RULE, visible="theirs")
    assert (sees(theirs, "eve"), sees(theirs, "bob"), sees(RULE, "eve"), sees(None, "eve")) == (False, True, True, True)
    first, last = notes(theirs, YES, reader="eve")
    assert first.startswith("It is the decision of the people that the rule gate.toml:3 names; 1 more vote is needed")
    assert last == "It is not yours to decide."
    assert "ada, bob" in notes(theirs, YES, reader="bob")[0]


def test_others_are_told_of_before_they_may_decide() -> None:
    later = replace(RULE, escalate_seconds=3600, escalate_to=(Seat(person="eve"),))
    assert f"From {NOON + timedelta(hours=1):%Y-%m-%d %H:%M} UTC on, eve may decide, too." in notes(later)
    assert not may_vote(later, "eve", NOON)
    assert may_vote(later, "eve", NOON + timedelta(hours=1))
    assert len(notes_of_votes(later, (), NOON + timedelta(hours=1), reader="ada")) == 1
