"""Authentication for `serve --http`: the local user's token, added tokens, or an issuer's. Imported only for HTTP.

On this machine the local user has a token of their own (`handoffs.access.local`). From other machines, and under a
public address, that token is not valid: callers need a token of `handoffs token add`, or an issuer's.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings

from handoffs.access.addresses import is_private
from handoffs.access.admission import Admission, admission
from handoffs.access.local import LocalToken, LocalTokenError, LocalUser
from handoffs.access.static import StaticTokens
from handoffs.assembly import open_tokens
from handoffs.clock import SystemClock
from handoffs.core.ports import Tokens
from handoffs.os_user import current_user
from handoffs.serving.binding import CannotServe, is_loopback
from handoffs.settings import Settings

LOCAL_WAY_IN = (
    "Callers on this machine must show its token. `handoffs install HOST` writes it into a host's configuration; "
    "`handoffs token local` prints it."
)
ADDED_WAY_IN = "Callers must show a token: ask who runs this server for one, which `handoffs token add NAME` makes."


def local_token(settings: Settings, host: str, data: Path) -> LocalToken | None:
    """Return the local user's token for this address; None when it is not valid there."""
    local = is_loopback(host) and not _is_public(settings)
    return LocalToken(data) if local and settings.tokens == "auto" and settings.oauth_issuer is None else None


async def checked(settings: Settings, host: str) -> None:
    """Check that remote callers must authenticate; warn when their tokens travel without TLS.

    Raises:
        CannotServe: Callers on other machines would not be authenticated.
        StoreError: The tokens can't be read.
    """
    # Behind a proxy the public name counts, not the address that the server listens on.
    if is_loopback(host) and not _is_public(settings):
        return
    async with open_tokens(settings) as tokens:
        asks = await _requires_token(settings, tokens)
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
        # The operator judges whether the network is safe, so this only warns.
        print(f"Tokens go to {settings.url} readable to everybody on the way: put TLS before it.", file=sys.stderr)  # noqa: T201


def admitted(settings: Settings, tokens: Tokens, *, base: str, local: LocalToken | None = None) -> Admission | None:
    """Return the admission for the server at `base`; None when HANDOFFS_TOKENS=off and no issuer is set."""
    if settings.tokens == "off" and settings.oauth_issuer is None:
        return None
    resource, clock = f"{base}/mcp", SystemClock()
    oauth = None
    if settings.oauth_issuer is not None:
        from handoffs.access.issuer import Issuer  # cryptography and an HTTP client: only with an issuer
        from handoffs.access.oauth import OAuthTokens

        oauth = OAuthTokens(Issuer(settings.oauth_issuer, clock), audience=settings.oauth_audience or resource)
    static = None if settings.tokens == "off" else StaticTokens(tokens, clock, scopes=settings.oauth_scopes)
    user = None if local is None else LocalUser(local, subject=current_user(), scopes=settings.oauth_scopes)
    return admission(
        resource=resource,
        issuer=settings.oauth_issuer,
        scopes=settings.oauth_scopes,
        oauth=oauth,
        static=static,
        local=user,
    )


def way_in(settings: Settings, local: LocalToken | None) -> str | None:
    """Return how to get a token, for a person; None when the issuer's metadata tells clients."""
    if settings.oauth_issuer is not None:
        return None
    return ADDED_WAY_IN if local is None else LOCAL_WAY_IN


def announcement(settings: Settings, local: LocalToken | None, url: str) -> str:
    """Return the text for a server that starts at `url`: whether callers need a token, and how a host gets it.

    The local user's token is created if there is none yet, and shown then.

    Raises:
        CannotServe: The token can't be stored.
    """
    if local is None:
        asks = settings.tokens != "off" or settings.oauth_issuer is not None
        return "Callers must show a token." if asks else UNAUTHENTICATED.format(user=current_user())
    try:
        token, is_new = local.ensure()
    except LocalTokenError as why:
        raise CannotServe(str(why)) from None
    said = f"Callers must show a token. `handoffs install HOST --http {url}` writes this machine's into a host"
    if not is_new:
        return f"{said}; `handoffs token local` prints it."
    return (
        f"{said}.\nIt was made just now and is shown this once; `handoffs token local` prints it. By hand, most hosts "
        f"read it like this:\n{json.dumps(configuration(url, token))}"
    )


UNAUTHENTICATED = (
    "HANDOFFS_TOKENS is off: every program on this machine, of every user, can ask as {user}, read what {user}'s "
    "agents ask, and answer it in a dialog of its own. Unset it, and callers must show a token."
)


def configuration(url: str, token: str, *, name: str = "handoffs") -> Mapping[str, object]:
    """Return a server over HTTP in the configuration format that most hosts read."""
    entry = {"type": "http", "url": url, "headers": {"Authorization": f"Bearer {token}"}}
    return {"mcpServers": {name: entry}}


def reachable_at(base: str, url: str | None) -> TransportSecuritySettings:
    """Return what `reachable_as` does for a server at an address such as `http://127.0.0.1:8765`."""
    name, _, port = base.removeprefix("http://").rpartition(":")
    return reachable_as(name, int(port), url)


def reachable_as(name: str, port: int, url: str | None) -> TransportSecuritySettings:
    """Return the Host and Origin names that requests may have, against DNS rebinding.

    Only our own pages are allowed as an Origin. The Host may have any port, since a tunnel may end on another one.
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


def _is_public(settings: Settings) -> bool:
    name = urlsplit(settings.url).hostname if settings.url is not None else None
    return name is not None and not is_loopback(name)


async def _requires_token(settings: Settings, tokens: Tokens) -> bool:
    """Say whether remote callers must show a token: it is set so, or a token was ever added."""
    if settings.oauth_issuer is not None or settings.tokens != "auto":
        return settings.oauth_issuer is not None or settings.tokens == "on"
    # Revoked tokens count: revoking the last token must not open the server.
    return bool(await tokens.all())
