"""Signed tokens: a text that its holder returns, and a seal which proves that a holder of the key wrote it.

The seal is an HMAC-SHA256 over the purpose and the text. The purpose is not part of the token: a seal for one purpose
is not valid for another. Both kinds of tokens, for cards and for the sign-in of the inbox, end their text with the time
until which they are valid.

`itsdangerous` is not used, since its format differs: a card's token is valid as long as its question, for days, and the
name of the inbox's cookie is a seal. Both must stay valid across updates of this program.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence


def seal(key: bytes, purpose: str, text: str) -> bytes:
    """Return the seal of a text for a purpose."""
    return hmac.digest(key, f"{purpose}\0{text}".encode(errors="replace"), hashlib.sha256)


def opened(token: str, keys: Sequence[bytes], purpose: str, *, written: Callable[[bytes], str]) -> str | None:
    """Return the text of a token; None if no key has sealed it for this purpose.

    `written` returns the seal as it stands in the token. All keys are always tried, so that the time reveals nothing.
    """
    text, _, given = token.rpartition(".")
    bare = given.encode(errors="replace")
    fits = [hmac.compare_digest(bare, written(seal(key, purpose, text)).encode()) for key in keys]
    return text if any(fits) else None


def expiry_of(text: str) -> int:
    """Return the time until which an opened token is valid, in seconds since 1970."""
    return int(text.rpartition(".")[2])
