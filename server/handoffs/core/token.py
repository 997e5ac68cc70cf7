"""A token of `handoffs token add`, as it is stored: only its digest, never the token itself."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What is stored of one token. Names are unique; times are in UTC."""

    name: str
    """The caller that it stands for: a later token with the same name is the same caller."""
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    """When it was last used, to within an hour."""

    def good(self, now: datetime) -> bool:
        """Return whether it is valid: neither expired nor revoked."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
