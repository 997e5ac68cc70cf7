"""Waiting for what comes about in its own time, where no event says that it has."""

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

import anyio

T = TypeVar("T")

SECONDS = 120.0


@overload
async def until(
    read: Callable[[], Awaitable[T | None]], *, seconds: float = ..., meanwhile: Callable[[], object] | None = ...
) -> T: ...
@overload
async def until(
    read: Callable[[], Awaitable[T]],
    right: Callable[[T], object],
    *,
    seconds: float = ...,
    meanwhile: Callable[[], object] | None = ...,
) -> T: ...
@overload
async def until(
    read: Callable[[], T | None], *, seconds: float = ..., meanwhile: Callable[[], object] | None = ...
) -> T: ...
@overload
async def until(
    read: Callable[[], T],
    right: Callable[[T], object],
    *,
    seconds: float = ...,
    meanwhile: Callable[[], object] | None = ...,
) -> T: ...
async def until(
    read: Callable[[], Any],
    right: Callable[[Any], object] = bool,
    *,
    seconds: float = SECONDS,
    meanwhile: Callable[[], object] | None = None,
) -> Any:
    """Read again and again, until what was read is right (or true), and return it.

    Between two readings, `meanwhile` is called, as to put a clock of the test forward. If nothing right is read within
    the seconds given, the test fails.
    """
    found: Any = None
    with anyio.move_on_after(seconds):
        while True:
            found = read()
            if inspect.isawaitable(found):
                found = await found
            if right(found):
                return found
            if meanwhile is not None:
                meanwhile()
            await anyio.sleep(0.001 if meanwhile else 0.01)
    raise TimeoutError(f"within {seconds} s, nothing right was read; the last was {found!r}")


def until_there(read: Callable[[], T | None], *, seconds: float = SECONDS) -> T:
    """The same for what runs in no event loop."""
    give_up = time.monotonic() + seconds
    while not (found := read()):
        if time.monotonic() > give_up:
            raise TimeoutError(f"within {seconds} s, nothing was read")
        time.sleep(0.02)
    return found
