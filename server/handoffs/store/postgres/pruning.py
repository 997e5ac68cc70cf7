"""Removing old handoffs from a PostgreSQL store."""

from typing import cast

import anyio

from handoffs.store.postgres.address import Address
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection
from handoffs.store.pruning import BATCH, Age


class PostgresPruning:
    """Removes old handoffs from a store in a database. Every method raises StoreError if the store can't be used."""

    def __init__(self, address: Address, age: Age) -> None:
        """Take the address; nothing is connected yet."""
        self._address = address
        names = ("handoffs", "events", "kept_leaves", "chat_codes", "chat_messages", "attachments")
        handoffs, events, leaves, codes, messages, attachments = (f'"{address.schema}".{table}' for table in names)
        rule = age.rule("old", events)
        self._count = f"SELECT count(*) FROM {handoffs} AS old WHERE {rule}"  # noqa: S608
        # A row that is being written is skipped; the next run removes it. The leaves stay, without their salts: the log
        # stays whole, and says nothing more about the words.
        self._remove = f"""WITH old AS MATERIALIZED (
                SELECT id FROM {handoffs} AS old WHERE {rule} ORDER BY created_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED
            ), lines AS (
                DELETE FROM {events} USING old WHERE handoff_id = old.id RETURNING number, leaf
            ), kept AS (
                INSERT INTO {leaves} SELECT number, leaf FROM lines WHERE leaf <> ''
            ), buttons AS (
                DELETE FROM {codes} USING old WHERE handoff_id = old.id
            ), shown AS (
                DELETE FROM {messages} USING old WHERE handoff_id = old.id
            ), files AS (
                DELETE FROM {attachments} USING old WHERE handoff_id = old.id
            ), gone AS (
                DELETE FROM {handoffs} AS there USING old WHERE there.id = old.id RETURNING there.id
            ) SELECT count(*) FROM gone"""  # noqa: S608

    async def count(self) -> int:
        """Return how many handoffs are too old."""
        return await self._number(self._count)

    async def remove(self) -> int:
        """Remove a batch of them for good, and return how many; 0 once none are left."""
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
