"""Keeps the tree of the verifiable log up to date while an inbox runs, and shows its head there."""

import logging
from pathlib import Path

import anyio

from handoffs.core.errors import StoreError
from handoffs.core.leaves import Grown
from handoffs.core.ports import Clock
from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.growing import grow, head, head_line
from handoffs.proof.keys import log_key
from handoffs.proof.refused import ProofRefused
from handoffs.store import OpenStore

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5
"""How long changes are gathered, so that the tree grows at most twice a second."""

RETRY_SECONDS = 30.0


class LogTree:
    """The tree of a store's log."""

    def __init__(self, store: OpenStore, clock: Clock, data_folder: Path, inbox_url: str | None) -> None:
        """Take the store, and where the key that signs its log is kept."""
        self._store, self._clock = store, clock
        self._data_folder, self._inbox_url = data_folder, inbox_url
        self._head: Checkpoint | None = None
        self._grown: Grown | None = None

    @property
    def line(self) -> str:
        """The head of the log as a line: how long it is, and its root. Empty until it was read."""
        return "" if self._head is None else head_line(self._head)

    async def checkpoint(self) -> bytes:
        """Return the signed checkpoint of all that was recorded until now. Raises StoreError."""
        try:
            key = await anyio.to_thread.run_sync(log_key, self._data_folder, self._inbox_url)
            await self._grow()
            head_now = await head(self._store, key.verifier.name, await self._store.leaves.grown())
            return head_now.signed(key)
        except (OSError, ProofRefused) as wrong:
            raise StoreError(f"The head of the log can't be signed: {wrong}") from None

    async def run(self) -> None:
        """Build the tree, within a second after each change, until cancelled."""
        told = ""
        while True:
            try:
                async with self._store.watch() as watch:
                    while True:
                        await self._grow()
                        told = ""
                        await watch.changed()
                        await self._clock.sleep(PAUSE_SECONDS)
            except Exception as wrong:  # noqa: BLE001 - the inbox must not end over its log, whatever the store holds
                said = str(wrong) if isinstance(wrong, ProofRefused | StoreError) else type(wrong).__name__
                if said != told:
                    logger.error("The tree of the log can't be built: %s", told := said)
                await self._clock.sleep(RETRY_SECONDS)

    async def _grow(self) -> None:
        grown = await grow(self._store)
        if grown != self._grown:
            self._head = await head(self._store, "-", grown)
            self._grown = grown
