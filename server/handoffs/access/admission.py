"""What is asked of every request over HTTP before anything else is done: whose it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from handoffs.access.tokens import PREFIX


class Verifier(TokenVerifier, Protocol):
    """Knows whose a token is, and later whether it still is."""

    @property
    def kind(self) -> type[AccessToken]:
        """Of which class its own tokens are."""
        ...

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return those of its once good tokens that would be refused now, but for the time at which they expire.

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
    local: Verifier | None = None,
) -> Admission:
    """Return who is let in to the server at the address `resource`: the bearers that one of the verifiers knows."""
    # As texts: an issuer's address is compared letter by letter, and as an object it would gain a slash at its end.
    wanted = {
        # Without an issuer nobody is sent anywhere: what the SDK wants here is then used by nothing.
        "issuer_url": issuer or resource,
        # Which publishes where tokens are to be had; there is no such place for those that a person hands out.
        "resource_server_url": None if issuer is None else resource,
        "required_scopes": list(scopes) or None,
    }
    # The local user first: their file can be read while the store can't.
    ours = [verifier for verifier in (local, static) if verifier is not None]
    return Admission(auth=AuthSettings.model_validate(wanted), verifier=_AnyOf(ours, oauth))


class _AnyOf:
    """Asks those whose tokens can be told by how they begin, or the issuer."""

    kind = AccessToken

    def __init__(self, ours: Sequence[Verifier], oauth: Verifier | None) -> None:
        self._ours, self._issued = ours, [] if oauth is None else [oauth]

    async def verify_token(self, token: str) -> AccessToken | None:
        for verifier in self._ours if token.startswith(PREFIX) else self._issued:
            known = await verifier.verify_token(token)
            if known is not None:
                return known
        return None

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        lapsed, left = list[AccessToken](), list(tokens)
        for verifier in (*self._ours, *self._issued):
            lapsed += await verifier.lapsed([token for token in left if isinstance(token, verifier.kind)])
            left = [token for token in left if not isinstance(token, verifier.kind)]
        return [*lapsed, *left]  # nobody lets those in any more
