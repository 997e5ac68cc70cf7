"""A person's passkey: the public half of a key that an authenticator holds, and what is known of its use."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Passkey:
    """One passkey. Times are in UTC.

    A removed one is kept, so that what it signed can still be checked; its credential id is not enrolled again.
    """

    credential_id: str
    """The authenticator's name for it, in base64url without padding."""
    person: str
    public_key: bytes
    """As COSE, the way the authenticator sent it."""
    sign_count: int = 0
    """How often the authenticator says it has signed; 0 for ever with those that do not count."""
    label: str = ""
    """The person's own word for it."""
    added_at: datetime
    added_with: str = ""
    """The credential id of the key that vouched for it; empty for a person's first key."""
    active_from: datetime
    """From when it may be used: a recovery has a delay."""
    last_used_at: datetime | None = None
    removed_at: datetime | None = None

    def active(self, now: datetime) -> bool:
        """Say whether it may be used: not removed, and its delay is over."""
        return self.removed_at is None and self.active_from <= now

    def counts_on(self, sign_count: int) -> bool:
        """Say whether a signature's count follows the known one; if it does not, two devices may hold the key."""
        return sign_count > self.sign_count or sign_count == self.sign_count == 0
