"""The URL of a PostgreSQL store, split into parts for the driver, for us, and for display."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from handoffs.core.errors import StoreError

SCHEMA = "handoffs"
"""The schema that holds a store's tables, unless the URL names another (`?schema=`)."""

_CONNECT_SECONDS = 5.0

# Host names, addresses, several of them, ports. Parts of a password that is not percent-encoded do not match.
_HOST = r"(?:[\w.%-]+|\[[0-9a-fA-F:.%]+\])?(?::\d+)?"
_HOSTS = re.compile(f"{_HOST}(?:,{_HOST})*", re.ASCII)
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
# Parameters of libpq that the driver would take for settings of the server.
_OF_LIBPQ = frozenset({
    "gssencmode", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts",
    "tcp_user_timeout",
})  # fmt: skip
_SECRET = frozenset({"password", "sslpassword"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """The address of a store. As text, it shows no password."""

    url: str = field(repr=False)
    """The URL as it was written, with the password."""
    dsn: str = field(repr=False)
    """The URL for the driver, with the password."""
    schema: str
    """The schema of the tables; safe in SQL between double quotes."""
    shown: str
    """The address for people and logs: without user and password."""
    settings: frozenset[str]
    """The settings of the server that the URL sets."""
    connect_seconds: float
    """How long to wait for a connection."""
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def scheme(self) -> str:
        """The scheme of its engine."""
        return "postgresql"

    def __str__(self) -> str:
        """Return the address without user and password."""
        return self.shown

    @property
    def identity(self) -> str:
        """What identifies this store, the same for all users: servers, database and schema."""
        parts = urlsplit(self.dsn)
        user, _, hosts = parts.netloc.rpartition("@")
        given = dict(parse_qsl(parts.query))
        where = hosts or given.get("host", "")
        servers = (
            host if re.search(r":\d+$", host) else f"{host}:{given.get('port', 5432)}" for host in where.split(",")
        )
        name = parts.path.strip("/") or given.get("dbname") or given.get("database") or user.partition(":")[0]
        return f"postgresql://{','.join(servers).lower()}/{unquote(name)}?schema={self.schema}"

    def hide(self, words: object) -> str:
        """Return a message of the driver or server on one line, without passwords."""
        text = " ".join(str(words).split())
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return text


def parse(url: str) -> Address:
    """Return the address of a `postgresql://` URL. Raises StoreError, whose message shows nothing of the URL."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _malformed() from None
    user, _, hosts = parts.netloc.rpartition("@")
    wrong = parts.scheme not in {"postgresql", "postgres"} or "@" in parts.path or parts.fragment
    if wrong or not _HOSTS.fullmatch(hosts):
        raise _malformed()
    given = dict(query)
    schema = given.pop("schema", SCHEMA)
    if not _SCHEMA.fullmatch(schema):
        raise StoreError("The schema of a PostgreSQL store must consist of small letters, digits and underscores.")
    if given.pop("channel_binding", "") == "require":
        raise StoreError(
            "The driver can't bind a connection to its TLS channel. Take channel_binding=require out of the URL; "
            "sslmode=verify-full makes sure of the server."
        )
    try:
        connect_seconds = float(given.pop("connect_timeout", "") or 0) or _CONNECT_SECONDS
    except ValueError:
        raise _malformed() from None
    kept = {name: value for name, value in given.items() if name not in _OF_LIBPQ}
    if "," in hosts:
        kept.setdefault("target_session_attrs", "read-write")  # of several servers, only one accepts writes
    secrets = {user.partition(":")[2], *(value for name, value in given.items() if name in _SECRET)}
    return Address(
        url=url,
        dsn=parts._replace(query=urlencode(kept, quote_via=quote)).geturl(),
        schema=schema,
        shown=f"postgresql://{hosts}{parts.path}",
        settings=frozenset(kept),
        connect_seconds=connect_seconds,
        secrets=tuple(sorted({form for each in secrets if each for form in (each, unquote(each))}, key=len)[::-1]),
    )


def _malformed() -> StoreError:
    return StoreError(
        "The URL of the store can't be read. It is postgresql://USER:PASSWORD@HOST:5432/DATABASE, where every "
        "character of the password but letters and digits is percent-encoded: %40 for @, %2F for /, %23 for #."
    )
