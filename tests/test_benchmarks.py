"""The benchmarks run: what they measure is nobody's to test, but one that can't be measured says nothing."""

import subprocess
import sys

import pytest

from tests.store.postgres_server import cluster


@pytest.mark.parametrize("name", ["throughput"])
def test_what_speaks_to_the_database_past_the_store_still_speaks_its_words(name: str) -> None:
    cluster()  # there is none without PostgreSQL
    command = [sys.executable, "-m", "benchmarks", "--quick", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert "could not be measured" not in done.stdout + done.stderr
    assert "opened and answered, 2 servers on one PostgreSQL" in done.stdout
