"""The engines that the contract is tested on. Another one joins by its line in BACKENDS."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from handoffs.store import OpenStore
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.store import SqliteStore
from tests.store import postgres_server as postgres


@dataclass(frozen=True, kw_only=True)
class Backend:
    """How a new store is named, and how any process connects to the one of that name."""

    address: Callable[[Path], str]
    """Return the address of a store that nobody has used; the folder is the test's own."""
    connect: Callable[[str], AbstractAsyncContextManager[OpenStore]]


BACKENDS: Mapping[str, Backend] = {
    "postgres": Backend(address=postgres.new_store, connect=PostgresStore),
    "sqlite": Backend(
        address=lambda folder: str(folder / "data" / "handoffs.db"), connect=lambda address: SqliteStore(Path(address))
    ),
}
