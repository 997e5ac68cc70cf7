"""Codes: what a button sends back. 128 bits by chance, 24 characters: Telegram's buttons hold 64 bytes."""

import hashlib
import re
import secrets

PREFIX = "h."
"""What a code begins with: text without it is no code of ours."""

_WRITTEN = re.compile(r"h\.[A-Za-z0-9_-]{22}")


def new_code() -> str:
    """Return a code that can't be guessed."""
    return PREFIX + secrets.token_urlsafe(16)[:22]


def is_code(text: str) -> bool:
    """Return whether a text may be a code."""
    return _WRITTEN.fullmatch(text) is not None


def digest_of(code: str) -> str:
    """Return what is kept of a code."""
    return hashlib.sha256(code.encode(errors="replace")).hexdigest()


def reply_digest(chat: str, handoff: str) -> str:
    """Return what is kept of a reply in place of a code: the service says to which message it is one."""
    return hashlib.sha256(f"reply {chat} {handoff}".encode()).hexdigest()
