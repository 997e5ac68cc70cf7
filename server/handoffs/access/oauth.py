"""Tokens of an OAuth issuer: JSON Web Tokens, checked by the issuer's own public keys.

This server is only a resource server: it issues no tokens, passes none on, and accepts none for another audience
(RFC 9068; MCP 2025-11-25 authorization, "Token handling"). PyJWT checks the signatures.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast

import jwt
from mcp.server.auth.provider import AccessToken

from handoffs.access.issuer import Issuer
from handoffs.access.unavailable import Unavailable
from handoffs.core.principals import oauth_principal

logger = logging.getLogger(__name__)

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Algorithms with a public key. With a shared key, a program that checks tokens could make them."""

LEEWAY_SECONDS = 30
"""How much the issuer's clock may differ from ours."""

MAX_TOKEN = 16_384
"""The most characters of a token; most servers limit headers to this."""


class Refused(Exception):
    """A token is not valid. The message says why, without any of its content."""


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
        if len(token) > MAX_TOKEN:
            raise Refused("it is too long")
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise Refused("it is not signed by a public key")
        if kid is not None and not isinstance(kid, str):
            raise Refused("its header is not valid")
        key = await self._issuer.key(kid)
        if key is None:
            raise Refused("it is signed by a key that the issuer does not have")
        if key.get("alg", algorithm) != algorithm:
            raise Refused("it is signed in another way than its key is for")
        claims = self._claims(token, jwt_key(key, algorithm), algorithm)
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
            kid=kid,
        )

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> Mapping[str, object]:
        try:
            claims: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer.url,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as wrong:
            raise Refused(f"{type(wrong).__name__}") from None
        return claims


def jwt_key(key: Mapping[str, object], algorithm: str) -> jwt.PyJWK:
    """Return a key for one algorithm. Raises Refused if it does not fit."""
    try:
        return jwt.PyJWK(dict(key), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError) as wrong:
        raise Refused(f"its key can't be used ({type(wrong).__name__})") from None


def _header(token: str) -> Mapping[str, object]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise Refused("it is no JSON Web Token") from None


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
