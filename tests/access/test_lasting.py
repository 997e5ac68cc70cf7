"""Whether a token that was good still is: what its keeper says later, and what it says when it can't know."""

import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import Implementation

from handoffs.access.admission import admission
from handoffs.access.issuer import KEEP, Issuer
from handoffs.access.oauth import OAuthTokens
from handoffs.access.static import StaticTokens
from handoffs.access.tokens import digest_of, new_token
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.token import Token
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance import processes
from tests.acceptance.processes import Home
from tests.access.issuing import Key, local_issuer
from tests.fakes import FakeClock
from tests.waiting import until

AUDIENCE = "http://server/mcp"

HURRIED = [
    sys.executable,
    "-c",
    "import handoffs.mcp_server.token_expiry as lasting; lasting.CHECK_SECONDS = 0.1\n"
    "from handoffs.__main__ import main; main()",
]
"""The command, looking at what lasts more often than every five seconds."""


async def test_each_keeper_says_which_of_its_tokens_it_would_refuse_now(tmp_path: Path) -> None:
    clock, shown = FakeClock(), {name: new_token() for name in ("kept", "revoked", "short")}
    with local_issuer() as issuer:
        async with SqliteStore(tmp_path / "handoffs.db") as store:
            for name, token in shown.items():
                ends = clock.now() + timedelta(hours=1) if name == "short" else None
                made = Token(name=name, digest=digest_of(token), created_at=clock.now(), expires_at=ends)
                await store.tokens.add(made)
            other = Key("other", "ES256")
            issuer.keys.append(other.public)
            shown |= {"signed": issuer.token(sub="signed"), "withdrawn": issuer.token(other, sub="withdrawn")}
            verifier = admission(
                resource=AUDIENCE,
                issuer=issuer.url,
                scopes=[],
                oauth=OAuthTokens(Issuer(issuer.url, clock), audience=AUDIENCE),
                static=StaticTokens(store.tokens, clock),
            ).verifier
            known = [await verifier.verify_token(token) for token in shown.values()]
            good = [each for each in known if each is not None]
            assert len(good) == 5
            assert await verifier.lapsed(good) == []
            await store.tokens.revoke("revoked", at=clock.now())
            issuer.keys.pop()
            clock.forward(KEEP.total_seconds())
            of = issuer.url.removeprefix("http://")
            gone = await verifier.lapsed(good)
            assert [each.subject for each in gone] == ["token:revoked", "token:short", f"oauth:withdrawn@{of}"]
            issuer.down = True
            clock.forward(KEEP.total_seconds())
            assert [each.subject for each in await verifier.lapsed(good)] == ["token:revoked", "token:short"]
            no_more = admission(resource=AUDIENCE, issuer=None, scopes=[], oauth=None, static=None).verifier
            assert len(await no_more.lapsed(good)) == 5


async def test_of_tokens_in_a_store_that_cant_be_used_none_is_said_to_be_bad(tmp_path: Path) -> None:
    clock, token = FakeClock(), new_token()
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        await store.tokens.add(Token(name="ada", digest=digest_of(token), created_at=clock.now()))
        known = await StaticTokens(store.tokens, clock).verify_token(token)
    assert known is not None
    async with SqliteStore(tmp_path / "none.db") as store:
        assert await StaticTokens(store.tokens, clock).lapsed([known]) == [known]
    async with SqliteStore(tmp_path) as broken:  # a folder is no store
        assert await StaticTokens(broken.tokens, clock).lapsed([known]) == []


async def test_a_token_revoked_by_another_process_ends_its_calls_on_this_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, now = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "60"}), datetime.now(UTC)
    shown, said = {name: new_token() for name in ("ada", "bob")}, dict[str, str]()
    monkeypatch.setattr(processes, "HANDOFFS", HURRIED)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqliteStore(home.store))
        for name, token in shown.items():
            await store.tokens.add(Token(name=name, digest=digest_of(token), created_at=now))
        served = await stack.enter_async_context(home.http())
        desk = Desk(store=store, clock=SystemClock())
        tasks = await stack.enter_async_context(anyio.create_task_group())

        async def ask(name: str) -> None:
            info = Implementation(name="test-host", version="1")
            async with httpx2.AsyncClient(headers={"authorization": f"Bearer {shown[name]}"}, timeout=20) as http:
                transport = streamable_http_client(served.url, http_client=http)
                async with Client(transport, mode="legacy", client_info=info) as client:
                    try:
                        result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
                        said[name] = str(result.structured_content)
                    except MCPError as error:
                        said[name] = str(error)

        for name in shown:
            tasks.start_soon(ask, name)
        with anyio.fail_after(120):
            await until(lambda: desk.newest(open_only=True), lambda found: len(found) >= 2)
            assert await store.tokens.revoke("ada", at=now)
            await until(lambda: "ada" in said)
            asked = await desk.newest(open_only=True)
            assert len(asked) == 2
            for handoff in asked:
                await desk.answer(handoff, {"response": "go"}, by="grace", channel="inbox")
            await until(lambda: "bob" in said)
    assert "no longer good" in said["ada"]
    assert "'response': 'go'" in said["bob"]
