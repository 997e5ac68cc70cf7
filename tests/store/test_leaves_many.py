"""What reads the next leaves of a long log reads these, and not all that were there before."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg

from handoffs.proof.growing import grow
from handoffs.setting_values import store_address
from handoffs.store import OpenStore
from handoffs.store.postgres.address import Address
from handoffs.store.sqlite import leaves as sqlite_leaves
from tests.store.by_hand import change
from tests.store.conftest import Place, place, store
from tests.store.samples import LONG_AGO, sample

__all__ = ["place", "store"]

LINES = 20_000
STEPS = 2_000
"""More than a few rows take, in instructions of SQLite's machine or in rows that PostgreSQL reads."""

_MORE = f"""INSERT INTO SCHEMA.events (number, handoff_id, name, at, details, leaf, salt {{more}})
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {LINES})
    SELECT number + x, handoff_id, name, at, details, leaf, salt {{more}} FROM SCHEMA.events, n WHERE number = 1"""


async def test_the_next_leaves_of_a_long_log_are_read_alone(place: Place, store: OpenStore) -> None:
    await store.open(sample("One?"), collect_after=LONG_AGO)
    await change(place.address, _MORE.format(more=", write_id" if place.backend == "postgres" else ""))
    grown = await grow(store)
    assert grown.size == LINES + 1
    assert [each.number for each in await store.leaves.after(LINES, limit=10)] == [LINES + 1]
    at = store_address(place.address)
    if isinstance(at, Path):
        assert steps(at, sqlite_leaves.AFTER) < STEPS
    else:
        assert isinstance(at, Address)
        assert (
            await rows(at, "SELECT number, handoff_id, leaf, salt FROM leaves WHERE number > $1 ORDER BY number")
            < STEPS
        )


def steps(path: Path, sql: str) -> int:
    """How many instructions SQLite carries out for the last leaf."""
    done = 0

    def count() -> int:
        nonlocal done
        done += 1
        return 0

    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(count, 1)
        assert len(connection.execute(sql, (LINES, 10)).fetchall()) == 1
    return done


async def rows(at: Address, sql: str) -> int:
    """How many rows PostgreSQL reads for the last leaf, in the largest step."""
    connection = await asyncpg.connect(at.dsn)
    await connection.execute(f'SET search_path = "{at.schema}"; ANALYZE events')
    written = sql.replace("$1", str(LINES))
    [(plan,)] = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {written} LIMIT 10")
    await connection.close()
    return max(map(_read, _nodes(json.loads(plan)[0]["Plan"])))


def _nodes(plan: dict[str, object]) -> list[dict[str, object]]:
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    return [plan, *(each for node in below for each in _nodes(node))]


def _read(node: dict[str, object]) -> int:
    found = [node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter")]
    return sum(int(each) for each in found if isinstance(each, int | float))
