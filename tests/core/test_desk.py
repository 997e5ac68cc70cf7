"""The desk: opening and joining, waiting, deciding, showing; over a real store, with a clock that the test moves."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from handoffs.core.deciders import Deciders, Seat
from handoffs.core.desk import Desk, new_id
from handoffs.core.errors import (
    AlreadyEnded,
    AlreadyUsed,
    Ambiguous,
    AnswerRefused,
    NotFound,
    NotTheirDecision,
    QuestionRefused,
    Stopped,
)
from handoffs.core.grant import Stop
from handoffs.core.model import Caller, Handoff, State
from handoffs.core.person import Directory, Person
from handoffs.core.ports import Channel, Reply
from handoffs.core.presenter import MAX_PUT_OFF
from handoffs.core.question import Limits
from handoffs.store.sqlite.store import SqliteStore
from tests.days import stamped
from tests.fakes import FakeClock
from tests.waiting import until

ADA = Caller(subject="ada", client="test", project="/shop")


@asynccontextmanager
async def a_desk(
    folder: Path, *channels: Channel, ids: list[str] | None = None, max_put_off: int = MAX_PUT_OFF
) -> AsyncGenerator[tuple[Desk, FakeClock]]:
    clock = FakeClock()
    make_id = partial(ids.pop, 0) if ids else new_id
    async with SqliteStore(folder / "handoffs.db") as store:
        desk = Desk(
            store=store, clock=clock, limits=Limits(), channels=channels, make_id=make_id, max_put_off=max_put_off
        )
        with anyio.fail_after(120):
            async with desk.presenting():
                yield desk, clock


class Shelf:
    """A channel that keeps what it was given, for a test to answer."""

    def __init__(self, name: str = "shelf") -> None:
        self.name = name
        self.shown: list[tuple[Handoff, Reply]] = []
        self.withdrawn: list[str] = []
        self.changed = anyio.Event()

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        await reply.reached()
        self.shown.append((handoff, reply))
        self.changed.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.withdrawn.append(handoff.id)


class Broken:
    name = "broken"

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        raise OSError("no such screen")


async def test_waiting_ends_with_the_answer(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _), anyio.create_task_group() as tasks:
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        got: list[Handoff] = []

        async def wait() -> None:
            got.append(await desk.wait(handoff.id, seconds=None))

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await desk.answer(handoff, {"response": "yes"}, by="ada", channel="test")
        await until(lambda: got)
        assert got[0].answer is not None
        assert got[0].answer.values == {"response": "yes"}


async def test_waiting_ends_after_the_seconds_given_and_the_question_stays_open(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, clock):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        assert (await desk.wait(handoff.id, seconds=0)).state is State.OPEN
        async with anyio.create_task_group() as tasks:

            async def time() -> None:
                await until(lambda: clock.waiting >= 2)
                clock.forward(45)

            tasks.start_soon(time)
            assert (await desk.wait(handoff.id, seconds=45)).state is State.OPEN


async def test_past_its_deadline_a_question_is_expired_whoever_looks_first(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, clock):
        handoff = await desk.ask(message="Deploy?", caller=ADA, timeout_seconds=60)
        clock.forward(3600)
        [seen] = await desk.newest(open_only=False)
        assert seen.state is State.EXPIRED
        assert seen.end is not None
        assert seen.end.at == handoff.question.deadline
        assert [entry.name for entry in await desk.log()] == ["opened", "expired"]
        with pytest.raises(AlreadyEnded, match="already expired"):
            await desk.answer(handoff, {"response": "yes"}, by="ada", channel="test")


async def test_a_wait_without_end_ends_with_the_deadline(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, clock), anyio.create_task_group() as tasks:
        handoff = await desk.ask(message="Deploy?", caller=ADA, timeout_seconds=60)

        async def time() -> None:
            await until(lambda: clock.waiting)
            clock.forward(60)

        tasks.start_soon(time)
        assert (await desk.wait(handoff.id, seconds=None)).state is State.EXPIRED


async def test_an_answer_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        handoff = await desk.ask(message="Which?", caller=ADA, options=["a", "b"])
        with pytest.raises(AnswerRefused, match="not one of the choices"):
            await desk.answer(handoff, {"response": "c"}, by="ada", channel="test")
        assert await desk.get(handoff.id) == handoff


async def test_the_first_decision_stands_and_the_next_is_told_who_was_first(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        await desk.decline(handoff, by="ada", channel="inbox")
        with pytest.raises(AlreadyEnded, match=f"already declined by ada through inbox at {stamped(12)}"):
            await desk.answer(handoff, {"response": "yes"}, by="eve", channel="test")


@pytest.mark.parametrize(
    "change",
    [{"message": "Deploy it?"}, {"options": ["a", "b"]}, {"breakout_of_loop": True}, {"caller": Caller(subject="eve")}],
)
async def test_only_the_same_question_from_the_same_caller_joins(change: dict[str, object], tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        same: dict[str, object] = {"message": "Deploy?", "caller": ADA}
        first = await desk.ask(**same)  # type: ignore[arg-type]
        assert (await desk.ask(**same)).id == first.id  # type: ignore[arg-type]
        assert (await desk.ask(**(same | change))).id != first.id  # type: ignore[arg-type]


async def test_an_approval_and_its_one_use_are_recorded_together(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, clock):
        first, second = [await desk.ask(message=each, caller=ADA) for each in ("Deploy?", "Now?")]
        yes, wrong = {"response": "yes"}, {"reply": "yes"}
        with pytest.raises(AnswerRefused):
            await desk.allow(first, wrong, by="ada", channel="inbox", call="c_1")
        await desk.permissions.stop(Stop(by="ada", at=clock.now()))
        with pytest.raises(Stopped):
            await desk.allow(first, yes, by="ada", channel="inbox", call="c_1")
        await desk.permissions.lift()
        sent = await desk.allow(first, yes, by="ada", channel="inbox", call="c_1")
        assert (sent.state, sent.values, sent.handed_to) == (State.ANSWERED, yes, "c_1")
        assert await desk.send(sent, call="c_1") == await desk.get(first.id) == sent
        with pytest.raises(AlreadyUsed):
            await desk.send(sent, call="c_2")
        await desk.decline(second, by="eve", channel="inbox")
        with pytest.raises(AlreadyEnded):
            await desk.allow(second, yes, by="ada", channel="inbox", call="c_1")
        names = [[entry.name for entry in await desk.history(each.id)] for each in (first, second)]
        assert names == [["opened", "answered", "used", "sent"], ["opened", "declined"]]


async def test_an_outcome_is_collected_once(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, clock):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        assert await desk.collect(handoff) == handoff
        ended = await desk.answer(handoff, {"response": "yes"}, by="ada", channel="test")
        collected = await desk.collect(ended)
        clock.forward(5)
        assert (await desk.collect(collected)).collected_at == collected.collected_at
        assert [entry.name for entry in await desk.log()] == ["opened", "answered", "collected"]


@pytest.mark.parametrize("seconds", [0.5, 10, 3_000_000])
async def test_a_persons_own_deadline_is_not_within_the_limits_of_a_models(seconds: float, tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, clock):
        asked = clock.now()
        model = await desk.ask(message="Deploy?", caller=ADA, timeout_seconds=seconds)
        person = await desk.ask(message="Roll back?", caller=ADA, deadline_seconds=seconds)
    assert 30 <= (model.question.deadline - asked).total_seconds() <= 2_592_000
    assert (person.question.deadline - asked).total_seconds() == seconds


@pytest.mark.parametrize("seconds", [float("nan"), -1, float("-inf")])
async def test_a_timeout_that_is_no_time_is_refused(seconds: float, tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        with pytest.raises(QuestionRefused, match="timeout_seconds"):
            await desk.ask(message="Deploy?", caller=ADA, timeout_seconds=seconds)
        assert await desk.newest(open_only=False) == []


async def test_an_id_may_be_shortened_as_long_as_it_is_unique(tmp_path: Path) -> None:
    async with a_desk(tmp_path, ids=["h_abc1", "h_abd2", "h_abd"]) as (desk, _):
        for message in "123":
            await desk.ask(message=message, caller=ADA)
        assert (await desk.find("h_abc")).id == (await desk.find("abc")).id == "h_abc1"
        assert (await desk.find("h_abd")).id == "h_abd"
        for prefix in ("h_ab", "ab", "h", "h_"):
            with pytest.raises(Ambiguous, match="h_abd2"):
                await desk.find(prefix)
        for prefix in ("", "x", "h_abcd", "H_abc"):
            with pytest.raises(NotFound, match="handoffs list"):
                await desk.find(prefix)


async def test_a_channel_shows_the_question_and_its_answer_counts(tmp_path: Path) -> None:
    shelf = Shelf()
    async with a_desk(tmp_path, shelf) as (desk, _):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        await shelf.changed.wait()
        [(shown, reply)] = shelf.shown
        assert shown.id == handoff.id
        await reply.answer({"response": "yes"}, by="ada")
        ended = await desk.wait(handoff.id, seconds=None)
        assert ended.answer is not None
        assert (ended.answer.channel, ended.reached) == ("shelf", ("shelf",))


async def test_the_first_valid_answer_withdraws_the_question_everywhere_else(tmp_path: Path) -> None:
    one, two = Shelf("one"), Shelf("two")
    async with a_desk(tmp_path, one, two) as (desk, _):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        await one.changed.wait()
        await two.changed.wait()
        await one.shown[0][1].decline(by="ada")
        await until(lambda: one.withdrawn and two.withdrawn)
        with pytest.raises(AlreadyEnded):
            await two.shown[0][1].answer({"response": "yes"}, by="eve")
        assert (await desk.get(handoff.id)).state is State.DECLINED


async def test_a_joined_question_is_not_shown_again_by_a_channel_that_shows_it(tmp_path: Path) -> None:
    shelf = Shelf()
    async with a_desk(tmp_path, shelf) as (desk, _):
        for _ in range(3):
            await desk.ask(message="Deploy?", caller=ADA)
        await shelf.changed.wait()
        await anyio.wait_all_tasks_blocked()
        assert len(shelf.shown) == 1


class PutsOff:
    """A channel at which the person always says: not now."""

    name = "puts off"

    def __init__(self) -> None:
        self.shown = 0
        self.done = anyio.Event()

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        self.shown += 1
        await reply.dismissed()
        self.done.set()


async def test_what_was_put_off_is_shown_again_only_when_it_is_asked_again(tmp_path: Path) -> None:
    channel = PutsOff()
    async with a_desk(tmp_path, channel) as (desk, _):
        for times in (1, 2):
            channel.done = anyio.Event()
            handoff = await desk.ask(message="Deploy?", caller=ADA)
            await channel.done.wait()
            await anyio.wait_all_tasks_blocked()
            desk.present(handoff, again=False)
            await anyio.wait_all_tasks_blocked()
            assert channel.shown == times
        assert (await desk.get(handoff.id)).state is State.OPEN
        assert [entry.name for entry in await desk.log()] == ["opened", "dismissed", "dismissed"]


async def test_the_question_put_off_first_is_forgotten_and_shown_when_checked(tmp_path: Path) -> None:
    channel = PutsOff()
    async with a_desk(tmp_path, channel, max_put_off=1) as (desk, _):
        asked: list[Handoff] = []
        for message in ("First?", "Second?"):
            channel.done = anyio.Event()
            asked.append(await desk.ask(message=message, caller=ADA))
            await channel.done.wait()
            await anyio.wait_all_tasks_blocked()
        for handoff in reversed(asked):
            desk.present(handoff, again=False)
            await anyio.wait_all_tasks_blocked()
        assert channel.shown == 3  # the first again; the second is still known


async def test_a_channel_that_breaks_is_in_the_log_and_takes_nothing_down(tmp_path: Path) -> None:
    shelf = Shelf()
    async with a_desk(tmp_path, Broken(), shelf) as (desk, _):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        await shelf.changed.wait()
        await until(desk.log, lambda found: "notshown" in [entry.name for entry in found])
        [entry] = [entry for entry in await desk.log() if entry.name == "notshown"]
        assert entry.details == {"channel": "broken", "reason": "failed: OSError"}
        await shelf.shown[0][1].answer({"response": "yes"}, by="ada")
        assert (await desk.wait(handoff.id, seconds=None)).state is State.ANSWERED


async def test_what_is_still_open_when_the_desk_closes_stays_open(tmp_path: Path) -> None:
    shelf = Shelf()
    async with a_desk(tmp_path, shelf) as (desk, _):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        await shelf.changed.wait()
    async with a_desk(tmp_path) as (desk, _):
        assert (await desk.get(handoff.id)).state is State.OPEN


async def test_a_person_may_answer_in_own_words_but_not_with_an_option_as_well(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        handoff = await desk.ask(message="Deploy?", options=["yes", "no"], caller=ADA)
        for values, other in (({"response": "yes"}, "later"), ({}, "  "), ({}, "x" * 100_001)):
            with pytest.raises(AnswerRefused):
                await desk.answer(handoff, values, other=other, by="ada", channel="test")
        said = await desk.answer(handoff, {}, other=" After the backup. ", by="ada", channel="test")
        assert said.answer is not None
        assert (said.state, said.answer.values, said.answer.other) == (State.ANSWERED, {}, "After the backup.")
        assert await desk.get(handoff.id) == said
        assert not any("backup" in str(line.details) for line in await desk.history(handoff.id))


async def test_only_a_question_with_options_takes_something_else(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        choice = {"type": "string", "enum": ["allow", "deny"]}
        forms = [None, {"properties": {"decision": choice}, "required": ["decision"]}]
        for form in forms:
            handoff = await desk.ask(message=f"Deploy? {form}", form=form, caller=ADA)
            with pytest.raises(AnswerRefused, match="options"):
                await desk.answer(handoff, {}, other="later", by="ada", channel="test")


async def test_how_many_calls_wait_is_told_with_the_question(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        handoff = await desk.ask(message="Deploy?", caller=ADA)
        assert handoff.calls == 1
        await desk.joined(handoff, calls=2)
        assert (await desk.get(handoff.id)).calls == 2


# Those whose decision it is


def decided_by(*people: str, votes: int = 1, **changes: object) -> Deciders:
    seats = tuple(Seat(person=person) for person in people)
    values: dict[str, object] = {"rule": "gate.toml:2", "asked_at": FakeClock().now(), "seats": seats, "votes": votes}
    return Deciders(**(values | changes))  # type: ignore[arg-type]


async def test_those_whose_decision_it_is_decide_together(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        handoff = await desk.ask(message="Go?", caller=ADA, deciders=decided_by("bob", "cyd", votes=2))
        with pytest.raises(NotTheirDecision, match="bob, cyd"):
            await desk.answer(handoff, {"response": "y"}, by="ada", channel="inbox")
        once = await desk.answer(handoff, {"response": "y"}, by="bob", channel="inbox")
        assert once.state is State.OPEN
        whole = await desk.answer(handoff, {"response": "y"}, by="cyd", channel="inbox")
        assert (whole.state, [vote.person for vote in whole.votes]) == (State.ANSWERED, ["bob", "cyd"])
        assert (await desk.wait(handoff.id, seconds=None)) == whole


async def test_one_of_them_refuses_and_the_asker_may_withdraw(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        first = await desk.ask(message="Go?", caller=ADA, deciders=decided_by("bob", "cyd", votes=2))
        assert (await desk.decline(first, by="cyd", channel="inbox")).state is State.DECLINED
        with pytest.raises(NotTheirDecision):
            await desk.decline(first, by="ada", channel="inbox")
        second = await desk.ask(message="Now?", caller=ADA, deciders=decided_by("bob"))
        assert (await desk.cancel(second, by="ada", channel="mcp")).state is State.CANCELLED


async def test_others_may_decide_once_the_time_has_come(tmp_path: Path) -> None:
    late = decided_by("bob", escalate_seconds=60.0, escalate_to=(Seat(person="cyd"),))
    async with a_desk(tmp_path) as (desk, clock):
        handoff = await desk.ask(message="Go?", caller=ADA, deciders=late)
        with pytest.raises(NotTheirDecision):
            await desk.answer(handoff, {"response": "y"}, by="cyd", channel="inbox")
        clock.forward(60)
        assert (await desk.answer(handoff, {"response": "y"}, by="cyd", channel="inbox")).state is State.ANSWERED


async def test_who_was_removed_decides_nothing_in_open_questions(tmp_path: Path) -> None:
    present = {name: Person(name=name, added_at=FakeClock().now()) for name in ("bob", "cyd", "dan")}

    async def directory() -> Directory:
        return Directory(people=present)

    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=FakeClock(), directory=directory)
        handoff = await desk.ask(message="Go?", caller=ADA, deciders=decided_by("bob", "cyd", "dan", votes=2))
        await desk.answer(handoff, {"response": "y"}, by="bob", channel="inbox")
        present["bob"] = replace(present["bob"], removed_at=FakeClock().now())
        with pytest.raises(NotTheirDecision):
            await desk.answer(handoff, {"response": "y"}, by="bob", channel="inbox")
        after = await desk.answer(handoff, {"response": "y"}, by="cyd", channel="inbox")
        assert (after.state, [vote.person for vote in after.votes]) == (State.OPEN, ["cyd"])


async def test_what_takes_votes_is_not_answered_and_used_in_one_step(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        handoff = await desk.ask(message="Go?", caller=ADA, deciders=decided_by("bob"))
        with pytest.raises(NotTheirDecision):
            await desk.allow(handoff, {"response": "y"}, by="bob", channel="inbox", call="c_1")
        assert (await desk.get(handoff.id)).state is State.OPEN


@pytest.mark.parametrize("answered", [False, True])
async def test_what_was_asked_before_a_rule_decides_nothing_after_it(answered: bool, tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        before = await desk.ask(message="Go?", caller=ADA)
        if answered:
            await desk.answer(before, {"response": "y"}, by="eve", channel="inbox")
        after = await desk.ask(message="Go?", caller=ADA, deciders=decided_by("bob"))
        assert (after.id != before.id, after.state) == (True, State.OPEN)
        assert (await desk.get(before.id)).state is (State.ANSWERED if answered else State.CANCELLED)
        assert await desk.ask(message="Go?", caller=ADA, deciders=decided_by("bob")) == after
        with pytest.raises(NotTheirDecision):
            await desk.answer(after, {"response": "y"}, by="eve", channel="inbox")


async def test_what_was_asked_before_a_rule_is_not_given_to_the_same_call(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        before = await desk.ask(message="Go?", caller=ADA, tool_use="toolu_1")
        await desk.answer(before, {"response": "y"}, by="eve", channel="inbox")
        with pytest.raises(QuestionRefused, match="in other words"):
            await desk.ask(message="Go?", caller=ADA, tool_use="toolu_1", deciders=decided_by("bob"))


async def test_who_decides_is_no_part_of_the_question(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        first = await desk.ask(message="Go?", caller=ADA, deciders=decided_by("bob"))
        assert await desk.ask(message="Go?", caller=ADA) == first
