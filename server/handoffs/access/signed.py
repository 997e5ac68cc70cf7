"""JSON Web Tokens of an issuer, checked by the issuer's own public keys. PyJWT checks the signatures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jwt

from handoffs.access.issuer import Issuer

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Algorithms with a public key. With a shared key, a program that checks tokens could make them."""

LEEWAY_SECONDS = 30
"""How much the issuer's clock may differ from ours."""

MAX_TOKEN = 16_384
"""The most characters of a token; most servers limit headers to this."""


class Refused(Exception):
    """A token is not valid. The message says why, without any of its content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A token whose signature, issuer and audience were checked."""

    claims: Mapping[str, object]
    header: Mapping[str, object]
    kid: str | None
    """The name of the key that signed it."""


async def verified(
    token: str, issuer: Issuer, *, audience: str, require: Sequence[str], check_times: bool = True
) -> Signed:
    """Return a token of the issuer for this audience, which has all claims of `require`.

    Without `check_times` the caller checks when it is valid.

    Raises:
        Refused: The token is not valid.
        Unavailable: The issuer's keys are not cached, and it can't be reached.
    """
    if len(token) > MAX_TOKEN:
        raise Refused("it is too long")
    header = _header(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Refused("it is not signed by a public key")
    if kid is not None and not isinstance(kid, str):
        raise Refused("its header is not valid")
    key = await issuer.key(kid)
    if key is None:
        raise Refused("it is signed by a key that the issuer does not have")
    if key.get("alg", algorithm) != algorithm:
        raise Refused("it is signed in another way than its key is for")
    try:
        claims: Mapping[str, object] = jwt.decode(
            token,
            _jwt_key(key, algorithm),
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer.url,
            leeway=LEEWAY_SECONDS,
            options={
                "require": list(require),
                "enforce_minimum_key_length": True,
                "verify_exp": check_times,
                "verify_iat": check_times,
                "verify_nbf": check_times,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as wrong:
        raise Refused(f"{type(wrong).__name__}") from None
    return Signed(claims=claims, header=header, kid=kid)


def _jwt_key(key: Mapping[str, object], algorithm: str) -> jwt.PyJWK:
    try:
        return jwt.PyJWK(dict(key), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError) as wrong:
        raise Refused(f"its key can't be used ({type(wrong).__name__})") from None


def _header(token: str) -> Mapping[str, object]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise Refused("it is no JSON Web Token") from None
