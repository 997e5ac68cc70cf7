"""What every test may use."""

import os
import sys

import pytest
from hypothesis import settings

from tests.dated import is_dated

# Hundreds of tests start Python anew. Where it is told to keep no bytecode, as in many containers, each of those
# processes would compile some thousand modules again: half of the time that all tests take.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# An example that Hypothesis sees take a fifth of a second by the clock on the wall has mostly waited for what else the
# machine does. Five are slow.
settings.register_profile("a busy machine", deadline=5000)
settings.load_profile("a busy machine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio: the terminal and the store's driver run on no other."""
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make test` repeat what takes place on the samples' day, on another day."""
    parser.addoption("--dated", action="store_true", help="only the tests with samples of tests/days.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--dated"):
        return
    others = [item for item in items if not is_dated(item.path, getattr(item, "originalname", None) or item.name)]
    items[:] = [item for item in items if item not in set(others)]
    config.hook.pytest_deselected(items=others)
