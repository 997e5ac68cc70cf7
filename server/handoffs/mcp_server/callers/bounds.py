"""How much one process holds for its callers."""

from dataclasses import dataclass

from handoffs.mcp_server.callers.lru import MOST


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much one server holds for all of its callers. Of the streams and sessions one caller may have a share."""

    streams: int = 1_000
    """How many streams of the newer era are open, and how many of those that tell of tasks."""
    sessions: int = 256
    """How many sessions of the older era are told of changes. Of a session that ended nobody tells us; the oldest makes
    room."""
    uris: int = 1_000
    """How many addresses one session can subscribe to."""
    dialogs: int = 100
    """How many dialogs about one question may come to nothing before tasks show no more; it stays open elsewhere."""
    remembered: int = MOST
    """How many tasks are remembered, to save work."""


BOUNDS = Bounds()
"""What a server has that is given none."""
