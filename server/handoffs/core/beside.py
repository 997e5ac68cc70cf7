"""Work beside a block, which ends with it."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import anyio
from anyio.abc import TaskGroup

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


@asynccontextmanager
async def beside(*work: Work) -> AsyncGenerator[TaskGroup]:
    """Run work until the block ends, and yield the group for more. What the block raises is raised as it is.

    A task group would wrap it: a program that waits for `Declined` would not catch it as soon as anything runs beside.
    """
    failed: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        for each in work:
            tasks.start_soon(each)
        try:
            yield tasks
        except Exception as error:  # noqa: BLE001 - raised below, outside of the group
            failed.append(error)
        tasks.cancel_scope.cancel()
    for error in failed:
        raise error
