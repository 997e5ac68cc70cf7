from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.deciders import Deciders, Seat, Vote, content_digest, dump_votes, load_votes
from tests.days import at

ASKED = at(12)
YES, OTHER = content_digest("f", {"a": 1}), content_digest("f", {"a": 2})
NAMES = ("ada", "bob", "cyd", "dan", "eve")


def seats(*people: str, groups: str = "") -> tuple[Seat, ...]:
    return tuple(Seat(person=person, groups=frozenset(groups.split())) for person in people)


def deciders(*given: Seat, **changes: object) -> Deciders:
    values: dict[str, object] = {"rule": "gate.toml:2", "asked_at": ASKED, "seats": given}
    return Deciders(**(values | changes))  # type: ignore[arg-type]


def vote(person: str, *, for_: str = "", digest: str = YES, when: datetime = ASKED) -> Vote:
    return Vote(person=person, for_=for_, channel="inbox", at=when, digest=digest)


def after(of: Deciders, *given: Vote) -> tuple[Vote, ...]:
    votes: tuple[Vote, ...] = ()
    for each in given:
        votes = of.with_vote(votes, each)
    return votes


def test_votes_count_persons_each_once() -> None:
    two = deciders(*seats("ada", "bob"), votes=2)
    assert not two.met_by(after(two, vote("ada"), vote("ada")))
    assert not two.met_by((vote("ada"), vote("ada")))  # a store edited by hand
    assert not two.met_by(after(two, vote("ada"), vote("eve")))
    assert two.met_by(after(two, vote("ada"), vote("bob")))


def test_a_deputy_who_is_a_member_too_counts_once() -> None:
    two = deciders(*seats("bob"), Seat(person="bob", for_="ada"), *seats("ada", "cyd"), votes=2)
    assert two.seat_of("bob", ASKED) == Seat(person="bob")
    assert not two.met_by(after(two, vote("bob"), vote("bob", for_="ada")))


def test_a_person_takes_the_place_of_their_deputy() -> None:
    two = deciders(Seat(person="ada", away=True), Seat(person="bob", for_="ada"), *seats("cyd"), votes=2)
    both = after(two, vote("bob", for_="ada"), vote("ada"))
    assert [each.person for each in both] == ["ada"]
    assert not two.met_by(both)
    assert not two.met_by((vote("ada"), vote("bob", for_="ada")))
    assert two.met_by(after(two, vote("bob", for_="ada"), vote("cyd")))


def test_the_requester_has_no_seat_whatever_the_seats_say() -> None:
    one = deciders(*seats("Ada", "bob"), Seat(person="cyd", for_="ada"), requester=frozenset({"ada"}))
    assert one.seat_of("Ada", ASKED) is None
    assert one.seat_of("cyd", ASKED) is None
    assert not one.met_by((vote("Ada"), vote("cyd", for_="ada")))
    assert one.people == ("bob",)


def test_another_content_voids_the_votes_for_the_first() -> None:
    two = deciders(*seats("ada", "bob", "cyd"), votes=2)
    votes = after(two, vote("ada"), vote("bob", digest=OTHER))
    assert [each.person for each in votes] == ["bob"]
    assert not two.met_by(votes)
    assert not two.met_by((vote("ada"), vote("bob", digest=OTHER)))
    assert two.met_by(after(two, *votes, vote("cyd", digest=OTHER)))
    assert not two.met_by(after(two, vote("ada"), vote("bob")), OTHER)


def test_so_many_refusals_end_it_as_the_rule_says() -> None:
    assert deciders(*seats("ada")).refused_by([vote("ada", digest="")])
    two = deciders(*seats("ada", "bob"), refusals=2)
    once = after(two, vote("ada", digest=""))
    assert not two.refused_by(after(two, *once, vote("ada", digest="")))
    assert two.refused_by(after(two, *once, vote("bob", digest="")))
    assert not two.met_by(once)


def test_each_group_needs_a_person_of_its_own() -> None:
    both = deciders(
        *seats("ada", groups="dba security"), *seats("bob", groups="dba"), *seats("cyd"), each=("dba", "security")
    )
    assert not both.met_by(after(both, vote("ada")))
    assert not both.met_by(after(both, vote("ada"), vote("cyd")))
    for order in permutations([vote("ada"), vote("bob")]):
        assert both.met_by(after(both, *order))
    needed = both.still_needed(after(both, vote("bob")))
    assert (needed.votes, needed.groups) == (1, ("security",))
    assert both.can_be_met
    assert not deciders(*seats("ada", groups="dba security"), each=("dba", "security")).can_be_met


def test_a_deputy_does_not_count_through_somebody_who_has_voted() -> None:
    both = deciders(
        *seats("ada", groups="security"),
        Seat(person="bob", for_="ada", groups=frozenset({"security"})),
        *seats("bob", groups="ops"),
        each=("security", "ops"),
        votes=2,
    )
    assert both.met_by(after(both, vote("ada"), vote("bob")))
    twice = deciders(*both.seats, each=("security", "security"))
    assert not twice.met_by(after(twice, vote("ada"), vote("bob")))


def test_others_may_decide_after_a_time() -> None:
    later = ASKED + timedelta(hours=1)
    one = deciders(*seats("ada"), escalate_seconds=3600, escalate_to=seats("bob"))
    assert one.seat_of("bob", later - timedelta(seconds=1)) is None
    assert one.seat_of("bob", later) == Seat(person="bob")
    assert not one.met_by((vote("bob"),))
    assert one.met_by((vote("bob", when=later),))
    assert one.people == ("ada", "bob")


def test_who_left_and_their_deputy_have_no_seat() -> None:
    two = deciders(*seats("ada", "cyd"), Seat(person="bob", for_="ada"), votes=2)
    left = two.without(["ada"])
    assert [seat.person for seat in left.seats] == ["cyd"]
    assert left.with_vote(after(two, vote("bob", for_="ada")), vote("cyd")) == (vote("cyd"),)
    assert two.without([]) is two


def test_it_is_stored_as_text() -> None:
    whole = deciders(
        Seat(person="ada", for_="bob", groups=frozenset({"x", "y"}), away=True),
        votes=2,
        each=("x", "y"),
        refusals=3,
        proof="passkey",
        visible="theirs",
        requester=frozenset({"eve"}),
        remind_seconds=60.0,
        escalate_seconds=3600.0,
        escalate_to=seats("dan"),
    )
    assert Deciders.loads(whole.dumps()) == whole
    votes = (vote("ada", for_="bob"), vote("cyd", digest=""))
    assert load_votes(dump_votes(votes)) == votes


@pytest.mark.parametrize("text", ["", "{}", "[]", "1", '{"rule":"r","asked_at":"x"}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Deciders.loads(text)


def test_a_content_is_its_values_in_any_order() -> None:
    assert content_digest("f", {"a": 1, "b": "x"}) == content_digest("f", {"b": "x", "a": 1})
    different = [("g", {"a": 1}, ""), ("f", {"a": "1"}, ""), ("f", {}, "a"), ("f", {"a": 1}, "b")]
    assert YES not in [content_digest(*each) for each in different]


VOTES = st.builds(
    vote,
    st.sampled_from(NAMES),
    for_=st.sampled_from(("", "", *NAMES)),
    digest=st.sampled_from((YES, YES, OTHER, "")),
)
SEATS = st.builds(
    Seat,
    person=st.sampled_from(NAMES),
    for_=st.sampled_from(("", "", *NAMES)),
    groups=st.frozensets(st.sampled_from(("x", "y", "z"))),
)


@given(
    st.lists(SEATS, max_size=8),
    st.lists(VOTES, max_size=10),
    st.integers(1, 3),
    st.sampled_from([(), ("x", "y"), ("x", "y", "z")]),
    st.frozensets(st.sampled_from(NAMES), max_size=1),
)
def test_no_order_of_votes_decides_without_a_quorum(
    given: list[Seat], cast_: list[Vote], votes: int, each: tuple[str, ...], requester: frozenset[str]
) -> None:
    of = deciders(*given, votes=votes, each=each, requester=requester)
    seats = {(seat.person, seat.for_) for seat in given if requester.isdisjoint((seat.person, seat.for_))}
    # A vote without a seat is none, and takes no other's place: only a store that was edited by hand has one.
    ordered, last = after(of, *cast_), {vote.person: vote for vote in cast_ if (vote.person, vote.for_) in seats}
    assert len({vote.person for vote in ordered}) == len(ordered)
    for kept in (ordered, tuple(cast_)):  # as they were counted, and as a store edited by hand has them
        for digest in (YES, OTHER):
            if of.met_by(kept, digest):
                there = {person for person, vote in last.items() if vote.digest == digest}
                voters = there & {vote.person for vote in kept if vote.digest == digest}
                for_themselves = {vote.for_ for vote in kept if vote.digest == digest} & voters
                assert len(voters - requester) >= max(votes, len(each)), for_themselves
                assert voters <= {seat.person for seat in given} | requester | {v.person for v in kept}
        if of.refused_by(kept):
            assert any(vote.refuses and vote.person not in requester for vote in kept)
    assert of.met_by(ordered) == (of.still_needed(ordered).votes == 0 and any(not v.refuses for v in ordered))
