"""Requests that last, over real HTTP: they end when the token that they came with is no longer good, and only those."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp.server.auth.provider import AccessToken
from mcp.shared.exceptions import MCPError
from mcp.types import Implementation

from handoffs.access.admission import Verifier, admission
from handoffs.access.issuer import KEEP, Issuer
from handoffs.access.oauth import OAuthTokens
from handoffs.access.static import StaticTokens
from handoffs.access.tokens import digest_of, new_token
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreError
from handoffs.core.model import Caller, Handoff
from handoffs.core.ports import Tokens
from handoffs.core.token import Token
from handoffs.mcp_server.callers.bounds import Bounds
from handoffs.mcp_server.resources.caller_watch import RETRY_SECONDS
from handoffs.mcp_server.resources.registry import SENDING_SECONDS
from handoffs.mcp_server.server import build_server
from handoffs.mcp_server.token_expiry import CHECK_SECONDS, LAPSED, TokenExpiry
from handoffs.serving.stack import mcp_app
from handoffs.serving.startup import StartupGate
from handoffs.store.sqlite.store import SqliteStore
from tests.access.issuing import Key, LocalIssuer, local_issuer
from tests.fakes import FakeClock
from tests.mcp_server.host import Dialog
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

T = TypeVar("T")
OPEN = "handoff://open"
WAYS = ("revoked", "expired", "expired at the issuer", "key withdrawn")
every_way = pytest.mark.parametrize("way", WAYS)
both_eras = pytest.mark.parametrize("era", ["legacy", "auto"])


class Kept:
    """The tokens of the store, which can be cut off from it."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens, self.away, self.asked = tokens, False, 0

    async def find(self, digest: str) -> Token | None:
        self.asked += 1
        if self.away:
            raise StoreError("away")
        return await self.tokens.find(digest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokens, name)


class Counted:
    """Counts how often what lasts was looked at."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier, self.looks = verifier, 0

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        found = await self.verifier.lapsed(tokens)
        self.looks += 1
        return found


@dataclass
class Bearer:
    """A caller, and what makes the token that it has no longer good."""

    token: str
    subject: str
    lapse: Callable[[], Awaitable[None]]
    renewed: Callable[[], Awaitable[str]]


class Here:
    """A server that asks for tokens, on a clock that the test puts forward."""

    def __init__(self, desk: Desk, clock: FakeClock, kept: Kept, issuer: LocalIssuer) -> None:
        self.desk, self.clock, self.kept, self.issuer = desk, clock, kept, issuer
        self.url = ""
        self.expiry: Any = None
        self.counted: Any = None

    async def added(self, name: str, *, expires: timedelta | None = None) -> str:
        token, now = new_token(), self.clock.now()
        ends = None if expires is None else now + expires
        assert await self.kept.tokens.add(Token(name=name, digest=digest_of(token), created_at=now, expires_at=ends))
        return token

    async def bearer(self, way: str = "never", name: str = "ada") -> Bearer:
        if way in {"expired at the issuer", "key withdrawn"}:
            first = self.issuer.key

            def signed(lasts: int = 86_400) -> str:
                exp = int(self.clock.now().timestamp()) + lasts
                return self.issuer.token(self.issuer.key, sub=name, aud=f"{self.url}", exp=exp)

            async def renewed() -> str:  # it lasts a day: a slow machine takes many looks, and time passes with each
                return signed()

            async def lapse() -> None:
                if way == "expired at the issuer":
                    await self.forward(700)
                    return
                self.issuer.key = Key("next", "ES256")
                self.issuer.keys = [self.issuer.key.public]
                assert first is not self.issuer.key
                await self.forward(KEEP.total_seconds())

            first_token = signed(600) if way == "expired at the issuer" else signed()
            return Bearer(first_token, f"oauth:{name}@{self.issuer.url.partition('://')[2]}", lapse, renewed)

        async def end() -> None:
            if way == "revoked":
                assert await self.kept.tokens.revoke(name, at=self.clock.now())
            else:
                await self.forward(3_600)

        async def another() -> str:
            return await self.added(name)

        expires = timedelta(hours=1) if way == "expired" else None
        return Bearer(await self.added(name, expires=expires), f"token:{name}", end, another)

    @asynccontextmanager
    async def client(
        self, token: str, era: str, dialog: Any = None
    ) -> AsyncGenerator[tuple[Client, httpx2.AsyncClient]]:
        """The SDK's client, and the HTTP below it, whose header can be changed."""
        info = Implementation(name="test-host", version="1")
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=20) as http:
            over = streamable_http_client(self.url, http_client=http)
            async with Client(over, mode=era, client_info=info, elicitation_callback=dialog) as client:
                yield client, http

    async def asked(self, subject: str) -> Handoff:
        """Return what a caller has asked, once it has."""
        found = await until(lambda: self.desk.newest_of(subject, open_only=True))
        return found[0]

    async def forward(self, seconds: float) -> None:
        """Put the clock forward, once nobody is being notified: that has a limit, which a slow machine may not miss."""
        await until(lambda: not self.clock.is_limited(within=SENDING_SECONDS))
        self.clock.forward(seconds)

    async def until(self, done: Callable[[], object]) -> None:
        """Let time pass, by as many looks as it takes, and no further than the look that is being taken."""
        await until(done, meanwhile=lambda: self.clock.forward_to_next_sleep(within=CHECK_SECONDS))

    async def looks(self, times: int = 3) -> None:
        """Let time pass, until what lasts was looked at this often."""
        enough = self.counted.looks + times
        await self.until(lambda: self.counted.looks >= enough)

    async def told(self, reading: Awaitable[T]) -> T:
        """What is read, once it comes. A watch that has read rests, by this clock, before it reads again."""
        got: list[T] = []

        async def read() -> None:
            got.append(await reading)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            while not got:
                with anyio.move_on_after(1):
                    await until(lambda: got)
                    break
                self.clock.forward_to_next_sleep(within=RETRY_SECONDS)
        return got[0]

    async def names(self, handoff: Handoff) -> list[str]:
        return [entry.name for entry in await self.desk.history(handoff.id)]


@pytest.fixture(scope="module")
def running() -> Generator[LocalIssuer]:
    with local_issuer() as issuer:
        yield issuer


@pytest.fixture
def max_sessions() -> int:
    return Bounds.sessions


@pytest.fixture
async def here(running: LocalIssuer, tmp_path: Path, max_sessions: int) -> AsyncGenerator[Here]:
    running.key = Key("first", "ES256")
    running.keys = [running.key.public]
    clock = FakeClock(datetime.now(UTC))
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk, kept = Desk(store=store, clock=clock), Kept(store.tokens)
        here = Here(desk, clock, kept, running)
        async with served(here, max_sessions):
            yield here


@asynccontextmanager
async def served(here: Here, max_sessions: int) -> AsyncGenerator[None]:
    gate = StartupGate()
    web = uvicorn.Server(uvicorn.Config(gate, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=0))
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(web.serve)
            await until(lambda: web.started)
            here.url = f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}/mcp"
            let_in = admission(
                resource=here.url,
                issuer=here.issuer.url,
                scopes=[],
                oauth=OAuthTokens(Issuer(here.issuer.url, here.clock), audience=here.url),
                static=StaticTokens(here.kept, here.clock),  # type: ignore[arg-type]
            )
            here.counted = Counted(let_in.verifier)
            here.expiry = TokenExpiry(here.counted, here.clock, bounds=Bounds(sessions=max_sessions))
            server = build_server(
                here.desk, subject="", project="", keys=["k" * 32], state_seconds=86_400, hold_seconds=1_000_000,
                auth=let_in.auth, token_verifier=let_in.verifier, expiry=here.expiry,
            )  # fmt: skip
            app = mcp_app(server, expiry=here.expiry).app
            async with server.session_manager.run():
                tasks.start_soon(here.expiry.watch)
                gate.open(app)
                yield
                web.should_exit = True
            tasks.cancel_scope.cancel()


async def call(client: Client, said: list[Any]) -> None:
    """Ask, and keep what came of it."""
    try:
        said.append((await client.call_tool("handoff_to_user", {"message": "Deploy?"})).structured_content)
    except MCPError as error:
        said.append(error)


class Session:
    """A session of the older era, request by request."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self.url, self.http = url, http

    def show(self, token: str) -> None:
        self.http.headers["authorization"] = f"Bearer {token}"

    async def begin(self) -> None:
        info = {"name": "test-host", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
        got = await self.post({"method": "initialize", "params": params, "id": 0})
        self.http.headers["mcp-session-id"] = got.headers["mcp-session-id"]
        self.http.headers["mcp-protocol-version"] = "2025-11-25"
        await self.post({"method": "notifications/initialized"})

    async def post(self, message: dict[str, Any]) -> httpx2.Response:
        got = await self.http.post(self.url, json={"jsonrpc": "2.0", **message})
        assert got.is_success, got.text
        return got

    async def subscribe(self, uri: str) -> None:
        got = await self.post({"method": "resources/subscribe", "params": {"uri": uri}, "id": 1})
        assert '"result"' in got.text

    @asynccontextmanager
    async def stream(self) -> AsyncGenerator[httpx2.Response]:
        async with self.http.stream("GET", self.url) as stream:
            assert stream.is_success
            yield stream


@asynccontextmanager
async def session(here: Here, token: str) -> AsyncGenerator[Session]:
    headers = {"accept": "application/json, text/event-stream", "authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        session = Session(here.url, http)
        await session.begin()
        yield session


async def told(stream: httpx2.Response) -> list[str]:
    """What a stream tells of until it ends."""
    return [uri_in(line) async for line in stream.aiter_lines() if line.startswith("data: {")]


def uri_in(line: str) -> str:
    return json.loads(line.removeprefix("data: "))["params"]["uri"]


@every_way
@both_eras
async def test_a_call_that_waits_ends_with_its_token_and_is_given_no_answer(way: str, era: str, here: Here) -> None:
    ada, bob = await here.bearer(way), await here.bearer(name="bob")
    hers: list[Any] = []
    his: list[Any] = []
    async with here.client(ada.token, era) as (client, _), here.client(bob.token, era) as (other, _):
        async with anyio.create_task_group() as calls:
            calls.start_soon(call, client, hers)
            calls.start_soon(call, other, his)
            asked, others = await here.asked(ada.subject), await here.asked(bob.subject)
            await here.looks()
            assert not hers
            await ada.lapse()
            await here.until(lambda: hers)
            assert LAPSED in str(hers[0])
            await here.desk.answer(asked, {"response": "yes"}, by="grace", channel="inbox")
            await here.looks()
            assert not his  # who else calls goes on
            await here.desk.answer(others, {"response": "no"}, by="grace", channel="inbox")
    assert his[0]["values"] == {"response": "no"}
    assert await here.names(asked) == ["opened", "answered"]  # it was no host that left
    async with here.client(await ada.renewed(), era) as (client, _):
        again = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
    assert again.structured_content is not None
    assert (again.structured_content["handoffId"], again.structured_content["values"]) == (
        asked.id,
        {"response": "yes"},
    )


@every_way
async def test_a_stream_of_the_newer_era_ends_with_its_token(way: str, here: Here) -> None:
    ada, bob = await here.bearer(way), await here.bearer(name="bob")
    why: list[object] = []
    async with here.client(ada.token, "auto") as (client, _), here.client(bob.token, "auto") as (other, _):

        async def listen() -> None:
            async with client.listen(resource_subscriptions=[OPEN]) as stream:
                listening.set()
                with pytest.raises(SubscriptionLost) as lost:
                    await anext(stream)
            why.append(lost.value.__cause__)

        listening = anyio.Event()
        async with anyio.create_task_group() as tasks, other.listen(resource_subscriptions=[OPEN]) as goes_on:
            tasks.start_soon(listen)
            await listening.wait()
            await here.looks()
            await ada.lapse()
            await here.until(lambda: why)
            assert LAPSED in str(why[0])
            await here.desk.ask(message="Hers?", caller=Caller(subject=ada.subject))
            await here.desk.ask(message="His?", caller=Caller(subject=bob.subject))
            assert str((await here.told(anext(goes_on))).uri) == OPEN  # type: ignore[union-attr]


@every_way
async def test_an_older_session_is_told_nothing_more_once_its_token_has_ended(way: str, here: Here) -> None:
    ada = await here.bearer(way)
    asked = await here.desk.ask(message="Deploy?", caller=Caller(subject=ada.subject))
    async with session(here, ada.token) as hers:
        await hers.subscribe(OPEN)
        async with hers.stream() as stream:
            await ada.lapse()
            heard: list[list[str]] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listened, stream, heard)
                await here.until(lambda: heard)
            assert heard == [[]]  # it ended as streams do, and not as a connection that broke
        await here.until(lambda: not here.expiry.subscriptions)
        hers.show(await ada.renewed())
        async with hers.stream() as stream:
            await hers.subscribe(uri := f"handoff://{asked.id}")
            await here.desk.ask(message="Another?", caller=Caller(subject=ada.subject))
            assert await both_changes_of(asked, here, stream) == [uri, uri]  # and nothing of what is open


async def both_changes_of(asked: Handoff, here: Here, stream: httpx2.Response) -> list[str]:
    """What a stream tells of first, and next, when a handoff changes twice."""
    lines = (line async for line in stream.aiter_lines() if line.startswith("data: {"))
    await here.desk.reached(asked, channel="inbox")
    first = uri_in(await here.told(anext(lines)))
    await here.desk.decline(asked, by="grace", channel="inbox")
    return [first, uri_in(await here.told(anext(lines)))]


async def listened(stream: httpx2.Response, heard: list[list[str]]) -> None:
    heard.append(await told(stream))


async def test_a_session_on_its_next_token_loses_only_what_the_last_one_began(here: Here) -> None:
    ada = await here.bearer("expired at the issuer")
    said: dict[str, list[Any]] = {"old": [], "new": []}

    async def ask(name: str) -> None:
        params = {"name": "handoff_to_user", "arguments": {"message": f"The {name} one?"}}
        got = await hers.post({"method": "tools/call", "params": params, "id": name})
        said[name].append(got.text)

    async def open_ones(count: int) -> list[Handoff]:
        found = await until(lambda: here.desk.newest_of(ada.subject, open_only=True), lambda found: len(found) >= count)
        return list(found)

    async with session(here, ada.token) as hers, anyio.create_task_group() as calls:
        await hers.subscribe(OPEN)
        calls.start_soon(ask, "old")
        await open_ones(1)
        await here.forward(300)
        hers.show(await ada.renewed())
        calls.start_soon(ask, "new")
        newest = (await open_ones(2))[0]
        await here.forward(400)
        await here.until(lambda: said["old"])
        assert LAPSED in said["old"][0]
        async with hers.stream() as stream:
            await here.looks()
            assert not said["new"]
            await here.desk.answer(newest, {"response": "yes"}, by="grace", channel="inbox")
            lines = (line async for line in stream.aiter_lines() if line.startswith("data: {"))
            assert uri_in(await here.told(anext(lines))) == OPEN
    assert "The person answered: yes" in said["new"][0]


async def test_a_client_that_returns_with_its_next_token_keeps_its_subscriptions(here: Here) -> None:
    ada = await here.bearer("expired at the issuer")
    async with session(here, ada.token) as hers:
        await hers.subscribe(OPEN)
        heard: list[list[str]] = []
        async with hers.stream() as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(listened, stream, heard)
            await ada.lapse()
            await here.until(lambda: any(each.lapsed for each in here.expiry.subscriptions._subscribers.values()))
            await until(lambda: heard)  # time stands: it is back before the next look
        hers.show(await ada.renewed())
        async with hers.stream() as stream:
            await here.looks()
            await here.desk.ask(message="Deploy?", caller=Caller(subject=ada.subject))
            lines = (line async for line in stream.aiter_lines() if line.startswith("data: {"))
            assert uri_in(await here.told(anext(lines))) == OPEN


async def test_while_the_store_is_away_nothing_ends(here: Here) -> None:
    ada, said = await here.bearer("revoked"), list[Any]()
    async with here.client(ada.token, "legacy") as (client, _), anyio.create_task_group() as calls:
        calls.start_soon(call, client, said)
        await here.asked(ada.subject)
        await ada.lapse()
        here.kept.away = True
        await here.looks()
        assert not said
        here.kept.away = False
        await here.until(lambda: said)
    assert LAPSED in str(said[0])


async def test_of_many_requests_with_one_token_it_is_asked_once(here: Here) -> None:
    ada = await here.bearer("revoked")
    said: list[Any] = []
    async with here.client(ada.token, "auto") as (client, _), anyio.create_task_group() as calls:
        for _ in range(5):
            calls.start_soon(call, client, said)
        await until(lambda: len(here.expiry._requests) >= 5)
        before = here.kept.asked, here.counted.looks
        await here.looks()
        assert here.kept.asked - before[0] == here.counted.looks - before[1]
        await ada.lapse()
        await here.until(lambda: len(said) == 5)
    assert {str(each) for each in said} == {LAPSED}


async def test_nothing_runs_while_nothing_lasts(here: Here) -> None:
    ada = await here.bearer()
    async with here.client(ada.token, "auto") as (client, _):
        await client.list_tools()
        before = here.kept.asked
        await here.until(lambda: not here.clock.waiting)  # it looks once more, and sees that it was nothing
    assert here.kept.asked == before


@pytest.mark.parametrize("max_sessions", [1])
async def test_of_too_many_sessions_the_oldest_loses_its_subscriptions(here: Here) -> None:
    ada = await here.bearer()
    asked = await here.desk.ask(message="Deploy?", caller=Caller(subject=ada.subject))
    async with session(here, ada.token) as first, session(here, ada.token) as second, first.stream() as stream:
        await first.subscribe(OPEN)
        await second.subscribe(OPEN)
        assert len(here.expiry.subscriptions) == 1
        await here.desk.ask(message="Another?", caller=Caller(subject=ada.subject))
        await first.subscribe(uri := f"handoff://{asked.id}")
        assert await both_changes_of(asked, here, stream) == [uri, uri]


async def test_the_dialog_of_a_call_that_ends_with_its_token_is_taken_away(here: Here) -> None:
    ada, dialog, said = await here.bearer("revoked"), Dialog(here.clock), list[Any]()
    async with here.client(ada.token, "legacy", dialog) as (client, _), anyio.create_task_group() as calls:
        calls.start_soon(call, client, said)
        await dialog.open.wait()
        await ada.lapse()
        await here.until(lambda: said)
        await until(lambda: dialog.withdrawn)
    assert LAPSED in str(said[0])
    assert await here.asked(ada.subject)
