"""What every store does, engine by engine: each sentence of the port `Store`."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoffs.core.action import Action, Asker
from handoffs.core.errors import AlreadyEnded, AlreadyReminded, AlreadyUsed, NotFound, NotTheirDecision
from handoffs.core.events import (
    Answered,
    Cancelled,
    Collected,
    Declined,
    Dismissed,
    Entry,
    Event,
    Expired,
    Forgotten,
    NotShown,
    Opened,
    Reached,
    Reminded,
    Revealed,
    Voted,
)  # fmt: skip
from handoffs.core.ids import new_id
from handoffs.core.lifecycle import advance, steps
from handoffs.core.model import Caller, Cursor, End, Handoff, OpenCount, Outline, State
from handoffs.core.ports import Store
from handoffs.core.schema import parse
from handoffs.core.voting import vote_for
from tests.core.strategies import ADA, ASKED, DEADLINE, any_event, filled, forms
from tests.store.samples import DAY, LATER, LONG_AGO, answered, sample, two_of

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


async def opened(store: Store, *handoffs: Handoff) -> None:
    for handoff in handoffs:
        assert await store.open(handoff, collect_after=LONG_AGO) == handoff


async def names(store: Store, handoff_id: str | None = None) -> list[str]:
    return [entry.name for entry in await store.log(handoff_id=handoff_id)]


# Secrets


async def test_sealed_values_stay_beside_the_answer_until_erased_and_off_the_log(
    store: Store, same_store: Store
) -> None:
    handoff = sample()
    await opened(store, handoff)
    event = replace(answered(), values={"response": "secret:h_1/response"}, sealed={"response": "1.a.bc", "pin": "1.d"})
    after = await store.record(handoff.id, event)
    assert after.sealed == {"response": "1.a.bc", "pin": "1.d"}
    assert await same_store.get(handoff.id) == after == (await same_store.newest(open_only=False))[0]
    revealed = Revealed(at=LATER, by="ada", field="response")
    await same_store.record(handoff.id, revealed, Forgotten(at=LATER, by="ada", field="response"))
    left = await store.get(handoff.id)
    assert (left.sealed, left.values) == ({"pin": "1.d"}, after.values)
    log = await store.log(handoff_id=handoff.id)
    assert [(entry.name, dict(entry.details)) for entry in log[1:]] == [
        ("answered", {"by": "ada", "channel": "terminal"}),
        ("revealed", {"by": "ada", "field": "response"}),
        ("forgotten", {"by": "ada", "field": "response"}),
    ]


# Opening


async def test_a_new_handoff_is_kept_and_its_first_line_is_in_the_log(store: Store, same_store: Store) -> None:
    handoff = sample()
    assert await store.open(handoff, collect_after=LONG_AGO) == handoff
    assert await same_store.get(handoff.id) == handoff
    assert await same_store.log() == [
        Entry(number=1, handoff_id=handoff.id, name="opened", at=ASKED, details={}),
    ]


@st.composite
def answered_handoffs(draw: st.DrawFn) -> tuple[Handoff, Answered]:
    """Any open handoff and an answer that fits it."""
    form, text = draw(forms()), draw(st.text(max_size=200))
    asked = ASKED + timedelta(microseconds=draw(st.integers(0, 10**15)))
    caller = Caller(subject=text, client="claude-code", project=text[:40])
    handoff = sample(text, at=asked, caller=caller, form=form, breakout=draw(st.booleans()))
    values = {field.name: draw(filled(field)) for field in form.fields}
    return handoff, Answered(at=asked + TICK, by=text[:20], channel="inbox", values=values, note=text)


# The store stays the same from example to example: each opens a handoff of its own in it.
on_one_store = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@on_one_store
@given(answered_handoffs())
async def test_any_handoff_comes_back_equal(store: Store, asked_and_answered: tuple[Handoff, Answered]) -> None:
    asked, answer = asked_and_answered
    handoff = replace(asked, fingerprint=asked.id)
    await opened(store, handoff)
    assert await store.get(handoff.id) == handoff
    assert await store.record(handoff.id, answer) == advance(handoff, answer)
    assert await store.get(handoff.id) == advance(handoff, answer)


async def test_a_long_question_and_a_large_form_come_back_equal(store: Store) -> None:
    properties = {
        f"field {n}": {"type": "string", "enum": [f"{n} {'ß' * 20} {m}" for m in range(30)]} for n in range(20)
    }
    handoff = sample("ā\0\u202e🖐" * 5_000, form=parse({"type": "object", "properties": properties}))
    await opened(store, handoff)
    assert await store.get(handoff.id) == handoff


async def test_text_that_is_no_text_is_kept_spelled_out(store: Store) -> None:
    handoff = sample("caf\udce9", caller=replace(ADA, project="/home/caf\udce9"))
    await store.open(handoff, collect_after=LONG_AGO)
    kept = await store.get(handoff.id)
    assert (kept.question.message, kept.caller.project) == (r"caf\udce9", r"/home/caf\udce9")
    again = replace(handoff, id=new_id())
    assert (await store.open(again, collect_after=LONG_AGO)).id == handoff.id


async def test_the_same_question_joins_the_one_that_is_open(store: Store) -> None:
    first, again = sample(), sample(at=LATER)
    await opened(store, first)
    assert await store.open(again, collect_after=LATER) == first
    with pytest.raises(NotFound):
        await store.get(again.id)
    assert await names(store) == ["opened"]


async def test_another_question_or_another_caller_does_not_join(store: Store) -> None:
    await opened(store, sample(), sample("Format /dev/sdc?"), sample(caller=replace(ADA, client="codex")))
    assert await names(store) == ["opened"] * 3


async def test_the_same_question_is_given_an_outcome_that_nobody_collected(store: Store) -> None:
    first = sample()
    await opened(store, first)
    ended = await store.record(first.id, answered())
    assert await store.open(sample(at=LATER + HOUR), collect_after=LATER) == ended


async def test_an_outcome_from_before_collect_after_is_not_given_again(store: Store) -> None:
    first, again = sample(), sample(at=LATER + HOUR)
    await opened(store, first)
    await store.record(first.id, answered())
    assert await store.open(again, collect_after=LATER + TICK) == again


async def test_an_outcome_that_was_collected_is_not_given_again(store: Store) -> None:
    first, again = sample(), sample(at=LATER + HOUR)
    await opened(store, first)
    await store.record(first.id, answered())
    await store.record(first.id, Collected(at=LATER))
    assert await store.open(again, collect_after=LONG_AGO) == replace(again, earlier=first.id)


async def test_what_was_handed_is_given_again_only_to_the_same_tool_use(store: Store) -> None:
    first = sample(tool_use="toolu_1")
    await opened(store, first)
    await store.record(first.id, answered(), Collected(at=LATER, tool_use="toolu_2"))
    for tool_use in ("toolu_1", "toolu_2"):
        again = sample(at=LATER, tool_use=tool_use)
        assert (await store.open(again, collect_after=LONG_AGO)).id == first.id
    for tool_use in ("toolu_3", ""):
        another = sample(f"Another {tool_use}?", at=LATER)
        anew = replace(sample(at=LATER, tool_use=tool_use), session=tool_use)
        assert (await store.open(anew, collect_after=LONG_AGO)).id == anew.id
        assert (await store.open(another, collect_after=LONG_AGO)).earlier == ""


async def test_a_question_decided_shortly_before_says_so_when_it_is_asked_anew(store: Store) -> None:
    answer, refusal = answered(at=LATER), Declined(at=LATER + TICK, by="ada", channel="inbox")
    withdrawal = Cancelled(at=LATER + 2 * TICK, by="ada", channel="inbox")  # which decides nothing
    asked: list[Handoff] = []
    for event in (answer, refusal, withdrawal):
        asked.append(await store.open(sample(at=LATER), collect_after=LONG_AGO))
        await store.record(asked[-1].id, event, Collected(at=event.at))
    later = sample(at=LATER + HOUR)
    kept = await store.open(later, collect_after=LONG_AGO)
    assert kept == replace(later, earlier=asked[1].id)
    assert await store.get(later.id) == kept
    await store.record(later.id, answered(), Collected(at=LATER + HOUR))
    stale = sample(at=LATER + 3 * HOUR)
    assert (await store.open(stale, collect_after=LATER + 2 * HOUR)).earlier == ""


async def test_sessions_kept_apart_share_neither_an_open_question_nor_an_outcome(store: Store) -> None:
    ada, grace = (replace(sample(at=LATER), session=session) for session in ("pipe 1", "pipe 2"))
    for each in (ada, grace):
        assert (await store.open(each, collect_after=LONG_AGO)).id == each.id
    same = replace(sample(at=LATER), session="pipe 1")
    assert (await store.open(same, collect_after=LONG_AGO)).id == ada.id
    await store.record(ada.id, answered())
    third = replace(sample(at=LATER), session="pipe 3")
    kept = await store.open(third, collect_after=LONG_AGO)
    assert (kept.id, kept.earlier) == (third.id, ada.id)
    # On the same pipe a gateway's other agent may say the same words: what has ended is not given by them.
    fourth = replace(same, id=new_id(), tool_use="toolu_4")
    assert await store.open(fourth, collect_after=LONG_AGO) == replace(fourth, earlier=ada.id)
    await store.record(fourth.id, answered(), Collected(at=LATER))
    again = replace(sample(at=LATER), session="pipe 5", tool_use="toolu_4")
    assert (await store.open(again, collect_after=LONG_AGO)).id == fourth.id


async def test_the_newest_of_those_that_can_be_joined_is_joined(store: Store) -> None:
    # The first two end uncollected, each too long ago for the next one to join it; the third was collected.
    old, newer, collected = sample(), sample(at=ASKED + HOUR), sample(at=ASKED + 2 * HOUR)
    for handoff in (old, newer, collected):
        assert await store.open(handoff, collect_after=handoff.created_at) == handoff
        await store.record(handoff.id, answered(at=handoff.created_at + TICK))
    await store.record(collected.id, Collected(at=ASKED + 3 * HOUR))
    again = sample(at=ASKED + 4 * HOUR)
    assert (await store.open(again, collect_after=LONG_AGO)).id == newer.id


async def test_an_overdue_one_is_expired_and_then_joined(store: Store) -> None:
    first = sample()
    await opened(store, first)
    expired = replace(first, state=State.EXPIRED, version=2, end=End(at=DEADLINE))
    assert await store.open(sample(at=DEADLINE + HOUR), collect_after=DEADLINE) == expired
    assert await store.get(first.id) == expired
    assert await names(store) == ["opened", "expired"]


async def test_one_that_expired_before_collect_after_is_recorded_but_not_joined(store: Store) -> None:
    first, again = sample(), sample(at=DEADLINE + HOUR)
    await opened(store, first)
    assert await store.open(again, collect_after=DEADLINE + TICK) == again
    assert (await store.get(first.id)).end == End(at=DEADLINE)
    assert [(entry.handoff_id, entry.name, entry.at) for entry in await store.log()] == [
        (first.id, "opened", ASKED),
        (first.id, "expired", DEADLINE),
        (again.id, "opened", again.created_at),
    ]


async def test_a_second_handoff_can_not_take_the_id_of_another(store: Store) -> None:
    first = sample()
    await opened(store, first)
    with pytest.raises(ValueError, match=first.id):
        await store.open(sample("Another question", handoff_id=first.id), collect_after=LONG_AGO)
    assert await store.get(first.id) == first
    assert await names(store) == ["opened"]


# Recording


@on_one_store
@given(events=st.lists(st.tuples(any_event, st.integers(0, 8)), max_size=8))
async def test_whatever_happens_row_and_log_agree_with_the_table_of_states(
    store: Store, events: list[tuple[Event, int]]
) -> None:
    # Each caller knows the handoff as it was at some time, which may be long past, or not at all.
    asked = sample()
    handoff = replace(asked, fingerprint=asked.id)
    await opened(store, handoff)
    expected, told, was = handoff, ["opened"], [handoff]
    for event, version in events:
        known = was[version] if version < len(was) else None
        wrong: type[Exception] | None = None
        before = expected
        for step in steps(expected, event):
            try:
                expected = advance(expected, step)
            except (AlreadyEnded, AlreadyReminded, AlreadyUsed, ValueError) as error:
                wrong = type(error)
                break
            told.append(type(step).__name__.lower())
        if wrong is None:
            assert await store.record(handoff.id, event, known=known) == expected
        else:
            with pytest.raises(wrong):
                await store.record(handoff.id, event, known=known)
        was.append(expected)
        if wrong is ValueError:
            assert expected == before
        assert await store.get(handoff.id) == expected
    assert await names(store, handoff.id) == told


async def test_the_log_says_who_and_how_and_never_what_a_person_wrote(store: Store) -> None:
    first, second = sample(), sample("Another")
    await opened(store, first, second)
    await store.record(first.id, Reached(at=LATER, channel="elicitation"))
    await store.record(first.id, NotShown(at=LATER, channel="elicitation", reason="accepted without an answer"))
    await store.record(first.id, Dismissed(at=LATER, channel="inbox"))
    await store.record(first.id, Reminded(at=LATER, channel="notify", stage="half"))
    await store.record(first.id, answered(by="ada", channel="terminal", note="my secret note", response="my secret"))
    await store.record(first.id, Collected(at=LATER + HOUR))
    await store.record(second.id, Cancelled(at=LATER, by="", channel="mcp", note="my secret note"))
    assert [(entry.handoff_id == first.id, entry.name, entry.at, entry.details) for entry in await store.log()] == [
        (True, "opened", ASKED, {}),
        (False, "opened", ASKED, {}),
        (True, "reached", LATER, {"channel": "elicitation"}),
        (True, "notshown", LATER, {"channel": "elicitation", "reason": "accepted without an answer"}),
        (True, "dismissed", LATER, {"channel": "inbox"}),
        (True, "reminded", LATER, {"channel": "notify", "stage": "half"}),
        (True, "answered", LATER, {"by": "ada", "channel": "terminal"}),
        (True, "collected", LATER + HOUR, {}),
        (False, "cancelled", LATER, {"channel": "mcp"}),
    ]


async def test_what_has_been_recorded_is_there_for_every_other_program(store: Store, same_store: Store) -> None:
    handoff = sample()
    await opened(store, handoff)
    declined = await store.record(handoff.id, Declined(at=LATER, by="ada", channel="inbox", note="Not this disk"))
    assert declined.end == End(at=LATER, by="ada", channel="inbox", note="Not this disk")
    assert await same_store.get(handoff.id) == declined


async def test_an_unknown_handoff_can_not_change(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.record("h_nobody", answered())
    assert await store.log() == []


async def test_the_first_outcome_stands_and_the_second_changes_nothing(store: Store) -> None:
    handoff = sample()
    await opened(store, handoff)
    first = await store.record(handoff.id, answered(by="ada"))
    with pytest.raises(AlreadyEnded, match="answered by ada"):
        await store.record(handoff.id, Declined(at=LATER, by="grace", channel="inbox"))
    assert await store.get(handoff.id) == first
    assert await names(store) == ["opened", "answered"]


async def test_an_answer_at_the_deadline_is_too_late_and_the_expiry_is_recorded(store: Store) -> None:
    handoff = sample()
    await opened(store, handoff)
    with pytest.raises(AlreadyEnded, match="expired"):
        await store.record(handoff.id, answered(at=DEADLINE))
    assert await store.get(handoff.id) == replace(handoff, state=State.EXPIRED, version=2, end=End(at=DEADLINE))
    assert await names(store) == ["opened", "expired"]


async def test_collecting_what_is_overdue_expires_it_first(store: Store) -> None:
    handoff = sample()
    await opened(store, handoff)
    collected = await store.record(handoff.id, Collected(at=DEADLINE + HOUR))
    assert (collected.state, collected.version, collected.collected_at) == (State.EXPIRED, 3, DEADLINE + HOUR)
    assert await store.get(handoff.id) == collected
    assert await names(store) == ["opened", "expired", "collected"]


async def test_a_stage_that_somebody_claimed_can_not_be_claimed_again(store: Store, same_store: Store) -> None:
    handoff = sample()
    await opened(store, handoff)
    half = Reminded(at=LATER, channel="notify", stage="half")
    claimed = await store.record(handoff.id, half)
    assert claimed.reminded == ("half",)
    for other in (store, same_store):
        with pytest.raises(AlreadyReminded):
            await other.record(handoff.id, half)
        assert await other.get(handoff.id) == claimed
    both = await same_store.record(handoff.id, replace(half, stage="last"))
    assert both.reminded == ("half", "last")
    assert await store.get(handoff.id) == both
    assert await names(store) == ["opened", "reminded", "reminded"]


async def test_votes_are_kept_and_the_last_of_a_quorum_answers(store: Store, same_store: Store) -> None:
    handoff = sample(deciders=two_of("ada", "bob", "zoë \0"))
    await opened(store, handoff)
    assert await same_store.get(handoff.id) == handoff

    def vote(by: str, response: str = "yes") -> tuple[Event, Answered]:
        outcome = answered(by=by, response=response)
        return vote_for(handoff, outcome), outcome

    once = await store.record(handoff.id, *vote("ada"), known=handoff)
    assert (once.state, [each.person for each in once.votes]) == (State.OPEN, ["ada"])
    assert await same_store.get(handoff.id) == once
    # From a handoff as it was before: the store counts what it holds.
    again = await same_store.record(handoff.id, *vote("ada"), known=handoff)
    other = await store.record(handoff.id, *vote("bob", "no"), known=once)
    assert (again.state, other.state, [each.person for each in other.votes]) == (State.OPEN, State.OPEN, ["bob"])
    whole = await same_store.record(handoff.id, *vote("zoë \0", "no"), known=handoff)
    assert (whole.state, whole.values) == (State.ANSWERED, {"response": "no"})
    assert await store.get(handoff.id) == whole
    assert await names(store, handoff.id) == ["opened", *["voted"] * 4, "answered"]
    with pytest.raises(AlreadyEnded):
        await store.record(handoff.id, *vote("ada"), known=handoff)


async def test_an_outcome_without_the_votes_is_not_recorded(store: Store) -> None:
    handoff = sample(deciders=two_of("ada", "bob"))
    await opened(store, handoff)
    assert await store.record(handoff.id, answered()) == handoff
    with pytest.raises(NotTheirDecision):
        await store.record(handoff.id, Voted(at=LATER, by="eve", channel="inbox", digest="d"), answered(by="eve"))
    assert await names(store, handoff.id) == ["opened"]


async def test_what_can_not_happen_changes_nothing(store: Store) -> None:
    handoff = sample()
    await opened(store, handoff)
    for impossible in (Collected(at=LATER), Opened(at=LATER)):
        with pytest.raises(ValueError, match="can't happen"):
            await store.record(handoff.id, impossible)
    assert await store.get(handoff.id) == handoff
    assert await names(store) == ["opened"]


# Finding


async def test_an_unknown_handoff_can_not_be_had(store: Store) -> None:
    await opened(store, sample(handoff_id="h_one"))
    for wrong in ("h_on", "h_onee", "H_ONE", "", "h_%", "\udce9"):
        with pytest.raises(NotFound):
            await store.get(wrong)


async def test_ids_are_found_by_how_they_start(store: Store) -> None:
    ids = ["h_a", "h_ab", "h_aB", "h_ac", "h_b", "hxa", "h%a"]
    await opened(store, *(sample(f"Question {name}", handoff_id=name) for name in ids))
    assert await store.ids("h_a") == ["h_a", "h_aB", "h_ab", "h_ac"]
    assert await store.ids("h_ab") == ["h_ab"]
    assert await store.ids("h_") == ["h_a", "h_aB", "h_ab", "h_ac", "h_b"]
    assert await store.ids("h%") == ["h%a"]
    assert await store.ids("") == sorted(ids)
    assert await store.ids("", limit=2) == ["h%a", "h_a"]
    assert await store.ids("z") == []


async def test_the_newest_come_first_and_page_by_page(store: Store) -> None:
    handoffs = [sample(f"Question {number}", at=ASKED + number * TICK) for number in (3, 1, 4, 0, 2)]
    await opened(store, *handoffs)
    in_order = sorted(handoffs, key=lambda handoff: handoff.created_at, reverse=True)
    assert await store.newest(open_only=False) == in_order
    assert await store.newest(open_only=False, limit=2) == in_order[:2]
    before = Cursor(created_at=in_order[1].created_at)
    assert await store.newest(open_only=False, before=before, limit=2) == in_order[2:4]
    assert await store.newest(open_only=False, before=before, skip=1, limit=1) == in_order[3:4]
    assert await store.newest(open_only=False, skip=2) == in_order[2:]
    assert await store.newest(open_only=False, skip=5) == []
    assert await store.newest(open_only=False, before=Cursor(created_at=ASKED)) == []


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_a_page_that_ends_within_one_moment_loses_and_repeats_none(store: Store, size: int) -> None:
    # A gap in the middle of a moment: what has ended is in the order, too.
    asked = [sample(f"Question {number}", at=ASKED + number // 4 * TICK) for number in range(12)]
    await opened(store, *asked)
    for number in (1, 6):
        asked[number] = await store.record(asked[number].id, answered())
    in_order = asked[::-1]
    for wanted in (in_order, [each for each in in_order if each.state is State.OPEN]):
        seen: list[Handoff] = []
        before = None
        while page := await store.newest(open_only=wanted is not in_order, before=before, limit=size):
            seen += page
            before = Cursor(created_at=page[-1].created_at, id=page[-1].id)
        assert seen == wanted
    outlines: list[str] = []
    before = None
    while told := await store.outlines(ended_only=False, since=LONG_AGO, before=before, limit=size):
        outlines += (each.id for each in told)
        before = told[-1].cursor
    assert outlines == [each.id for each in in_order]


async def test_a_cursor_whose_handoff_is_not_there_goes_on_with_what_is_older(store: Store) -> None:
    asked = [sample(f"Question {number}", at=ASKED + number // 2 * TICK) for number in range(4)]
    await opened(store, *asked)
    gone = Cursor(created_at=ASKED + TICK, id="h_gone")
    assert await store.newest(open_only=False, before=gone) == [asked[1], asked[0]]
    assert await store.newest(open_only=True, before=Cursor(created_at=ASKED + TICK)) == [asked[1], asked[0]]


async def test_an_outline_says_the_same_as_its_handoff(store: Store) -> None:
    caller = Caller(subject="token:ada", client="co\0dex")
    left, told, late = (
        sample("Left \0\1 e\u0301?", caller=caller),
        sample("Told?", at=ASKED + TICK),
        sample("Late?", at=ASKED + 2 * TICK, stays_open=HOUR),
    )
    await opened(store, left, told, late)
    await store.record(left.id, Reached(at=LATER, channel="inbox"), Reached(at=LATER, channel="dialog"))
    await store.record(told.id, answered(channel="terminal"))
    await store.record(late.id, Expired(at=late.question.deadline))
    everything = await store.outlines(ended_only=False, since=LONG_AGO)
    assert everything == [_outline_of(each) for each in await store.newest(open_only=False)]
    assert [(each.id, each.ended_through) for each in everything] == [
        (late.id, ""),
        (told.id, "terminal"),
        (left.id, ""),
    ]
    assert await store.outlines(ended_only=True, since=LONG_AGO) == everything[:2]
    assert await store.outlines(ended_only=True, since=LONG_AGO, limit=1) == everything[:1]
    assert await store.outlines(ended_only=True, since=LONG_AGO, before=everything[0].cursor) == everything[1:2]
    assert await store.outlines(ended_only=False, since=ASKED + TICK) == everything[:2]


def _outline_of(handoff: Handoff) -> Outline:
    end = handoff.end
    return Outline(
        id=handoff.id,
        subject=handoff.caller.subject,
        client=handoff.caller.client,
        message=handoff.question.message,
        created_at=handoff.created_at,
        state=handoff.state,
        ended_at=end.at if end is not None else None,
        ended_through=end.channel if end is not None else "",
        reached=handoff.reached,
    )


async def test_many_are_read_at_once_in_the_order_that_is_asked_for(store: Store) -> None:
    asked = [sample(f"Question {number}", handoff_id=f"h_{number}\0") for number in range(5)]
    await opened(store, *asked)
    wanted = [asked[3], asked[0], asked[4]]
    assert await store.get_all([wanted[0].id, "h_gone", wanted[1].id, wanted[2].id]) == wanted
    assert await store.get_all([]) == []


async def test_what_is_open_is_counted_as_of_a_line_of_the_log(store: Store, same_store: Store) -> None:
    assert await store.count_open() == OpenCount(handoffs=0, next_deadline=None, line=0)
    assert await store.next_deadline() is None
    asked = [sample(f"Question {number}", stays_open=(3 - number) * HOUR) for number in range(3)]
    await opened(store, *asked)
    counted = await same_store.count_open()
    lines = await store.log()
    assert counted == OpenCount(handoffs=3, next_deadline=ASKED + HOUR, line=lines[-1].number)
    await store.record(asked[2].id, Declined(at=LATER, by="ada", channel="inbox"))
    (line,) = await store.log(after=counted.line)
    assert await same_store.count_open() == OpenCount(handoffs=2, next_deadline=ASKED + 2 * HOUR, line=line.number)
    assert await same_store.next_deadline() == ASKED + 2 * HOUR


async def test_only_the_open_ones_can_be_asked_for(store: Store) -> None:
    handoffs = [sample(f"Question {number}", at=ASKED + number * TICK) for number in range(4)]
    await opened(store, *handoffs)
    await store.record(handoffs[1].id, answered())
    await store.record(handoffs[3].id, Declined(at=LATER, by="ada", channel="inbox"))
    assert await store.newest(open_only=True) == [handoffs[2], handoffs[0]]
    assert await store.newest(open_only=True, before=Cursor(created_at=ASKED + 2 * TICK)) == [handoffs[0]]
    assert len(await store.newest(open_only=False)) == 4


async def test_what_is_overdue_is_open_and_past_its_deadline(store: Store) -> None:
    due, sooner, not_yet, ended = (
        sample("due"),
        sample("sooner", stays_open=HOUR),
        sample("not yet", stays_open=DAY + TICK),
        sample("ended", stays_open=HOUR),
    )
    await opened(store, due, sooner, not_yet, ended)
    await store.record(ended.id, answered())
    assert set(await store.overdue(DEADLINE)) == {sooner.id, due.id}
    assert len(await store.overdue(DEADLINE, limit=1)) == 1
    await store.record(sooner.id, Expired(at=ASKED + HOUR))
    assert await store.overdue(DEADLINE) == [due.id]
    assert await store.overdue(DEADLINE - TICK) == []


async def test_the_log_goes_on_after_any_line(store: Store) -> None:
    first, second = sample("first"), sample("second")
    await opened(store, first, second)
    await store.record(first.id, Reached(at=LATER, channel="inbox"))
    await store.record(second.id, answered())
    lines = await store.log()
    numbers = [line.number for line in lines]
    assert numbers == sorted(set(numbers))
    assert [line.name for line in lines] == ["opened", "opened", "reached", "answered"]
    assert await store.log(after=numbers[1]) == lines[2:]
    assert await store.log(limit=3) == lines[:3]
    assert await store.log(handoff_id=second.id) == [lines[1], lines[3]]
    assert await store.log(handoff_id=second.id, after=numbers[1]) == [lines[3]]
    assert await store.log(handoff_id="h_nobody") == []
    assert await store.log(after=numbers[-1]) == []


# Opened, and what may be used once


async def test_what_the_host_declared_is_in_the_log_of_a_new_one_only(store: Store) -> None:
    first, again = sample(), sample()
    said = Opened(at=ASKED, version="2.1", protocol="2026-07-28", transport="stdio", declares="form url")
    await store.open(first, collect_after=LONG_AGO, opened=said)
    assert (await store.open(again, collect_after=LONG_AGO, opened=said)).id == first.id
    details = {"version": "2.1", "protocol": "2026-07-28", "transport": "stdio", "declares": "form url"}
    assert [entry.details for entry in await store.log()] == [details]


async def test_a_key_is_claimed_once_by_whoever_is_first(store: Store, same_store: Store) -> None:
    tomorrow = ASKED + DAY
    assert await store.claim("key", now=ASKED, until=tomorrow)
    assert not await store.claim("key", now=ASKED, until=tomorrow)
    assert not await same_store.claim("key", now=LATER, until=tomorrow)
    assert await same_store.claim("another", now=LATER, until=tomorrow)


async def test_a_claim_is_forgotten_once_nobody_needs_it(store: Store) -> None:
    assert await store.claim("key", now=ASKED, until=ASKED + HOUR)
    assert not await store.claim("key", now=ASKED + HOUR - TICK, until=ASKED + HOUR)
    assert await store.claim("key", now=ASKED + HOUR, until=ASKED + DAY)


async def test_a_claim_is_extended_by_the_process_that_has_it(store: Store, same_store: Store) -> None:
    assert await store.claim("key", now=ASKED, until=LATER)
    assert not await same_store.extend_claim("key", held=LATER - TICK, until=ASKED + DAY)
    assert not await store.extend_claim("another", held=LATER, until=ASKED + DAY)
    assert await store.extend_claim("key", held=LATER, until=ASKED + HOUR)
    assert not await store.extend_claim("key", held=LATER, until=ASKED + DAY)
    assert not await same_store.claim("key", now=LATER, until=ASKED + DAY)
    assert await store.extend_claim("key", held=ASKED + HOUR, until=ASKED)
    assert await same_store.claim("key", now=LATER, until=ASKED + DAY)


async def test_what_became_of_one_action_is_found_among_all_others(store: Store) -> None:
    mine, hers = Caller(subject="ada\0\1"), Caller(subject="eve")
    action, other = (Action(asker=Asker.GATE, server="s", tool=each, arguments="{}") for each in ("one", "two"))
    old, new, unended = (sample(f"{n}?", caller=mine, at=ASKED + n * TICK, action=action) for n in range(3))
    others = (
        sample("Hers?", caller=hers, action=action),
        sample("Other?", caller=mine, action=other),
        sample("Plain?", caller=mine),
    )
    await opened(store, old, new, unended, *others)
    for each in (old, new, *others):
        await store.record(each.id, answered())
    found = await store.ended_of_action(mine.subject, action.digest, limit=5)
    assert [each.id for each in found] == [new.id, old.id]
    assert found[0].question.action == action
    assert [each.id for each in await store.ended_of_action(mine.subject, action.digest, limit=1)] == [new.id]
    assert await store.ended_of_action(mine.subject, "", limit=5) == []


async def test_the_newest_of_one_subject_are_not_crowded_out_by_those_of_others(store: Store) -> None:
    mine, hers = Caller(subject="ada"), Caller(subject="eve")
    old, new = sample("Old?", caller=mine), sample("New?", caller=mine, at=ASKED + TICK)
    await opened(store, old, new, *(sample(f"Hers {n}?", caller=hers, at=ASKED + (2 + n) * TICK) for n in range(3)))
    assert await store.newest_of("ada", open_only=False, limit=2) == [new, old]
    assert await store.newest_of("ada", open_only=False, limit=1) == [new]
    await store.record(new.id, answered())
    assert await store.newest_of("ada", open_only=True, limit=2) == [old]
    assert await store.newest_of("bob", open_only=False) == []
