"""Tokens of `handoffs token add`, for set-ups without an issuer: 256 random bits, of which a digest is kept.

A digest without salt or stretching is enough: what it is of can't be guessed. It is looked up whole, so that how long
that takes says nothing of how much of a token was right.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from handoffs.core.token import Token

PREFIX = "ho_"
"""By which people, and programs that look for leaked secrets, know one."""


class Tokens(Protocol):
    """Where the tokens are kept. Every method raises StoreError where that can't be used."""

    async def add(self, token: Token) -> bool:
        """Keep a token; False, and nothing is changed, where there is a good one of this name."""
        ...

    async def find(self, digest: str) -> Token | None:
        """Return the token with this digest, good or not."""
        ...

    async def all(self) -> Sequence[Token]:
        """Return every token there has been, by name."""
        ...

    async def revoke(self, name: str, *, at: datetime) -> bool:
        """Let nobody in with the token of this name from now on; False where there is none, or it was before."""
        ...

    async def used(self, digest: str, *, at: datetime) -> None:
        """Note when a token was last seen."""
        ...


def new_token() -> str:
    """Return a token that nobody has had before."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
