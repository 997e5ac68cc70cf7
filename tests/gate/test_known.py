"""What people are told when a server is first seen: by the gate, by `gate check`, in the inbox."""

import json
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.acceptance.processes import ERAS, HANDOFFS, Home
from tests.gate.behind import DENY, SHOP, Person, Shop


def checked(home: Home, *options: str) -> str:
    behind = (sys.executable, str(SHOP), str(home.folder / "journal"))
    said = home.run("gate", "check", "--name", "shop", *options, "--", *behind)
    assert said.returncode == 0, said.stderr
    return said.stdout


async def made(shop: Shop) -> None:
    """Make the store."""
    async with shop.desk() as desk:
        await desk.permissions.servers()


@pytest.mark.parametrize("era", ERAS)
async def test_what_check_pins_the_gate_knows(tmp_path: Path, era: str) -> None:
    home = Home(tmp_path)
    assert "(new)" not in checked(home)  # no store, and none is made
    assert not home.store.exists()
    shop, person = Shop(home), Person(DENY, DENY)
    await made(shop)
    first = checked(home)
    assert first.count("(new)") == len(first.splitlines()) - 2
    assert "\nRules know the server as shop.\n" in first
    assert first.endswith(
        "They are pinned as they are, since shop was not known here. When one of them changes, its next call asks.\n"
    )
    async with shop.client(era, person) as client:
        await client.call_tool("delete_order", {"number": 1})
    assert "has changed since" not in person.shown[0].message
    assert {each["definition"] for each in json.loads(checked(home, "--json"))} == {"known"}
    async with shop.desk() as desk:
        pins = await desk.permissions.pins("shop")
        [server] = await desk.permissions.servers()
    assert (server.server, server.tools) == ("shop", len(pins))


def test_check_names_rules_that_are_for_none_of_its_tools(tmp_path: Path) -> None:
    home = Home(tmp_path)
    said = checked(home, "--deny", "delte_*", "--allow", "read_*")
    assert "--deny delte_* is for no tool that it lists: delte_*.\n" in said
    assert said.count("is for no tool") == 1


async def test_check_names_what_has_changed_and_pins_it_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    await made(Shop(home))
    checked(home)
    monkeypatch.setenv("SHOP_ABOUT", "Deletes all orders.")
    for _ in range(2):
        changed = [line for line in checked(home).splitlines() if line.endswith("(changed)")]
        assert [line.split()[1] for line in changed] == ["delete_order"]


def test_the_gate_says_that_a_server_is_new(tmp_path: Path) -> None:
    home = Home(tmp_path)
    info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test-host", "version": "1"}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "read_order", "arguments": {"number": 1}},
        },
    ]
    behind = (sys.executable, str(SHOP), str(tmp_path / "journal"))
    for times in (1, 0):
        command = [*HANDOFFS, "gate", "--name", "shop", "--allow", "read_*", "--", *behind]
        with subprocess.Popen(
            command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, env=home.env, cwd=tmp_path
        ) as gate:
            assert gate.stdin is not None
            assert gate.stdout is not None
            for line in lines:
                gate.stdin.write(json.dumps(line) + "\n")
            gate.stdin.flush()
            while json.loads(gate.stdout.readline()).get("id") != 2:  # it goes on reading until its input ends
                pass
            _, said = gate.communicate()
        assert said.count("shop is new here: its tools are pinned as they are") == times
