"""A store of PostgreSQL, straight and by way of a network that can be cut."""

from collections.abc import AsyncGenerator

import pytest

from tests.store.postgres_server import Cluster, cluster
from tests.store.relay import Relay, relay


@pytest.fixture
def server() -> Cluster:
    return cluster()


@pytest.fixture
def url(server: Cluster) -> str:
    return server.url()


@pytest.fixture
async def network(server: Cluster) -> AsyncGenerator[Relay]:
    async with relay(server.port) as made:
        yield made


@pytest.fixture
def through(url: str, server: Cluster, network: Relay) -> str:
    """The same store, by way of the network."""
    return url.replace(f":{server.port}/", f":{network.port}/")
