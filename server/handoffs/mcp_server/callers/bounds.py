"""How much one process holds for its callers."""

from dataclasses import dataclass

from handoffs.mcp_server.callers.lru import MAX_ENTRIES


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much one server holds for all of its callers; one caller may have a share."""

    streams: int = 1_000
    """How many streams of the newer era are open, and how many of those that tell of tasks."""
    waiting: int = 8_000
    """How many calls over HTTP wait; one caller may have a share of them.

    Sessions cost nothing, and up to 2025-11-25 a call goes on waiting when its client has hung up.
    """
    sessions: int = 256
    """How many sessions of the older era are kept. Sessions end without notice, so the oldest are evicted."""
    uris: int = 1_000
    """How many addresses one session can subscribe to."""
    dialogs: int = 100
    """How many dialogs about one question may end undecided before tasks show no more; it stays open elsewhere."""
    remembered: int = MAX_ENTRIES
    """How many tasks are remembered, to save work."""


BOUNDS = Bounds()
"""The bounds of a server that is given none."""
