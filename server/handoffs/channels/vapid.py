"""VAPID (RFC 8292): the key by which push services know who sends, and what is signed with it.

The key is derived from the first of the keys that seal: so all programs that share those keys have it, and no further
secret is kept. A browser accepts pushes only of the key that it was set up with, so that one is sealed with its
address, and goes on to work when the keys are changed.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_PURPOSE = b"handoffs: what pushes to browsers are signed with"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_LASTS = timedelta(hours=12)  # 24 at most


def derived_key(secret: str) -> str:
    """Return the private key that belongs to a secret, as 32 bytes in base64url."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # 16 bytes more than the order has, so that each key is as likely as any other.
    drawn = HKDF(algorithm=SHA256(), length=48, salt=None, info=_PURPOSE).derive(secret.encode())
    return written((int.from_bytes(drawn) % (_ORDER - 1) + 1).to_bytes(32))


def public_key(private: str) -> str:
    """Return the public half, as browsers want it: a point in base64url."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return written(_loaded(private).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def authorization(private: str, endpoint: str, contact: str, *, now: datetime) -> str:
    """Return the header that says to a push service who sends."""
    import jwt

    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int((now + _LASTS).timestamp()), "sub": contact}
    return f"vapid t={jwt.encode(claims, _loaded(private), algorithm='ES256')}, k={public_key(private)}"


def written(data: bytes) -> str:
    """Return bytes in base64url, without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Return what is written in base64url. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _loaded(private: str) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(int.from_bytes(decoded(private)), ec.SECP256R1())
