"""The inbox in the browser, there without having been started: a server that has to reach a person sees to it.

It runs in a process of its own, which outlives the server that started it: one for each store, whoever comes first.
That process shows its page to the person when it starts, since the way in is not for the server, and still less for
the agent, to know.
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
"""How long to wait for an inbox that is being started. One that comes later is found the next time."""

LOOK_SECONDS = 0.05


class BackgroundInbox:
    """Leads a person to the inbox of a store, and starts it where none runs."""

    def __init__(self, *, store: Path | Remote, data: Path) -> None:
        """Take the store, and the folder in which handoffs keeps what it was given. Nothing is started yet."""
        self._store = str(store.absolute()) if isinstance(store, Path) else store.url
        self._place = InboxRecord(store=store, data=data)
        self._started: list[subprocess.Popen[bytes]] = []
        self._complained = False

    async def invite(self, handoff: Handoff) -> str | None:
        """See that an inbox runs, and return the address of the handoff there, which signs nobody in.

        Returns None where none could be started; that is logged, once.
        """
        try:
            running = await self._see_that_it_runs(handoff)
        except OSError as error:
            self._complain(error.strerror or type(error).__name__)
            return None
        if running is None:
            self._complain(f"it did not start; see {self._place.log}")
            return None
        return running.address(handoff.id)

    async def _see_that_it_runs(self, handoff: Handoff) -> Running | None:
        self._place.make()
        # Of many servers that need one in the same moment, one starts it and the others wait: ten interpreters that
        # start at once keep a small machine busy for seconds.
        turn: FileLock | None = None
        started: subprocess.Popen[bytes] | None = None
        try:
            with anyio.move_on_after(START_SECONDS):
                while (running := await anyio.to_thread.run_sync(self._place.running)) is None:
                    turn = turn or self._place.claim("starting")
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
        # Those that have ended are let go of; until then they are children of ours, whom somebody must ask.
        self._started = [process for process in self._started if process.poll() is None]
        log = os.open(self._place.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "handoffs", "inbox", "--background", "--handoff", handoff.id],
                env={**os.environ, "HANDOFFS_STORE": self._store},
                # Not in the agent's folder, whose files Python would take for modules and whose `.env` for settings.
                cwd=self._place.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # what ends the server, or closes its terminal, does not end the inbox
                creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
            )
        finally:
            os.close(log)
        self._started.append(process)
        return process

    def _complain(self, why: str) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("The inbox can't be had (%s); questions stay open for `handoffs answer`.", why)
