"""The two servers of a mailbox, as the settings name them: one sends, one is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from ssl import SSLContext, create_default_context
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit

ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
"""A plain e-mail address. Others exist, and are refused: an address that can be read in two ways is nobody's."""

MOST_ADDRESS = 254

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"smtps": 465, "smtp": 587, "imaps": 993, "imap": 143}


class Tls(StrEnum):
    """How the connection is encrypted."""

    AT_ONCE = "at once"
    BY_COMMAND = "by command"
    """STARTTLS, without which nothing is said."""
    NONE = "none"
    """On this machine alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """One server, and who we are there."""

    host: str
    port: int
    tls: Tls
    user: str = ""
    password: str = field(default="", repr=False)
    folder: str = "INBOX"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """The mailbox of an installation."""

    address: str
    authserv: str
    """By what name its server vouches for messages (RFC 8601, section 2.5)."""
    smtp: Server
    imap: Server

    @property
    def domain(self) -> str:
        """What stands after the @ of its address."""
        return self.address.rpartition("@")[2]

    @property
    def name(self) -> str:
        """A name of what is read, which differs for another mailbox."""
        imap = self.imap
        return sha256("\n".join((imap.host, str(imap.port), imap.user, imap.folder)).encode()).hexdigest()[:12]


def server_at(written: str, *, kind: str) -> Server:
    """Return the server at an address such as `imaps://user@imap.example.org/Folder`; `kind` is smtp or imap.

    Raises:
        ValueError: It can't be used. The message holds no secret.
    """
    if re.search(r"[^!-~]", written):
        raise ValueError("spaces and characters beyond ASCII are written as %20 and the like")
    parts = urlsplit(written)  # this, and reading the port, may raise a ValueError that says why
    if parts.scheme not in (kind, f"{kind}s") or not parts.hostname or parts.port == 0:
        raise ValueError(f"it begins with {kind}s:// or {kind}:// and a host")
    if parts.query or parts.fragment or (kind == "smtp" and parts.path.strip("/")):
        raise ValueError("a query and a fragment have no place in it, nor has a folder where messages are sent")
    return Server(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        tls=_tls(parts),
        user=_decoded(parts.username),
        password=_decoded(parts.password),
        folder=_decoded(parts.path.strip("/")) or "INBOX",
    )


def mailbox_of(settings: Mapping[str, object]) -> Mailbox | None:
    """Return the mailbox that the settings name, which have been checked; None for none."""
    smtp, imap, address, authserv, password = (
        cast("str | None", settings[f"email_{name}"]) for name in ("smtp", "imap", "address", "authserv", "password")
    )
    if smtp is None or imap is None or address is None or authserv is None:
        return None
    servers = (server_at(smtp, kind="smtp"), server_at(imap, kind="imap"))
    sends, reads = (replace(each, password=each.password or password or "") for each in servers)
    return Mailbox(address=address, authserv=authserv, smtp=sends, imap=reads)


def is_address(written: str) -> bool:
    """Return whether a text is a plain e-mail address."""
    return len(written) <= MOST_ADDRESS and ADDRESS.fullmatch(written) is not None


def context_of(server: Server) -> SSLContext | None:
    """Return what encrypts a connection, and checks the server's certificate; None where it is not encrypted.

    It reads the certificates of this machine.
    """
    return None if server.tls is Tls.NONE else create_default_context()


def _tls(parts: SplitResult) -> Tls:
    if parts.scheme.endswith("s"):
        return Tls.AT_ONCE
    return Tls.NONE if parts.hostname in _LOOPBACK else Tls.BY_COMMAND


def _decoded(part: str | None) -> str:
    text = unquote(part or "", errors="strict")
    if not text.isprintable():
        raise ValueError("control characters have no place in it")
    return text
