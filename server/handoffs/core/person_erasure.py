"""What is kept of the name of a person who was erased: enough to refuse it to another person, and no more.

The name is not kept. A guess at it can be checked, which takes some tens of milliseconds and 16 MiB (scrypt) each time.
All names of a store have one salt, so that a new name is compared with all of them at once.
"""

import hashlib
import secrets
from collections.abc import Iterable

_SALT_BYTES = 16


def recogniser_of(folded: str, others: Iterable[str] = ()) -> str:
    """Return what recognises a folded name; `others` are those of the same store. It takes tens of milliseconds."""
    salt = next((each.partition(":")[0] for each in others if each), "") or secrets.token_hex(_SALT_BYTES)
    return _recogniser(folded, salt)


def recognised(folded: str, recognisers: Iterable[str]) -> bool:
    """Say whether any of them was made of this folded name. It takes tens of milliseconds, and none where none is."""
    known = {each for each in recognisers if each}
    return any(_recogniser(folded, salt) in known for salt in {each.partition(":")[0] for each in known})


def _recogniser(folded: str, salt: str) -> str:
    written = folded.encode("utf-8", "backslashreplace")
    return f"{salt}:{hashlib.scrypt(written, salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()}"
