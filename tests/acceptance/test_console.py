"""A person at the server's own terminal: the console of `serve --http`, or the device lent to a stdio server."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pexpect
from pexpect import fdpexpect

from tests.acceptance.processes import HANDOFFS, Home, HttpServer, ask

READY = "Ctrl-D not now"
"""The end of the prompt's key help: from here on it takes keys."""


def expects(child: Any, pattern: str | type[pexpect.EOF]) -> Any:
    """A step for a thread: wait for what the terminal shows."""
    return anyio.to_thread.run_sync(lambda: child.expect(pattern, timeout=20))


async def test_a_person_answers_in_the_servers_console_unless_another_was_faster(tmp_path: Path) -> None:
    home = Home(tmp_path)
    child = pexpect.spawn(
        HANDOFFS[0],
        [*HANDOFFS[1:], "serve", "--http", "127.0.0.1:0"],
        env={**home.env, "TERM": "xterm"},
        cwd=str(tmp_path),
        encoding="utf-8",
        dimensions=(24, 100),
    )
    try:
        await expects(child, r"(http://\S+/mcp)")
        assert isinstance(child.match, re.Match)
        url = child.match[1]
        server = HttpServer(process=None, url=url, token=home.local_token.read_text())  # type: ignore[arg-type]
        async with server.client("legacy") as client:
            got: list[dict[str, Any]] = []

            async def call(message: str) -> None:
                got.append(await ask(client, message, options=["Deploy", "Wait"]))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call, "Ship version 2?")
                await expects(child, "Ship version 2?")
                await expects(child, READY)
                child.send("2\r")
            assert (got[0]["values"], got[0]["channel"]) == ({"response": "Wait"}, "terminal")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call, "Ship version 3?")
                await expects(child, "Ship version 3?")
                await expects(child, READY)
                [waiting] = json.loads((await home.command("list", "--json")).stdout)
                assert (await home.command("answer", waiting["id"], "Deploy")).returncode == 0
            assert (got[1]["values"], got[1]["channel"]) == ({"response": "Deploy"}, "command line")
        child.sendintr()
        await expects(child, pexpect.EOF)
        # The prompt took itself away: the screen was cleared from its first line on, and echo is as it was.
        assert re.search(r"\x1b\[(0?J|K)", child.before or "")
    finally:
        child.close(force=True)
    assert child.exitstatus == 130


def test_a_stdio_server_asks_on_the_terminal_only_where_it_was_lent(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_TERMINAL": "on", "TERM": "xterm"})
    into_read, into_write = os.pipe()
    out_read, out_write = os.pipe()
    child, master = pty.fork()
    if child == 0:
        # The host's pipes for standard input and output; the terminal is only what controls the process.
        os.dup2(into_read, 0)
        os.dup2(out_write, 1)
        os.execve(HANDOFFS[0], [*HANDOFFS, "serve"], home.env)
    os.close(into_read)
    os.close(out_write)
    screen = fdpexpect.fdspawn(master, encoding="utf-8", timeout=20)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    call = {"name": "handoff_to_user", "arguments": {"message": "May I?"}}
    messages: list[dict[str, Any]] = [
        {"id": 0, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 1, "method": "tools/call", "params": call},
    ]
    with os.fdopen(into_write, "wb") as to_server, os.fdopen(out_read, "rb") as from_server:
        for message in messages:
            to_server.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            to_server.flush()
        screen.expect("May I")
        screen.expect(READY)
        screen.send("by all means\r")
        replies = [json.loads(from_server.readline()) for _ in range(2)]
    os.waitpid(child, 0)
    os.close(master)
    assert replies[1]["result"]["structuredContent"]["values"] == {"response": "by all means"}
    assert replies[1]["result"]["structuredContent"]["channel"] == "terminal"


def test_a_stdio_server_that_was_lent_a_terminal_it_has_not_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_TERMINAL": "on"})
    done = subprocess.run(
        [*HANDOFFS, "serve"],
        input="",
        capture_output=True,
        text=True,
        env=home.env,
        start_new_session=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "HANDOFFS_TERMINAL" in done.stderr
    assert "Traceback" not in done.stderr
