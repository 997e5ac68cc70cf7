"""How often a waiting call looks, and says that it is alive."""

from dataclasses import dataclass

from handoffs.asking.judge import READING_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """The times of the waiting calls of one server, in seconds."""

    progress: float = 10.0
    """How often a waiting call sends progress: some hosts give up on a call that is silent for a minute."""
    reading: float = READING_SECONDS
    """When a dialog that is still open counts as having reached a person."""
    last_look: float = 2.0
    """How long a call tries to read the outcome when its time is up: the store may be unavailable."""


PACE = Pace()
"""The pace of a server that is given none."""
