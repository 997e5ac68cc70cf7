"""Runs the work on a SQLite connection: on a thread of its own, or on the event loop's thread if that costs nothing.

- A job is a function of the connection. It runs to its end even if its caller is cancelled.
- Jobs run one at a time: two threads never use the connection at once.
- A brief job (one small transaction) runs at once on the loop's thread if no other job is under way: handing it over
  and being woken costs as much as the job itself. The loop is not blocked: if another process has the lock, the job
  goes to the thread instead of waiting, and after a job that took longer than `SLOW_SECONDS`, the next ones go to the
  thread for `PAUSE` times as long. So a slow disk takes at most a tenth of the loop's time.
- All other jobs go to the thread.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from asyncio import Future

T = TypeVar("T")

SLOW_SECONDS = 0.005
"""A brief job that takes longer is too slow for the loop: the disk is busy or slow."""

PAUSE = 10
"""After a slow job, the next ones go to the thread for this many times its duration."""

Job: TypeAlias = Callable[[sqlite3.Connection], T]
Then: TypeAlias = Callable[[T], None]

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Worker:
    """Runs jobs on one connection. `open` starts its thread."""

    def __init__(self, *, busy_seconds: float, slow_seconds: float = SLOW_SECONDS) -> None:
        """Take how long a job on the thread waits for a lock, and the limit for slow jobs on the loop."""
        self._busy = int(busy_seconds * 1000)
        self._slow = slow_seconds
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._waits = True  # whether the connection waits for locks; set before each use
        self._under_way = 0  # jobs that the thread has, or will get at once
        self._on_thread_until = 0.0
        # A daemon: otherwise a process that fails before it closes its store would wait for this thread when it exits.
        self._thread = threading.Thread(target=self._serve, name="handoffs: store", daemon=True)

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Start the thread and connect in it. Raises what `connect` raises; then the thread has ended."""
        self._thread.start()
        try:
            self._connection = await self._hand_over(connect, None)
        except BaseException:
            self._end()
            raise

    async def run(self, job: Job[T], *, brief: bool = False, then: Then[T] | None = None) -> T:
        """Return what a job returns; `then` is called with it on the loop, even if the caller was cancelled."""
        connection = self._connection
        assert connection is not None
        if brief and not self._under_way and time.monotonic() >= self._on_thread_until:
            with contextlib.suppress(_Locked):
                result = self._at_once(job, connection)
                if then is not None:
                    then(result)
                return result
        return await self._hand_over(lambda: job(self._waiting(connection, True)), then)

    async def aclose(self) -> None:
        """Close the connection once all jobs are done, and end the thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._hand_over(connection.close, None)
        self._end()

    def _at_once(self, job: Job[T], connection: sqlite3.Connection) -> T:
        began = time.monotonic()
        try:
            return job(self._waiting(connection, False))
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY:
                raise _Locked from error
            raise
        finally:
            now = time.monotonic()
            if now - began > self._slow:
                self._on_thread_until = now + PAUSE * (now - began)

    def _waiting(self, connection: sqlite3.Connection, waits: bool) -> sqlite3.Connection:
        if waits is not self._waits:
            self._waits = waits
            connection.execute(f"PRAGMA busy_timeout = {self._busy if waits else 0}")
        return connection

    async def _hand_over(self, work: Callable[[], T], then: Then[T] | None) -> T:
        loop = asyncio.get_running_loop()
        future: Future[T] = loop.create_future()

        def job() -> None:
            result: T | None = None
            failure: BaseException | None = None
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - any error belongs to the caller
                failure = error
            # A closed loop has no waiters.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle, future, cast("T", result), failure, then)

        self._under_way += 1
        self._jobs.put(job)
        return await future

    def _settle(self, future: "Future[T]", result: T, failure: BaseException | None, then: Then[T] | None) -> None:
        self._under_way -= 1
        if failure is None and then is not None:
            then(result)
        if future.cancelled():
            return
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _end(self) -> None:
        # Joined: a thread that ends after the loop was closed would print a traceback. It has no job left.
        self._jobs.put(None)
        self._thread.join()


class _Locked(Exception):
    """Another connection holds the lock."""
