"""The SQLite engine: a store is a file."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from handoffs.clock import SystemClock
    from handoffs.store import StoreAddress
    from handoffs.store.pruning import Age
    from handoffs.store.sqlite.copying import SqliteEndpoint
    from handoffs.store.sqlite.pruning import SqlitePruning
    from handoffs.store.sqlite.store import SqliteStore


class SqliteEngine:
    """Stores in files."""

    title, extra, needs = "SQLite", "", ""

    def address(self, written: str) -> Path:
        """Return the path of `sqlite:///…`, or of a plain path. Raises ValueError."""
        text = written.strip()
        scheme, mark, rest = text.partition("://")
        if mark and scheme.lower() == "sqlite":
            # As usual: three slashes and a relative path, or a fourth slash that begins an absolute one.
            if not rest.startswith("/") or "?" in rest:
                raise ValueError("written as sqlite:///handoffs.db or sqlite:////folder/handoffs.db, without options")
            text = rest[1:]
        if text in {"", ":memory:"} or "\0" in text:
            raise ValueError("a store must be a file: a question outlives the process that asked it")
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise ValueError("the home folder ~ is not known here: write the whole path") from None

    def open(self, address: "StoreAddress", clock: "SystemClock | None") -> "SqliteStore":
        """Return the store in a file, not yet opened."""
        from handoffs.store.sqlite.store import SqliteStore

        return SqliteStore(cast("Path", address), clock=clock)

    def endpoint(self, address: "StoreAddress", *, now: int, target: bool) -> "SqliteEndpoint":
        """Return the store as one side of a copy."""
        from handoffs.store.sqlite.copying import SqliteEndpoint

        return SqliteEndpoint(cast("Path", address), now=now, target=target)

    def pruning(self, address: "StoreAddress", age: "Age") -> "SqlitePruning":
        """Return the pruning of a store."""
        from handoffs.store.sqlite.pruning import SqlitePruning

        return SqlitePruning(cast("Path", address), age)

    async def migrate(self, address: "StoreAddress") -> tuple[int, int]:
        """Create or migrate a file. Returns the migrations before and after. Raises StoreError."""
        import anyio.to_thread

        from handoffs.store.sqlite import file

        path = cast("Path", address)

        def work() -> tuple[int, int]:
            before = file.layout(path)
            file.connect(path).close()
            return before, file.layout(path)

        return await anyio.to_thread.run_sync(work)


ENGINE = SqliteEngine()
