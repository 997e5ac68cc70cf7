"""The conformance kit of AAIS, as its package has it, over both of our stores.

It checks that a place can keep the state of an AAIS authority: transactions, versions, damage, threads, processes. That
the records of our own decisions are AAIS, `tests/core/test_aais.py` checks.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aais.testing import BackendConformance

from tests.store.aais_backend import StoreBackend
from tests.store.backends import BACKENDS


class InStores(BackendConformance):
    """All checks of the kit, none left out."""

    kind = ""

    def make_backend(self) -> StoreBackend:
        folder = Path(tempfile.mkdtemp())
        self.add_cleanup(shutil.rmtree, folder)
        return StoreBackend(self.kind, BACKENDS[self.kind].address(folder))

    def reopen_backend(self, backend: Any) -> StoreBackend:
        return StoreBackend(backend.kind, backend.address)

    def corrupt_backend(self, backend: Any, raw: bytes) -> None:
        backend.put_raw(raw)

    def subprocess_backend_factory(self, backend: Any) -> tuple[Callable[..., StoreBackend], tuple[Any, ...]]:
        return StoreBackend, (backend.kind, backend.address)


class TestSqlite(InStores):
    kind = "sqlite"


class TestPostgres(InStores):
    kind = "postgres"
