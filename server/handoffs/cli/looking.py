"""`handoffs list`, `show` and `log`: what there is, and what happened to it."""

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from handoffs.assembly import open_desk
from handoffs.cli import documents, pages
from handoffs.cli.ending import put
from handoffs.core.desk import Desk
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, State
from handoffs.settings import Settings, unused_words

EVERY = 2**31
"""More handoffs than a store can hold."""

LOOK_SECONDS = 60
"""How often a log that is followed looks for deadlines that passed, which is no change that a store could tell of."""


async def listed(settings: Settings, *, every: bool, as_json: bool) -> None:
    """Print the open handoffs, or every one, the newest first."""
    async with open_desk(settings) as desk:
        handoffs = await desk.newest(open_only=not every, limit=EVERY)
        now = desk.clock.now()
    _tell_of_unused(handoffs)
    if as_json:
        put(documents.array(handoffs))
    elif handoffs:
        put(pages.table(handoffs, now=now, width=_width()))
    else:
        put("There is no handoff yet." if every else "Nothing is open.")


def _tell_of_unused(handoffs: Sequence[Handoff]) -> None:
    """Say beside the list which settings of a `.env` are not used, here and where agents ask from."""
    projects = {handoff.caller.project for handoff in handoffs if handoff.state is State.OPEN}
    for folder in (".", *sorted(projects - {"", _here()})):
        if words := unused_words(Path(folder)):
            print(words, file=sys.stderr)  # noqa: T201 - beside the list, not in its pipe


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it is gone
        return ""


async def shown(settings: Settings, prefix: str, *, as_json: bool) -> None:
    """Print one handoff, with its log where a person reads it."""
    async with open_desk(settings) as desk:
        handoff = await desk.find(prefix)
        if as_json:
            put(documents.document(handoff))
            return
        entries = await _entries(desk, handoff.id, after=0)
        put(pages.page(handoff, entries, now=desk.clock.now()))


async def logged(settings: Settings, prefix: str | None, *, follow: bool, as_json: bool) -> None:
    """Print the log of one handoff or of all; with `follow` go on as it grows, until nobody reads it any more."""
    written = documents.line if as_json else pages.line
    async with open_desk(settings) as desk:
        handoff_id = None if prefix is None else (await desk.find(prefix)).id
        if not follow:
            for entry in await _entries(desk, handoff_id, after=0):
                put(written(entry), flush=False)
            return
        async with anyio.create_task_group() as tasks, desk.watch(handoff_id) as watch:
            tasks.start_soon(_end_with_the_reader, tasks.cancel_scope)
            after = 0
            while True:
                for entry in await _entries(desk, handoff_id, after=after):
                    put(written(entry), flush=False)
                    after = entry.number
                put("", end="")
                with desk.clock.limit(LOOK_SECONDS):
                    await watch.changed()


async def _entries(desk: Desk, handoff_id: str | None, *, after: int) -> Sequence[Entry]:
    entries: list[Entry] = []
    while more := await desk.log(handoff_id=handoff_id, after=entries[-1].number if entries else after):
        entries += more
    return entries


async def _end_with_the_reader(scope: anyio.CancelScope) -> None:
    """End what follows the log when `| head` has seen enough, and not only at the next line that it can't write."""
    fd = None if sys.stdout is None else sys.stdout.fileno()
    if fd is None or sys.platform == "win32" or not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return
    # The writing end of a pipe becomes readable in one case: nobody is at the other end.
    await anyio.wait_readable(fd)
    scope.cancel()


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None
