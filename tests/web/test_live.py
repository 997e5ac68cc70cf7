"""What a page hears of, over a real connection; and the board, which is what a page shows."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
from anyio.abc import TaskStatus

from handoffs.core.desk import Desk, Limits
from handoffs.core.errors import StoreError
from handoffs.core.grant import Stop
from handoffs.core.model import Cursor, Handoff
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.board import ENDS, Board
from tests.fakes import FakeClock
from tests.store.samples import LATER, person
from tests.web.serving import CLAUDE, Inbox, serving


@asynccontextmanager
async def client(inbox: Inbox) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=inbox.url) as http:
        address, form = inbox.pressed()
        assert (await http.post(address, data=form)).status_code == 303
        yield http


@asynccontextmanager
async def listening(
    http: httpx.AsyncClient, query: str = "", last: str | None = None
) -> AsyncGenerator[AsyncGenerator[dict[str, Any]]]:
    headers = {} if last is None else {"last-event-id": last}
    with anyio.fail_after(120):
        async with http.stream("GET", f"/events{query}", headers=headers, timeout=120) as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            yield events(reply)


async def events(reply: httpx.Response) -> AsyncGenerator[dict[str, Any]]:
    event: dict[str, Any] = {}
    async for line in reply.aiter_lines():
        if not line and event:
            if event["event"] != "clock":  # what time it is, at the start of every stream
                yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = json.loads(value) if name == "data" else value


async def test_what_happens_is_told_with_who_did_it_and_how_many_are_open(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http, listening(http) as heard:
        handoff = await inbox.ask()
        opened = await anext(heard)
        await inbox.desk.answer(handoff, {"response": "a secret"}, by="eve", channel="terminal", note="hush")
        answered = await anext(heard)
    assert opened["event"] == "handoff"
    assert opened["data"] == {"id": handoff.id, "name": "opened", "by": "", "channel": "", "open": 1}
    assert answered["data"] == {"id": handoff.id, "name": "answered", "by": "eve", "channel": "terminal", "open": 0}
    assert int(answered["id"]) > int(opened["id"])
    assert "secret" not in str(answered)


async def test_a_page_hears_nothing_of_people(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http, listening(http) as heard:
        async with SqliteStore(inbox.folder / "handoffs.db") as store:
            await store.people.add(person("ada"))
            await store.people.change("ada", at=LATER, join=frozenset({"dba"}))
        handoff = await inbox.ask()
        told = await anext(heard)
    assert (told["data"]["id"], told["data"]["open"]) == (handoff.id, 1)


async def test_who_lost_the_connection_misses_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http:
        first = await inbox.ask("First?")
        async with listening(http, "?after=0") as heard:
            last = (await anext(heard))["id"]
        await inbox.desk.decline(first, by="ada", channel="terminal")
        second = await inbox.ask("Second?")
        # What the browser says it heard last counts more than the address, which is as old as the page.
        async with listening(http, "?after=0", last) as heard:
            names = [(each["data"]["id"], each["data"]["name"]) for each in [await anext(heard), await anext(heard)]]
    assert names == [(first.id, "declined"), (second.id, "opened")]


async def test_who_was_away_for_long_is_told_to_look_at_everything_anew(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http:
        for number in range(600):
            await inbox.ask(f"Question {number}?")
        async with listening(http, "?after=1") as heard:
            assert await anext(heard) == {"event": "resync", "id": "600", "data": {}}
            await inbox.ask("One more?")
            assert (await anext(heard))["id"] == "601"


async def test_who_knows_a_line_that_is_not_there_is_told_to_look_anew(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http:
        await inbox.ask()
        async with listening(http, "?after=999") as heard:
            assert await anext(heard) == {"event": "resync", "id": "1", "data": {}}


async def test_an_address_without_a_line_tells_what_happens_from_now_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http:
        await inbox.ask("Before?")
        for query in ("", "?after=x", "?after=-1", "?after=%C2%B2", "?after=" + "9" * 400):
            async with listening(http, query) as heard:
                after = await inbox.ask(f"After {query}?")
                assert (await anext(heard))["data"]["id"] == after.id


async def test_a_stop_is_told_when_it_comes_and_ends_and_to_who_may_not_know(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http:
        stops = inbox.desk.permissions
        async with listening(http) as heard:
            await stops.stop(Stop(by="eve", at=inbox.desk.clock.now()))
            assert await anext(heard) == {"event": "stop", "data": {"by": "eve"}}
            await stops.lift()
            assert await anext(heard) == {"event": "stop", "data": None}
        async with listening(http, "?stopped") as heard:
            assert await anext(heard) == {"event": "stop", "data": None}
        await stops.stop(Stop(by="eve", at=inbox.desk.clock.now()))
        for query in ("", "?stopped"):
            async with listening(http, query) as heard:
                assert await anext(heard) == {"event": "stop", "data": {"by": "eve"}}


async def test_of_a_deadline_that_passes_is_told_without_anybody_looking(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(min_seconds=0)) as inbox, client(inbox) as http:
        handoff = await inbox.ask(timeout_seconds=1)
        async with listening(http, "?after=1") as heard:
            told = await anext(heard)
    assert (told["data"]["id"], told["data"]["name"], told["data"]["open"]) == (handoff.id, "expired", 0)


class Shrinking(Desk):
    """A desk at which some questions end after they were counted, and before they are read."""

    ends: Sequence[Handoff] = ()

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        ends, self.ends = self.ends, ()
        for handoff in ends:
            await self.cancel(handoff, by="ada", channel="terminal")
        return await super().newest(open_only=open_only, before=before, skip=skip, limit=limit)


class Counted(Desk):
    """A desk that counts how often its log is read, and fails as often as it is told to."""

    looks = 0
    broken = 0

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Any:
        self.looks += 1
        await anyio.lowlevel.checkpoint()
        if self.broken:
            self.broken -= 1
            raise StoreError("away")
        return await super().log(handoff_id=handoff_id, after=after, limit=limit)


async def test_the_board_has_what_is_open_however_it_changes(tmp_path: Path) -> None:
    clock = FakeClock()
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=clock)
        board = Board(desk)
        assert await board.page(1, 50) == (0, [])
        assert board.next_deadline is None
        for step in range(40):
            clock.forward(10)
            await desk.ask(message=f"Question {step}?", caller=CLAUDE, timeout_seconds=30 + step % 4 * 60)
            opened = await desk.newest(open_only=True)
            if step % 3 == 0:
                await desk.decline(opened[len(opened) // 2], by="ada", channel="terminal")
            if step % 2 == 0:
                opened = await desk.newest(open_only=True)
                assert await board.page(1, 50) == (0, opened)
                assert await board.page(2, 1) == ((1, opened[1:2]) if len(opened) > 1 else (0, opened))
                assert board.count == len(opened)
                assert board.next_deadline == min((handoff.question.deadline for handoff in opened), default=None)
        told = board.news(0)
        assert told is not None
        counted = 0
        for news in told:
            counted += (news.entry.name == "opened") - (news.entry.name in ENDS)
            assert news.open == counted


async def test_the_board_shows_a_question_as_the_log_says_not_as_first_read(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=FakeClock())
        board = Board(desk)
        asked = await desk.ask(message="Deploy?", caller=CLAUDE)
        assert await board.page(1, 50) == (0, [asked])
        await desk.joined(asked, calls=3)
        assert [handoff.calls for handoff in (await board.page(1, 50))[1]] == [3]


async def test_past_the_last_page_is_the_last_page_however_it_shrinks(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Shrinking(store=store, clock=FakeClock())
        board = Board(desk)
        asked = [await desk.ask(message=f"Question {number}?", caller=CLAUDE) for number in range(5)]
        assert await board.page(9, 2) == (4, [asked[0]])
        await desk.cancel(asked[1], by="ada", channel="terminal")
        desk.ends = [asked[0], asked[2]]
        assert await board.page(9, 2) == (0, [asked[4], asked[3]])
        assert board.count == 2


async def test_all_who_ask_at_once_share_a_look_and_see_what_was_there_before(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Counted(store=store, clock=FakeClock())
        board = Board(desk)
        await board.refresh()
        seen: list[int] = []

        async def look() -> None:
            await board.refresh()
            seen.append(board.count)

        desk.looks = 0
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                if number == 50:
                    await anyio.lowlevel.checkpoint()  # the first ones look by now: this comes too late for them
                    await desk.ask(message="Late?", caller=CLAUDE)
                tasks.start_soon(look)
        assert seen[-50:] == [1] * 50
        assert desk.looks < 12


async def test_a_look_that_fails_is_nobody_elses(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Counted(store=store, clock=FakeClock())
        board = Board(desk)
        await board.refresh()
        await desk.ask(message="Deploy?", caller=CLAUDE)
        desk.broken = 1
        failed: list[str] = []

        async def look() -> None:
            try:
                await board.refresh()
                assert board.count == 1
            except StoreError as error:
                failed.append(str(error))

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(look)
        assert failed == ["away"]


async def test_a_board_knows_the_last_lines_and_which_it_has_let_go(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=FakeClock())
        board = Board(desk)
        await desk.ask(message="Before?", caller=CLAUDE)
        await board.refresh()
        assert board.news(0) is None
        assert board.news(1) == []
        for number in range(1_100):
            await desk.ask(message=f"Question {number}?", caller=CLAUDE)
        await board.refresh()
        assert board.news(1) is None
        told = board.news(1_000)
        assert told is not None
        assert [(news.entry.number, news.open) for news in told] == [(n, n) for n in range(1_001, 1_102)]


async def test_a_stream_begins_with_what_time_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http, http.stream("GET", "/events") as reply:
        lines = reply.aiter_lines()
        assert await anext(lines) == "event: clock"
        told = datetime.fromtimestamp(int((await anext(lines)).removeprefix("data: ")) / 1000, UTC)
        assert abs(datetime.now(UTC) - told) < timedelta(seconds=30)


async def test_many_pages_hear_of_everything_that_comes_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox, client(inbox) as http:
        heard: list[list[str]] = []

        async def listen(started: TaskStatus[None]) -> None:
            async with listening(http, "?after=0") as told:
                started.started()
                heard.append([(await anext(told))["data"]["id"] for _ in range(30)])

        async with anyio.create_task_group() as tasks:
            for _ in range(25):
                await tasks.start(lambda *, task_status: listen(task_status))
            asked = [(await inbox.ask(f"{number}?")).id for number in range(30)]
        assert heard == [asked] * 25


async def test_a_look_that_is_cancelled_loses_nothing(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=FakeClock())
        board = Board(desk)
        await board.refresh()
        for number in range(30):
            await desk.ask(message=f"Question {number}?", caller=CLAUDE)
        for _ in range(10):
            with anyio.move_on_after(0.002):
                await board.refresh()
        await board.refresh()
        assert board.count == 30
