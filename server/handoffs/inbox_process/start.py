"""Starting the inbox in the background, when a server has to reach a person.

The inbox runs in a process of its own, which outlives the server that started it: one for each store. When it starts,
it opens its page for the person itself, since the sign-in must not be known to the server, and still less to the agent.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

import anyio
from filelock import FileLock

from handoffs.core.model import Handoff
from handoffs.inbox_process.record import InboxRecord, Remote, Running

logger = logging.getLogger(__name__)

START_SECONDS = 5.0
"""How long to wait for an inbox that is starting. A slower one is found the next time."""

LOOK_SECONDS = 0.05


class BackgroundInbox:
    """Finds the inbox of a store, and starts it if none runs."""

    def __init__(self, *, store: Path | Remote, data: Path) -> None:
        """Take the store, and the data folder. Nothing is started yet."""
        self._store = str(store.absolute()) if isinstance(store, Path) else store.url
        self._record = InboxRecord(store=store, data=data)
        self._started: list[subprocess.Popen[bytes]] = []
        self._complained = False

    async def invite(self, handoff: Handoff) -> str | None:
        """Make sure that an inbox runs, and return the handoff's address there, which signs no one in.

        Returns None if it could not be started; that is logged, once.
        """
        try:
            running = await self._see_that_it_runs(handoff)
        except OSError as error:
            self._complain(error.strerror or type(error).__name__)
            return None
        if running is None:
            self._complain(f"it did not start; see {self._record.log}")
            return None
        return running.address(handoff.id)

    async def _see_that_it_runs(self, handoff: Handoff) -> Running | None:
        self._record.make()
        # Of several servers that need an inbox at once, one starts it and the others wait: ten interpreters that start
        # at once keep a small machine busy for seconds.
        turn: FileLock | None = None
        started: subprocess.Popen[bytes] | None = None
        try:
            with anyio.move_on_after(START_SECONDS):
                while (running := await anyio.to_thread.run_sync(self._record.running)) is None:
                    turn = turn or self._record.claim("starting")
                    if started is not None and started.poll():
                        return None
                    if turn is not None and started is None:
                        started = self._start(handoff)
                    await anyio.sleep(LOOK_SECONDS)
                return running
        finally:
            if turn is not None:
                turn.release()
        return None

    def _start(self, handoff: Handoff) -> subprocess.Popen[bytes]:
        # Forget the ones that have ended: until then, they are child processes that have to be polled.
        self._started = [process for process in self._started if process.poll() is None]
        log = os.open(self._record.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "handoffs", "inbox", "--background", "--handoff", handoff.id],
                env={**os.environ, "HANDOFFS_STORE": self._store},
                # Not in the agent's folder: Python would import modules from there, and settings come from its `.env`.
                cwd=self._record.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # the end of the server or its terminal does not end the inbox
                creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
            )
        finally:
            os.close(log)
        self._started.append(process)
        return process

    def _complain(self, why: str) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("The inbox can't be started (%s); questions stay open for `handoffs answer`.", why)
