"""What every test may use."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio: the terminal and the store's driver run on no other."""
    return "asyncio"
