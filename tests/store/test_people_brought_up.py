"""A store whose people are older than their lines in the log gets these when it is brought up to date."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from handoffs.proof.store_checks import verify_store
from handoffs.setting_values import store_address
from handoffs.store import OpenStore
from handoffs.store.postgres import layout
from handoffs.store.postgres.address import Address
from handoffs.store.postgres.driver import connect
from handoffs.store.sqlite import file
from tests.store.backends import BACKENDS
from tests.store.by_hand import change
from tests.store.conftest import Place, place
from tests.store.samples import LONG_AGO, sample
from tests.store.test_leaves import KEY, ORIGIN, problems

__all__ = ["place"]

_BEFORE = {"sqlite": 16, "postgres": 12}
_WITHOUT_IDENTITIES = {"sqlite": 15, "postgres": 11}
_PEOPLE = """INSERT INTO SCHEMA.people (folded, name, email, member_of, handle, added_at, removed_at {more}) VALUES
    ('ada', 'Ada', 'ada@example.com', '["dba","\\u00e9"]', 'aa', 1, NULL {zero}),
    ('bøb "b"', 'Bøb "b"', '', '[]', 'bb', 2, 3 {zero})"""
_KEYS = """INSERT INTO SCHEMA.passkeys (credential_id, person, public_key, sign_count, label, added_at, added_with,
    active_from, last_used_at, removed_at {more}) VALUES
    ('k1', 'Ada', {bytes}, 4, 'blue', 1, '', 1000001, 9, NULL {zero}),
    ('k2', 'Ada', {bytes}, 0, '', 2, 'k1', 2, NULL, 5 {zero})"""


_ABSENCES = "INSERT INTO SCHEMA.absences (person, deputy, starts, ends) VALUES ('Ada', 'Bøb \"b\"', 1000007, 9000000)"
_IDENTITIES = """UPDATE SCHEMA.people SET identities = '["oauth:1@id","oauth:\\u00e9@id"]' WHERE name = 'Ada'"""


async def older(place: Place, layouts: Mapping[str, int]) -> None:
    """Make a store of a layout before, with people in it."""
    at = store_address(place.address)
    if isinstance(at, Path):
        at.parent.mkdir()
        scripts = sorted(Path(file.__file__).with_name("migrations").glob("*.sql"))[: layouts["sqlite"]]
        with closing(sqlite3.connect(at)) as connection, connection:
            for script in scripts:
                connection.executescript(script.read_text("utf-8"))
            connection.execute(f"PRAGMA application_id = {file.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(scripts)}")
        more = {"more": "", "zero": "", "bytes": "x'a501'"}
    else:
        assert isinstance(at, Address)
        scripts = sorted(layout.MIGRATIONS.glob("*.sql"))[: layouts["postgres"]]
        connection = await connect(at)
        await connection.execute(f'CREATE SCHEMA "{at.schema}"; SET search_path = "{at.schema}"')
        for script in scripts:
            await connection.execute(script.read_text("utf-8"))
        await connection.execute(f"UPDATE handoffs_layout SET version = {len(scripts)}")
        await connection.close(timeout=5)
        more = {"more": ", write_id", "zero": ", 0", "bytes": "'\\xa501'"}
    for sql in (_PEOPLE, _KEYS, *([_IDENTITIES, _ABSENCES] if layouts is _BEFORE else [])):
        await change(place.address, sql.format(**more))


async def names(store: OpenStore) -> list[str]:
    return [each.name for each in await store.log()]


@pytest.mark.parametrize("layouts", [_BEFORE, _WITHOUT_IDENTITIES], ids=["before", "without identities"])
async def test_people_of_an_older_store_get_their_lines(place: Place, layouts: Mapping[str, int]) -> None:
    await older(place, layouts)
    async with BACKENDS[place.backend].connect(place.address) as store:
        assert await names(store) == [
            "personadded", "personadded", "keyadded", "keyadded", "keyremoved", "personremoved",
            *(["personaway"] if layouts is not _WITHOUT_IDENTITIES else []),
        ]  # fmt: skip
        people = (await store.people.directory()).people
        for line in await store.log():
            if line.name == "personaway":
                times = "1970-01-01T00:00:01.000007Z", "1970-01-01T00:00:09.000000Z"
                assert (line.details["deputy"], line.details["since"], line.details["until"]) == (
                    people['Bøb "b"'].id,
                    *times,
                )
        assert len({each.id for each in people.values()}) == 2
        assert people["Ada"].groups == {"dba", "é"}
        assert people["Ada"].identities == ({"oauth:1@id", "oauth:é@id"} if layouts is _BEFORE else frozenset())
        await store.open(sample(), collect_after=LONG_AGO)
        report = await verify_store(store, ORIGIN, [KEY.verifier])
        assert ([str(each) for each in report.problems], report.people) == ([], 2)
        assert all(each.text for each in await store.leaves.after(-1, limit=10))
        await change(place.address, "UPDATE SCHEMA.passkeys SET person = 'Bøb \"b\"' WHERE credential_id = 'k1'")
        assert len(await problems(store)) == 2
