"""The secret of a card: it proves that an answer comes from the card of a question, and not from another caller.

It is signed, not stored: it names its question and its expiry, so it survives a restart and works with every process
that has the key. The store ensures that it is used once, by the mark that is made here.
"""

import hashlib
import hmac
import math
import secrets
from collections.abc import Sequence
from datetime import datetime

from handoffs.core.model import Handoff
from handoffs.signing import expiry_of, opened, seal

# The same keys sign other tokens: none of those may be valid as a card's secret.
_PURPOSE = b"handoffs card 1"


class CardSecrets:
    """Makes and verifies the secrets of cards."""

    def __init__(self, keys: Sequence[bytes | str]) -> None:
        """Take the keys: the first signs, all verify."""
        given = [key.encode() if isinstance(key, str) else key for key in keys]
        self._keys = [hmac.digest(key, _PURPOSE, hashlib.sha256) for key in given]

    def make(self, handoff: Handoff) -> str:
        """Return a new secret, valid for this question until its deadline."""
        body = f"{secrets.token_urlsafe(16)}.{math.ceil(handoff.question.deadline.timestamp())}"
        return f"{body}.{seal(self._keys[0], handoff.id, body).hex()}"

    def mark_of(self, secret: str, handoff: Handoff, *, now: datetime) -> str | None:
        """Return the mark that records the use of a secret; None when it is not valid for this question."""
        body = opened(secret, self._keys, handoff.id, written=bytes.hex)
        if body is None or now.timestamp() > expiry_of(body):
            return None
        return "card " + hashlib.sha256(f"{handoff.id} {body}".encode()).hexdigest()
