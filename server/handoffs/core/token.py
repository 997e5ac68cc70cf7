"""A token of `handoffs token add`, as it is kept: what it was is nowhere, only its digest."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What is known of one token. There is one of a name; times are in UTC."""

    name: str
    """Whose calls it makes: the same name later, with another token, is the same caller."""
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    """When it was last seen, within an hour."""

    def good(self, now: datetime) -> bool:
        """Say whether it lets its bearer in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
