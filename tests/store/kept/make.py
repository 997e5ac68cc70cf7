"""Makes the kept stores: `python -m tests.store.kept.make`, once for a version whose stores shall stay readable.

What is in them, as JSON, is kept beside them. They are never made anew: a later version would write them as it likes.
"""

import gzip
import json
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from handoffs import __version__
from handoffs.core.desk import Desk
from handoffs.core.document import document
from handoffs.core.model import Caller, Handoff
from handoffs.core.ports import Store
from handoffs.sealing import AesGcmSealer
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.store.postgres_server import cluster

HERE = Path(__file__).parent
SCHEMA = "kept"
KEY = "k" * 32
"""What secrets in the kept stores are sealed with."""

MADE = datetime(2026, 11, 28, 12, tzinfo=UTC)
"""These stores are of this day, on whatever day they are read."""

ADA = Caller(subject="ada", client="claude-code", project="/srv/shop")
CI = Caller(subject="token:ci", client="codex-mcp-client")
FORM = {
    "type": "object",
    "properties": {
        "env": {"type": "string", "enum": ["dev", "prod"], "title": "Where"},
        "copies": {"type": "integer", "minimum": 1, "maximum": 5},
        "parts": {"type": "array", "items": {"type": "string", "enum": ["shop", "blog"]}},
        "at": {"type": "string", "format": "date-time"},
        "sure": {"type": "boolean"},
    },
    "required": ["env", "sure"],
}
VALUES = {"env": "prod", "copies": 2, "parts": ["blog"], "at": "2026-07-01T10:00:00+02:00", "sure": True}
SECRET = {
    "type": "object",
    "properties": {"password": {"type": "string", "format": "password"}},
    "required": ["password"],
}


async def fill(store: Store) -> None:
    """Put a handoff of each kind and state into a store, with what can happen to one."""
    clock = FakeClock(MADE - timedelta(hours=1))
    desk = Desk(store=store, clock=clock, sealer=AesGcmSealer(lambda: [KEY]), local=ADA.subject)

    async def ask(message: str, **arguments: Any) -> Handoff:
        clock.forward(60)
        return await desk.ask(message=message, **{"caller": ADA, **arguments})

    await ask("Still open: **deploy**?")
    await ask("Ends by silence", timeout_seconds=30)
    filled = await ask("Release?", form=FORM)
    await desk.answer(filled, VALUES, by="ada", channel="inbox", note="after lunch")
    words = await ask("Which?", options=["one", "two"], caller=CI)
    await desk.answer(words, {}, by="bob", channel="terminal", other="neither, but three")
    await desk.decline(await ask("No?"), by="ada", channel="elicitation", note="not today")
    await desk.cancel(await ask("Never mind"), by="ada", channel="command line")
    secret = await ask("Password?", form=SECRET)
    await desk.answer(secret, {"password": "hunter2"}, by="ada", channel="inbox", private=True)
    collected = await ask("Collected, Ünïcode ✓ \U0001f44d", tool_use="toolu_1", breakout_of_loop=True)
    await desk.collect(await desk.answer(collected, {"response": "go"}, by="ada", channel="inbox"))
    shown = await ask("Shown, and put off")
    await desk.not_shown(shown, channel="elicitation", reason="decline after 0.003 s")
    await desk.dismissed(shown, channel="inbox")
    clock.forward(600)
    await desk.newest(open_only=True)


async def contents(store: Store) -> dict[str, Any]:
    """Return what a store holds on the day that it was made, as the command line shows it: handoffs and log."""
    desk = Desk(store=store, clock=FakeClock(MADE))
    handoffs = sorted(await desk.newest(open_only=False), key=lambda each: each.created_at)
    log = [
        {"number": entry.number, "at": entry.at.isoformat(), "of": entry.handoff_id, "name": entry.name}
        | {"details": dict(entry.details)}
        for entry in await desk.log()
    ]
    return {"handoffs": [document(each) for each in handoffs], "log": log}


async def make() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "handoffs.db"
        async with SqliteStore(path) as store:
            await fill(store)
            _write("sqlite", await contents(store))
        with closing(sqlite3.connect(path)) as kept:
            kept.execute("VACUUM INTO ?", (f"{folder}/whole.db",))
        packed = gzip.compress((Path(folder) / "whole.db").read_bytes(), mtime=0)
        (HERE / f"{__version__}.sqlite.gz").write_bytes(packed)
    server = cluster()
    async with PostgresStore(server.url(schema=SCHEMA)) as store:
        await fill(store)
        _write("postgres", await contents(store))
    dumped = subprocess.run(
        ["pg_dump", "-h", "127.0.0.1", "-p", str(server.port), "-U", "handoffs", "--no-owner", "--inserts",
         f"--schema={SCHEMA}", "postgres"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    (HERE / f"{__version__}.postgres.sql.gz").write_bytes(gzip.compress(dumped, mtime=0))


def _write(engine: str, found: dict[str, Any]) -> None:
    (HERE / f"{__version__}.{engine}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    anyio.run(make)
