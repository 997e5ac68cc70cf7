"""Where the inbox of a store runs: the lock that makes it the only one, and the record by which others find it."""

import contextlib
import hashlib
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

CONNECT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """An inbox that serves."""

    url: str
    """Its first page: `http://127.0.0.1:8765/`. It signs nobody in."""
    pid: int

    def address(self, handoff_id: str) -> str:
        """Return the page of one handoff, which signs nobody in either."""
        return page_at(self.url, handoff_id)


def page_at(url: str, handoff_id: str) -> str:
    """Return the page of one handoff in the inbox at `url`; it signs nobody in."""
    return f"{url.rstrip('/')}/h/{handoff_id}"


class Remote(Protocol):
    """Where a store is that is no file."""

    @property
    def url(self) -> str:
        """How another process names it: HANDOFFS_STORE. It may hold a password."""
        ...

    @property
    def identity(self) -> str:
        """What tells it from every other store, whoever uses it. It holds no password."""
        ...


class InboxRecord:
    """The folder of one store's inbox. What is in it is for its owner alone.

    The lock says that an inbox runs, or starts, or ends; it is the system's, and free at once when its holder is gone.
    The record says where. It is written once the inbox listens, and removed before it stops: who finds both, lock and
    record, may send a person there.
    """

    def __init__(self, *, store: Path | Remote, data: Path) -> None:
        """Take the store, and the folder in which handoffs keeps what it was given. Nothing is touched yet."""
        which = os.path.realpath(store) if isinstance(store, Path) else store.identity
        name = hashlib.sha256(os.fsencode(which)).hexdigest()[:16]
        self.folder = data / "inbox" / name

    def make(self) -> None:
        """Make the folder, 0700. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.folder.parent, self.folder):
            if os.name != "nt" and folder.stat().st_mode & 0o077:
                folder.chmod(0o700)

    @property
    def log(self) -> Path:
        """Where an inbox that runs in the background says what went wrong."""
        return self.folder / "log.txt"

    def claim(self, name: str = "lock") -> FileLock | None:
        """Return a lock of this folder, held; None where another process holds it."""
        lock = FileLock(self.folder / name, mode=0o600)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        return lock

    def running(self) -> Running | None:
        """Return the inbox that serves now."""
        record = self._record()
        # The lock alone is no proof: another process may be looking in this very moment, as we do. Nor is the port.
        return record if record is not None and self._held() and _listens(record.url) else None

    def announce(self, running: Running) -> None:
        """Write the record. For the holder of the lock."""
        _write(self.folder / "port", f"{urlsplit(running.url).port}\n")
        _write(self._running, json.dumps({"url": running.url, "pid": running.pid}))

    def withdraw(self) -> None:
        """Remove the record. For the holder of the lock, who does so first: the one before may have been killed."""
        self._running.unlink(missing_ok=True)

    def last_port(self) -> int:
        """Return the port of the last inbox, so that its pages find the next one; 0 where there was none."""
        with contextlib.suppress(OSError, ValueError):
            port = int((self.folder / "port").read_text())
            return port if 0 < port < 65_536 else 0
        return 0

    @property
    def _running(self) -> Path:
        return self.folder / "running.json"

    def _record(self) -> Running | None:
        with contextlib.suppress(OSError, ValueError):
            match cast("object", json.loads(self._running.read_text())):
                case {"url": str(url), "pid": int(pid)}:
                    return Running(url=url, pid=pid)
                case _:
                    return None
        return None

    def _held(self) -> bool:
        lock = self.claim()
        if lock is None:
            return True
        lock.release()
        return False


def _write(path: Path, text: str) -> None:
    """Write a file of the owner's alone, whole or not at all."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False
