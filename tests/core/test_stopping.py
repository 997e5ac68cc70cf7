"""Stopping everything."""

from pathlib import Path

from handoffs.clock import SystemClock
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.desk import Desk
from handoffs.core.model import State
from handoffs.core.stopping import STOPPED, stop_everything
from handoffs.store.sqlite.store import SqliteStore
from tests.web.held import call, given, hold
from tests.web.serving import CLAUDE


async def test_held_calls_are_denied_no_grant_counts_and_other_questions_stay(tmp_path: Path) -> None:
    clock = SystemClock()
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=clock)
        held, plain = await hold(desk), await desk.ask(message="Which?", caller=CLAUDE)
        grant = await given(desk)
        assert await stop_everything(desk, by="ada", channel="inbox") == 1
        ended = await desk.get(held.id)
        assert ended.state is State.DECLINED
        assert ended.end is not None
        assert (ended.end.by, ended.end.note) == ("ada", STOPPED)
        assert (await desk.get(plain.id)).state is State.OPEN
        assert await store.permissions.use(grant.id, at=clock.now()) is None
        assert await stop_everything(desk, by="eve", channel="inbox") == 0
        stopped = await store.permissions.stopped()
        assert stopped is not None
        assert stopped.by == "ada"


async def test_what_others_decide_by_votes_is_withdrawn(tmp_path: Path) -> None:
    seats = (Seat(person="bob"), Seat(person="cyd"))
    deciders = Deciders(rule="gate.toml:1", seats=seats, votes=2, asked_at=SystemClock().now())
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=SystemClock())
        held = await desk.ask(message="Run it?", caller=CLAUDE, action=call(), deciders=deciders)
        assert await stop_everything(desk, by="ada", channel="inbox") == 1
        assert (await desk.get(held.id)).state is State.CANCELLED
