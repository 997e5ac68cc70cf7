"""What is asked of every request over HTTP before anything else is done: whose it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from handoffs.access.tokens import PREFIX


class Verifier(TokenVerifier, Protocol):
    """Knows whose a token is, and later whether it still is."""

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return those of once good tokens that would be refused now, but for the time at which they say they expire.

        Of which that can't be known at the moment, none.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Who is let in, as `MCPServer(auth=…, token_verifier=…)` takes it."""

    auth: AuthSettings
    verifier: Verifier


def admission(
    *,
    resource: str,
    issuer: str | None,
    scopes: Sequence[str],
    oauth: Verifier | None,
    static: Verifier | None,
) -> Admission:
    """Return who is let in to the server at the address `resource`: the bearers that either verifier knows."""
    # As texts: an issuer's address is compared letter by letter, and as an object it would gain a slash at its end.
    wanted = {
        # Without an issuer nobody is sent anywhere: what the SDK wants here is then used by nothing.
        "issuer_url": issuer or resource,
        # Which publishes where tokens are to be had; there is no such place for those that a person hands out.
        "resource_server_url": None if issuer is None else resource,
        "required_scopes": list(scopes) or None,
    }
    return Admission(auth=AuthSettings.model_validate(wanted), verifier=_Either(oauth, static))


class _Either:
    def __init__(self, oauth: Verifier | None, static: Verifier | None) -> None:
        self._oauth, self._static = oauth, static

    async def verify_token(self, token: str) -> AccessToken | None:
        verifier = self._static if token.startswith(PREFIX) else self._oauth
        return None if verifier is None else await verifier.verify_token(token)

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        static = [token for token in tokens if token.token]  # a digest, which those of an issuer have not
        others = [token for token in tokens if not token.token]
        lapsed: list[AccessToken] = []
        for verifier, of_it in ((self._static, static), (self._oauth, others)):
            lapsed += of_it if verifier is None else await verifier.lapsed(of_it)
        return lapsed
