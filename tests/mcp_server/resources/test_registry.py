"""The registry of subscriptions: what ends them, by itself and for a token that has lapsed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp.server.auth.provider import AccessToken

from handoffs.core.model import Caller
from handoffs.mcp_server.callers.subject import token_key
from handoffs.mcp_server.resources.caller_watch import SharedWatch
from handoffs.mcp_server.resources.registry import SubscriptionRegistry
from tests.mcp_server.host import Table, table

URI = "handoff://open"


class Session:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.sent = anyio.Event()

    async def send_resource_updated(self, uri: str) -> None:
        self.told.append(uri)
        self.sent.set()


class Watched:
    def __init__(self, here: Table, watch: SharedWatch) -> None:
        self.here, self.watch = here, watch
        self.registry = SubscriptionRegistry(here.clock)

    async def subscribe(self, name: str, subject: str, token: AccessToken | None = None) -> Session:
        session: Any = Session()
        await self.registry.subscribe(name, URI, session, subject=subject, watch=self.watch, token=token)
        return session


@asynccontextmanager
async def watched(folder: Path) -> AsyncGenerator[Watched]:
    with anyio.fail_after(120):
        async with table(folder) as here, anyio.create_task_group() as tasks:
            yield Watched(here, SharedWatch(here.desk, tasks))
            tasks.cancel_scope.cancel()


def token_of(subject: str, text: str) -> AccessToken:
    return AccessToken(token=text, client_id=subject, scopes=[], subject=subject)


async def test_subscriptions_end_at_the_second_look_at_a_lapsed_token(tmp_path: Path) -> None:
    hers, his = token_of("ada", "1"), token_of("bob", "2")
    async with watched(tmp_path) as it:
        ada, bob = await it.subscribe("a", "ada", hers), await it.subscribe("b", "bob", his)
        assert it.registry.tokens == [hers, his]
        assert it.registry.end_lapsed({token_key(hers)}) == []
        assert it.registry.end_lapsed({token_key(hers)}) == [hers]
        assert it.registry.tokens == [his]
        for subject in ("ada", "bob"):
            await it.here.desk.ask(message="Deploy?", caller=Caller(subject=subject))
        await bob.sent.wait()
        assert (ada.told, bob.told) == ([], [URI])


async def test_a_session_that_shows_its_next_token_keeps_its_subscriptions(tmp_path: Path) -> None:
    first, second = token_of("ada", "1"), token_of("ada", "2")
    async with watched(tmp_path) as it:
        await it.subscribe("a", "ada", first)
        it.registry.end_lapsed({token_key(first)})
        it.registry.renew("a", second)
        assert it.registry.end_lapsed({token_key(first)}) == []
        assert it.registry.end_lapsed({token_key(second)}) == []  # the look at the first token counts no more
        assert it.registry.tokens == [second]


async def test_another_caller_cant_prolong_a_session_by_naming_it(tmp_path: Path) -> None:
    hers = token_of("ada", "1")
    async with watched(tmp_path) as it:
        await it.subscribe("a", "ada", hers)
        it.registry.renew("a", token_of("bob", "2"))
        assert it.registry.tokens == [hers]


async def test_subscriptions_end_with_their_watch_and_those_of_others_go_on(tmp_path: Path) -> None:
    async with watched(tmp_path) as it, anyio.create_task_group() as tasks:
        await it.subscribe("pipe", "ada")
        other = SharedWatch(it.here.desk, tasks)
        session: Any = Session()
        await it.registry.subscribe("other", URI, session, subject="ada", watch=other)
        it.registry.end_all(it.watch)
        assert len(it.registry) == 1
        await it.here.desk.ask(message="Deploy?", caller=Caller(subject="ada"))
        await session.sent.wait()
        it.registry.end_all(other)
        assert not it.registry
