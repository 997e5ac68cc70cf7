"""The leaves of the verifiable log in a PostgreSQL store, and the tree over them. Each change is one transaction.

Servers don't take turns to build the tree: who is faster writes it, and the others see that it has grown. So no commit
of an event ever waits for it.
"""

from collections.abc import Sequence
from typing import cast

from handoffs.core.leaves import Grown, Leaf, Lined, Tile
from handoffs.core.storable import storable
from handoffs.store.leaf_rows import lined, lines_with_leaves
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row


class PostgresLeaves:
    """The leaves of one store. Every method raises StoreError where it can't be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        self._connections = connections
        names = ("leaves", "events", "log_began", "log_tiles", "log_state")
        leaves, events, began, tiles, state = (f'"{connections.address.schema}".{name}' for name in names)
        self._grown = f"SELECT size, number FROM {state}"  # noqa: S608
        leaf = f"SELECT number, handoff_id, leaf, salt FROM {leaves}"  # noqa: S608
        self._after = f"{leaf} WHERE number > $1 ORDER BY number LIMIT $2"
        self._of = f"{leaf} WHERE handoff_id = $1 ORDER BY number"
        lines = lines_with_leaves(events, began)
        self._lines = f"{lines} WHERE handoff_id = ANY($1::text[]) ORDER BY number"
        tile = f"SELECT level, place, hashes, first_number FROM {tiles}"  # noqa: S608
        self._tile = f"{tile} WHERE level = $1 AND place = $2"
        self._tile_of = f"""{tile} WHERE level = 0 AND first_number <= $1 AND (SELECT number FROM {state}) >= $1
            ORDER BY first_number DESC LIMIT 1"""  # noqa: S608
        self._first = f"INSERT INTO {state} (one, size, number) VALUES (1, 0, -1) ON CONFLICT DO NOTHING"  # noqa: S608
        # A reply that was lost makes the second try a False: the caller reads again how far the tree is.
        self._grow = f"UPDATE {state} SET size = $1, number = $2 WHERE size = $3 AND number = $4 RETURNING true"  # noqa: S608
        self._made = f"""UPDATE {events} AS there SET leaf = made.leaf, salt = made.salt
            FROM unnest($1::bigint[], $2::text[], $3::text[]) AS made (number, leaf, salt)
            WHERE there.number = made.number AND there.leaf = ''"""  # noqa: S608
        self._write = f"""INSERT INTO {tiles} (level, place, hashes, first_number)
            SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bytea[], $4::bigint[])
            ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes, first_number = excluded.first_number"""  # noqa: S608

    async def grown(self) -> Grown:
        """Return how far the tree was built."""
        rows = await self._fetch(self._grown)
        return Grown(size=cast("int", rows[0][0]), number=cast("int", rows[0][1])) if rows else Grown()

    async def after(self, number: int, *, limit: int) -> Sequence[Leaf]:
        """Return the leaves of later events, in order, at most `limit`."""
        return [_leaf(row) for row in await self._fetch(self._after, number, limit)]

    async def of(self, handoff_id: str) -> Sequence[Leaf]:
        """Return the leaves of one handoff, in order."""
        return [_leaf(row) for row in await self._fetch(self._of, encode_cell(storable(handoff_id)))]

    async def lines(self, handoff_ids: Sequence[str]) -> Sequence[Lined]:
        """Return all lines of some handoffs with their leaves, in order."""
        ids = [encode_cell(storable(each)) for each in handoff_ids]
        return [lined(tuple(map(decode_cell, row))) for row in await self._fetch(self._lines, ids)]

    async def tile(self, level: int, place: int) -> Tile | None:
        """Return a tile, as wide as it is."""
        return _tile(await self._fetch(self._tile, level, place))

    async def tile_of(self, number: int) -> Tile | None:
        """Return the tile of level 0 that has the leaf of this event; None if the tree was not built that far."""
        return _tile(await self._fetch(self._tile_of, number))

    async def grow(self, before: Grown, after: Grown, tiles: Sequence[Tile], made: Sequence[Leaf]) -> bool:
        """Write the tiles of a tree that grew, and the leaves that were `made` for events without one.

        Returns False, and writes nothing, if the tree is not as it was `before`: another process was faster.
        """

        async def work(connection: Connection) -> bool:
            async with connection.transaction():
                await connection.execute(self._first)
                if not await connection.fetch(self._grow, after.size, after.number, before.size, before.number):
                    return False
                if made:
                    rows = [(each.number, encode_cell(each.text), each.salt) for each in made]
                    await connection.fetch(self._made, *map(list, zip(*rows, strict=True)))
                rows = [(each.level, each.place, each.hashes, each.first_number) for each in tiles]
                await connection.fetch(self._write, *map(list, zip(*rows, strict=True)))
                return True

        return await self._connections.run(work)

    async def _fetch(self, sql: str, *parameters: object) -> Sequence[Row]:
        async def work(connection: Connection) -> Sequence[Row]:
            return await connection.fetch(sql, *parameters)

        return await self._connections.run(work)


def _leaf(row: Row) -> Leaf:
    number, handoff_id, text, salt = cast("tuple[int, str, str, str]", tuple(map(decode_cell, row)))
    return Leaf(number=number, handoff_id=handoff_id, text=text, salt=salt)


def _tile(rows: Sequence[Row]) -> Tile | None:
    if not rows:
        return None
    level, place, hashes, first_number = cast("tuple[int, int, bytes, int]", tuple(rows[0]))
    return Tile(level=level, place=place, hashes=hashes, first_number=first_number)
