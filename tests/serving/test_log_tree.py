"""The tree of the verifiable log while an inbox runs, and its head on the pages."""

from contextlib import closing
from pathlib import Path

import anyio
import httpx
import pytest

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.proof.checkpoint import opened
from handoffs.proof.growing import head_now
from handoffs.proof.keys import log_key
from handoffs.serving.log_tree import LogTree
from handoffs.store.sqlite.file import connect
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn
from tests.waiting import until
from tests.web.serving import CLAUDE

PASSWORD = "correct horse battery staple"


async def test_the_tree_follows_what_others_record(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "x.db") as store, SqliteStore(tmp_path / "x.db") as other:
        tree = LogTree(store, SystemClock(), tmp_path / "data", None)
        desk = Desk(store=other, clock=SystemClock())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tree.run)
            await until(lambda: tree.line.startswith("0 entries"))
            asked = await desk.ask(message="Deploy?", caller=CLAUDE)
            await until(lambda: tree.line.startswith("1 entry"))
            await desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
            await until(lambda: tree.line.startswith("2 entries"))
            assert tree.line == await head_now(other)
            tasks.cancel_scope.cancel()
        key = log_key(tmp_path / "data", "https://other.example")  # it has the name that it was made with
        assert opened(await tree.checkpoint(), [key.verifier]).checkpoint.size == 2


async def test_a_tree_that_was_changed_is_said_once_and_nothing_else_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with SqliteStore(tmp_path / "x.db") as store:
        tree, desk = LogTree(store, SystemClock(), tmp_path, None), Desk(store=store, clock=SystemClock())
        await desk.ask(message="Deploy?", caller=CLAUDE)
        await tree.checkpoint()
        with closing(connect(tmp_path / "x.db")) as connection:
            connection.execute("DELETE FROM log_tiles")
        await desk.ask(message="Again?", caller=CLAUDE)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tree.run)
            await until(lambda: "can't be built: The tree in the store lacks its tile" in caplog.text)
            tasks.cancel_scope.cancel()
        assert "`handoffs log verify` says why" in await head_now(store)


async def test_what_no_program_would_write_ends_no_inbox(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with SqliteStore(tmp_path / "x.db") as store:
        tree, desk = LogTree(store, SystemClock(), tmp_path, None), Desk(store=store, clock=SystemClock())
        asked = await desk.ask(message="Deploy?", caller=CLAUDE)
        await tree.checkpoint()
        with closing(connect(tmp_path / "x.db")) as connection:
            connection.execute(
                "INSERT INTO events (handoff_id, name, at, details) VALUES (?, 'reached', 0, 'null')", (asked.id,)
            )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tree.run)
            await until(lambda: "can't be built: " in caplog.text)
            tasks.cancel_scope.cancel()


async def test_the_head_stands_at_the_foot_of_each_page_with_the_signed_text(tmp_path: Path) -> None:
    clock = SystemClock()
    async with SqliteStore(tmp_path / "x.db") as store:
        desk, tree = Desk(store=store, clock=clock), LogTree(store, clock, tmp_path, "https://inbox.example")
        sign_in = SignIn(tmp_path / "inbox", clock.now)
        app = build_inbox(desk, sign_in=sign_in, by="ada", hosts=["inbox.example"], password=PASSWORD, log=tree)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inbox.example") as http:
            assert (await http.get("/log/checkpoint")).status_code == 401
            await http.post("/sign-in", data={"password": PASSWORD})
            assert "Log:" not in (await http.get("/")).text  # it was not read yet
            await desk.ask(message="Deploy?", caller=CLAUDE)
            signed = await http.get("/log/checkpoint")
            assert signed.headers["content-type"].startswith("text/plain")
            origin, size, root = signed.text.splitlines()[:3]
            assert (origin, size) == ("inbox.example/handoffs", "1")
            page = (await http.get("/history")).text
        assert f'<a href="/log/checkpoint">1 entry, root {root}</a>' in page.replace("&#43;", "+")
