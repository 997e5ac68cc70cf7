"""When an outcome counts as handed to the agent: real servers that are killed in the moments about its writing."""

import json
import sqlite3
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from tests.acceptance import processes
from tests.acceptance.processes import ERAS, HANDOFFS, Home, HttpServer, says
from tests.acceptance.test_pipe import outcome, piped
from tests.waiting import until

TOOL_USE = "claudecode/toolUseId"
ROOT = Path(__file__).parents[2]

FATAL = """
import os, signal, socket, sys
MARK, WHEN = {mark!r}, {when!r}

def about(data):
    return MARK in bytes(data)

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def through(real):
    def write(*args):
        found = about(args[-1])
        if found and WHEN == "before":
            kill()
        done = real(*args)
        if found and WHEN == "after":
            kill()
        return done
    return write

os.write = through(os.write)
import asyncio.selector_events as events
events._SelectorSocketTransport.write = through(events._SelectorSocketTransport.write)
from handoffs.__main__ import main
sys.argv = ["handoffs", *sys.argv[1:]]
main()
"""
"""A server that kills itself before or after it writes what holds a mark."""


def fatal(when: str, mark: bytes = b'"status":"SUCCESS"') -> list[str]:
    return [HANDOFFS[0], "-c", FATAL.format(mark=mark, when=when)]


@asynccontextmanager
async def serving(home: Home, transport: str, era: str, dialog: Any = None) -> AsyncGenerator[Client]:
    if transport == "stdio":
        async with home.stdio(era, dialog) as client:
            yield client
    else:
        async with home.http() as server, server.client(era, dialog) as client:
            yield client


async def ask(client: Client, tool_use: str | None = None, /, **arguments: Any) -> dict[str, Any]:
    meta = {} if tool_use is None else {"meta": {TOOL_USE: tool_use}}
    arguments = {"message": "Deploy?", **arguments}
    result = await client.call_tool("handoff_to_user", arguments, **meta)  # type: ignore[arg-type]
    assert result.structured_content is not None
    return result.structured_content


def kept(home: Home) -> list[dict[str, Any]]:
    return json.loads(home.run("list", "--all", "--json").stdout)


def collected(home: Home) -> list[str]:
    db = sqlite3.connect(home.store)
    try:
        rows = db.execute("SELECT handoff_id FROM events WHERE name = 'collected' ORDER BY number").fetchall()
    finally:
        db.close()
    return [each for (each,) in rows]


both_eras = pytest.mark.parametrize("era", ERAS)
both_transports = pytest.mark.parametrize("transport", ["stdio", "http"])


@both_eras
@both_transports
@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_answer_that_a_killed_server_did_not_hand_over_is_given_again(
    transport: str, era: str, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After: it was written, and nobody could have recorded that yet."""
    home = Home(tmp_path)
    got: dict[str, Any] = {}
    with monkeypatch.context() as patch, suppress(Exception):  # what its client makes of that is its own affair
        patch.setattr(processes, "HANDOFFS", fatal(when))
        async with serving(home, transport, era, says(response="yes", after=1.2)) as client:
            got = await ask(client)
    assert when == "after" or not got
    [asked] = kept(home)
    assert (asked["state"], collected(home)) == ("answered", [])
    async with serving(home, transport, era) as client:
        got = await ask(client)
        await until(lambda: collected(home) == [asked["id"]])
    assert (got["handoffId"], got["values"]) == (asked["id"], {"response": "yes"})
    assert "ago" in got["guidance"]


@both_eras
@both_transports
async def test_a_delivered_question_is_asked_anew_and_names_the_earlier_answer(
    transport: str, era: str, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    async with serving(home, transport, era, says(response="yes", after=1.2)) as client:
        # At once: nothing else has to happen for an outcome to be recorded.
        first, second = await ask(client, "toolu_1"), await ask(client, "toolu_2")
        assert first["handoffId"] != second["handoffId"]
        again = await ask(client, "toolu_1")
        assert (again["handoffId"], again["values"]) == (first["handoffId"], {"response": "yes"})
        await until(lambda: collected(home) == [first["handoffId"], second["handoffId"]])
    earlier = {each["id"]: each["earlier"] for each in kept(home)}
    assert earlier == {first["handoffId"]: None, second["handoffId"]: first["handoffId"]}


def test_an_answer_unread_in_the_pipe_counts_and_the_next_question_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with piped(home) as pipe:
        pipe.initialize()
        pipe.call()
        shown = pipe.read()
        [asked] = kept(home)
        assert home.run("answer", asked["id"], "yes").returncode == 0
        until = time.monotonic() + 30
        while not collected(home):
            assert time.monotonic() < until
        pipe.process.kill()  # and its client is gone as well
    assert shown["method"] == "elicitation/create"
    home.extra["HANDOFFS_HOLD_SECONDS"] = "0"
    with piped(home) as pipe:
        pipe.initialize()
        got = outcome(pipe.answer_to(pipe.call()))
    assert got["status"] == "PENDING"
    assert {each["id"]: each["earlier"] for each in kept(home)}[got["handoffId"]] == asked["id"]


SLOW = """
import sys, anyio
from handoffs.core.desk import Desk
real = Desk.collect
async def collect(*args, **more):
    await anyio.sleep(1)
    return await real(*args, **more)
Desk.collect = collect
from handoffs.__main__ import main
sys.argv = ["handoffs", *sys.argv[1:]]
main()
"""
"""A server that takes a while to record what was written."""


@both_transports
async def test_what_was_written_is_recorded_before_the_process_ends(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    monkeypatch.setattr(processes, "HANDOFFS", [HANDOFFS[0], "-c", SLOW])
    if transport == "stdio":
        async with home.stdio("legacy", says(response="yes", after=1.2)) as client:
            got = await ask(client)
    else:
        async with home.http() as server:
            async with server.client("legacy", says(response="yes", after=1.2)) as client:
                got = await ask(client)
            server.process.terminate()
            await server.process.wait()
    assert collected(home) == [got["handoffId"]]


HELD_BACK = SLOW.replace("await anyio.sleep(1)", "await until_there(os.environ['GO'])").replace(
    "real =",
    """import os
async def until_there(path):
    while not os.path.exists(path):
        await anyio.sleep(0.02)
real =""",
)
"""A server that records what was written once there is a file."""


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_only_the_same_question_waits_for_the_record(
    era: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.extra["GO"] = str(tmp_path / "go")
    monkeypatch.setattr(processes, "HANDOFFS", [HANDOFFS[0], "-c", HELD_BACK])
    async with home.stdio(era, says(response="yes", after=1.2)) as client:
        first, other = await ask(client, message="First?"), await ask(client, message="Another?")
        assert collected(home) == []
        async with anyio.create_task_group() as tasks:

            async def again() -> None:
                third = await ask(client, message="First?")
                assert third["handoffId"] not in (first["handoffId"], other["handoffId"])

            tasks.start_soon(again)
            await ask(client, message="A third?")  # it was sent later, and is answered first
            assert collected(home) == []
            Path(home.extra["GO"]).touch()
    assert {first["handoffId"], other["handoffId"]} <= set(collected(home))


def test_a_client_that_has_cancelled_or_left_was_handed_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with piped(home) as pipe:
        pipe.initialize()
        number = pipe.call()
        shown = pipe.read()
        pipe.send("notifications/cancelled", {"requestId": number}, notify=True)
        pipe.write({"jsonrpc": "2.0", "id": shown["id"], "result": {"action": "accept", "content": {"response": "y"}}})
        pipe.answer_to(pipe.send("ping"))
        [asked] = kept(home)
        assert home.run("answer", asked["id"], "yes").returncode == 0
        assert collected(home) == []
        # The same number again: what it brings is its own.
        pipe.write({"jsonrpc": "2.0", "id": number, "method": "tools/list"})
        assert pipe.answer_to(number)["result"]["tools"]
    assert collected(home) == []
    with piped(home) as pipe:
        pipe.initialize()
        assert outcome(pipe.answer_to(pipe.call()))["handoffId"] == asked["id"]


async def test_over_http_a_client_that_hung_up_was_handed_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.http() as server:
        caller = (
            "import sys, anyio; from tests.acceptance.processes import HttpServer, ask\n"
            "async def main():\n"
            "    async with HttpServer(None, *sys.argv[1:]).client('legacy') as client:\n"
            "        await ask(client)\n"
            "anyio.run(main)"
        )
        assert server.token is not None
        agent = subprocess.Popen([HANDOFFS[0], "-c", caller, server.url, server.token], cwd=ROOT)
        try:
            await until(lambda: home.store.exists() and kept(home))
        finally:
            agent.kill()
            agent.wait()
        [asked] = kept(home)
        assert home.run("answer", asked["id"], "yes").returncode == 0
        async with server.client("legacy") as client:
            got = await ask(client)
            assert (got["handoffId"], got["values"]) == (asked["id"], {"response": "yes"})
            assert await _pending(server, client)


async def _pending(server: HttpServer, client: Client) -> bool:
    """Say whether the same, asked anew, waits for a person."""
    with anyio.move_on_after(1.5) as waits:
        await ask(client)
    return waits.cancelled_caught
