"""A store of every engine, new for each test."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from handoffs.core.model import Handoff
from handoffs.store import OpenStore
from handoffs.store.sqlite.store import SqliteStore
from tests.store.backends import BACKENDS
from tests.store.samples import LONG_AGO, sample


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the test's store is, for this process and for others."""

    backend: str
    address: str

    def command(self, *command: str) -> tuple[str, ...]:
        """Return a command for `other_process`."""
        return (self.backend, self.address, *command)


@pytest.fixture(params=sorted(BACKENDS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    backend: str = request.param
    return Place(backend=backend, address=BACKENDS[backend].address(tmp_path))


@pytest.fixture
async def store(place: Place) -> AsyncGenerator[OpenStore]:
    async with BACKENDS[place.backend].connect(place.address) as store:
        yield store


@pytest.fixture
async def same_store(place: Place) -> AsyncGenerator[OpenStore]:
    """The same one, as another program has it open."""
    async with BACKENDS[place.backend].connect(place.address) as store:
        yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a SQLite store may be made, in a folder that is not there yet."""
    return tmp_path / "data" / "handoffs.db"


async def filled(path: Path, count: int = 1) -> list[Handoff]:
    """Make a store with some handoffs in it and close it."""
    async with SqliteStore(path) as store:
        return [await store.open(sample(f"Question {number}"), collect_after=LONG_AGO) for number in range(count)]
