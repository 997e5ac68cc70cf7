"""Authentication of every HTTP request, before anything else is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from handoffs.access.tokens import PREFIX


class Verifier(TokenVerifier, Protocol):
    """Verifies tokens of one kind, and later whether they are still valid."""

    @property
    def kind(self) -> type[AccessToken]:
        """The class of its own tokens."""
        ...

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return the tokens that were revoked since they were verified. Expiry times are not checked.

        A token that can't be checked right now counts as valid.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """The authentication of a server, as `MCPServer(auth=…, token_verifier=…)` takes it."""

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
    """Return the authentication for the server at `resource`: it admits bearers that one of the verifiers knows."""
    # As texts: an issuer's address is compared letter by letter, and a URL object would add a slash at its end.
    wanted = {
        # The SDK requires an issuer; without one, this value is not used.
        "issuer_url": issuer or resource,
        # Publishes metadata that names the issuer. Tokens that a person hands out have no issuer.
        "resource_server_url": None if issuer is None else resource,
        "required_scopes": list(scopes) or None,
    }
    # The local user first: their file can be read even if the store can't.
    ours = [verifier for verifier in (local, static) if verifier is not None]
    return Admission(auth=AuthSettings.model_validate(wanted), verifier=_AnyOf(ours, oauth))


class _AnyOf:
    """Delegates to the verifiers of our own tokens, by their prefix, or to the issuer's."""

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
        return [*lapsed, *left]  # no verifier is left for these
