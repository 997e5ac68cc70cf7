"""What a host is told of that it has subscribed to, in both eras, and what it is not told of."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp.types import Implementation, ResourceUpdatedNotification

from handoffs.core.desk import Desk
from handoffs.core.errors import StoreError
from handoffs.core.model import Caller, Handoff
from handoffs.first_stage.front import Front
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.joining import Joining
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.resources import registry, subscriptions
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.mcp_server.host import Table, host, table
from tests.mcp_server.signed_in import served
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

OPEN = ResourceUpdated(uri="handoff://open")


def at(handoff: Handoff) -> ResourceUpdated:
    return ResourceUpdated(uri=f"handoff://{handoff.id}")


async def opened(here: Table, message: str = "Deploy?", *, subject: str = "ada") -> Handoff:
    return await here.desk.ask(message=message, caller=Caller(subject=subject))


@asynccontextmanager
async def older_host(server: Any, era: str = "legacy") -> AsyncGenerator[tuple[Client, list[str], anyio.Event]]:
    """A client of the older era (or another), and the addresses that it was told of."""
    told: list[str] = []
    heard = anyio.Event()

    async def keep(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.append(str(message.params.uri))
            heard.set()

    info = Implementation(name="test-host", version="1")
    with anyio.fail_after(120):
        async with Client(server, mode=era, message_handler=keep, client_info=info) as client:
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


async def test_an_older_session_hears_of_its_subscriptions_until_it_unsubscribes(tmp_path: Path) -> None:
    async with table(tmp_path) as here, older_host(here.server()) as (client, told, heard):
        asked = await opened(here)
        await client.subscribe_resource(f"handoff://{asked.id}")
        await client.subscribe_resource("handoff://open")
        await here.desk.reached(asked, channel="inbox")
        await heard.wait()
        assert told == [f"handoff://{asked.id}"]
        await client.unsubscribe_resource(f"handoff://{asked.id}")
        await here.desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
        await until(lambda: len(told) >= 2)
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
            await old.subscribe_resource(uri)
        async with client.listen(resources_list_changed=True, resource_subscriptions=uris) as stream:
            await here.desk.reached(theirs, channel="inbox")
            await here.desk.answer(theirs, {"response": "yes"}, by="eve", channel="inbox")
            await opened(here, "Hers, too?", subject="eve")
            mine = await opened(here, "Mine?")
            # The first to be heard of is the first of ours.
            assert {await anext(stream), await anext(stream)} == {OPEN, ResourcesListChanged()}
            assert (await here.desk.get(mine.id)).version == mine.version
        await until(lambda: told)
    assert told == ["handoff://open"]


async def test_silence_that_ends_a_question_is_announced_though_nobody_looked(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), "auto") as client:
        asked = await opened(here)
        async with client.listen(resource_subscriptions=[f"handoff://{asked.id}"]) as stream:
            await until(lambda: here.clock.waiting)
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
                await client.subscribe_resource(f"handoff://{asked.id}")
                await until_waiting(here, 1)
                await client.unsubscribe_resource(f"handoff://{asked.id}")
            else:
                async with client.listen(resource_subscriptions=[f"handoff://{asked.id}"]):
                    await until_waiting(here, 1)
            await until_waiting(here, 0)
            async with host(here.server(), "auto") as other, other.listen(tools_list_changed=True):
                assert here.clock.waiting == 0


async def until_waiting(here: Table, count: int) -> None:
    await until(lambda: here.clock.waiting == count)


async def test_an_older_session_cant_subscribe_without_end(tmp_path: Path) -> None:
    async with table(tmp_path) as here, older_host(here.server(bounds=Bounds(uris=2))) as (client, told, heard):
        await client.subscribe_resource("handoff://open")
        await client.subscribe_resource("handoff://h_a")
        with pytest.raises(MCPError, match="unsubscribe"):
            await client.subscribe_resource("handoff://h_b")
        await opened(here)
        await heard.wait()
        assert told == ["handoff://open"]  # what it had, it kept


class Session:
    """A session that was subscribed: it keeps what it is sent, or has stopped reading, or can't be sent anything."""

    def __init__(self, *, reads: bool = True, breaks: bool = False) -> None:
        self.told: list[str] = []
        self.reads, self.breaks = reads, breaks
        self.sent = anyio.Event()

    async def send_resource_updated(self, uri: str) -> None:
        self.told.append(uri)
        self.sent.set()
        if self.breaks:
            raise anyio.BrokenResourceError
        if not self.reads:
            await anyio.sleep_forever()


@asynccontextmanager
async def sessions(
    here: Table, bounds: Bounds = BOUNDS
) -> AsyncGenerator[Callable[[str, Session], Coroutine[Any, Any, None]]]:
    own = OwnHandoffs(here.desk, subject="ada", project="", joining=Joining(Front()))
    kept = registry.SubscriptionRegistry(here.clock, bounds)
    told = subscriptions.Changes(here.desk, own, kept, bounds)
    with anyio.fail_after(120):
        async with told.lifespan(here.server()) as watch:

            async def subscribe(name: str, session: Any) -> None:
                await kept.subscribe(name, OPEN.uri, session, subject="ada", watch=watch)

            yield subscribe


async def test_the_oldest_of_too_many_sessions_makes_room(tmp_path: Path) -> None:
    first, second, third = Session(), Session(), Session()
    async with table(tmp_path) as here, sessions(here, Bounds(sessions=8)) as subscribe:
        await subscribe("first", first)
        await subscribe("second", second)
        await subscribe("first", first)  # again: now it is the newer one
        await subscribe("third", third)
        await opened(here)
        await first.sent.wait()
        await third.sent.wait()
    assert (first.told, second.told, third.told) == ([OPEN.uri], [], [OPEN.uri])


async def test_a_session_that_stopped_reading_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    stuck, broken, well = Session(reads=False), Session(breaks=True), Session()
    async with table(tmp_path) as here, sessions(here) as subscribe:
        for name, session in {"stuck": stuck, "broken": broken, "well": well}.items():
            await subscribe(name, session)
        asked = await opened(here)
        await well.sent.wait()
        await stuck.sent.wait()
        here.clock.forward(registry.SENDING_SECONDS)
        await here.desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
        await until(lambda: len(well.told) >= 2)
    assert (stuck.told, broken.told) == ([OPEN.uri], [OPEN.uri])  # forgotten, both


async def test_sessions_that_subscribe_at_once_share_one_watch(tmp_path: Path) -> None:
    first, second = Session(), Session()
    async with table(tmp_path) as here, sessions(here) as subscribe:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(subscribe, "first", first)
            tasks.start_soon(subscribe, "second", second)
        for count in (1, 2, 3):
            await opened(here, f"Question {count}?")
            await until(lambda count=count: len(first.told) >= count and len(second.told) >= count)
        assert here.clock.waiting == 1  # one watch, until the next deadline
    assert (first.told, second.told) == ([OPEN.uri] * 3, [OPEN.uri] * 3)


async def test_sessions_that_subscribe_at_once_trust_no_watch_that_failed(tmp_path: Path) -> None:
    path, clock, failed = tmp_path / "handoffs.db", FakeClock(), list[str]()
    path.mkdir()  # a folder is no store
    first, second = Session(), Session()
    async with SqliteStore(path) as store:
        here = Table(Desk(store=store, clock=clock), store, clock)
        async with sessions(here) as subscribe:

            async def try_to(name: str, session: Session) -> None:
                try:
                    await subscribe(name, session)
                except StoreError:
                    failed.append(name)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(try_to, "first", first)
                tasks.start_soon(try_to, "second", second)
            assert sorted(failed) == ["first", "second"]
            path.rmdir()
            await subscribe("second", second)  # as it was told to
            await opened(here)
            await second.sent.wait()
    assert (first.told, second.told) == ([], [OPEN.uri])


async def subscribed(client: Client, era: str) -> None:
    if era == "legacy":
        await client.subscribe_resource(OPEN.uri)
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


async def test_two_callers_with_older_sessions_hear_only_of_their_own_questions(tmp_path: Path) -> None:
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
            await until(lambda: len(of_ada) >= 2 and len(of_bob) >= 2)
    assert sorted(of_ada) == sorted([f"handoff://{asked['ada'].id}", "handoff://open"])
    assert sorted(of_bob) == sorted([f"handoff://{asked['bob'].id}", "handoff://open"])


async def test_all_that_listens_for_a_caller_shares_one_watch_in_both_eras(tmp_path: Path) -> None:
    async with table(tmp_path) as here, signed_in(here) as client_of, AsyncExitStack() as stack:
        for name in ("ada", "bob"):
            await opened(here, subject=name)  # so that each watch waits for a deadline
        ada, _, _ = await stack.enter_async_context(client_of("ada", "auto"))
        old, told, heard = await stack.enter_async_context(client_of("ada"))
        streams = [
            await stack.enter_async_context(ada.listen(resource_subscriptions=[OPEN.uri])) for _ in range(3)
        ]  # fmt: skip
        await old.subscribe_resource(OPEN.uri)
        await until_waiting(here, 1)
        bob, _, _ = await stack.enter_async_context(client_of("bob", "auto"))
        async with bob.listen(resource_subscriptions=[OPEN.uri]):
            await until_waiting(here, 2)
        await until_waiting(here, 1)
        await opened(here, "Another?")
        for stream in streams:
            assert await anext(stream) == OPEN
        await heard.wait()
        assert told == [OPEN.uri]
        await old.unsubscribe_resource(OPEN.uri)
        await opened(here, "A third?")
        for stream in streams:
            assert await anext(stream) == OPEN


async def test_streams_outlive_the_one_that_came_first(tmp_path: Path) -> None:
    async with table(tmp_path) as here, signed_in(here) as client_of, AsyncExitStack() as stack:
        second, _, _ = await stack.enter_async_context(client_of("ada", "auto"))
        async with client_of("ada", "auto") as (first, _, _), first.listen(resource_subscriptions=[OPEN.uri]):
            stream = await stack.enter_async_context(second.listen(resource_subscriptions=[OPEN.uri]))
        await opened(here)
        assert await anext(stream) == OPEN


async def test_one_caller_cant_take_the_streams_of_all(tmp_path: Path) -> None:
    async with table(tmp_path) as here, signed_in(here, Bounds(streams=8)) as client_of, AsyncExitStack() as stack:
        ada, _, _ = await stack.enter_async_context(client_of("ada", "auto"))
        bob, _, _ = await stack.enter_async_context(client_of("bob", "auto"))
        # Also of what we never announce: the SDK holds a place for it.
        first = AsyncExitStack()
        await first.enter_async_context(ada.listen(tools_list_changed=True))
        await stack.enter_async_context(ada.listen(resource_subscriptions=[OPEN.uri]))
        with pytest.raises(MCPError, match="Too many of your streams"):
            async with ada.listen(resource_subscriptions=[OPEN.uri]):
                pass
        async with bob.listen(resource_subscriptions=[OPEN.uri]) as stream:
            await opened(here, subject="bob")
            assert await anext(stream) == OPEN
        await first.aclose()

        async def is_served() -> bool:
            try:
                async with ada.listen(resource_subscriptions=[OPEN.uri]) as stream:
                    await opened(here)
                    assert await anext(stream) == OPEN
            except MCPError:
                return False
            return True

        await until(is_served)  # the server hears of it in its own time


async def test_one_callers_older_sessions_take_no_place_of_anothers(tmp_path: Path) -> None:
    async with table(tmp_path) as here, signed_in(here, Bounds(sessions=8)) as client_of, AsyncExitStack() as stack:
        bob, of_bob, bob_heard = await stack.enter_async_context(client_of("bob"))
        await bob.subscribe_resource(OPEN.uri)
        all_of_ada = [await stack.enter_async_context(client_of("ada")) for _ in range(3)]
        for client, _, _ in all_of_ada:
            await client.subscribe_resource(OPEN.uri)
        for name in ("ada", "bob"):
            await opened(here, subject=name)
        await bob_heard.wait()
        for _, _, heard in all_of_ada[1:]:
            await heard.wait()
    assert [told for _, told, _ in all_of_ada] == [[], [OPEN.uri], [OPEN.uri]]
    assert of_bob == [OPEN.uri]


@asynccontextmanager
async def signed_in(
    here: Table, bounds: Bounds = BOUNDS
) -> AsyncGenerator[Callable[..., AbstractAsyncContextManager[tuple[Client, list[str], anyio.Event]]]]:
    """Hosts over HTTP, each signed in as somebody, in the older era unless another is given."""
    async with served(here, bounds=bounds) as server:

        @asynccontextmanager
        async def client_of(name: str, era: str = "legacy") -> AsyncGenerator[tuple[Client, list[str], anyio.Event]]:
            async with server.transport(name) as transport, older_host(transport, era) as connected:
                yield connected

        yield client_of
