"""The wire on standard input and output: real processes, with pipes, sockets, files and no standard error."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedRWPair
from pathlib import Path
from typing import IO, Any, cast

import pytest

SERVER = """
import subprocess, sys
from mcp.server.mcpserver import MCPServer
from handoffs.mcp_server.sdk.stdio import StdioServer
server = StdioServer("wire")
@server.tool()
def stray(size: int) -> str:
    print("printed by a library")
    child = subprocess.run(["cat"], stdout=subprocess.PIPE, timeout=60)
    subprocess.run(["echo", "printed by a child"])
    return child.stdout.decode() + "x" * size
server.run()
"""
HELLO = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip


def line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def call(number: int, *, size: int = 0) -> bytes:
    params = {"name": "stray", "arguments": {"size": size}}
    return line({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})


def read(wire: IO[bytes] | BufferedRWPair) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(wire.readline()))


@contextmanager
def serving(
    tmp_path: Path,
    *,
    stdin: int | IO[bytes] = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    merged: bool = False,
) -> Generator[subprocess.Popen[bytes]]:
    """Run the server; what it logs is in `log`. It is killed after a minute: then what a test reads is empty."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER], cwd=tmp_path, stdin=stdin, stdout=stdout,
            stderr=subprocess.STDOUT if merged else log,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )  # fmt: skip
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    try:
        yield process
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
        for wire in (process.stdin, process.stdout):
            if wire is not None:
                wire.close()


def test_messages_arrive_whole_however_they_are_cut_and_unmixed(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # A byte that is no UTF-8, and a message in three pieces, the last of which begins the next message.
        hello = line(HELLO).replace(b'"test"', b'"te\xffst"')
        for piece in (hello[:10], hello[10:60], hello[60:] + b'{"jsonrpc": "2.0", "method": "notif'):
            process.stdin.write(piece)
            process.stdin.flush()
        assert read(process.stdout)["result"]["serverInfo"]["name"] == "wire"
        process.stdin.write(b'ications/initialized"}\n' + b"no json\n" + call(1))
        process.stdin.flush()
        # A child that reads standard input finds it empty, and does not take what the client sent after.
        process.stdin.write(call(2, size=300_000))
        process.stdin.flush()
        answers = [read(process.stdout) for _ in range(2)]
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stdout.read() == b""
    texts = {each["id"]: each["result"]["content"][0]["text"] for each in answers}
    assert texts == {1: "", 2: "x" * 300_000}
    log = (tmp_path / "log").read_text()
    assert log.count("printed by a library") == log.count("printed by a child") == 2


def test_a_client_that_does_not_read_for_a_while_misses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line(HELLO))
        process.stdin.flush()
        read(process.stdout)
        # Twenty times what a pipe holds, before the first of it is read.
        process.stdin.write(b"".join(call(number, size=60_000) for number in range(1, 21)))
        process.stdin.flush()
        answers = [read(process.stdout) for _ in range(20)]
    assert sorted(each["id"] for each in answers) == list(range(1, 21))
    assert {len(each["result"]["content"][0]["text"]) for each in answers} == {60_000}


def test_hosts_that_use_sockets_are_served_too(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, serving(tmp_path, stdin=theirs.fileno(), stdout=theirs.fileno()), ours.makefile("rwb") as wire:
        wire.write(line(HELLO))
        wire.flush()
        assert read(wire)["id"] == 0


@pytest.mark.parametrize("merged", [False, True], ids=["files", "a log that shares the pipe"])
def test_what_is_no_pair_of_pipes_is_served_as_before(tmp_path: Path, merged: bool) -> None:
    (tmp_path / "in").write_bytes(line(HELLO))
    out = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    with (tmp_path / "in").open("rb") as given:
        here = (subprocess.PIPE, subprocess.PIPE) if merged else (given, out)
        with serving(tmp_path, stdin=here[0], stdout=here[1], merged=merged) as process:
            if merged:
                said, _ = process.communicate(line(HELLO), timeout=60)
            else:
                process.wait(60)
                said = (tmp_path / "out").read_bytes()
    os.close(out)
    assert json.loads(said)["result"]["serverInfo"]["name"] == "wire"


def test_a_host_that_gives_no_standard_error_is_served(tmp_path: Path) -> None:
    command = f"exec {sys.executable} -c '{SERVER}' 2>&-"
    said = line(HELLO).rstrip(b"\n")  # its end is the end of all
    process = subprocess.run(["sh", "-c", command], input=said, stdout=subprocess.PIPE, timeout=60, check=True)
    assert json.loads(process.stdout)["id"] == 0


def test_the_pipe_is_left_as_it_was_found(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with serving(tmp_path, stdout=writing) as process:
        process.communicate(line(HELLO), timeout=60)
        assert os.get_blocking(writing)
    os.close(writing)
    os.close(reading)


@pytest.mark.parametrize("odd", ['"\\ud800"', "NaN", "[" * 300 + "]" * 300, "1" + "0" * 5000])
def test_a_request_that_can_not_be_read_is_refused_and_others_go_on(tmp_path: Path, odd: str) -> None:
    with serving(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line(HELLO) + line({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        asked = line(
            {"jsonrpc": "2.0", "id": "odd", "method": "tools/call", "params": {"name": "stray", "arguments": 0}}
        )
        process.stdin.write(asked.replace(b'"arguments": 0', b'"arguments": {"size": ' + odd.encode() + b"}"))
        process.stdin.write(line({"jsonrpc": "2.0", "id": 2, "method": "ping"}))
        process.stdin.flush()
        found = {each["id"]: each for each in (read(process.stdout) for _ in range(3))}
    assert set(found) == {0, "odd", 2}
    assert found[2]["result"] == {}
    assert "error" in found["odd"] or found["odd"]["result"]["isError"]


def test_an_emoji_in_two_escapes_is_a_character(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line(HELLO) + line({"jsonrpc": "2.0", "id": "\U0001f600", "method": "ping"}))
        process.stdin.flush()
        found = [read(process.stdout)["id"] for _ in range(2)]
    assert found == [0, "\U0001f600"]
