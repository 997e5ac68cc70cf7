"""How the processes of one store call to one another: each that waits has a socket, in a folder of its user's alone.

Best effort: nothing here raises, and a datagram may be lost (a full buffer, no such sockets on this system). Whoever
waits must have another way to find out; this one is only faster, 1 ms instead of a poll's 125.
"""

import asyncio
import hashlib
import os
import secrets
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

# A socket's path may have 104 bytes on macOS and the BSDs, 108 on Linux, with the zero at its end.
_LONGEST_PATH = 100
_LARGEST = 512
_AT_ONCE = 100


def base_folder() -> Path | None:
    """Return the folder of this user's sockets; None where the system has none of their kind."""
    if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
        return None
    # Not from the environment: a host starts its servers without TMPDIR and XDG_RUNTIME_DIR, a shell has them, and the
    # two must meet. Others can write in /tmp, hence `_is_private`.
    return Path(f"/tmp/handoffs-{os.getuid()}")  # noqa: S108


class Datagrams:
    """The sockets of the processes that wait on one store. `send` may be called from another thread."""

    def __init__(self, store: Path, base: Path) -> None:
        """Take the store's path, and the folder for the sockets of all stores. Nothing is made or opened yet."""
        self._store = store
        self._base = base
        self._own: socket.socket | None = None
        self._own_name = ""
        self._sender: socket.socket | None = None

    @cached_property
    def folder(self) -> Path:
        """Where the sockets of this store are, while there are any: the same by whatever path the store is reached."""
        return self._base / hashlib.sha256(os.fsencode(os.path.realpath(self._store))).hexdigest()[:16]

    def send(self, message: bytes) -> None:
        """Send `message` to every other process that listens."""
        try:
            # Until somebody listens there is no folder, and this is all that a send costs.
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
        """Call `hear` on this event loop with every message that another process sends, until `close`."""
        if self._own is not None:
            return
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        if len(os.fsencode(self.folder / f".{name}")) > _LONGEST_PATH:
            return
        own = _socket()
        try:
            _bind(own, self.folder, name)
        except OSError:
            own.close()
            return
        self._own, self._own_name = own, name
        asyncio.get_running_loop().add_reader(own.fileno(), self._drain, own, hear)
        _sweep(own, self._base)

    def close(self) -> None:
        """Stop listening and leave nothing behind."""
        if self._own is not None:
            asyncio.get_running_loop().remove_reader(self._own.fileno())
            self._own.close()
            with suppress(OSError):
                (self.folder / self._own_name).unlink()
            with suppress(OSError):
                self.folder.rmdir()  # the last one out; refused while others have their sockets there
            self._own, self._own_name = None, ""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _drain(self, own: socket.socket, hear: Callable[[bytes], None]) -> None:
        # Not all at once, so that a flood leaves the loop time for others; what is left calls again.
        for _ in range(_AT_ONCE):
            try:
                message = own.recv(_LARGEST)
            except OSError:
                return
            if message:  # an empty one only asks whether anybody is there
                hear(message)


def _bind(own: socket.socket, folder: Path, name: str) -> None:
    with suppress(FileExistsError):
        folder.parent.mkdir(mode=0o700)
    # Somebody else may have made it first. One that is private can't be changed under us.
    if not _is_private(folder.parent):
        raise PermissionError(f"{folder.parent} is not this user's alone")
    # It has its name only once it is bound: who found it a moment earlier would take it for stale.
    hidden = folder / f".{name}"
    try:
        folder.mkdir(exist_ok=True)
        own.bind(str(hidden))
    except FileNotFoundError:
        # The last one out has just removed the folder.
        folder.mkdir(exist_ok=True)
        own.bind(str(hidden))
    hidden.rename(folder / name)


def _send_to(sender: socket.socket, path: Path, message: bytes) -> None:
    try:
        sender.sendto(message, str(path))
    except ConnectionRefusedError:
        # Its process was killed.
        with suppress(OSError):
            path.unlink()
    except OSError:
        # It is gone, or has more waiting than fits and will find out by itself.
        return


def _sweep(sender: socket.socket, base: Path) -> None:
    """Remove what killed processes left, of every store: nobody may ever write to theirs again."""
    for folder in base.iterdir():
        with suppress(OSError):  # others may sweep at the same time
            for path in folder.iterdir():
                if not path.name.startswith("."):
                    _send_to(sender, path, b"")
            folder.rmdir()  # refused while there are sockets in it


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made
