"""Tokens of `handoffs token add`, for set-ups without an issuer: 256 random bits, of which a digest is kept.

A digest without salt or stretching is enough: what it is of can't be guessed. It is looked up whole, so that how long
that takes says nothing of how much of a token was right.
"""

import hashlib
import secrets

PREFIX = "ho_"
"""By which people, and programs that look for leaked secrets, know one."""


def new_token() -> str:
    """Return a token that nobody has had before."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
