"""Votes and routing in any order: what holds of each question that people decide, whatever happens to it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from hypothesis import event, given, settings
from hypothesis import strategies as st

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form, with_titles
from handoffs.core.deciders import Deciders, Vote
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, NotTheirDecision
from handoffs.core.events import Answered, Declined
from handoffs.core.form import Value
from handoffs.core.model import Caller, Handoff, Question, State, fingerprint_of
from handoffs.core.person import Absence, Directory, Person
from handoffs.core.question import form_of
from handoffs.core.voting import vote_for
from handoffs.people.routing import NobodyCanDecide, route
from handoffs.people.rules import DeciderRule
from handoffs.store.sqlite.store import SqliteStore
from handoffs.store.transition import transition_of
from tests.days import at
from tests.fakes import FakeClock

NAMES = ("ada", "bob", "cyd", "dan", "eve")
GROUPS = ("dba", "security")
NOW, DAY = at(12), timedelta(days=1)
ACTION = Action(asker=Asker.GATE, server="shop", tool="wipe", arguments='{"path":"/tmp"}', definition="")
CONTENTS: dict[str, dict[str, Value]] = {
    "allow": {"decision": "allow"},
    "edit": {"decision": "allow", "arguments": '{"path":"/tmp/x"}'},
    "deny": {"decision": "deny"},
}


@dataclass(frozen=True)
class Says:
    """A person says something: one of CONTENTS, or `decline`."""

    who: str
    what: str
    minutes: int


@dataclass(frozen=True)
class Removed:
    """A person is removed."""

    who: str


@dataclass(frozen=True)
class Regrouped:
    """A person is in other groups from now on, and away."""

    who: str
    groups: frozenset[str]


Step = Says | Removed | Regrouped

names, groups = st.sampled_from(NAMES), st.frozensets(st.sampled_from(GROUPS))
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Says, names, st.sampled_from([*CONTENTS, "allow", "allow", "decline"]), st.integers(0, 30)),
    st.builds(Removed, names),
    st.builds(Regrouped, names, groups),
)
named = st.lists(st.sampled_from([*NAMES, "group:dba", "group:security"]), min_size=1, max_size=4).map(tuple)
rules = st.builds(
    DeciderRule,
    rule=st.just("gate.toml:7"),
    to=named,
    votes=st.integers(1, 3),
    each=st.sampled_from([(), (), ("dba", "security")]),
    refusals=st.integers(1, 2),
    escalate_seconds=st.sampled_from([None, 1800.0]),
    escalate_to=named,
)
absences = st.builds(
    Absence, person=names, deputy=names, since=st.just(NOW - DAY), until=st.sampled_from([NOW, NOW + DAY])
)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    people = {name: Person(name=name, groups=draw(groups), added_at=NOW - DAY) for name in NAMES}
    away = draw(st.lists(absences, max_size=3, unique_by=lambda each: each.person))
    return Directory(people=people, absences=tuple(each for each in away if each.person != each.deputy))


requesters = st.sampled_from([*NAMES, "token:ada", "oauth:bob@id.example.com", "agent", "agent"])


def asked(deciders: Deciders, requester: str) -> Handoff:
    caller, message = Caller(subject=requester, client="c", project=""), "Wipe?"
    form = with_titles(form_of(message, None, action_form(editable=True)))
    question = Question(message=message, form=form, deadline=NOW + DAY, action=ACTION, deciders=deciders)
    of = fingerprint_of(caller, message=message, form=form, breakout_of_loop=False, action=ACTION)
    return Handoff(id="h_1", caller=caller, question=question, created_at=NOW, fingerprint=of)


def after(directory: Directory, step: Removed | Regrouped) -> Directory:
    person = directory.people[step.who]
    changed = replace(person, removed_at=NOW) if isinstance(step, Removed) else replace(person, groups=step.groups)
    away = directory.absences
    if isinstance(step, Regrouped):
        deputy = NAMES[NAMES.index(step.who) - 1]
        away = (*away, Absence(person=step.who, deputy=deputy, since=NOW - DAY, until=NOW + DAY))
    return replace(directory, people={**directory.people, step.who: changed}, absences=away)


def outcome_of(says: Says, when: datetime) -> Answered | Declined:
    if says.what == "decline":
        return Declined(at=when, by=says.who, channel="inbox")
    return Answered(at=when, by=says.who, channel="inbox", values=CONTENTS[says.what])


def enough(deciders: Deciders, votes: Sequence[Vote]) -> bool:
    """Whether these votes are a decision, found by trying each way in which they may stand for the groups."""
    seats = (*deciders.seats, *deciders.escalate_to)
    of = {
        vote.person: {group for seat in seats if seat.person == vote.person for group in seat.groups}
        for vote in votes
        if not vote.refuses
    }
    if len(of) < deciders.votes or len(of) < len(deciders.each):
        return False
    return any(
        all(group in of[person] for group, person in zip(deciders.each, chosen, strict=True))
        for chosen in permutations(of, len(deciders.each))
    )


def holds_always(handoff: Handoff, deciders: Deciders, requester: str) -> None:
    """Check what is true of each state of a question."""
    votes, name = handoff.votes, requester.removeprefix("token:").removeprefix("oauth:").partition("@")[0]
    counted = [vote.for_ or vote.person for vote in votes]
    persons = [vote.person for vote in votes]
    # One person counts once: neither twice, nor for somebody who speaks for themselves.
    assert len(set(persons)) == len(persons)
    assert len(set(counted)) == len(counted)
    assert not any(vote.for_ in persons for vote in votes)
    # Who asks has no vote, and no deputy.
    assert name not in {*persons, *(vote.for_ for vote in votes)}
    # All approvals are of one content.
    assert len({vote.digest for vote in votes if not vote.refuses}) <= 1
    # Who voted and what is needed tell the same.
    needed = deciders.still_needed(votes)
    assert list(needed.voted) == list(votes)
    refused = sum(vote.refuses for vote in votes) >= deciders.refusals
    met = enough(deciders, votes)
    if needed.votes == 0 and not needed.groups:
        assert met
    match handoff.state:
        case State.OPEN:
            assert not refused
            assert not met
        case State.ANSWERED if handoff.values != CONTENTS["deny"]:
            assert met
            assert (needed.votes, needed.groups) == (0, ())
        case _:  # to deny is a refusal
            assert refused


def walk(deciders: Deciders, directory: Directory, given_steps: Sequence[Step], requester: str) -> Handoff:
    """Go through the steps, and check after each of them what holds."""
    handoff, when = asked(deciders, requester), NOW
    for step in given_steps:
        if not isinstance(step, Says):
            directory = after(directory, step)
            continue
        when += timedelta(minutes=step.minutes)
        before, outcome = handoff, outcome_of(step, when)
        gone = [each for each in deciders.everyone if directory.present(each) is None]
        try:
            handoff = transition_of(before, [vote_for(before, outcome, gone=gone), outcome]).outcome()
        except AlreadyEnded:
            assert before.end is not None  # the first outcome stands
            continue
        except NotTheirDecision:
            continue
        assert before.end is None
        holds_always(handoff, deciders, requester)
        # Nobody decides after they were removed, nor counts in what is decided then.
        assert directory.present(step.who) is not None
        assert all(directory.present(vote.person) is not None for vote in handoff.votes)
        assert handoff.votes[-1].person == step.who
        refuses = step.what in ("deny", "decline")
        if refuses:
            assert handoff.state is not State.ANSWERED or handoff.values == CONTENTS["deny"]
            assert deciders.refusals > 1 or handoff.end is not None  # one refusal ends it, unless the rule says so
        else:
            digest = handoff.votes[-1].digest
            assert all(vote.refuses or vote.digest == digest for vote in handoff.votes)  # an edit voids the votes
    return handoff


def routed(rule: DeciderRule, directory: Directory, requester: str) -> Deciders | None:
    try:
        return route(rule, directory, at=NOW, requester=requester)
    except NobodyCanDecide:
        return None


@given(rules, directories(), requesters, st.lists(steps, min_size=2, max_size=12))
@settings(max_examples=400, deadline=None)
def test_votes_of_any_order_keep_what_a_rule_promises(
    rule: DeciderRule, directory: Directory, requester: str, given_steps: list[Step]
) -> None:
    deciders = routed(rule, directory, requester)
    if deciders is not None:
        assert deciders.can_be_met
        event(walk(deciders, directory, given_steps, requester).state.value)


@given(rules, directories(), requesters)
@settings(max_examples=200, deadline=None)
def test_what_is_routed_is_decided_when_all_who_are_there_agree(
    rule: DeciderRule, directory: Directory, requester: str
) -> None:
    deciders = routed(rule, directory, requester)
    if deciders is not None:
        agree = [Says(name, "allow", 40 if number == 0 else 0) for number, name in enumerate(deciders.people)]
        assert walk(deciders, directory, agree, requester).state is State.ANSWERED


async def kept(deciders: Deciders, directory: Directory, given_steps: Sequence[Step], requester: str) -> Handoff:
    """Go through the steps with a desk over a store in a file."""
    people, clock = directory, FakeClock(NOW)

    async def now_known() -> Directory:
        return people

    with TemporaryDirectory() as folder:
        async with SqliteStore(Path(folder) / "handoffs.db") as store:
            desk = Desk(store=store, clock=clock, directory=now_known)
            handoff = await desk.ask(
                message="Wipe?",
                caller=Caller(subject=requester, client="c", project=""),
                form=action_form(editable=True),
                action=ACTION,
                deciders=deciders,
                deadline_seconds=DAY.total_seconds(),
            )
            for step in given_steps:
                if not isinstance(step, Says):
                    people = after(people, step)
                    continue
                clock.forward(step.minutes * 60)
                with suppress(AlreadyEnded, NotTheirDecision):
                    if step.what == "decline":
                        await desk.decline(await desk.get(handoff.id), by=step.who, channel="inbox")
                    else:  # as it was first read: what others have said since is the store's to find
                        await desk.answer(handoff, CONTENTS[step.what], by=step.who, channel="inbox")
            return await desk.get(handoff.id)


@given(rules, directories(), requesters, st.lists(steps, max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_store_comes_to_the_same_votes_and_the_same_end(
    rule: DeciderRule, directory: Directory, requester: str, given_steps: list[Step]
) -> None:
    deciders = routed(rule, directory, requester)
    if deciders is None:
        return
    pure = walk(deciders, directory, given_steps, requester)
    stored = anyio.run(kept, deciders, directory, given_steps, requester)
    assert (stored.state, stored.values) == (pure.state, pure.values)
    assert [(each.person, each.for_, each.refuses, each.at) for each in stored.votes] == [
        (each.person, each.for_, each.refuses, each.at) for each in pure.votes
    ]
    assert (stored.end and stored.end.by) == (pure.end and pure.end.by)
