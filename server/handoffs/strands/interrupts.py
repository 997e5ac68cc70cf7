"""Interrupts of a wait for a person: Ctrl-C, in any thread, as a signal or a key; and any exception.

Strands runs an agent in a thread, and the main thread, which alone hears of Ctrl-C, waits for that thread to be done.
So the first Ctrl-C would change nothing until the person has answered. Here it ends the waits first; then the thread
is done, and KeyboardInterrupt reaches the program as ever. Another exception, which a signal's handler raises in the
main thread, is noticed by the thread that is waited for. The questions stay open in the store.
"""

import _thread
import inspect
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from types import FrameType, TracebackType
from typing import Self, cast
from weakref import ReferenceType

_waits: set["Wait"] = set()


class Wait(threading.Event):
    """The cancel signal of one call, for as long as the `with` block lasts: set by Ctrl-C, or by the caller's own."""

    def __init__(self, callers: threading.Event | None) -> None:
        """Take the caller's own signal, which is only read: what is ours must not cancel the agent's next call."""
        super().__init__()
        self._callers = callers
        self._pool = _pool_of_this_thread()
        self.handoff_id: str | None = None
        """The id of the handoff that this call waits for; None until it is known."""

    def is_set(self) -> bool:
        """Say whether the wait is to end."""
        if self._pool is not None and self._pool.left:
            self.set()
        return self.interrupted or (self._callers is not None and self._callers.is_set())

    @property
    def interrupted(self) -> bool:
        """Whether it was Ctrl-C that ended it, or another exception in the program that waits."""
        return super().is_set()

    def __enter__(self) -> Self:
        _waits.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _waits.discard(self)


class _Pool:
    """The pool of threads in one of which Strands runs a call, while the program's own thread waits for it."""

    def __init__(self, executor: ReferenceType[ThreadPoolExecutor]) -> None:
        self._executor = executor

    @property
    def left(self) -> bool:
        """Whether the program has left it before the call was done: an exception ended its wait, `signal.alarm` say.

        It is caught at the end of the pool's `with` block, which waits for this very call.
        """
        executor = self._executor()
        return executor is None or bool(getattr(executor, "_shutdown", False))


def _pool_of_this_thread() -> _Pool | None:
    """Return the pool that runs this thread, where it is one's. CPython keeps it in the thread's outermost function."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "_worker" and frame.f_globals.get("__name__") == "concurrent.futures.thread":
            executor = cast("object", frame.f_locals.get("executor_reference"))
            if not isinstance(executor, ReferenceType):
                return None
            return _Pool(cast("ReferenceType[ThreadPoolExecutor]", executor))
        frame = frame.f_back
    return None


def listen_for_ctrl_c() -> None:
    """Let Ctrl-C end the waits, unless the program handles it itself, or this is not the main thread."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _on_sigint)


def press_ctrl_c() -> None:
    """Do what Ctrl-C does, for a prompt that got it as a key: end the waits, and let the main thread hear of it."""
    _end_waits()
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        # Only a real signal wakes a main thread that waits for a lock.
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _on_sigint(number: int, frame: FrameType | None) -> None:
    _end_waits()
    signal.default_int_handler(number, frame)


def _end_waits() -> None:
    for wait in tuple(_waits):
        wait.set()
