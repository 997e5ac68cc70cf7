"""A person at a shell, while a host runs in this test: sees the questions of its hooks, and answers them."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from tests.acceptance.processes import Home
from tests.waiting import until


class Person:
    """Who answers."""

    def __init__(self, home: Home) -> None:
        self.home = home

    async def asked(self) -> dict[str, Any]:
        """Wait for an open question, and return it."""

        async def there() -> list[dict[str, Any]]:
            return json.loads((await self.home.command("list", "--json")).stdout or b"[]")

        return (await until(there, seconds=90))[0]

    async def answer(self, *given: str) -> dict[str, Any]:
        """Answer the question that is open, or the next, and return it as it was."""
        handoff = await self.asked()
        done = await self.home.command("answer", handoff["id"], *given)
        assert done.returncode == 0, done.stderr
        return handoff


@asynccontextmanager
async def beside(home: Home, command: Sequence[str], env: dict[str, str], project: Path) -> AsyncGenerator[Person]:
    """Run a host to its end beside the block."""
    with anyio.fail_after(180):
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                done = await anyio.run_process(command, env=env, cwd=project, check=False)
                assert done.returncode == 0, done.stdout + done.stderr

            tasks.start_soon(run)
            yield Person(home)
