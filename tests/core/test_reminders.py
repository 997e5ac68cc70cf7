from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.deciders import Deciders, Seat
from handoffs.core.events import Answered, Reminded
from handoffs.core.lifecycle import advance
from handoffs.core.model import Handoff
from handoffs.core.reminders import Stage, due, next_due, stages
from tests.core.strategies import ASKED, handoff


def after(**length: float) -> timedelta:
    return timedelta(**length)


def lasting(length: timedelta, *reminded: str) -> Handoff:
    asked = handoff(reminded=reminded)
    return replace(asked, question=replace(asked.question, deadline=ASKED + length))


def story(length: timedelta) -> list[tuple[float, tuple[Stage, ...]]]:
    """What is due when, in seconds after it was asked, to somebody who looks in time and claims all of it."""
    now, told, asked = ASKED, [], lasting(length)
    while (at := next_due(asked, now)) is not None:
        now = at
        told.append(((now - ASKED).total_seconds(), stages(asked, now)))
        for stage in stages(asked, now):
            asked = advance(asked, Reminded(at=now, channel="notify", stage=stage))
    return told


def test_a_question_of_a_day_is_announced_four_times_until_its_last_tenth() -> None:
    assert story(after(hours=24)) == [
        (20, (Stage.OPENED,)),
        (12 * 3600, (Stage.HALF,)),
        (18 * 3600, (Stage.ESCALATED,)),
        (21.6 * 3600, (Stage.LAST,)),
    ]


def test_a_short_question_is_told_of_at_half_its_time_and_then_not_as_new() -> None:
    assert story(after(seconds=30)) == [
        (15, (Stage.HALF,)),
        (22.5, (Stage.ESCALATED,)),
        (27, (Stage.LAST,)),
    ]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (0, ()),
        (1, (Stage.OPENED,)),
        (12, (Stage.HALF,)),
        (19, (Stage.HALF, Stage.ESCALATED)),
        (23, (Stage.ESCALATED, Stage.LAST)),
        (24, ()),
        (99, ()),
    ],
)
def test_who_looks_for_the_first_time_late_tells_each_list_once(hours: float, expected: tuple[Stage, ...]) -> None:
    assert stages(lasting(after(hours=24)), ASKED + after(hours=hours)) == expected


def test_what_is_claimed_is_not_due_nor_what_came_before_it() -> None:
    at = ASKED + after(hours=19)
    assert stages(lasting(after(hours=24), "half"), at) == (Stage.ESCALATED,)
    assert stages(lasting(after(hours=24), "last"), at) == (Stage.ESCALATED,)
    assert stages(lasting(after(hours=24), "opened", "half", "escalated"), at) == ()
    assert stages(lasting(after(hours=24), "escalated"), at) == (Stage.HALF,)
    assert next_due(lasting(after(hours=24), "half", "escalated", "last"), ASKED) is None


def test_nobody_is_told_of_what_has_ended() -> None:
    at = ASKED + after(hours=13)
    ended = advance(handoff(), Answered(at=ASKED, by="ada", channel="inbox", values={"response": "yes"}))
    assert stages(handoff(), at) == (Stage.HALF,)
    assert (stages(ended, at), next_due(ended, at)) == ((), None)


lengths = st.integers(1, 90 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
moments = st.floats(0, 1.2)
claims = st.lists(st.sampled_from([*Stage]), unique=True).map(lambda each: tuple(str(stage) for stage in each))


@given(lengths, moments, claims)
def test_nothing_changes_before_the_next_moment(length: timedelta, moment: float, claimed: tuple[str, ...]) -> None:
    asked, now = lasting(length, *claimed), ASKED + length * moment
    at = next_due(asked, now)
    until = asked.question.deadline if at is None else at
    if now < until:
        assert stages(asked, until - timedelta.resolution) == stages(asked, now)


@given(lengths, moments, claims)
def test_what_is_due_has_come_and_was_not_claimed(length: timedelta, moment: float, claimed: tuple[str, ...]) -> None:
    asked, now = lasting(length, *claimed), ASKED + length * moment
    told = stages(asked, now)
    assert len(told) <= 2
    assert not set(told) & set(claimed)
    assert all(due(asked, stage) <= now < asked.question.deadline for stage in told)


def test_a_rule_says_when_those_who_decide_are_reminded_and_others_told() -> None:
    asked = lasting(after(hours=24))
    rule = Deciders(
        rule="gate.toml:3",
        asked_at=ASKED,
        seats=(Seat(person="ada"),),
        remind_seconds=600,
        escalate_seconds=3600,
        escalate_to=(Seat(person="bob"),),
    )
    asked = replace(asked, question=replace(asked.question, deciders=rule))
    times = [due(asked, stage) - ASKED for stage in Stage]
    assert times == [after(), after(minutes=10), after(hours=1), after(hours=21.6)]
    plain = replace(asked, question=replace(asked.question, deciders=replace(rule, remind_seconds=None)))
    assert due(plain, Stage.HALF) - ASKED == after(hours=12)
