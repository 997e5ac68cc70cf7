"""Secrets that this machine makes once and keeps: files of mode 0600 in the data folder."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def read(path: Path) -> str | None:
    """Return the secret in a file, without blanks around it; None if there is no such file.

    A file that other users may read is made private again.

    Raises:
        OSError: The file can't be read, or belongs to another user, who could have written it.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if os.name != "nt" and status.st_uid not in {os.geteuid(), 0}:
                raise PermissionError(1, "it belongs to another user", str(path))
            if os.name != "nt" and status.st_mode & 0o077:
                path.chmod(0o600)
            return file.read(4_096).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return None


def make(path: Path, new: Callable[[], str]) -> str | None:
    """Write what `new` returns, unless another process wrote a secret at the same time. Returns the kept secret.

    Raises:
        OSError: The file can't be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # whole or not at all, and never over an existing file
    finally:
        fresh.unlink(missing_ok=True)
    return read(path)


def replace(path: Path, secret: str) -> None:
    """Write a secret in place of the old one. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
