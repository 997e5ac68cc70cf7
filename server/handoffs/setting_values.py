"""What a setting may hold: how each kind is read, and what is said to people about the allowed values."""

import re
from base64 import b64decode
from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from handoffs.access.addresses import is_private
from handoffs.core.untrusted import inert_line
from handoffs.store import ENGINES, StoreAddress, engine_named

TEN_YEARS = 315_360_000
"""In seconds. No waiting is longer, and times that far away can still be written as dates."""


def store_address(written: str) -> StoreAddress:
    """Return the address of a store from a value of HANDOFFS_STORE. Raises ValueError, which shows no password."""
    scheme, mark, _ = written.strip().partition("://")
    if mark and scheme.lower() not in ENGINES:
        raise ValueError(f"there is no store for {inert_line(scheme, 20)}://")
    return engine_named(scheme.lower() if mark else "sqlite").address(written)


def parsed_store(written: object) -> StoreAddress:
    """Return the address of a store that is written as text, or is one already. Raises ValueError."""
    if isinstance(written, str):
        return store_address(written)
    if isinstance(written, Path) or hasattr(written, "identity"):
        return cast("StoreAddress", written)
    raise ValueError("it is no text")


def lowered(written: object) -> object:
    """Return a word in small letters, without spaces around it."""
    return written.strip().lower() if isinstance(written, str) else written


def no_boolean(written: object) -> object:
    """Return a number; a boolean as text, which is then refused: `true` is not one second."""
    return str(written) if isinstance(written, bool) else written


def _split(between: str) -> BeforeValidator:
    def split(written: object) -> object:
        return [part for part in re.split(between, written) if part.strip()] if isinstance(written, str) else written

    return BeforeValidator(split)


def seconds_from(least: int) -> object:
    """Return the bounds of a number of seconds, in words too."""
    allowed = f"a number of seconds from {least} to {TEN_YEARS} (ten years)"
    return Field(ge=least, le=TEN_YEARS, allow_inf_nan=False, description=allowed)


def plain_url(written: str) -> str:
    """Return an http(s) address without the last slash. Raises ValueError."""
    return _address(written).rstrip("/")


def issuer_url(written: str) -> str:
    """Return the address as it is written, to the last slash: its tokens repeat it exactly. Raises ValueError."""
    address = _address(written)
    if "@" in address:
        raise ValueError("an issuer has no @ in its address")
    if not is_private(address):
        raise ValueError("others on the way to it could issue tokens of their own: it must be https")
    return address


def origin_url(written: str) -> str:
    """Return the address without a path, as browsers write an origin: the inbox's own pages begin at the root.

    So the port that the scheme has anyhow is left out: a passkey's signature names the origin without it. Raises
    ValueError.
    """
    address = plain_url(written)
    if urlsplit(address).path:
        raise ValueError("a path has no place in it: the inbox has a name or a port of its own")
    if not is_private(address):
        raise ValueError("others on the way to it could read what people type: beyond this machine it must be https")
    address = address.lower()
    return address.removesuffix(":443" if address.startswith("https:") else ":80")


def _address(written: str) -> str:
    parts = urlsplit(written)  # this, and reading the port, may raise a ValueError that says why
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("it begins with http:// or https:// and a host")
    if re.search(r"[^!-~]|[?#]", written) or parts.username is not None:
        raise ValueError("a user, a query, a fragment and spaces have no place in it")
    return written


def at_least(least: int, of: str) -> object:
    """Return the bounds of a whole number of things, in words too."""
    return Field(ge=least, le=10**12, description=f"a whole number of {of}, {least} or more")


def receiver_url(written: str) -> str:
    """Return an http(s) address as it is written; it may hold a user and a query. Raises ValueError, without it."""
    parts = urlsplit(written)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("it begins with http:// or https:// and a host")
    if re.search(r"[^!-~]|#", written):
        raise ValueError("a fragment and spaces have no place in it")
    return written


def webhook_secret(written: str) -> str:
    """Return a secret of Standard Webhooks as it is written. Raises ValueError, without it."""
    try:
        size = len(b64decode(written.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if not written.startswith("whsec_") or not 24 <= size <= 64:
        raise ValueError("after whsec_, it is the base64 of 24 to 64 bytes")
    return written


def mail_server(kind: str) -> AfterValidator:
    """Return what checks the address of a mail server; `kind` is smtp or imap."""

    def checked(written: str | None) -> str | None:
        if written:
            from handoffs.channels.mailbox.servers import server_at  # most installations have no mailbox

            server_at(written, kind=kind)
        return written

    return AfterValidator(checked)


Count = Annotated[int, BeforeValidator(no_boolean)]
Seconds = Annotated[float, BeforeValidator(no_boolean)]
_SCHEME = "[A-Za-z][A-Za-z0-9+.-]*://"
Scopes = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")], ...],  # RFC 6749, section 3.3
    _split(r"[\s,]+"),
    Field(description="names of scopes, several with commas"),
]
Addresses = Annotated[
    tuple[Annotated[str, Field(pattern=f"^{_SCHEME}.")], ...],
    _split(rf"[\s,]+(?={_SCHEME})"),  # an address may hold commas of its own; the next one begins with its scheme
    Field(repr=False, description="notification addresses with their scheme, several with commas"),
]
Receivers = Annotated[
    tuple[Annotated[str, AfterValidator(receiver_url)], ...],
    _split(r"[\s,]+(?=https?://)"),
    Field(repr=False, description="addresses of receivers of webhooks, several with commas"),
]
WebhookSecrets = Annotated[
    tuple[Annotated[str, AfterValidator(webhook_secret)], ...],
    _split(r"[\s,]+"),
    Field(repr=False, description='secrets (`printf "whsec_%s" "$(openssl rand -base64 32)"`), several with commas'),
]
Keys = Annotated[
    tuple[Annotated[str, Field(min_length=32)], ...],
    _split(","),
    Field(repr=False, description="keys of 32 characters or more (`openssl rand -hex 32`), several with commas"),
]
