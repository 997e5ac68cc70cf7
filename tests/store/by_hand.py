"""Changes a store as no program of ours would."""

import sqlite3
from contextlib import closing
from pathlib import Path

from handoffs.setting_values import store_address
from handoffs.store.postgres.address import Address
from handoffs.store.postgres.driver import connect


async def change(address: str, sql: str) -> None:
    """Run a statement in which `SCHEMA.` stands before the names of tables."""
    at = store_address(address)
    if isinstance(at, Path):
        with closing(sqlite3.connect(at)) as connection, connection:
            connection.execute(sql.replace("SCHEMA.", ""))
        return
    assert isinstance(at, Address)
    connection = await connect(at)
    try:
        await connection.execute(sql.replace("SCHEMA.", f'"{at.schema}".'))
    finally:
        await connection.close(timeout=5)
