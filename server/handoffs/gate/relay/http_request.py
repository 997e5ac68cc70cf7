"""A request that waits for its answer from a server over HTTP, and where its stream can be taken up again."""

import anyio

from handoffs.gate.relay.events import Events
from handoffs.gate.relay.message import Message
from handoffs.gate.relay.origin import Origin


class HttpRequest:
    """One request."""

    def __init__(self, id: str, sent: Message) -> None:  # noqa: A002 - JSON-RPC's word
        """Take the text of its id, empty where no answer is known by one, and what is sent."""
        self.id, self.sent = id, sent
        self.method = sent.method
        self.modern = False
        """Whether it was sent under a version of MCP that has no sessions."""
        self.answered = False
        self.given_up = False
        """Whether nobody waits for it any more."""
        self.scope = anyio.CancelScope()
        self.taken = anyio.Event()
        """Once the server has begun to answer, or nothing more comes."""
        self.done = anyio.Event()
        self.events = Events()
        self.heard = 0
        """Events that came."""
        self._retry: float | None = None

    def origin(self) -> Origin:
        """Return where the event comes from that came last."""
        retry, self._retry = (None if self.events.retry == self._retry else self.events.retry), self.events.retry
        return Origin(self.id, self.events.id, None if retry is None else round(retry * 1000))
