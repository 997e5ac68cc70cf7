"""`handoffs serve --http` as a process of its own, with an issuer and with tokens: who gets in, and what they see."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import Implementation, ResourceTemplateReference

from handoffs.access.challenges import Challenges
from handoffs.assembly import open_tokens
from handoffs.core.token import Token
from handoffs.mcp_server.server import build_server
from handoffs.serving.admission import admitted, checked
from handoffs.serving.binding import CannotServe
from handoffs.serving.stack import mcp_app
from handoffs.settings import Settings
from tests.acceptance.processes import ERAS, Home, ask
from tests.access.issuing import Key, LocalIssuer, local_issuer
from tests.mcp_server.host import table

PUBLIC = "https://handoffs.example"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
both_eras = pytest.mark.parametrize("era", ERAS)


class Served:
    """The server, its issuer, and the tokens that a person added."""

    def __init__(self, home: Home, issuer: LocalIssuer, url: str, portal: BlockingPortal) -> None:
        self.home, self.issuer, self.url, self.portal = home, issuer, url, portal
        self.static = home.run("token", "add", "ci").stdout.strip()

    def token(self, sub: str = "ada", **claims: Any) -> str:
        return self.issuer.token(**{"sub": sub, "aud": f"{PUBLIC}/mcp", "scope": "handoffs:ask", **claims})

    async def post(self, token: str | None, **headers: str) -> httpx2.Response:
        accept = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
        shown = {"authorization": f"Bearer {token}"} if token is not None else {}
        async with httpx2.AsyncClient() as client:
            return await client.post(self.url, json=PING, headers=accept | shown | headers)

    @asynccontextmanager
    async def client(self, token: str, era: str) -> AsyncGenerator[Client]:
        info = Implementation(name="test-host", version="1")
        bearer = {"authorization": f"Bearer {token}"}
        with anyio.fail_after(120):
            async with httpx2.AsyncClient(headers=bearer, timeout=20) as http:
                transport = streamable_http_client(self.url, http_client=http)
                async with Client(transport, mode=era, client_info=info) as client:
                    yield client


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with local_issuer() as issuer, start_blocking_portal() as portal:
        extra = {
            "HANDOFFS_OAUTH_ISSUER": issuer.url,
            "HANDOFFS_OAUTH_SCOPES": "handoffs:ask",
            "HANDOFFS_URL": PUBLIC,
            "HANDOFFS_HOLD_SECONDS": "0",
        }
        home = Home(tmp_path_factory.mktemp("served"), extra)
        with portal.wrap_async_context_manager(home.http("0.0.0.0:0")) as server:
            port = server.url.rpartition(":")[2]
            yield Served(home, issuer, f"http://127.0.0.1:{port}", portal)


async def test_who_shows_no_good_token_is_told_where_to_get_one(served: Served) -> None:
    wrong = {
        "none": None,
        "expired": served.token(exp=1),
        "for another server": served.token(aud="https://other.example/mcp"),
        "signed by another key": served.issuer.token(Key("first", "ES256"), sub="ada", aud=f"{PUBLIC}/mcp"),
        "of another issuer": served.token(iss="https://id.example"),
        "made up": "ho_" + "A" * 43,
        "nonsense": "nonsense",
    }
    where = f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource/mcp"'
    for what, token in wrong.items():
        got = await served.post(token)
        assert got.status_code == 401, what
        challenge = got.headers["www-authenticate"]
        assert challenge.startswith("Bearer "), what
        assert 'error="invalid_token"' in challenge, what
        assert where in challenge, what
        assert 'scope="handoffs:ask"' in challenge, what


async def test_who_shows_a_token_without_the_scope_is_told_so(served: Served) -> None:
    got = await served.post(served.token(scope="other"))
    assert got.status_code == 403
    assert 'error="insufficient_scope"' in got.headers["www-authenticate"]
    assert 'scope="handoffs:ask"' in got.headers["www-authenticate"]
    assert "resource_metadata=" in got.headers["www-authenticate"]


async def test_the_metadata_names_the_issuer_to_anybody(served: Served) -> None:
    async with httpx2.AsyncClient() as client:
        got = await client.get(served.url.removesuffix("/mcp") + "/.well-known/oauth-protected-resource/mcp")
    assert got.status_code == 200
    said = got.json()
    assert said["resource"] == f"{PUBLIC}/mcp"
    assert said["authorization_servers"] == [served.issuer.url]
    assert said["scopes_supported"] == ["handoffs:ask"]


async def test_it_answers_to_its_public_name_and_to_no_other(served: Served) -> None:
    token = served.token()
    assert (await served.post(token, host="handoffs.example")).status_code not in {401, 403, 421}
    assert (await served.post(token, host="evil.example")).status_code == 421
    assert (await served.post(token, origin="https://evil.example")).status_code == 403


async def test_while_the_issuer_is_away_tokens_that_a_person_added_are_good(served: Served) -> None:
    served.issuer.down = True
    try:
        async with served.client(served.static, "auto") as client:
            assert (await ask(client, "While it is away"))["status"] == "PENDING"
    finally:
        served.issuer.down = False


async def test_while_tokens_cant_be_checked_callers_are_told_to_come_again(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    settings = Settings(store=tmp_path / "handoffs.db", oauth_issuer=nowhere)
    with local_issuer() as elsewhere:
        token = elsewhere.token(iss=nowhere)
    async with open_tokens(settings) as tokens, table(tmp_path) as here:
        admission = admitted(settings, tokens, base="http://server")
        assert admission is not None
        server = build_server(
            here.desk, subject="ada", project="", keys=["k" * 32], state_seconds=60,
            auth=admission.auth, token_verifier=admission.verifier,
        )  # fmt: skip
        app = mcp_app(server, challenges=Challenges).app
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
            got = await client.post("http://server/mcp", json=PING, headers={"authorization": f"Bearer {token}"})
    assert (got.status_code, got.headers["retry-after"]) == (503, "5")
    assert token not in got.text


@pytest.mark.parametrize(
    ("extra", "added", "asks"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"tokens": "on"}, False, True),
        ({"tokens": "off"}, True, False),
        ({"tokens": "off", "oauth_issuer": "https://id.example"}, False, True),
    ],
)
async def test_beyond_this_machine_it_serves_once_there_is_anything_to_ask_for(
    extra: dict[str, Any], added: bool, asks: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(store=tmp_path / "handoffs.db", **extra)
    if added:
        async with open_tokens(settings) as tokens:
            now = datetime.now(UTC)
            await tokens.add(Token(name="ada", digest="0" * 64, created_at=now))
            await tokens.revoke("ada", at=now)  # to take the last one away lets nobody in
    async with open_tokens(settings) as tokens:
        everybody = settings.tokens == "off" and settings.oauth_issuer is None
        assert (admitted(settings, tokens, base="http://server") is None) is everybody
    try:
        await checked(settings.model_copy(update={"url": PUBLIC}), "0.0.0.0")
        refused = False
    except CannotServe:
        refused = True
    assert refused is not asks
    assert capsys.readouterr().err == ""
    if asks:
        await checked(settings.model_copy(update={"url": "http://handoffs.example"}), "0.0.0.0")
        assert "TLS" in capsys.readouterr().err
    await checked(settings, "127.0.0.1")
    await checked(settings.model_copy(update={"url": "http://127.0.0.1:8765"}), "127.0.0.1")
    try:
        await checked(settings.model_copy(update={"url": PUBLIC}), "127.0.0.1")  # behind a proxy on this machine
        refused = False
    except CannotServe:
        refused = True
    assert refused is not asks
    with pytest.raises(CannotServe):
        await checked(settings, "0.0.0.0")  # by what name it is reached is not known


@both_eras
async def test_of_two_callers_neither_learns_what_the_other_asked(era: str, served: Served) -> None:
    ada, bob = served.token("ada"), served.token("bob")
    message = f"Deploy, {era}?"
    async with served.client(ada, era) as hers, served.client(bob, era) as his:
        asked = await ask(hers, message)
        handoff_id = asked["handoffId"]
        assert asked["status"] == "PENDING"
        foreign = await his.call_tool("check_handoff", {"handoff_id": handoff_id})
        never = await his.call_tool("check_handoff", {"handoff_id": handoff_id[:-1] + "x"})
        assert told(foreign).replace(handoff_id, "ID") == told(never).replace(handoff_id[:-1] + "x", "ID")
        assert (foreign.is_error, never.is_error) == (True, True)
        with pytest.raises(MCPError, match="Unknown resource"):
            await his.read_resource(f"handoff://{handoff_id}")
        assert handoff_id not in repr(await his.read_resource("handoff://open"))
        assert handoff_id not in repr(await his.list_resources())
        assert handoff_id in repr(await hers.read_resource("handoff://open"))
        template = ResourceTemplateReference(type="ref/resource", uri="handoff://{id}")
        offered = [await each.complete(template, {"name": "id", "value": ""}) for each in (hers, his)]
        assert [handoff_id in each.completion.values for each in offered] == [True, False]
        # The same words from another caller are another question, and its answer is not theirs.
        assert (await ask(his, message))["handoffId"] != handoff_id
        done = await served.home.command("answer", handoff_id, "go")
        assert done.returncode == 0, done.stderr
        assert (await ask(hers, message))["values"] == {"response": "go"}


async def test_nobody_withdraws_or_follows_the_task_of_another_caller(served: Served) -> None:
    async with served.client(served.token("ada"), "auto") as hers:
        handoff_id = (await ask(hers, "Mine to withdraw?"))["handoffId"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/cancel"}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "inspector-cli", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    }
    said: dict[str, dict[str, Any]] = {}
    async with httpx2.AsyncClient() as client:
        for method in ("tasks/get", "tasks/cancel"):
            for sub in ("bob", "ada"):
                headers = {
                    "authorization": f"Bearer {served.token(sub)}",
                    "accept": "application/json, text/event-stream",
                    "mcp-protocol-version": "2026-07-28",
                    "mcp-method": method,
                    "mcp-name": handoff_id,
                }
                params = {"taskId": handoff_id, "_meta": meta}
                got = await client.post(served.url, json={**body, "method": method, "params": params}, headers=headers)
                said[f"{method} {sub}"] = got.json()
    assert "no such task" in said["tasks/get bob"]["error"]["message"]
    assert "no such task" in said["tasks/cancel bob"]["error"]["message"]
    assert said["tasks/get ada"]["result"]["status"] == "working"
    assert "result" in said["tasks/cancel ada"]


async def test_a_caller_with_a_token_is_not_given_a_secret_it_could_never_have(served: Served) -> None:
    form = {"type": "object", "properties": {"key": {"type": "string", "format": "password"}}}
    async with served.client(served.token(), "auto") as client:
        got = await ask(client, "The key?", form=form)
    assert (got["status"], "handoffId" in got) == ("ERROR", False)
    assert "over this connection" in got["guidance"]


async def test_a_caller_is_kept_by_what_the_issuer_calls_them(served: Served) -> None:
    async with served.client(served.token("grace"), "auto") as client:
        handoff_id = (await ask(client, "Who am I?"))["handoffId"]
    async with served.client(served.static, "auto") as client:
        other_id = (await ask(client, "Who am I?"))["handoffId"]
    found = {each: await served.home.command("show", each, "--json") for each in (handoff_id, other_id)}
    host = served.issuer.url.removeprefix("http://")
    assert f'"subject": "oauth:grace@{host}"' in found[handoff_id].stdout.decode()
    assert '"subject": "token:ci"' in found[other_id].stdout.decode()


async def test_a_session_cant_be_gone_on_with_by_another_caller(served: Served) -> None:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test-host", "version": "1"},
    }
    begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    headers = {"accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(headers=headers) as client:
        bearer = {"authorization": f"Bearer {served.token('ada')}"}
        begun = await client.post(served.url, json=begin, headers=bearer)
        session = {"mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        assert (await client.post(served.url, json=PING, headers=bearer | session)).status_code == 200
        bearer = {"authorization": f"Bearer {served.token('bob')}"}
        assert (await client.post(served.url, json=PING, headers=bearer | session)).status_code == 404


async def test_a_revoked_token_is_refused_by_the_server_that_runs(served: Served) -> None:
    done = await served.home.command("token", "add", "gone")
    token = done.stdout.decode().strip()
    assert (await served.post(token)).status_code != 401
    assert (await served.home.command("token", "revoke", "gone")).returncode == 0
    assert (await served.post(token)).status_code == 401


async def test_no_token_is_in_the_store_or_in_what_the_server_said(served: Served) -> None:
    secret = served.token("secretive")
    async with served.client(secret, "auto") as client:
        await ask(client, "Anything?")
    await served.post(served.token("secretive", exp=1))
    for path in Path(served.home.folder).rglob("*"):
        if path.is_file():
            written = path.read_bytes()
            assert served.static.encode() not in written
            assert secret.split(".")[2].encode() not in written


def told(result: Any) -> str:
    return str(result.structured_content["guidance"])


async def test_who_is_refused_has_been_heard_out_but_not_for_ever() -> None:
    told: list[str] = []

    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})

    async def send(message: Any) -> None:
        told.append(message["type"])

    async def said_in(*parts: Any) -> list[str]:
        told.clear()
        left = list(parts)

        async def receive() -> Any:
            if not left:
                await anyio.sleep_forever()
            told.append("read")
            return left.pop(0)

        with anyio.fail_after(120):
            await Challenges(refuses, unread_seconds=0.05)({"type": "http", "method": "POST"}, receive, send)
        return list(told)

    more = {"type": "http.request", "body": b"x" * 40_000, "more_body": True}
    end = {"type": "http.request", "body": b"", "more_body": False}
    assert await said_in(more, end, end) == ["read", "read", "http.response.start"]
    assert await said_in(more) == ["read", "http.response.start"]
    assert await said_in(more, more, more, end) == ["read", "read", "http.response.start"]
    assert await said_in({"type": "http.disconnect"}, end) == ["read", "http.response.start"]
