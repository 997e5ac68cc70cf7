"""Signed tokens: a text that its holder brings back, and a seal that shows that somebody with the key made it.

The seal is an HMAC-SHA256 of what the token is for and its text. The purpose is no part of the token: a seal made for
one thing is good for nothing else. Both makers of tokens, the cards and the sign-in of the inbox, write the time until
which theirs is good at the end of the text.

It is not `itsdangerous`, which writes tokens in another way: a card's is good as long as its question, for days, and
the inbox's cookie is named by a seal. Both must go on to be good over an update of this program.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence


def seal(key: bytes, purpose: str, text: str) -> bytes:
    """Return the seal of a text."""
    return hmac.digest(key, f"{purpose}\0{text}".encode(errors="replace"), hashlib.sha256)


def opened(token: str, keys: Sequence[bytes], purpose: str, *, written: Callable[[bytes], str]) -> str | None:
    """Return the text of a token; None where none of the keys has sealed it for this purpose.

    `written` is how the seal stands in the token. Every key is tried, whichever fits: how long it takes says nothing.
    """
    text, _, given = token.rpartition(".")
    bare = given.encode(errors="replace")
    fits = [hmac.compare_digest(bare, written(seal(key, purpose, text)).encode()) for key in keys]
    return text if any(fits) else None


def expiry_of(text: str) -> int:
    """Return until when an opened token is good, in seconds since 1970."""
    return int(text.rpartition(".")[2])
