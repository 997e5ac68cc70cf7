"""Listening addresses: parsing, binding, and whether other machines reach them."""

import os
import socket
from errno import EADDRINUSE
from ipaddress import ip_address

from handoffs.console import UsageError


class CannotServe(UsageError):
    """The server can't be started like this; the message is for the person who starts it."""


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches `host`: a loopback address, or localhost; any other name is not."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """Return `host` as it is written in a URL."""
    return f"[{host}]" if ":" in host else host


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises CannotServe."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is given explicitly: otherwise asyncio leaves Nagle's algorithm on, which delays responses by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name != "nt":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # clients can connect from here on; the server answers them once it runs
    except OSError as error:
        listener.close()
        where = f"{host}:{port}" if isinstance(error, PermissionError) or error.errno == EADDRINUSE else host
        raise CannotServe(f"{where} can't be used: {error.strerror or error}.") from None
    return listener


def parsed(address: str) -> tuple[str, int]:
    """Return the host and port of `HOST:PORT`; without a host, 127.0.0.1. Raises CannotServe."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or int(port) > 65_535:
        raise CannotServe(f"{address!r} is no address: write HOST:PORT, such as 127.0.0.1:8765.")
    return ("127.0.0.1" if host == "localhost" else host), int(port)
