"""What a host may show of one call while it waits."""

from itertools import count

from mcp.server.mcpserver import Context

from handoffs.core.model import Handoff
from handoffs.mcp_server import words


class Progress:
    """The progress of one waiting call, and what is known of how the person is reached."""

    def __init__(self, handoff: Handoff, context: Context, *, link: str | None = None, sent: bool = False) -> None:
        """Take the call; nothing is said yet."""
        self.handoff = handoff
        self.context = context
        self.link = link
        """Where the inbox shows the question, once that is known."""
        self.sent = sent
        """Whether the person has agreed to go there."""
        self.not_shown = False
        """Whether the host's dialog was open, and nobody can have seen it."""
        self._numbers = count(1)

    async def send(self) -> None:
        """Say that the call is alive, and where the person can answer; a host that did not ask for it hears nothing."""
        text = words.describe_progress(self.handoff, self.link)
        await self.context.report_progress(next(self._numbers), None, text)
