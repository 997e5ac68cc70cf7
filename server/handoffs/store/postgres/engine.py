"""The PostgreSQL engine: several machines share a store."""

from typing import TYPE_CHECKING, cast

from handoffs.core.errors import StoreError
from handoffs.store.postgres.address import Address, parse

if TYPE_CHECKING:
    from handoffs.clock import SystemClock
    from handoffs.store import StoreAddress
    from handoffs.store.postgres.copying import PostgresEndpoint
    from handoffs.store.postgres.pruning import PostgresPruning
    from handoffs.store.postgres.store import PostgresStore
    from handoffs.store.pruning import Age


class PostgresEngine:
    """Stores in databases. The driver is imported when one is used."""

    title, extra, needs = "PostgreSQL", "postgres", "asyncpg"

    def address(self, written: str) -> Address:
        """Return the address of a `postgresql://…` URL. Raises ValueError, which shows no password."""
        scheme, _, rest = written.strip().partition("://")
        try:
            return parse(f"{scheme.lower()}://{rest}")
        except StoreError as refused:
            raise ValueError(str(refused).removesuffix(".")) from None

    def open(self, address: "StoreAddress", clock: "SystemClock | None") -> "PostgresStore":
        """Return the store in a database, not yet connected."""
        from handoffs.store.postgres.store import PostgresStore

        return PostgresStore(cast("Address", address).url, clock=clock)

    def endpoint(self, address: "StoreAddress", *, now: int, target: bool) -> "PostgresEndpoint":
        """Return the store as one side of a copy."""
        from handoffs.store.postgres.copying import PostgresEndpoint

        return PostgresEndpoint(cast("Address", address), now=now, target=target)

    def pruning(self, address: "StoreAddress", age: "Age") -> "PostgresPruning":
        """Return the pruning of a store."""
        from handoffs.store.postgres.pruning import PostgresPruning

        return PostgresPruning(cast("Address", address), age)

    async def migrate(self, address: "StoreAddress") -> tuple[int, int]:
        """Create or migrate the tables. Returns the migrations before and after. Raises StoreError."""
        async with self.endpoint(address, now=0, target=False) as store:
            layouts = store.layouts
        async with self.open(address, None) as opened, opened.watch():
            return layouts  # also checks that changes by other servers arrive: no pooler in between


ENGINE = PostgresEngine()
