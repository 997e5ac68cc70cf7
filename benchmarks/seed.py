"""Makes stores with many open handoffs, through the store's own interface."""

import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

from handoffs.core.events import Opened, Reached
from handoffs.core.ids import new_id
from handoffs.core.model import Caller, Handoff, Question, fingerprint_of
from handoffs.core.schema import response_form
from handoffs.proof.growing import grow
from handoffs.store import rows
from handoffs.store.sqlite.file import connect, transaction
from handoffs.store.sqlite.store import SqliteStore

# Waiting for the disk ten thousand times is not what is measured; memory as a folder makes it seconds.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


async def fill(store: Path, count: int) -> None:
    """Make `store`, a file that is not there yet, with `count` open handoffs."""
    with TemporaryDirectory(prefix="handoffs-bench-", dir=_MEMORY) as name:
        draft = Path(name) / "handoffs.db"
        async with SqliteStore(draft) as kept:
            for number in range(count):
                asked = datetime.now(UTC)
                await kept.open(handoff(number, asked), collect_after=asked - timedelta(hours=1))
        _copy(draft, store)


def fill_at_once(store: Path, count: int) -> None:
    """Make `store` with very many, in one transaction, as its own door would have."""
    asked = datetime.now(UTC)
    handoffs = [handoff(number, asked + timedelta(microseconds=number)) for number in range(count)]
    with closing(connect(store)) as connection, transaction(connection):
        marks = ", ".join("?" * len(rows.COLUMNS))
        connection.executemany(
            f"INSERT INTO handoffs ({', '.join(rows.COLUMNS)}) VALUES ({marks})", map(rows.encode, handoffs)
        )
        connection.executemany(
            "INSERT INTO events (handoff_id, name, at, details, leaf, salt) VALUES (?, ?, ?, ?, ?, ?)",
            (rows.encode_event(each, Opened(at=each.created_at)) for each in handoffs),
        )


async def fill_log(store: Path, lines: int) -> None:
    """Make `store` with one open handoff, which has been reached so often that the log has `lines`, and its tree."""
    with TemporaryDirectory(prefix="handoffs-bench-", dir=_MEMORY) as name:
        draft = Path(name) / "handoffs.db"
        asked = datetime.now(UTC)
        reached = handoff(0, asked)
        async with SqliteStore(draft) as kept:
            await kept.open(reached, collect_after=asked - timedelta(hours=1))
        row = rows.encode_event(reached, Reached(at=asked, channel="inbox"))
        with closing(connect(draft)) as connection, transaction(connection):
            connection.executemany(
                "INSERT INTO events (handoff_id, name, at, details, leaf, salt) VALUES (?, ?, ?, ?, ?, ?)",
                repeat(row, lines - 1),
            )
        async with SqliteStore(draft) as kept:
            await grow(kept)
        _copy(draft, store)


def _copy(draft: Path, store: Path) -> None:
    """Copy a store that no process has open, with SQLite's other files."""
    for file in draft.parent.glob(f"{draft.name}*"):
        shutil.copy(file, store.with_name(file.name.replace(draft.name, store.name)))


def handoff(number: int, asked: datetime) -> Handoff:
    """Return a new open handoff."""
    caller, form = Caller(subject="ada", client="benchmark"), response_form()
    message = f"May I deploy build {number}? " + "It changes the tables and can't be undone. " * 16
    return Handoff(
        id=new_id(),
        caller=caller,
        question=Question(message=message, form=form, deadline=asked + timedelta(days=1)),
        created_at=asked,
        fingerprint=fingerprint_of(caller, message=message, form=form, breakout_of_loop=False),
    )
