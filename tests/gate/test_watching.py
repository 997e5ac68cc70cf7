"""Watching only: what passes, what is noted, and the policy that is made of it."""

import json
import os
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handoffs.cli.gate_propose import policy_text
from handoffs.gate.policy import Call, Decision, Policy, policy_of_flags
from handoffs.gate.policy_file import PolicyFile
from handoffs.gate.watching import MAX_BYTES, WatchingPolicy, watched
from tests.acceptance.processes import ERAS, Home
from tests.gate.behind import Shop

READ = {"readOnlyHint": True}


def call(tool: str, *, server: str = "files", read: bool = False, **arguments: object) -> Call:
    return Call(server=server, tool=tool, arguments=arguments, annotations=READ if read else {})


@contextmanager
def held_open(pipe: Path) -> Generator[None]:
    """Keep a pipe with a name open for writing, so that its reader meets no end between two writers."""
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        yield
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("era", ERAS)
async def test_all_but_what_is_denied_passes_and_a_policy_is_made_of_it(tmp_path: Path, era: str) -> None:
    shop = Shop(Home(tmp_path))
    async with shop.client(era, rules=("--watch-only", "--deny", "delete_*")) as client:
        for number in range(3):
            await client.call_tool("read_order", {"number": number})
        denied = await client.call_tool("delete_order", {"number": 4711})
    assert denied.is_error
    assert shop.done == ["read 0", "read 1", "read 2"]
    assert json.loads(shop.home.run("list", "--all", "--json").stdout or "[]") == []
    policy = shop.home.folder / "proposed.toml"
    done = shop.home.run("gate", "propose")
    assert done.returncode == 0, done.stderr
    policy.write_text(done.stdout)
    assert [(each["tool"], each["do"]) for each in tomllib.loads(done.stdout)["rule"]] == [
        (["delete_order"], "deny"),
        (["read_order"], "allow"),
    ]
    checked = shop.home.run("gate", "check", "--policy", str(policy))
    assert checked.returncode == 0, checked.stderr
    assert "2 rules" in checked.stdout


def test_it_says_how_to_watch_first(tmp_path: Path) -> None:
    done = Home(tmp_path).run("gate", "propose")
    assert done.returncode != 0
    assert "--watch-only" in done.stderr


def test_no_value_is_noted_and_the_file_is_private_and_bounded(tmp_path: Path) -> None:
    file = tmp_path / "data" / "watched.jsonl"
    watching = WatchingPolicy(Policy, file)
    verdict = watching.decide(call("write", path="/srv/hush", text="hush " * 100))
    watching.close()
    assert verdict.decision is Decision.ALLOW
    assert not verdict.pin
    line = file.read_text()
    assert "hush" not in line
    assert json.loads(line)["arguments"] == {"path": 11, "text": 502}
    if os.name != "nt":
        assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(b"{half\n[1]\n" + b" " * MAX_BYTES)
    watching = WatchingPolicy(Policy, file)
    watching.decide(call("read"))
    watching.close()
    assert len(file.read_text().splitlines()) == 1
    assert {tool for _, tool in watched(file)} == {"read"}


def test_a_file_that_cant_be_written_stops_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").write_text("a file, no folder")
    watching = WatchingPolicy(Policy, tmp_path / "data" / "w.jsonl")
    assert watching.decide(call("a")).decision is Decision.ALLOW
    watching.close()
    assert "a call of a is not noted" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="a pipe with a name")
def test_a_slow_disk_holds_up_no_call_and_the_lines_keep_their_order(tmp_path: Path) -> None:
    # A pipe that nobody reads takes no line until somebody does, as a disk that hangs.
    file = tmp_path / "watched.jsonl"
    os.mkfifo(file)
    watching = WatchingPolicy(Policy, file)
    begun = time.monotonic()
    for number in range(200):
        assert watching.decide(call(f"tool-{number}")).decision is Decision.ALLOW
    assert time.monotonic() - begun < 5
    read: list[str] = []

    def reading() -> None:
        with file.open() as lines:
            while len(read) < 200 and (line := lines.readline()):
                read.append(json.loads(line)["tool"])

    reader = threading.Thread(target=reading)
    with held_open(file):
        reader.start()
        watching.close()
        reader.join(timeout=120)
    assert read == [f"tool-{number}" for number in range(200)]


def test_what_was_called_last_is_noted_before_the_process_ends(tmp_path: Path) -> None:
    file = tmp_path / "watched.jsonl"
    program = (
        "import sys; from pathlib import Path; from handoffs.gate.policy import Call, Policy\n"
        "from handoffs.gate.watching import WatchingPolicy\n"
        "watching = WatchingPolicy(Policy, Path(sys.argv[1]))\n"
        "for number in range(300): watching.decide(Call(server='s', tool=str(number), arguments={}, annotations={}))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True, timeout=60)
    assert [json.loads(line)["tool"] for line in file.read_text().splitlines()] == [str(each) for each in range(300)]


def test_what_was_seldom_called_or_writes_is_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "watched.jsonl"
    watching = WatchingPolicy(lambda: policy_of_flags(deny=["format_*"]), file)
    for tool, times, read in (("read", 3, True), ("peek", 2, True), ("write", 9, False), ("format_disk", 1, True)):
        for _ in range(times):
            watching.decide(call(tool, read=read, path="x"))
    watching.decide(call("odd*[name]"))
    watching.decide(call('quote"\\\n# "', server="b"))
    watching.close()
    text = policy_text(watched(file))
    assert "# write: 9 calls, with path\n" in text
    policy = tmp_path / "gate.toml"
    policy.write_text(text)
    made = PolicyFile(policy).current()
    said = {tool: made.decide(call(tool)).decision.value for tool in ("read", "peek", "write", "format_disk", "new")}
    assert said == {"read": "allow", "peek": "ask", "write": "ask", "format_disk": "deny", "new": "ask"}
    assert made.decide(call("read", server="other")).decision is Decision.ASK
