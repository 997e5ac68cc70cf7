"""Other processes on the same store, real ones."""

import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

ROOT = Path(__file__).parents[2]


class OtherProcess:
    """A process that runs one command of `tests.store.other_process`, once it is told to."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._process = process
        self._said = BufferedByteReceiveStream(process.stdout)
        self._ear = process.stdin

    async def go(self) -> None:
        """Let it begin."""
        await self._ear.send(b"go\n")

    async def says(self) -> object:
        """Return the next thing it says. Raises IncompleteRead once it has ended."""
        with anyio.fail_after(120):
            return json.loads(await self._said.receive_until(b"\n", 1_000_000))

    async def said_until_done(self) -> list[object]:
        """Return all that it says before `done`."""
        said: list[object] = []
        while (line := await self.says()) != "done":
            said.append(line)
        return said

    async def kill(self) -> list[object]:
        """Kill it as `kill -9` does, and return what it had said besides, in whole lines."""
        with suppress(ProcessLookupError):  # it has ended by itself
            self._process.kill()
        await self._process.wait()
        said: list[object] = []
        try:
            while True:
                said.append(await self.says())
        except anyio.IncompleteRead:
            return said

    async def ended(self) -> int:
        """Return its exit code once it has ended by itself."""
        with anyio.fail_after(120):
            return await self._process.wait()


@asynccontextmanager
async def other_processes(*commands: Sequence[str]) -> AsyncGenerator[list[OtherProcess]]:
    """Start one for each command (backend, address, name, arguments), ready when the block begins, ended with it."""
    async with AsyncExitStack() as stack:
        started: list[OtherProcess] = []
        for command in commands:
            words = [sys.executable, "-m", "tests.store.other_process", *command]
            process = await anyio.open_process(words, cwd=ROOT, stdin=subprocess.PIPE, stderr=None)
            await stack.enter_async_context(process)
            stack.callback(_end, process)
            started.append(OtherProcess(process))
        for other in started:
            assert await other.says() == "ready"
        yield started


@asynccontextmanager
async def other_process(*command: str) -> AsyncGenerator[OtherProcess]:
    """Start one."""
    async with other_processes(command) as (other,):
        yield other


def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
