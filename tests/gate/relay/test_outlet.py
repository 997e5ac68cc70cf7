"""One end is written to by several tasks, over a real pipe: no line is cut, whoever is cancelled."""

import os
from collections.abc import Iterator

import anyio
import pytest

from handoffs.gate.relay.outlet import Outlet
from handoffs.wire import PipeWire
from tests.waiting import until

LONG = b"x" * 1_000_000 + b"\n"


class Pipe:
    """An outlet, and the end that its bytes come out of."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self.outlet = Outlet(PipeWire(self._out, self._in))
        self.got = b""

    def read(self) -> bool:
        """Read what there is; say whether there was anything."""
        try:
            data = os.read(self._out, 1_000_000)
        except BlockingIOError:
            return False
        self.got += data
        return True

    async def drain(self, enough: int) -> None:
        async def all_of_it() -> bool:
            self.read()
            return len(self.got) >= enough

        await until(all_of_it)

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


async def begin_and_cancel(pipe: Pipe, line: bytes) -> None:
    """Write a line that does not fit into the pipe, and be cancelled in the middle of it."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pipe.outlet.write, line)

        async def has_begun() -> bool:
            return pipe.read()

        await until(has_begun)
        tasks.cancel_scope.cancel()


async def test_a_line_whose_writer_is_cancelled_is_not_cut(pipe: Pipe) -> None:
    await begin_and_cancel(pipe, LONG)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pipe.outlet.write, b"second\n")
        await pipe.drain(len(LONG) + 7)
    assert pipe.got == LONG + b"second\n"


async def test_what_is_written_at_once_waits_for_the_rest_of_such_a_line(pipe: Pipe) -> None:
    await begin_and_cancel(pipe, LONG)
    rest = pipe.outlet.now(b"second\n")
    assert rest is not None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: rest)
        await pipe.drain(len(LONG) + 7)
    assert pipe.got == LONG + b"second\n"


async def test_a_writer_that_is_cancelled_before_its_turn_writes_nothing(pipe: Pipe) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pipe.outlet.write, LONG)
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(0.01):
            await pipe.outlet.write(b"never\n")
        await pipe.drain(len(LONG))
    assert pipe.got == LONG
