"""Where a command listens, and whether others than this machine reach it there."""

import os
import socket
from errno import EADDRINUSE
from ipaddress import ip_address

from handoffs.console import UsageError


class CannotServe(UsageError):
    """The server can't be started like this; the message is for the person who tried."""


def is_loopback(host: str) -> bool:
    """Say whether `host` is an address that only this machine reaches. A name, other than localhost, is none."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """Return `host` as a URL has it."""
    return f"[{host}]" if ":" in host else host


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises CannotServe."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Its protocol is said: without, asyncio leaves Nagle's algorithm on, and a response may wait 40 ms for nothing.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name != "nt":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # from here on a client can call; it is answered once the server is up
    except OSError as error:
        listener.close()
        where = f"{host}:{port}" if isinstance(error, PermissionError) or error.errno == EADDRINUSE else host
        raise CannotServe(f"{where} can't be used: {error.strerror or error}.") from None
    return listener


def parsed(address: str) -> tuple[str, int]:
    """Return the host and port of `HOST:PORT`; without a host, this machine alone. Raises CannotServe."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or int(port) > 65_535:
        raise CannotServe(f"{address!r} is no address: write HOST:PORT, such as 127.0.0.1:8765.")
    return ("127.0.0.1" if host == "localhost" else host), int(port)
