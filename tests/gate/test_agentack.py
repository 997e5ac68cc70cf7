"""A real gate's log, exported by the command, before the real `agentack check` from PyPI."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import ERAS, Home
from tests.gate.behind import ALLOW, DENY, Person, Shop, text_of

POLICY = """
[[rule]]
tool = "refund"
do = "ask"
deadline = "1s"
answer = "inbox"
"""


def check(path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agentack", "check", str(path)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("era", ERAS)
async def test_the_log_of_a_gate_passes_agentack(tmp_path: Path, era: str) -> None:
    shop = Shop(Home(tmp_path))
    (tmp_path / "gate.toml").write_text(POLICY)
    person = Person(ALLOW, ALLOW | {"arguments": '{"number": 8}'}, DENY, ALLOW)
    async with shop.client(era, person, rules=("--policy", str(tmp_path / "gate.toml"))) as client:
        for number in (1, 2, 3):
            await client.call_tool("delete_order", {"number": number})
        expired = await client.call_tool("refund", {"number": 4})
        assert "Silence is not consent" in text_of(expired)
        unknown = await client.call_tool("crash", {})
        assert "may have run" in text_of(unknown)
    assert shop.done == ["delete 1", "delete 8", "crash"]
    exported = shop.home.run("log", "--agentack")
    assert exported.returncode == 0, exported.stderr
    trace = tmp_path / "trace.jsonl"
    trace.write_text(exported.stdout)
    events: list[dict[str, Any]] = [json.loads(each) for each in exported.stdout.splitlines()]
    decisions = [each["decision"] for each in events if each["type"] == "approval_decision"]
    assert decisions == ["allow", "deny", "allow", "deny", "deny", "allow"]
    run = [each["action"]["parameters"]["arguments"] for each in events if each["type"] == "action_executed"]
    assert run == [{"number": 1}, {"number": 8}, {}]
    assert any("unknown" in each for each in shop.home.run("log").stdout.splitlines())
    passed = check(trace)
    assert (passed.returncode, "PASS" in passed.stdout) == (0, True), passed.stdout + passed.stderr

    # The check can fail: each of these is something that a gate could have done.
    ran = next(each for each in events if each["type"] == "action_executed")
    denied = next(each for each in reversed(events) if each.get("decision") == "deny")
    others = [each for each in events if each.get("approval_id") != ran["approval_id"] or each is ran]
    without_approval = [{key: each[key] for key in each if each is not ran or key != "approval_id"} for each in events]
    changed = {**ran["action"], "parameters": {**ran["action"]["parameters"], "digest": "sha256:0"}}
    broken = {
        "ACK001": without_approval,
        "ACK002": [*events[:-1], {**ran, "approval_id": denied["approval_id"]}, events[-1]],
        "ACK003": [{**each, "action": changed} if each is ran else each for each in events],
        "ACK004": [*events[:-1], ran, events[-1]],
        "ACK009": others,
    }
    for rule, lines in broken.items():
        trace.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
        refused = check(trace)
        assert refused.returncode in (1, 3), rule
        assert rule in refused.stdout


def test_one_call_is_exported_alone_and_a_trace_can_not_be_followed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    empty = home.run("log", "--agentack")
    assert json.loads(empty.stdout)["type"] == "session_end"
    assert home.run("log", "h_none", "--agentack").returncode != 0
    for option in ("--follow", "--json"):
        refused = home.run("log", "--agentack", option)
        assert refused.returncode == 2
        assert "neither --follow nor --json" in refused.stderr
