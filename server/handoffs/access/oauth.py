"""Tokens of an OAuth issuer: JSON Web Tokens, checked by the issuer's own public keys.

This server is a resource server and nothing else: it issues no token, passes none on, and takes none that was meant for
another (RFC 9068; MCP 2025-11-25 authorization, "Token handling"). What checks a signature is PyJWT.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast

import jwt
from mcp.server.auth.provider import AccessToken

from handoffs.access.issuer import Issuer
from handoffs.access.principals import oauth_principal
from handoffs.access.unavailable import Unavailable

logger = logging.getLogger(__name__)

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Those with a public key. With a shared one, whoever can check a token could make one."""

LEEWAY_SECONDS = 30
"""How far the issuer's clock may be from ours."""

MAX_TOKEN = 16_384
"""Characters; the headers of a request hold no more in most servers."""


class Refused(Exception):
    """A token is not good; the message says why, without anything that is in it."""


class _Signed(AccessToken):
    kid: str | None
    """The name of the key that it is signed by."""


class OAuthTokens:
    """Knows the users of an issuer by their tokens."""

    kind = _Signed

    def __init__(self, issuer: Issuer, *, audience: str) -> None:
        """Take the issuer, and what its tokens for this server are meant for."""
        self._issuer, self._audience = issuer, audience

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token it is and what for; None where it is not good here.

        Raises:
            Unavailable: The issuer's keys are not known, and can't be asked for.
        """
        try:
            return await self._verified(token)
        except Refused as why:
            logger.warning("A token is refused: %s.", why)
            return None

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return those whose key the issuer has withdrawn since; none more where it can't be asked."""
        signed = [token for token in tokens if isinstance(token, _Signed)]
        gone: set[str | None] = set()
        with suppress(Unavailable):  # why is in the log
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
            raise Refused("its header is none")
        key = await self._issuer.key(kid)
        if key is None:
            raise Refused("it is signed by a key that is none of the issuer's")
        if key.get("alg", algorithm) != algorithm:
            raise Refused("it is signed in another way than its key is for")
        claims = self._claims(token, jwt_key(key, algorithm), algorithm)
        principal = oauth_principal(claims.get("sub"), self._issuer.url)
        if principal is None:
            raise Refused("its subject can't be a name")
        return _Signed(
            token="",  # nobody needs it any more, and it must not be passed on
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
    """Return a key for use with one algorithm. Raises Refused: it is not for that."""
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
    """The client that the token was given to (RFC 9068), or as some issuers call it."""
    return next((each for each in (claims.get("client_id"), claims.get("azp")) if isinstance(each, str) and each), None)


def _scopes(claims: Mapping[str, object]) -> list[str]:
    """What the token is good for: `scope` (RFC 9068), or `scp`, as a text or a list."""
    scopes: list[str] = []
    for written in (claims.get("scope"), claims.get("scp")):
        if isinstance(written, str):
            scopes += written.split()
        elif isinstance(written, list):
            scopes += [each for each in cast("list[object]", written) if isinstance(each, str)]
    return scopes
