"""Ids that nobody can guess, without characters that look alike."""

import hashlib
import os

ID_PREFIX = "h_"
"""Of a handoff."""

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"
_LENGTH = 20


def new_id(prefix: str = ID_PREFIX) -> str:
    """Return an id that can't be guessed: the prefix and 20 characters without look-alikes, 115 bits."""
    return _written_id(int.from_bytes(os.urandom(32)) % len(_ALPHABET) ** _LENGTH, prefix)


def id_of(text: str, prefix: str) -> str:
    """Return the id that belongs to a text, always the same: as `new_id` writes them."""
    return _written_id(int.from_bytes(hashlib.sha256(f"{prefix}{text}".encode()).digest()), prefix)


def _written_id(number: int, prefix: str) -> str:
    letters: list[str] = []
    for _ in range(_LENGTH):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return prefix + "".join(letters)
