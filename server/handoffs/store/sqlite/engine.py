"""SQLite as one of the engines: a store is a file."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio.to_thread

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
        """Return the path that `sqlite:///…` or a path alone means. Raises ValueError."""
        text = written.strip()
        scheme, mark, rest = text.partition("://")
        if mark and scheme.lower() == "sqlite":
            # As everywhere: three slashes and a path from here, or a fourth that begins the path from the root.
            if not rest.startswith("/") or "?" in rest:
                raise ValueError("written as sqlite:///handoffs.db or sqlite:////folder/handoffs.db, without options")
            text = rest[1:]
        if text in {"", ":memory:"} or "\0" in text:
            raise ValueError("a store must be a file: a question outlives the process that asked it")
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise ValueError("nobody knows where ~ is here") from None

    def open(self, address: "StoreAddress", clock: "SystemClock | None") -> "SqliteStore":
        """Return the store in a file, which nothing has opened yet."""
        from handoffs.store.sqlite.store import SqliteStore

        return SqliteStore(cast("Path", address), clock=clock)

    def endpoint(self, address: "StoreAddress", *, now: int, target: bool) -> "SqliteEndpoint":
        """Return the store as a copy reads or writes it."""
        from handoffs.store.sqlite.copying import SqliteEndpoint

        return SqliteEndpoint(cast("Path", address), now=now, target=target)

    def pruning(self, address: "StoreAddress", age: "Age") -> "SqlitePruning":
        """Return what removes what is too old."""
        from handoffs.store.sqlite.pruning import SqlitePruning

        return SqlitePruning(cast("Path", address), age)

    async def migrate(self, address: "StoreAddress") -> tuple[int, int]:
        """Bring a file up to date, or make it; return how many migrations it had, and has. Raises StoreError."""
        from handoffs.store.sqlite import file

        path = cast("Path", address)

        def work() -> tuple[int, int]:
            before = file.layout(path)
            file.connect(path).close()
            return before, file.layout(path)

        return await anyio.to_thread.run_sync(work)


ENGINE = SqliteEngine()
