"""Listening addresses: parsing, binding, and whether other machines reach them."""

import os
import socket
from errno import EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EPERM
from ipaddress import ip_address

from handoffs.console import UsageError

FREE_TRIES = 20
"""How many free ports are tried until one is free at both loopback addresses."""


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


def bound_as_localhost(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen at `host` and at all that `localhost` means: 127.0.0.1 and ::1, on one port.

    If another program had one of the two, a browser could be led there. Without IPv6 on this machine there is no ::1.
    Port 0 takes one that is free at both. Raises CannotServe.
    """
    for _ in range(FREE_TRIES):
        first = bound(host, port)
        try:
            return [first, *_other_loopback(first)]
        except CannotServe:
            first.close()
            if port:
                raise
    raise CannotServe(f"No port is free at {host} and at ::1.")


def _other_loopback(first: socket.socket) -> list[socket.socket]:
    """Return the socket at the loopback address that the first one does not serve; none where there is no such one."""
    host, port = first.getsockname()[:2]
    if host == "::":
        return []  # it serves both
    other = "127.0.0.1" if host == "::1" else "::1"
    try:
        with socket.socket(socket.AF_INET6 if ":" in other else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((other, 0))
    except OSError as error:
        if error.errno in {EADDRNOTAVAIL, EAFNOSUPPORT, EPERM}:
            return []
        raise CannotServe(f"{other} can't be used: {error.strerror or error}.") from None
    return [bound(other, port)]


def parsed(address: str) -> tuple[str, int]:
    """Return the host and port of `HOST:PORT`; without a host, 127.0.0.1. Raises CannotServe."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or int(port) > 65_535:
        raise CannotServe(f"{address!r} is no address: write HOST:PORT, such as 127.0.0.1:8765.")
    return ("127.0.0.1" if host == "localhost" else host), int(port)
