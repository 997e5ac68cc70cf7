"""What a host is told of that it has subscribed to, in both eras, and what it is not told of."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp.types import Implementation, ResourceUpdatedNotification

from handoffs.core.desk import Desk
from handoffs.core.model import Caller, Handoff
from handoffs.mcp_server import changes
from handoffs.mcp_server.calls import Calls
from handoffs.mcp_server.server import build_server
from handoffs.store.sqlite import SqliteStore
from tests.fakes import FakeClock
from tests.mcp_server.host import Table, host, table

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

OPEN = ResourceUpdated(uri="handoff://open")


def at(handoff: Handoff) -> ResourceUpdated:
    return ResourceUpdated(uri=f"handoff://{handoff.id}")


async def opened(here: Table, message: str = "Deploy?", *, subject: str = "ada") -> Handoff:
    return await here.desk.ask(message=message, caller=Caller(subject=subject))


@asynccontextmanager
async def older_host(server: Any) -> AsyncGenerator[tuple[Client, list[str], anyio.Event]]:
    """A client of the older era, and the addresses that it was told of."""
    told: list[str] = []
    heard = anyio.Event()

    async def keep(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.append(str(message.params.uri))
            heard.set()

    info = Implementation(name="test-host", version="1")
    with anyio.fail_after(20):
        async with Client(server, mode="legacy", message_handler=keep, client_info=info) as client:
            yield client, told, heard


async def test_a_stream_of_the_newer_era_hears_of_what_comes_changes_and_ends(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), "auto") as client:
        asked = await opened(here)
        uris = ["handoff://open", f"handoff://{asked.id}"]
        async with client.listen(resources_list_changed=True, resource_subscriptions=uris) as stream:
            await here.desk.reached(asked, channel="inbox")
            assert await anext(stream) == at(asked)
            other = await opened(here, "Another?")
            assert {await anext(stream), await anext(stream)} == {OPEN, ResourcesListChanged()}
            await here.desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
            assert {await anext(stream) for _ in range(3)} == {at(asked), OPEN, ResourcesListChanged()}
            await here.desk.decline(other, by="ada", channel="inbox")
            assert {await anext(stream), await anext(stream)} == {OPEN, ResourcesListChanged()}


async def test_an_older_session_hears_of_what_it_subscribed_to_until_it_unsubscribes(tmp_path: Path) -> None:
    async with table(tmp_path) as here, older_host(here.server()) as (client, told, heard):
        asked = await opened(here)
        await client.subscribe_resource(f"handoff://{asked.id}")  # pyright: ignore[reportDeprecated]
        await client.subscribe_resource("handoff://open")  # pyright: ignore[reportDeprecated]
        await here.desk.reached(asked, channel="inbox")
        await heard.wait()
        assert told == [f"handoff://{asked.id}"]
        await client.unsubscribe_resource(f"handoff://{asked.id}")  # pyright: ignore[reportDeprecated]
        await here.desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
        while len(told) < 2:
            await anyio.sleep(0.01)
        assert told[1:] == ["handoff://open"]


async def test_what_another_caller_asks_is_announced_to_nobody_else(tmp_path: Path) -> None:
    async with (
        table(tmp_path) as here,
        host(here.server(), "auto") as client,
        older_host(here.server()) as (old, told, _),
    ):
        theirs = await opened(here, subject="eve")
        uris = ["handoff://open", f"handoff://{theirs.id}"]
        for uri in uris:
            await old.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]
        async with client.listen(resources_list_changed=True, resource_subscriptions=uris) as stream:
            await here.desk.reached(theirs, channel="inbox")
            await here.desk.answer(theirs, {"response": "yes"}, by="eve", channel="inbox")
            await opened(here, "Hers, too?", subject="eve")
            mine = await opened(here, "Mine?")
            # The first to be heard of is the first of ours.
            assert {await anext(stream), await anext(stream)} == {OPEN, ResourcesListChanged()}
            assert (await here.desk.get(mine.id)).version == mine.version
        while not told:
            await anyio.sleep(0.01)
    assert told == ["handoff://open"]


async def test_silence_that_ends_a_question_is_announced_though_nobody_looked(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), "auto") as client:
        asked = await opened(here)
        async with client.listen(resource_subscriptions=[f"handoff://{asked.id}"]) as stream:
            while not here.clock.waiting:
                await anyio.sleep(0.01)
            here.clock.forward(86_400)
            assert await anext(stream) == at(asked)
        assert await here.names() == ["opened", "expired"]


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_nothing_watches_the_store_while_nobody_listens(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        asked = await opened(here)
        async with host(here.server(), era) as client:
            await client.list_resources()
            assert here.clock.waiting == 0
            if era == "legacy":
                await client.subscribe_resource(f"handoff://{asked.id}")  # pyright: ignore[reportDeprecated]
                await until_waiting(here, 1)
                await client.unsubscribe_resource(f"handoff://{asked.id}")  # pyright: ignore[reportDeprecated]
            else:
                async with client.listen(resource_subscriptions=[f"handoff://{asked.id}"]):
                    await until_waiting(here, 1)
            await until_waiting(here, 0)
            async with host(here.server(), "auto") as other, other.listen(tools_list_changed=True):
                assert here.clock.waiting == 0


async def until_waiting(here: Table, count: int) -> None:
    while here.clock.waiting != count:
        await anyio.sleep(0.01)


async def test_an_older_session_cant_subscribe_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_URIS", 2)
    async with table(tmp_path) as here, older_host(here.server()) as (client, told, heard):
        await client.subscribe_resource("handoff://open")  # pyright: ignore[reportDeprecated]
        await client.subscribe_resource("handoff://h_a")  # pyright: ignore[reportDeprecated]
        with pytest.raises(MCPError, match="unsubscribe"):
            await client.subscribe_resource("handoff://h_b")  # pyright: ignore[reportDeprecated]
        await opened(here)
        await heard.wait()
        assert told == ["handoff://open"]  # what it had, it kept


class Session:
    """A session that was subscribed: it keeps what it is sent, or has stopped reading."""

    def __init__(self, *, reads: bool = True) -> None:
        self.told: list[str] = []
        self.reads = reads
        self.sent = anyio.Event()

    async def send_resource_updated(self, uri: str) -> None:
        self.told.append(uri)
        self.sent.set()
        if not self.reads:
            await anyio.sleep_forever()


@asynccontextmanager
async def sessions(here: Table) -> AsyncGenerator[Callable[[str, Session], Awaitable[None]]]:
    calls = Calls(here.desk, subject="ada", project="", hold_seconds=None, inbox=None)
    told = changes.Changes(here.desk, calls)
    with anyio.fail_after(20):
        async with told.lifespan(here.server()) as known:

            async def subscribe(name: str, session: Any) -> None:
                await known.note(name, OPEN.uri, session, "resources/subscribe", subject="ada")

            yield subscribe


async def test_the_oldest_of_too_many_sessions_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_SESSIONS", 2)
    first, second, third = Session(), Session(), Session()
    async with table(tmp_path) as here, sessions(here) as subscribe:
        await subscribe("first", first)
        await subscribe("second", second)
        await subscribe("first", first)  # again: now it is the newer one
        await subscribe("third", third)
        await opened(here)
        await first.sent.wait()
        await third.sent.wait()
    assert (first.told, second.told, third.told) == ([OPEN.uri], [], [OPEN.uri])


async def test_a_session_that_stopped_reading_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    stuck, well = Session(reads=False), Session()
    async with table(tmp_path) as here, sessions(here) as subscribe:
        await subscribe("stuck", stuck)
        await subscribe("well", well)
        asked = await opened(here)
        await stuck.sent.wait()
        assert not well.told
        here.clock.forward(changes.SENDING_SECONDS)
        await well.sent.wait()
        await here.desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
        while len(well.told) < 2:
            await anyio.sleep(0.01)
    assert stuck.told == [OPEN.uri]


async def test_sessions_that_subscribe_at_once_share_one_watch(tmp_path: Path) -> None:
    first, second = Session(), Session()
    async with table(tmp_path) as here, sessions(here) as subscribe:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(subscribe, "first", first)
            tasks.start_soon(subscribe, "second", second)
        for count in (1, 2, 3):
            await opened(here, f"Question {count}?")
            while len(first.told) < count or len(second.told) < count:
                await anyio.sleep(0.01)
        assert here.clock.waiting == 1  # one watch, until the next deadline
    assert (first.told, second.told) == ([OPEN.uri] * 3, [OPEN.uri] * 3)


async def subscribed(client: Client, era: str) -> None:
    if era == "legacy":
        await client.subscribe_resource(OPEN.uri)  # pyright: ignore[reportDeprecated]
    else:
        async with client.listen(resource_subscriptions=[OPEN.uri]):
            pass


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_who_cant_be_told_of_changes_is_told_that_and_why(era: str, tmp_path: Path) -> None:
    clock = FakeClock()
    async with SqliteStore(tmp_path) as store:  # a folder is no store
        here = Table(Desk(store=store, clock=clock), store, clock)
        async with host(here.server(), era) as client:
            with pytest.raises(MCPError, match=str(tmp_path)):
                await subscribed(client, era)
            with pytest.raises(MCPError, match=str(tmp_path)):
                await client.read_resource(OPEN.uri)
            with pytest.raises(MCPError, match=str(tmp_path)):
                await client.read_resource("handoff://h_a")
            assert [each.uri for each in (await client.list_resources()).resources] == [OPEN.uri]


async def test_of_two_callers_with_older_sessions_neither_hears_of_what_the_other_asks(tmp_path: Path) -> None:
    async with table(tmp_path) as here, signed_in(here) as client_of:
        asked = {name: await opened(here, subject=name) for name in ("ada", "bob")}
        async with client_of("ada") as (ada, of_ada, ada_heard), client_of("bob") as (bob, of_bob, bob_heard):
            for client in (ada, bob):
                for uri in ("handoff://open", *(f"handoff://{each.id}" for each in asked.values())):
                    await client.subscribe_resource(uri)
            await here.desk.decline(asked["bob"], by="bob", channel="inbox")
            await bob_heard.wait()
            await here.desk.decline(asked["ada"], by="ada", channel="inbox")
            await ada_heard.wait()
            while len(of_ada) < 2 or len(of_bob) < 2:
                await anyio.sleep(0.01)
    assert sorted(of_ada) == sorted([f"handoff://{asked['ada'].id}", "handoff://open"])
    assert sorted(of_bob) == sorted([f"handoff://{asked['bob'].id}", "handoff://open"])


class NameIsToken:
    """Takes any text for the token of the caller of that name."""

    async def verify_token(self, token: str) -> AccessToken | None:
        return AccessToken(token="", client_id=token, scopes=[], subject=token)


@asynccontextmanager
async def signed_in(
    here: Table,
) -> AsyncGenerator[Callable[[str], AbstractAsyncContextManager[tuple[Client, list[str], anyio.Event]]]]:
    """Older hosts over HTTP, each signed in as somebody."""
    auth = AuthSettings.model_validate({"issuer_url": "http://server", "resource_server_url": None})
    server = build_server(
        here.desk, subject="", project="", keys=["k" * 32], state_seconds=60, auth=auth, token_verifier=NameIsToken()
    )  # fmt: skip
    uvicorn_server = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), port=0, log_config=None))

    @asynccontextmanager
    async def client_of(name: str) -> AsyncGenerator[tuple[Client, list[str], anyio.Event]]:
        port = uvicorn_server.servers[0].sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {name}"}, timeout=20) as http:
            transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
            async with older_host(transport) as connected:
                yield connected

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(uvicorn_server.serve)
            while not uvicorn_server.started:
                await anyio.sleep(0.01)
            yield client_of
            tasks.cancel_scope.cancel()
