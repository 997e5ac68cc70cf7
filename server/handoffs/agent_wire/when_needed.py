"""The desk of an agent's relay: what it takes is imported in a thread, when a question may follow."""

import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from handoffs.agent_wire.relay import Question

if TYPE_CHECKING:
    from handoffs.agent_wire.answers import DeskAnswers


class AnswersWhenNeeded:
    """See `relay.Answers`."""

    def __init__(self, tasks: TaskGroup, *, agent: str, client: str) -> None:
        """Take what `DeskAnswers` takes."""
        self._tasks, self._agent, self._client = tasks, agent, client
        self._answers: DeskAnswers | None = None
        self._loading = anyio.Lock()
        self._expected = False

    def expect(self) -> None:
        """Begin to import: a model takes longer to ask than this takes."""
        if not self._expected:
            self._expected = True
            self._tasks.start_soon(self._load)

    async def answer(self, question: Question) -> str | None:
        """See `relay.Answers`."""
        return await (await self._load()).answer(question)

    async def _load(self) -> "DeskAnswers":
        async with self._loading:
            if self._answers is None:
                # Not on the loop, where every line would wait for it.
                load, name = importlib.import_module, "handoffs.agent_wire.answers"
                await anyio.to_thread.run_sync(load, name, abandon_on_cancel=True)
                from handoffs.agent_wire.answers import DeskAnswers

                self._answers = DeskAnswers(self._tasks, agent=self._agent, client=self._client)
            return self._answers


@asynccontextmanager
async def answering(*, agent: str, client: str) -> AsyncGenerator[AnswersWhenNeeded]:
    """Yield what answers; the store is closed when the block is left."""
    async with anyio.create_task_group() as tasks:
        yield AnswersWhenNeeded(tasks, agent=agent, client=client)
        tasks.cancel_scope.cancel()
