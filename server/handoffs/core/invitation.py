"""An invitation: what a link by which a person joins stands for."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitation:
    """One invitation. Times are in UTC."""

    person: str
    expires_at: datetime
    used_at: datetime | None = None
