"""How what is too old is removed from a PostgreSQL store."""

from typing import cast

import anyio

from handoffs.store.postgres.address import Address
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection
from handoffs.store.pruning import BATCH, Age


class PostgresPruning:
    """Removes what is too old from a store in a database. Every method raises StoreError where it can't be used."""

    def __init__(self, address: Address, age: Age) -> None:
        """Take where it is; nothing is connected yet."""
        self._address = address
        handoffs, events = (f'"{address.schema}".{table}' for table in ("handoffs", "events"))
        rule = age.rule("old", events)
        self._count = f"SELECT count(*) FROM {handoffs} AS old WHERE {rule}"  # noqa: S608
        # One that somebody writes to in this moment is left for the next time.
        self._remove = f"""WITH old AS MATERIALIZED (
                SELECT id FROM {handoffs} AS old WHERE {rule} ORDER BY created_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED
            ), lines AS (
                DELETE FROM {events} USING old WHERE handoff_id = old.id
            ), gone AS (
                DELETE FROM {handoffs} AS there USING old WHERE there.id = old.id RETURNING there.id
            ) SELECT count(*) FROM gone"""  # noqa: S608

    async def count(self) -> int:
        """Return how many are too old."""
        return await self._number(self._count)

    async def remove(self) -> int:
        """Remove some of them for good, and return how many; 0 once there are none left."""
        return await self._number(self._remove)

    async def _number(self, sql: str) -> int:
        async def work(connection: Connection) -> int:
            ((number,),) = await connection.fetch(sql)
            return cast("int", number)

        connections = Connections(self._address)
        try:
            return await connections.run(work)
        finally:
            with anyio.CancelScope(shield=True):
                await connections.aclose()
