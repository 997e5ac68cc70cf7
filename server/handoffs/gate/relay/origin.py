"""What a server over HTTP says of its own streams: passed on beside its lines, which say nothing of them."""

from contextvars import ContextVar
from typing import Final, NamedTuple, Protocol


class Origin(NamedTuple):
    """Where a line came from."""

    request: str
    """The id of the request that it answers or belongs to, as JSON; empty for the session's own stream."""
    event: str = ""
    """The id of its event; empty where it has none."""
    retry: int | None = None
    """The milliseconds that the server wants a client to wait before it comes back; None where it does not say."""
    json: bool = False
    """Whether it was the whole response, as JSON."""


ORIGIN: Final = ContextVar[Origin | None]("ORIGIN", default=None)
"""The origin of the lines that a task writes. Each request has a task, so a line that waits for its reader keeps it."""


class Streams(Protocol):
    """What wants to know of the streams."""

    def posted(self, request: str) -> None:
        """Hear that a request goes to the server, which now says whether it answers as JSON or as events."""
        ...

    def begun(self, origin: Origin) -> None:
        """Hear that events come, or that an event without data names a place."""
        ...

    def closed(self, request: str) -> None:
        """Hear that the server has ended a stream before its answer: its client is to come back for it."""
        ...


class Unheard:
    """Where nobody wants to know: a client on a pipe has no streams."""

    def posted(self, request: str) -> None:
        """See `Streams`."""

    def begun(self, origin: Origin) -> None:
        """See `Streams`."""

    def closed(self, request: str) -> None:
        """See `Streams`."""
