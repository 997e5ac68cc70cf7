"""A browser in which a person is signed in to the inbox."""

from dataclasses import dataclass
from datetime import datetime, timedelta

ID_PREFIX = "s_"

LONGEST = timedelta(days=30)
"""How long a browser stays signed in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One session. It ends when it is ended, after `LONGEST`, or when its person is removed. Times are in UTC."""

    id: str
    """By which people name it. It signs nobody in."""
    person: str
    agent: str
    """The browser's own name, as it sent it: not verified."""
    started_at: datetime
    seen_at: datetime
    """When it was last used, about."""
    page_key: str = ""
    """The public key of the page that signs each post of this session; empty where it has none. See `web.page_keys`."""
