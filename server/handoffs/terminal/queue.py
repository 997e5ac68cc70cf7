"""The queue of prompts: one question at a time, first come, first served, across threads and event loops.

Several MCP clients, each with a loop in a thread of its own, share the one terminal of their process.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future, InvalidStateError
from contextlib import asynccontextmanager


class PromptQueue:
    """A queue across threads. The first entry has the turn."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: list[Future[None]] = []

    @property
    def behind(self) -> int:
        """How many wait behind the first."""
        return max(len(self._queue) - 1, 0)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for the turn, and hold it while the block lasts. A waiter may be cancelled."""
        mine: Future[None] = Future()
        with self._guard:
            self._queue.append(mine)
            self._call_first()
        try:
            await asyncio.wrap_future(mine)
            yield
        finally:
            with self._guard:
                self._queue.remove(mine)
                self._call_first()

    def _call_first(self) -> None:
        if self._queue and not self._queue[0].done():
            try:
                self._queue[0].set_result(None)
            except InvalidStateError:
                # Cancelled at this moment in its own thread: it is about to leave the queue, and then wakes the next.
                return


PROMPT_QUEUE = PromptQueue()
"""The queue of this process, which has one terminal."""
