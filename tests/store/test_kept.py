"""Stores that earlier versions made, kept as files: each opens, reads as it did, and goes on."""

import gzip
import json
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from handoffs.core.desk import Desk
from handoffs.core.model import State
from handoffs.sealing import AesGcmSealer
from handoffs.store import OpenStore
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.store.kept import make
from tests.store.postgres_server import cluster
from tests.store.samples import passkey, permission, person

VERSIONS = sorted(path.name.removesuffix(".sqlite.gz") for path in make.HERE.glob("*.sqlite.gz"))


@asynccontextmanager
async def opened(engine: str, version: str, folder: Path) -> AsyncGenerator[OpenStore]:
    """A copy of a kept store."""
    if engine == "sqlite":
        path = folder / "handoffs.db"
        path.write_bytes(gzip.decompress((make.HERE / f"{version}.sqlite.gz").read_bytes()))
        async with SqliteStore(path) as store:
            yield store
        return
    database = cluster().database()
    script = gzip.decompress((make.HERE / f"{version}.postgres.sql.gz").read_bytes())
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", database], input=script, check=True, capture_output=True)
    async with PostgresStore(f"{database}?schema={make.SCHEMA}") as store:
        yield store


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_a_store_of_an_earlier_version_reads_as_it_did(engine: str, version: str, tmp_path: Path) -> None:
    expected = json.loads((make.HERE / f"{version}.{engine}.json").read_text())
    async with opened(engine, version, tmp_path) as store:
        found = await make.contents(store)
    # What a later version has learned to say may stand beside it.
    for now, then in zip(found["handoffs"], expected["handoffs"], strict=True):
        assert {name: _as_then(now[name], then[name]) for name in then} == then
    assert found["log"] == expected["log"]


def _as_then(now: object, then: object) -> object:
    """Return of an object what it said then."""
    return {name: now[name] for name in then} if isinstance(now, dict) and isinstance(then, dict) else now


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_it_goes_on_where_it_was(engine: str, version: str, tmp_path: Path) -> None:
    sealer = AesGcmSealer(lambda: [make.KEY])
    async with opened(engine, version, tmp_path) as store:
        desk = Desk(store=store, clock=FakeClock(make.MADE), sealer=sealer, local=make.ADA.subject)
        [waiting] = [each for each in await desk.newest(open_only=True) if each.question.message.startswith("Still")]
        joined = await desk.ask(message=waiting.question.message, caller=make.ADA)
        assert joined.id == waiting.id
        ended = await desk.answer(waiting, {"response": "yes"}, by="ada", channel="inbox")
        assert (ended.state, ended.values) == (State.ANSWERED, {"response": "yes"})
        # What came later is there, too.
        given = permission()
        await store.permissions.grant(given)
        assert await store.permissions.grants() == [given]
        assert (await store.permissions.pins("shop"), await store.permissions.stopped()) == ({}, None)
        assert (await store.people.directory()).people == {}
        await store.people.add(person())
        await store.people.add_key(passkey())
        assert await store.people.keys("ada") == [passkey()]
        asked = await desk.ask(message="And now?", caller=make.ADA)
        assert (await desk.log())[-1].handoff_id == asked.id
