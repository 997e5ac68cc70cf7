"""The token of the local user: how a server on this machine makes it, who is let in by it, and as whom."""

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from handoffs.access.local import LOCAL, LocalToken, LocalTokenError, LocalUser
from handoffs.os_user import current_user
from tests.acceptance.processes import ERAS, Home, HttpServer, ask, says
from tests.acceptance.proxy import Caller
from tests.acceptance.test_server import until_open
from tests.waiting import until

PARAMS = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test-host", "version": "1"}}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": PARAMS}
ACCEPT = {"accept": "application/json, text/event-stream"}
both_eras = pytest.mark.parametrize("era", ERAS)


def shown(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def said_by(server: HttpServer) -> str:
    assert server.process.stderr is not None
    server.process.terminate()
    with anyio.fail_after(60):
        await server.process.wait()
        return server.heard + b"".join([piece async for piece in server.process.stderr]).decode()


async def test_the_first_start_makes_a_token_and_prints_a_configuration_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.http() as server:
        first = await said_by(server)
    token = home.local_token.read_text()
    assert token.startswith(LOCAL)
    assert len(token) > 50
    [line] = [line for line in first.splitlines() if line.startswith("{")]
    assert json.loads(line) == {
        "mcpServers": {"handoffs": {"type": "http", "url": server.url, "headers": {"Authorization": f"Bearer {token}"}}}
    }
    assert f"handoffs install HOST --http {server.url}" in first
    if sys.platform != "win32":
        assert stat.S_IMODE(home.local_token.stat().st_mode) == 0o600
    async with home.http() as server:
        again = await said_by(server)
    assert home.local_token.read_text() == token
    assert "handoffs token local" in again
    assert token not in again
    assert token not in "".join(path.read_bytes().decode("latin-1") for path in tmp_path.glob("handoffs.db*"))
    assert home.run("token", "local").stdout == f"{token}\n"


@pytest.mark.parametrize("wrong", [None, "nonsense", LOCAL + "A" * 43, "ho_" + "A" * 43, "eyJhbGciOiJub25lIn0.e30."])
async def test_a_caller_without_a_good_token_learns_how_to_get_one_in_words(wrong: str | None, tmp_path: Path) -> None:
    async with Home(tmp_path).http() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        got = await http.post(server.url, json=INITIALIZE, headers={} if wrong is None else shown(wrong))
        assert got.status_code == 401
        assert "`handoffs install HOST`" in got.json()["error_description"]
        assert got.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert str(server.token) not in got.text
        base = server.url.removesuffix("/mcp")
        for path in ("oauth-protected-resource", "oauth-protected-resource/mcp", "oauth-authorization-server"):
            assert (await http.get(f"{base}/.well-known/{path}")).status_code == 404
        assert (await http.get(server.url)).status_code == 401
        assert (await http.get(f"{base}/readyz")).status_code in {200, 503}


@both_eras
async def test_the_local_user_is_the_same_as_on_stdio_for_questions_and_secrets(era: str, tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    async with home.stdio(era) as client:
        before = await ask(client, "Deploy?")
    async with home.http() as server, server.client(era) as client:
        checked = await client.call_tool("check_handoff", {"handoff_id": before["handoffId"]})
        assert checked.structured_content is not None
        assert checked.structured_content["status"] == "PENDING"
        form = {"type": "object", "properties": {"it": {"type": "string", "format": "password"}}}
        secret = await ask(client, "Which password?", form=form)
    assert secret["status"] == "PENDING"
    listed = json.loads(home.run("list", "--json").stdout)
    assert {each["caller"]["subject"] for each in listed} == {current_user()}
    assert "for token:" not in home.run("show", secret["handoffId"]).stdout


@both_eras
async def test_a_dialog_answers_for_its_own_caller_only(era: str, tmp_path: Path) -> None:
    """Whoever else is let in can't have a question of the local user shown to themselves, and can't learn of it."""
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "60"})
    other = home.run("token", "add", "ci").stdout.strip()
    got: list[dict[str, Any]] = []
    async with home.http() as server, server.client(era) as mine, anyio.create_task_group() as tasks:

        async def wait() -> None:
            got.append(await ask(mine, "Drop the database?"))

        tasks.start_soon(wait)
        handoff_id = await until_open(home)
        dialog = says(after=1.2, response="yes")
        async with server.client(era, dialog, token=other) as theirs:
            refused = await theirs.call_tool("check_handoff", {"handoff_id": handoff_id})
            assert refused.is_error
            assert handoff_id not in repr(await theirs.read_resource("handoff://open"))
            same = await ask(theirs, "Drop the database?")
            assert (same["status"], same["handoffId"] == handoff_id) == ("SUCCESS", False)
        assert got == []
        # As the same caller, another session may: by the id, or with the identical call.
        async with server.client(era, dialog) as again:
            joined = await ask(again, "Drop the database?")
            assert (joined["status"], joined["handoffId"]) == ("SUCCESS", handoff_id)
    assert got[0]["values"] == {"response": "yes"}


async def test_the_state_between_two_dialog_rounds_is_good_for_its_caller_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    other = home.run("token", "add", "ci").stdout.strip()
    async with home.http() as server, httpx2.AsyncClient(timeout=120) as http:
        http.headers.update(server.bearer)
        caller = Caller(http, dialog=True)  # type: ignore[arg-type]
        first = (await caller.call(server.url, "handoff_to_user", {"message": "Deploy?"}))["result"]
        [key] = first["inputRequests"]
        filled = {key: {"action": "accept", "content": {"response": "yes"}}}
        again = {"inputResponses": filled, "requestState": first["requestState"]}
        await anyio.sleep(1.2)  # as one reads
        http.headers.update(shown(other))
        stolen = await caller.call(server.url, "handoff_to_user", {"message": "Deploy?"}, **again)
        assert "error" in stolen
        http.headers.update(server.bearer)
        own = (await caller.call(server.url, "handoff_to_user", {"message": "Deploy?"}, **again))["result"]
    assert own["structuredContent"]["values"] == {"response": "yes"}


async def test_a_token_added_later_lets_its_caller_in_at_once_and_locks_none_out(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.http() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        done = await home.command("token", "add", "ci")
        added = done.stdout.decode().strip()
        for token in (added, str(server.token)):
            assert (await http.post(server.url, json=INITIALIZE, headers=shown(token))).status_code == 200
        assert (await http.post(server.url, json=INITIALIZE)).status_code == 401


async def test_a_new_token_takes_the_place_of_the_one_before_also_for_what_waits(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "60"})
    async with home.http() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        ended: list[str] = []

        async def wait() -> None:
            async with server.client("auto") as client:
                try:
                    await ask(client, "Deploy?")
                except Exception as error:  # noqa: BLE001 - whatever the client makes of it
                    ended.append(str(error))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await until(lambda: home.command("list", "--json"), lambda found: json.loads(found.stdout))
            fresh = (await home.command("token", "local", "--renew")).stdout.decode().strip()
            assert fresh not in {"", server.token}
            old = await http.post(server.url, json=INITIALIZE, headers=server.bearer)
            new = await http.post(server.url, json=INITIALIZE, headers=shown(fresh))
            assert (old.status_code, new.status_code) == (401, 200)
        assert ended
    assert json.loads(home.run("list", "--json").stdout)[0]["state"] == "open"


async def test_the_local_users_token_is_good_while_the_store_is_away(tmp_path: Path) -> None:
    store = tmp_path / "folder"
    store.mkdir()
    async with Home(tmp_path, {"HANDOFFS_STORE": str(store)}).http() as server:
        async with server.client() as client:
            assert (await ask(client))["status"] == "ERROR"  # and says why
        async with httpx2.AsyncClient(headers=ACCEPT) as http:
            unknown = await http.post(server.url, json=INITIALIZE, headers=shown("ho_" + "A" * 43))
            assert unknown.status_code == 503


async def test_off_is_said_at_every_start_and_admits_everybody_as_the_local_user(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_TOKENS": "off", "HANDOFFS_HOLD_SECONDS": "0"})
    for _ in range(2):
        async with home.http() as server:
            async with server.client() as client:
                assert (await ask(client))["status"] == "PENDING"
            said = await said_by(server)
        assert "HANDOFFS_TOKENS is off" in said
        assert current_user() in said
    assert not home.local_token.exists()


@pytest.mark.parametrize(
    "extra", [{"HANDOFFS_TOKENS": "on"}, {"HANDOFFS_OAUTH_ISSUER": "https://id.example"}], ids=["on", "an issuer"]
)
async def test_with_other_callers_the_local_users_token_is_not_made_and_not_good(
    extra: dict[str, str], tmp_path: Path
) -> None:
    home = Home(tmp_path, extra)
    token = home.run("token", "local").stdout.strip()
    async with home.http() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        assert (await http.post(server.url, json=INITIALIZE, headers=shown(token))).status_code == 401
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    async with Home(fresh, extra).http():
        assert not Home(fresh).local_token.exists()


async def test_under_a_public_address_the_local_users_token_is_not_good(tmp_path: Path) -> None:
    """Behind a proxy everybody comes from this machine."""
    home = Home(tmp_path, {"HANDOFFS_URL": "https://handoffs.example.com"})
    token = home.run("token", "local").stdout.strip()
    added = home.run("token", "add", "ci").stdout.strip()
    async with home.http() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        assert (await http.post(server.url, json=INITIALIZE, headers=shown(token))).status_code == 401
        assert (await http.post(server.url, json=INITIALIZE, headers=shown(added))).status_code == 200


# The file


def test_a_data_folder_that_cant_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    done = Home(tmp_path).run("serve", "--http", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    [line] = done.stderr.splitlines()
    assert re.search(r"local-token can't be used \(.+\)\..*HANDOFFS_TOKENS=on", line)
    assert Home(tmp_path).run("token", "local").returncode == 2


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_write_protected_data_folder_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    done = Home(tmp_path).run("serve", "--http", "127.0.0.1:0")
    assert (done.returncode, "Permission denied" in done.stderr) == (2, True)


@pytest.mark.parametrize("content", ["", "x", "ho_local_short", "ho_local_" + "A" * 43 + "\nmore"])
async def test_a_file_that_holds_no_token_lets_nobody_in_and_is_not_overwritten(content: str, tmp_path: Path) -> None:
    (tmp_path / "local-token").write_text(content)
    token = LocalToken(tmp_path)
    with pytest.raises(LocalTokenError, match="holds no token"):
        token.ensure()
    assert token.path.read_text() == content
    user = LocalUser(token, subject="ada")
    for shown in (content, content.strip(), ""):
        assert await user.verify_token(shown) is None


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
async def test_others_may_not_read_it_any_more(tmp_path: Path) -> None:
    token = LocalToken(tmp_path)
    made, is_new = token.ensure()
    assert is_new
    token.path.chmod(0o644)
    assert token.ensure() == (made, False)
    assert stat.S_IMODE(token.path.stat().st_mode) == 0o600


async def test_several_servers_that_start_at_once_make_one_token(tmp_path: Path) -> None:
    got: set[str] = set()

    async def make() -> None:
        got.add((await anyio.to_thread.run_sync(LocalToken(tmp_path).ensure))[0])

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(make)
    assert len(got) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["local-token"]
