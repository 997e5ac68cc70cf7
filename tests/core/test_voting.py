"""Votes on a handoff, as every store records them: `transition_of` is what a store writes."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.action import Action, Asker
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.errors import AlreadyEnded, NotProved, NotTheirDecision
from handoffs.core.events import Answered, Cancelled, Declined, Event, Voted, details_of
from handoffs.core.lifecycle import advance
from handoffs.core.model import SCRIPT, Handoff, State
from handoffs.core.voting import vote_for, was_decided
from handoffs.store.transition import transition_of
from tests.core.strategies import ASKED, DEADLINE, handoff

NAMES = ("ada", "bob", "cyd", "dan", "eve")
LATER = ASKED + timedelta(minutes=5)
ACTION = Action(asker=Asker.GATE, server="shop", tool="wipe", arguments="{}")


def asked(*seats: Seat | str, action: Action | None = None, **changes: object) -> Handoff:
    taken = tuple(Seat(person=each) if isinstance(each, str) else each for each in seats)
    values: dict[str, object] = {"rule": "gate.toml:2", "asked_at": ASKED, "seats": taken}
    deciders = Deciders(**(values | changes))  # type: ignore[arg-type]
    plain = handoff()
    return replace(plain, question=replace(plain.question, deciders=deciders, action=action))


def yes(by: str, value: str = "yes", *, at: datetime = LATER, channel: str = "inbox") -> Answered:
    return Answered(at=at, by=by, channel=channel, values={"response": value})


def no(by: str) -> Declined:
    return Declined(at=LATER, by=by, channel="inbox")


def deciders_of(of: Handoff) -> Deciders:
    assert of.question.deciders is not None
    return of.question.deciders


def after(of: Handoff, *outcomes: Answered | Declined, gone: tuple[str, ...] = ()) -> Handoff:
    for outcome in outcomes:
        of = transition_of(of, [vote_for(of, outcome, gone=gone), outcome]).outcome()
    return of


def test_the_last_vote_of_a_quorum_answers() -> None:
    two = asked("ada", "bob", "cyd", votes=2)
    once = after(two, yes("ada"))
    assert (once.state, once.values, once.version) == (State.OPEN, None, 2)
    assert [vote.person for vote in once.votes] == ["ada"]
    whole = after(once, yes("bob"))
    assert (whole.state, whole.values, whole.version) == (State.ANSWERED, {"response": "yes"}, 4)
    assert whole.end is not None
    assert whole.end.by == "bob"
    with pytest.raises(AlreadyEnded):
        after(whole, yes("cyd"))


def test_the_log_says_who_voted_for_whom_and_nothing_that_they_wrote() -> None:
    of = asked(Seat(person="bob", for_="ada"), "cyd", votes=2)
    said = details_of(vote_for(of, yes("bob", "my diary"), gone=["dan"]))
    assert {**said, "digest": len(said["digest"])} == {"by": "bob", "for_": "ada", "channel": "inbox", "digest": 64}
    assert details_of(vote_for(of, no("cyd"))) == {"by": "cyd", "channel": "inbox"}


def test_others_are_told_whose_decision_it_is() -> None:
    with pytest.raises(NotTheirDecision, match=r"decision of ada, bob \(rule gate\.toml:2\)"):
        after(asked("ada", "bob"), yes("eve"))
    with pytest.raises(NotTheirDecision) as hidden:
        after(asked("ada", visible="theirs"), no("eve"))
    assert "ada" not in str(hidden.value)
    with pytest.raises(NotTheirDecision, match="script"):
        after(asked("ada"), yes("ada", channel=SCRIPT))


def test_what_demands_a_passkey_is_only_refused_without_one() -> None:
    of = asked("ada", proof="passkey")
    with pytest.raises(NotProved, match="demands a passkey"):
        after(of, yes("ada"))
    assert after(of, no("ada")).state is State.DECLINED


def test_an_outcome_alone_decides_nothing() -> None:
    of = asked("ada")
    for outcome in (yes("ada"), no("ada")):
        assert transition_of(of, [outcome]).events == []
        with pytest.raises(NotTheirDecision, match="votes are missing"):
            advance(of, outcome)
    withdrawn = Cancelled(at=LATER, by="agent", channel="mcp")
    assert transition_of(of, [withdrawn]).outcome().state is State.CANCELLED


def test_a_vote_that_was_made_up_is_refused() -> None:
    of = asked(Seat(person="bob", for_="ada"), "ada", "cyd")
    for by, for_ in (("eve", ""), ("bob", ""), ("bob", "cyd"), ("cyd", "ada")):
        with pytest.raises(NotTheirDecision):
            advance(of, Voted(at=LATER, by=by, for_=for_, channel="inbox", digest="d"))
    with pytest.raises(NotTheirDecision, match="ada has voted"):
        after(replace(of, question=asked(*deciders_of(of).seats, votes=2).question), yes("ada"), yes("bob"))
    with pytest.raises(ValueError, match="takes no votes"):
        advance(handoff(), Voted(at=LATER, by="ada", channel="inbox"))


def test_to_deny_an_action_is_a_refusal() -> None:
    of = asked("ada", "bob", "cyd", votes=2, refusals=2, action=ACTION)

    def says(by: str, decision: str, **more: str) -> Answered:
        return Answered(at=LATER, by=by, channel="inbox", values={"decision": decision, **more})

    denied = after(of, says("ada", "deny"), says("bob", "deny", reason="no"))
    assert denied.values == {"decision": "deny", "reason": "no"}
    assert not was_decided(denied, deciders_of(asked("ada", "bob", votes=2)))
    edited = after(of, says("ada", "allow"), says("bob", "allow", arguments="{}"))
    assert edited.state is State.OPEN  # another content than ada's
    allowed = after(edited, says("cyd", "allow", arguments="{}", reason="fine"))
    assert allowed.state is State.ANSWERED
    assert was_decided(allowed, deciders_of(of))
    forged = replace(allowed, values={"decision": "allow", "arguments": '{"all":true}'})
    assert not was_decided(forged, deciders_of(of))


def test_after_the_deadline_no_vote_counts() -> None:
    of = asked("ada", "bob", votes=2)
    late = yes("ada", at=DEADLINE)
    transition = transition_of(of, [vote_for(of, late), late])
    assert [event.name for event in transition.events] == ["expired"]
    with pytest.raises(AlreadyEnded):
        transition.outcome()


def test_who_was_removed_has_no_vote_any_more() -> None:
    of = asked("ada", "bob", "cyd", votes=2)
    once = after(of, yes("ada"))
    assert after(once, yes("bob"), gone=("ada",)).state is State.OPEN
    with pytest.raises(NotTheirDecision):
        after(once, yes("bob"), gone=("bob",))
    with pytest.raises(NotTheirDecision, match="no longer there"):
        after(of, yes("bob"), gone=("ada", "bob", "cyd"))


SEATS = st.lists(
    st.builds(
        Seat,
        person=st.sampled_from(NAMES),
        for_=st.sampled_from(("", "", "ada", "bob")),
        groups=st.frozensets(st.sampled_from(("x", "y"))),
    ),
    max_size=7,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(("yes", "yes", "edited", "")), st.frozensets(st.sampled_from(NAMES))
    ),
    max_size=9,
)


@given(
    SEATS,
    STEPS,
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from([(), ("x", "y")]),
    st.frozensets(st.sampled_from(NAMES), max_size=1),
)
def test_no_order_of_votes_and_removals_decides_too_early(
    seats: list[Seat],
    steps: list[tuple[str, str, frozenset[str]]],
    votes: int,
    refusals: int,
    each: tuple[str, ...],
    requester: frozenset[str],
) -> None:
    of = asked(*seats, votes=votes, refusals=refusals, each=each, requester=requester)
    said: dict[str, str] = {}  # what each person has said last, as far as it can count
    gone: frozenset[str] = frozenset()
    for person, value, removed in steps:
        gone |= removed if len(removed) == 1 else frozenset()
        outcome = yes(person, value) if value else no(person)
        may = {s.person for s in seats if {s.person, s.for_}.isdisjoint(gone | requester)}
        try:
            of = after(of, outcome, gone=tuple(gone))
        except NotTheirDecision:
            assert person not in may or any(seat.for_ in said for seat in seats if seat.person == person)
            continue
        assert person in may
        # Only those who are there still count, and approvals of another content are void.
        said = {name: each for name, each in said.items() if name in may and (not value or each in ("", value))}
        said[person] = value
        if of.state is State.ANSWERED:
            assert of.values == {"response": value}
            assert sum(each == value for each in said.values()) >= max(votes, len(each))
            assert was_decided(of, deciders_of(of))
        elif of.state is State.DECLINED:
            assert sum(not each for each in said.values()) >= refusals
        if of.state is not State.OPEN:
            events: list[Event] = [Voted(at=LATER, by=person, channel="inbox", digest="d")]
            with pytest.raises(AlreadyEnded):
                transition_of(of, events).outcome()
            return
        assert {vote.person for vote in of.votes} <= set(said)
        assert len({vote.person for vote in of.votes}) == len(of.votes)
