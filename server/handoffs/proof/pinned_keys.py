"""Public keys of people that are pinned in a file which only root can write.

The file is TOML, and names the keys of each person as COSE in base64url, as `handoffs people keys` prints them:

    ada = ["pQECAyYgASFYIP…"]

Who can write the store can replace a key there, and nowhere in this file.
"""

import os
import stat
import sys
import tomllib
from pathlib import Path
from typing import cast

from handoffs.proof.passkeys import PinnedKeys, decoded


class PinnedKeysRefused(Exception):
    """The file of pinned keys can't be used; says why."""


def read_pinned_keys(path: Path) -> PinnedKeys:
    """Return the pinned keys by person. Raises PinnedKeysRefused."""
    _check_owners(path)
    try:
        return parse_pinned_keys(path.read_bytes())
    except OSError as wrong:
        raise PinnedKeysRefused(f"{path} can't be read: {wrong.strerror}.") from None
    except PinnedKeysRefused as wrong:
        raise PinnedKeysRefused(f"{path} can't be used: {wrong}.") from None


def parse_pinned_keys(written: bytes) -> PinnedKeys:
    """Return the keys by person that a file of this content names. Raises PinnedKeysRefused."""
    try:
        return {person: _keys(person, keys) for person, keys in tomllib.loads(written.decode()).items()}
    except ValueError as wrong:
        raise PinnedKeysRefused(str(wrong)) from None


def _keys(person: str, given: object) -> tuple[bytes, ...]:
    keys = cast("list[object]", given) if isinstance(given, list) else []
    texts = [each for each in keys if isinstance(each, str)]
    if not texts or len(texts) != len(keys):
        raise ValueError(f"{person} needs a list of public keys in base64url")
    return tuple(map(decoded, texts))


def _check_owners(path: Path) -> None:
    """Check that only root can write the file, and each folder on the way to it: who writes one can swap the file."""
    if sys.platform == "win32":
        raise PinnedKeysRefused("Pinned keys need an owner of files that is root, which Windows has not.")
    try:
        whole = path.absolute()
        # A link is in a folder, too; so both ways to the file are looked at.
        for each in {place for end in (whole, whole.resolve(strict=True)) for place in (end, *end.parents)}:
            found = each.lstat()
            shared = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
            if stat.S_ISLNK(found.st_mode):
                writable = False  # its mode says nothing
            else:
                writable = bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) and not shared
            by_us = os.geteuid() != 0 and not shared and os.access(each, os.W_OK)
            if found.st_uid != 0 or writable or by_us:
                raise PinnedKeysRefused(
                    f"{each} can be written by others than root, so the keys in {path} may be anybody's: "
                    f"`chown root {each}` and `chmod go-w {each}`, as root."
                )
    except OSError as wrong:
        raise PinnedKeysRefused(f"{path} can't be read: {wrong.strerror}.") from None
