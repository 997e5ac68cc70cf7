"""The table of engines: the scheme of an address, and the engine that serves it. A new engine is a folder and a row.

An engine is imported when its store is used. If it needs other packages, an extra installs them.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from handoffs.core.ports import Store, Tokens

if TYPE_CHECKING:
    from handoffs.clock import SystemClock
    from handoffs.store.copying import Target
    from handoffs.store.pruning import Age

ENGINES: Mapping[str, str] = {
    "sqlite": "handoffs.store.sqlite.engine:ENGINE",
    "postgresql": "handoffs.store.postgres.engine:ENGINE",
    "postgres": "handoffs.store.postgres.engine:ENGINE",
}
"""Import strings of an `Engine`, by the scheme of an address. A path alone is SQLite's."""


class ServerAddress(Protocol):
    """The address of a store on a server. As text, it shows no password."""

    @property
    def scheme(self) -> str:
        """The scheme of its engine: a key of `ENGINES`."""
        ...

    @property
    def url(self) -> str:
        """The URL as it was written, with the password."""
        ...

    @property
    def identity(self) -> str:
        """What identifies this store, the same for all users who connect to it."""
        ...


StoreAddress: TypeAlias = Path | ServerAddress
"""Where a store is: the file of a SQLite store, or the address of a store on a server."""


class OpenStore(Store, AbstractAsyncContextManager["OpenStore"], Protocol):
    """A store, with tokens beside its handoffs; closed at the end of its block."""

    @property
    def tokens(self) -> Tokens:
        """The tokens for calls over HTTP."""
        ...


class Pruning(Protocol):
    """Removes old handoffs. Every method raises StoreError."""

    async def count(self) -> int:
        """Return how many handoffs are too old."""
        ...

    async def remove(self) -> int:
        """Remove a batch of them for good, and return how many; 0 once none are left."""
        ...


class Engine(Protocol):
    """One kind of store."""

    title: str
    """The name that people see."""
    extra: str
    """The extra that installs the packages it needs; empty if it needs none."""
    needs: str
    """The import name of the package that the extra installs."""

    def address(self, written: str) -> StoreAddress:
        """Return the address that a person wrote. Raises ValueError, which shows no password."""
        ...

    def open(self, address: StoreAddress, clock: "SystemClock | None") -> OpenStore:
        """Return the store at an address, not yet opened. When opened, it sets the offset of `clock`."""
        ...

    def endpoint(self, address: StoreAddress, *, now: int, target: bool) -> AbstractAsyncContextManager["Target"]:
        """Return the store as one side of a copy, written if it is the `target`; `now` is in microseconds."""
        ...

    def pruning(self, address: StoreAddress, age: "Age") -> Pruning:
        """Return the pruning of a store."""
        ...

    async def migrate(self, address: StoreAddress) -> tuple[int, int]:
        """Create a store, or bring it up to date. Returns its migrations before and after. Raises StoreError."""
        ...


@cache
def engine_named(scheme: str) -> Engine:
    """Return the engine of a scheme. Raises KeyError if there is none."""
    module, _, name = ENGINES[scheme].partition(":")
    return cast("Engine", getattr(import_module(module), name))


def engine_of(address: StoreAddress) -> Engine:
    """Return the engine of the store at an address."""
    return engine_named("sqlite" if isinstance(address, Path) else address.scheme)
