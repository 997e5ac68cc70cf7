"""Approvals as a decision point can verify them: signed, for it alone, and about exactly what was asked for.

The signature is of Ed25519 (JWS, RFC 8037). Its key is made of the server's own keys, so all processes of a server have
the same one. The decision point needs the public half in its key set.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only where an approval is signed
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "EdDSA"

_PURPOSE = b"handoffs: approvals of access requests, Ed25519"


class ApprovalKeys:
    """The keys that sign approvals: the first signs, and the others are published for what they have signed."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take the server's keys."""
        self._written = keys

    def sign(self, claims: Mapping[str, object]) -> str:
        """Return a JWS of these claims, in compact form."""
        import jwt

        first = self._keys[0]
        return jwt.encode(dict(claims), first, algorithm=ALGORITHM, headers={"kid": _public(first)["kid"]})

    def public(self) -> Mapping[str, object]:
        """Return the public keys as a JWK Set (RFC 7517)."""
        return {"keys": [_public(key) for key in self._keys]}

    @cached_property
    def _keys(self) -> "Sequence[Ed25519PrivateKey]":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        def seed(key: str) -> bytes:
            return HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())

        return [Ed25519PrivateKey.from_private_bytes(seed(each)) for each in self._written]


def _public(key: "Ed25519PrivateKey") -> Mapping[str, str]:
    raw = key.public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    # The thumbprint of RFC 7638 over the members that RFC 8037 names, in their order.
    thumb = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    kid = base64.urlsafe_b64encode(thumb).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": ALGORITHM}
