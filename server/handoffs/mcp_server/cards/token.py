"""The secret of a card: what shows that an answer comes from the card of a question, and not from whoever can call.

It is sealed, not kept: it says for which question it is good and until when, so it outlives a restart and works with
every process that has the key. That it is used once is for the store to see to; here is its mark by which it does.
"""

import hashlib
import hmac
import math
import secrets
from collections.abc import Sequence
from datetime import datetime

from handoffs.core.model import Handoff
from handoffs.signing import expiry_of, opened, seal

# The same keys seal other things: none of those may pass for this one.
_PURPOSE = b"handoffs card 1"


class CardSecrets:
    """Makes and knows the secrets of cards."""

    def __init__(self, keys: Sequence[bytes | str]) -> None:
        """Take the keys: the first seals, all open."""
        given = [key.encode() if isinstance(key, str) else key for key in keys]
        self._keys = [hmac.digest(key, _PURPOSE, hashlib.sha256) for key in given]

    def make(self, handoff: Handoff) -> str:
        """Return a secret that no other card has, good for this question until its deadline."""
        body = f"{secrets.token_urlsafe(16)}.{math.ceil(handoff.question.deadline.timestamp())}"
        return f"{body}.{seal(self._keys[0], handoff.id, body).hex()}"

    def mark_of(self, secret: str, handoff: Handoff, *, now: datetime) -> str | None:
        """Return the mark by which the use of a secret is noted; None where it is not one of this question's."""
        body = opened(secret, self._keys, handoff.id, written=bytes.hex)
        if body is None or now.timestamp() > expiry_of(body):
            return None
        return "card " + hashlib.sha256(f"{handoff.id} {body}".encode()).hexdigest()
