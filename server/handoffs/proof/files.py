"""Writes files that appear whole or not at all."""

import os
import secrets
from pathlib import Path

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change the ends of lines


def put(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file, in place of one that is there, and its folder; `private` ones are for this user alone.

    Raises:
        OSError: It can't be written.
    """
    path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600 if private else 0o666)
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
