"""The record of a store's inbox: the lock that allows only one, and the address by which other processes find it."""

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
    """A running inbox."""

    url: str
    """Its first page: `http://localhost:8765/`. The address signs no one in."""
    pid: int

    def address(self, handoff_id: str) -> str:
        """Return the page of one handoff. The address signs no one in."""
        return page_at(self.url, handoff_id)


def page_at(url: str, handoff_id: str) -> str:
    """Return the page of one handoff in the inbox at `url`. The address signs no one in."""
    return f"{url.rstrip('/')}/h/{handoff_id}"


def join_page(url: str, token: str) -> str:
    """Return the page of the inbox at `url` on which an invited person joins."""
    return f"{url.rstrip('/')}/join/{token}"


class Remote(Protocol):
    """The address of a store on a server."""

    @property
    def url(self) -> str:
        """The address for other processes, as HANDOFFS_STORE. It may hold a password."""
        ...

    @property
    def identity(self) -> str:
        """What identifies the store, the same for all its users. It holds no password."""
        ...


class InboxRecord:
    """The folder of one store's inbox, private to its owner.

    The lock shows that an inbox runs, starts or ends. It belongs to the operating system, which frees it when its
    holder is gone. The record holds the address. It is written once the inbox listens, and removed before it stops: if
    both lock and record are there, a person may be sent to the address.
    """

    def __init__(self, *, store: Path | Remote, data: Path) -> None:
        """Take the store, and the data folder. Nothing is read or written yet."""
        which = os.path.realpath(store) if isinstance(store, Path) else store.identity
        name = hashlib.sha256(os.fsencode(which)).hexdigest()[:16]
        self.folder = data / "inbox" / name

    def make(self) -> None:
        """Create the folder, with mode 0700. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.folder.parent, self.folder):
            if os.name != "nt" and folder.stat().st_mode & 0o077:
                folder.chmod(0o700)

    @property
    def log(self) -> Path:
        """The log file of an inbox that runs in the background."""
        return self.folder / "log.txt"

    def claim(self, name: str = "lock") -> FileLock | None:
        """Return a lock of this folder, held; None if another process holds it."""
        lock = FileLock(self.folder / name, mode=0o600)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        return lock

    def running(self) -> Running | None:
        """Return the inbox that runs now."""
        record = self._record()
        # The lock alone is no proof: another process may hold it to check this, as we do. Nor is the port alone.
        return record if record is not None and self._held() and _listens(record.url) else None

    def announce(self, running: Running) -> None:
        """Write the record. Only for the holder of the lock."""
        _write(self.folder / "port", f"{urlsplit(running.url).port}\n")
        _write(self._running, json.dumps({"url": running.url, "pid": running.pid}))

    def withdraw(self) -> None:
        """Remove the record. Only for the holder of the lock, which does so first: the last may have been killed."""
        self._running.unlink(missing_ok=True)

    def last_port(self) -> int:
        """Return the port of the last inbox, so that open pages find the next one; 0 if there was none."""
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
    """Write a file private to its owner, whole or not at all."""
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
