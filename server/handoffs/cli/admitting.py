"""Whom `serve --http` lets in: everybody on this machine, or who shows a token. Imported only for that."""

import sys
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from handoffs.access.addresses import is_private
from handoffs.access.admission import Admission, admission
from handoffs.access.static import StaticTokens
from handoffs.access.tokens import Tokens
from handoffs.assembly import open_tokens
from handoffs.cli.binding import CannotServe, is_loopback
from handoffs.cli.unasked import Unasked
from handoffs.clock import SystemClock
from handoffs.settings import Settings


async def checked(settings: Settings, host: str) -> None:
    """Return where callers at this address can be told apart, or need not be; warn where their tokens can be read.

    Raises:
        CannotServe: Others could call there, and nothing would ask them who they are.
        StoreError: Whether there are tokens can't be known.
    """
    # Behind a proxy it is the name that others reach, wherever the server itself listens.
    name = urlsplit(settings.url).hostname if settings.url is not None else None
    public = name is not None and not is_loopback(name)
    if is_loopback(host) and not public:
        return
    async with open_tokens(settings) as tokens:
        asks = await _asks(settings, tokens)
    if not asks:
        where, instead = (settings.url, "unset HANDOFFS_URL") if is_loopback(host) else (host, "use 127.0.0.1")
        raise CannotServe(
            f"{where} can be reached from other machines, and nothing asks them who they are: {instead}; or give "
            "each caller a token with `handoffs token add`; or set HANDOFFS_OAUTH_ISSUER."
        )
    if settings.url is None:
        raise CannotServe(
            f"{host} can be reached from other machines: set HANDOFFS_URL to the address by which they do, such as "
            "https://handoffs.example.com."
        )
    if not is_private(settings.url):
        # A laboratory's network may be a cable: that is for its people to judge, who should know.
        print(f"Tokens go to {settings.url} readable to everybody on the way: put TLS before it.", file=sys.stderr)  # noqa: T201


async def admitted(settings: Settings, tokens: Tokens, *, base: str) -> Admission | None:
    """Return who is let in to the server at `base`; None for everybody.

    Raises:
        StoreError: Whether there are tokens can't be known.
    """
    if not await _asks(settings, tokens):
        return None
    resource, clock = f"{base}/mcp", SystemClock()
    oauth = None
    if settings.oauth_issuer is not None:
        from handoffs.access.issuer import Issuer  # cryptography and what fetches keys: only where there is an issuer
        from handoffs.access.oauth import OAuthTokens

        oauth = OAuthTokens(Issuer(settings.oauth_issuer, clock), audience=settings.oauth_audience or resource)
    static = None if settings.tokens == "off" else StaticTokens(tokens, clock, scopes=settings.oauth_scopes)
    return admission(
        resource=resource, issuer=settings.oauth_issuer, scopes=settings.oauth_scopes, oauth=oauth, static=static
    )


def until_tokens(settings: Settings, tokens: Tokens, app: ASGIApp) -> Unasked | None:
    """Return what serves `app`, which asks nobody for a token, until there is one; None where so it is meant to be."""
    return Unasked(app, tokens) if settings.tokens == "auto" else None


def reachable_as(name: str, port: int, url: str | None) -> TransportSecuritySettings:
    """Return the names that a request may call this server by, against DNS rebinding.

    No page but our own may call: browsers have no business here. Any port in the Host, since a tunnel may end on
    another.
    """
    hosts, origins = (
        [name, "127.0.0.1", "localhost", "[::1]"],
        [f"http://{host}:{port}" for host in {name, "localhost"}],
    )
    exactly: list[str] = []
    if url is not None:
        parts = urlsplit(url.lower())  # as clients write a Host and browsers an Origin
        public = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
        hosts.append(public)
        exactly.append(public)  # a client leaves out the port that its scheme has anyway
        origins.append(f"{parts.scheme}://{parts.netloc}")
    return TransportSecuritySettings(
        allowed_hosts=[*exactly, *(f"{host}:*" for host in dict.fromkeys(hosts))], allowed_origins=origins
    )


async def _asks(settings: Settings, tokens: Tokens) -> bool:
    """Whether callers must show a token: where that was set, or where anybody was ever given one."""
    if settings.oauth_issuer is not None or settings.tokens != "auto":
        return settings.oauth_issuer is not None or settings.tokens == "on"
    # Those that were revoked count: to take the last one away must not let everybody in.
    return bool(await tokens.all())
