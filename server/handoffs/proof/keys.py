"""The log's signing key: in a file of the data folder that only its user reads, made once.

The key is never in the store: whoever can change the store alone can't sign a changed log. It is never in an exported
folder either.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from handoffs import secret_files
from handoffs.proof.notes import SigningKey
from handoffs.proof.refused import ProofRefused

FILE = "log.key"


def signing_key(data_folder: Path, origin: str) -> SigningKey:
    """Return the key of a data folder; it is made, with this name of the log, if there is none.

    A kept key has the name that it was made with, which is the log's name from then on.

    Raises:
        OSError: The file can't be read or written, or belongs to another user.
        ProofRefused: The file holds no key. It is not replaced: a new key would be another log.
    """
    path = data_folder / FILE
    kept = secret_files.read(path)
    if kept is None:
        kept = secret_files.make(path, lambda: SigningKey(origin, os.urandom(32)).text())
    try:
        return SigningKey.parse(kept or "")
    except ProofRefused as wrong:
        raise ProofRefused(f"{path} can't be used: {wrong} Put back the file from a backup.") from None


def log_key(data_folder: Path, inbox_url: str | None) -> SigningKey:
    """Return the key of a data folder, which is made if there is none: its log is named by the inbox's address.

    Raises:
        OSError: The file can't be read or written, or belongs to another user.
        ProofRefused: The file holds no key.
    """
    host = None if inbox_url is None else urlsplit(inbox_url).hostname
    data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return signing_key(data_folder, f"{host}/handoffs" if host else f"handoffs.local/{os.urandom(4).hex()}")


def refuse_inside(folder: Path, data_folder: Path) -> None:
    """Refuse to export to a folder from which the key would be handed on. Raises ProofRefused."""
    key = (data_folder / FILE).resolve()
    if folder.resolve() in key.parents:
        raise ProofRefused(f"{folder} holds the log's private key ({key}): export to another folder.")
