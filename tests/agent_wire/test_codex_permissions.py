"""Permissions for the sandbox that Codex asks for, with a Codex that the test plays."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import Home
from tests.agent_wire.wires import ALLOW, DENY, Between, between

NOTHING: Mapping[str, Any] = {"permissions": {}, "scope": "turn"}
WANTED: Mapping[str, Any] = {
    "network": {"enabled": True},
    "fileSystem": {
        "read": ["/etc"],
        "write": None,
        "globScanMaxDepth": 3,
        "entries": [
            {"path": {"type": "path", "path": "/srv/shop/build"}, "access": "write"},
            {"path": {"type": "glob_pattern", "pattern": "/srv/shop/**/*.key"}, "access": "deny"},
            {"path": {"type": "special", "value": {"kind": "later", "of": "/opt"}}, "access": "run"},
        ],
    },
}
SCOPED = ("--set", "scope=session")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def asks(permissions: Any = WANTED, *, id: Any = 0, **more: Any) -> bytes:  # noqa: A002 - JSON-RPC's word
    params = {"threadId": "t", "turnId": "u", "itemId": "i", "startedAtMs": 1, "environmentId": None}
    params |= {"cwd": "/srv/shop", "reason": "for the build", "permissions": permissions, **more}
    return line(method="item/permissions/requestApproval", id=id, params=params)


async def is_left(wire: Between, given: bytes, why: str) -> None:
    await wire.agent.send(given)
    assert await wire.editor.raw() == given
    assert await wire.listed() == []
    assert why in await wire.said()


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (ALLOW, {"permissions": WANTED, "scope": "turn"}),
        ((*ALLOW, "--set", "scope=turn"), {"permissions": WANTED, "scope": "turn"}),
        ((*ALLOW, *SCOPED), {"permissions": WANTED, "scope": "session"}),
        ((*DENY, "--set", "reason=not there"), NOTHING),
        ((*DENY, *SCOPED), NOTHING),
    ],
)
async def test_what_is_granted_is_what_was_asked_for(home: Home, given: tuple[str, ...], result: Any) -> None:
    async with between(home, "--name", "codex", wire="codex") as wire:
        await wire.agent.send(asks())
        assert await wire.editor.raw() == asks()
        (asked,) = await wire.asked()
        assert "Allow `permissions` of `codex` with exactly this input?" in asked["message"]
        for each in (
            "/etc",
            "/srv/shop/build",
            "/srv/shop/**/*.key",
            "deny",
            "later",
            "/opt",
            "run",
            "network",
            "build",
        ):
            assert each in asked["message"]
        assert asked["caller"]["project"] == "/srv/shop"
        await wire.answer(*given)
        assert await wire.agent.reads() == {"id": 0, "result": result}
        await wire.editor.send(line(id=0, result={"permissions": WANTED, "scope": "session"}) + line(method="after"))
        assert await wire.agent.reads() == {"method": "after"}  # too late


async def test_a_kind_that_is_not_known_is_shown_and_not_granted(home: Home) -> None:
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks({"network": {"enabled": True, "hosts": ["a.test"]}, "camera": {"enabled": True}}))
        (asked,) = await wire.asked()
        assert "camera" in asked["message"]
        assert "What is neither `network` nor `fileSystem` is not granted" in asked["message"]
        await wire.answer(*ALLOW)
        granted = {"network": {"enabled": True, "hosts": ["a.test"]}}
        assert await wire.agent.reads() == {"id": 0, "result": {"permissions": granted, "scope": "turn"}}


async def test_numbers_are_granted_as_they_were_written(home: Home) -> None:
    given = asks({"fileSystem": {"globScanMaxDepth": 9}}).replace(b": 9", b": 9007199254740993")
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(given)
        assert "9007199254740993" in (await wire.asked())[0]["message"]
        await wire.answer(*ALLOW)
        assert b'"globScanMaxDepth": 9007199254740993}' in await wire.agent.raw()


@pytest.mark.parametrize(
    "permissions",
    [None, {}, [], "all", {"camera": {"enabled": True}}, {"network": None, "fileSystem": None}, {"fileSystem": ["/"]}],
)
async def test_permissions_that_say_nothing_known_are_not_asked_about(home: Home, permissions: Any) -> None:
    async with between(home, wire="codex") as wire:
        await is_left(wire, asks(permissions), "what would be granted")
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks(permissions))
        assert await wire.agent.reads() == {"id": 0, "result": NOTHING}


async def test_permissions_that_nobody_could_read_are_not_granted(home: Home) -> None:
    many = {"fileSystem": {"read": [f"/srv/shop/some/folder/{number}" for number in range(9_000)]}}
    twice = asks().replace(b'"network"', b'"fileSystem": {"read": ["/"]}, "network"')
    async with between(home, "--desk-only", wire="codex") as wire:
        for given, why in ((asks(many), "too long"), (twice, "can't be read")):
            await wire.agent.send(given)
            assert await wire.agent.reads() == {"id": 0, "result": NOTHING}
            assert why in await wire.said()


async def test_withdrawn_permissions_are_not_granted(home: Home) -> None:
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks())
        (asked,) = await wire.asked()
        done = await home.command("cancel", asked["id"])
        assert done.returncode == 0, done.stderr
        assert await wire.agent.reads() == {"id": 0, "result": NOTHING}
        await wire.agent.send(asks(id=1))
        await wire.asked()
        await wire.editor.send(line(method="turn/interrupt", id=9, params={"threadId": "t", "turnId": "u"}))
        assert (await wire.agent.reads())["method"] == "turn/interrupt"
        assert await wire.agent.reads() == {"id": 1, "result": NOTHING}


async def test_remembered_permissions_last_for_the_turn_alone(home: Home) -> None:
    async with between(home, "--name", "codex", "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks())
        await wire.asked()
        await wire.answer(*ALLOW, *SCOPED, "--set", "remember=exact-hour")
        assert await wire.agent.reads() == {"id": 0, "result": {"permissions": WANTED, "scope": "session"}}
        await wire.agent.send(asks(id=1))
        assert await wire.agent.reads() == {"id": 1, "result": {"permissions": WANTED, "scope": "turn"}}
        more = {**WANTED, "fileSystem": {"read": ["/"]}}
        await wire.agent.send(asks(more, id=2))  # not these permissions
        await wire.asked()
