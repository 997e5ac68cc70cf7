"""The calls that a gate held, as a trace for AgentAck: each kind of end, and AgentAck's own verdict on each."""

import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agentack.engine import evaluate_events
from agentack.models import TraceEvent

from handoffs.cli.agentack import MAX_CHARACTERS, Trace, line
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.desk import Desk
from handoffs.core.events import Entry
from handoffs.core.model import Caller, Handoff
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock

HOUR = timedelta(hours=1)
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "token": {"type": "string"}}}


class Held:
    """A desk at which a gate asks, and the trace of its log."""

    def __init__(self, desk: Desk, clock: FakeClock) -> None:
        self.desk, self.clock = desk, clock

    async def ask(self, *, asker: Asker = Asker.GATE, **arguments: object) -> Handoff:
        action = Action(
            asker=asker,
            server="shop",
            tool="pay",
            arguments=json.dumps(arguments or {"id": 7}),
            definition=json.dumps({"name": "pay", "inputSchema": SCHEMA}),
        )
        return await self.desk.ask(
            message=message_of(action),
            caller=Caller(subject="ada"),
            form=action_form(editable=True),
            timeout_seconds=600,
            action=action,
            max_message=2_000_000,
        )

    async def answer(self, handoff: Handoff, *, channel: str = "inbox", **values: str) -> Handoff:
        return await self.desk.answer(handoff, {"decision": "allow", **values}, by="ada", channel=channel)

    async def lines(self) -> list[tuple[Entry, Handoff]]:
        entries = await self.desk.log()
        return [(each, await self.desk.get(each.handoff_id)) for each in entries]

    async def trace(self) -> list[dict[str, Any]]:
        return traced(await self.lines(), self.clock)

    async def verdict(self) -> tuple[str, set[str]]:
        return judged(await self.trace())


def traced(lines: list[tuple[Entry, Handoff]], clock: FakeClock) -> list[dict[str, Any]]:
    trace = Trace("test", collected_for=HOUR)
    events = [event for each in lines for event in trace.events(*each)]
    return [json.loads(line(event)) for event in [*events, *trace.end(clock.now())]]


def judged(events: list[dict[str, Any]]) -> tuple[str, set[str]]:
    """AgentAck's status, and the rules that it found broken."""
    report = evaluate_events([TraceEvent.from_dict(each, line=number) for number, each in enumerate(events, 1)])
    return report.status, set(report.rule_counts)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [each["type"] + (f" {each['decision']}" if "decision" in each else "") for each in events]


ASKED = ["action_proposed", "approval_requested"]
DENIED = [*ASKED, "approval_decision deny", "action_blocked"]
ALLOWED = [*ASKED, "approval_decision allow"]


@pytest.fixture
async def held(tmp_path: Path) -> AsyncGenerator[Held]:
    clock = FakeClock()
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        yield Held(Desk(store=store, clock=clock), clock)


@pytest.mark.parametrize("came_of_it", ["done", "error", "unknown", "nothing"])
async def test_what_was_sent_was_executed_whatever_came_of_it(held: Held, came_of_it: str) -> None:
    asked = await held.ask(id=7, token="hush")
    sent = await held.desk.send(await held.answer(asked), call="c_1")
    if came_of_it == "unknown":
        await held.desk.note_unknown(sent, call="c_1", reason="it was cut off")
    elif came_of_it != "nothing":
        await held.desk.note_result(sent, call="c_1", outcome=came_of_it)
    events = await held.trace()
    assert kinds(events) == [*ALLOWED, "action_executed", "session_end"]
    assert asked.question.action is not None
    for each in (events[0], events[1], events[3]):
        assert each["action"] == {
            "tool": "mcp",
            "operation": "call",
            "resource": "shop/pay",
            "parameters": {
                "arguments": {"id": 7, "token": "••••"},
                "digest": f"sha256:{asked.question.action.digest}",
            },
        }
    assert judged(events) == ("PASS", set())


async def test_a_changed_call_is_a_denial_and_an_action_of_the_same_intent(held: Held) -> None:
    asked = await held.ask(id=7, token="hush")
    answered = await held.answer(asked, arguments='{"id": 8, "token": "hush"}')
    sent = await held.desk.send(answered, call="c_1", edited=True)
    await held.desk.note_result(sent, call="c_1", outcome="done")
    events = await held.trace()
    assert kinds(events) == [*DENIED, *ALLOWED, "action_executed", "session_end"]
    assert {each["intent_id"] for each in events[:-1]} == {asked.id}
    run = events[-2]
    assert run["action_id"] == run["approval_id"] == f"{asked.id}/edited"
    assert run["action"]["parameters"]["arguments"] == {"id": 8, "token": "••••"}
    assert run["action"]["parameters"]["digest"] != events[0]["action"]["parameters"]["digest"]
    assert "hush" not in json.dumps(events)
    assert judged(events) == ("PASS", set())


async def test_a_change_that_does_not_fit_ran_nothing(held: Held) -> None:
    await held.answer(await held.ask(), arguments='{"id": "eight"}')
    events = await held.trace()
    assert kinds(events) == [*DENIED, "session_end"]
    assert judged(events) == ("PASS", set())


@pytest.mark.parametrize("end", ["denied", "declined", "cancelled", "expired", "by a script"])
async def test_every_other_end_is_a_denial(held: Held, end: str) -> None:
    asked = await held.ask()
    match end:
        case "denied":
            await held.answer(asked, decision="deny", reason="of what people say, nothing is told")
        case "declined":
            await held.desk.decline(asked, by="ada", channel="inbox")
        case "cancelled":
            await held.desk.cancel(asked, by="ada", channel="inbox")
        case "expired":
            held.clock.forward(601)
            await held.desk.get(asked.id)
        case _:
            await held.answer(asked, channel="script")
    events = await held.trace()
    assert kinds(events) == [*DENIED, "session_end"]
    assert "of what people say" not in json.dumps(events)
    assert judged(events) == ("PASS", set())


async def test_a_call_that_is_denied_without_a_question_is_an_action_of_its_own(held: Held) -> None:
    denied = await held.answer(await held.ask(), decision="deny")
    await held.desk.denied_again(denied)
    await held.desk.denied_again(await held.desk.get(denied.id))
    events = await held.trace()
    assert kinds(events) == [*DENIED * 3, "session_end"]
    assert len({each["action_id"] for each in events[:-1]}) == 3
    assert judged(events) == ("PASS", set())


async def test_what_is_not_decided_or_collected_yet_is_incomplete(held: Held) -> None:
    asked = await held.ask()
    assert await held.verdict() == ("INCOMPLETE", {"ACK009"})
    await held.answer(asked)
    assert await held.verdict() == ("INCOMPLETE", {"ACK009"})
    held.clock.forward(3_600 + 61)  # nobody can collect it any more
    assert kinds(await held.trace()) == [*ALLOWED, "action_blocked", "session_end"]
    assert await held.verdict() == ("PASS", set())


async def test_an_approval_may_be_collected_within_the_hour_and_not_later(held: Held) -> None:
    answered = await held.answer(await held.ask())
    held.clock.forward(3_599)
    await held.desk.send(answered, call="c_1")
    assert await held.verdict() == ("PASS", set())
    late = await held.answer(await held.ask(id=8))
    held.clock.forward(3_700)
    await held.desk.send(late, call="c_2")
    assert await held.verdict() == ("FAIL", {"ACK005"})


async def test_other_questions_are_not_in_the_trace(held: Held) -> None:
    await held.ask(asker=Asker.HOST)
    await held.desk.ask(message="Deploy?", caller=Caller(subject="ada"))
    assert kinds(await held.trace()) == ["session_end"]


async def test_the_log_of_a_gate_that_errs_is_told_as_it_is_and_fails(held: Held) -> None:
    answered = await held.answer(await held.ask())
    sent = await held.desk.send(answered, call="c_1")
    await held.desk.note_result(sent, call="c_1", outcome="done")
    good = await held.lines()
    assert judged(traced(good, held.clock)) == ("PASS", set())
    used, ran = (
        next(each for each in good if each[0].name == "used"),
        next(each for each in good if each[0].name == "sent"),
    )

    def entry(like: tuple[Entry, Handoff], **details: str) -> tuple[Entry, Handoff]:
        found, handoff = like
        return Entry(
            number=99, handoff_id=found.handoff_id, name=found.name, at=found.at, details={**found.details, **details}
        ), handoff

    twice = [*good, entry(ran, call="c_2")]
    assert judged(traced(twice, held.clock)) == ("FAIL", {"ACK004"})
    early = [good[0], ran, *good[1:]]
    assert "ACK001" in judged(traced(early, held.clock))[1]
    without = [each for each in good if each[0].name != "answered"]
    assert judged(traced(without, held.clock)) == ("FAIL", {"ACK001", "ACK009"})
    cut_off = [each for each in good if each[0].name not in ("sent", "result")]
    assert kinds(traced(cut_off, held.clock))[-2:] == ["action_executed", "session_end"]
    assert used in cut_off


async def test_a_denied_call_that_was_sent_fails(held: Held) -> None:
    denied = await held.answer(await held.ask(), decision="deny")
    await held.desk.send(denied, call="c_1")
    status, rules = await held.verdict()
    assert status == "FAIL"
    assert "ACK002" in rules


async def test_a_changed_call_that_was_sent_as_it_was_fails(held: Held) -> None:
    answered = await held.answer(await held.ask(), arguments='{"id": 8}')
    await held.desk.send(answered, call="c_1", edited=False)
    status, rules = await held.verdict()
    assert status == "FAIL"
    assert "ACK002" in rules


async def test_arguments_that_agentack_would_not_read_are_text_or_left_out(held: Held) -> None:
    deep: object = "x"
    for _ in range(30):
        deep = [deep]
    await held.answer(await held.ask(deep=deep), decision="deny")
    await held.answer(await held.ask(long="é" * 160_000), decision="deny")
    events = await held.trace()
    first, second = (each["action"]["parameters"]["arguments"] for each in events if each["type"] == "action_proposed")
    assert json.loads(first) == {"deep": deep}
    assert second.startswith("left out: ")
    assert all(len(json.dumps(each)) < MAX_CHARACTERS for each in events)
    assert judged(events) == ("PASS", set())
