"""asyncpg, as far as a store uses it: typed, imported when it is needed, with every connection set up the same way."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Protocol, TypeAlias, cast

import anyio

from handoffs.core.errors import StoreError
from handoffs.store.postgres.address import Address

AT_ONCE = 8
"""The most connections of one store, without the one that listens."""

STATEMENT_SECONDS = 10
"""How long the server works on one statement before it gives up."""

Cell: TypeAlias = object
Row: TypeAlias = Sequence[Cell]


class Connection(Protocol):
    """One connection. Every statement outside `transaction` is a transaction of its own."""

    async def fetch(self, query: str, /, *args: object) -> Sequence[Row]:
        """Return the rows of a statement."""
        ...

    async def execute(self, query: str, /) -> str:
        """Run one or more statements without parameters."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Return a block whose statements are committed together, or not at all."""
        ...

    def terminate(self) -> None:
        """Close it at once, whatever it is doing."""
        ...


class Listener(Connection, Protocol):
    """A connection outside the pool, which receives notifications."""

    async def add_listener(self, channel: str, callback: Callable[[object, int, str, str], None], /) -> None:
        """Call back with every payload of a channel."""
        ...

    def add_termination_listener(self, callback: Callable[[object], None], /) -> None:
        """Call back once the connection is closed, by either side."""
        ...

    async def close(self, *, timeout: float) -> None:
        """Close it in an orderly way."""
        ...


class Pool(Protocol):
    """A pool of connections."""

    async def acquire(self) -> Connection:
        """Return a connection, a new one if needed."""
        ...

    async def release(self, connection: Connection, /) -> None:
        """Give a connection back."""
        ...

    async def expire_connections(self) -> None:
        """Replace all current connections before they are used again."""
        ...

    async def close(self) -> None:
        """Wait for the connections in use, and close all."""
        ...

    def terminate(self) -> None:
        """Close all at once."""
        ...


async def connect(address: Address) -> Listener:
    """Return a connection outside the pool."""
    asyncpg = _asyncpg()
    made = await asyncpg.connect(address.dsn, timeout=address.connect_seconds, server_settings=_NAMED)
    connection = cast("Listener", made)
    try:
        await _set_up(connection, address)
    except BaseException:  # raised again: the connection would stay open
        connection.terminate()
        raise
    return connection


async def make_pool(address: Address) -> Pool:
    """Return a pool, which connects when a connection is first acquired."""
    asyncpg = _asyncpg()

    async def nothing(_: object) -> None:
        # The driver would reset each connection, with a round trip. There is nothing to reset: no transaction, cursor,
        # setting or lock of ours outlives its statement.
        return

    async def set_up(connection: Connection) -> None:
        await _set_up(connection, address)

    made = await asyncpg.create_pool(
        address.dsn,
        min_size=0,
        max_size=AT_ONCE,
        reset=nothing,
        init=set_up,
        timeout=address.connect_seconds,
        server_settings=_NAMED,
    )
    return cast("Pool", made)


async def leave(connection: Listener) -> None:
    """Close a connection, by force if it does not answer."""
    with anyio.CancelScope(shield=True), suppress(Exception):
        await connection.close(timeout=1)
    connection.terminate()


# The only setting sent while connecting: poolers refuse a connection that asks for more at its start.
_NAMED = {"application_name": "handoffs"}

_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    # The statements are short; JIT compilation takes longer than running them.
    "jit": "off",
    # If a connection is cut, the server closes its end within a minute, and releases its locks.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


async def _set_up(connection: Connection, address: Address) -> None:
    wanted = [f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items()]
    ours = [setting for name, setting in zip(_SETTINGS, wanted, strict=True) if name not in address.settings]
    # A commit must be on disk, even if the database's default trades that for speed.
    durable = "set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    await connection.execute("; ".join(f"SELECT {each}" for each in (", ".join(ours), durable) if each))


class _Driver(Protocol):
    async def connect(self, dsn: str, /, *, timeout: float, server_settings: dict[str, str]) -> object: ...

    def create_pool(self, dsn: str, /, **options: object) -> "asyncio.Future[object]": ...


def _asyncpg() -> _Driver:
    # Imported here: a server on stdio must answer `initialize` before it loads a store.
    try:
        import asyncpg
    except ImportError:
        from handoffs.extras import command_to_add

        raise StoreError(f"A store on PostgreSQL needs the extra postgres: {command_to_add('postgres')}") from None
    return cast("_Driver", asyncpg)
