"""Access tokens of an OAuth issuer.

This server is only a resource server: it issues no tokens, passes none on, and accepts none for another audience
(RFC 9068; MCP 2025-11-25 authorization, "Token handling").
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast

from mcp.server.auth.provider import AccessToken

from handoffs.access.issuer import Issuer
from handoffs.access.signed import LEEWAY_SECONDS, Refused, verified
from handoffs.access.unavailable import Unavailable
from handoffs.core.principals import oauth_principal

logger = logging.getLogger(__name__)


class _Signed(AccessToken):
    kid: str | None
    """The name of the key that signed it."""


class OAuthTokens:
    """Verifies the tokens of an issuer's users."""

    kind = _Signed

    def __init__(self, issuer: Issuer, *, audience: str) -> None:
        """Take the issuer, and the audience of tokens for this server."""
        self._issuer, self._audience = issuer, audience

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the verified token, or None if it is not valid here.

        Raises:
            Unavailable: The issuer's keys are not cached, and it can't be reached.
        """
        try:
            return await self._verified(token)
        except Refused as why:
            logger.warning("A token is refused: %s.", why)
            return None

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return the tokens whose key the issuer has withdrawn; none if it can't be reached."""
        signed = [token for token in tokens if isinstance(token, _Signed)]
        gone: set[str | None] = set()
        with suppress(Unavailable):  # the reason is in the log
            for kid in {token.kid for token in signed}:
                if await self._issuer.key(kid) is None:
                    gone.add(kid)
        return [token for token in signed if token.kid in gone]

    async def _verified(self, token: str) -> AccessToken:
        signed = await verified(token, self._issuer, audience=self._audience, require=["exp", "iss", "aud", "sub"])
        claims = signed.claims
        principal = oauth_principal(claims.get("sub"), self._issuer.url)
        if principal is None:
            raise Refused("its subject can't be a name")
        return _Signed(
            token="",  # it is not needed any more, and must not be passed on
            client_id=_client(claims) or principal,
            scopes=_scopes(claims),
            expires_at=int(cast("float", claims["exp"])) + LEEWAY_SECONDS,
            resource=self._audience,
            subject=principal,
            claims={"iss": self._issuer.url},
            kid=signed.kid,
        )


def _client(claims: Mapping[str, object]) -> str | None:
    """Return the client that the token was issued to (RFC 9068, or the claims of other issuers)."""
    return next((each for each in (claims.get("client_id"), claims.get("azp")) if isinstance(each, str) and each), None)


def _scopes(claims: Mapping[str, object]) -> list[str]:
    """Return the token's scopes: `scope` (RFC 9068), or `scp`, as a text or a list."""
    scopes: list[str] = []
    for written in (claims.get("scope"), claims.get("scp")):
        if isinstance(written, str):
            scopes += written.split()
        elif isinstance(written, list):
            scopes += [each for each in cast("list[object]", written) if isinstance(each, str)]
    return scopes
