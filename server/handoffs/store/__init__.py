"""The engines that keep a store, as a table: an address's scheme, and what serves it. A new one is a folder and a row.

An engine is imported when a store of its kind is used, and what it needs is an extra where that is not always there.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from handoffs.core.ports import Permissions, Store, Tokens

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
    """Where a store is that a server keeps. As text, what may be shown of it."""

    @property
    def scheme(self) -> str:
        """Which engine it is of: a key of `ENGINES`."""
        ...

    @property
    def url(self) -> str:
        """As it was written, with the password."""
        ...

    @property
    def identity(self) -> str:
        """What tells this store from every other, whoever connects to it."""
        ...


StoreAddress: TypeAlias = Path | ServerAddress
"""Where a store is: the file of one on SQLite, or the address of one that a server keeps."""


class OpenStore(Store, AbstractAsyncContextManager["OpenStore"], Protocol):
    """A store, with tokens and permissions beside its handoffs; closed at the end of its block."""

    @property
    def tokens(self) -> Tokens:
        """Who may call over HTTP."""
        ...

    @property
    def permissions(self) -> Permissions:
        """What a gate remembers."""
        ...


class Pruning(Protocol):
    """Removes what is too old. Every method raises StoreError."""

    async def count(self) -> int:
        """Return how many are too old."""
        ...

    async def remove(self) -> int:
        """Remove some of them for good, and return how many; 0 once there are none left."""
        ...


class Engine(Protocol):
    """What keeps stores of one kind."""

    title: str
    """What people call it."""
    extra: str
    """The extra that installs what it needs; empty where that is always there."""
    needs: str
    """The package that the extra installs, as it is imported."""

    def address(self, written: str) -> StoreAddress:
        """Return where a store is, from what a person wrote. Raises ValueError, which shows no password."""
        ...

    def open(self, address: StoreAddress, clock: "SystemClock | None") -> OpenStore:
        """Return the store at an address, which nothing has touched yet. It settles by which offset the clock goes."""
        ...

    def endpoint(self, address: StoreAddress, *, now: int, target: bool) -> AbstractAsyncContextManager["Target"]:
        """Return the store as a copy reads it, or writes it where it is the `target`; `now` is in microseconds."""
        ...

    def pruning(self, address: StoreAddress, age: "Age") -> Pruning:
        """Return what removes what is too old."""
        ...

    async def migrate(self, address: StoreAddress) -> tuple[int, int]:
        """Bring a store up to date, or make it; return how many migrations it had, and has. Raises StoreError."""
        ...


@cache
def engine_named(scheme: str) -> Engine:
    """Return the engine of a scheme. Raises KeyError: there is none."""
    module, _, name = ENGINES[scheme].partition(":")
    return cast("Engine", getattr(import_module(module), name))


def engine_of(address: StoreAddress) -> Engine:
    """Return the engine that keeps the store at an address."""
    return engine_named("sqlite" if isinstance(address, Path) else address.scheme)
