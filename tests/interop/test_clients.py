"""Other people's clients, as hosts of every kind: each gets the best that it can, none of them a "yes" by accident."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from handoffs.core.model import State
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import HANDOFFS, Home, HttpServer, ask
from tests.interop.conftest import HERE, output

READS = 1.2
"""Seconds in which a person has read the question: less than one is not believed."""

HOLD = 1.5
"""Seconds that the hasty server lets a call wait."""


@dataclass(frozen=True)
class Row:
    """What one host declares and its person does; whether its call ends by the dialog, or because it waited enough."""

    declares: dict[str, Any] | None
    person: str
    ends: bool = True


FORM: dict[str, Any] = {"form": {}}

ROWS = {
    "form": Row(FORM, "accepts"),
    "form, declared as nothing in particular": Row({}, "accepts"),
    "form and url": Row({"form": {}, "url": {}}, "accepts"),
    "on stdio": Row(FORM, "accepts"),
    "a person refuses": Row(FORM, "declines"),
    "a person closes the dialog": Row(FORM, "closes it"),
    "url only": Row({"url": {}}, "opens the link", ends=False),
    "nothing": Row(None, "accepts", ends=False),
    "declines at once": Row(FORM, "declines at once", ends=False),
    "accepts an empty form": Row(FORM, "accepts empty", ends=False),
    "never answers": Row(FORM, "never answers", ends=False),
}

# What each gets: the status, how often its dialog was shown, and what the store says.
ANSWERED = ("SUCCESS", 1, State.ANSWERED)
NOT_YET = ("PENDING", 1, State.OPEN)
BEST = {
    "form": ANSWERED,
    "form, declared as nothing in particular": ANSWERED,
    "form and url": ANSWERED,
    "on stdio": ANSWERED,
    "a person refuses": ("DECLINED", 1, State.DECLINED),
    "a person closes the dialog": NOT_YET,
    "url only": NOT_YET,
    "nothing": ("PENDING", 0, State.OPEN),
    "declines at once": NOT_YET,
    "accepts an empty form": NOT_YET,
    "never answers": NOT_YET,
}

WORDS = {
    "url only": "The person was sent to the inbox",
    "a person closes the dialog": "The person closed the dialog, which means: not now.",
    "nothing": "Nobody has seen it yet: this host showed the person no dialog.",
    "declines at once": "Nobody has seen it yet: this host showed the person no dialog.",
    "accepts an empty form": "Nobody has seen it yet: this host showed the person no dialog.",
    "never answers": "to go on waiting",
}
"""What a model is told of a question that is still open."""

LEFT: dict[str, tuple[str | None, int, State]] = {"never answers": (None, 1, State.OPEN)}
"""Nothing reaches these while their dialog is open, so they leave: in the newer era there is no call that could return,
and mcp 1.x reads nothing until its dialog has been answered."""

CLIENTS: dict[str, dict[str, tuple[str | None, int, State]]] = {
    "mcp 1.30": LEFT,
    "mcp 2, older era": {},
    "mcp 2, newer era": LEFT,
    "TypeScript 1": {},
    "TypeScript 2, older era": {},
    "TypeScript 2, newer era": LEFT,
}
"""Where a client gets something else."""


@pytest.fixture(scope="module")
async def hasty(home: Home, server: HttpServer, anyio_backend: str) -> AsyncGenerator[HttpServer]:
    """A second server on the same store, whose calls wait for `HOLD` seconds only."""
    async with Home(home.folder, {"HANDOFFS_HOLD_SECONDS": str(HOLD)}).http() as hasty:
        yield hasty


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_client_gets_the_best_that_it_can(
    client: str, node: str, mcp1: str, home: Home, server: HttpServer, hasty: HttpServer, inbox: None
) -> None:
    match client.partition(","):
        case ("mcp 2", _, era):
            got = await _play_here("auto" if "newer" in era else "legacy", client, home, server, hasty)
        case (name, _, era):
            jobs = _jobs("auto" if "newer" in era else "legacy", client, home, server, hasty)
            program = {
                "mcp 1.30": (mcp1, HERE / "mcp1.py"),
                "TypeScript 1": (node, HERE / "ts1.mjs"),
                "TypeScript 2": (node, HERE / "ts2.mjs"),
            }[name]
            code, said, complaint = await output(*program, jobs, cwd=home.folder, env=home.env)
            assert code == 0, complaint
            got = json.loads(said)
            assert all({"handoff_to_user", "check_handoff"} <= set(each["tools"]) for each in got.values()), got
    protocols = {each["protocol"] for each in got.values()} - {None}  # TypeScript 1 does not say on stdio
    assert protocols == {"2026-07-28" if "newer" in client else "2025-11-25"}, got
    states = await _states(home)
    found = {
        name: ((each["result"] or {}).get("status"), each["shown"], states[_message(client, name)])
        for name, each in got.items()
    }
    # The SDK that the server is made with is tried on stdio in tests/acceptance, and declares both modes or none.
    elsewhere = {"on stdio", "url only"} if client.startswith("mcp 2") else set[str]()
    assert found == {name: best for name, best in (BEST | CLIENTS[client]).items() if name not in elsewhere}
    for name, words in WORDS.items():
        if (result := got.get(name, {}).get("result")) is not None:
            assert words in result["guidance"]
            assert f'call check_handoff with handoff_id "{result["handoffId"]}"' in result["guidance"]
            assert result["userInput"] == [{"text": ""}]
            assert "values" not in result


def _message(client: str, name: str) -> str:
    return f"Deploy? ({client}: {name})"


def _jobs(era: str, client: str, home: Home, server: HttpServer, hasty: HttpServer) -> str:
    stdio = {"command": HANDOFFS[0], "args": [*HANDOFFS[1:], "serve"], "env": home.env, "cwd": str(home.folder)}
    rows = [
        {
            "name": name,
            "to": stdio if name == "on stdio" else server.url if row.ends else hasty.url,
            "headers": server.bearer,
            "declares": row.declares,
            "person": row.person,
            "era": era,
            "message": _message(client, name),
            "leaves": name in CLIENTS[client],
        }
        for name, row in ROWS.items()
    ]
    return json.dumps({"rows": rows, "reads": READS})


async def _play_here(era: str, client: str, home: Home, server: HttpServer, hasty: HttpServer) -> dict[str, Any]:
    """The SDK that the server itself is made with; it declares both modes, or nothing."""
    got: dict[str, Any] = {}

    async def play(name: str, row: Row) -> None:
        shown = 0

        async def dialog(context: object, params: object) -> ElicitResult:
            nonlocal shown
            shown += 1
            if name in CLIENTS[client]:
                leaving.cancel()
            match row.person:
                case "accepts":
                    return ElicitResult(action="accept", content={"response": "yes"}, _meta={"handoffs/script": True})
                case "accepts empty":
                    return ElicitResult(action="accept", content={})
                case "never answers":
                    await anyio.sleep_forever()
                case "declines at once":
                    return ElicitResult(action="decline")
            await anyio.sleep(READS)
            return ElicitResult(action="decline" if row.person == "declines" else "cancel")

        to = server if row.ends else hasty
        async with to.client(era, dialog if row.declares is not None else None) as host:
            result = None
            with anyio.CancelScope() as leaving:
                result = await ask(host, _message(client, name))
            got[name] = {"protocol": host.protocol_version, "shown": shown, "result": result}

    async with anyio.create_task_group() as tasks:
        for name, row in ROWS.items():
            if name not in {"on stdio", "url only"}:
                tasks.start_soon(play, name, row)
    return got


async def _states(home: Home) -> dict[str, State]:
    async with SqliteStore(home.store) as store:
        return {each.question.message: each.state for each in await store.newest(open_only=False)}
