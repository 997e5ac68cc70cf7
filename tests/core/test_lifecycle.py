from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.deciders import Deciders, Seat
from handoffs.core.display import stamp
from handoffs.core.errors import AlreadyEnded, AlreadyReminded, AlreadyUsed
from handoffs.core.events import (
    EVENTS,
    Answered,
    Cancelled,
    Collected,
    Declined,
    DeniedAgain,
    Dismissed,
    Edited,
    Erased,
    Event,
    Expired,
    Forgotten,
    Joined,
    Left,
    NotShown,
    Opened,
    Reached,
    Reminded,
    Result,
    Revealed,
    Sent,
    Unknown,
    Used,
    Voted,
)
from handoffs.core.lifecycle import TABLE, advance, already_ended, diagram, expiry, steps
from handoffs.core.model import End, Handoff, State
from tests.core.strategies import ASKED, DEADLINE, any_event, handoff
from tests.days import stamped

LATER = ASKED + timedelta(minutes=5)
EXAMPLES: dict[type[Event], Event] = {
    Opened: Opened(at=LATER),
    Joined: Joined(at=LATER, calls=2),
    Reached: Reached(at=LATER, channel="inbox"),
    NotShown: NotShown(at=LATER, channel="elicitation", reason="answered in 3 ms"),
    Dismissed: Dismissed(at=LATER, channel="elicitation"),
    Left: Left(at=LATER, seconds="59.8"),
    Reminded: Reminded(at=LATER, channel="notify", stage="half"),
    Voted: Voted(at=LATER, by="bob", channel="inbox", digest="d"),
    Answered: Answered(at=LATER, by="ada", channel="terminal", values={"response": "yes"}, note="go on"),
    Declined: Declined(at=LATER, by="ada", channel="inbox", note="no"),
    Cancelled: Cancelled(at=LATER, by="ada", channel="inbox"),
    Expired: Expired(at=DEADLINE),
    Collected: Collected(at=LATER),
    Used: Used(at=LATER, tool_use="toolu_01"),
    Edited: Edited(at=LATER, by="ada"),
    Sent: Sent(at=LATER, call="c_1"),
    Result: Result(at=LATER, call="c_1", outcome="done"),
    DeniedAgain: DeniedAgain(at=LATER),
    Unknown: Unknown(at=LATER, call="c_1", reason="its server was cut off"),
    Revealed: Revealed(at=LATER, by="ada", field="password"),
    Forgotten: Forgotten(at=LATER, by="ada", field="password"),
    Erased: Erased(at=LATER, person="p_1", lines="1=c"),
}
RUNS = ["Used", "Edited", "Sent", "Result", "Unknown", "DeniedAgain"]
ENDS: list[type[Event]] = [Answered, Declined, Cancelled, Expired]


def ended(how: type[Event] = Answered) -> Handoff:
    return advance(handoff(), EXAMPLES[how])


def asked_of(*people: str) -> Handoff:
    """An open handoff that these people decide, all of them."""
    seats = tuple(Seat(person=each) for each in people)
    deciders = Deciders(rule="gate.toml:1", asked_at=ASKED, seats=seats, votes=len(people))
    return handoff(question=replace(handoff().question, deciders=deciders))


def what_happens(state: State, event: Event) -> str:
    """The next state's name, or the error's."""
    before = asked_of("bob") if isinstance(event, Voted) else handoff()
    before = before if state is State.OPEN else ended({e.__name__.lower(): e for e in ENDS}[state])
    try:
        return advance(before, event).state
    except (AlreadyEnded, ValueError) as refused:
        return type(refused).__name__


def test_every_state_says_what_every_event_does() -> None:
    stays = {
        "Joined": "open",
        "Reached": "open",
        "NotShown": "open",
        "Dismissed": "open",
        "Left": "open",
        "Reminded": "open",
        "Voted": "open",
    }
    ends = {"Answered": "answered", "Declined": "declined", "Cancelled": "cancelled", "Expired": "expired"}
    table = {state: {e.__name__: what_happens(state, EXAMPLES[e]) for e in EVENTS} for state in State}
    over = dict.fromkeys([e.__name__ for e in EVENTS], "AlreadyEnded")
    assert table == {
        State.OPEN: dict.fromkeys(["Opened", "Collected", *RUNS, "Revealed", "Forgotten", "Erased"], "ValueError")
        | stays
        | ends,
        State.ANSWERED: over | dict.fromkeys(["Collected", *RUNS, "Revealed", "Forgotten", "Erased"], "answered"),
        State.DECLINED: over | dict.fromkeys(["Collected", "DeniedAgain", "Erased"], "declined"),
        State.CANCELLED: over | dict.fromkeys(["Collected", "Erased"], "cancelled"),
        State.EXPIRED: over | dict.fromkeys(["Collected", "Erased"], "expired"),
    }


def test_the_table_has_a_row_for_every_state_and_only_known_events() -> None:
    assert set(TABLE) == set(State)
    assert {event for row in TABLE.values() for event in row} == set(EVENTS) - {Opened}


def test_an_answer_ends_it_with_who_when_how_and_what() -> None:
    after = ended(Answered)
    assert after.state is State.ANSWERED
    assert after.version == 2
    assert after.end == End(at=LATER, by="ada", channel="terminal", note="go on")
    assert after.values == {"response": "yes"}


@pytest.mark.parametrize(("how", "by", "note"), [(Declined, "ada", "no"), (Cancelled, "ada", ""), (Expired, "", "")])
def test_every_other_end_leaves_no_values_that_could_be_taken_for_consent(how: type[Event], by: str, note: str) -> None:
    after = ended(how)
    assert after.values is None
    assert after.answer is None
    assert after.end is not None
    assert (after.end.by, after.end.note) == (by, note)


def test_a_reached_channel_is_recorded_once_in_the_order_of_arrival() -> None:
    after = handoff()
    for channel in ("inbox", "terminal", "inbox"):
        after = advance(after, Reached(at=LATER, channel=channel))
    assert after.reached == ("inbox", "terminal")
    assert after.version == 4


def test_a_stage_is_claimed_once_whichever_channel_comes_second() -> None:
    half = Reminded(at=LATER, channel="notify", stage="half")
    once = advance(advance(handoff(), half), Reminded(at=LATER, channel="notify", stage="last"))
    assert (once.reminded, once.version, once.state) == (("half", "last"), 3, State.OPEN)
    for channel in ("notify", "pager"):
        with pytest.raises(AlreadyReminded, match="the reminder 'half' of h_7Q2xYzabcdefghijkmnp"):
            advance(once, Reminded(at=LATER, channel=channel, stage="half"))


def test_nobody_is_reminded_of_what_has_ended() -> None:
    with pytest.raises(AlreadyEnded):
        advance(ended(), EXAMPLES[Reminded])


@given(st.lists(any_event, max_size=12))
def test_no_stage_is_ever_claimed_twice(happens: list[Event]) -> None:
    now = handoff()
    claimed: list[str] = []
    for event in happens:
        try:
            now = advance(now, event)
        except (AlreadyEnded, AlreadyReminded, AlreadyUsed, ValueError):
            continue
        if isinstance(event, Reminded):
            claimed.append(event.stage)
    assert len(set(claimed)) == len(claimed)
    assert now.reminded == tuple(claimed)


def test_the_first_collection_is_the_one_that_is_kept() -> None:
    once = advance(ended(), Collected(at=LATER))
    twice = advance(once, Collected(at=LATER + timedelta(hours=1)))
    assert (once.collected_at, twice.collected_at) == (LATER, LATER)


def test_an_approval_is_used_by_one_tool_use_however_often_that_is_sent() -> None:
    once = advance(ended(), Used(at=LATER, tool_use="toolu_01"))
    assert (once.state, once.collected_at, once.handed_to) == (State.ANSWERED, LATER, "toolu_01")
    again = advance(once, Used(at=LATER + timedelta(hours=1), tool_use="toolu_01"))
    assert (again.collected_at, again.handed_to) == (LATER, "toolu_01")
    for taken in (once, advance(ended(), Collected(at=LATER)), advance(ended(), Collected(at=LATER, tool_use="other"))):
        with pytest.raises(AlreadyUsed, match="another use has it"):
            advance(taken, Used(at=LATER, tool_use="toolu_02"))


def test_who_comes_second_is_told_who_was_first() -> None:
    with pytest.raises(AlreadyEnded) as told:
        advance(ended(Answered), EXAMPLES[Declined])
    assert str(told.value) == (
        f"h_7Q2xYzabcdefghijkmnp was already answered by ada through terminal at {stamped(19, 35)}. That stands."
    )


def test_the_name_of_who_was_first_cannot_forge_the_line_that_says_so() -> None:
    rude = advance(handoff(), Declined(at=LATER, by="ada\x1b[2J\nroot", channel="inbox"))
    assert "by ada␛[2J root through inbox" in str(already_ended(rude))


def test_an_open_handoff_has_nobody_who_was_first() -> None:
    with pytest.raises(ValueError, match="is open"):
        already_ended(handoff())


@given(st.lists(any_event, max_size=12))
def test_whatever_happens_the_first_outcome_stands(happens: list[Event]) -> None:
    now = handoff()
    outcome: Handoff | None = None
    for event in happens:
        try:
            after = advance(now, event)
        except (AlreadyEnded, AlreadyReminded, AlreadyUsed, ValueError):
            continue
        assert after.version == now.version + 1
        assert (after.id, after.caller, after.question, after.created_at, after.fingerprint) == (
            now.id, now.caller, now.question, now.created_at, now.fingerprint,
        )  # fmt: skip
        now = after
        if outcome is not None:
            assert (now.state, now.end, now.values) == (outcome.state, outcome.end, outcome.values)
        elif now.state is not State.OPEN:
            outcome = now
    first = next((e for e in happens if type(e) in ENDS), None)
    assert (now.state is State.OPEN) == (first is None)
    assert (now.end is None) == (first is None)
    assert (now.answer is not None) == isinstance(first, Answered)
    if first is not None:
        assert now.end is not None
        assert now.end.at == first.at


@given(st.lists(any_event, max_size=12))
def test_a_refused_event_changes_nothing(happens: list[Event]) -> None:
    now = handoff()
    for event in happens:
        before = (now.state, now.version, now.end, now.values, now.collected_at, now.reached, now.reminded)
        try:
            after = advance(now, event)
        except (AlreadyEnded, AlreadyReminded, AlreadyUsed, ValueError):
            assert (now.state, now.version, now.end, now.values, now.collected_at, now.reached, now.reminded) == before
        else:
            now = after


def test_an_open_handoff_expires_at_its_deadline_however_late_it_is_read() -> None:
    days_later = DEADLINE + timedelta(days=3)
    late = Answered(at=days_later, by="ada", channel="inbox", values={"response": "yes"})
    assert expiry(handoff()) == Expired(at=DEADLINE)
    assert steps(handoff(), late) == (Expired(at=DEADLINE), late)
    assert steps(handoff(), expiry(handoff())) == (Expired(at=DEADLINE),)


def test_an_event_in_time_or_after_the_end_brings_no_other_event() -> None:
    on_time = Answered(at=DEADLINE - timedelta(seconds=1), by="ada", channel="inbox", values={"response": "yes"})
    collected = Collected(at=DEADLINE + timedelta(days=1))
    assert steps(handoff(), on_time) == (on_time,)
    assert steps(ended(), collected) == (collected,)


def test_the_deadline_itself_is_too_late() -> None:
    assert handoff().overdue(DEADLINE)
    assert not handoff().overdue(DEADLINE - timedelta(microseconds=1))
    assert not ended().overdue(DEADLINE)


def test_a_time_is_shown_in_utc_to_the_second_wherever_it_was_made() -> None:
    assert stamp(datetime(2026, 11, 22, 19, 30, 0, 999_999, tzinfo=UTC)) == "2026-11-22T19:30:00Z"
    assert stamp(datetime(2026, 11, 22, 20, 30, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-22T19:30:00Z"


def test_the_diagram_draws_every_arrow_of_the_table() -> None:
    assert diagram().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> open: opened",
        "    open --> open: joined, reached, notshown, dismissed, left, reminded, voted",
        "    open --> answered: answered",
        "    open --> declined: declined",
        "    open --> cancelled: cancelled",
        "    open --> expired: expired",
        "    answered --> answered: collected, used, edited, sent, result, unknown, deniedagain, revealed, forgotten, "
        "erased",
        "    declined --> declined: collected, deniedagain, erased",
        "    cancelled --> cancelled: collected, erased",
        "    expired --> expired: collected, erased",
    ]
