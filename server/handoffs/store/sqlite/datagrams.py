"""Datagrams between the processes of one store: each waiting process has a socket, in a private folder of its user.

Best effort: nothing here raises, and a datagram may be lost (a full buffer, a system without such sockets). Waiters
need another way to learn of a change; datagrams only make it faster: 1 ms instead of a poll's 125.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a process that finds nobody to wake needs none
    import socket

# The path of a socket may have 104 bytes on macOS and the BSDs, 108 on Linux, including the final zero.
_LONGEST_PATH = 100
_LARGEST = 512
_AT_ONCE = 100


def base_folder() -> Path | None:
    """Return the folder of this user's sockets; None if the system has no such sockets."""
    if sys.platform == "win32":
        return None
    # Not from the environment: hosts start servers without TMPDIR and XDG_RUNTIME_DIR, shells have them, and the
    # two must meet. Other users can write in /tmp, hence `_is_private`.
    return Path(f"/tmp/handoffs-{os.getuid()}")  # noqa: S108


class Datagrams:
    """The sockets of the processes that wait on one store. `send` may be called from other threads."""

    def __init__(self, store: Path, base: Path) -> None:
        """Take the store's path, and the folder for the sockets of all stores. Nothing is created or opened yet."""
        self._store = store
        self._base = base
        self._own: socket.socket | None = None
        self._own_name = ""
        self._sender: socket.socket | None = None

    @cached_property
    def folder(self) -> Path:
        """The folder of this store's sockets; the same for every path that leads to the store. It exists while used."""
        return self._base / hashlib.sha256(os.fsencode(os.path.realpath(self._store))).hexdigest()[:16]

    def send(self, message: bytes) -> None:
        """Send `message` to every other process that listens."""
        try:
            # Without listeners there is no folder, and this check is the only cost of a send.
            names = os.listdir(self.folder)
            if not _is_private(self._base):
                return
            if self._sender is None:
                self._sender = _socket()
        except OSError:
            return
        for name in names:
            if name != self._own_name and not name.startswith("."):
                _send_to(self._sender, self.folder / name, message)

    def listen(self, hear: Callable[[bytes], None]) -> None:
        """Call `hear` on this event loop for every message of another process, until `close`."""
        if self._own is not None:
            return
        name = f"{os.getpid()}-{os.urandom(4).hex()}"
        if len(os.fsencode(self.folder / f".{name}")) > _LONGEST_PATH:
            return
        own = _socket()
        try:
            _bind(own, self.folder, name)
        except OSError:
            own.close()
            return
        self._own, self._own_name = own, name
        import asyncio  # only a process that waits listens

        asyncio.get_running_loop().add_reader(own.fileno(), self._drain, own, hear)
        _sweep(own, self._base)

    def close(self) -> None:
        """Stop listening, and remove the socket."""
        if self._own is not None:
            import asyncio

            asyncio.get_running_loop().remove_reader(self._own.fileno())
            self._own.close()
            with suppress(OSError):
                (self.folder / self._own_name).unlink()
            with suppress(OSError):
                self.folder.rmdir()  # fails while other processes have sockets there
            self._own, self._own_name = None, ""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _drain(self, own: "socket.socket", hear: Callable[[bytes], None]) -> None:
        # Not all at once, so that a flood leaves time for the event loop; the rest triggers another call.
        for _ in range(_AT_ONCE):
            try:
                message = own.recv(_LARGEST)
            except OSError:
                return
            if message:  # an empty one only checks whether the socket is alive
                hear(message)


def _bind(own: "socket.socket", folder: Path, name: str) -> None:
    with suppress(FileExistsError):
        folder.parent.mkdir(mode=0o700)
    # Another process may have made it first. A private folder can't be changed by other users.
    if not _is_private(folder.parent):
        raise PermissionError(f"{folder.parent} is not this user's alone")
    # The socket gets its final name once it is bound: before, another process would take it for stale.
    hidden = folder / f".{name}"
    try:
        folder.mkdir(exist_ok=True)
        own.bind(str(hidden))
    except FileNotFoundError:
        # Another process has just removed the folder.
        folder.mkdir(exist_ok=True)
        own.bind(str(hidden))
    hidden.rename(folder / name)


def _send_to(sender: "socket.socket", path: Path, message: bytes) -> None:
    try:
        sender.sendto(message, str(path))
    except ConnectionRefusedError:
        # Its process was killed.
        with suppress(OSError):
            path.unlink()
    except OSError:
        # Its process is gone, or its buffer is full; then it finds out by its poll.
        return


def _sweep(sender: "socket.socket", base: Path) -> None:
    """Remove the sockets that killed processes left, of all stores: unused stores have no other sweep."""
    for folder in base.iterdir():
        with suppress(OSError):  # other processes may sweep at the same time
            for path in folder.iterdir():
                if not path.name.startswith("."):
                    _send_to(sender, path, b"")
            folder.rmdir()  # fails while there are sockets in it


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _socket() -> "socket.socket":
    import socket

    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made
