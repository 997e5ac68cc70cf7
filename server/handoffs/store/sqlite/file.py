"""The file of a SQLite store: created privately, recognized, migrated; and what its errors mean.

Everything here blocks; see `worker` for the thread.
"""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from handoffs.core.errors import StoreCorrupt, StoreError, StoreFull, StoreTooNew, StoreUnwritable
from handoffs.store.values import Unreadable

APPLICATION_ID = int.from_bytes(b"hndf")
"""In the header of every store, so that another program's database is not mistaken for a store."""

HALF_COPY_ID = int.from_bytes(b"hndc")
"""In its place while a copy into the store is running, so that no program uses half of the handoffs."""

BUSY_SECONDS = 30
"""How long a transaction waits for another process's transaction. One takes about a millisecond."""

_OLDEST_SQLITE = (3, 37)  # STRICT tables
_MIGRATIONS = Path(__file__).with_name("migrations")

# Closing a file drops all locks of this process on it (POSIX), also those of another store on the same path. So a new
# file is created and closed under this lock, before it is opened as a database.
_creating = threading.Lock()


def connect(path: Path, *, half_copied: bool = False, shared: bool = False) -> sqlite3.Connection:
    """Return a connection to the store at `path`, which is created or migrated first.

    A store with an unfinished copy is refused, unless `half_copied`. A `shared` connection may be used by several
    threads, one after the other.

    Raises:
        StoreError: The store can't be used. The file is unchanged.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"This Python comes with SQLite {sqlite3.sqlite_version}; a store needs 3.37 or newer. Use a newer Python."
        )
    _create(path)
    with explained(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=not shared)
        try:
            _prepare(connection, path, half_copied)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_known(path: Path) -> sqlite3.Connection | None:
    """Return a connection to a store that is there and up to date; None where `connect` has to look at it first.

    Raises:
        StoreError: The store can't be used.
    """
    if not path.is_file() or sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return None
    with explained(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with transaction(connection, writes=False):
                known = _recognise(connection, path, half_copied=False) == len(_migrations())
            if known:
                _make_durable(connection)
                return connection
        except BaseException:
            connection.close()
            raise
    connection.close()
    return None


@contextmanager
def transaction(connection: sqlite3.Connection, *, writes: bool = True) -> Generator[None]:
    """Commit what the block writes, or roll it back if it raises. Its reads see one snapshot."""
    # IMMEDIATE: a transaction that reads first and is overtaken by a writer can't continue, only start again.
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # raised again: the transaction must not stay open
        # After a full disk or a damaged page, SQLite may have rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def unsynced(connection: sqlite3.Connection) -> Generator[None]:
    """Do not wait for the disk after transactions in the block; the next one outside makes them durable."""
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: no sync at a commit, and no damage by a power cut
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Raise errors of SQLite in the block as a StoreError that says what to do."""
    try:
        yield
    except Unreadable as error:
        raise _damaged(path, error) from error
    except sqlite3.Error as error:
        meaning = _meaning(error, path)
        if meaning is None:
            raise
        raise meaning from error


def identity(path: Path) -> tuple[int, int] | None:
    """Return what identifies the file at `path`, or None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _creating:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise _unwritable(path, "it is a folder") from None
        if not path.parent.is_dir():
            raise _unwritable(path, f"{path.parent} is not a folder") from None
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(path, why) from error
        raise _unwritable(path, why) from error


def _prepare(connection: sqlite3.Connection, path: Path, half_copied: bool) -> None:
    # Switching a new file to WAL needs exclusive access for a moment, and SQLite does not always wait for it.
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            # Before any write: a file of another program stays unchanged.
            with transaction(connection, writes=False):
                version = _recognise(connection, path, half_copied)
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.005)
    _make_durable(connection)
    migrations = _migrations()
    while version < len(migrations):
        with transaction(connection):
            # Again, now that no other process can write: another one may have been faster.
            version = _recognise(connection, path, half_copied)
            if version < len(migrations):
                for statement in _statements(migrations[version].read_text(encoding="utf-8")):
                    connection.execute(statement)
                if version == 0:
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                version += 1
                connection.execute(f"PRAGMA user_version = {version}")


def _make_durable(connection: sqlite3.Connection) -> None:
    # FULL: a commit is on the disk, not only in a cache. macOS needs `fullfsync` for that.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")


def layout(path: Path) -> int:
    """Return the migrations of the store at `path`; 0 if there is no file, or no store in it yet."""
    if not path.is_file():
        return 0
    with explained(path), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        return _recognise(connection, path, half_copied=False)


def _recognise(connection: sqlite3.Connection, path: Path, half_copied: bool) -> int:
    """Return the file's migrations. Raises if another program or a newer version wrote it.

    Needs a transaction: otherwise another process may create the store between two reads.
    """
    version = _pragma(connection, "user_version")
    found = _pragma(connection, "application_id")
    if found == HALF_COPY_ID and not half_copied:
        raise StoreError(
            f"The store {path} is half a copy: `handoffs db copy` into it has not finished. Run the same command "
            "again, and it goes on where it stopped; or remove what is there."
        )
    if found not in {APPLICATION_ID, HALF_COPY_ID}:
        if version or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise StoreCorrupt(_not_a_store(path))
        return 0
    known = len(_migrations())
    if version > known:
        raise StoreTooNew(
            f"The store {path} has layout {version}, written by a newer version of handoffs; this one knows layouts up "
            f"to {known}. Upgrade this one, or set HANDOFFS_STORE to another path."
        )
    return version


def _migrations() -> list[Path]:
    return sorted(_MIGRATIONS.glob("[0-9]*.sql"))


def _statements(script: str) -> Iterator[str]:
    # Not `executescript`: it commits the current transaction.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return cast("tuple[int]", connection.execute(f"PRAGMA {name}").fetchone())[0]


# No room. A write over a quota or a file-size limit is an I/O error to SQLite; so is a full disk when the shared memory
# file has to grow.
_NO_ROOM = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE})
_NO_ACCESS = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})


def _meaning(error: sqlite3.Error, path: Path) -> StoreError | None:
    """Return what an error of SQLite means to the caller; None for a mistake of ours."""
    code = cast("int | None", getattr(error, "sqlite_errorcode", None))
    if code is None:
        return None
    kind = code & 0xFF
    if kind == sqlite3.SQLITE_FULL or code in _NO_ROOM:
        return _full(path, error)
    if kind in _NO_ACCESS:
        return _unwritable(path, error)
    if kind == sqlite3.SQLITE_NOTADB:
        return StoreCorrupt(_not_a_store(path))
    if kind == sqlite3.SQLITE_CORRUPT or code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return _damaged(path, error)
    if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(
            f"Another process has kept the store {path} locked for {BUSY_SECONDS} seconds. Try again; if that does not "
            "help, end the process that holds it."
        )
    return StoreError(f"The store {path} can't be used ({error}). See that its disk is there and healthy.")


def _full(path: Path, why: object) -> StoreFull:
    return StoreFull(
        f"The store {path} can't grow: its disk is full, or a limit is reached ({why}). Earlier changes are safe; this "
        "one was not stored. Make room and try again, or set HANDOFFS_STORE to a path on another disk."
    )


def _unwritable(path: Path, why: object) -> StoreUnwritable:
    return StoreUnwritable(
        f"The store {path} can't be written ({why}). Let this user write the file and its folder, or set "
        "HANDOFFS_STORE to a writable path."
    )


def _damaged(path: Path, why: object) -> StoreCorrupt:
    return StoreCorrupt(
        f"The store {path} is damaged ({why}). Keep a copy of it and of the files beside it, then restore a backup, or "
        f"save what can be read: `sqlite3 {path} .recover`."
    )


def _not_a_store(path: Path) -> str:
    return (
        f"{path} is not a store of handoffs, or its beginning is damaged; it was left as it is. Set HANDOFFS_STORE to "
        "another path, or restore a backup."
    )
