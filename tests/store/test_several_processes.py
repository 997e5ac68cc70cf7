"""Any number of processes on one store at once, engine by engine; real processes, really killed."""

from pathlib import Path
from typing import cast

import anyio

from handoffs.core.errors import AlreadyEnded
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Store
from handoffs.core.voting import vote_for
from tests.store.backends import BACKENDS
from tests.store.conftest import Place
from tests.store.processes import OtherProcess, other_processes
from tests.store.samples import LONG_AGO, answered, decision, sample, two_of


async def let_go(others: list[OtherProcess]) -> None:
    async with anyio.create_task_group() as tasks:
        for other in others:
            tasks.start_soon(other.go)


async def test_of_many_decisions_at_once_exactly_one_wins(store: Store, place: Place) -> None:
    questions = [sample(f"Question {number}") for number in range(60)]
    for question in questions:
        await store.open(question, collect_after=LONG_AGO)
    ids = [question.id for question in questions]
    people = ["ada", "bob", "cyd", "dan"]
    async with other_processes(*(place.command("decide", who, *ids) for who in people)) as others:
        await let_go(others)
        won = {who: await other.said_until_done() for who, other in zip(people, others, strict=True)}
    winners = {handoff_id: who for who, handoff_ids in won.items() for handoff_id in handoff_ids}
    assert sorted(str(handoff_id) for ids_won in won.values() for handoff_id in ids_won) == sorted(ids)
    for number, handoff_id in enumerate(ids):
        ended = await store.get(handoff_id)
        who = winners[handoff_id]
        expected = decision(number + sum(who.encode()), by=who)
        assert ended.end is not None
        assert (ended.end.by, ended.state) == (who, State(type(expected).__name__.lower()))
        assert [(line.name, line.details.get("by")) for line in await store.log(handoff_id=handoff_id)] == [
            ("opened", None),
            (ended.state, who),
        ]


async def test_of_votes_at_once_two_of_two_persons_decide(store: Store, place: Place) -> None:
    people = ["ada", "bob", "cyd"]
    ids = [(await store.open(each, collect_after=LONG_AGO)).id for each in _voted_on(40, *people)]
    async with other_processes(*(place.command("vote", who, *ids) for who in people)) as others:
        await let_go(others)
        said = {who: await other.said_until_done() for who, other in zip(people, others, strict=True)}
    took = {who: dict(cast("list[tuple[str, str]]", each)) for who, each in said.items()}
    for handoff_id in ids:
        assert sorted(took[who][handoff_id] for who in people) == ["answered", "late", "open"]
        ended = await store.get(handoff_id)
        log = await store.log(handoff_id=handoff_id)
        assert [line.name for line in log] == ["opened", "voted", "voted", "answered"]
        voters = [line.details["by"] for line in log[1:3]]
        assert len(set(voters)) == 2
        assert [vote.person for vote in ended.votes] == voters
        assert ended.end is not None
        assert ended.end.by == voters[1]


async def test_votes_at_once_in_one_process_are_all_counted(store: Store) -> None:
    [question] = _voted_on(1, *(f"person {number}" for number in range(20)))
    await store.open(question, collect_after=LONG_AGO)
    took: list[str] = []

    async def vote(number: int) -> None:
        outcome = answered(by=f"person {number}")
        try:
            after = await store.record(question.id, vote_for(question, outcome), outcome, known=question)
            took.append(after.state)
        except AlreadyEnded:
            took.append("late")

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(vote, number)
    assert sorted(took) == ["answered", *["late"] * 18, "open"]


def _voted_on(count: int, *people: str) -> list[Handoff]:
    return [sample(f"Question {number}", deciders=two_of(*people)) for number in range(count)]


async def test_many_decisions_at_once_in_one_process_have_one_winner_too(store: Store) -> None:
    question = sample()
    await store.open(question, collect_after=LONG_AGO)
    won: list[str] = []

    async def decide(number: int) -> None:
        by = f"person {number}"
        try:
            await store.record(question.id, decision(number, by=by))
        except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
            lost.append(type(error).__name__)
        else:
            won.append(by)

    lost: list[str] = []
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(decide, number)
    ended = await store.get(question.id)
    assert ended.end is not None
    assert ([ended.end.by], lost) == (won, ["AlreadyEnded"] * 49)


async def test_ten_processes_that_start_at_once_make_one_store_and_ask_once(place: Place, tmp_path: Path) -> None:
    # Nobody has opened the store before: all ten create it, and all ten ask the same. Time and again, each time anew.
    backend = BACKENDS[place.backend]
    addresses = [backend.address(tmp_path / str(number)) for number in range(30)]
    async with other_processes(*[place.command("ask_in_each", place.backend, *addresses)] * 10) as others:
        for address in addresses:
            await let_go(others)
            (handoff_id,) = {await other.says() for other in others}
            async with backend.connect(address) as store:
                assert [(line.name, line.handoff_id) for line in await store.log()] == [("opened", handoff_id)]


async def test_a_killed_process_loses_nothing_that_it_was_told_is_kept(store: Store, place: Place) -> None:
    told: dict[str, str] = {}
    for round_ in range(10):
        async with other_processes(place.command("work_until_killed", f"round {round_}")) as (worker,):
            await worker.go()
            said = [await worker.says() for _ in range(5 + 7 * round_)]
            said += await worker.kill()
        told |= dict(said)  # of each handoff the last that was said  # type: ignore[arg-type]
    assert len(told) > 100
    for handoff_id, state in told.items():
        kept = await store.get(handoff_id)
        # The last thing that it did may have been kept without it being told.
        assert kept.state in {state, "answered"}
        names = [line.name for line in await store.log(handoff_id=handoff_id)]
        assert names == ["opened", "answered"][: kept.version]
