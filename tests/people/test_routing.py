from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.deciders import Deciders, Seat
from handoffs.core.person import Absence, Directory, Person
from handoffs.core.principals import identity_of
from handoffs.people.routing import MAX_CHAIN, NobodyCanDecide, route
from handoffs.people.rules import DeciderRule
from tests.days import at

NOW = at(12)
DAY = timedelta(days=1)


def person(name: str, *groups: str, email: str = "", removed: bool = False) -> Person:
    return Person(
        name=name, email=email, groups=frozenset(groups), added_at=NOW - DAY, removed_at=NOW if removed else None
    )


def away(name: str, deputy: str) -> Absence:
    return Absence(person=name, deputy=deputy, since=NOW, until=NOW + DAY)


def directory(*people: Person, absences: tuple[Absence, ...] = ()) -> Directory:
    return Directory(people={each.name: each for each in people}, absences=absences)


def routed(rule: DeciderRule, of: Directory, *, requester: str = "agent", hours: int = 0) -> Deciders:
    return route(rule, of, at=NOW + timedelta(hours=hours), requester=requester)


def rule(*to: str, **changes: object) -> DeciderRule:
    values: dict[str, object] = {"rule": "gate.toml:7", "to": to}
    return DeciderRule(**(values | changes))  # type: ignore[arg-type]


ADA, BOB, CYD = person("ada", "dba"), person("bob", "dba", "security"), person("cyd", "security")
ALL = directory(ADA, BOB, CYD)


def test_a_group_is_its_members_each_once() -> None:
    found = routed(rule("group:dba", "bob", each=("dba", "security"), votes=2), ALL)
    assert found.seats == (
        Seat(person="ada", groups=frozenset({"dba"})),
        Seat(person="bob", groups=frozenset({"dba", "security"})),
        Seat(person="cyd", groups=frozenset({"security"})),
    )
    assert (found.rule, found.asked_at, found.votes, found.each) == ("gate.toml:7", NOW, 2, ("dba", "security"))


def test_who_was_removed_or_is_unknown_gets_no_seat() -> None:
    of = directory(ADA, person("bob", "dba", removed=True))
    assert routed(rule("group:dba", "bob", "eve"), of).people == ("ada",)


@pytest.mark.parametrize("requester", ["ada", "ADA", "token:ada", "oauth:ada@id.example.com"])
def test_who_asks_gets_no_seat(requester: str) -> None:
    found = routed(rule("ada", "bob"), ALL, requester=requester)
    assert found.people == ("bob",)
    assert found.seat_of("ada", NOW) is None
    with pytest.raises(NobodyCanDecide):
        routed(rule("ada"), ALL, requester=requester)


def test_who_asks_by_their_address_gets_no_seat() -> None:
    of = directory(person("ada", email="Ada@example.com"), BOB)
    assert routed(rule("ada", "bob"), of, requester="oauth:ada@example.com@id.example.com").people == ("bob",)


def test_a_deputy_sits_for_who_is_away() -> None:
    of = directory(ADA, BOB, CYD, absences=(away("ada", "cyd"),))
    found = routed(rule("ada"), of)
    assert found.seats == (Seat(person="ada", away=True), Seat(person="cyd", for_="ada"))
    assert routed(rule("ada"), of, hours=24).seats == (Seat(person="ada"),)
    with pytest.raises(NobodyCanDecide):
        routed(rule("ada", votes=2), of)  # the two of them have one vote


def test_deputies_go_on_for_each_other_to_a_bound() -> None:
    people = [person(f"p{number}") for number in range(MAX_CHAIN + 2)]
    chain = tuple(away(f"p{number}", f"p{number + 1}") for number in range(MAX_CHAIN + 1))
    of = directory(*people, absences=chain)
    assert routed(rule("p1"), of).seats[1] == Seat(person=f"p{MAX_CHAIN + 1}", for_="p1")
    with pytest.raises(NobodyCanDecide):
        routed(rule("p0"), of)


def test_deputies_in_a_circle_decide_nothing() -> None:
    circle = (away("ada", "bob"), away("bob", "cyd"), away("cyd", "ada"))
    with pytest.raises(NobodyCanDecide, match=r"rule gate\.toml:7 needs a vote"):
        routed(rule("ada"), directory(ADA, BOB, CYD, absences=circle))


def test_who_asks_is_no_deputy_nor_stands_in_a_chain() -> None:
    of = directory(ADA, BOB, CYD, absences=(away("ada", "bob"), away("bob", "cyd")))
    with pytest.raises(NobodyCanDecide):
        routed(rule("ada"), of, requester="bob")


def test_a_quorum_that_nobody_can_make_is_refused_with_its_rule() -> None:
    with pytest.raises(NobodyCanDecide, match=r"gate\.toml:7 needs 2 votes") as refused:
        routed(rule("ada", votes=2), ALL)
    assert refused.value.rule == "gate.toml:7"
    with pytest.raises(NobodyCanDecide, match="one from each of dba, ops"):
        routed(rule(each=("dba", "ops")), ALL)
    assert routed(rule("ada", votes=2, escalate_seconds=60.0, escalate_to=("cyd",)), ALL).can_be_met


NAMES = ("ada", "bob", "cyd", "dan")
PEOPLE = st.fixed_dictionaries(
    {
        name: st.builds(
            lambda groups, removed, name=name: person(name, *groups, removed=removed),
            st.frozensets(st.sampled_from(("x", "y"))),
            st.booleans(),
        )
        for name in NAMES
    }
)


@given(
    PEOPLE,
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=6),
    st.lists(st.sampled_from((*NAMES, "group:x", "group:y")), min_size=1, unique=True),
    st.integers(1, 3),
    st.sampled_from([(), ("x", "y")]),
)
def test_whatever_is_routed_can_be_decided_by_others(
    people: dict[str, Person], absences: list[tuple[str, str]], to: list[str], votes: int, each: tuple[str, ...]
) -> None:
    of = Directory(people=people, absences=tuple(away(*pair) for pair in absences))
    try:
        found = routed(rule(*to, votes=votes, each=each), of, requester="ada")
    except NobodyCanDecide:
        return
    gone = {name for name, one in people.items() if not one.present} | {"ada"}
    assert gone.isdisjoint({name for seat in found.seats for name in (seat.person, seat.for_)})
    there = {seat.person for seat in found.seats if not seat.away}
    assert len(there) >= max(votes, len(each))
    assert there.isdisjoint({person for person, _ in absences})


@pytest.mark.parametrize(
    ("requester", "people"),
    [
        ("oauth:248289@id.example.com", ("bob",)),
        ("oauth:248289@id.example.com/", ("bob",)),
        ("oauth:248289@ID.example.com", ("bob",)),
        ("oauth:24828@id.example.com", ("ada", "bob")),
        ("oauth:248289@id.example.org", ("ada", "bob")),
        ("token:248289@id.example.com", ("ada", "bob")),
    ],
)
def test_an_identity_ties_who_asks_to_a_person(requester: str, people: tuple[str, ...]) -> None:
    tied = replace(ADA, identities=frozenset({identity_of("https://id.example.com/#248289")}))
    assert routed(rule("group:dba"), directory(tied, BOB), requester=requester).people == people


@pytest.mark.parametrize(
    "written", ["", "#", "248289", "https://id.example.com", "https://#1", "id.example.com#1", "https://a b#1"]
)
def test_what_is_no_identity_is_refused_in_words(written: str) -> None:
    with pytest.raises(ValueError, match="is none"):
        identity_of(written)
