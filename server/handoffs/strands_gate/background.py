"""An event loop in a thread of its own: each call of a Strands agent runs in another loop, and the store needs one.

The thread starts when it is first needed, and ends with the program: what is held then is not run, and what was
answered is noted before.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")
R = TypeVar("R")


class Background(Generic[R]):
    """What `opened` yields, in its thread."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[R]]) -> None:
        """Take what opens it; nothing is started yet."""
        self._opened = opened
        self._lock = threading.Lock()
        self._running: _Running[R] | None = None

    async def run(self, work: Callable[[R], Coroutine[Any, Any, T]]) -> T:
        """Run work in the thread, from any other loop, and return what it returns. It is cancelled with its caller."""
        running = await self._started()
        return await asyncio.wrap_future(running.submit(work))

    async def call(self, work: Callable[[R], T]) -> T:
        """Call a function in the thread, and return what it returns. It is called also when the caller is cancelled."""
        running = await self._started()
        return await asyncio.shield(asyncio.wrap_future(running.submit(_coroutine(work))))

    def soon(self, work: Callable[[R], object]) -> None:
        """Have a function called in the thread, and do not wait for it. Without a thread nothing happens.

        It takes no lock: the garbage collector calls it, in a thread that may hold one.
        """
        if (running := self._running) is not None:
            with suppress(RuntimeError):  # it has ended
                running.loop.call_soon_threadsafe(running.start, work)

    def close(self) -> None:
        """End the thread, and wait until it has ended. The next work starts another."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.stop()

    async def _started(self) -> "_Running[R]":
        return self._running or await asyncio.to_thread(self._start)

    def _start(self) -> "_Running[R]":
        with self._lock:
            if self._running is None:
                self._running = _Running(self._opened)
            return self._running


class _Running(Generic[R]):
    loop: asyncio.AbstractEventLoop
    resource: R

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[R]]) -> None:
        self._opened = opened
        self._lock, self._stopped = threading.Lock(), False
        self._submitted: set[concurrent.futures.Future[Any]] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        # Not a daemon: the interpreter waits until the notes are in the store.
        self._thread = threading.Thread(target=self._serve, name="handoffs: gate")
        self._thread.start()
        self._ready.result()
        threading.Thread(target=self._stop_after_program, name="handoffs: gate's end", daemon=True).start()

    def submit(self, work: Callable[[R], Coroutine[Any, Any, T]]) -> concurrent.futures.Future[T]:
        """Have work done in the thread; once that has ended, the work fails."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._lock:
            if self._stopped:
                future.set_exception(RuntimeError("the gate was closed"))
                return future
            future = asyncio.run_coroutine_threadsafe(work(self.resource), self.loop)
            self._submitted.add(future)
        future.add_done_callback(self._submitted.discard)
        return future

    def start(self, work: Callable[[R], object]) -> None:
        """Call a function in a task, from within the thread."""
        task = self.loop.create_task(_coroutine(work)(self.resource))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        with self._lock:
            first, self._stopped = not self._stopped, True
        if first:
            with suppress(RuntimeError):  # it has failed before
                self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        for future in [*self._submitted]:  # what the loop did not come to: nobody shall wait for it
            with suppress(concurrent.futures.InvalidStateError):
                future.set_exception(RuntimeError("the gate was closed"))

    def _serve(self) -> None:
        try:
            anyio.run(self._main)
        except BaseException as error:  # who waits for the start must hear of it
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _main(self) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._opened() as self.resource:
            self._ready.set_result(None)
            await self._stop.wait()

    def _stop_after_program(self) -> None:
        threading.main_thread().join()
        self.stop()


def _coroutine(work: Callable[[R], T]) -> Callable[[R], Coroutine[Any, Any, T]]:
    """Return a function as one of a coroutine: what it calls may start tasks, which takes one."""

    async def called(resource: R) -> T:
        return work(resource)

    return called
