"""Tokens of `handoffs token add`, for set-ups without an issuer: 256 random bits, of which a digest is stored.

A digest without salt or stretching is enough, since the token can't be guessed. The digest is looked up whole, so the
time of the look-up does not depend on how much of a token was right.
"""

import hashlib
import secrets

PREFIX = "ho_"
"""The prefix by which people, and programs that look for leaked secrets, recognize a token."""


def new_token() -> str:
    """Return a new random token."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Return the digest of a token, which is stored."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
