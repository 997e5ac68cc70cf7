"""Progress notifications of one waiting call."""

from mcp.server.mcpserver import Context

from handoffs.core.model import Handoff
from handoffs.mcp_server import words


class Progress:
    """The progress of one waiting call, and how the person is reached."""

    __slots__ = ("_number", "context", "handoff", "link", "not_shown", "sent")

    def __init__(self, handoff: Handoff, context: Context, *, link: str | None = None, sent: bool = False) -> None:
        """Take the call; nothing is sent yet."""
        self.handoff = handoff
        self.context = context
        self.link = link
        """Where the inbox shows the question; None until it is known."""
        self.sent = sent
        """Whether the person has agreed to open the link."""
        self.not_shown = False
        """Whether the host was given a dialog that no person can have seen."""
        self._number = 0

    async def send(self) -> None:
        """Send that the call is alive, and where the person can answer, to a host that asked for progress."""
        text = words.describe_progress(self.handoff, self.link)
        self._number += 1
        await self.context.report_progress(self._number, None, text)
