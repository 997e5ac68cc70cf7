"""The leaves of the verifiable log in a SQLite store, and the tree over them. Each change is one transaction."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, cast

from handoffs.core.leaves import Grown, Leaf, Lined, Tile
from handoffs.core.storable import storable
from handoffs.store.leaf_rows import lined, lines_with_leaves
from handoffs.store.watches import Line

T = TypeVar("T")

# Not by the view: SQLite begins at one of two lower bounds, and would read all lines since the log began.
AFTER = """SELECT number, handoff_id, leaf, salt FROM events
        WHERE number > max(?1, coalesce((SELECT number FROM log_began), 0))
    UNION ALL SELECT number, '', leaf, '' FROM kept_leaves WHERE number > ?1 ORDER BY number LIMIT ?2"""
_OF = "SELECT number, handoff_id, leaf, salt FROM leaves WHERE handoff_id = ? ORDER BY number"
_LINES = lines_with_leaves("events", "log_began")
_TILE = "SELECT level, place, hashes, first_number FROM log_tiles"
_FIRST = "INSERT OR IGNORE INTO log_state (one, size, number) VALUES (1, 0, -1)"
_GROW = "UPDATE log_state SET size = ?, number = ? WHERE size = ? AND number = ?"
_MADE = "UPDATE events SET leaf = ?, salt = ? WHERE number = ? AND leaf = ''"
_WRITE = "INSERT OR REPLACE INTO log_tiles (level, place, hashes, first_number) VALUES (?, ?, ?, ?)"


class _Run(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], T], /, *, brief: bool = False) -> Awaitable[T]: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], tuple[T, list[Line]]], /) -> Awaitable[T]: ...


class SqliteLeaves:
    """The leaves of one store. Every method raises StoreError where it can't be used."""

    def __init__(self, run: _Run, write: _Write) -> None:
        """Take what runs work on the store's connection, and what does so in a transaction."""
        self._run, self._write = run, write

    async def grown(self) -> Grown:
        """Return how far the tree was built."""

        def work(connection: sqlite3.Connection) -> Grown:
            found = cast("tuple[int, int] | None", connection.execute("SELECT size, number FROM log_state").fetchone())
            return Grown() if found is None else Grown(size=found[0], number=found[1])

        return await self._run(work, brief=True)

    async def after(self, number: int, *, limit: int) -> Sequence[Leaf]:
        """Return the leaves of later events, in order, at most `limit`."""
        return await self._run(lambda connection: _leaves(connection, AFTER, number, limit))

    async def of(self, handoff_id: str) -> Sequence[Leaf]:
        """Return the leaves of one handoff, in order."""
        return await self._run(lambda connection: _leaves(connection, _OF, storable(handoff_id)))

    async def lines(self, handoff_ids: Sequence[str]) -> Sequence[Lined]:
        """Return all lines of some handoffs with their leaves, in order."""
        sql = f"{_LINES} WHERE handoff_id IN ({', '.join('?' * len(handoff_ids))}) ORDER BY number"
        ids = [storable(each) for each in handoff_ids]
        return await self._run(lambda connection: [lined(row) for row in connection.execute(sql, ids)])

    async def tile(self, level: int, place: int) -> Tile | None:
        """Return a tile, as wide as it is."""
        return await self._tile(f"{_TILE} WHERE level = ? AND place = ?", level, place)

    async def tile_of(self, number: int) -> Tile | None:
        """Return the tile of level 0 that has the leaf of this event; None if the tree was not built that far."""
        return await self._tile(
            f"{_TILE} WHERE level = 0 AND first_number <= ?1 AND (SELECT number FROM log_state) >= ?1 "  # noqa: S608
            "ORDER BY first_number DESC LIMIT 1",
            number,
        )

    async def grow(self, before: Grown, after: Grown, tiles: Sequence[Tile], made: Sequence[Leaf]) -> bool:
        """Write the tiles of a tree that grew, and the leaves that were `made` for events without one.

        Returns False, and writes nothing, if the tree is not as it was `before`: another process was faster.
        """

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            connection.execute(_FIRST)
            grown = connection.execute(_GROW, (after.size, after.number, before.size, before.number)).rowcount == 1
            if grown:
                connection.executemany(_MADE, [(each.text, each.salt, each.number) for each in made])
                rows = [(each.level, each.place, each.hashes, each.first_number) for each in tiles]
                connection.executemany(_WRITE, rows)
            return grown, []

        # Durable, and with it all that was recorded before: a head that somebody keeps must be there after a power cut.
        return await self._write(work)

    async def _tile(self, sql: str, *parameters: int) -> Tile | None:
        def work(connection: sqlite3.Connection) -> Tile | None:
            found = cast("tuple[int, int, bytes, int] | None", connection.execute(sql, parameters).fetchone())
            if found is None:
                return None
            level, place, hashes, first_number = found
            return Tile(level=level, place=place, hashes=hashes, first_number=first_number)

        return await self._run(work, brief=True)


def _leaves(connection: sqlite3.Connection, sql: str, *parameters: str | int) -> list[Leaf]:
    rows = cast("list[tuple[int, str, str, str]]", connection.execute(sql, parameters).fetchall())
    return [Leaf(number=number, handoff_id=handoff, text=text, salt=salt) for number, handoff, text, salt in rows]
