"""The server as a process: what hosts, people and accidents do to it."""

import json
import os
import signal
import stat
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.types import ElicitResult

from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import ERAS, HANDOFFS, Home, ask, says
from tests.waiting import until

both_eras = pytest.mark.parametrize("era", ERAS)


async def until_open(home: Home) -> str:
    """The id of the one open handoff, once there is one."""
    with anyio.fail_after(120):
        async with SqliteStore(home.store) as store:
            found = await until(lambda: store.newest(open_only=True))
    return found[0].id


@both_eras
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_an_agent_asks_a_person_answers_the_agent_goes_on(transport: str, era: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with AsyncExitStack() as stack:
        if transport == "stdio":
            client = await stack.enter_async_context(home.stdio(era, says(response="b")))
        else:
            server = await stack.enter_async_context(home.http())
            client = await stack.enter_async_context(server.client(era, says(response="b")))
        got = await ask(client, "Which one?", options=["a", "b"])
    assert (got["status"], got["values"], got["channel"]) == ("SUCCESS", {"response": "b"}, "script")
    [kept] = json.loads(home.run("list", "--all", "--json").stdout)
    assert (kept["state"], kept["answer"]["values"], kept["caller"]["client"]) == (
        "answered",
        {"response": "b"},
        "test-host",
    )
    assert kept["caller"]["project"] == (str(tmp_path) if transport == "stdio" else "")


@both_eras
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_another_process_answers_while_the_call_waits(transport: str, era: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with AsyncExitStack() as stack:
        if transport == "stdio":
            client = await stack.enter_async_context(home.stdio(era))
        else:
            server = await stack.enter_async_context(home.http())
            client = await stack.enter_async_context(server.client(era))
        got: list[dict[str, Any]] = []
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                got.append(await ask(client))

            tasks.start_soon(call)
            handoff_id = await until_open(home)
            done = await home.command("answer", handoff_id, "go")
            assert done.returncode == 0, done.stderr
    assert (got[0]["status"], got[0]["values"], got[0]["channel"]) == ("SUCCESS", {"response": "go"}, "command line")


@both_eras
async def test_a_question_outlives_a_killed_server_and_its_answer_is_collected(era: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    process = subprocess.Popen(
        [*HANDOFFS, "serve", "--http", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=home.env,
    )
    assert process.stderr is not None
    url = process.stderr.readline().split()[4]
    caller = (
        "import sys, anyio, httpx2; from mcp import Client; from mcp.types import Implementation\n"
        "from mcp.client.streamable_http import streamable_http_client as over\n"
        "async def main():\n"
        "    info = Implementation(name='test-host', version='1')\n"
        "    async with httpx2.AsyncClient(headers={'authorization': f'Bearer {sys.argv[3]}'}, timeout=60) as http:\n"
        "        async with Client(over(sys.argv[1], http_client=http), mode=sys.argv[2], client_info=info) as c:\n"
        "            await c.call_tool('handoff_to_user', {'message': 'Deploy?'})\n"
        "anyio.run(main)"
    )
    token = home.local_token.read_text()
    agent = subprocess.Popen([HANDOFFS[0], "-c", caller, url, era, token], stderr=subprocess.DEVNULL)
    try:
        handoff_id = await until_open(home)
    finally:
        process.kill()
        process.wait()
        agent.kill()
        agent.wait()
    assert home.run("answer", handoff_id, "go").returncode == 0
    async with home.http() as server, server.client(era) as client:
        got = await ask(client)
    assert (got["status"], got["values"], got["handoffId"]) == ("SUCCESS", {"response": "go"}, handoff_id)
    assert "ago" in got["guidance"]
    assert len(json.loads(home.run("list", "--all", "--json").stdout)) == 1


async def test_of_two_racing_answers_one_wins_and_the_other_learns_who_was_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.stdio() as client, anyio.create_task_group() as tasks:
        got: list[dict[str, Any]] = []

        async def call() -> None:
            got.append(await ask(client))

        tasks.start_soon(call)
        handoff_id = await until_open(home)
        done: dict[str, subprocess.CompletedProcess[bytes]] = {}

        async def answer(value: str) -> None:
            done[value] = await home.command("answer", handoff_id, value)

        async with anyio.create_task_group() as racers:
            for value in "abcd":
                racers.start_soon(answer, value)
    won = [value for value, run in done.items() if run.returncode == 0]
    assert len(won) == 1
    assert got[0]["values"] == {"response": won[0]}
    for value, run in done.items():
        if value not in won:
            assert run.returncode == 1
            assert b"already answered by" in run.stderr


async def test_a_client_that_vanished_over_http_gets_the_answer_by_asking_again(tmp_path: Path) -> None:
    """In the older era the call goes on without its client: what it hears must not count as collected."""
    home = Home(tmp_path)
    async with home.http() as server:
        async with server.client("legacy") as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "handoff_to_user", {"message": "Deploy?"})
            handoff_id = await until_open(home)
            # Not cancelled politely: the connection is simply gone.
            headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
            async with httpx.AsyncClient(headers=headers | server.bearer) as gone:
                hello = {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": {"name": "test-host", "version": "1"},
                }
                begun = await gone.post(
                    server.url, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
                )
                gone.headers["mcp-session-id"] = begun.headers["mcp-session-id"]
                await gone.post(server.url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
                params = {"name": "handoff_to_user", "arguments": {"message": "Second?"}}
                asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
                with pytest.raises(httpx.ReadTimeout):
                    await gone.post(server.url, json=asked, timeout=1)
            listed = json.loads((await home.command("list", "--json")).stdout)
            second = next(each["id"] for each in listed if each["message"] == "Second?")
            assert (await home.command("answer", second, "late")).returncode == 0
            assert (await home.command("answer", handoff_id, "go")).returncode == 0
        async with server.client("legacy") as client:
            got = await ask(client, "Second?")
    assert (got["status"], got["values"], got["handoffId"]) == ("SUCCESS", {"response": "late"}, second)


async def test_a_dialog_of_the_newer_era_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with AsyncExitStack() as servers:
        first = await servers.enter_async_context(home.http())

        async def person(context: object, params: object) -> ElicitResult:
            first.process.kill()
            await first.process.wait()
            await servers.enter_async_context(home.http(first.url.removeprefix("http://").removesuffix("/mcp")))
            return ElicitResult(action="accept", content={"response": "yes"}, _meta={"handoffs/script": True})

        async with first.client("auto", person) as client:
            got = await ask(client)
    assert (got["status"], got["values"]) == ("SUCCESS", {"response": "yes"})
    key = tmp_path / "data" / "handoffs" / "keys"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("header", "value"),
    [("host", "evil.example:80"), ("origin", "http://evil.example"), ("origin", "http://127.0.0.1:1")],
)
async def test_a_page_of_another_site_cant_reach_the_server(header: str, value: str, tmp_path: Path) -> None:
    async with Home(tmp_path).http() as server, httpx.AsyncClient(headers=server.bearer) as browser:
        for version in ("2025-11-25", "2026-07-28"):
            headers = {header: value, "mcp-protocol-version": version, "accept": "application/json, text/event-stream"}
            got = await browser.post(server.url, headers=headers, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            assert got.status_code in {403, 421}


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "192.168.1.5:80", "example.org:80", "127.0.0.1", "127.0.0.1:99999", ":x"]
)
def test_an_address_that_others_can_reach_or_that_is_none_is_refused(address: str, tmp_path: Path) -> None:
    done = Home(tmp_path).run("serve", "--http", address)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


async def test_150_questions_of_one_session_hang_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    release = anyio.Event()
    shown = 0

    async def person(context: object, params: object) -> ElicitResult:
        nonlocal shown
        shown += 1
        await release.wait()
        return ElicitResult(action="accept", content={"response": "yes"}, _meta={"handoffs/script": True})

    statuses: list[str] = []
    async with home.http() as server, server.client("legacy", person, name="claude-code") as client:
        async with anyio.create_task_group() as tasks:

            async def call(number: int) -> None:
                statuses.append((await ask(client, f"Question {number}?"))["status"])

            for number in range(150):
                tasks.start_soon(call, number)
            await until(lambda: len(statuses) + shown >= 150)
            release.set()
    assert sorted(set(statuses)) == ["PENDING", "SUCCESS"]
    assert statuses.count("SUCCESS") == 90


def _speak(
    home: Home, *messages: dict[str, Any], args: tuple[str, ...] = ("serve",), pause: float = 0
) -> subprocess.CompletedProcess[str]:
    lines = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    return home.run(*args, stdin=lines)


HELLO = {
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}


@pytest.mark.parametrize("args", [("serve",), ()])
def test_a_pipe_is_served_and_carries_nothing_but_the_protocol(args: tuple[str, ...], tmp_path: Path) -> None:
    done = _speak(Home(tmp_path), HELLO, {"id": 1, "method": "tools/list"}, {"id": 2, "method": "nonsense"}, args=args)
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert {reply["id"] for reply in replies} >= {0}
    assert all(reply["jsonrpc"] == "2.0" for reply in replies)
    assert replies[0]["result"]["serverInfo"]["name"] == "handoffs"
    assert "DECLINED" in replies[0]["result"]["instructions"]
    assert done.returncode == 0


async def test_what_people_write_is_in_no_log_of_the_server(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    secret = "correct horse battery staple"
    async with home.stdio("legacy", says(response=secret)) as client:
        await ask(client)
    async with home.stdio("legacy", says(response=7)) as client:
        await ask(client, "Misfit?")
    assert secret not in (tmp_path / "stderr.txt").read_text()
    assert secret not in home.run("log", "--json").stdout


async def test_a_store_that_cant_be_used_is_said_and_the_server_lives_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    home = Home(tmp_path, {"HANDOFFS_STORE": str(tmp_path / "file" / "handoffs.db")})
    async with home.stdio() as client:
        for _ in range(2):
            result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
            assert result.is_error
            assert result.structured_content is not None
            assert result.structured_content["status"] == "ERROR"
            assert "handoffs.db" in result.structured_content["guidance"]
    assert "Traceback" not in (tmp_path / "stderr.txt").read_text()


def test_a_wrong_setting_stops_the_start_with_its_name_and_what_is_allowed(tmp_path: Path) -> None:
    done = _speak(Home(tmp_path, {"HANDOFFS_TERMINAL": "maybe"}), HELLO)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "HANDOFFS_TERMINAL" in done.stderr
    assert "auto" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_probe_that_is_ended_by_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    """One client starts every stdio server twice: a probe, which it ends at once, and the real one."""
    home = Home(tmp_path)
    process = subprocess.Popen(
        [*HANDOFFS, "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=home.env,
        cwd=tmp_path,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **HELLO}).encode() + b"\n")
    process.stdin.flush()
    assert b"serverInfo" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode in {0, -signal.SIGTERM}
    assert stderr == b""
    assert not (tmp_path / "handoffs.db").exists()


async def test_on_stdio_the_terminal_is_left_to_the_host(tmp_path: Path) -> None:
    """The server has a controlling terminal, as under a host's screen, and writes nothing to it."""
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "1"})
    wrapper = (
        "import os, pty, sys, subprocess\n"
        "pid, fd = pty.fork()\n"
        "if pid == 0:\n"
        "    os.dup2(3, 0); os.dup2(4, 1)\n"
        f"    os.execv({HANDOFFS[0]!r}, {[*HANDOFFS, 'serve']!r})\n"
        "os.close(3); os.close(4)\n"
        "seen = b''\n"
        "try:\n"
        "    while chunk := os.read(fd, 1024): seen += chunk\n"
        "except OSError: pass\n"
        "sys.stdout.buffer.write(seen)\n"
    )
    into_read, into_write = os.pipe()
    out_read, out_write = os.pipe()

    def lend() -> None:
        os.dup2(into_read, 3)
        os.dup2(out_write, 4)

    watcher = subprocess.Popen(
        [HANDOFFS[0], "-c", wrapper],
        stdout=subprocess.PIPE,
        pass_fds=(3, 4),
        preexec_fn=lend,
        env=home.env,
        cwd=tmp_path,
    )
    os.close(into_read)
    os.close(out_write)
    call = {"id": 1, "method": "tools/call", "params": {"name": "handoff_to_user", "arguments": {"message": "Deploy?"}}}
    with os.fdopen(into_write, "wb") as to_server, os.fdopen(out_read, "rb") as from_server:
        for message in (HELLO, {"method": "notifications/initialized"}, call):
            to_server.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            to_server.flush()
        assert json.loads(from_server.readline())["id"] == 0
        assert json.loads(from_server.readline())["result"]["structuredContent"]["status"] == "PENDING"
    seen, _ = watcher.communicate(timeout=120)
    assert seen == b""
