"""`handoffs list`, `show` and `log`: prints handoffs and their log."""

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from handoffs.assembly import missing_store, open_desk
from handoffs.cli import documents, pages
from handoffs.console import Exit, failed, print_out
from handoffs.core.desk import Desk
from handoffs.core.document import redacted
from handoffs.core.errors import NotFound
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, State
from handoffs.core.untrusted import inert_line
from handoffs.os_user import current_user
from handoffs.settings import Settings
from handoffs.settings_shown import unused_words
from handoffs.terminal import Earlier

EVERY = 2**31
"""More handoffs than a store can hold."""

NARROWEST = 20
"""The least columns that a page is made for."""

LOOK_SECONDS = 60
"""How often a followed log checks for passed deadlines, which a store does not notify about."""


async def listed(settings: Settings, *, every: bool, as_json: bool) -> None:
    """Print the open handoffs, or all, newest first."""
    handoffs: Sequence[Handoff] = ()
    now = datetime.now(UTC)
    if is_there(settings):
        async with open_desk(settings) as desk:
            handoffs = await desk.newest(open_only=not every, limit=EVERY)
            now = desk.clock.now()
    _tell_of_unused(handoffs)
    if as_json:
        print_out(documents.array(handoffs, reader=current_user()))
    elif handoffs:
        print_out(pages.table(handoffs, now=now, width=_width()))
    else:
        print_out("There is no handoff yet." if every else "Nothing is open.")


def is_there(settings: Settings) -> bool:
    """Say whether the store exists; print a warning when a named one does not."""
    path = missing_store(settings)
    if path is not None and "store" in settings.model_fields_set:
        failed(f"There is no store at {inert_line(str(path))} yet: see that HANDOFFS_STORE is right.", Exit.DONE)
    return path is None


async def was_asked(settings: Settings) -> bool:
    """Say whether an agent has ever asked a question in this store."""
    if not is_there(settings):
        return False
    async with open_desk(settings) as desk:
        return bool(await desk.newest(open_only=False, limit=1))


async def wait_for_store(settings: Settings) -> None:
    """Return once the store exists."""
    while missing_store(settings) is not None:  # noqa: ASYNC110 - no event tells
        await anyio.sleep(1)


def _tell_of_unused(handoffs: Sequence[Handoff]) -> None:
    """Print which settings of a `.env` are not used, in this folder and in those of the asking agents."""
    projects = {handoff.caller.project for handoff in handoffs if handoff.state is State.OPEN}
    for folder in (".", *sorted(projects - {"", _here()})):
        if words := unused_words(Path(folder)):
            print(words, file=sys.stderr)  # noqa: T201 - beside the list, not in its pipe


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # the folder was removed
        return ""


async def shown(settings: Settings, prefix: str, *, as_json: bool, secrets: bool = False) -> None:
    """Print one handoff; for a person, with its log. The `secrets` of a held call are masked, unless wanted."""
    if not is_there(settings):
        raise NotFound(prefix)
    async with open_desk(settings) as desk:
        handoff = await desk.find(prefix)
        if as_json:
            print_out(documents.document(handoff, secrets=secrets, reader=current_user()))
            return
        print_out(await text_of(desk, handoff if secrets else redacted(handoff)))


async def text_of(desk: Desk, handoff: Handoff) -> str:
    """Return one handoff with its log, as a terminal shows it."""
    page = pages.Page(
        handoff=handoff,
        entries=await _entries(desk, handoff.id, after=0),
        now=desk.clock.now(),
        width=max(_width() or shutil.get_terminal_size().columns, NARROWEST),
        drawn=_width() is not None,
        earlier=await earlier_of(desk, handoff),
        reader=current_user(),
    )
    return pages.painted(page.lines, looks=page.drawn and not os.environ.get("NO_COLOR"))


async def recorded(settings: Settings, prefix: str) -> None:
    """Print the record of one decision as envelopes of AAIS."""
    from handoffs.channels import could_permit
    from handoffs.core.aais import written  # no other command needs it
    from handoffs.core.decision_record import read_record

    if not is_there(settings):
        raise NotFound(prefix)
    async with open_desk(settings) as desk:
        record = await read_record(desk, await desk.find(prefix), could_permit)
        print_out(written(record, reader=current_user()))


async def earlier_of(desk: Desk, handoff: Handoff) -> Earlier | None:
    """Return the recent decision of the same question; None if there is none."""
    try:
        before = await desk.get(handoff.earlier) if handoff.earlier else None
    except NotFound:  # pruned since
        return None
    return None if before is None else Earlier.of(before, asked=current_user())


async def logged(settings: Settings, prefix: str | None, *, follow: bool, as_json: bool) -> None:
    """Print the log of one handoff or of all; with `follow`, new lines too, until the reader closes the pipe."""
    if not is_there(settings):
        if prefix is not None:
            raise NotFound(prefix)
        if not follow:
            return
        await wait_for_store(settings)
    written = documents.line if as_json else _log_line
    async with open_desk(settings) as desk:
        handoff_id = None if prefix is None else (await desk.find(prefix)).id
        if not follow:
            for entry in await _entries(desk, handoff_id, after=0):
                print_out(written(entry), flush=False)
            return
        async with anyio.create_task_group() as tasks, desk.watch(handoff_id) as watch:
            tasks.start_soon(_end_with_the_reader, tasks.cancel_scope)
            after = 0
            while True:
                for entry in await _entries(desk, handoff_id, after=after):
                    print_out(written(entry), flush=False)
                    after = entry.number
                print_out("", end="")
                with desk.clock.limit(LOOK_SECONDS):
                    await watch.changed()


async def traced(settings: Settings, prefix: str | None) -> None:
    """Print the calls that a gate held, one or all, as a trace for AgentAck."""
    from handoffs.cli.agentack import Trace, line  # imports the gate, which no other command here needs

    async def write(desk: Desk, handoff_id: str | None) -> None:
        after = 0
        while entries := await desk.log(handoff_id=handoff_id, after=after):
            found = await desk.get_all(list(dict.fromkeys(entry.handoff_id for entry in entries)))
            handoffs = {handoff.id: handoff for handoff in found}
            for entry in entries:
                for event in trace.events(entry, handoffs[entry.handoff_id]) if entry.handoff_id in handoffs else ():
                    print_out(line(event), flush=False)
            after = entries[-1].number

    trace = Trace(prefix or "handoffs", collected_for=timedelta(seconds=settings.join_seconds))
    now = datetime.now(UTC)
    if is_there(settings):
        async with open_desk(settings) as desk:
            await write(desk, None if prefix is None else (await desk.find(prefix)).id)
            now = desk.clock.now()
    elif prefix is not None:
        raise NotFound(prefix)
    for event in trace.end(now):
        print_out(line(event), flush=False)
    print_out("", end="")


def _log_line(entry: Entry) -> str:
    """Return a log line; wrapped for a terminal, elsewhere one line, for `grep`."""
    width, line = _width(), pages.line(entry)
    return line if width is None else pages.painted(pages.broken(line, max(width, NARROWEST)), looks=False)


async def _entries(desk: Desk, handoff_id: str | None, *, after: int) -> Sequence[Entry]:
    entries: list[Entry] = []
    while more := await desk.log(handoff_id=handoff_id, after=entries[-1].number if entries else after):
        entries += more
    return entries


async def _end_with_the_reader(scope: anyio.CancelScope) -> None:
    """Cancel `scope` as soon as the reader (`| head`) closes the pipe, not only at the next failed write."""
    fd = None if sys.stdout is None else sys.stdout.fileno()
    if fd is None or sys.platform == "win32" or not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return
    # The writing end of a pipe becomes readable only when the reading end is closed.
    await anyio.wait_readable(fd)
    scope.cancel()


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None
