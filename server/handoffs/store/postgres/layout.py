"""The tables of a PostgreSQL store: recognized, created and migrated, with any number of servers starting at once."""

from hashlib import sha256
from pathlib import Path
from typing import cast

from handoffs.core.errors import StoreCorrupt, StoreError, StoreTooNew
from handoffs.store.postgres.address import Address
from handoffs.store.postgres.driver import Connection

MIGRATIONS = Path(__file__).with_name("migrations")

_TABLES = (
    "handoffs", "events", "claims", "tokens", "pins", "grants", "stops",
    "people", "absences", "passkeys", "invitations", "inbox_sessions", "recoveries",
    "kept_leaves", "log_began", "log_tiles", "log_state",
    "chats", "chat_messages", "chat_codes", "chat_holds", "attachments",
)  # fmt: skip
_OLDEST = 120000  # MATERIALIZED


def lock_key(purpose: str, schema: str) -> int:
    """Return the number of an advisory lock, for one purpose and store. They are shared by the whole database."""
    return int.from_bytes(sha256(f"handoffs {purpose} {schema}".encode()).digest()[:8], signed=True)


async def bring_up_to_date(connection: Connection, address: Address, *, half_copied: bool = False) -> tuple[int, int]:
    """Create the tables, or migrate them to this version. Returns their migrations before and after.

    A store with an unfinished copy is refused, unless `half_copied`: its layout has a negative version.

    Raises:
        StoreTooNew: A newer version made them.
        StoreCorrupt: Another program's tables have these names.
        StoreError: The server or the database is not suitable.
    """
    await _suitable(connection, address)
    scripts = sorted(MIGRATIONS.glob("[0-9]*.sql"))
    key = lock_key("layout", address.schema)
    found = await _version(connection, address, known=len(scripts))
    if found < 0 and not half_copied:
        raise StoreError(
            f"The store {address.shown} is half a copy: `handoffs db copy` into its schema {address.schema} has not "
            "finished. Run the same command again, and it goes on where it stopped; or drop that schema."
        )
    sign, version = (-1 if found < 0 else 1), abs(found)
    while version < len(scripts):
        async with connection.transaction():
            # The second server waits for the first, without a limit: migrating large tables takes time.
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute(f"SELECT pg_advisory_xact_lock({key})")
            version = abs(await _version(connection, address, known=len(scripts)))
            if version < len(scripts):
                if version == 0:
                    await _make_room(connection, address)
                await connection.execute(f'SET LOCAL search_path = "{address.schema}"')
                await connection.execute(scripts[version].read_text(encoding="utf-8"))
                version += 1
                await connection.execute(f"UPDATE handoffs_layout SET version = {sign * version}")  # noqa: S608
    return abs(found), version


async def _suitable(connection: Connection, address: Address) -> None:
    sql = "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')"
    ((version, encoding),) = await connection.fetch(sql)
    if cast("int", version) < _OLDEST:
        raise StoreError(f"The server of {address.shown} is too old: a store needs PostgreSQL 12 or newer.")
    if encoding != "UTF8":
        raise StoreError(
            f"The database {address.shown} has the encoding {encoding}, which can't hold every text. Make one with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )


async def _version(connection: Connection, address: Address, *, known: int) -> int:
    """Return the store's migrations; 0 if there is none, negative for half a copy."""
    if not await _there(connection, address, "handoffs_layout"):
        return 0
    ((version,),) = await connection.fetch(f'SELECT version FROM "{address.schema}".handoffs_layout')  # noqa: S608
    if abs(cast("int", version)) > known:
        raise StoreTooNew(
            f"The store {address.shown} has layout {version}, written by a newer version of handoffs; this one knows "
            f"layouts up to {known}. Upgrade this one, or set HANDOFFS_STORE to another database or ?schema=."
        )
    return cast("int", version)


async def _make_room(connection: Connection, address: Address) -> None:
    for table in _TABLES:
        if await _there(connection, address, table):
            raise StoreCorrupt(
                f"The schema {address.schema} of {address.shown} has a table {table} that is not a store's; it was "
                "left as it is. Name another schema in the URL: ?schema=NAME."
            )
    # IF NOT EXISTS alone needs the right to create schemas even if the schema exists.
    if not await connection.fetch("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", address.schema):
        await connection.execute(f'CREATE SCHEMA "{address.schema}"')


async def _there(connection: Connection, address: Address, table: str) -> bool:
    sql = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = $2"
    return bool(await connection.fetch(sql, address.schema, table))
